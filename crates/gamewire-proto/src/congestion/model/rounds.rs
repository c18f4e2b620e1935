//! Round trips, counted by what is delivered.

use std::time::Duration;

use crate::{Time, congestion::AckSample};

/// Least length of a round: shorter ones hold too few packets to judge the path by, as on loopback.
pub(super) const MIN_ROUND: Duration = Duration::from_millis(10);

/// A round ends when a packet that left after its start is acknowledged.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    started: Time,
    /// What was delivered when the round began.
    delivered: u64,
}

impl Rounds {
    /// Whether this ack ends a round, and begins the next one.
    pub(super) fn on_acked(&mut self, now: Time, sample: &AckSample) -> bool {
        let ends = sample.prior_delivered >= self.delivered && now.since(self.started) >= MIN_ROUND;
        if ends {
            self.started = now;
            self.delivered = sample.delivered;
        }
        ends
    }
}
