//! Writing a message.

use std::net::{IpAddr, SocketAddr};

use gamewire_crypto::stun::{INTEGRITY_LEN, integrity};

use super::{COOKIE, Class, FINGERPRINT_XOR, HEADER_LEN, TransactionId, attribute, crc32, padded};

/// A message as it grows; attributes are written in the order of the calls.
#[derive(Clone, Debug)]
pub struct Builder(Vec<u8>);

impl Builder {
    /// A message without attributes.
    pub fn new(class: Class, method: u16, transaction: TransactionId) -> Self {
        let class = match class {
            Class::Request => 0x0000,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        let kind = class | method & 0x000f | (method & 0x0070) << 1 | (method & 0x0f80) << 2;
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&COOKIE);
        bytes.extend_from_slice(&transaction.0);
        Self(bytes)
    }

    /// Appends an attribute.
    #[must_use]
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.push(kind, value);
        self
    }

    /// Appends an address in clear.
    #[must_use]
    pub fn address(self, kind: u16, address: SocketAddr) -> Self {
        let value = encode(address, &[0; 16]);
        self.attribute(kind, &value)
    }

    /// Appends an address mixed with cookie and transaction.
    #[must_use]
    pub fn xor_address(self, kind: u16, address: SocketAddr) -> Self {
        let mask: [u8; 16] = self.0[4..HEADER_LEN].try_into().expect("cookie and transaction");
        let value = encode(address, &mask);
        self.attribute(kind, &value)
    }

    /// Appends MESSAGE-INTEGRITY over all that is there.
    #[must_use]
    pub fn integrity(mut self, key: &[u8]) -> Self {
        self.set_len(4 + INTEGRITY_LEN);
        let value = integrity(key, &[&self.0]);
        self.push(attribute::MESSAGE_INTEGRITY, &value);
        self
    }

    /// Appends FINGERPRINT and finishes.
    #[must_use]
    pub fn fingerprint(mut self) -> Vec<u8> {
        self.set_len(8);
        let value = crc32(&[&self.0]) ^ FINGERPRINT_XOR;
        self.push(attribute::FINGERPRINT, &value.to_be_bytes());
        self.0
    }

    /// Finishes without FINGERPRINT.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        let len = u16::try_from(value.len()).expect("an attribute is shorter than a datagram");
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len() + padded(value.len()) - value.len(), 0);
        self.set_len(0);
    }

    /// Sets the length in the header to what is there and `more`.
    fn set_len(&mut self, more: usize) {
        let len = u16::try_from(self.0.len() - HEADER_LEN + more).expect("it fits a datagram");
        self.0[2..4].copy_from_slice(&len.to_be_bytes());
    }
}

fn encode(address: SocketAddr, mask: &[u8; 16]) -> Vec<u8> {
    let [high, low] = address.port().to_be_bytes();
    let family = if address.is_ipv4() { 1 } else { 2 };
    let mut value = vec![0, family, high ^ mask[0], low ^ mask[1]];
    let mix = |bytes: &[u8], value: &mut Vec<u8>| {
        value.extend(bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    };
    match address.ip() {
        IpAddr::V4(ip) => mix(&ip.octets(), &mut value),
        IpAddr::V6(ip) => mix(&ip.octets(), &mut value),
    }
    value
}
