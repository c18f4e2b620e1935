//! Jitter: how much the spacing of two packets changed under way.
//!
//! Measured where the sender tells the spacing at its end (`SendTimeSincePreviousPacket`).

use crate::Time;

use super::histograms::JitterHistogram;

/// Unit of the header's time-since-previous-packet field.
pub const TIME_SINCE_PREVIOUS_UNIT_US: u64 = 16;
/// Gaps of this much or more say nothing about jitter and are neither sent nor measured.
pub const TIME_SINCE_PREVIOUS_LIMIT_US: u64 = 250_000;

/// Jitter of the packets received over one link.
#[derive(Clone, Debug, Default)]
pub(super) struct JitterMeter {
    /// When the newest packet by number arrived.
    newest_at: Option<Time>,
    interval_peak_us: Option<u32>,
    previous_peak_us: Option<u32>,
    unread_max_us: Option<u32>,
    histogram: JitterHistogram,
}

impl JitterMeter {
    /// The successor of the newest packet arrived.
    #[inline]
    pub(super) fn on_in_order(&mut self, now: Time, time_since_previous: Option<u16>) {
        let previous = self.newest_at.replace(now);
        if let (Some(previous), Some(units)) = (previous, time_since_previous) {
            let local_us = now.micros_since(previous);
            let remote_us = u64::from(units) * TIME_SINCE_PREVIOUS_UNIT_US;
            if local_us.max(remote_us) < TIME_SINCE_PREVIOUS_LIMIT_US {
                self.sample(local_us.abs_diff(remote_us));
            }
        }
    }

    /// A packet that is the newest, but whose predecessor is not known to be the one before.
    pub(super) fn on_newest(&mut self, now: Time) {
        self.newest_at = Some(now);
    }

    fn sample(&mut self, jitter_us: u64) {
        let jitter_us = u32::try_from(jitter_us).unwrap_or(u32::MAX);
        self.histogram.add(jitter_us);
        self.interval_peak_us = self.interval_peak_us.max(Some(jitter_us));
        self.unread_max_us = self.unread_max_us.max(Some(jitter_us));
    }

    pub(super) fn close_interval(&mut self) {
        self.previous_peak_us = self.interval_peak_us.take();
    }

    /// Largest jitter of the running and the previous interval.
    pub(super) fn recent_peak_us(&self) -> Option<u32> {
        self.interval_peak_us.max(self.previous_peak_us)
    }

    pub(super) fn take_max_us(&mut self) -> Option<u32> {
        self.unread_max_us.take()
    }

    pub(super) fn histogram(&self) -> JitterHistogram {
        self.histogram
    }
}
