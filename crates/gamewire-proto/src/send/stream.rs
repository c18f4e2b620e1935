//! The reliable byte stream of a lane, from the first byte sent to its ack.

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;
use gamewire_wire::{
    limits::MAX_MESSAGE_HEADER,
    snp::{PacketWriter, SegmentData, encode_message_header},
};

use super::{ranges::RangeSet, room::Room};

/// Largest step of the message number that a reliable message's header may tell: Valve's receiver
/// ends the connection beyond (wire.md §5).
pub const MAX_NUMBER_INCREMENT: u64 = 1_000_000;

/// How far a reliable message's number may be past the newest number of the lane that the peer is
/// known to have seen: Valve's receiver ends the connection beyond (wire.md §5).
pub const MAX_NUMBER_LEAD: u64 = 10_000;

/// How often a small piece of data rides again in later packets, at the most.
const REPEATS: usize = 2;

/// Longest header with the limits above and on message sizes: 1 byte, and varints of 3 and 3.
const HEADER_LEN: usize = 7;

/// A message of which at least one byte was sent and one is not acknowledged.
#[derive(Debug)]
struct StreamMessage {
    start: u64,
    payload: Bytes,
    header: [u8; HEADER_LEN],
    header_len: u8,
}

impl StreamMessage {
    fn end(&self) -> u64 {
        self.start + u64::from(self.header_len) + self.payload.len() as u64
    }

    /// Copies from `offset` on what fits into `data`; how many bytes that were.
    fn copy(&self, offset: u64, data: &mut SegmentData<'_>) -> usize {
        let header = &self.header[..usize::from(self.header_len)];
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let head = header.get(offset..).unwrap_or_default();
        let from_head = data.append(head);
        let body = self.payload.get(offset.saturating_sub(header.len())..).unwrap_or_default();
        from_head + data.append(body)
    }
}

/// See the module's documentation. Positions count from 1.
#[derive(Debug)]
pub(super) struct SendStream {
    messages: VecDeque<StreamMessage>,
    /// All before it is acknowledged.
    acked_to: u64,
    acked: RangeSet,
    lost: RangeSet,
    /// All before it was sent.
    sent_to: u64,
    /// End of the last message begun.
    end: u64,
    /// The number of the last message begun, as the peer understands it.
    told_number: u64,
    /// Where the new data of the last packets began, oldest first.
    recent: [u64; REPEATS],
}

impl SendStream {
    pub(super) fn new() -> Self {
        Self {
            messages: VecDeque::new(),
            acked_to: 1,
            acked: RangeSet::default(),
            lost: RangeSet::default(),
            sent_to: 1,
            end: 1,
            told_number: 0,
            recent: [1; REPEATS],
        }
    }

    /// Bytes of messages begun that were never sent.
    pub(super) fn unsent(&self) -> u64 {
        self.end - self.sent_to
    }

    /// Where the next new byte goes.
    pub(super) fn next_position(&self) -> u64 {
        self.sent_to
    }

    pub(super) fn unacked(&self) -> u64 {
        self.sent_to - self.acked_to - self.acked.total()
    }

    /// Whether everything begun is acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// New bytes that may be sent while the peer buffers at most `limit`.
    ///
    /// It buffers from the first byte it cannot use: the start of a message that is not whole, as
    /// long as that alone does not use up the limit.
    pub(super) fn window(&self, limit: u64) -> u64 {
        let from = match self.messages.front() {
            Some(first) if first.end() - first.start <= limit / 2 => first.start,
            Some(_) | None => self.acked_to,
        };
        limit.saturating_sub(self.sent_to - from)
    }

