//! Quality: which of the peer's packets arrived, and whether in sequence.

use std::time::Duration;

use crate::Time;

use super::{
    Arrival,
    histograms::QualityHistogram,
    reservoir::Reservoir,
    snapshot::{QualityStats, SequenceTotals},
};

/// Length of a quality interval; one sample each.
pub const QUALITY_INTERVAL: Duration = Duration::from_secs(5);
/// So many skipped packet numbers (a jump by 100) are no loss but a lurch: the peer restarted its
/// numbers or the path was gone for a while.
pub const LURCH_MISSING: u64 = 99;
/// An interval with fewer packets says nothing about quality.
const MIN_PACKETS_PER_SAMPLE: u64 = 6;
/// So many replies must be missing before an interval without packets counts as dead.
const DEAD_REPLY_TIMEOUTS: u32 = 2;

/// Packets of one or two intervals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct IntervalCounts {
    /// Including those out of sequence.
    received: u64,
    dropped: u64,
    /// Out of order, duplicate, lurch.
    weird: u64,
}

impl IntervalCounts {
    fn expected(self) -> Option<u64> {
        let expected = self.received + self.dropped;
        (self.received > 0).then_some(expected)
    }

    /// Share that arrived in sequence, of what was expected.
    pub(super) fn quality(self) -> Option<f32> {
        self.fraction(self.received.saturating_sub(self.weird))
    }

    pub(super) fn dropped_fraction(self) -> Option<f32> {
        self.fraction(self.dropped)
    }

    pub(super) fn weird_fraction(self) -> Option<f32> {
        self.fraction(self.weird)
    }

    fn fraction(self, part: u64) -> Option<f32> {
        self.expected().map(|expected| (part as f64 / expected as f64) as f32)
    }

    /// Whole percent; 100 means perfect, 0 is kept for dead links.
    fn quality_pct(self) -> Option<u32> {
        if self.received < MIN_PACKETS_PER_SAMPLE {
            return None;
        }
        if self.dropped + self.weird == 0 {
            return Some(100);
        }
        let pct = self.received.saturating_sub(self.weird) * 100 / self.expected()?;
        Some(u32::try_from(pct).unwrap_or(99).clamp(1, 99))
    }

    fn plus(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            dropped: self.dropped + other.dropped,
            weird: self.weird + other.weird,
        }
    }
}

/// Sequence of the packets received over one link.
#[derive(Clone, Debug)]
pub(super) struct QualityMeter {
    interval_start: Time,
    current: IntervalCounts,
    sent_in_interval: u64,
    previous: IntervalCounts,
    previous_end: Time,
    totals: SequenceTotals,
    histogram: QualityHistogram,
    reservoir: Reservoir,
}

impl QualityMeter {
    pub(super) fn new(now: Time) -> Self {
        Self {
            interval_start: now,
            current: IntervalCounts::default(),
            sent_in_interval: 0,
            previous: IntervalCounts::default(),
            previous_end: now,
            totals: SequenceTotals::default(),
            histogram: QualityHistogram::default(),
            reservoir: Reservoir::default(),
        }
    }

    #[inline]
    pub(super) fn on_sent(&mut self) {
        self.sent_in_interval += 1;
    }

    #[inline]
    pub(super) fn on_received(&mut self, arrival: Arrival) {
        self.totals.received += 1;
        self.current.received += 1;
        match arrival {
            Arrival::InOrder => {}
            Arrival::Gap { missing } if missing >= LURCH_MISSING => {
                self.totals.lurch += 1;
                self.current.weird += 1;
            }
            Arrival::Gap { missing } => {
                self.totals.dropped += missing;
                self.current.dropped += missing;
            }
            Arrival::OutOfOrder => {
                // It was counted as dropped when the gap was seen, perhaps an interval ago.
                self.totals.dropped = self.totals.dropped.saturating_sub(1);
                self.current.dropped = self.current.dropped.saturating_sub(1);
                self.totals.out_of_order += 1;
                self.current.weird += 1;
            }
            Arrival::OutOfOrderCorrected => self.totals.out_of_order_corrected += 1,
            Arrival::Duplicate => {
                self.totals.duplicate += 1;
                self.current.weird += 1;
            }
            Arrival::TooOld => {
                self.totals.lurch += 1;
                self.current.weird += 1;
            }
        }
    }

    #[inline]
    pub(super) fn interval_over(&self, now: Time) -> bool {
        now >= self.interval_start + QUALITY_INTERVAL
    }

    /// Takes the interval's sample, if it has one, and starts the next.
    pub(super) fn close_interval(&mut self, now: Time, reply_timeouts: u32) {
        let elapsed_s = now.since(self.interval_start).as_secs();
        let dead = self.current.received == 0
            && self.sent_in_interval > elapsed_s
            && reply_timeouts >= DEAD_REPLY_TIMEOUTS;
        let sample = if dead { Some(0) } else { self.current.quality_pct() };
        if let Some(pct) = sample {
            self.histogram.add(pct);
            self.reservoir.add(pct);
        }
        // Closing is lazy: what happened in the interval happened in its first five seconds.
        self.previous_end = self.interval_start + QUALITY_INTERVAL;
        self.previous = std::mem::take(&mut self.current);
        self.sent_in_interval = 0;
        self.interval_start = now;
    }

    /// The running interval and the one before, as far as they are not older than two intervals.
    pub(super) fn recent(&self, now: Time) -> IntervalCounts {
        let fresh = |end: Time| now <= end + QUALITY_INTERVAL;
        let mut counts = IntervalCounts::default();
        if fresh(self.interval_start + QUALITY_INTERVAL) {
            counts = counts.plus(self.current);
        }
        if fresh(self.previous_end) {
            counts = counts.plus(self.previous);
        }
        counts
    }

    pub(super) fn totals(&self) -> SequenceTotals {
        self.totals
    }

    pub(super) fn distribution(&self) -> QualityStats {
        let sorted = self.reservoir.sorted();
        QualityStats {
            histogram: self.histogram,
            ntile_2nd_pct: sorted.ntile(2),
            ntile_5th_pct: sorted.ntile(5),
            ntile_25th_pct: sorted.ntile(25),
            ntile_50th_pct: sorted.ntile(50),
        }
    }
}
