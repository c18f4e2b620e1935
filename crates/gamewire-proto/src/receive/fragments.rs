//! Unreliable messages: whole ones, and ones that come in fragments.

use std::collections::VecDeque;

use bytes::Bytes;
use gamewire_wire::snp::UnreliableSegment;

use super::{
    Accepted, MAX_PARTIAL_BYTES, MAX_PARTIAL_SEGMENTS, MAX_UNRELIABLE_BYTES, Refusal,
    assembly::{Assembly, Fit},
    inbox::{Inbox, Usage},
};
use crate::acks::{Freshness, SeenWindow};

/// Which unreliable message numbers of a lane were delivered.
pub(super) type DeliveredUnreliable = SeenWindow<64>;

/// Who says in what order unreliable messages are delivered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ordering {
    /// The local mode of the lane.
    OfLane,
    /// The sender: none that is older than the newest delivered.
    Sequenced,
}

/// Unfinished unreliable messages of all lanes, in the order in which they were begun.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    partial: VecDeque<Partial>,
    assembling: Usage,
    ahead: Usage,
    /// Segments taken for all of `partial`.
    segments: usize,
}

#[derive(Debug)]
struct Partial {
    lane: u16,
    number: u64,
    segments: usize,
    assembly: Assembly,
}

impl Fragments {
    pub(super) fn bytes(&self) -> usize {
        self.assembling.bytes + self.ahead.bytes
    }

    /// Takes a segment. What can never become a message is ignored: there is no use in sending it
    /// again.
    #[inline]
    pub(super) fn receive(
        &mut self,
        segment: &UnreliableSegment<'_>,
        sequenced: bool,
        delivered: &mut DeliveredUnreliable,
        inbox: &mut Inbox,
    ) -> Accepted {
        let number = segment.message_number;
        let outdated = sequenced && number < delivered.newest();
        if outdated || delivered.freshness(number) != Freshness::New {
            return Accepted::Yes;
        }
        let end = u64::from(segment.offset) + segment.data.len() as u64;
        let limit = MAX_UNRELIABLE_BYTES.min(inbox.limits().max_message_bytes);
        if end > limit as u64 {
            return Accepted::Yes;
        }
        if !inbox.has_room() {
            return Accepted::Refused(Refusal::QueueFull);
        }
        if !inbox.fits(segment.data.len()) && inbox.unread_messages() > 0 {
            return Accepted::Refused(Refusal::BufferFull);
        }
        let payload = if segment.offset == 0 && segment.last {
            Some(inbox.arena.copy(segment.data))
        } else {
            self.add(segment)
        };
        if let Some(payload) = payload {
            delivered.mark(number);
            self.forget_outdated(segment.lane, number, sequenced);
            inbox.deliver(segment.lane, number, false, payload);
        }
        Accepted::Yes
    }

    /// Adds a fragment; returns the message if it is whole now.
    fn add(&mut self, segment: &UnreliableSegment<'_>) -> Option<Bytes> {
        let key = (segment.lane, segment.message_number);
        let part = (u64::from(segment.offset), segment.data, segment.last);
        let known = self.find(key);
        let fit = match known {
            Some(index) => self.partial[index].assembly.fit(part.0, part.1.len(), part.2),
            None => Assembly::default().fit(part.0, part.1.len(), part.2),
        };
        let is_news = segment.last
            || match &fit {
                Fit::Contradicts => false,
                Fit::InOrder(bytes) => *bytes > 0,
                Fit::Ahead(holes) => !holes.is_empty(),
            };
        if !is_news || matches!(fit, Fit::Contradicts) {
            return None;
        }
        let index = self.make_room(key, segment.data.len())?;
        let partial = &mut self.partial[index];
        partial.segments += 1;
        self.segments += 1;
        partial.assembly.add(&fit, part, &mut self.assembling, &mut self.ahead);
        if partial.assembly.is_whole() { self.remove(index) } else { None }
    }

    fn find(&self, (lane, number): (u16, u64)) -> Option<usize> {
        self.partial.iter().rposition(|partial| partial.number == number && partial.lane == lane)
    }

    /// The message's place, with room for one more segment of so many bytes. `None` if the message
    /// itself had to go.
    fn make_room(&mut self, (lane, number): (u16, u64), bytes: usize) -> Option<usize> {
        if self.find((lane, number)).is_none() {
            let assembly = Assembly::default();
            self.partial.push_back(Partial { lane, number, segments: 0, assembly });
        }
        while self.segments >= MAX_PARTIAL_SEGMENTS || self.bytes() + bytes > MAX_PARTIAL_BYTES {
            self.remove(0);
        }
        self.find((lane, number))
    }

    fn remove(&mut self, index: usize) -> Option<Bytes> {
        let partial = self.partial.remove(index)?;
        self.segments -= partial.segments;
        Some(partial.assembly.finish(&mut self.assembling, &mut self.ahead))
    }

    /// `number` was delivered: forgets what is left of it, and, if the lane is sequenced, of all
    /// before it.
    fn forget_outdated(&mut self, lane: u16, number: u64, sequenced: bool) {
        let outdated = |partial: &Partial| {
            partial.lane == lane
                && (partial.number == number || (sequenced && partial.number < number))
        };
        while let Some(index) = self.partial.iter().position(outdated) {
            self.remove(index);
        }
    }

    #[cfg(test)]
    pub(super) fn check(&self) -> (usize, usize) {
        let mut ahead = Usage::default();
        let mut heads = 0;
        for partial in &self.partial {
            let (head, usage) = partial.assembly.usages();
            heads += head;
            ahead.bytes += usage.bytes;
            ahead.pieces += usage.pieces;
        }
        assert_eq!((heads, ahead), (self.assembling.bytes, self.ahead));
        assert_eq!(self.segments, self.partial.iter().map(|p| p.segments).sum::<usize>());
        (self.partial.len(), self.segments)
    }
}
