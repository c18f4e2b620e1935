//! What one ack frame says.
//!
//! If all gaps fit, the frame is exact. If not, it is exact for some of the ranges, says that
//! nothing below those was received, and names an older packet than the newest if it stops short
//! of it: both harmless, since neither acks what is missing. The window of exact ranges starts
//! where the previous frames ended, so that every range is said truly at least once before it is
//! left to the lie, and reaches the newest packet within a few frames even if the peer's
//! stop-waiting number stands still.

use gamewire_wire::{
    limits::MAX_ACK_COUNT,
    snp::{AckBlock, PacketWriter},
};
use smallvec::SmallVec;

use super::{MAX_ACK_BLOCKS, ranges::ReceivedRanges};
use crate::Time;

/// Largest delay that the field can say, in its units of 32 µs.
const MAX_DELAY_UNITS: u64 = 0xfffe;

/// Longest encoded block, in bytes: the nibbles and two varints of up to 100 000.
const MAX_BLOCK_LEN: usize = 7;

/// The delay field for a packet that arrived at `arrived`; `None` beyond 2.09 s.
pub(super) fn delay_field(now: Time, arrived: Time) -> Option<u16> {
    let units = now.micros_since(arrived) >> 5;
    (units <= MAX_DELAY_UNITS).then_some(units as u16)
}

/// The content of an ack frame.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// The packet it names.
    pub(super) latest: u64,
    /// When that one arrived.
    pub(super) latest_at: Time,
    /// Index of the range that `latest` ends.
    pub(super) top: usize,
    /// From newest to oldest.
    pub(super) blocks: SmallVec<[AckBlock; MAX_ACK_BLOCKS]>,
}

impl Statement {
    /// The best statement about the ranges up to the one at index `newest` that fits in `room`
    /// bytes. `floor` is the lowest number it accounts for; all up to `told_through` was said before.
    pub(super) fn choose(
        ranges: &ReceivedRanges,
        newest: usize,
        (floor, told_through): (u64, u64),
        room: usize,
    ) -> Option<Self> {
        let view = View::new(ranges, floor, room)?;
        let untold = ranges.first_reaching(told_through.saturating_add(1)).min(newest);
        let downward = view.lowest_below(newest).map(|bottom| (bottom, newest));
        let (bottom, top) = match downward {
            Some((bottom, top)) if bottom <= untold => (bottom, top),
            Some(_) | None => {
                view.highest_above(untold, newest).map(|top| (untold, top)).or(downward)?
            }
        };
        Some(view.statement(bottom, top))
    }
}

/// Length and number of some blocks.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    bytes: usize,
    blocks: usize,
}

impl Cost {
    /// Of `acked` received numbers above `missing` ones.
    fn of(acked: u64, missing: u64) -> Self {
        let limit = u64::from(MAX_ACK_COUNT);
        if acked <= limit && missing <= limit {
            let block = AckBlock { acked: acked as u32, missing: missing as u32 };
            let bytes = PacketWriter::ack_len(&[block]) - PacketWriter::ack_len(&[]);
            return Self { bytes, blocks: 1 };
        }
        let blocks = acked.div_ceil(limit).saturating_add(missing.div_ceil(limit));
        let blocks = usize::try_from(blocks).unwrap_or(usize::MAX).min(MAX_ACK_BLOCKS + 1);
        Self { bytes: blocks * MAX_BLOCK_LEN, blocks }
    }

    fn and(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, blocks: self.blocks + other.blocks }
    }
}

/// The received ranges as seen from the lowest number missing.
struct View<'a> {
    ranges: &'a ReceivedRanges,
    floor: u64,
    /// The lowest number not received; at the end of everything if there is none.
    first_missing: u64,
    /// Bytes for blocks.
    room: usize,
}

impl<'a> View<'a> {
    fn new(ranges: &'a ReceivedRanges, floor: u64, room: usize) -> Option<Self> {
        let room = room.checked_sub(PacketWriter::ack_len(&[]))?;
        let oldest = ranges.at(0);
        let first_missing = if floor < oldest.start { floor } else { oldest.end.saturating_add(1) };
        Some(Self { ranges, floor, first_missing, room })
    }

    fn fits(&self, cost: Cost) -> bool {
        // A count byte follows from the seventh block on.
        cost.blocks <= MAX_ACK_BLOCKS && cost.bytes + usize::from(cost.blocks > 6) <= self.room
    }

    /// Whether all below the range at `index`, and it itself, needs no block: it is acked unsaid.
    fn is_unsaid(&self, index: usize) -> bool {
        index == 0 && self.ranges.at(0).start <= self.floor
    }

    /// How many numbers are missing between the range at `index` and the one below it.
    fn gap_below(&self, index: usize) -> u64 {
        let below = match index.checked_sub(1) {
            Some(below) => self.ranges.at(below).end + 1,
            None => self.floor,
        };
        self.ranges.at(index).start.saturating_sub(below)
    }

    /// How many numbers a frame that ends with the range at `index` says are missing below it.
    fn all_below(&self, index: usize) -> u64 {
        self.ranges.at(index).start.saturating_sub(self.first_missing)
    }

    fn exact_cost(&self, index: usize) -> Cost {
        Cost::of(self.ranges.at(index).len(), self.gap_below(index))
    }

    fn closing_cost(&self, index: usize) -> Cost {
        if self.is_unsaid(index) {
            return Cost::default();
        }
        Cost::of(self.ranges.at(index).len(), self.all_below(index))
    }

    /// The lowest range that a frame from `top` downward can say exactly.
    fn lowest_below(&self, top: usize) -> Option<usize> {
        let mut lowest = None;
        let mut used = Cost::default();
        for index in (0..=top).rev() {
            if self.fits(used.and(self.closing_cost(index))) {
                lowest = Some(index);
            }
            used = used.and(self.exact_cost(index));
            if !self.fits(used) {
                break;
            }
        }
        lowest
    }

    /// The highest range up to `newest` that a frame from `bottom` upward can say exactly.
    fn highest_above(&self, bottom: usize, newest: usize) -> Option<usize> {
        let mut used = self.closing_cost(bottom);
        if !self.fits(used) {
            return None;
        }
        for index in bottom + 1..=newest {
            used = used.and(self.exact_cost(index));
            if !self.fits(used) {
                return Some(index - 1);
            }
        }
        Some(newest)
    }

    fn statement(&self, bottom: usize, top: usize) -> Statement {
        let mut blocks = SmallVec::new();
        for index in (bottom..=top).rev().filter(|&index| !self.is_unsaid(index)) {
            let missing =
                if index == bottom { self.all_below(index) } else { self.gap_below(index) };
            push_run(&mut blocks, self.ranges.at(index).len(), missing);
        }
        let range = self.ranges.at(top);
        Statement { latest: range.end, latest_at: range.end_at, top, blocks }
    }
}

/// Appends a run, in several blocks if one cannot count that far. Its cost was checked to fit.
fn push_run(blocks: &mut SmallVec<[AckBlock; MAX_ACK_BLOCKS]>, mut acked: u64, mut missing: u64) {
    let limit = u64::from(MAX_ACK_COUNT);
    loop {
        let said_acked = acked.min(limit);
        acked -= said_acked;
        let said_missing = if acked == 0 { missing.min(limit) } else { 0 };
        missing -= said_missing;
        blocks.push(AckBlock { acked: said_acked as u32, missing: said_missing as u32 });
        if acked == 0 && missing == 0 {
            return;
        }
    }
}
