//! The key exchange: X25519 (RFC 7748) with fresh keys for each connection.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    backend::{Active, CryptoBackend},
    entropy::Entropy,
};

/// Why two keys do not make a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// The peer's key is one of the few that give the same result with every private key.
    #[error("the peer's key exchange key is of low order")]
    LowOrder,
}

/// An X25519 key pair of one connection. The private half is wiped when dropped.
pub struct KeyExchange {
    private: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl KeyExchange {
    /// A fresh pair.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut private = Zeroizing::new([0; 32]);
        entropy.fill(private.as_mut_slice());
        Self::from_private(private)
    }

    /// The pair of a known private key (any 32 bytes; clamping is part of the function).
    pub fn from_bytes(private: [u8; 32]) -> Self {
        Self::from_private(Zeroizing::new(private))
    }

    fn from_private(private: Zeroizing<[u8; 32]>) -> Self {
        let public = Active::x25519_public(&private);
        Self { private, public }
    }

    /// The half that the peer is told.
    pub const fn public_key(&self) -> [u8; 32] {
        self.public
    }

    /// The secret shared with the owner of `peer`.
    ///
    /// # Errors
    /// [`KeyError::LowOrder`] for the all-zero key and its like (lessons.md 5.3, 384adb6).
    pub fn agree(&self, peer: &[u8; 32]) -> Result<SharedSecret, KeyError> {
        let raw = Active::x25519(&self.private, peer).ok_or(KeyError::LowOrder)?;
        let raw = Zeroizing::new(raw);
        Ok(SharedSecret(Zeroizing::new(Active::sha256(&[raw.as_slice()]))))
    }
}

impl fmt::Debug for KeyExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyExchange").finish_non_exhaustive()
    }
}

/// The premaster secret of wire.md §4: SHA-256 of the X25519 result. Wiped when dropped.
pub struct SharedSecret(Zeroizing<[u8; 32]>);

impl SharedSecret {
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SeededEntropy, backend::tests::LOW_ORDER_X25519};

    #[test]
    fn both_sides_agree() {
        let mut entropy = SeededEntropy::new(7);
        let a = KeyExchange::generate(&mut entropy);
        let b = KeyExchange::generate(&mut entropy);
        let secret_a = a.agree(&b.public_key()).unwrap();
        let secret_b = b.agree(&a.public_key()).unwrap();
        assert_ne!(a.public_key(), b.public_key());
        assert_eq!(secret_a.as_bytes(), secret_b.as_bytes());
    }

    /// lessons.md 5.3, 384adb6: an all-zero key from the peer ended the process.
    #[test]
    fn zero_and_low_order_keys_are_refused() {
        let own = KeyExchange::from_bytes([0x42; 32]);
        for key in LOW_ORDER_X25519 {
            assert_eq!(own.agree(&key).unwrap_err(), KeyError::LowOrder, "{key:?}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let own = KeyExchange::from_bytes([0xab; 32]);
        let secret = own.agree(&KeyExchange::from_bytes([1; 32]).public_key());
        let shown = format!("{own:?} {:?}", secret.unwrap());
        assert_eq!(shown, "KeyExchange { .. } SharedSecret(..)");
    }
}
