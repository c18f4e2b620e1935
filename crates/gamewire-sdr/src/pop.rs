//! PoP ids: three or four characters in a number (api.md §3.1).

use std::{fmt, str::FromStr};

use gamewire_crypto::cert::{pop_from_text, pop_to_text};

/// A site of the network. As text its code, such as `sto` or `atl2`.
#[doc(alias = "SteamNetworkingPOPID")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PopId(u32);

/// The text is not 3 or 4 visible ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a PoP has a code of 3 or 4 visible characters")]
pub struct PopIdError;

impl PopId {
    /// `dev`: a server on somebody's desk. Its certificate need not be signed; tickets must.
    #[doc(alias = "k_SteamDatagramPOPID_dev")]
    pub const DEV: Self = Self(u32::from_be_bytes([0, b'd', b'e', b'v']));

    /// The PoP of a number, as certificates and messages carry it; 0 is none.
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// The number.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// The code in four bytes, the last 0 where it has three: how address blobs begin. `None` if
    /// the number is no code.
    pub fn to_code(self) -> Option<[u8; 4]> {
        let [d, a, b, c] = self.0.to_be_bytes();
        Self::from_code([a, b, c, d]).map(|_| [a, b, c, d])
    }

    /// The PoP of a code in four bytes, the last 0 where it has three.
    pub fn from_code([a, b, c, d]: [u8; 4]) -> Option<Self> {
        let visible = [a, b, c].iter().all(u8::is_ascii_graphic);
        (visible && (d == 0 || d.is_ascii_graphic()))
            .then(|| Self(u32::from_be_bytes([d, a, b, c])))
    }
}

impl FromStr for PopId {
    type Err = PopIdError;

    fn from_str(text: &str) -> Result<Self, PopIdError> {
        pop_from_text(text).map(Self).ok_or(PopIdError)
    }
}

impl fmt::Display for PopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&pop_to_text(self.0))
    }
}

impl fmt::Debug for PopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        for (text, code) in [("sto", *b"sto\0"), ("atl2", *b"atl2")] {
            let pop: PopId = text.parse().unwrap();
            assert_eq!(pop.to_code(), Some(code));
            assert_eq!(PopId::from_code(code), Some(pop));
            assert_eq!(pop.to_string(), text);
        }
        assert_eq!("dev".parse(), Ok(PopId::DEV));
        for code in [*b"st\0\0", *b"\0sto", [0; 4], *b"s o\0", [0xff; 4]] {
            assert_eq!(PopId::from_code(code), None, "{code:?}");
        }
        assert_eq!(PopId::new(0).to_code(), None);
        assert_eq!(PopId::new(u32::MAX).to_code(), None);
    }
}
