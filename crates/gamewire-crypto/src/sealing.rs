//! Protection of packets in place (wire.md §4).

use std::fmt;

use zeroize::Zeroizing;

use crate::backend::{Active, AeadKey, CryptoBackend, TAG_LEN};

/// Why a packet did not open. Drop it and count it; nothing else changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Shorter than the tag.
    #[error("the packet is shorter than its tag")]
    TooShort,
    /// Not sealed with this key under this packet number, or changed on the way.
    #[error("the packet's tag does not match")]
    BadTag,
}

type Aead = <Active as CryptoBackend>::Aead;

enum Protection {
    Null,
    Aes { key: Aead, iv: Zeroizing<[u8; 12]> },
}

impl Protection {
    fn aes(key: &[u8; 32], iv: &[u8; 12]) -> Self {
        Self::Aes { key: Aead::new(key), iv: Zeroizing::new(*iv) }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Null => "Null",
            Self::Aes { .. } => "Aes256Gcm",
        }
    }
}

/// The IV with the packet number added to its first eight bytes.
fn nonce(iv: &[u8; 12], packet_number: u64) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *iv;
    let counter = u64::from_le_bytes([a, b, c, d, e, f, g, h]).wrapping_add(packet_number);
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&counter.to_le_bytes());
    nonce[8..].copy_from_slice(&rest);
    nonce
}

/// Seals outgoing packets. Each packet number may be used once.
pub struct Sealer(Protection);

impl Sealer {
    pub(crate) fn aes(key: &[u8; 32], iv: &[u8; 12]) -> Self {
        Self(Protection::aes(key, iv))
    }

    /// Protects nothing: [`Cipher::Null`](crate::Cipher::Null).
    pub const fn null() -> Self {
        Self(Protection::Null)
    }

    /// Bytes that sealing adds: 16 or 0.
    pub const fn overhead(&self) -> usize {
        match self.0 {
            Protection::Null => 0,
            Protection::Aes { .. } => TAG_LEN,
        }
    }

    /// Seals `buffer[plaintext_start..]` in place and appends the tag. Allocates nothing if the
    /// buffer has room for [`overhead`](Self::overhead) more bytes.
    ///
    /// # Panics
    /// If `plaintext_start` lies beyond the buffer's end.
    pub fn seal(&self, packet_number: u64, buffer: &mut Vec<u8>, plaintext_start: usize) {
        let plaintext = &mut buffer[plaintext_start..];
        match &self.0 {
            Protection::Null => {}
            Protection::Aes { key, iv } => {
                let tag = key.seal(nonce(iv, packet_number), plaintext);
                buffer.extend_from_slice(&tag);
            }
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.0.name())
    }
}

/// Opens incoming packets.
pub struct Opener(Protection);

impl Opener {
    pub(crate) fn aes(key: &[u8; 32], iv: &[u8; 12]) -> Self {
        Self(Protection::aes(key, iv))
    }

    /// Takes everything as it comes: [`Cipher::Null`](crate::Cipher::Null).
    pub const fn null() -> Self {
        Self(Protection::Null)
    }

    /// Bytes that opening removes: 16 or 0.
    pub const fn overhead(&self) -> usize {
        match self.0 {
            Protection::Null => 0,
            Protection::Aes { .. } => TAG_LEN,
        }
    }

    /// Opens `sealed` in place and returns the plaintext in it; writes nowhere else.
    ///
    /// # Errors
    /// [`OpenError`]; what is in `sealed` afterwards is unspecified then.
    pub fn open<'b>(
        &self,
        packet_number: u64,
        sealed: &'b mut [u8],
    ) -> Result<&'b mut [u8], OpenError> {
        match &self.0 {
            Protection::Null => Ok(sealed),
            Protection::Aes { .. } if sealed.len() < TAG_LEN => Err(OpenError::TooShort),
            Protection::Aes { key, iv } => {
                key.open(nonce(iv, packet_number), sealed).ok_or(OpenError::BadTag)
            }
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({})", self.0.name())
    }
}

#[cfg(test)]
mod tests;
