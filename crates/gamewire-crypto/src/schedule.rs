//! The key schedule of wire.md §4.

use zeroize::Zeroizing;

use crate::{
    backend::{Active, CryptoBackend},
    cipher::Cipher,
    exchange::SharedSecret,
    sealing::{Opener, Sealer},
};

/// Which end of the connection this is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Opened the connection; "client" in Valve's words.
    Initiator,
    /// Accepted it; "server" in Valve's words.
    Acceptor,
}

/// What the two peers told each other; both feed the same values, byte for byte as on the wire.
#[derive(Clone, Copy, Debug)]
pub struct KeySchedule<'a> {
    /// Connection id that the initiator chose.
    pub initiator_connection_id: u32,
    /// Connection id that the acceptor chose.
    pub acceptor_connection_id: u32,
    /// The initiator's serialized `Certificate`.
    pub initiator_cert: &'a [u8],
    /// The acceptor's serialized `Certificate`.
    pub acceptor_cert: &'a [u8],
    /// The initiator's serialized `SessionCryptInfo`.
    pub initiator_info: &'a [u8],
    /// The acceptor's serialized `SessionCryptInfo`.
    pub acceptor_info: &'a [u8],
    /// The nonce in the initiator's info.
    pub initiator_nonce: u64,
    /// The nonce in the acceptor's info.
    pub acceptor_nonce: u64,
}

/// The keys of both directions. Wiped when dropped.
pub(crate) struct SessionKeys {
    pub(crate) initiator_key: Zeroizing<[u8; 32]>,
    pub(crate) acceptor_key: Zeroizing<[u8; 32]>,
    pub(crate) initiator_iv: Zeroizing<[u8; 12]>,
    pub(crate) acceptor_iv: Zeroizing<[u8; 12]>,
}

/// The protocol's label in the context; no terminating zero.
const LABEL: &[u8] = b"Steam datagram";

impl KeySchedule<'_> {
    /// The keys of one side of the connection: what it seals with and what it opens with.
    pub fn derive(&self, secret: &SharedSecret, cipher: Cipher, side: Side) -> (Sealer, Opener) {
        match cipher {
            Cipher::Null => return (Sealer::null(), Opener::null()),
            Cipher::Aes256Gcm => {}
        }
        let keys = self.expand(&self.pseudorandom_key(secret));
        let initiator = (&keys.initiator_key, &keys.initiator_iv);
        let acceptor = (&keys.acceptor_key, &keys.acceptor_iv);
        let (own, peer) = match side {
            Side::Initiator => (initiator, acceptor),
            Side::Acceptor => (acceptor, initiator),
        };
        (Sealer::aes(own.0, own.1), Opener::aes(peer.0, peer.1))
    }

    /// HKDF-Extract with salt and key material the other way round than RFC 5869 has them.
    pub(crate) fn pseudorandom_key(&self, secret: &SharedSecret) -> Zeroizing<[u8; 32]> {
        let nonces = [self.acceptor_nonce.to_le_bytes(), self.initiator_nonce.to_le_bytes()];
        Zeroizing::new(Active::hmac_sha256(secret.as_bytes(), &[&nonces[0], &nonces[1]]))
    }

    /// HKDF-Expand (RFC 5869 §2.3) to four blocks: two keys, two IVs.
    pub(crate) fn expand(&self, key: &[u8; 32]) -> SessionKeys {
        let first = self.block(key, None, 1);
        let second = self.block(key, Some(&first), 2);
        let third = self.block(key, Some(&second), 3);
        let fourth = self.block(key, Some(&third), 4);
        SessionKeys {
            initiator_iv: leading(&third),
            acceptor_iv: leading(&fourth),
            initiator_key: first,
            acceptor_key: second,
        }
    }

    fn block(
        &self,
        key: &[u8; 32],
        previous: Option<&Zeroizing<[u8; 32]>>,
        counter: u8,
    ) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(Active::hmac_sha256(
            key,
            &[
                previous.map_or(&[], |block| block.as_slice()),
                &self.initiator_connection_id.to_le_bytes(),
                &self.acceptor_connection_id.to_le_bytes(),
                LABEL,
                self.acceptor_cert,
                self.initiator_cert,
                self.acceptor_info,
                self.initiator_info,
                &[counter],
            ],
        ))
    }
}

fn leading(block: &[u8; 32]) -> Zeroizing<[u8; 12]> {
    let mut iv = Zeroizing::new([0; 12]);
    iv.copy_from_slice(&block[..12]);
    iv
}

#[cfg(test)]
mod tests;
