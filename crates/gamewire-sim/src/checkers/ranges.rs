//! Sets of numbers that come mostly in runs.

use std::{collections::BTreeMap, ops::Range};

/// Disjoint ranges that do not touch, by their starts.
#[derive(Clone, Debug, Default)]
pub(super) struct RangeSet {
    ranges: BTreeMap<u64, u64>,
    total: u64,
}

impl RangeSet {
    /// Adds a range; what is in it already stays.
    pub(super) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        while let Some((&other_start, &other_end)) = self.ranges.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            self.ranges.remove(&other_start);
            self.total -= other_end - other_start;
            (start, end) = (start.min(other_start), end.max(other_end));
        }
        self.ranges.insert(start, end);
        self.total += end - start;
    }

    /// The first number of `range` that is not in the set.
    pub(super) fn first_missing(&self, range: Range<u64>) -> Option<u64> {
        if range.is_empty() {
            return None;
        }
        let before = self.ranges.range(..=range.start).next_back();
        match before {
            Some((_, &end)) if end > range.start => (end < range.end).then_some(end),
            Some(_) | None => Some(range.start),
        }
    }

    /// How many numbers are in it.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn agrees_with_a_bitmap() {
        let mut rng = Rng::new(9);
        for _ in 0..200 {
            let (mut set, mut bitmap) = (RangeSet::default(), [false; 64]);
            for _ in 0..20 {
                let start = rng.index(60);
                let end = start + rng.index(5);
                set.insert(start as u64..end as u64);
                bitmap[start..end].fill(true);
                assert_eq!(set.total(), bitmap.iter().filter(|&&bit| bit).count() as u64);
                for from in 0..60 {
                    let to = from + 4;
                    let missing = (from..to).find(|&at| !bitmap[at]).map(|at| at as u64);
                    assert_eq!(set.first_missing(from as u64..to as u64), missing);
                }
            }
        }
    }
}
