//! What the controller is about to find out, and when it goes on to the next question.

use std::time::Duration;

use super::{Model, over, rival::Rival};
use crate::{
    Time,
    congestion::{AckSample, LossSample, ModelState},
};

/// Rounds without growth that end the start (draft-ietf-ccwg-bbr, section 5.3.1.2).
const FLAT_ROUNDS: u32 = 3;

/// Growth of the bandwidth, in percent, that counts as such.
const GROWTH_PCT: u64 = 125;

/// Rounds of steady sending between two probes for more, at the least.
const CRUISE_ROUNDS: u32 = 8;

/// So many rounds more or less, so that flows do not probe in step.
const CRUISE_SPREAD: u64 = 4;

/// Rounds that a probe for more lasts.
const UP_ROUNDS: u32 = 2;

/// Growth in a probe, in percent, after which it goes on as at the start.
const UP_GROWTH_PCT: u64 = 115;

/// Rounds that draining the queue may take.
const DOWN_ROUNDS: u32 = 5;

/// Rounds with a queue that our draining does not empty, after which older bandwidths are forgotten.
const STANDING_ROUNDS_FORGET: u32 = 3;

/// The same after which it must be somebody else's.
const STANDING_ROUNDS_RIVAL: u32 = 7;

/// Rounds whose bandwidths are kept when older ones are forgotten.
const RECENT_ROUNDS: usize = 3;

/// Rounds with an empty queue after which nobody competes any more.
const CALM_ROUNDS: u32 = 40;

/// After so long with a rival we hold back for a round trip, to see whether there is one; each time
/// that there is, the next time is twice as far away.
const DOUBT_RIVAL: (Duration, u32) = (Duration::from_secs(2), 4);

/// What is left of the window where a rival shows by a loss, in tenths.
const AFTER_LOSS_TENTHS: u64 = 7;

/// Share of what the path carried for us alone that we win back quickly from a rival, in percent:
/// less than half.
const RECLAIM_PCT: u64 = 45;

/// Without a rival for so long, we are alone on the path.
const ALONE_FOR: Duration = Duration::from_secs(2);

/// The most that we take beside a rival of what the path carried for us alone, in percent. A cubic
/// leaves little to a flow that grows as Reno's does; this bounds by how much.
const MOST_PCT: u64 = 58;

/// Who was never alone on the path does not know what it carries, and for so long after it met its
/// first rival it wins what it can until the next loss, as TCP does at its start.
const YOUNG: Duration = Duration::from_secs(5);

/// How long the path is left empty to measure it, at the least.
const PROBE_RTT_TIME: Duration = Duration::from_millis(30);

/// The delay that ends the start, within these bounds, is an eighth of a round trip.
const START_QUEUE: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(16));

/// See the module's documentation.
#[derive(Debug)]
pub(super) enum State {
    /// Doubles the rate each round until the path is full.
    Startup { best: u64, flat: u32 },
    /// Lets the queue run empty that the start made.
    Drain { rounds: u32 },
    /// Sends as fast as the path delivers.
    Cruise { left: u32 },
    /// Sends faster to see whether more gets through.
    Up { rounds: u32, before: u64 },
    /// Lets the queue run empty that the probe made.
    Down { rounds: u32 },
    /// Sends little to see how fast the empty path is.
    ProbeRtt { until: Option<Time>, rival: Option<Rival> },
    /// Keeps up with loss-based flows that fill the queue.
    Rivalry { rival: Rival, since: Time, calm: u32 },
}

impl State {
    /// The window of a rivalry that ends or pauses.
    fn take_rival(&mut self) -> Option<Rival> {
        match std::mem::replace(self, Self::Cruise { left: CRUISE_ROUNDS }) {
            Self::Rivalry { rival, .. } => Some(rival),
            Self::ProbeRtt { rival, .. } => rival,
            Self::Startup { .. }
            | Self::Drain { .. }
            | Self::Cruise { .. }
            | Self::Up { .. }
            | Self::Down { .. } => None,
        }
    }

    pub(super) fn name(&self) -> ModelState {
        match self {
            Self::Startup { .. } => ModelState::Startup,
            Self::Drain { .. } => ModelState::Drain,
            Self::Cruise { .. } => ModelState::Cruise,
            Self::Up { .. } => ModelState::ProbeUp,
            Self::Down { .. } => ModelState::ProbeDown,
            Self::ProbeRtt { .. } => ModelState::ProbeRtt,
            Self::Rivalry { .. } => ModelState::Rivalry,
        }
    }
}

