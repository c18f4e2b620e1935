//! A rate from a model of the path: how fast it delivers, and how long it takes when it is empty
//! (in the manner of draft-ietf-ccwg-bbr, with a bound on the delay that it causes).
//!
//! It never looks at a single loss as a sign of congestion. What counts is whether packets wait:
//! a loss at a full queue is congestion, one on an empty path is chance. It keeps its own queue
//! shorter than [`Delay::allowance`]; where a queue stays though it sends no faster than the path
//! delivers, somebody else fills it, and it competes as TCP would ([`State::Rivalry`]).
//! `docs/decisions/0005-congestion-control.md` has the reasons and the measurements.

mod bandwidth;
mod delay;
mod losses;
mod rival;
mod rounds;
mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

use gamewire_wire::limits::MAX_UDP_PAYLOAD;

use self::{
    bandwidth::{Bandwidth, Bunching, over},
    delay::Delay,
    losses::Losses,
    rounds::Rounds,
    state::State,
};
use super::{AckSample, CongestionController, Estimate, LossSample};
use crate::{
    Time,
    config::{SendConfig, UNLIMITED_RATE},
};

/// The rate tried first, in bytes per second, inside the configured bounds.
pub const INITIAL_RATE: u64 = 256 * 1024;

/// Bytes that may be in flight at the least: four packets, so that three later ones can tell of a
/// loss.
pub const MIN_WINDOW: u64 = 4 * MAX_UDP_PAYLOAD as u64;

/// The same before anything was measured: ten packets (RFC 6928).
const INITIAL_WINDOW: u64 = 10 * MAX_UDP_PAYLOAD as u64;

/// The lowest rate, in bytes per second, whatever is configured: at 0 nothing would ever leave.
const LOWEST_RATE: u64 = 1024;

/// Gains of the pacing rate, in percent.
const START_GAIN_PCT: u64 = 200;
const DRAIN_GAIN_PCT: u64 = 35;
const UP_GAIN_PCT: u64 = 125;
const DOWN_GAIN_PCT: u64 = 90;
/// While packets wait, the rate is lower by so much at the least and at the most.
const DRAINING_PCT: (u64, u64) = (5, 50);
/// With a rival the window decides; the pacer only spreads what it lets out.
const RIVAL_GAIN_PCT: u64 = 125;

/// The window at the start, in percent of what the path holds.
const START_WINDOW_PCT: u64 = 175;

/// The longest that a receiver may gather acks, with some reserve: Valve's takes 50 ms.
const LONGEST_BUNCH: Duration = Duration::from_millis(100);

/// Probe timeouts in a row after which the path counts as broken until it delivers again.
const BROKEN_AFTER: u32 = 2;

/// See the module's documentation.
#[derive(Debug)]
pub struct Model {
    bounds: Bounds,
    rounds: Rounds,
    bandwidth: Bandwidth,
    bunching: Bunching,
    delay: Delay,
    losses: Losses,
    state: State,
    /// Rounds in which a queue stood that we did not cause.
    standing: u32,
    /// The window when it began to.
    unhindered: u64,
    /// What the path last delivered while it was ours alone.
    alone: Option<u64>,
    /// Since when no rival has shown.
    alone_since: Option<Time>,
    /// How often in a row a rival showed when we held back.
    rivals_seen: u32,
    /// When the queue first was empty after the last probe for more: losses of packets sent before
    /// are of our own making.
    emptied: Option<Time>,
    /// When a rival first showed.
    first_rival: Option<Time>,
    timeouts: u32,
    smoothed_rtt: Duration,
    rate: u64,
    window: u64,
}

/// Configured bounds of the rate, bytes per second.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    min: u64,
    max: u64,
}

impl Bounds {
    fn new(config: &SendConfig) -> Self {
        let min = u64::from(config.rate_min).max(LOWEST_RATE);
        let limited = config.rate_max < UNLIMITED_RATE;
        let max = if limited { u64::from(config.rate_max).max(min) } else { u64::MAX };
        Self { min, max }
    }
}

impl Model {
    /// A model that knows nothing yet but the round trip of the handshake.
    pub fn new(config: &SendConfig, rtt: Option<Duration>) -> Self {
        let mut model = Self {
            bounds: Bounds::new(config),
            rounds: Rounds::default(),
            bandwidth: Bandwidth::default(),
            bunching: Bunching::default(),
            delay: Delay::default(),
            losses: Losses::default(),
            state: State::Startup { best: 0, flat: 0 },
            standing: 0,
            unhindered: 0,
            rivals_seen: 0,
            alone: None,
            alone_since: None,
            emptied: None,
            first_rival: None,
            timeouts: 0,
            smoothed_rtt: rtt.unwrap_or(crate::recovery::INITIAL_RTT),
            rate: INITIAL_RATE,
            window: INITIAL_WINDOW,
        };
        model.refresh();
        model
    }

    /// Rate and window that follow from what is known now.
    fn refresh(&mut self) {
        self.rate = self.wanted_rate().clamp(self.bounds.min, self.bounds.max);
        let window = self.wanted_window();
        // A configured least rate holds whatever the model thinks.
        let least = match self.bounds.min > LOWEST_RATE {
            true => over(self.bounds.min, self.smoothed_rtt + self.delay.allowance()),
            false => 0,
        };
        self.window = window.max(least).max(MIN_WINDOW);
    }

