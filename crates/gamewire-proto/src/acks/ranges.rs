//! Received packet numbers as ranges.

use std::collections::VecDeque;

use crate::Time;

/// A run of received numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The first of them.
    pub(super) start: u64,
    /// The last of them.
    pub(super) end: u64,
    /// When the last of them arrived.
    pub(super) end_at: Time,
}

impl Range {
    /// How many numbers it holds.
    pub(super) fn len(&self) -> u64 {
        self.end - self.start + 1
    }
}

/// What recording a number did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It is the newest now.
    Next,
    /// It is older than the newest.
    Late,
    /// It was there.
    Already,
}

/// Ranges from oldest to newest, apart from each other by at least one number.
#[derive(Clone, Debug, Default)]
pub(super) struct ReceivedRanges {
    ranges: VecDeque<Range>,
}

impl ReceivedRanges {
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The `index`th range, counted from the oldest.
    pub(super) fn at(&self, index: usize) -> &Range {
        &self.ranges[index]
    }

    /// The range of the newest number.
    #[inline]
    pub(super) fn newest(&self) -> Option<&Range> {
        self.ranges.back()
    }

    /// Index of the newest range that lies below `number`.
    pub(super) fn last_below(&self, number: u64) -> Option<usize> {
        self.first_reaching(number).checked_sub(1)
    }

    /// Index of the oldest range that ends at `number` or later; `len` if there is none.
    pub(super) fn first_reaching(&self, number: u64) -> usize {
        self.ranges.partition_point(|range| range.end < number)
    }

    #[inline]
    pub(super) fn insert(&mut self, number: u64, now: Time) -> Inserted {
        match self.ranges.back_mut() {
            Some(newest) if number == newest.end.wrapping_add(1) => {
                newest.end = number;
                newest.end_at = now;
                Inserted::Next
            }
            Some(newest) if number <= newest.end => self.insert_late(number, now),
            Some(_) | None => {
                self.ranges.push_back(Range { start: number, end: number, end_at: now });
                Inserted::Next
            }
        }
    }

    fn insert_late(&mut self, number: u64, now: Time) -> Inserted {
        let index = self.first_reaching(number);
        let above = self.ranges[index];
        if above.start <= number {
            return Inserted::Already;
        }
        let below = index.checked_sub(1).map(|below| self.ranges[below]);
        let follows = below.is_some_and(|below| below.end + 1 == number);
        let precedes = number + 1 == above.start;
        match (follows, precedes) {
            (true, true) => {
                self.ranges[index - 1] =
                    Range { end: above.end, end_at: above.end_at, ..self.ranges[index - 1] };
                self.ranges.remove(index);
            }
            (true, false) => {
                self.ranges[index - 1].end = number;
                self.ranges[index - 1].end_at = now;
            }
            (false, true) => self.ranges[index].start = number,
            (false, false) => {
                self.ranges.insert(index, Range { start: number, end: number, end_at: now });
            }
        }
        Inserted::Late
    }

    /// Forgets numbers below `floor`.
    pub(super) fn forget_below(&mut self, floor: u64) {
        while self.ranges.front().is_some_and(|range| range.end < floor) {
            self.ranges.pop_front();
        }
        if let Some(oldest) = self.ranges.front_mut() {
            oldest.start = oldest.start.max(floor);
        }
    }

    /// Forgets the oldest ranges, so that at most `limit` are left.
    #[inline]
    pub(super) fn forget_beyond(&mut self, limit: usize) {
        while self.ranges.len() > limit {
            self.ranges.pop_front();
        }
    }
}
