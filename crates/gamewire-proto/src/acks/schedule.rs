//! When an ack must be sent.

use super::{
    ACK_EVERY_PACKETS, ACK_EVERY_PACKETS_AT_START, AckNeed, MAX_ACK_DELAY, REORDER_PACKETS,
    REORDER_WAIT, START_PACKETS,
};
use crate::Time;

/// The deadline of the next ack, and what it waits for.
#[derive(Clone, Debug, Default)]
pub(super) struct AckSchedule {
    /// When something received must have been acked.
    due: Option<Time>,
    /// A gap that may still be mere reordering. While there is one, nothing beyond it is said.
    gap: Option<FreshGap>,
    /// Packets with reliable data since the last ack that said everything.
    unacked: u32,
    /// Packets with reliable data ever, up to [`START_PACKETS`].
    started: u32,
}

#[derive(Clone, Copy, Debug)]
struct FreshGap {
    first_missing: u64,
    until: Time,
}

impl AckSchedule {
    #[inline]
    pub(super) fn deadline(&self) -> Option<Time> {
        self.gap.map(|gap| gap.until).or(self.due)
    }

    /// The first number of a gap that the peer must not hear of yet.
    pub(super) fn held_gap(&self, now: Time) -> Option<u64> {
        self.gap.filter(|gap| now < gap.until).map(|gap| gap.first_missing)
    }

    /// A packet was recorded.
    #[inline]
    pub(super) fn on_packet(&mut self, now: Time, packet_number: u64, need: AckNeed) {
        match need {
            AckNeed::None => {}
            AckNeed::Delayed => {
                self.unacked += 1;
                let every = if self.started < START_PACKETS {
                    self.started += 1;
                    ACK_EVERY_PACKETS_AT_START
                } else {
                    ACK_EVERY_PACKETS
                };
                let wait = self.unacked < every;
                self.due_by(if wait { now + MAX_ACK_DELAY } else { now });
            }
            AckNeed::Immediate => self.due_at_once(now),
        }
        if let Some(gap) = self.gap
            && packet_number.saturating_sub(gap.first_missing) >= REORDER_PACKETS
        {
            self.due_at_once(now);
        }
    }

    /// The newest packet left out numbers, `first_missing` first.
    pub(super) fn on_gap(&mut self, now: Time, first_missing: u64) {
        self.gap.get_or_insert(FreshGap { first_missing, until: now + REORDER_WAIT });
    }

    /// A late packet arrived; the newest range now starts at `newest_start`.
    pub(super) fn on_late(&mut self, newest_start: u64) {
        if self.gap.is_some_and(|gap| newest_start <= gap.first_missing) {
            self.gap = None;
        }
    }

    /// An ack must be on its way at `at` or before.
    #[inline]
    pub(super) fn due_by(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// An ack must go now, and say all there is.
    pub(super) fn due_at_once(&mut self, now: Time) {
        self.gap = None;
        self.due_by(now);
    }

    /// An ack could not be written: if it is due, then not before a while, so that nobody spins.
    pub(super) fn postpone(&mut self, now: Time) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.gap = None;
            self.due = Some(now + REORDER_WAIT);
        }
    }

    /// The peer has been told of every packet.
    pub(super) fn said_everything(&mut self) {
        self.due = None;
        self.gap = None;
        self.unacked = 0;
    }
}