impl Model {
    /// A round has ended; what it measured is still at hand.
    pub(super) fn next_state(&mut self, now: Time, sample: &AckSample) {
        let best = self.bandwidth.best();
        let excessive = self.losses.is_excessive();
        self.note_standing_queue();
        match &mut self.state {
            State::Startup { best: before, flat } => {
                if best * 100 >= *before * GROWTH_PCT {
                    (*before, *flat) = (best, 0);
                } else if !sample.app_limited {
                    *flat += 1;
                }
                if *flat >= FLAT_ROUNDS || excessive {
                    self.drain();
                }
            }
            State::Drain { rounds } | State::Down { rounds } => {
                *rounds += 1;
                if *rounds >= DOWN_ROUNDS {
                    self.cruise(now);
                }
            }
            State::Cruise { left } => {
                *left = left.saturating_sub(1);
                if *left == 0 && !sample.app_limited {
                    self.state = State::Up { rounds: 0, before: best };
                }
            }
            State::Up { .. } => self.next_round_up(sample, excessive),
            State::ProbeRtt { .. } => {}
            State::Rivalry { .. } => self.next_round_with_rival(now, sample),
        }
        self.leave_for_probe_rtt(now, sample);
    }

    fn next_round_up(&mut self, sample: &AckSample, excessive: bool) {
        let State::Up { rounds, before } = &mut self.state else { return };
        *rounds += 1;
        let best = self.bandwidth.best();
        if excessive || sample.app_limited {
            self.end_probe();
        } else if *rounds >= UP_ROUNDS {
            if best * 100 >= *before * UP_GROWTH_PCT {
                // There is much more to be had: find it as at the start.
                self.state = State::Startup { best, flat: 0 };
            } else {
                self.end_probe();
            }
        }
    }

    fn next_round_with_rival(&mut self, now: Time, sample: &AckSample) {
        let empty = self.delay.round_queue() <= self.delay.negligible();
        let State::Rivalry { since, calm, .. } = &mut self.state else { return };
        *calm = if empty { *calm + 1 } else { 0 };
        if *calm >= CALM_ROUNDS {
            // What the path delivered before the last cut may be another's by now.
            self.bandwidth.forget_older(RECENT_ROUNDS);
            self.rivals_seen = 0;
            self.cruise(now);
        } else if now.since(*since) >= DOUBT_RIVAL.0 * (1 << self.rivals_seen)
            && !sample.app_limited
        {
            let rival = self.state.take_rival();
            self.state = State::ProbeRtt { until: None, rival };
        }
    }

    /// Counts rounds in which the queue does not run empty though we send no faster than the path
    /// delivers: then it is somebody else's.
    fn note_standing_queue(&mut self) {
        let draining = matches!(self.state, State::Cruise { .. } | State::Down { .. });
        if !draining {
            return;
        }
        if self.delay.round_queue() <= self.delay.allowance() {
            self.standing = 0;
            return;
        }
        if self.standing == 0 {
            self.unhindered = self.window;
        }
        self.standing += 1;
        if self.standing >= STANDING_ROUNDS_FORGET {
            self.bandwidth.forget_older(1);
        }
    }

    /// What each ack may change.
    pub(super) fn check_state(&mut self, now: Time, sample: &AckSample) {
        let flight = sample.bytes_in_flight;
        let queue = self.delay.queue();
        if queue <= self.delay.negligible() {
            self.emptied.get_or_insert(now);
            self.note_alone(now, sample);
        }
        match &mut self.state {
            State::Startup { .. } => {
                let least = self.delay.least().unwrap_or_default();
                let wait = (least / 8).clamp(START_QUEUE.0, START_QUEUE.1);
                if self.delay.waits(wait) {
                    self.drain();
                }
            }
            State::Drain { .. } | State::Down { .. } => {
                if flight <= self.path_holds() || queue <= self.delay.negligible() {
                    self.cruise(now);
                }
            }
            State::Up { .. } => {
                if queue >= self.delay.allowance() {
                    self.end_probe();
                }
            }
            State::Cruise { .. } => {
                if self.standing >= STANDING_ROUNDS_RIVAL {
                    let had = self.unhindered.max(flight + sample.newly_acked_bytes);
                    self.compete(now, had);
                }
            }
            State::ProbeRtt { until, .. } => {
                if until.is_some_and(|until| now >= until) {
                    self.end_probe_rtt(now);
                } else if until.is_none() && flight <= self.window {
                    *until = Some(now + sample.smoothed_rtt.max(PROBE_RTT_TIME));
                }
            }
            State::Rivalry { rival, .. } => {
                let used = flight + sample.newly_acked_bytes;
                if used * 4 >= rival.window() * 3 {
                    rival.on_acked(now, sample.newly_acked_bytes, sample.smoothed_rtt);
                }
                let deep = self.delay.peak() > self.delay.allowance() * 2;
                if let Some(alone) = self.alone.filter(|_| deep) {
                    rival.limit(over(alone, sample.smoothed_rtt) * MOST_PCT / 100);
                }
            }
        }
    }

