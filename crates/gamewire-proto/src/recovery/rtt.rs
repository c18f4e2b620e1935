//! Round-trip time, smoothed as in RFC 9002 section 5.

use std::time::Duration;

/// Round trip assumed before any was measured (RFC 9002 section 6.2.2).
pub const INITIAL_RTT: Duration = Duration::from_millis(333);

/// Round-trip measurements outside these bounds are thrown away, in microseconds (wire.md §5). Down
/// to −1 ms they count as zero: the peer rounds its delay.
pub const VALID_RTT_US: std::ops::RangeInclusive<i64> = -1000..=2_000_000;

/// Smoothed round-trip time of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RttEstimator {
    samples: Option<Samples>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Samples {
    latest: Duration,
    smoothed: Duration,
    variation: Duration,
    min: Duration,
}

impl RttEstimator {
    pub(super) fn new() -> Self {
        Self { samples: None }
    }

    pub(super) fn update(&mut self, rtt: Duration) {
        let Some(samples) = &mut self.samples else {
            let variation = rtt / 2;
            self.samples = Some(Samples { latest: rtt, smoothed: rtt, variation, min: rtt });
            return;
        };
        samples.latest = rtt;
        samples.min = samples.min.min(rtt);
        samples.variation = (samples.variation * 3 + samples.smoothed.abs_diff(rtt)) / 4;
        samples.smoothed = (samples.smoothed * 7 + rtt) / 8;
    }

    /// The newest sample.
    pub fn latest(&self) -> Option<Duration> {
        self.samples.map(|samples| samples.latest)
    }

    /// The least sample.
    pub fn min_rtt(&self) -> Option<Duration> {
        self.samples.map(|samples| samples.min)
    }

    /// Smoothed round trip; [`INITIAL_RTT`] before the first sample.
    pub fn smoothed_rtt(&self) -> Duration {
        self.samples.map_or(INITIAL_RTT, |samples| samples.smoothed)
    }

    /// Mean deviation; half of [`INITIAL_RTT`] before the first sample.
    pub fn rttvar(&self) -> Duration {
        self.samples.map_or(INITIAL_RTT / 2, |samples| samples.variation)
    }

    /// Whether anything was measured.
    pub fn is_measured(&self) -> bool {
        self.samples.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_rfc_9002() {
        let ms = Duration::from_millis;
        let mut rtt = RttEstimator::new();
        assert_eq!((rtt.smoothed_rtt(), rtt.rttvar()), (INITIAL_RTT, INITIAL_RTT / 2));
        rtt.update(ms(80));
        assert_eq!((rtt.smoothed_rtt(), rtt.rttvar()), (ms(80), ms(40)));
        rtt.update(ms(160)); // rttvar = 3/4·40 + 1/4·80, srtt = 7/8·80 + 1/8·160
        assert_eq!((rtt.smoothed_rtt(), rtt.rttvar()), (ms(90), ms(50)));
        assert_eq!((rtt.latest(), rtt.min_rtt()), (Some(ms(160)), Some(ms(80))));
    }
}
