//! The aws-lc backend.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement, digest, hmac, rand,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};

use super::{AeadKey, CryptoBackend, Signer, TAG_LEN};

/// aws-lc through aws-lc-rs.
#[derive(Clone, Copy, Debug)]
pub struct AwsLc;

/// An expanded AES-256-GCM key; aws-lc wipes it when it is freed.
#[derive(Debug)]
pub struct AwsLcAead(LessSafeKey);

/// An Ed25519 key pair; aws-lc wipes it when it is freed.
#[derive(Debug)]
pub struct AwsLcSigner(Ed25519KeyPair);

impl CryptoBackend for AwsLc {
    type Aead = AwsLcAead;
    type Signer = AwsLcSigner;

    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        array(context.finish().as_ref())
    }

    fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        for part in parts {
            context.update(part);
        }
        array(context.sign().as_ref())
    }

    fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let mut context = hmac::Context::with_key(&key);
        for part in parts {
            context.update(part);
        }
        context.sign().as_ref().try_into().expect("SHA-1 gives 20 bytes")
    }

    fn x25519_public(private: &[u8; 32]) -> [u8; 32] {
        let public = private_key(private)
            .compute_public_key()
            .expect("every 32 bytes have an X25519 public key");
        array(public.as_ref())
    }

    fn x25519(private: &[u8; 32], peer: &[u8; 32]) -> Option<[u8; 32]> {
        let peer = agreement::UnparsedPublicKey::new(&agreement::X25519, peer);
        let result = agreement::agree(&private_key(private), peer, (), |raw| Ok(array(raw)));
        result.ok().filter(|raw| raw != &[0; 32])
    }

    fn ed25519_verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
    }

    fn fill_random(out: &mut [u8]) {
        rand::fill(out).expect("the operating system gives randomness");
    }
}

fn private_key(private: &[u8; 32]) -> agreement::PrivateKey {
    agreement::PrivateKey::from_private_key(&agreement::X25519, private)
        .expect("every 32 bytes are an X25519 private key")
}

fn array(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().expect("the algorithm's output is 32 bytes")
}

impl AeadKey for AwsLcAead {
    fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("the key is 32 bytes");
        Self(LessSafeKey::new(key))
    }

    fn seal(&self, nonce: [u8; 12], in_out: &mut [u8]) -> [u8; TAG_LEN] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::empty(), in_out)
            .expect("a datagram is shorter than GCM's limit of 64 GiB");
        tag.as_ref().try_into().expect("the tag is 16 bytes")
    }

    fn open<'b>(&self, nonce: [u8; 12], sealed: &'b mut [u8]) -> Option<&'b mut [u8]> {
        if sealed.len() < TAG_LEN {
            return None;
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_in_place(nonce, Aad::empty(), sealed).ok()
    }
}

impl Signer for AwsLcSigner {
    fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).expect("every 32 bytes are a seed"))
    }

    fn public_key(&self) -> [u8; 32] {
        array(self.0.public_key().as_ref())
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.0.sign(message);
        signature.as_ref().try_into().expect("an Ed25519 signature is 64 bytes")
    }
}