    /// Packets were lost: at a full queue, or many more than usual, or by chance. Whether it was at
    /// a full queue.
    pub(super) fn on_loss_in_state(&mut self, now: Time, sample: &LossSample) -> bool {
        let queue = self.delay.queue();
        let full = queue > self.delay.negligible() && queue * 5 >= self.delay.peak() * 3;
        let excessive = self.losses.is_excessive();
        let news = self.emptied.is_some_and(|emptied| sample.newest_lost_sent > emptied);
        match &mut self.state {
            State::Startup { .. } if full || excessive => self.drain(),
            State::Up { .. } if full || excessive => self.end_probe(),
            State::Cruise { .. } | State::Down { .. } if full && news => {
                let left = (sample.bytes_in_flight + sample.bytes) * AFTER_LOSS_TENTHS / 10;
                self.compete(now, left);
            }
            State::Cruise { .. } | State::Down { .. } if excessive && news => {
                self.bandwidth.forget_older(1);
                self.end_probe();
            }
            State::Rivalry { rival, since, .. }
                if sample.newest_lost_sent > *since && (full || excessive) =>
            {
                rival.on_congestion(now, sample.newest_lost_sent);
            }
            State::Startup { .. }
            | State::Drain { .. }
            | State::Cruise { .. }
            | State::Up { .. }
            | State::Down { .. }
            | State::ProbeRtt { .. }
            | State::Rivalry { .. } => {}
        }
        full
    }

    /// The path was left empty of our packets. If packets still wait, a rival is there, unless the
    /// same round trip comes out each time: then the path has changed. A short queue runs empty even
    /// if there is a rival, and says nothing.
    fn end_probe_rtt(&mut self, now: Time) {
        let short = self.delay.peak() <= self.delay.allowance() * 2;
        match self.state.take_rival() {
            Some(rival) if short || !self.delay.is_least_confirmed() => {
                self.rivals_seen = (self.rivals_seen + 1).min(DOUBT_RIVAL.1);
                self.state = State::Rivalry { rival, since: now, calm: 0 };
            }
            Some(_) | None => {
                self.rivals_seen = 0;
                self.delay.renew(now);
                self.cruise(now);
            }
        }
    }

    /// The path is ours alone if it was so for a while, with an empty queue at times.
    fn note_alone(&mut self, now: Time, sample: &AckSample) {
        let quiet = self.alone_since.is_some_and(|since| now.since(since) >= ALONE_FOR);
        if quiet && matches!(self.state, State::Cruise { .. }) && !sample.app_limited {
            self.alone = Some(self.bandwidth.best());
        }
    }

    fn leave_for_probe_rtt(&mut self, now: Time, sample: &AckSample) {
        let may = matches!(self.state, State::Cruise { .. } | State::Down { .. });
        if !may || !self.delay.is_stale(now) {
            return;
        }
        if sample.app_limited {
            // A sender with little to say leaves the path empty anyway.
            self.delay.renew(now);
        } else {
            self.state = State::ProbeRtt { until: None, rival: None };
        }
    }

    fn drain(&mut self) {
        self.emptied = None;
        self.bunching.restart();
        self.state = State::Drain { rounds: 0 };
    }

    fn end_probe(&mut self) {
        self.emptied = None;
        self.state = State::Down { rounds: 0 };
    }

    fn cruise(&mut self, now: Time) {
        self.alone_since.get_or_insert(now);
        // The spread need not be random, only different from flow to flow.
        let spread = (self.bandwidth.best() >> 4) % CRUISE_SPREAD;
        self.state = State::Cruise { left: CRUISE_ROUNDS + spread as u32 };
    }

    fn compete(&mut self, now: Time, window: u64) {
        self.standing = 0;
        self.alone_since = None;
        let met = *self.first_rival.get_or_insert(now);
        let reclaims = match self.alone {
            Some(alone) => over(alone, self.smoothed_rtt) * RECLAIM_PCT / 100,
            None if now.since(met) < YOUNG => u64::MAX,
            None => 0,
        };
        self.state = State::Rivalry { rival: Rival::new(window, reclaims), since: now, calm: 0 };
    }

    /// Bytes that fit into the path without a queue.
    pub(super) fn path_holds(&self) -> u64 {
        over(self.bandwidth.best(), self.delay.least().unwrap_or_default())
    }
}
