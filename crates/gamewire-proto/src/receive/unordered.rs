//! Reliable messages delivered as soon as they are whole, in any order.

use std::collections::BTreeMap;

use bytes::Bytes;
use gamewire_wire::snp::UnreliableSegment;

use super::{
    Accepted, Refusal,
    assembly::{Assembly, Fit},
    inbox::{Inbox, Overdraft},
};
use crate::acks::{Freshness, SeenWindow};

/// Which message numbers of a lane were delivered out of order.
pub(super) type DeliveredUnordered = SeenWindow<512>;

/// The reliable-unordered messages of one lane.
#[derive(Debug)]
pub(super) struct Unordered {
    delivered: DeliveredUnordered,
    /// Unfinished messages by number. Each counts as a piece ahead of a gap.
    partial: BTreeMap<u64, Assembly>,
}

impl Default for Unordered {
    fn default() -> Self {
        Self { delivered: DeliveredUnordered::new(0), partial: BTreeMap::new() }
    }
}

impl Unordered {
    pub(super) fn receive(
        &mut self,
        segment: &UnreliableSegment<'_>,
        inbox: &mut Inbox,
    ) -> Accepted {
        match self.take(segment, inbox) {
            Ok(()) => Accepted::Yes,
            Err(refusal) => Accepted::Refused(refusal),
        }
    }

    fn take(&mut self, segment: &UnreliableSegment<'_>, inbox: &mut Inbox) -> Result<(), Refusal> {
        let number = segment.message_number;
        match self.delivered.freshness(number) {
            Freshness::New => {}
            Freshness::Duplicate | Freshness::TooOld => return Ok(()),
        }
        let oldest = self.partial.first_key_value().map_or(number, |(&oldest, _)| oldest);
        if number.saturating_sub(oldest) >= DeliveredUnordered::SIZE {
            // Would slide an unfinished message out of the window: the sender overdoes it.
            return Err(Refusal::FarAhead);
        }
        let end = u64::from(segment.offset) + segment.data.len() as u64;
        if end > inbox.limits().max_message_bytes as u64 {
            return Err(Refusal::Impossible);
        }
        if !inbox.has_room() {
            return Err(Refusal::QueueFull);
        }
        if segment.offset == 0 && segment.last && !self.partial.contains_key(&number) {
            self.take_whole(segment, inbox)
        } else {
            self.take_part(segment, inbox)
        }
    }

    fn take_whole(
        &mut self,
        segment: &UnreliableSegment<'_>,
        inbox: &mut Inbox,
    ) -> Result<(), Refusal> {
        let number = segment.message_number;
        let overdraft = Overdraft::Unordered { lane: segment.lane, number };
        if !inbox.admit_in_order(segment.data.len(), overdraft) {
            return Err(Refusal::BufferFull);
        }
        let payload = inbox.arena.copy(segment.data);
        self.deliver(segment, payload, inbox);
        Ok(())
    }

    fn take_part(
        &mut self,
        segment: &UnreliableSegment<'_>,
        inbox: &mut Inbox,
    ) -> Result<(), Refusal> {
        let number = segment.message_number;
        let part = (u64::from(segment.offset), segment.data, segment.last);
        let known = self.partial.get(&number);
        let is_new = known.is_none();
        let fit = match known {
            Some(assembly) => assembly.fit(part.0, part.1.len(), part.2),
            None => Assembly::default().fit(part.0, part.1.len(), part.2),
        };
        inbox.admit_pieces(fit.ahead().pieces + usize::from(is_new))?;
        match &fit {
            Fit::Contradicts => return Err(Refusal::Impossible),
            Fit::InOrder(0) if !segment.last => return Ok(()),
            Fit::InOrder(bytes) => {
                let overdraft = Overdraft::Unordered { lane: segment.lane, number };
                if !inbox.admit_in_order(*bytes, overdraft) {
                    return Err(Refusal::BufferFull);
                }
            }
            Fit::Ahead(_) => inbox.admit_ahead(fit.ahead())?,
        }
        let assembly = self.partial.entry(number).or_default();
        inbox.ahead.pieces += usize::from(is_new);
        assembly.add(&fit, part, &mut inbox.assembling, &mut inbox.ahead);
        if assembly.is_whole()
            && let Some(assembly) = self.partial.remove(&number)
        {
            inbox.ahead.pieces -= 1;
            let payload = assembly.finish(&mut inbox.assembling, &mut inbox.ahead);
            self.deliver(segment, payload, inbox);
        }
        Ok(())
    }

    fn deliver(&mut self, segment: &UnreliableSegment<'_>, payload: Bytes, inbox: &mut Inbox) {
        let (lane, number) = (segment.lane, segment.message_number);
        self.delivered.mark(number);
        inbox.deliver(lane, number, true, payload);
        inbox.settle(Overdraft::Unordered { lane, number });
    }

    #[cfg(test)]
    pub(super) fn usages(&self) -> (usize, super::inbox::Usage) {
        let mut all = (0, super::inbox::Usage::default());
        for assembly in self.partial.values() {
            let (head, ahead) = assembly.usages();
            all.0 += head;
            all.1.bytes += ahead.bytes;
            all.1.pieces += ahead.pieces + 1;
        }
        all
    }
}
