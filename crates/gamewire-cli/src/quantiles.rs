//! Quantiles of durations in bounded memory.

use serde_json::{Value, json};

/// Values below this are counted exactly, in microseconds.
const EXACT: u64 = 256;
/// Each doubling above is cut into this many parts: errors stay below 1 %.
const PARTS: u64 = EXACT / 2;
/// Doublings above [`EXACT`], which reach beyond any `u64`.
const DOUBLINGS: usize = 64 - EXACT.trailing_zeros() as usize;

/// A histogram of microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Quantiles {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Quantiles {
    fn default() -> Self {
        Self { counts: vec![0; EXACT as usize + DOUBLINGS * PARTS as usize], total: 0 }
    }
}

/// Which count a value belongs to.
fn index_of(micros: u64) -> usize {
    if micros < EXACT {
        return micros as usize;
    }
    let doubling = u64::from(micros.ilog2() - EXACT.ilog2());
    let part = (micros >> (doubling + 1)) - PARTS;
    (EXACT + doubling * PARTS + part) as usize
}

/// The largest value that is counted there.
fn top_of(index: usize) -> u64 {
    let index = index as u64;
    if index < EXACT {
        return index;
    }
    let (doubling, part) = ((index - EXACT) / PARTS, (index - EXACT) % PARTS);
    let top = u128::from(PARTS + part + 1) << (doubling + 1);
    u64::try_from(top - 1).unwrap_or(u64::MAX)
}

impl Quantiles {
    /// Counts a value.
    pub(crate) fn add(&mut self, micros: u64) {
        self.counts[index_of(micros)] += 1;
        self.total += 1;
    }

    /// Takes in what another one counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// How many values were counted.
    pub(crate) fn len(&self) -> u64 {
        self.total
    }

    /// The value that `share` (0 to 1) of the values do not exceed, at most 1 % too large; `None`
    /// without values.
    pub(crate) fn at(&self, share: f64) -> Option<u64> {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        self.counts.iter().enumerate().find_map(|(index, count)| {
            seen += count;
            (seen >= wanted).then(|| top_of(index))
        })
    }

    /// `{"p50": …, "p99": …, "p999": …}`, `null` where there is nothing to tell.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "p50": self.at(0.5), "p99": self.at(0.99), "p999": self.at(0.999) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_are_exact() {
        let mut quantiles = Quantiles::default();
        (1..=100).for_each(|micros| quantiles.add(micros));
        assert_eq!(quantiles.at(0.5), Some(50));
        assert_eq!(quantiles.at(0.99), Some(99));
        assert_eq!(quantiles.at(0.999), Some(100));
        assert_eq!(quantiles.at(0.0), Some(1));
    }

    #[test]
    fn large_values_are_close() {
        for micros in [256, 257, 1000, 12_345, 999_999, 1 << 40, u64::MAX] {
            let mut quantiles = Quantiles::default();
            quantiles.add(micros);
            let told = quantiles.at(0.5).unwrap();
            assert!(told >= micros && told - micros <= micros / 100, "{micros} became {told}");
        }
    }

    #[test]
    fn every_count_has_its_own_range() {
        for index in 0..Quantiles::default().counts.len() {
            assert_eq!(index_of(top_of(index)), index);
        }
    }

    #[test]
    fn nothing_counted_is_null() {
        let quantiles = Quantiles::default();
        assert_eq!(quantiles.at(0.5), None);
        assert_eq!(quantiles.to_json(), json!({ "p50": null, "p99": null, "p999": null }));
    }

    #[test]
    fn merging_is_like_counting_all() {
        let (mut all, mut odd, mut even) =
            (Quantiles::default(), Quantiles::default(), Quantiles::default());
        for micros in 0..2000 {
            all.add(micros);
            if micros % 2 == 0 { even.add(micros) } else { odd.add(micros) }
        }
        odd.merge(&even);
        assert_eq!(odd.to_json(), all.to_json());
        assert_eq!(odd.len(), 2000);
    }
}
