//! Reliable messages without order, from the first byte sent to the ack. Only towards peers that
//! understand [`SegmentKind::ReliableUnordered`].

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;
use gamewire_wire::snp::{PacketWriter, SegmentKind};

use super::{content::SentContent, ranges::RangeSet, room::Room};
use crate::receive::UNORDERED_WINDOW;

/// Most messages between the oldest unacknowledged and the newest sent one of a lane; further ones
/// wait.
pub const MAX_UNORDERED_IN_FLIGHT: usize = 16 * 1024;

#[derive(Debug)]
struct UnorderedMessage {
    number: u64,
    payload: Bytes,
    acked: RangeSet,
    /// What is to go again. A set: a piece of which several copies were lost goes once.
    lost: RangeSet,
    /// Whether it has its place in the queue of messages with lost data.
    queued: bool,
    whole: bool,
}

impl UnorderedMessage {
    fn unacked(&self, sent: u64) -> u64 {
        if self.whole { 0 } else { sent - self.acked.total() }
    }

    /// The first piece that is to go again; an empty message has an empty one.
    fn first_lost(&self) -> Option<Range<u64>> {
        if self.whole || !self.queued {
            return None;
        }
        self.lost.first().or_else(|| self.payload.is_empty().then_some(0..0))
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct UnorderedSend {
    /// By number; those acknowledged inside keep their place until the first one is.
    messages: VecDeque<UnorderedMessage>,
    /// Numbers of messages with lost data, each once, in the order in which the losses were found.
    lost: VecDeque<u64>,
    unacked: u64,
    /// Bytes sent of the last message, which may not all be out yet.
    last_sent: u64,
}

impl UnorderedSend {
    pub(super) fn is_idle(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn unacked(&self) -> u64 {
        self.unacked
    }

    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether message `number` must wait for acks. The receiver remembers only so many numbers:
    /// a message that falls behind its window would count as delivered when it is sent again.
    pub(super) fn is_full(&self, limit: u64, number: u64) -> bool {
        let behind = self.messages.front().map_or(0, |oldest| number - oldest.number);
        self.unacked >= limit
            || self.messages.len() >= MAX_UNORDERED_IN_FLIGHT
            || behind >= UNORDERED_WINDOW
    }

    /// Bytes `range` of a message leave for the first time.
    pub(super) fn on_sent(&mut self, number: u64, payload: &Bytes, range: &Range<u32>) {
        if range.start == 0 {
            self.messages.push_back(UnorderedMessage {
                number,
                payload: payload.clone(),
                acked: RangeSet::default(),
                lost: RangeSet::default(),
                queued: false,
                whole: false,
            });
        }
        self.last_sent = u64::from(range.end);
        self.unacked += u64::from(range.end - range.start);
    }

    /// Writes the oldest lost piece, or what fits of it; bytes written. `None`: nothing fits, or
    /// nothing is lost.
    pub(super) fn write_lost(
        &mut self,
        lane: u8,
        room: Room,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> Option<u64> {
        self.trim();
        let number = *self.lost.front()?;
        let index = index_of(&self.messages, number)?;
        let message = &mut self.messages[index];
        let piece = message.first_lost()?;
        let (wire_lane, start) = (u16::from(lane), piece.start as u32);
        let fits = writer.extended_max_len(wire_lane, number, start);
        let len = room.cut(fits, piece.end - piece.start)? as u32;
        let range = start as usize..(start + len) as usize;
        let last = range.end == message.payload.len();
        let kind = SegmentKind::ReliableUnordered;
        let out = writer.extended(kind, wire_lane, number, start, last, len as usize)?;
        out.copy_from_slice(&message.payload[range]);
        note(sent, lane, number, start..start + len, last);
        message.lost.remove(piece.start..piece.start + u64::from(len));
        if message.lost.is_empty() {
            message.queued = false;
            self.lost.pop_front();
        }
        Some(u64::from(len))
    }

    pub(super) fn on_whole_acked(&mut self, first: u64, count: u16) {
        self.each(first, count, |queue, index| queue.finish(index));
        self.trim();
    }

    pub(super) fn on_whole_lost(&mut self, first: u64, count: u16) {
        self.each(first, count, |queue, index| {
            let end = queue.messages[index].payload.len() as u32;
            queue.lose(index, 0..end);
        });
    }

    pub(super) fn on_part_acked(&mut self, number: u64, range: Range<u32>) {
        if let Some(index) = index_of(&self.messages, number)
            && !self.messages[index].whole
        {
            let message = &mut self.messages[index];
            let before = message.acked.total();
            let span = u64::from(range.start)..u64::from(range.end);
            message.lost.remove(span.clone());
            message.acked.insert(span);
            let total = message.acked.total();
            self.unacked -= total - before;
            if total == message.payload.len() as u64 {
                self.finish(index);
            }
        }
        self.trim();
    }

    pub(super) fn on_part_lost(&mut self, number: u64, range: Range<u32>) {
        if let Some(index) = index_of(&self.messages, number) {
            self.lose(index, range);
        }
        self.trim();
    }

    fn lose(&mut self, index: usize, range: Range<u32>) {
        let message = &mut self.messages[index];
        if message.whole {
            return;
        }
        let span = u64::from(range.start)..u64::from(range.end);
        message.lost.insert(span.clone());
        for acked in message.acked.overlapping(&span) {
            message.lost.remove(acked);
        }
        if !message.queued {
            message.queued = true;
            self.lost.push_back(message.number);
        }
    }

    fn each(&mut self, first: u64, count: u16, mut visit: impl FnMut(&mut Self, usize)) {
        let end = first + u64::from(count);
        let start = self.messages.partition_point(|message| message.number < first);
        let stop = self.messages.partition_point(|message| message.number < end);
        for index in start..stop {
            visit(self, index);
        }
    }

    fn finish(&mut self, index: usize) {
        let last = index + 1 == self.messages.len();
        let message = &mut self.messages[index];
        let sent = if last { self.last_sent } else { message.payload.len() as u64 };
        self.unacked -= message.unacked(sent);
        message.whole = true;
        message.payload = Bytes::new();
        message.acked = RangeSet::default();
        message.lost = RangeSet::default();
    }

    /// Forgets what is acknowledged at the front, and losses that turned out to have arrived.
    fn trim(&mut self) {
        while self.messages.front().is_some_and(|message| message.whole) {
            self.messages.pop_front();
        }
        while let Some(&number) = self.lost.front() {
            if let Some(index) = index_of(&self.messages, number) {
                let message = &mut self.messages[index];
                if message.first_lost().is_some() {
                    break;
                }
                message.queued = false;
            }
            self.lost.pop_front();
        }
    }
}

/// Notes an unordered segment in what its packet carries.
pub(super) fn note(sent: &mut SentContent, lane: u8, number: u64, range: Range<u32>, last: bool) {
    if range.start == 0 && last {
        sent.push_whole(lane, number);
    } else {
        sent.push_part(lane, number, range.start, (range.end - range.start) as u16);
    }
}

fn index_of(messages: &VecDeque<UnorderedMessage>, number: u64) -> Option<usize> {
    messages.binary_search_by_key(&number, |message| message.number).ok()
}
