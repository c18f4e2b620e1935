//! A bounded, uniform, reproducible sample of an endless series, for n-tiles.

/// Samples kept per series.
pub const RESERVOIR_SAMPLES: usize = 256;

/// Reservoir sampling (Vitter's algorithm R) whose choices depend on nothing but the position in the
/// series. Allocates with its first sample, at most [`RESERVOIR_SAMPLES`] × 2 bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Reservoir {
    samples: Vec<u16>,
    seen: u64,
}

impl Reservoir {
    pub(super) fn add(&mut self, sample: u32) {
        let sample = u16::try_from(sample).unwrap_or(u16::MAX);
        self.seen += 1;
        if self.samples.len() < RESERVOIR_SAMPLES {
            self.samples.push(sample);
            return;
        }
        let place = scramble(self.seen) % self.seen;
        let kept = usize::try_from(place).ok().and_then(|place| self.samples.get_mut(place));
        if let Some(kept) = kept {
            *kept = sample;
        }
    }

    /// The kept samples in ascending order.
    pub(super) fn sorted(&self) -> Sorted {
        let mut samples = self.samples.clone();
        samples.sort_unstable();
        Sorted(samples)
    }
}

/// Sorted samples, ready to be asked for n-tiles.
pub(super) struct Sorted(Vec<u16>);

impl Sorted {
    /// The smallest sample that at least `percent` % of all do not exceed (nearest rank); `None` when
    /// there are too few samples for it to mean anything: 2 for the 50th, 4 for the 25th and 75th,
    /// 20 for the 5th and 95th, 50 beyond.
    pub(super) fn ntile(&self, percent: usize) -> Option<u32> {
        let tail = percent.min(100 - percent.min(100));
        let needed = match tail {
            0..5 => 50,
            5..25 => 20,
            25..50 => 4,
            _ => 2,
        };
        if self.0.len() < needed {
            return None;
        }
        let rank = (percent * self.0.len()).div_ceil(100).max(1);
        self.0.get(rank - 1).map(|&sample| u32::from(sample))
    }
}

/// A fixed permutation of the integers (the finaliser of SplitMix64).
pub(super) fn scramble(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
