//! A packet that came early waits a moment for the one before it.
//!
//! Where two packets swapped places on the way, processing them in their order spares the
//! application a reordered unreliable message and the peer a false report of a loss
//! (`OutOfOrderCorrectionWindowMicroseconds`).

use std::time::Duration;

use crate::Time;

/// Room for at most one early packet.
#[derive(Debug, Default)]
pub(super) struct EarlyPacket {
    held: Option<Held>,
    /// The buffer of the last packet held, kept for the next one.
    spare: Vec<u8>,
}

#[derive(Debug)]
struct Held {
    packet_number: u64,
    release: Time,
    datagram: Vec<u8>,
}

impl EarlyPacket {
    /// Holds a datagram until `now + window`; the place must be free.
    pub(super) fn hold(
        &mut self,
        now: Time,
        window: Duration,
        packet_number: u64,
        datagram: &[u8],
    ) {
        let mut buffer = std::mem::take(&mut self.spare);
        buffer.clear();
        buffer.extend_from_slice(datagram);
        self.held = Some(Held { packet_number, release: now + window, datagram: buffer });
    }

    /// The number of the packet held.
    pub(super) fn packet_number(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.packet_number)
    }

    /// When the packet held is to be processed at the latest.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.held.as_ref().map(|held| held.release)
    }

    /// Takes the datagram out; give its buffer back by [`EarlyPacket::give_back`].
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        self.held.take().map(|held| held.datagram)
    }

    /// Keeps the buffer for the next packet.
    pub(super) fn give_back(&mut self, buffer: Vec<u8>) {
        self.spare = buffer;
    }
}
