//! The signed crypt info: what a peer brings to the key exchange (wire.md §3).

use bytes::Bytes;
use gamewire_wire::{
    limits,
    messages::{Extensions, SessionCryptInfo, SessionCryptInfoSigned, session_crypt_info::KeyType},
};
use prost::Message as _;

use crate::{
    cipher::Cipher,
    entropy::Entropy,
    exchange::KeyExchange,
    signing::{SigningKey, VerifyingKey},
};

/// Longest crypt info that is looked at, in bytes. Valve's have 50; the rest is room for
/// extensions such as a post-quantum key.
pub const MAX_CRYPT_INFO_LEN: usize = 4096;

/// Why a peer's crypt info is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CryptInfoError {
    /// There is none.
    #[error("the handshake carries no crypt info")]
    Missing,
    /// Longer than [`MAX_CRYPT_INFO_LEN`].
    #[error("the crypt info is too long")]
    TooLong,
    /// Not signed by the key in the peer's certificate.
    #[error("the crypt info is not signed by the certificate's key")]
    BadSignature,
    /// Signed, but not a protobuf message.
    #[error("the crypt info cannot be parsed")]
    Malformed,
    /// Not X25519, or not 32 bytes.
    #[error("the crypt info's key exchange key is not an X25519 key")]
    BadKey,
    /// Older than version 8; ends the connection with reason 4006.
    #[error("protocol version {0} is too old")]
    TooOld(u32),
    /// Not the version the peer named before; ends the connection with reason 4006.
    #[error("protocol version {claimed}, but {earlier} before")]
    VersionChanged {
        /// In the crypt info.
        claimed: u32,
        /// In the challenge.
        earlier: u32,
    },
    /// The acceptor did not name exactly one cipher, or one that is not known.
    #[error("the acceptor did not choose exactly one cipher")]
    NoSoleCipher,
}

/// What goes into an offer beside fresh random values.
#[derive(Clone, Copy, Debug)]
pub struct OfferParameters<'a> {
    /// The initiator's list in order of preference; the acceptor's one choice.
    pub ciphers: &'a [Cipher],
    /// What this peer can do beyond Valve's protocol; `None` looks exactly like Valve's.
    pub extensions: Option<Extensions>,
}

/// Our half of the key exchange for one connection.
#[derive(Debug)]
pub struct CryptOffer {
    exchange: KeyExchange,
    nonce: u64,
    info: Bytes,
    signature: [u8; 64],
}

impl CryptOffer {
    /// A fresh key and nonce, signed with the key of our certificate.
    pub fn generate(
        entropy: &mut dyn Entropy,
        signing: &SigningKey,
        parameters: OfferParameters<'_>,
    ) -> Self {
        let exchange = KeyExchange::generate(entropy);
        let nonce = entropy.next_u64();
        Self::from_parts(exchange, nonce, signing, parameters)
    }

    /// An offer of known values, for reproducible runs.
    pub fn from_parts(
        exchange: KeyExchange,
        nonce: u64,
        signing: &SigningKey,
        parameters: OfferParameters<'_>,
    ) -> Self {
        let info = SessionCryptInfo {
            key_type: Some(KeyType::Curve25519 as i32),
            key_data: Some(Bytes::copy_from_slice(&exchange.public_key())),
            nonce: Some(nonce),
            protocol_version: Some(limits::PROTOCOL_VERSION),
            ciphers: parameters.ciphers.iter().map(|c| c.to_wire()).collect(),
            extensions: parameters.extensions,
        };
        let info = Bytes::from(info.encode_to_vec());
        let signature = signing.sign(&info);
        Self { exchange, nonce, info, signature }
    }

    /// The key pair; [`KeyExchange::agree`] makes the secret.
    pub const fn exchange(&self) -> &KeyExchange {
        &self.exchange
    }

    /// The nonce for the key schedule.
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The serialized info, as the key schedule wants it.
    pub const fn info(&self) -> &Bytes {
        &self.info
    }

