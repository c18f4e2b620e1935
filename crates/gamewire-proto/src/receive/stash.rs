//! Pieces of a byte sequence that came before what lies in front of them.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;
use smallvec::SmallVec;

use super::inbox::Usage;

/// Ranges of positions not held yet.
pub(super) type Holes = SmallVec<[Range<u64>; 4]>;

/// How much the holes would hold.
pub(super) fn usage_of(holes: &Holes) -> Usage {
    let bytes: u64 = holes.iter().map(|hole| hole.end - hole.start).sum();
    Usage { bytes: bytes as usize, pieces: holes.len() }
}

/// Pieces that do not overlap, by position. What came first stays.
#[derive(Debug, Default)]
pub(super) struct Stash {
    pieces: BTreeMap<u64, Bytes>,
}

impl Stash {
    /// The position of the first piece.
    #[inline]
    pub(super) fn first(&self) -> Option<u64> {
        self.pieces.first_key_value().map(|(&position, _)| position)
    }

    /// Where the last piece ends; 0 if there is none.
    pub(super) fn end(&self) -> u64 {
        self.pieces.last_key_value().map_or(0, |(&position, piece)| position + piece.len() as u64)
    }

    /// What is not held from `start` to `end`.
    pub(super) fn holes(&self, start: u64, end: u64) -> Holes {
        let mut holes = Holes::new();
        let mut at = start;
        if let Some((&position, piece)) = self.pieces.range(..start).next_back() {
            at = at.max(position + piece.len() as u64);
        }
        for (&position, piece) in self.pieces.range(start..end.max(start)) {
            if position > at {
                holes.push(at..position);
            }
            at = at.max(position + piece.len() as u64);
        }
        if at < end {
            holes.push(at..end);
        }
        holes
    }

    /// Copies into `holes` what `data`, which starts at `start`, has for them.
    ///
    /// Each piece has memory of its own, so that none keeps more alive than it holds.
    pub(super) fn fill(&mut self, holes: &Holes, start: u64, data: &[u8], usage: &mut Usage) {
        for hole in holes {
            let piece = &data[(hole.start - start) as usize..(hole.end - start) as usize];
            self.put(hole.start, Bytes::copy_from_slice(piece), usage);
        }
    }

    /// Puts back what was taken from the front.
    pub(super) fn put(&mut self, position: u64, piece: Bytes, usage: &mut Usage) {
        usage.add(piece.len());
        self.pieces.insert(position, piece);
    }

    /// Takes the data at `position`, and forgets what lies before it; `None` if there is a gap.
    #[inline]
    pub(super) fn take(&mut self, position: u64, usage: &mut Usage) -> Option<Bytes> {
        while self.first()? <= position {
            let (start, piece) = self.pieces.pop_first()?;
            usage.remove(piece.len());
            let passed = position - start;
            if passed < piece.len() as u64 {
                return Some(piece.slice(passed as usize..));
            }
        }
        None
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self, usage: &mut Usage) {
        for piece in std::mem::take(&mut self.pieces).into_values() {
            usage.remove(piece.len());
        }
    }

    #[cfg(test)]
    pub(super) fn usage(&self) -> Usage {
        Usage { bytes: self.pieces.values().map(Bytes::len).sum(), pieces: self.pieces.len() }
    }
}
