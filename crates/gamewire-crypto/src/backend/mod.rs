//! The seam to the primitives: AES-256-GCM, X25519, Ed25519, SHA-256, HMAC-SHA-256 and -SHA-1, randomness.
//!
//! Dispatch is static: [`Active`] names the backend the crate was built with.

#[cfg(feature = "crypto-aws-lc")]
pub mod aws_lc;
#[cfg(feature = "crypto-rustcrypto")]
pub mod rustcrypto;
#[cfg(test)]
pub(crate) mod tests;

#[cfg(not(any(feature = "crypto-aws-lc", feature = "crypto-rustcrypto")))]
compile_error!("gamewire-crypto needs the feature crypto-aws-lc or crypto-rustcrypto");

/// The backend in use: aws-lc where it is built in, else RustCrypto.
#[cfg(feature = "crypto-aws-lc")]
pub type Active = aws_lc::AwsLc;
/// The backend in use: aws-lc where it is built in, else RustCrypto.
#[cfg(all(feature = "crypto-rustcrypto", not(feature = "crypto-aws-lc")))]
pub type Active = rustcrypto::RustCrypto;

/// Bytes of the tag that AES-256-GCM appends.
pub const TAG_LEN: usize = 16;

/// What the crate needs of a cryptographic library.
pub trait CryptoBackend {
    /// An expanded AES-256-GCM key.
    type Aead: AeadKey;
    /// An expanded Ed25519 private key.
    type Signer: Signer;

    /// SHA-256 of the parts, one after the other.
    fn sha256(parts: &[&[u8]]) -> [u8; 32];

    /// HMAC-SHA-256 (RFC 2104) of the parts, one after the other.
    fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32];

    /// HMAC-SHA-1 (RFC 2104) of the parts, one after the other: for STUN alone.
    fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20];

    /// The X25519 public key of `private` (RFC 7748; clamped by the function).
    fn x25519_public(private: &[u8; 32]) -> [u8; 32];

    /// The raw X25519 result; `None` if it is all zero or the library refuses the peer's key.
    fn x25519(private: &[u8; 32], peer: &[u8; 32]) -> Option<[u8; 32]>;

    /// Whether `signature` is an Ed25519 signature (RFC 8032) over `message`.
    fn ed25519_verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool;

    /// Fills `out` from the operating system.
    ///
    /// # Panics
    /// If the operating system has no randomness to give: nothing could go on safely.
    fn fill_random(out: &mut [u8]);
}

/// AES-256-GCM with an expanded key, 12-byte nonces, 16-byte tags and no associated data.
pub trait AeadKey: Send + Sync {
    /// Expands `key`.
    fn new(key: &[u8; 32]) -> Self;

    /// Encrypts `in_out` in place and returns the tag.
    fn seal(&self, nonce: [u8; 12], in_out: &mut [u8]) -> [u8; TAG_LEN];

    /// Decrypts ciphertext and tag in place, or `None` if they do not belong together; what is in
    /// `sealed` afterwards is unspecified then. Writes nowhere else.
    fn open<'b>(&self, nonce: [u8; 12], sealed: &'b mut [u8]) -> Option<&'b mut [u8]>;
}

/// Ed25519 with an expanded private key.
pub trait Signer: Send + Sync {
    /// Expands the 32-byte private key of RFC 8032 §5.1.5.
    fn from_seed(seed: &[u8; 32]) -> Self;

    /// The public key.
    fn public_key(&self) -> [u8; 32];

    /// Signs `message`; deterministic.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}
