//! The ping request: a fixed struct, padded so that no reply is longer.

use std::net::IpAddr;

use super::{DatagramError, id};
use crate::{address::Address, limits::MAX_UDP_PAYLOAD};

/// Length of a full request, in bytes.
pub const PING_REQUEST_LEN: usize = MAX_UDP_PAYLOAD;
/// Length of a minimal request, in bytes; its answer may leave things out.
pub const PING_REQUEST_MINIMAL_LEN: usize = 100;
/// The version of the struct.
pub const PING_VERSION: u8 = 2;

const MINIMAL: u8 = 0x80;
const MAGIC: &[u8; 6] = b"sdping";
/// What comes before the padding, in bytes.
const FIXED_LEN: usize = 32;

/// A client measures the way to a relay.
///
/// The relay's address goes masked by the cookie: boxes on the way that rewrite addresses wherever
/// they see them are noticed by what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingRequest {
    /// Whether the sender paid for a short answer only.
    pub minimal: bool,
    /// The client's clock, echoed; any unit.
    pub timestamp: u32,
    /// Echoed; masks the address. A reply without it was not caused by this request.
    pub cookie: u32,
    /// Revision of the sender's network config, 0 if it has none.
    pub config_revision: u32,
    /// The relay that the client means to reach: [`PingRequest::fold_ip`] of its IP address.
    pub relay_ip: u32,
    /// The relay's port that the client means to reach.
    pub relay_port: u16,
    /// The sender's protocol version.
    pub protocol_version: u16,
}

impl PingRequest {
    /// A full request to `relay`.
    pub fn new(relay: Address, timestamp: u32, cookie: u32) -> Self {
        Self {
            minimal: false,
            timestamp,
            cookie,
            config_revision: 0,
            relay_ip: Self::fold_ip(relay.ip()),
            relay_port: relay.port(),
            protocol_version: crate::limits::PROTOCOL_VERSION as u16,
        }
    }

    /// An IP address as the request carries it: IPv4 as a number; of IPv6 (an extension of ours) the
    /// four words combined by exclusive or.
    pub fn fold_ip(ip: IpAddr) -> u32 {
        match ip {
            IpAddr::V4(ip) => ip.to_bits(),
            IpAddr::V6(ip) => {
                let octets = ip.octets();
                octets
                    .as_chunks()
                    .0
                    .iter()
                    .fold(0, |folded, &word| folded ^ u32::from_be_bytes(word))
            }
        }
    }

    /// Whether the request was meant for `relay`. If not, something rewrote addresses on the way.
    pub fn is_for(&self, relay: Address) -> bool {
        self.relay_ip == Self::fold_ip(relay.ip()) && self.relay_port == relay.port()
    }

    /// Takes a whole datagram apart.
    pub(super) fn decode(datagram: &[u8]) -> Result<Self, DatagramError> {
        let fixed = datagram.first_chunk::<FIXED_LEN>().ok_or(DatagramError::TooShort)?;
        let minimal = fixed[1] & MINIMAL != 0;
        let expected = if minimal { PING_REQUEST_MINIMAL_LEN } else { PING_REQUEST_LEN };
        let is_ping = fixed[0] == id::ROUTER_PING_REQUEST
            && fixed[1] & !MINIMAL == PING_VERSION
            && &fixed[2..8] == MAGIC;
        if !is_ping || datagram.len() < expected {
            return Err(DatagramError::Ping);
        }
        let word = |at: usize| {
            u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        let half = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let cookie = word(12);
        Ok(Self {
            minimal,
            timestamp: word(8),
            cookie,
            config_revision: word(20),
            relay_ip: word(24) ^ cookie,
            relay_port: half(28) ^ cookie as u16,
            protocol_version: half(30),
        })
    }

    /// Appends the datagram, padding included; returns its length.
    pub fn encode(&self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let version = PING_VERSION | if self.minimal { MINIMAL } else { 0 };
        out.extend_from_slice(&[id::ROUTER_PING_REQUEST, version]);
        out.extend_from_slice(MAGIC);
        for word in
            [self.timestamp, self.cookie, 0, self.config_revision, self.relay_ip ^ self.cookie]
        {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&(self.relay_port ^ self.cookie as u16).to_le_bytes());
        out.extend_from_slice(&self.protocol_version.to_le_bytes());
        let len = if self.minimal { PING_REQUEST_MINIMAL_LEN } else { PING_REQUEST_LEN };
        out.resize(start + len, 0);
        len
    }
}
