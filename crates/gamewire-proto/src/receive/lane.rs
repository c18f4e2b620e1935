//! What is kept of one lane: little, until it is used.

use super::{
    fragments::DeliveredUnreliable,
    stream::{FIRST_POSITION, Stream},
    unordered::Unordered,
};
use crate::lane::DeliveryMode;

/// One lane. A peer can touch all of them, so what costs memory is boxed and made on first use.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) mode: DeliveryMode,
    /// The highest message number seen, of whatever kind.
    highest_number: u64,
    stream: Option<Box<Stream>>,
    unreliable: Option<Box<DeliveredUnreliable>>,
    unordered: Option<Box<Unordered>>,
}

impl Lane {
    /// The reliable stream, and the highest message number to go with it.
    #[inline]
    pub(super) fn stream(&mut self) -> (&mut Stream, &mut u64) {
        (self.stream.get_or_insert_default(), &mut self.highest_number)
    }

    #[inline]
    pub(super) fn unreliable(&mut self) -> &mut DeliveredUnreliable {
        self.unreliable.get_or_insert_with(|| Box::new(DeliveredUnreliable::new(0)))
    }

    pub(super) fn unordered(&mut self) -> &mut Unordered {
        self.unordered.get_or_insert_default()
    }

    #[inline]
    pub(super) fn saw_number(&mut self, number: u64) {
        self.highest_number = self.highest_number.max(number);
    }

    pub(super) fn next_number(&self) -> u64 {
        self.highest_number.saturating_add(1)
    }

    pub(super) fn next_position(&self) -> u64 {
        self.stream.as_ref().map_or(FIRST_POSITION, |stream| stream.next_position())
    }

    /// Frees what is held, but knows on what to expect.
    pub(super) fn discard(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.discard();
        }
        self.unreliable = None;
        self.unordered = None;
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> (Option<&Stream>, Option<&Unordered>) {
        (self.stream.as_deref(), self.unordered.as_deref())
    }
}
