//! Messages as the application sees them.

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;
use gamewire_proto::Time;
use gamewire_wire::identity::Identity;

use crate::handle::ConnectionHandle;

/// How a message is to be sent (api.md §3.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct SendFlags(u32);

impl SendFlags {
    /// May be lost, reordered or duplicated.
    pub const UNRELIABLE: Self = Self(0);
    /// Does not wait for company, and takes along what waits already.
    pub const NO_NAGLE: Self = Self(1);
    /// [`SendFlags::UNRELIABLE`] without waiting for company.
    pub const UNRELIABLE_NO_NAGLE: Self = Self(1);
    /// Dropped if it cannot leave soon. For unreliable messages only.
    pub const NO_DELAY: Self = Self(4);
    /// Now or never.
    pub const UNRELIABLE_NO_DELAY: Self = Self(5);
    /// Arrives once, in the lane's order.
    pub const RELIABLE: Self = Self(8);
    /// [`SendFlags::RELIABLE`] without waiting for company.
    pub const RELIABLE_NO_NAGLE: Self = Self(9);
    /// Sends on the calling thread. The library does so anyway where it can; kept for compatibility.
    pub const USE_CURRENT_THREAD: Self = Self(16);
    /// Opens a new session if the old one broke; for sessions by identity only.
    pub const AUTO_RESTART_BROKEN_SESSION: Self = Self(32);

    /// Flags by their number; unknown bits are kept and have no effect.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The number.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether the message is reliable.
    pub const fn is_reliable(self) -> bool {
        self.0 & Self::RELIABLE.0 != 0
    }

    pub(crate) const fn no_nagle(self) -> bool {
        self.0 & (Self::NO_NAGLE.0 | Self::NO_DELAY.0) != 0
    }

    pub(crate) const fn no_delay(self) -> bool {
        self.0 & Self::NO_DELAY.0 != 0
    }
}

impl std::ops::BitOr for SendFlags {
    type Output = Self;

    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Through which connection.
    pub connection: ConnectionHandle,
    /// The content. [`Bytes`] travel without being copied until they are sealed.
    pub payload: Bytes,
    /// How to send it.
    pub flags: SendFlags,
    /// On which lane.
    pub lane: u16,
    /// Dropped unsent if none of it left before this moment of [`crate::Sockets::local_timestamp`].
    pub deadline: Option<Time>,
    /// The application's own; it arrives with the message within the process only.
    pub user_data: i64,
}

impl Outgoing {
    /// A message for lane 0 without a deadline.
    pub fn new(connection: ConnectionHandle, payload: impl Into<Bytes>, flags: SendFlags) -> Self {
        Self { connection, payload: payload.into(), flags, lane: 0, deadline: None, user_data: 0 }
    }
}

/// A message that arrived. Its content is shared, not copied; dropping it frees the room.
#[derive(Clone, Debug)]
#[doc(alias = "SteamNetworkingMessage_t")]
pub struct Message {
    /// The content, as long as it was sent.
    pub payload: Bytes,
    /// Through which connection it came.
    pub connection: ConnectionHandle,
    /// Who sent it.
    pub peer: Arc<Identity>,
    /// The connection's user data when the message came, or when it was last set since.
    pub connection_user_data: i64,
    /// When it was complete.
    pub received: Time,
    /// Its number, per lane from 1, counted by the sender.
    pub number: u64,
    /// Whether it was sent reliably.
    pub reliable: bool,
    /// The lane that it came on.
    pub lane: u16,
    /// What the sender set in [`Outgoing::user_data`], within the process; else 0.
    pub user_data: i64,
}

impl Deref for Message {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.payload
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}
