//! STUN messages (RFC 8489) as Valve's library and TURN servers speak them: bytes ⇄ values, no state.
//!
//! Reading borrows, checks all lengths once, and never allocates. Why this is not a library of
//! somebody else's: docs/decisions/0006-ice.md.

mod builder;
mod message;
mod transaction;

pub use builder::Builder;
pub use message::{Fingerprint, Message, Unparsable};
pub use transaction::{
    FIRST_RETRANSMISSION, RESPONSE_TIMEOUT, Retransmission, SENDS, TransactionId, TransactionIds,
};

/// Longest message that is written or read, in bytes: TURN wraps whole datagrams.
pub const MAX_LEN: usize = 1500;

const HEADER_LEN: usize = 20;
const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// The class of a message (RFC 8489 §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Wants a response.
    Request,
    /// Wants none.
    Indication,
    /// The request was carried out.
    Success,
    /// It was not.
    Error,
}

/// The methods used here, as they are in the message type.
pub mod method {
    /// RFC 8489.
    pub const BINDING: u16 = 0x001;
    /// RFC 8656.
    pub const ALLOCATE: u16 = 0x003;
    /// RFC 8656.
    pub const REFRESH: u16 = 0x004;
    /// RFC 8656: data to a peer.
    pub const SEND: u16 = 0x006;
    /// RFC 8656: data from a peer.
    pub const DATA: u16 = 0x007;
    /// RFC 8656.
    pub const CREATE_PERMISSION: u16 = 0x008;
    /// RFC 8656.
    pub const CHANNEL_BIND: u16 = 0x009;
}

/// The types of the attributes used here.
pub mod attribute {
    /// RFC 8489 §14.1.
    pub const MAPPED_ADDRESS: u16 = 0x0001;
    /// RFC 5780 §7.2.
    pub const CHANGE_REQUEST: u16 = 0x0003;
    /// RFC 8489 §14.3.
    pub const USERNAME: u16 = 0x0006;
    /// RFC 8489 §14.5.
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    /// RFC 8489 §14.8.
    pub const ERROR_CODE: u16 = 0x0009;
    /// RFC 8656 §18.1.
    pub const CHANNEL_NUMBER: u16 = 0x000c;
    /// RFC 8656 §18.2.
    pub const LIFETIME: u16 = 0x000d;
    /// RFC 8656 §18.3.
    pub const XOR_PEER_ADDRESS: u16 = 0x0012;
    /// RFC 8656 §18.4.
    pub const DATA: u16 = 0x0013;
    /// RFC 8489 §14.9.
    pub const REALM: u16 = 0x0014;
    /// RFC 8489 §14.10.
    pub const NONCE: u16 = 0x0015;
    /// RFC 8656 §18.5.
    pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    /// RFC 8656 §18.6.
    pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    /// RFC 8656 §18.8.
    pub const REQUESTED_TRANSPORT: u16 = 0x0019;
    /// RFC 8489 §14.6.
    pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
    /// RFC 8489 §14.2.
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    /// RFC 8445 §16.1.
    pub const PRIORITY: u16 = 0x0024;
    /// RFC 8445 §16.1.
    pub const USE_CANDIDATE: u16 = 0x0025;
    /// RFC 8489 §14.15.
    pub const ALTERNATE_SERVER: u16 = 0x8023;
    /// RFC 8489 §14.7.
    pub const FINGERPRINT: u16 = 0x8028;
    /// RFC 8445 §16.1.
    pub const ICE_CONTROLLED: u16 = 0x8029;
    /// RFC 8445 §16.1.
    pub const ICE_CONTROLLING: u16 = 0x802a;
    /// RFC 5780 §7.4.
    pub const OTHER_ADDRESS: u16 = 0x802c;
}

/// Whether a datagram is STUN and not data of a connection (wire.md §9).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER_LEN
        && datagram[0] & 0xc0 == 0
        && datagram[4..8] == COOKIE
        && usize::from(u16::from_be_bytes([datagram[2], datagram[3]])) + HEADER_LEN
            == datagram.len()
}

const fn padded(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// CRC-32 of ISO 3309, as in FINGERPRINT.
fn crc32(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in parts.iter().copied().flatten() {
        crc = crc >> 8 ^ CRC_TABLE[usize::from(byte ^ crc as u8)];
    }
    !crc
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 0 { value >> 1 } else { value >> 1 ^ 0xedb8_8320 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests;
