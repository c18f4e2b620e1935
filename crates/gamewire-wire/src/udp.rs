//! One UDP payload: the control messages of plain IP connections and the header of data packets
//! (wire.md §1).

use prost::Message;
use thiserror::Error;

use crate::limits::{
    DATA_HEADER_LEN, MAX_CLOSE_DEBUG, MAX_LARGE_UDP_PAYLOAD, MAX_UDP_PAYLOAD, MIN_DATAGRAM,
    MIN_PADDED,
};
use crate::messages::{
    ChallengeReply, ChallengeRequest, ConnectOk, ConnectRequest, ConnectionClosed, NoConnection,
    UdpStats,
};
use crate::varint;

/// First byte of a ChallengeRequest.
pub const ID_CHALLENGE_REQUEST: u8 = 0x20;
/// First byte of a ChallengeReply.
pub const ID_CHALLENGE_REPLY: u8 = 0x21;
/// First byte of a ConnectRequest.
pub const ID_CONNECT_REQUEST: u8 = 0x22;
/// First byte of a ConnectOK.
pub const ID_CONNECT_OK: u8 = 0x23;
/// First byte of a ConnectionClosed.
pub const ID_CONNECTION_CLOSED: u8 = 0x24;
/// First byte of a NoConnection.
pub const ID_NO_CONNECTION: u8 = 0x25;

/// Bit of the first byte that marks a data packet.
pub const FLAG_DATA: u8 = 0x80;
/// Bit of a data packet's first byte: a stats message follows the header.
pub const FLAG_STATS: u8 = 0x01;
/// Bit of a data packet's first byte: the time since the previous packet follows.
pub const FLAG_TIME_SINCE_PREVIOUS: u8 = 0x02;

/// Bits of `UdpStats.flags` (wire.md §6).
pub mod stats_flags {
    /// Ack this packet soon (within 50 ms). The presence of stats implies it.
    pub const ACK_REQUEST_E2E: u32 = 2;
    /// Ack this packet at once.
    pub const ACK_REQUEST_IMMEDIATE: u32 = 4;
    /// The packet came over a transport that is not the selected one.
    pub const NOT_PRIMARY_TRANSPORT_E2E: u32 = 16;
}

/// One UDP payload, taken apart. Neither authenticated nor checked beyond its form.
#[derive(Clone, Debug, PartialEq)]
pub enum Datagram<'a> {
    /// A packet of an established connection.
    Data(DataPacket<'a>),
    /// The initiator knocks; padded.
    ChallengeRequest(ChallengeRequest),
    /// The acceptor answers without keeping state.
    ChallengeReply(ChallengeReply),
    /// The initiator shows that it receives at its address, and its keys.
    ConnectRequest(ConnectRequest),
    /// The acceptor accepts.
    ConnectOk(ConnectOk),
    /// The peer closed the connection; padded.
    ConnectionClosed(ConnectionClosed),
    /// The peer does not know the connection.
    NoConnection(NoConnection),
}

/// The plain header of a data packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataHeader {
    /// The connection id the receiver chose.
    pub to_connection_id: u32,
    /// Low 16 bits of the packet number; see [`truncated::expand`](crate::truncated::expand).
    pub packet_number_low: u16,
    /// Time between the sender's previous packet and this one, in units of 16 µs, if sent.
    pub time_since_previous: Option<u16>,
}

/// A data packet, still sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataPacket<'a> {
    /// Its header.
    pub header: DataHeader,
    /// The stats message, undecoded (see [`decode_stats`]); not authenticated.
    pub stats: Option<&'a [u8]>,
    /// Where the sealed payload starts in the datagram; it runs to the datagram's end.
    pub payload_offset: usize,
}

/// Why a UDP payload is not a datagram of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DatagramError {
    /// Shorter than its type may be.
    #[error("datagram is too short")]
    TooShort,
    /// Longer than any sender may send.
    #[error("datagram is too long")]
    TooLong,
    /// Starts with `ff ff ff ff`: a server browser's query, to be ignored silently.
    #[error("datagram is a connectionless query")]
    Broadcast,
    /// The first byte names no message.
    #[error("datagram of unknown type {0:#04x}")]
    UnknownType(u8),
    /// A message that must be padded is not.
    #[error("datagram lacks its padding")]
    Padding,
    /// A length inside points past the end.
    #[error("length inside the datagram exceeds it")]
    BadLength,
    /// The message is not valid protobuf.
    #[error("message is not valid protobuf")]
    Protobuf,
}

