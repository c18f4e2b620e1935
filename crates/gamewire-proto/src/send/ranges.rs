//! Disjoint ranges of stream positions.

use std::{collections::VecDeque, ops::Range};

/// A set of numbers, kept as ascending ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RangeSet {
    ranges: VecDeque<Range<u64>>,
    total: u64,
}

impl RangeSet {
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers are in it.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn first(&self) -> Option<Range<u64>> {
        self.ranges.front().cloned()
    }

    pub(super) fn pop_first(&mut self) -> Option<Range<u64>> {
        let first = self.ranges.pop_front()?;
        self.total -= first.end - first.start;
        Some(first)
    }

    pub(super) fn insert(&mut self, mut range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let at = self.ranges.partition_point(|kept| kept.end < range.start);
        while let Some(kept) = self.ranges.get(at).filter(|kept| kept.start <= range.end) {
            range = range.start.min(kept.start)..range.end.max(kept.end);
            self.total -= kept.end - kept.start;
            if self.ranges.get(at + 1).is_some_and(|next| next.start <= range.end) {
                self.ranges.remove(at);
            } else {
                self.total += range.end - range.start;
                self.ranges[at] = range;
                return;
            }
        }
        self.total += range.end - range.start;
        self.ranges.insert(at, range);
    }

    pub(super) fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let mut at = self.ranges.partition_point(|kept| kept.end <= range.start);
        while let Some(kept) = self.ranges.get(at).filter(|kept| kept.start < range.end).cloned() {
            self.ranges.remove(at);
            self.total -= kept.end - kept.start;
            for rest in [kept.start..range.start, range.end..kept.end] {
                if !rest.is_empty() {
                    self.total += rest.end - rest.start;
                    self.ranges.insert(at, rest);
                    at += 1;
                }
            }
        }
    }

    /// Ranges that overlap `range`, whole.
    pub(super) fn overlapping(&self, range: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let at = self.ranges.partition_point(|kept| kept.end <= range.start);
        let end = range.end;
        self.ranges.range(at..).take_while(move |kept| kept.start < end).cloned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn removes_over_the_end_of_one_range_into_the_next() {
        let mut set = RangeSet::default();
        for range in [5..17, 18..24] {
            set.insert(range);
        }
        set.remove(9..19);
        assert_eq!(set.overlapping(&(0..100)).collect::<Vec<_>>(), [5..9, 19..24]);
        assert_eq!(set.total(), 9);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        /// Every geometry of overlaps against a bitmap (lessons.md 5.2, GNS#409).
        #[test]
        fn agrees_with_a_bitmap(
            steps in prop::collection::vec((any::<bool>(), 0u64..60, 0u64..20), 1..60),
        ) {
            let mut set = RangeSet::default();
            let mut bitmap = [false; 80];
            for (insert, start, len) in steps {
                let range = start..start + len;
                if insert { set.insert(range.clone()) } else { set.remove(range.clone()) }
                bitmap[start as usize..(start + len) as usize].fill(insert);
                let mut seen = [false; 80];
                let mut previous_end = None;
                for range in set.overlapping(&(0..80)) {
                    prop_assert!(range.start < range.end);
                    prop_assert!(previous_end.is_none_or(|end| end < range.start));
                    previous_end = Some(range.end);
                    seen[range.start as usize..range.end as usize].fill(true);
                }
                prop_assert_eq!(seen, bitmap);
                prop_assert_eq!(set.total(), bitmap.iter().filter(|&&bit| bit).count() as u64);
            }
        }
    }
}
