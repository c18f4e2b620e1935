//! The record of packets sent.

use std::collections::VecDeque;

use crate::{Time, send::SentContent};

/// Room for records that an idle connection keeps.
const IDLE_RECORDS: usize = 4;

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Not known yet.
    InFlight,
    /// The peer has it.
    Acked,
    /// Declared lost; an ack may still come.
    Lost,
}

/// One packet sent.
#[derive(Debug)]
pub(super) struct SentPacket {
    pub(super) sent: Time,
    /// Bytes delivered on the connection when it left, and when the last of them was acknowledged.
    pub(super) delivered: u64,
    pub(super) delivered_at: Time,
    /// When the packet left that was the newest acknowledged one as this one left.
    pub(super) first_sent: Time,
    pub(super) content: SentContent,
    pub(super) bytes: u16,
    pub(super) fate: Fate,
    pub(super) ack_eliciting: bool,
    /// Whether its bytes count as in flight.
    pub(super) counted: bool,
    /// Whether it was sent to see whether one of its size arrives.
    pub(super) measures_path: bool,
    pub(super) app_limited: bool,
}

/// Packets by number: those whose fate may still change, and those in between.
#[derive(Debug)]
pub(super) struct SentPackets {
    records: VecDeque<SentPacket>,
    /// Number of the first record.
    base: u64,
}

impl SentPackets {
    pub(super) fn new(first: u64) -> Self {
        Self { records: VecDeque::new(), base: first }
    }

    /// Number of the oldest record; that of the next packet if there is none.
    pub(super) fn first(&self) -> u64 {
        self.base
    }

    /// Number of the next packet.
    pub(super) fn next(&self) -> u64 {
        self.base + self.records.len() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Gives back the memory of many records once there are few.
    pub(super) fn release_idle(&mut self) {
        self.records.shrink_to(IDLE_RECORDS);
    }

    pub(super) fn push(&mut self, packet: SentPacket) {
        self.records.push_back(packet);
    }

    pub(super) fn at(&self, number: u64) -> Option<&SentPacket> {
        let index = usize::try_from(number.checked_sub(self.base)?).ok()?;
        self.records.get(index)
    }

    pub(super) fn at_mut(&mut self, number: u64) -> Option<&mut SentPacket> {
        let index = usize::try_from(number.checked_sub(self.base)?).ok()?;
        self.records.get_mut(index)
    }

    pub(super) fn front(&self) -> Option<&SentPacket> {
        self.records.front()
    }

    pub(super) fn pop_front(&mut self) {
        if self.records.pop_front().is_some() {
            self.base += 1;
        }
    }

    /// Packets from `number` on, oldest first.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = (u64, &SentPacket)> {
        let skip = usize::try_from(number.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let skip = skip.min(self.records.len());
        (self.base + skip as u64..).zip(self.records.range(skip..))
    }
}
