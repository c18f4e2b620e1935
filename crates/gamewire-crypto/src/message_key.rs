//! AES-256-GCM for single messages of the relay network: address blobs, routing tokens, datagrams
//! between relays. Sessions of connections have their own (`sealing`).

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    backend::{Active, AeadKey, CryptoBackend, TAG_LEN},
    entropy::Entropy,
    exchange::SharedSecret,
    sealing::OpenError,
};

/// SHA-256 of the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Active::sha256(parts)
}

/// A key for messages that are sealed one by one. No nonce may be used twice with a key.
pub struct MessageKey(<Active as CryptoBackend>::Aead);

impl MessageKey {
    /// A fresh key that only its maker knows.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(key.as_mut_slice());
        Self::from_bytes(&key)
    }

    /// The key of 32 bytes.
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self(AeadKey::new(key))
    }

    /// The public format's key: SHA-256 of the shared secret and the parts behind it.
    ///
    /// Parts run together; the format fixes what may stand in them.
    pub fn from_hash(secret: &SharedSecret, parts: &[&[u8]]) -> Self {
        let mut all = Vec::with_capacity(parts.len() + 1);
        all.push(secret.as_bytes().as_slice());
        all.extend_from_slice(parts);
        Self::from_bytes(&Zeroizing::new(Active::sha256(&all)))
    }

    /// Our own formats' key: HMAC-SHA-256 under `secret` of a label and of parts of fixed length.
    pub fn derive(secret: &SharedSecret, label: &str, parts: &[&[u8]]) -> Self {
        let length = [u8::try_from(label.len()).expect("labels are short")];
        let mut all: Vec<&[u8]> = vec![&length, label.as_bytes()];
        all.extend_from_slice(parts);
        Self::from_bytes(&Zeroizing::new(Active::hmac_sha256(secret.as_bytes(), &all)))
    }

    /// Seals `buffer[start..]` in place and appends the tag of 16 bytes.
    ///
    /// # Panics
    /// If `start` lies beyond the buffer's end.
    pub fn seal(&self, nonce: [u8; 12], buffer: &mut Vec<u8>, start: usize) {
        let tag = self.0.seal(nonce, &mut buffer[start..]);
        buffer.extend_from_slice(&tag);
    }

    /// Opens `sealed` in place and returns the plaintext in it.
    ///
    /// # Errors
    /// [`OpenError`]; what is in `sealed` afterwards is unspecified then.
    pub fn open<'b>(
        &self,
        nonce: [u8; 12],
        sealed: &'b mut [u8],
    ) -> Result<&'b mut [u8], OpenError> {
        if sealed.len() < TAG_LEN {
            return Err(OpenError::TooShort);
        }
        self.0.open(nonce, sealed).ok_or(OpenError::BadTag)
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyExchange, SeededEntropy};

    fn secret() -> SharedSecret {
        let theirs = KeyExchange::generate(&mut SeededEntropy::new(2));
        KeyExchange::from_bytes([1; 32]).agree(&theirs.public_key()).unwrap()
    }

    #[test]
    fn keys_depend_on_everything_that_goes_in() {
        let secret = secret();
        let keys = [
            MessageKey::from_hash(&secret, &[]),
            MessageKey::from_hash(&secret, &[b"ab"]),
            MessageKey::derive(&secret, "x", &[b"ab"]),
            MessageKey::derive(&secret, "xa", &[b"b"]),
            MessageKey::derive(&secret, "x", &[b"ac"]),
            MessageKey::generate(&mut SeededEntropy::new(4)),
        ];
        let nonce = [7; 12];
        for (index, key) in keys.iter().enumerate() {
            let mut sealed = b"head message".to_vec();
            key.seal(nonce, &mut sealed, 5);
            assert_eq!(sealed.len(), 12 + 16);
            for (other_index, other) in keys.iter().enumerate() {
                let mut copy = sealed[5..].to_vec();
                let opened = other.open(nonce, &mut copy).map(|text| text.to_vec());
                let expected = if index == other_index {
                    Ok(b"message".to_vec())
                } else {
                    Err(OpenError::BadTag)
                };
                assert_eq!(opened, expected, "{index} {other_index}");
            }
            assert_eq!(key.open([8; 12], &mut sealed[5..].to_vec()), Err(OpenError::BadTag));
        }
        assert_eq!(keys[0].open(nonce, &mut [0; 15]), Err(OpenError::TooShort));
    }

    #[test]
    fn parts_of_the_public_form_run_together() {
        let secret = secret();
        let mut sealed = b"m".to_vec();
        MessageKey::from_hash(&secret, &[b"str:a", b"str:b"]).seal([0; 12], &mut sealed, 0);
        let key = MessageKey::from_hash(&secret, &[b"str:astr:b"]);
        assert!(key.open([0; 12], &mut sealed).is_ok());
    }
}
