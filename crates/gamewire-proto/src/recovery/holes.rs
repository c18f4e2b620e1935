//! Packets older than the newest acknowledged one which are themselves not acknowledged.

use std::{collections::VecDeque, ops::RangeInclusive};

use crate::Time;

/// A packet that is missing among acknowledged ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    pub(super) number: u64,
    /// When it was declared lost; not meaningful before.
    pub(super) lost_at: Time,
}

/// Missing packets by ascending number. Loss is declared oldest first, so they are, from the front:
/// those that the peer need no longer report on, others that are lost, those still in flight.
#[derive(Debug, Default)]
pub(super) struct Holes {
    holes: VecDeque<Hole>,
    lost: usize,
    released: usize,
}

impl Holes {
    pub(super) fn push(&mut self, number: u64) {
        self.holes.push_back(Hole { number, lost_at: Time::default() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.holes.is_empty()
    }

    /// The oldest one.
    pub(super) fn oldest(&self) -> Option<Hole> {
        self.holes.front().copied()
    }

    /// The oldest one on which the peer is still to report.
    pub(super) fn oldest_wanted(&self) -> Option<u64> {
        self.holes.get(self.released).map(|hole| hole.number)
    }

    /// The oldest one that is not lost.
    pub(super) fn oldest_in_flight(&self) -> Option<u64> {
        self.holes.get(self.lost).map(|hole| hole.number)
    }

    /// Declares [`Holes::oldest_in_flight`] lost.
    pub(super) fn declare_lost(&mut self, now: Time) {
        if let Some(hole) = self.holes.get_mut(self.lost) {
            hole.lost_at = now;
            self.lost += 1;
        }
    }

    /// Stops waiting for reports on packets lost at or before `lost_before`, and on the oldest lost
    /// ones beyond `most`.
    pub(super) fn release(&mut self, lost_before: Time, most: usize) {
        while self.released < self.lost
            && (self.lost - self.released > most
                || self.holes[self.released].lost_at <= lost_before)
        {
            self.released += 1;
        }
    }

    /// Forgets the oldest one.
    pub(super) fn pop_front(&mut self) {
        if self.holes.pop_front().is_some() {
            self.lost = self.lost.saturating_sub(1);
            self.released = self.released.saturating_sub(1);
        }
    }

    /// Starts taking out holes by descending ranges; [`Holes::finish`] ends it.
    pub(super) fn cursor(&self) -> Cursor {
        Cursor { index: self.holes.len(), removed: 0 }
    }

    /// The next hole, downwards, that lies in `range`. Ranges must descend.
    pub(super) fn take_next(
        &mut self,
        cursor: &mut Cursor,
        range: &RangeInclusive<u64>,
    ) -> Option<u64> {
        while cursor.index > 0 {
            let hole = &mut self.holes[cursor.index - 1];
            if hole.number < *range.start() {
                return None;
            }
            cursor.index -= 1;
            if hole.number <= *range.end() {
                let number = hole.number;
                hole.number = TAKEN;
                cursor.removed += 1;
                return Some(number);
            }
        }
        None
    }

    /// Removes what was taken.
    pub(super) fn finish(&mut self, cursor: &Cursor) {
        if cursor.removed == 0 {
            return;
        }
        let taken = |holes: &VecDeque<Hole>, end: usize| {
            holes.range(..end).filter(|hole| hole.number == TAKEN).count()
        };
        let released = self.released - taken(&self.holes, self.released);
        let lost = self.lost - taken(&self.holes, self.lost);
        self.released = released;
        self.lost = lost;
        self.holes.retain(|hole| hole.number != TAKEN);
    }
}

/// No packet has this number: 48 bits of positions run out long before.
const TAKEN: u64 = u64::MAX;

/// How far down an ack frame was compared with the holes.
#[derive(Debug)]
pub(super) struct Cursor {
    index: usize,
    removed: usize,
}