    /// Appends a message; its position in the stream is settled. `seen`: the newest number of the
    /// lane that the peer is known to have seen.
    ///
    /// Where the true number is too far ahead for Valve's receiver, a smaller one is told; later
    /// messages catch up.
    pub(super) fn begin(&mut self, number: u64, seen: u64, payload: Bytes) {
        let lead = seen.max(self.told_number) + MAX_NUMBER_LEAD - self.told_number;
        let step = (number - self.told_number).min(MAX_NUMBER_INCREMENT).min(lead);
        self.told_number += step;
        let mut header = [0; MAX_MESSAGE_HEADER];
        let size = u32::try_from(payload.len()).expect("enqueue refuses messages of 512 KiB on");
        let header_len = encode_message_header(step, size, &mut header);
        let mut inline = [0; HEADER_LEN];
        inline.copy_from_slice(&header[..HEADER_LEN]);
        let start = self.end;
        self.end += header_len as u64 + payload.len() as u64;
        let header_len = header_len as u8;
        self.messages.push_back(StreamMessage { start, payload, header: inline, header_len });
    }

    /// How much of what the last packets carried may go along with the next one, at most `limit`
    /// bytes: all that one or more of them carried, and none that is known to have arrived.
    pub(super) fn repeatable(&self, limit: u64) -> u64 {
        let unacked = self.sent_to - self.acked_to;
        let spans = self.recent.iter().map(|start| (self.sent_to - start).min(unacked));
        spans.filter(|&span| span <= limit).max().unwrap_or(0)
    }

    /// Writes up to `max` bytes that were never sent, as one segment that begins with the last
    /// `repeated` ones that were; the range written.
    pub(super) fn write_new(
        &mut self,
        lane: u8,
        max: u64,
        repeated: u64,
        writer: &mut PacketWriter<'_>,
    ) -> Option<Range<u64>> {
        let range = self.sent_to - repeated..self.sent_to + self.unsent().min(max);
        // What was never sent is mostly in the last messages, begun for this very segment.
        let mut index = self.messages.len();
        while index > 0 && self.messages[index - 1].end() > range.start {
            index -= 1;
        }
        self.write(lane, index, range.clone(), writer)?;
        self.recent.rotate_left(1);
        self.recent[REPEATS - 1] = self.sent_to;
        self.sent_to = range.end;
        Some(range)
    }

    /// Writes from the oldest lost bytes, as one segment; the range written.
    pub(super) fn write_lost(
        &mut self,
        lane: u8,
        room: Room,
        writer: &mut PacketWriter<'_>,
    ) -> Option<Range<u64>> {
        let lost = self.lost.first()?;
        let fits =
            room.cut(writer.reliable_max_len(u16::from(lane), lost.start), lost.end - lost.start)?;
        let range = lost.start..lost.start + fits;
        let index = self.messages.partition_point(|message| message.end() <= range.start);
        self.write(lane, index, range.clone(), writer)?;
        self.lost.remove(range.clone());
        Some(range)
    }

    fn write(
        &self,
        lane: u8,
        index: usize,
        range: Range<u64>,
        writer: &mut PacketWriter<'_>,
    ) -> Option<()> {
        let len = usize::try_from(range.end - range.start).ok()?;
        let mut data = writer.reliable_data(u16::from(lane), range.start, len)?;
        let mut position = range.start;
        for message in self.messages.range(index..) {
            position += message.copy(position - message.start, &mut data) as u64;
            if data.missing() == 0 {
                break;
            }
        }
        let rest = data.zeroed();
        debug_assert!(rest.is_empty(), "the messages hold what was sent and not acknowledged");
        Some(())
    }

    pub(super) fn on_acked(&mut self, range: Range<u64>) {
        self.lost.remove(range.clone());
        if range.start > self.acked_to {
            self.acked.insert(range);
            return;
        }
        if range.end <= self.acked_to {
            return;
        }
        self.acked.remove(self.acked_to..range.end);
        self.acked_to = range.end;
        if self.acked.first().is_some_and(|next| next.start <= self.acked_to)
            && let Some(next) = self.acked.pop_first()
        {
            self.acked_to = next.end;
        }
        while self.messages.front().is_some_and(|first| first.end() <= self.acked_to) {
            self.messages.pop_front();
        }
    }

    pub(super) fn on_lost(&mut self, range: Range<u64>) {
        let range = range.start.max(self.acked_to)..range.end;
        if range.is_empty() {
            return;
        }
        self.lost.insert(range.clone());
        for acked in self.acked.overlapping(&range) {
            self.lost.remove(acked);
        }
    }
}