    /// The message for the handshake.
    pub fn to_message(&self) -> SessionCryptInfoSigned {
        SessionCryptInfoSigned {
            info: Some(self.info.clone()),
            signature: Some(Bytes::copy_from_slice(&self.signature)),
        }
    }
}

/// The peer's half, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct PeerCryptInfo {
    /// The serialized info, as the key schedule wants it.
    pub info: Bytes,
    /// X25519 public key. Whether it is of low order shows when it is used.
    pub public_key: [u8; 32],
    /// The nonce for the key schedule.
    pub nonce: u64,
    /// At least 8; may be above ours.
    pub protocol_version: u32,
    /// The ciphers that are known to us, in the peer's order; AES if it named none at all.
    pub ciphers: Vec<Cipher>,
    /// What the peer can do beyond Valve's protocol.
    pub extensions: Option<Extensions>,
    named_ciphers: usize,
}

impl PeerCryptInfo {
    /// Checks and parses the peer's info. `key` is that of the peer's certificate,
    /// `earlier_version` the protocol version that it named in the challenge, if any.
    ///
    /// # Errors
    /// [`CryptInfoError`]: end the connection with 4006 for versions, else 4002.
    pub fn verify(
        signed: &SessionCryptInfoSigned,
        key: &VerifyingKey,
        earlier_version: Option<u32>,
    ) -> Result<Self, CryptInfoError> {
        let bytes = signed.info.as_ref().ok_or(CryptInfoError::Missing)?;
        if bytes.len() > MAX_CRYPT_INFO_LEN {
            return Err(CryptInfoError::TooLong);
        }
        let signature = signed.signature.as_deref().unwrap_or_default();
        key.verify(bytes, signature).map_err(|_| CryptInfoError::BadSignature)?;
        let info =
            SessionCryptInfo::decode(bytes.clone()).map_err(|_| CryptInfoError::Malformed)?;
        let protocol_version = check_version(&info, earlier_version)?;
        let key_data = info.key_data.as_deref().unwrap_or_default();
        let public_key = <[u8; 32]>::try_from(key_data).map_err(|_| CryptInfoError::BadKey)?;
        if info.key_type != Some(KeyType::Curve25519 as i32) {
            return Err(CryptInfoError::BadKey);
        }
        Ok(Self {
            info: bytes.clone(),
            public_key,
            nonce: info.nonce.unwrap_or_default(),
            protocol_version,
            ciphers: known_ciphers(&info.ciphers),
            named_ciphers: info.ciphers.len(),
            extensions: info.extensions,
        })
    }

    /// The acceptor's choice, for the initiator.
    ///
    /// # Errors
    /// [`CryptInfoError::NoSoleCipher`] if the peer named none, several or an unknown one. The
    /// initiator must also check that it had offered this one.
    pub fn sole_cipher(&self) -> Result<Cipher, CryptInfoError> {
        match (self.ciphers.as_slice(), self.named_ciphers) {
            (&[one], 1) => Ok(one),
            _ => Err(CryptInfoError::NoSoleCipher),
        }
    }
}

fn check_version(info: &SessionCryptInfo, earlier: Option<u32>) -> Result<u32, CryptInfoError> {
    let claimed = info.protocol_version.unwrap_or_default();
    if claimed < limits::MIN_PROTOCOL_VERSION {
        return Err(CryptInfoError::TooOld(claimed));
    }
    match earlier {
        Some(earlier) if earlier != claimed => {
            Err(CryptInfoError::VersionChanged { claimed, earlier })
        }
        Some(_) | None => Ok(claimed),
    }
}

fn known_ciphers(numbers: &[i32]) -> Vec<Cipher> {
    if numbers.is_empty() {
        return vec![Cipher::Aes256Gcm];
    }
    let mut known = Vec::with_capacity(2);
    for cipher in numbers.iter().filter_map(|&number| Cipher::from_wire(number)) {
        if !known.contains(&cipher) {
            known.push(cipher);
        }
    }
    known
}

#[cfg(test)]
mod tests;
