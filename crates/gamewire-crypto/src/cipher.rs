//! Ciphers and how two peers agree on one (wire.md §3).

use gamewire_wire::messages;

/// How packets of a session are protected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cipher {
    /// Not at all: payload in clear. Only where both peers opted in (`Unencrypted` 1 to 3).
    Null,
    /// AES-256-GCM, 16-byte tag.
    Aes256Gcm,
}

impl Cipher {
    /// The number on the wire.
    pub const fn to_wire(self) -> i32 {
        match self {
            Self::Null => messages::Cipher::Null as i32,
            Self::Aes256Gcm => messages::Cipher::Aes256Gcm as i32,
        }
    }

    /// The cipher of a number on the wire; `None` for those that Gamewire does not know.
    pub fn from_wire(number: i32) -> Option<Self> {
        match messages::Cipher::try_from(number) {
            Ok(messages::Cipher::Null) => Some(Self::Null),
            Ok(messages::Cipher::Aes256Gcm) => Some(Self::Aes256Gcm),
            Ok(messages::Cipher::Invalid) | Err(_) => None,
        }
    }
}

/// The acceptor's choice: the first of its own list that the initiator offered.
///
/// `None` means that the connection ends with reason 4002.
pub fn select_cipher(own: &[Cipher], offered: &[Cipher]) -> Option<Cipher> {
    own.iter().copied().find(|cipher| offered.contains(cipher))
}

/// The ciphers of the config value `Unencrypted`, in order of preference: 0 only encrypted,
/// 1 prefer encrypted, 2 prefer clear, 3 only clear. Any other value means 0.
pub fn offered_ciphers(unencrypted_mode: u8) -> &'static [Cipher] {
    match unencrypted_mode {
        1 => &[Cipher::Aes256Gcm, Cipher::Null],
        2 => &[Cipher::Null, Cipher::Aes256Gcm],
        3 => &[Cipher::Null],
        _ => &[Cipher::Aes256Gcm],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_acceptors_preference_wins_in_every_pair_of_modes() {
        use Cipher::{Aes256Gcm as Aes, Null};
        let table = [
            [Some(Aes), Some(Aes), Some(Aes), None],
            [Some(Aes), Some(Aes), Some(Aes), Some(Null)],
            [Some(Aes), Some(Null), Some(Null), Some(Null)],
            [None, Some(Null), Some(Null), Some(Null)],
        ];
        for (own, row) in (0u8..).zip(table) {
            for (peer, expected) in (0u8..).zip(row) {
                let chosen = select_cipher(offered_ciphers(own), offered_ciphers(peer));
                assert_eq!(chosen, expected, "acceptor {own}, initiator {peer}");
            }
        }
        assert_eq!(offered_ciphers(200), [Aes]);
    }

    #[test]
    fn wire_numbers() {
        for cipher in [Cipher::Null, Cipher::Aes256Gcm] {
            assert_eq!(Cipher::from_wire(cipher.to_wire()), Some(cipher));
        }
        assert_eq!(Cipher::Null.to_wire(), 1);
        assert_eq!(Cipher::Aes256Gcm.to_wire(), 2);
        for unknown in [-1, 0, 3, i32::MAX] {
            assert_eq!(Cipher::from_wire(unknown), None);
        }
    }
}
