//! One UDP payload of the relay network: control messages, the header of data packets, and the
//! fixed ping request (relay-network.md §4.3, §4.4).
//!
//! The first byte's top bits say what a datagram is: `00x` a control message whose id is the whole
//! byte, `100` and `101` data from a client, `010` data from a relay, `110` data from a server. Some
//! ids are those of plain UDP connections too, so a socket speaks either one or the other.

mod data;
pub mod id;
mod ping;

use prost::Message;
use thiserror::Error;

pub use data::{DataHeader, DataKind, DataPacket, TimeSincePrevious, decode_stats};
pub use ping::{PING_REQUEST_LEN, PING_REQUEST_MINIMAL_LEN, PING_VERSION, PingRequest};

use crate::limits::MAX_UDP_PAYLOAD;

/// Largest datagram between relays, in bytes: a client's packet, sealed and addressed. Fits the
/// 1500-byte frames that relays have between them, IPv6 header included.
pub const MAX_INTERIOR_DATAGRAM: usize = 1420;

/// Shorter datagrams are no message of the relay network, in bytes.
pub const MIN_DATAGRAM: usize = 2;

/// One UDP payload, taken apart. Neither authenticated nor checked beyond its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// A client measures the way to a relay.
    Ping(PingRequest),
    /// Any other control message; what its body is depends on the direction (see [`decode`]).
    Control {
        /// One of [`id`], never 0 or [`id::ROUTER_PING_REQUEST`]; may be unknown.
        id: u8,
        /// The serialized protobuf message, or for ids from 40 what [`id`] says.
        body: &'a [u8],
    },
    /// A packet of an established session.
    Data(DataPacket<'a>),
}

/// Why a UDP payload is no datagram of the relay network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DatagramError {
    /// Shorter than its type may be.
    #[error("datagram is too short")]
    TooShort,
    /// Longer than any sender may send.
    #[error("datagram is too long")]
    TooLong,
    /// The first byte, or a flag in it, means nothing.
    #[error("datagram of unknown type {0:#04x}")]
    UnknownType(u8),
    /// A ping request that is not in its fixed form.
    #[error("not a ping request")]
    Ping,
    /// A length inside points past the end.
    #[error("length inside the datagram exceeds it")]
    BadLength,
    /// The message is not valid protobuf.
    #[error("message is not valid protobuf")]
    Protobuf,
}

/// Takes one UDP payload apart. Allocates nothing.
///
/// # Errors
/// [`DatagramError`]
#[inline]
pub fn parse(datagram: &[u8]) -> Result<Datagram<'_>, DatagramError> {
    let (&first, body) = datagram.split_first().ok_or(DatagramError::TooShort)?;
    if datagram.len() < MIN_DATAGRAM {
        return Err(DatagramError::TooShort);
    }
    let longest = if first == id::INTERIOR { MAX_INTERIOR_DATAGRAM } else { MAX_UDP_PAYLOAD };
    if datagram.len() > longest {
        return Err(DatagramError::TooLong);
    }
    match first {
        0 => Err(DatagramError::UnknownType(0)),
        id::ROUTER_PING_REQUEST => PingRequest::decode(datagram).map(Datagram::Ping),
        first if first <= id::MAX => Ok(Datagram::Control { id: first, body }),
        _ => DataPacket::decode(datagram).map(Datagram::Data),
    }
}

/// Decodes the body of a control message.
///
/// # Errors
/// `Protobuf`
pub fn decode<M: Message + Default>(body: &[u8]) -> Result<M, DatagramError> {
    M::decode(body).map_err(|_| DatagramError::Protobuf)
}

/// Appends a control message; returns its length. Long certificates can make it exceed
/// [`MAX_UDP_PAYLOAD`]: the caller checks.
pub fn encode(id: u8, message: &impl Message, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.push(id);
    message.encode(out).expect("a vector grows as needed");
    out.len() - start
}

#[cfg(test)]
mod tests;