    fn wanted_rate(&self) -> u64 {
        let best = self.bandwidth.best();
        let gained = |pct: u64| self.losses.made_up_for(best.saturating_mul(pct) / 100);
        match &self.state {
            State::Startup { .. } => gained(START_GAIN_PCT).max(INITIAL_RATE),
            State::Drain { .. } => gained(DRAIN_GAIN_PCT),
            State::Up { .. } => gained(UP_GAIN_PCT),
            State::Down { .. } => gained(self.draining_gain_pct().min(DOWN_GAIN_PCT)),
            State::Cruise { .. } if self.delay.queue() > self.delay.negligible() => {
                gained(self.draining_gain_pct())
            }
            State::Cruise { .. } | State::ProbeRtt { .. } => gained(100),
            State::Rivalry { rival, .. } => {
                let rtt_us = u64::try_from(self.smoothed_rtt.as_micros()).unwrap_or(1).max(1);
                rival.window().saturating_mul(RIVAL_GAIN_PCT * 10_000) / rtt_us
            }
        }
    }

    /// The gain that empties the queue in two round trips.
    fn draining_gain_pct(&self) -> u64 {
        let least_us = self.delay.least().unwrap_or_default().as_micros().max(1);
        let spare = 50 * self.delay.queue().as_micros() / least_us;
        100 - u64::try_from(spare).unwrap_or(u64::MAX).clamp(DRAINING_PCT.0, DRAINING_PCT.1)
    }

    fn wanted_window(&self) -> u64 {
        if self.timeouts >= BROKEN_AFTER {
            return MIN_WINDOW;
        }
        let best = self.bandwidth.best();
        if best == 0 {
            return INITIAL_WINDOW.max(over(self.rate, self.smoothed_rtt));
        }
        let least = self.delay.least().unwrap_or(self.smoothed_rtt);
        let bunch = self.bunching.bytes();
        let within = |time: Duration| self.losses.made_up_for(over(best, time)) + bunch;
        match &self.state {
            State::Startup { .. } | State::Drain { .. } => {
                let held = over(best.max(INITIAL_RATE), least);
                (held.saturating_mul(START_WINDOW_PCT) / 100).max(held + bunch).max(INITIAL_WINDOW)
            }
            State::Up { .. } => within(least + self.delay.allowance().max(least / 4)),
            State::Cruise { .. } | State::Down { .. } => within(least + self.delay.allowance()),
            State::ProbeRtt { .. } => self.path_holds() / 2,
            State::Rivalry { rival, .. } => rival.window(),
        }
    }
}

impl CongestionController for Model {
    fn on_packet_sent(&mut self, _now: Time, _bytes: u64, _bytes_in_flight: u64) {}

    fn on_acked(&mut self, now: Time, sample: &AckSample) {
        self.timeouts = 0;
        self.smoothed_rtt = sample.smoothed_rtt;
        if let Some(rtt) = sample.rtt {
            self.delay.on_sample(now, rtt);
        }
        self.losses.on_acked(sample.newly_acked_bytes);
        self.bandwidth.on_acked(sample);
        let best = self.bandwidth.best();
        let most = over(best, LONGEST_BUNCH).max(INITIAL_WINDOW);
        self.bunching.on_acked(now, sample.newly_acked_bytes, best, most);
        if self.rounds.on_acked(now, sample) {
            self.delay.next_round();
            self.next_state(now, sample);
            self.losses.next_round();
            self.bandwidth.next_round();
            self.bunching.next_round();
        }
        self.check_state(now, sample);
        self.refresh();
    }

    fn on_lost(&mut self, now: Time, sample: &LossSample) {
        let full = self.on_loss_in_state(now, sample);
        self.losses.on_lost(sample, full);
        self.refresh();
    }

    fn on_spurious_loss(&mut self, _now: Time, bytes: u64) {
        self.losses.on_spurious(bytes);
    }

    fn on_pto(&mut self, _now: Time) {
        self.timeouts = self.timeouts.saturating_add(1);
        self.refresh();
    }

    fn set_config(&mut self, config: &SendConfig) {
        self.bounds = Bounds::new(config);
        self.refresh();
    }

    fn congestion_window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self) -> Option<u64> {
        Some(self.rate)
    }

    fn estimate(&self) -> Estimate {
        let best = self.bandwidth.best();
        Estimate {
            state: Some(self.state.name()),
            bandwidth: (best > 0).then_some(best),
            min_rtt: self.delay.least(),
            usual_loss_ppm: self.losses.usual_ppm(),
        }
    }

    fn is_congested(&self) -> bool {
        match self.state {
            State::Startup { .. } | State::Cruise { .. } => {
                self.delay.queue() > self.delay.allowance() || self.timeouts > 0
            }
            State::Up { .. } | State::Down { .. } | State::Drain { .. } => true,
            State::ProbeRtt { .. } | State::Rivalry { .. } => true,
        }
    }

    fn name(&self) -> &'static str {
        "model"
    }
}
