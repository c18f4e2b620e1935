//! Ping: what the application sees of the round-trip time, and what reply timeouts derive from it.
//!
//! Loss recovery has its own estimator (RFC 9002) fed by the same samples.

use std::time::Duration;

use crate::Time;

use super::{
    histograms::PingHistogram,
    reservoir::Reservoir,
    snapshot::{PingStats, PingSummary},
};

/// Samples nearer to each other than this are one sample, the smallest of them: random delays of a
/// burst only ever add.
pub const PING_SAMPLE_SPACING: Duration = Duration::from_millis(100);

/// Recent samples that are averaged.
const RECENT_SAMPLES: usize = 3;

/// Ping measurements of one link.
#[derive(Clone, Debug, Default)]
pub struct PingTracker {
    /// Newest first, µs; `count` of them are valid.
    recent_us: [u32; RECENT_SAMPLES],
    count: usize,
    next_sample_from: Time,
    last_sample: Option<Time>,
    min_us: Option<u32>,
    histogram: PingHistogram,
    reservoir: Reservoir,
}

impl PingTracker {
    pub(super) fn add(&mut self, now: Time, rtt: Duration) {
        let rtt_us = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX);
        self.last_sample = Some(now);
        self.min_us = Some(self.min_us.map_or(rtt_us, |min| min.min(rtt_us)));
        if self.count > 0 && now < self.next_sample_from {
            self.recent_us[0] = self.recent_us[0].min(rtt_us);
            return;
        }
        self.recent_us.rotate_right(1);
        self.recent_us[0] = rtt_us;
        self.count = (self.count + 1).min(RECENT_SAMPLES);
        self.next_sample_from = now + PING_SAMPLE_SPACING;
        let ping_ms = whole_ms(rtt_us);
        self.histogram.add(ping_ms);
        self.reservoir.add(ping_ms);
    }

    fn recent(&self) -> &[u32] {
        &self.recent_us[..self.count]
    }

    /// Mean of up to three recent samples, at least 100 ms apart.
    pub fn smoothed(&self) -> Option<Duration> {
        let recent = self.recent();
        let sum: u64 = recent.iter().map(|&us| u64::from(us)).sum();
        let count = u64::try_from(recent.len()).ok().filter(|&count| count > 0)?;
        Some(Duration::from_micros((sum + count / 2) / count))
    }

    /// [`Self::smoothed`] in whole milliseconds, rounded to the nearest.
    pub fn smoothed_ms(&self) -> Option<u32> {
        let us = u32::try_from(self.smoothed()?.as_micros()).unwrap_or(u32::MAX);
        Some(whole_ms(us))
    }

    /// The slowest of the recent samples.
    pub fn worst_recent(&self) -> Option<Duration> {
        self.recent().iter().max().map(|&us| Duration::from_micros(us.into()))
    }

    /// The quickest of the recent samples.
    pub fn best_recent(&self) -> Option<Duration> {
        self.recent().iter().min().map(|&us| Duration::from_micros(us.into()))
    }

    /// The quickest sample ever.
    pub fn min(&self) -> Option<Duration> {
        self.min_us.map(|us| Duration::from_micros(us.into()))
    }

    /// When the last sample came.
    pub fn last_sample(&self) -> Option<Time> {
        self.last_sample
    }

    pub(super) fn summary(&self) -> Option<PingSummary> {
        Some(PingSummary {
            smoothed: self.smoothed()?,
            best_recent: self.best_recent()?,
            worst_recent: self.worst_recent()?,
            min: self.min()?,
        })
    }

    pub(super) fn distribution(&self) -> PingStats {
        let sorted = self.reservoir.sorted();
        PingStats {
            histogram: self.histogram,
            ntile_5th_ms: sorted.ntile(5),
            ntile_50th_ms: sorted.ntile(50),
            ntile_75th_ms: sorted.ntile(75),
            ntile_95th_ms: sorted.ntile(95),
            ntile_98th_ms: sorted.ntile(98),
        }
    }
}

fn whole_ms(us: u32) -> u32 {
    us / 1000 + u32::from(us % 1000 >= 500)
}
