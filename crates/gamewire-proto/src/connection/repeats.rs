//! How much data may travel again without need.

use crate::{Time, congestion::INITIAL_RATE};

/// Bytes of earlier packets in one packet, at the most: half of it.
const MAX_REPEATED_BYTES: u64 = 600;

/// Repetition takes this part of the rate at the most.
const RATE_SHARE: u64 = 4;

/// Budget that may be saved up, in bytes.
const MAX_SAVED: u64 = 4 * MAX_REPEATED_BYTES;

/// While a sender has little to say, small reliable data rides again in the packets that follow, so
/// that a loss costs no round trip. This bounds what that takes from the path.
#[derive(Debug)]
pub(super) struct RepeatBudget {
    saved: u64,
    updated: Time,
}

impl RepeatBudget {
    pub(super) fn new(now: Time) -> Self {
        Self { saved: MAX_SAVED, updated: now }
    }

    /// Bytes that the next packet may repeat; `rate`: bytes per second of the sender, if limited.
    pub(super) fn available(&mut self, now: Time, rate: Option<u64>) -> u64 {
        let rate = rate.unwrap_or(INITIAL_RATE) / RATE_SHARE;
        let earned = rate.saturating_mul(now.micros_since(self.updated)) / 1_000_000;
        if earned > 0 {
            self.saved = self.saved.saturating_add(earned).min(MAX_SAVED);
            self.updated = now;
        }
        self.saved.min(MAX_REPEATED_BYTES)
    }

    /// So many bytes were repeated.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.saved = self.saved.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_takes_a_quarter_of_the_rate_at_the_most() {
        let start = Time::from_micros(1_000_000);
        let mut budget = RepeatBudget::new(start);
        let mut repeated = 0;
        for step in 0..100_000 {
            let now = start.plus_micros(step * 100);
            let bytes = budget.available(now, Some(40_000));
            budget.spend(bytes);
            repeated += bytes;
        }
        let expected = 10 * 40_000 / RATE_SHARE;
        assert!((expected..=expected + MAX_SAVED).contains(&repeated), "{repeated}");
    }
}
