//! The pure-Rust backend.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{AeadInOut, inout::InOutBuf},
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use super::{AeadKey, CryptoBackend, Signer, TAG_LEN};

/// RustCrypto and dalek.
#[derive(Clone, Copy, Debug)]
pub struct RustCrypto;

/// An expanded AES-256-GCM key; wiped when dropped.
pub struct RustCryptoAead(Aes256Gcm);

/// An Ed25519 key pair; wiped when dropped.
pub struct RustCryptoSigner(SigningKey);

impl CryptoBackend for RustCrypto {
    type Aead = RustCryptoAead;
    type Signer = RustCryptoSigner;

    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key)
            .expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
        let mut mac = <Hmac<Sha1> as hmac::KeyInit>::new_from_slice(key)
            .expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn x25519_public(private: &[u8; 32]) -> [u8; 32] {
        PublicKey::from(&StaticSecret::from(*private)).to_bytes()
    }

    fn x25519(private: &[u8; 32], peer: &[u8; 32]) -> Option<[u8; 32]> {
        let shared = StaticSecret::from(*private).diffie_hellman(&PublicKey::from(*peer));
        shared.was_contributory().then(|| shared.to_bytes())
    }

    fn ed25519_verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
        let (Ok(key), Ok(signature)) =
            (VerifyingKey::from_bytes(public), Signature::from_slice(signature))
        else {
            return false;
        };
        key.verify(message, &signature).is_ok()
    }

    fn fill_random(out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system gives randomness");
    }
}

impl AeadKey for RustCryptoAead {
    fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    fn seal(&self, nonce: [u8; 12], in_out: &mut [u8]) -> [u8; TAG_LEN] {
        self.0
            .encrypt_inout_detached(&nonce.into(), &[], InOutBuf::from(in_out))
            .expect("a datagram is shorter than GCM's limit of 64 GiB")
            .into()
    }

    fn open<'b>(&self, nonce: [u8; 12], sealed: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let length = sealed.len().checked_sub(TAG_LEN)?;
        let (body, tag) = sealed.split_at_mut(length);
        let tag: [u8; TAG_LEN] = (&*tag).try_into().expect("split TAG_LEN before the end");
        self.0
            .decrypt_inout_detached(&nonce.into(), &[], InOutBuf::from(&mut *body), &tag.into())
            .ok()?;
        Some(body)
    }
}

impl Signer for RustCryptoSigner {
    fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}
