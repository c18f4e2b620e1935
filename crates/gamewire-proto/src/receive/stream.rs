//! One lane's reliable stream: bytes in order, and the messages in them.

use bytes::Bytes;
use gamewire_wire::{
    limits::MAX_MESSAGE_HEADER,
    snp::{FrameError, MessageHeader, decode_message_header},
};

use super::{
    Accepted, MAX_NUMBER_JUMP, Refusal, StreamError,
    inbox::{Inbox, Overdraft},
    stash::{Stash, usage_of},
};

/// Where a stream starts (wire.md §5).
pub(super) const FIRST_POSITION: u64 = 1;

/// Memory taken for a message when its header is read, in bytes, if it is not smaller.
const FIRST_CAPACITY: usize = 64 * 1024;

/// The same while [`MANY_ASSEMBLING`] messages or more are unfinished.
const FIRST_CAPACITY_OF_MANY: usize = 4 * 1024;

/// So many unfinished messages may take memory ahead of their data.
const MANY_ASSEMBLING: usize = 16;

/// Where the messages of a stream go.
pub(super) struct Sink<'a> {
    pub(super) lane: u16,
    /// The highest message number seen in the lane.
    pub(super) highest: &'a mut u64,
    pub(super) inbox: &'a mut Inbox,
}

/// The receiving end of a lane's reliable stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// Position of the next byte to parse.
    next: u64,
    /// Number of the last message begun.
    number: u64,
    header: HeaderStart,
    partial: Option<Partial>,
    /// Data ahead of a gap; from `next` on if it waits for room in the queue.
    ahead: Stash,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            next: FIRST_POSITION,
            number: 0,
            header: HeaderStart::default(),
            partial: None,
            ahead: Stash::default(),
        }
    }
}

impl Stream {
    #[inline]
    pub(super) fn next_position(&self) -> u64 {
        self.next
    }

    /// Whether data in order waits for room in the queue.
    #[inline]
    pub(super) fn is_stalled(&self) -> bool {
        self.ahead.first().is_some_and(|first| first <= self.next)
    }

    /// Takes a segment, or refuses it before any effect.
    #[inline]
    pub(super) fn receive(
        &mut self,
        position: u64,
        data: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<Accepted, StreamError> {
        let Some(end) = position.checked_add(data.len() as u64) else {
            return Ok(Accepted::Refused(Refusal::FarAhead));
        };
        if end <= self.next {
            return Ok(Accepted::Yes);
        }
        let start = position.max(self.next);
        let fresh = &data[(start - position) as usize..];
        if start == self.next && !self.is_stalled() && sink.inbox.has_room() {
            return self.receive_in_order(fresh, sink);
        }
        Ok(match self.keep_for_later(start, fresh, sink.inbox) {
            Ok(()) => Accepted::Yes,
            Err(refusal) => Accepted::Refused(refusal),
        })
    }

    #[inline]
    fn receive_in_order(
        &mut self,
        data: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<Accepted, StreamError> {
        if !sink.inbox.admit_in_order(data.len(), Overdraft::Stream { lane: sink.lane }) {
            return Ok(Accepted::Refused(Refusal::BufferFull));
        }
        let used = self.parse(Source::Segment(data), sink)?;
        self.next += used as u64;
        let rest = &data[used..];
        if !rest.is_empty() {
            // No room in the queue. The data was admitted, so it stays.
            let holes = self.ahead.holes(self.next, self.next + rest.len() as u64);
            self.ahead.fill(&holes, self.next, rest, &mut sink.inbox.ahead);
        }
        self.drain(sink)?;
        Ok(Accepted::Yes)
    }

    fn keep_for_later(
        &mut self,
        start: u64,
        data: &[u8],
        inbox: &mut Inbox,
    ) -> Result<(), Refusal> {
        let end = start + data.len() as u64;
        let limits = inbox.limits();
        let window = limits.buffer_bytes.max(limits.max_message_bytes).saturating_mul(2);
        if end - self.next > window as u64 {
            return Err(Refusal::FarAhead);
        }
        let holes = self.ahead.holes(start, end);
        if !holes.is_empty() {
            inbox.admit_ahead(usage_of(&holes))?;
            self.ahead.fill(&holes, start, data, &mut inbox.ahead);
        }
        Ok(())
    }

    /// Parses what came early and is in order now, as far as there is room in the queue.
    #[inline]
    pub(super) fn drain(&mut self, sink: &mut Sink<'_>) -> Result<(), StreamError> {
        while sink.inbox.has_room() {
            let Some(piece) = self.ahead.take(self.next, &mut sink.inbox.ahead) else {
                break;
            };
            let used = self.parse(Source::Piece(&piece), sink)?;
            self.next += used as u64;
            if used < piece.len() {
                self.ahead.put(self.next, piece.slice(used..), &mut sink.inbox.ahead);
            }
        }
        if self.partial.is_none() {
            sink.inbox.settle(Overdraft::Stream { lane: sink.lane });
        }
        Ok(())
    }

    /// Parses the data at `next`; returns how many bytes, fewer only if the queue is full.
    #[inline]
    fn parse(&mut self, source: Source<'_>, sink: &mut Sink<'_>) -> Result<usize, StreamError> {
        let data = source.bytes();
        let mut used = 0;
        while used < data.len() && sink.inbox.has_room() {
            used += match self.partial.take() {
                Some(partial) => self.go_on(partial, &data[used..], sink),
                None => self.begin(source, used, sink)?,
            };
        }
        Ok(used)
    }

    fn go_on(&mut self, mut partial: Partial, data: &[u8], sink: &mut Sink<'_>) -> usize {
        let assembling = &mut sink.inbox.assembling;
        let len = data.len().min(partial.size - partial.data.len());
        partial.append(&data[..len]);
        assembling.bytes += len;
        if partial.data.len() < partial.size {
            self.partial = Some(partial);
        } else {
            assembling.remove(partial.size);
            sink.inbox.deliver(sink.lane, partial.number, true, Bytes::from(partial.data));
        }
        len
    }

    /// Reads a header, and the message if it is whole.
    #[inline]
    fn begin(
        &mut self,
        source: Source<'_>,
        at: usize,
        sink: &mut Sink<'_>,
    ) -> Result<usize, StreamError> {
        let data = &source.bytes()[at..];
        let Some((header, header_len)) = self.header.complete(data, sink.lane)? else {
            return Ok(data.len());
        };
        let size = self.check(&header, sink)?;
        if data.len() - header_len >= size {
            let payload = source.payload(at + header_len, size, sink.inbox);
            sink.inbox.deliver(sink.lane, self.number, true, payload);
            return Ok(header_len + size);
        }
        let assembling = &mut sink.inbox.assembling;
        let capacity = if assembling.pieces < MANY_ASSEMBLING {
            FIRST_CAPACITY
        } else {
            FIRST_CAPACITY_OF_MANY
        };
        assembling.add(0);
        let data = Vec::with_capacity(capacity.min(size));
        self.partial = Some(Partial { number: self.number, size, data });
        Ok(header_len)
    }

    /// Checks a header and counts its number; returns the message's size.
    #[inline]
    fn check(&mut self, header: &MessageHeader, sink: &mut Sink<'_>) -> Result<usize, StreamError> {
        let lane = sink.lane;
        let limit = sink.inbox.limits().max_message_bytes;
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        if size > limit {
            return Err(StreamError::MessageTooLarge { lane, size: header.size.into(), limit });
        }
        let highest = *sink.highest;
        let number = self.number.saturating_add(header.number_increment);
        if number > highest.saturating_add(MAX_NUMBER_JUMP) || number == u64::MAX {
            return Err(StreamError::NumberJump { lane, number, highest });
        }
        self.number = number;
        *sink.highest = highest.max(number);
        Ok(size)
    }

    /// Counts data as received without looking at it.
    pub(super) fn skip(&mut self, position: u64, len: usize) {
        self.next = self.next.max(position.saturating_add(len as u64));
    }

    /// Forgets everything but the position; the accounts are reset by the caller.
    pub(super) fn discard(&mut self) {
        *self = Self { next: self.next, number: self.number, ..Self::default() };
    }

    #[cfg(test)]
    pub(super) fn usages(&self) -> (super::inbox::Usage, super::inbox::Usage) {
        let mut assembling = super::inbox::Usage::default();
        if let Some(partial) = &self.partial {
            assembling.add(partial.data.len());
        }
        (assembling, self.ahead.usage())
    }

    #[cfg(test)]
    pub(super) fn partial_capacity(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.data.capacity())
    }
}

/// Where stream data lies.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// In a packet that is about to go.
    Segment(&'a [u8]),
    /// In memory of its own.
    Piece(&'a Bytes),
}

impl<'a> Source<'a> {
    #[inline]
    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Segment(data) => data,
            Self::Piece(piece) => piece,
        }
    }

