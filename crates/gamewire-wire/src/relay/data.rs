//! The header of data packets.

use prost::Message;

use super::DatagramError;
use crate::varint;

/// Bit of the first byte: a stats message follows the header.
const FLAG_STATS: u8 = 0x01;
/// Bit of the first byte: times since the previous packet follow.
const FLAG_TIME_SINCE_PREVIOUS: u8 = 0x02;
/// Bit of the first byte: the id is that of a relay's session, as between relay and server.
const FLAG_SESSION_ID: u8 = 0x08;
const FLAGS: u8 = FLAG_STATS | FLAG_TIME_SINCE_PREVIOUS | FLAG_SESSION_ID;
const KIND: u8 = 0xe0;
/// Flags, two sequence numbers, id.
const FIXED_LEN: usize = 9;

/// Who sends a data packet to whom: the top three bits of the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DataKind {
    /// Client to relay, for a hosted server.
    ClientHosted = 0x80,
    /// Client to relay, for another client.
    ClientP2p = 0xa0,
    /// Relay to client or server.
    Relay = 0x40,
    /// Server to relay.
    Server = 0xc0,
}

impl DataKind {
    const fn from_byte(first: u8) -> Option<Self> {
        match first & KIND {
            0x80 => Some(Self::ClientHosted),
            0xa0 => Some(Self::ClientP2p),
            0x40 => Some(Self::Relay),
            0xc0 => Some(Self::Server),
            _ => None,
        }
    }
}

/// Times between a sender's previous packet and this one, in units of 16 µs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSincePrevious {
    /// Between the packets of the end-to-end connection.
    pub e2e: u16,
    /// Between the packets of this leg; from relays only, 0 elsewhere.
    pub relay: u16,
}

/// The plain header of a data packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataHeader {
    /// Who sends to whom.
    pub kind: DataKind,
    /// Low 16 bits of the end-to-end packet number, under which the payload is sealed.
    pub e2e_sequence: u16,
    /// Low 16 bits of the packet number of this leg.
    pub relay_sequence: u16,
    /// The client's connection id, or the relay's session id if [`Self::is_session_id`].
    pub id: u32,
    /// Which of both the id is.
    pub is_session_id: bool,
    /// Present if the sender measures.
    pub time_since_previous: Option<TimeSincePrevious>,
}

/// A data packet, still sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataPacket<'a> {
    /// Its header.
    pub header: DataHeader,
    /// The stats message, undecoded; not authenticated.
    pub stats: Option<&'a [u8]>,
    /// The sealed payload.
    pub payload: &'a [u8],
}

impl<'a> DataPacket<'a> {
    #[inline]
    pub(super) fn decode(datagram: &'a [u8]) -> Result<Self, DatagramError> {
        let (fixed, mut rest) =
            datagram.split_first_chunk::<FIXED_LEN>().ok_or(DatagramError::TooShort)?;
        let [first, e0, e1, r0, r1, i0, i1, i2, i3] = *fixed;
        let unknown = DatagramError::UnknownType(first);
        let kind = DataKind::from_byte(first).ok_or(unknown)?;
        if first & !(KIND | FLAGS) != 0 {
            return Err(unknown);
        }
        let mut stats = None;
        if first & FLAG_STATS != 0 {
            let (len, len_len) = varint::read(rest).map_err(|_| DatagramError::BadLength)?;
            rest = &rest[len_len..];
            // Compare before any arithmetic: a huge length must not wrap (CVE-2020-6019).
            let len = usize::try_from(len).ok().filter(|&len| len <= rest.len());
            let (blob, after) = rest.split_at(len.ok_or(DatagramError::BadLength)?);
            stats = Some(blob);
            rest = after;
        }
        let mut time_since_previous = None;
        if first & FLAG_TIME_SINCE_PREVIOUS != 0 {
            let e2e = take_u16(&mut rest)?;
            let relay = match kind {
                DataKind::Relay => take_u16(&mut rest)?,
                DataKind::ClientHosted | DataKind::ClientP2p | DataKind::Server => 0,
            };
            time_since_previous = Some(TimeSincePrevious { e2e, relay });
        }
        let header = DataHeader {
            kind,
            e2e_sequence: u16::from_le_bytes([e0, e1]),
            relay_sequence: u16::from_le_bytes([r0, r1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
            is_session_id: first & FLAG_SESSION_ID != 0,
            time_since_previous,
        };
        Ok(Self { header, stats, payload: rest })
    }
}

fn take_u16(rest: &mut &[u8]) -> Result<u16, DatagramError> {
    let (bytes, after) = rest.split_first_chunk::<2>().ok_or(DatagramError::TooShort)?;
    *rest = after;
    Ok(u16::from_le_bytes(*bytes))
}

impl DataHeader {
    /// Appends the header and the serialized stats if any; the sealed payload follows. Returns the
    /// length appended: 9 bytes without stats and times.
    #[inline]
    pub fn encode(&self, stats: Option<&[u8]>, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let mut first = self.kind as u8;
        if stats.is_some() {
            first |= FLAG_STATS;
        }
        if self.time_since_previous.is_some() {
            first |= FLAG_TIME_SINCE_PREVIOUS;
        }
        if self.is_session_id {
            first |= FLAG_SESSION_ID;
        }
        let [e0, e1] = self.e2e_sequence.to_le_bytes();
        let [r0, r1] = self.relay_sequence.to_le_bytes();
        let [i0, i1, i2, i3] = self.id.to_le_bytes();
        out.extend_from_slice(&[first, e0, e1, r0, r1, i0, i1, i2, i3]);
        if let Some(stats) = stats {
            varint::append(stats.len() as u64, out);
            out.extend_from_slice(stats);
        }
        if let Some(time) = self.time_since_previous {
            out.extend_from_slice(&time.e2e.to_le_bytes());
            if self.kind == DataKind::Relay {
                out.extend_from_slice(&time.relay.to_le_bytes());
            }
        }
        out.len() - start
    }
}

/// Decodes the stats message of a data packet.
///
/// # Errors
/// `Protobuf`
pub fn decode_stats<M: Message + Default>(stats: &[u8]) -> Result<M, DatagramError> {
    super::decode(stats)
}