/// Takes one UDP payload apart.
///
/// Allocates nothing for data packets, and for control messages only copies of their own fields. Whether
/// a data packet of more than [`MAX_UDP_PAYLOAD`] was negotiated is for the connection to check.
pub fn parse(datagram: &[u8]) -> Result<Datagram<'_>, DatagramError> {
    if datagram.len() < MIN_DATAGRAM {
        return Err(DatagramError::TooShort);
    }
    let is_data = datagram[0] & FLAG_DATA != 0;
    let limit = if is_data { MAX_LARGE_UDP_PAYLOAD } else { MAX_UDP_PAYLOAD };
    if datagram.len() > limit {
        return Err(DatagramError::TooLong);
    }
    if is_broadcast(datagram) {
        return Err(DatagramError::Broadcast);
    }
    if is_data {
        return parse_data(datagram).map(Datagram::Data);
    }
    let body = &datagram[1..];
    Ok(match datagram[0] {
        ID_CHALLENGE_REQUEST => Datagram::ChallengeRequest(decode(unpadded(datagram)?)?),
        ID_CHALLENGE_REPLY => Datagram::ChallengeReply(decode(body)?),
        ID_CONNECT_REQUEST => Datagram::ConnectRequest(decode(body)?),
        ID_CONNECT_OK => Datagram::ConnectOk(decode(body)?),
        ID_CONNECTION_CLOSED => Datagram::ConnectionClosed(decode(unpadded(datagram)?)?),
        ID_NO_CONNECTION => Datagram::NoConnection(decode(body)?),
        unknown => return Err(DatagramError::UnknownType(unknown)),
    })
}

#[inline]
fn is_broadcast(datagram: &[u8]) -> bool {
    datagram.starts_with(&[0xff; 4])
}

/// The connection id a data packet is addressed to; `None` if it is no data packet.
#[inline]
#[must_use]
pub fn peek_connection_id(datagram: &[u8]) -> Option<u32> {
    let header = datagram.first_chunk::<DATA_HEADER_LEN>()?;
    let [flags, a, b, c, d, _, _] = *header;
    (flags & FLAG_DATA != 0 && !is_broadcast(datagram)).then(|| u32::from_le_bytes([a, b, c, d]))
}

#[inline]
fn parse_data(datagram: &[u8]) -> Result<DataPacket<'_>, DatagramError> {
    let (header, mut rest) =
        datagram.split_first_chunk::<DATA_HEADER_LEN>().ok_or(DatagramError::TooShort)?;
    let [flags, a, b, c, d, low, high] = *header;
    let mut stats = None;
    if flags & FLAG_STATS != 0 {
        let (len, len_len) = varint::read(rest).map_err(|_| DatagramError::BadLength)?;
        rest = &rest[len_len..];
        // Compare before any arithmetic: a huge length must not wrap (CVE-2020-6019).
        let len = usize::try_from(len).ok().filter(|&len| len <= rest.len());
        let (blob, after) = rest.split_at(len.ok_or(DatagramError::BadLength)?);
        stats = Some(blob);
        rest = after;
    }
    let mut time_since_previous = None;
    if flags & FLAG_TIME_SINCE_PREVIOUS != 0 {
        let (time, after) = rest.split_first_chunk::<2>().ok_or(DatagramError::TooShort)?;
        time_since_previous = Some(u16::from_le_bytes(*time));
        rest = after;
    }
    Ok(DataPacket {
        header: DataHeader {
            to_connection_id: u32::from_le_bytes([a, b, c, d]),
            packet_number_low: u16::from_le_bytes([low, high]),
            time_since_previous,
        },
        stats,
        payload_offset: datagram.len() - rest.len(),
    })
}

/// Decodes the stats message of a data packet.
pub fn decode_stats(stats: &[u8]) -> Result<UdpStats, DatagramError> {
    decode(stats)
}