    #[inline]
    fn payload(self, at: usize, len: usize, inbox: &mut Inbox) -> Bytes {
        match self {
            Self::Segment(data) => inbox.arena.copy(&data[at..at + len]),
            Self::Piece(piece) => piece.slice(at..at + len),
        }
    }
}

/// A message that is not whole yet.
#[derive(Debug)]
struct Partial {
    number: u64,
    size: usize,
    data: Vec<u8>,
}

impl Partial {
    /// Memory grows with the data, never beyond the size that was declared.
    fn append(&mut self, data: &[u8]) {
        let len = self.data.len() + data.len();
        if len > self.data.capacity() {
            let capacity = (2 * self.data.capacity()).max(len).min(self.size);
            self.data.reserve_exact(capacity - self.data.len());
        }
        self.data.extend_from_slice(data);
    }
}

/// The start of a message header whose rest has not come.
#[derive(Debug, Default)]
struct HeaderStart {
    bytes: [u8; MAX_MESSAGE_HEADER],
    len: usize,
}

impl HeaderStart {
    /// The header that ends in `data`, and how much of `data` belongs to it; `None` if all of it
    /// does and more is to come.
    #[inline]
    fn complete(
        &mut self,
        data: &[u8],
        lane: u16,
    ) -> Result<Option<(MessageHeader, usize)>, StreamError> {
        let bad = |source: FrameError| StreamError::Header { lane, source };
        if self.len == 0
            && let Some(found) = decode_message_header(data).map_err(bad)?
        {
            return Ok(Some(found));
        }
        let before = self.len;
        let len = data.len().min(MAX_MESSAGE_HEADER - before);
        self.bytes[before..before + len].copy_from_slice(&data[..len]);
        self.len += len;
        match decode_message_header(&self.bytes[..self.len]).map_err(bad)? {
            Some((header, header_len)) => {
                self.len = 0;
                Ok(Some((header, header_len - before)))
            }
            None if self.len < MAX_MESSAGE_HEADER => Ok(None),
            None => Err(StreamError::EndlessHeader { lane }),
        }
    }
}
