//! Ed25519 keys (RFC 8032) and their ids.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    backend::{Active, CryptoBackend, Signer},
    entropy::Entropy,
};

/// The signature is not one of this key over these bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the signature does not match")]
pub struct BadSignature;

/// The bytes are a key of low order, under which forged signatures verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the public key is of low order")]
pub struct WeakKey;

/// An Ed25519 private key. Wiped when dropped.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    signer: <Active as CryptoBackend>::Signer,
    public: VerifyingKey,
}

impl SigningKey {
    /// A fresh key.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut_slice());
        Self::expand(seed)
    }

    /// The key of a 32-byte seed: RFC 8032's private key, and the form in OpenSSH files.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self::expand(Zeroizing::new(seed))
    }

    fn expand(seed: Zeroizing<[u8; 32]>) -> Self {
        let signer = <Active as CryptoBackend>::Signer::from_seed(&seed);
        let public = VerifyingKey(signer.public_key());
        Self { seed, signer, public }
    }

    /// The seed. Keep it secret.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public half.
    pub const fn public_key(&self) -> VerifyingKey {
        self.public
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signer.sign(message)
    }
}

impl Clone for SigningKey {
    fn clone(&self) -> Self {
        Self::expand(self.seed.clone())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// An Ed25519 public key. Not of low order; whether it is a point at all shows when it verifies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// [`WeakKey`] for points of low order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, WeakKey> {
        let mut without_sign = bytes;
        without_sign[31] &= 0x7f;
        if LOW_ORDER.contains(&without_sign) {
            return Err(WeakKey);
        }
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature over `message`.
    ///
    /// # Errors
    /// [`BadSignature`] if it does not match or has not 64 bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        if Active::ed25519_verify(&self.0, message, signature) { Ok(()) } else { Err(BadSignature) }
    }

    /// The id that certificates and revocations name the key by: the first 8 bytes of its SHA-256,
    /// little-endian (wire.md §3).
    pub fn key_id(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = Active::sha256(&[&self.0]);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.key_id())
    }
}

/// The y coordinates of the eight points of low order, with their non-canonical encodings; the
/// sign bit is masked off before the comparison.
const LOW_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    small(1),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    near_p(0xec),
    near_p(0xed),
    near_p(0xee),
];

const fn small(y: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = y;
    bytes
}

/// The number whose last byte is `low` next to the field's prime 2^255 - 19 = ..ff ed.
const fn near_p(low: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = low;
    bytes[31] = 0x7f;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_verifies() {
        let key = SigningKey::from_seed([3; 32]);
        let signature = key.sign(b"message");
        assert_eq!(key.public_key().verify(b"message", &signature), Ok(()));
        assert_eq!(key.public_key().verify(b"massage", &signature), Err(BadSignature));
        for length in [0, 1, 32, 63] {
            let short = key.public_key().verify(b"message", &signature[..length]);
            assert_eq!(short, Err(BadSignature));
        }
        let mut longer = signature.to_vec();
        longer.push(0);
        assert_eq!(key.public_key().verify(b"message", &longer), Err(BadSignature));
        let other = SigningKey::from_seed([4; 32]).public_key();
        assert_eq!(other.verify(b"message", &signature), Err(BadSignature));
        assert_eq!(key.clone().sign(b"message"), signature, "a clone is the same key");
    }

    #[test]
    fn low_order_keys_are_refused_with_either_sign() {
        for mut bytes in LOW_ORDER {
            assert_eq!(VerifyingKey::from_bytes(bytes), Err(WeakKey));
            bytes[31] |= 0x80;
            assert_eq!(VerifyingKey::from_bytes(bytes), Err(WeakKey));
        }
        let good = SigningKey::from_seed([3; 32]).public_key();
        assert_eq!(VerifyingKey::from_bytes(*good.as_bytes()), Ok(good));
    }

    /// What makes such keys dangerous: one signature fits them whatever was "signed".
    #[cfg(feature = "crypto-rustcrypto")]
    #[test]
    fn low_order_list_holds_what_dalek_calls_weak() {
        for bytes in LOW_ORDER {
            if let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&bytes) {
                assert!(key.is_weak(), "{bytes:?}");
            }
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", SigningKey::from_seed([0xab; 32]));
        assert!(!shown.contains("171"), "{shown}");
        assert!(!shown.to_lowercase().contains("abab"), "{shown}");
    }
}
