//! Counters of samples by range, with the ranges that Valve's messages name (messages.md).

/// Ping samples by range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PingHistogram {
    /// Samples of at most 25, 50, 75, 100, 125, 150, 200, 300 ms, and slower ones.
    pub counts: [u32; 9],
}

impl PingHistogram {
    /// Upper edge (inclusive, ms) of every range but the last.
    pub const UPPER_MS: [u32; 8] = [25, 50, 75, 100, 125, 150, 200, 300];

    /// Counts a sample.
    pub fn add(&mut self, ping_ms: u32) {
        count(&mut self.counts, Self::UPPER_MS.partition_point(|&upper| ping_ms > upper));
    }

    /// All samples.
    pub fn total(&self) -> u64 {
        total(&self.counts)
    }
}

/// Quality intervals by range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QualityHistogram {
    /// Intervals of 100 %, at least 99, 97, 95, 90, 75, 50 and 1 %, and dead ones (0 %).
    pub counts: [u32; 9],
}

impl QualityHistogram {
    /// Lower edge (inclusive, %) of every range.
    pub const LOWER_PCT: [u32; 9] = [100, 99, 97, 95, 90, 75, 50, 1, 0];

    /// Counts an interval.
    pub fn add(&mut self, quality_pct: u32) {
        count(&mut self.counts, Self::LOWER_PCT.partition_point(|&lower| quality_pct < lower));
    }

    /// All intervals.
    pub fn total(&self) -> u64 {
        total(&self.counts)
    }
}

/// Jitter samples by range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JitterHistogram {
    /// Samples below 1 ms, and of at least 1, 2, 5, 10 and 20 ms.
    pub counts: [u32; 6],
}

impl JitterHistogram {
    /// Lower edge (inclusive, µs) of every range.
    pub const LOWER_US: [u32; 6] = [0, 1_000, 2_000, 5_000, 10_000, 20_000];

    /// Counts a sample.
    pub fn add(&mut self, jitter_us: u32) {
        count(&mut self.counts, Self::LOWER_US.partition_point(|&lower| lower <= jitter_us) - 1);
    }

    /// All samples.
    pub fn total(&self) -> u64 {
        total(&self.counts)
    }
}

fn count(counts: &mut [u32], bucket: usize) {
    if let Some(entry) = counts.get_mut(bucket) {
        *entry = entry.saturating_add(1);
    }
}

fn total(counts: &[u32]) -> u64 {
    counts.iter().map(|&n| u64::from(n)).sum()
}
