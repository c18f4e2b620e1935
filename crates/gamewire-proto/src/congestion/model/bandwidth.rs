//! How fast the path delivers, and in what bunches it says so.

use std::time::Duration;

use crate::{Time, congestion::AckSample};

/// Rounds over which the largest delivery rate counts: more than one cycle of probing.
const WINDOW: usize = 20;

/// Rounds over which the largest bunch counts.
const BUNCH_WINDOW: usize = 10;

/// The largest delivery rate of recent rounds, in bytes per second.
///
/// Only rounds in which the application had enough to send move the window on, so that a quiet
/// hour does not wear the estimate down.
#[derive(Debug, Default)]
pub(super) struct Bandwidth {
    rounds: [u64; WINDOW],
    at: usize,
    best: u64,
    /// Whether the present round says something about the path.
    measured: bool,
}

impl Bandwidth {
    /// Takes an ack's delivery rate. One that the application held down counts only if it is the
    /// best so far.
    pub(super) fn on_acked(&mut self, sample: &AckSample) {
        let Some(rate) = delivery_rate(sample) else { return };
        self.measured |= !sample.app_limited;
        if sample.app_limited && rate <= self.best {
            return;
        }
        let round = &mut self.rounds[self.at];
        *round = (*round).max(rate);
        self.best = self.best.max(rate);
    }

    /// A round has ended.
    pub(super) fn next_round(&mut self) {
        if std::mem::take(&mut self.measured) {
            self.at = (self.at + 1) % WINDOW;
            self.rounds[self.at] = 0;
            self.find_best();
        }
    }

    /// Forgets all but the last `rounds` ended ones and the present one.
    pub(super) fn forget_older(&mut self, rounds: usize) {
        let best = (0..=rounds).map(|back| self.rounds[self.index_before(back)]).max();
        if best.is_some_and(|best| best > 0) {
            (rounds + 1..WINDOW).for_each(|back| self.rounds[self.index_before(back)] = 0);
            self.find_best();
        }
    }

    /// The best of the window; 0: nothing was measured yet.
    pub(super) fn best(&self) -> u64 {
        self.best
    }

    fn index_before(&self, back: usize) -> usize {
        (self.at + WINDOW - back % WINDOW) % WINDOW
    }

    fn find_best(&mut self) {
        self.best = self.rounds.iter().copied().max().unwrap_or(0);
    }
}

/// Bytes per second of an ack; `None` where it says too little.
pub(super) fn delivery_rate(sample: &AckSample) -> Option<u64> {
    let interval_us = u64::try_from(sample.interval.as_micros()).ok().filter(|&us| us > 0)?;
    // Two acks in quick succession would show the speed of the way back.
    if sample.min_rtt.is_some_and(|min| sample.interval < min) {
        return None;
    }
    let bytes = sample.delivered.saturating_sub(sample.prior_delivered);
    Some(bytes.saturating_mul(1_000_000) / interval_us)
}

/// How much more is acknowledged at once than the rate explains: the window must leave room for it,
/// or the sender would stand still while the receiver gathers its next ack.
#[derive(Debug, Default)]
pub(super) struct Bunching {
    epoch: Time,
    acked: u64,
    rounds: [u64; BUNCH_WINDOW],
    at: usize,
}

impl Bunching {
    /// Takes an ack; `bandwidth` in bytes per second, `most` is what may count at all.
    pub(super) fn on_acked(&mut self, now: Time, bytes: u64, bandwidth: u64, most: u64) {
        let mut expected = over(bandwidth, now.since(self.epoch));
        if self.acked <= expected {
            (self.epoch, self.acked, expected) = (now, 0, 0);
        }
        self.acked = self.acked.saturating_add(bytes);
        let excess = (self.acked - expected).min(most);
        let round = &mut self.rounds[self.at];
        *round = (*round).max(excess);
    }

    /// A round has ended.
    pub(super) fn next_round(&mut self) {
        self.at = (self.at + 1) % BUNCH_WINDOW;
        self.rounds[self.at] = 0;
    }

    /// Starts anew: what was seen was the growth of the rate.
    pub(super) fn restart(&mut self) {
        *self = Self { epoch: self.epoch, acked: self.acked, ..Self::default() };
    }

    /// The largest bunch of the window, bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.rounds.iter().copied().max().unwrap_or(0)
    }
}

/// What `rate` bytes per second make in a time.
pub(super) fn over(rate: u64, time: Duration) -> u64 {
    let bytes = u128::from(rate) * time.as_micros() / 1_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
