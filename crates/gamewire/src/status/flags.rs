//! What is true of a connection, as a set.

use std::{fmt, ops::BitOr};

/// A set of properties (`k_nSteamNetworkConnectionInfoFlags_*`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ConnectionFlags(u32);

impl ConnectionFlags {
    /// Nobody that we trust vouches for the peer's identity.
    pub const UNAUTHENTICATED: Self = Self(1);
    /// Messages travel in clear.
    pub const UNENCRYPTED: Self = Self(2);
    /// Messages change hands within the process; comes with [`ConnectionFlags::FAST`].
    pub const LOOPBACK_BUFFERS: Self = Self(4);
    /// The peer is on this machine, at least.
    pub const FAST: Self = Self(8);
    /// A relay is between us.
    pub const RELAYED: Self = Self(16);

    const NAMES: [(Self, &str); 5] = [
        (Self::UNAUTHENTICATED, "unauthenticated"),
        (Self::UNENCRYPTED, "unencrypted"),
        (Self::LOOPBACK_BUFFERS, "loopback_buffers"),
        (Self::FAST, "fast"),
        (Self::RELAYED, "relayed"),
    ];

    /// Valve's bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` are in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of what is in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let names = Self::NAMES.into_iter();
        names.filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }
}

impl BitOr for ConnectionFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for ConnectionFlags {
    /// The names, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ConnectionFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionFlags({self})")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ConnectionFlags {
    /// A list of names.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}
