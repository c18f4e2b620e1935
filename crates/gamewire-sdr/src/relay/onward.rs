//! A data packet on its way on: what is end to end stays, what belongs to a leg is that of the next.

use gamewire_wire::{
    address::Address,
    relay::{DataHeader, DataKind, DataPacket, TimeSincePrevious},
};

use super::{Relay, Side};

/// What of a data packet concerns its two ends alone.
#[derive(Clone, Copy)]
pub(super) struct EndToEnd<'a> {
    /// Low bits of the packet's number.
    pub(super) sequence: u16,
    /// Time since the packet before.
    pub(super) time: Option<u16>,
    /// Sealed.
    pub(super) payload: &'a [u8],
}

impl<'a> EndToEnd<'a> {
    pub(super) fn of(packet: &DataPacket<'a>) -> Self {
        Self {
            sequence: packet.header.e2e_sequence,
            time: packet.header.time_since_previous.map(|time| time.e2e),
            payload: packet.payload,
        }
    }
}

/// The leg that a packet takes from here.
#[derive(Clone, Copy)]
pub(super) struct NextLeg {
    /// Towards clients, or towards servers, who know a session by its number.
    pub(super) side: Side,
    pub(super) to: Address,
    /// The connection's id, or the session's.
    pub(super) id: u32,
    /// The packet's number on this leg, and the time since the one before.
    pub(super) sent: (u16, u16),
}

impl Relay {
    /// Sends a data packet on.
    pub(super) fn forward(&mut self, next: NextLeg, content: EndToEnd<'_>) {
        let (relay_sequence, relay) = next.sent;
        let header = DataHeader {
            kind: DataKind::Relay,
            e2e_sequence: content.sequence,
            relay_sequence,
            id: next.id,
            is_session_id: next.side == Side::Interior,
            time_since_previous: content.time.map(|e2e| TimeSincePrevious { e2e, relay }),
        };
        self.batch.push(next.side, next.to, |out| {
            header.encode(None, out);
            out.extend_from_slice(content.payload);
        });
        match next.side {
            Side::Interior => self.counters.to_servers += 1,
            Side::Front => self.counters.to_clients += 1,
        }
        self.counters.payload_bytes += content.payload.len() as u64;
    }
}
