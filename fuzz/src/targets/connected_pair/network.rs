//! Datagrams on their way.

use std::collections::VecDeque;

/// More than so many on the way are lost, as in a router whose queue is full.
const MAX_IN_FLIGHT: usize = 512;

pub(super) struct Packet {
    /// Index of the receiving host.
    pub(super) to: usize,
    pub(super) bytes: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Network {
    in_flight: VecDeque<Packet>,
}

impl Network {
    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn send(&mut self, packet: Packet) {
        if self.in_flight.len() < MAX_IN_FLIGHT {
            self.in_flight.push_back(packet);
        }
    }

    /// Takes one out; `index` wraps around.
    pub(super) fn take(&mut self, index: usize) -> Option<Packet> {
        let index = index.checked_rem(self.in_flight.len())?;
        self.in_flight.remove(index)
    }

    pub(super) fn lose(&mut self, index: usize) {
        self.take(index);
    }

    pub(super) fn duplicate(&mut self, index: usize) {
        let Some(index) = index.checked_rem(self.in_flight.len()) else { return };
        let Packet { to, ref bytes } = self.in_flight[index];
        let bytes = bytes.clone();
        self.send(Packet { to, bytes });
    }
}