fn unpadded(datagram: &[u8]) -> Result<&[u8], DatagramError> {
    if datagram.len() < MIN_PADDED {
        return Err(DatagramError::Padding);
    }
    let (len, body) = datagram[1..].split_first_chunk::<2>().ok_or(DatagramError::TooShort)?;
    body.get(..usize::from(u16::from_le_bytes(*len))).ok_or(DatagramError::BadLength)
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, DatagramError> {
    M::decode(bytes).map_err(|_| DatagramError::Protobuf)
}

/// Appends a ChallengeRequest datagram, padded to 512 bytes; returns its length.
pub fn encode_challenge_request(message: &ChallengeRequest, out: &mut Vec<u8>) -> usize {
    encode_padded(ID_CHALLENGE_REQUEST, message, out)
}

/// Appends a ChallengeReply datagram; returns its length.
pub fn encode_challenge_reply(message: &ChallengeReply, out: &mut Vec<u8>) -> usize {
    encode_plain(ID_CHALLENGE_REPLY, message, out)
}

/// Appends a ConnectRequest datagram; returns its length.
///
/// A certificate with a long chain can make it exceed [`MAX_UDP_PAYLOAD`]: the caller checks.
pub fn encode_connect_request(message: &ConnectRequest, out: &mut Vec<u8>) -> usize {
    encode_plain(ID_CONNECT_REQUEST, message, out)
}

/// Appends a ConnectOK datagram; returns its length.
///
/// A certificate with a long chain can make it exceed [`MAX_UDP_PAYLOAD`]: the caller checks.
pub fn encode_connect_ok(message: &ConnectOk, out: &mut Vec<u8>) -> usize {
    encode_plain(ID_CONNECT_OK, message, out)
}

/// Appends a ConnectionClosed datagram, padded to 512 bytes; returns its length.
///
/// Debug text beyond [`MAX_CLOSE_DEBUG`] bytes is cut.
pub fn encode_connection_closed(message: &ConnectionClosed, out: &mut Vec<u8>) -> usize {
    let debug = message.debug.as_deref().unwrap_or_default();
    if debug.len() <= MAX_CLOSE_DEBUG {
        return encode_padded(ID_CONNECTION_CLOSED, message, out);
    }
    let cut = debug.floor_char_boundary(MAX_CLOSE_DEBUG);
    let message = ConnectionClosed { debug: Some(debug[..cut].to_owned()), ..*message };
    encode_padded(ID_CONNECTION_CLOSED, &message, out)
}

/// Appends a NoConnection datagram; returns its length.
pub fn encode_no_connection(message: &NoConnection, out: &mut Vec<u8>) -> usize {
    encode_plain(ID_NO_CONNECTION, message, out)
}

fn encode_plain(id: u8, message: &impl Message, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.push(id);
    append(message, out);
    out.len() - start
}

fn encode_padded(id: u8, message: &impl Message, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let len =
        u16::try_from(message.encoded_len()).expect("padded messages are a few hundred bytes");
    out.push(id);
    out.extend_from_slice(&len.to_le_bytes());
    append(message, out);
    out.resize(out.len().max(start + MIN_PADDED), 0);
    out.len() - start
}

fn append(message: &impl Message, out: &mut Vec<u8>) {
    message.encode(out).expect("a vector grows as needed");
}

/// Appends a data packet's header, the stats if any, and the time field if any; the sealed payload
/// follows. Returns the length appended, [`DATA_HEADER_LEN`] without stats and time.
#[inline]
pub fn encode_data_header(
    header: &DataHeader,
    stats: Option<&UdpStats>,
    out: &mut Vec<u8>,
) -> usize {
    let start = out.len();
    let mut flags = FLAG_DATA;
    if stats.is_some() {
        flags |= FLAG_STATS;
    }
    if header.time_since_previous.is_some() {
        flags |= FLAG_TIME_SINCE_PREVIOUS;
    }
    let [a, b, c, d] = header.to_connection_id.to_le_bytes();
    let [low, high] = header.packet_number_low.to_le_bytes();
    out.extend_from_slice(&[flags, a, b, c, d, low, high]);
    if let Some(stats) = stats {
        varint::append(stats.encoded_len() as u64, out);
        append(stats, out);
    }
    if let Some(time) = header.time_since_previous {
        out.extend_from_slice(&time.to_le_bytes());
    }
    out.len() - start
}

/// Length [`encode_data_header`] appends for the same header and stats.
#[must_use]
pub fn data_header_len(header: &DataHeader, stats: Option<&UdpStats>) -> usize {
    let stats_len = stats.map_or(0, |stats| {
        let len = stats.encoded_len();
        varint::len(len as u64) + len
    });
    let time_len = if header.time_since_previous.is_some() { 2 } else { 0 };
    DATA_HEADER_LEN + stats_len + time_len
}

#[cfg(test)]
mod tests;
