//! Datagrams that wait for their time.

use super::Direction;
use gamewire_proto::Time;
use std::{cmp::Reverse, collections::BinaryHeap, net::SocketAddr};

/// Most datagrams that wait in one fake network, both directions together; more are dropped and
/// counted as `queue_full`. Enough for 30 MB/s at a second's delay.
pub const MAX_QUEUED_DATAGRAMS: usize = 32_768;

/// Most payload bytes that wait in one fake network; more are dropped likewise.
pub const MAX_QUEUED_BYTES: usize = 32 << 20;

/// A datagram and when it goes on.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Delayed {
    pub(super) due: Time,
    pub(super) direction: Direction,
    /// Whether those handled after it must leave after it.
    pub(super) in_order: bool,
    pub(super) remote: SocketAddr,
    pub(super) datagram: Vec<u8>,
}

/// A heap entry; orders by time, then by arrival.
#[derive(PartialEq, Eq, Debug)]
struct Entry {
    delayed: Delayed,
    sequence: u64,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.delayed.due, self.sequence).cmp(&(other.delayed.due, other.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The waiting datagrams, earliest first, and in order of arrival at equal times.
#[derive(Debug, Default)]
pub(super) struct DelayQueue {
    heap: BinaryHeap<Reverse<Entry>>,
    next_sequence: u64,
    bytes: usize,
}

impl DelayQueue {
    /// Adds what `make` makes, `len` bytes long; false, and nothing made, if there is no room.
    pub(super) fn push_within_limits(
        &mut self,
        len: usize,
        make: impl FnOnce() -> Delayed,
    ) -> bool {
        if self.heap.len() >= MAX_QUEUED_DATAGRAMS || self.bytes + len > MAX_QUEUED_BYTES {
            return false;
        }
        self.bytes += len;
        self.heap.push(Reverse(Entry { delayed: make(), sequence: self.next_sequence }));
        self.next_sequence += 1;
        true
    }

    /// Takes the earliest if its time has come.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Delayed> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse(Entry { delayed, .. }) = self.heap.pop()?;
        self.bytes -= delayed.datagram.len();
        Some(delayed)
    }

    /// When the earliest is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.delayed.due)
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
