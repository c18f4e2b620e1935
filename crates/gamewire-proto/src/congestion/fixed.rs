//! A rate that feedback does not change.

use std::time::Duration;

use super::{AckSample, CongestionController, LossSample};
use crate::{
    Time,
    config::{SendConfig, UNLIMITED_RATE},
};

/// Bytes per round trip from which the rate is derived where the configured bounds leave a choice
/// (wire.md §5, RFC 3390's initial window).
const INITIAL_WINDOW: u64 = 4380;

/// Rate before any round trip was measured, in bytes per second, inside the configured bounds.
const UNMEASURED_RATE: u64 = 256 * 1024;

/// The lowest rate, in bytes per second, whatever is configured: at 0 nothing would ever leave.
const LOWEST_RATE: u64 = 1024;

/// The rate that Valve's library keeps: 4380 bytes per first measured round trip, between
/// `SendRateMin` and `SendRateMax`; where both are equal, that.
///
/// A maximum of [`UNLIMITED_RATE`] removes the limit. What then bounds a sender is how far its
/// packet numbers may lead ([`crate::recovery`]) and how much reliable data may be unacknowledged
/// ([`crate::send::PeerLimits`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedRate {
    min: u64,
    max: Option<u64>,
    rtt: Option<Duration>,
}

impl FixedRate {
    /// A controller inside the bounds of `config`; `rtt` is the round trip the handshake measured.
    pub fn new(config: &SendConfig, rtt: Option<Duration>) -> Self {
        let mut rate = Self { min: 0, max: None, rtt };
        rate.set_config(config);
        rate
    }
}

impl CongestionController for FixedRate {
    fn on_packet_sent(&mut self, _now: Time, _bytes: u64, _bytes_in_flight: u64) {}

    fn on_acked(&mut self, _now: Time, sample: &AckSample) {
        self.rtt = self.rtt.or(sample.rtt);
    }

    fn on_lost(&mut self, _now: Time, _sample: &LossSample) {}

    fn on_spurious_loss(&mut self, _now: Time, _bytes: u64) {}

    fn on_pto(&mut self, _now: Time) {}

    fn set_config(&mut self, config: &SendConfig) {
        self.min = u64::from(config.rate_min).max(LOWEST_RATE);
        let limited = config.rate_max < UNLIMITED_RATE;
        self.max = limited.then(|| u64::from(config.rate_max).max(self.min));
    }

    fn congestion_window(&self) -> u64 {
        u64::MAX
    }

    fn pacing_rate(&self) -> Option<u64> {
        let max = self.max?;
        let wanted = match self.rtt {
            Some(rtt) => {
                let rtt_us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX).max(1);
                INITIAL_WINDOW * 1_000_000 / rtt_us
            }
            None => UNMEASURED_RATE,
        };
        Some(wanted.clamp(self.min, max))
    }

    fn name(&self) -> &'static str {
        "fixed"
    }
}
