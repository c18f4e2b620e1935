//! One message put together from segments that name their place in it.

use bytes::Bytes;

use super::{
    inbox::Usage,
    stash::{Holes, Stash, usage_of},
};

/// A message whose size is known once its last segment came.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// The data from the start on; grows as data arrives.
    head: Vec<u8>,
    /// Data ahead of a gap.
    ahead: Stash,
    size: Option<u64>,
}

/// How a segment fits into a message.
#[derive(Debug)]
pub(super) enum Fit {
    /// Not at all: it contradicts an earlier one.
    Contradicts,
    /// It goes on where the start of the message ends, with so many new bytes.
    InOrder(usize),
    /// It lies ahead of a gap and fills these holes.
    Ahead(Holes),
}

impl Fit {
    /// What taking it in would hold ahead of a gap.
    pub(super) fn ahead(&self) -> Usage {
        match self {
            Self::Contradicts | Self::InOrder(_) => Usage::default(),
            Self::Ahead(holes) => usage_of(holes),
        }
    }
}

impl Assembly {
    /// How a segment fits in. `offset` and `len` were checked against the largest message.
    pub(super) fn fit(&self, offset: u64, len: usize, last: bool) -> Fit {
        let end = offset + len as u64;
        let held_end = self.ahead.end().max(self.head.len() as u64);
        let contradicts = match self.size {
            Some(size) => end > size || (last && end != size),
            None => last && end < held_end,
        };
        let head_len = self.head.len() as u64;
        if contradicts {
            Fit::Contradicts
        } else if offset <= head_len {
            Fit::InOrder(end.saturating_sub(head_len) as usize)
        } else {
            Fit::Ahead(self.ahead.holes(offset, end))
        }
    }

    /// Takes a segment in, as [`Assembly::fit`] found. `assembling` counts the start of the
    /// message, `ahead` what lies ahead of gaps.
    pub(super) fn add(
        &mut self,
        fit: &Fit,
        (offset, data, last): (u64, &[u8], bool),
        assembling: &mut Usage,
        ahead: &mut Usage,
    ) {
        if last {
            self.size = Some(offset + data.len() as u64);
        }
        match fit {
            Fit::Contradicts => {}
            Fit::InOrder(fresh) => self.append(&data[data.len() - fresh..], assembling),
            Fit::Ahead(holes) => self.ahead.fill(holes, offset, data, ahead),
        }
        while let Some(piece) = self.ahead.take(self.head.len() as u64, ahead) {
            self.append(&piece, assembling);
        }
    }

    fn append(&mut self, data: &[u8], assembling: &mut Usage) {
        self.head.extend_from_slice(data);
        assembling.bytes += data.len();
    }

    /// Whether nothing is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.size == Some(self.head.len() as u64)
    }

    /// The content from the start on, and nothing else: takes it out of the accounts.
    pub(super) fn finish(mut self, assembling: &mut Usage, ahead: &mut Usage) -> Bytes {
        assembling.bytes -= self.head.len();
        self.ahead.clear(ahead);
        Bytes::from(self.head)
    }

    #[cfg(test)]
    pub(super) fn usages(&self) -> (usize, Usage) {
        (self.head.len(), self.ahead.usage())
    }
}
