//! What one application sent, and what the other got of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gamewire_proto::{
    lane::{DeliveryMode, LaneConfig},
    receive::ReceivedMessage,
};

/// One direction.
#[derive(Default)]
pub(super) struct Journal {
    sent: BTreeMap<(u16, u64), Sent>,
    got: BTreeSet<(u16, u64)>,
    newest_reliable: BTreeMap<u16, u64>,
    /// Lanes on which reliable messages may come in any order.
    unordered: BTreeSet<u16>,
    /// Nothing is known any more of what may arrive.
    void: bool,
}

pub(super) struct Sent {
    pub(super) payload: Bytes,
    pub(super) reliable: bool,
    /// It is dropped if it cannot leave in time.
    pub(super) has_deadline: bool,
}

/// Content that tells messages apart.
pub(super) fn content(seed: usize, len: usize) -> Bytes {
    (0..len).map(|at| (at / 251 + at * 7 + seed * 31) as u8).collect()
}

impl Journal {
    pub(super) fn next_content(&self) -> usize {
        self.sent.len()
    }

    /// From now on forged content may come, which no comparison suits.
    pub(super) fn void(&mut self) {
        self.void = true;
    }

    pub(super) fn lanes(&mut self, lanes: &[LaneConfig]) {
        for (lane, config) in (0..).zip(lanes) {
            if config.mode == DeliveryMode::Unordered {
                self.unordered.insert(lane);
            }
        }
    }

    pub(super) fn sent(&mut self, lane: u16, number: u64, sent: Sent) {
        let before = self.sent.insert((lane, number), sent);
        assert!(before.is_none(), "number {number} of lane {lane} twice");
    }

    pub(super) fn got(&mut self, message: ReceivedMessage) {
        if self.void {
            return;
        }
        let key = (message.lane, message.number);
        let sent = self.sent.get(&key).expect("a message that nobody sent");
        assert_eq!(sent.reliable, message.reliable, "{key:?}");
        assert!(sent.payload == message.payload, "another content of {key:?}");
        assert!(self.got.insert(key), "{key:?} came twice");
        if message.reliable && !self.unordered.contains(&message.lane) {
            let newest = self.newest_reliable.insert(message.lane, message.number);
            assert!(newest < Some(message.number), "{key:?} came after {newest:?}");
        }
    }

    #[cfg(test)]
    pub(super) fn delivered(&self) -> usize {
        self.got.len()
    }

    pub(super) fn is_complete(&self) -> bool {
        let must_arrive = |sent: &Sent| sent.reliable && !sent.has_deadline;
        self.sent.iter().all(|(key, sent)| !must_arrive(sent) || self.got.contains(key))
    }
}
