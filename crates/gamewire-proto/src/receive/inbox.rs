//! The queue of whole messages and the accounts of everything held.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{BYTES_PER_PIECE, MIN_PIECES, ReceivedMessage, Refusal, arena::Arena};
use crate::config::ReceiveLimits;

/// Bytes and pieces that something holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Usage {
    pub(super) bytes: usize,
    pub(super) pieces: usize,
}

impl Usage {
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.pieces += 1;
    }

    pub(super) fn remove(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.pieces -= 1;
    }
}

/// The one message that may be finished though the buffer is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Overdraft {
    /// The next one of this lane's stream.
    Stream { lane: u16 },
    /// A reliable-unordered one.
    Unordered { lane: u16, number: u64 },
}

/// Messages on their way to the application, and what all lanes hold together.
#[derive(Debug)]
pub(super) struct Inbox {
    limits: ReceiveLimits,
    pub(super) arena: Arena,
    ready: VecDeque<ReceivedMessage>,
    unread_messages: usize,
    unread_bytes: usize,
    /// Unfinished reliable messages: what came of them in order, and how many they are.
    pub(super) assembling: Usage,
    /// Reliable data ahead of gaps.
    pub(super) ahead: Usage,
    overdraft: Option<Overdraft>,
    /// Unreliable messages come, too: for them the count of messages is a limit, as they cannot wait
    /// in a stream.
    takes_unreliable: bool,
}

impl Inbox {
    pub(super) fn new(limits: ReceiveLimits) -> Self {
        Self {
            limits,
            arena: Arena::default(),
            ready: VecDeque::new(),
            unread_messages: 0,
            unread_bytes: 0,
            assembling: Usage::default(),
            ahead: Usage::default(),
            overdraft: None,
            takes_unreliable: false,
        }
    }

    pub(super) fn limits(&self) -> &ReceiveLimits {
        &self.limits
    }

    pub(super) fn set_limits(&mut self, limits: ReceiveLimits) {
        self.limits = limits;
    }

    pub(super) fn unread_messages(&self) -> usize {
        self.unread_messages
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.unread_bytes + self.assembling.bytes + self.ahead.bytes
    }

    /// Whether one more message may become ready.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.unread_messages < self.limits.buffer_messages.max(1)
            && self.unread_bytes < self.limits.buffer_bytes.max(1)
    }

    /// Whether so many bytes fit, not counting what lies ahead of gaps.
    #[inline]
    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.unread_bytes + self.assembling.bytes + bytes <= self.limits.buffer_bytes
    }

    /// Whether so many bytes may be taken that bring a message nearer to its end.
    #[inline]
    pub(super) fn admit_in_order(&mut self, bytes: usize, of: Overdraft) -> bool {
        self.fits(bytes) || self.overdraw(of)
    }

    fn overdraw(&mut self, of: Overdraft) -> bool {
        if self.overdraft.is_none() && self.unread_messages == 0 {
            self.overdraft = Some(of);
        }
        self.overdraft == Some(of)
    }

    /// `of` is no longer unfinished.
    #[inline]
    pub(super) fn settle(&mut self, of: Overdraft) {
        if self.overdraft == Some(of) {
            self.overdraft = None;
        }
    }

    /// Whether so much may be kept ahead of a gap.
    pub(super) fn admit_ahead(&self, more: Usage) -> Result<(), Refusal> {
        if self.held_bytes() + more.bytes > self.limits.buffer_bytes {
            return Err(Refusal::BufferFull);
        }
        self.admit_pieces(more.pieces)
    }

    /// Whether so many more pieces may be kept.
    pub(super) fn admit_pieces(&self, more: usize) -> Result<(), Refusal> {
        let limit = MIN_PIECES.max(self.limits.buffer_bytes / BYTES_PER_PIECE);
        if more > 0 && self.ahead.pieces + more > limit {
            return Err(Refusal::TooManyPieces);
        }
        Ok(())
    }

    /// Bytes that fit, as far as can be told: what the count of unread messages leaves is reckoned in
    /// messages of the usual size.
    pub(super) fn free_bytes(&self) -> usize {
        let free = self.limits.buffer_bytes.saturating_sub(self.held_bytes());
        if !self.takes_unreliable || self.unread_messages == 0 {
            return free;
        }
        let messages = self.limits.buffer_messages.saturating_sub(self.unread_messages);
        free.min(messages.saturating_mul(self.unread_bytes / self.unread_messages))
    }

    /// A message is whole.
    #[inline]
    pub(super) fn deliver(&mut self, lane: u16, number: u64, reliable: bool, payload: Bytes) {
        self.unread_messages += 1;
        self.unread_bytes += payload.len();
        self.takes_unreliable |= !reliable;
        self.ready.push_back(ReceivedMessage { lane, number, reliable, payload });
    }

    #[inline]
    pub(super) fn poll(&mut self) -> Option<ReceivedMessage> {
        self.ready.pop_front()
    }

    pub(super) fn consumed(&mut self, messages: usize, bytes: usize) {
        self.unread_messages = self.unread_messages.saturating_sub(messages);
        self.unread_bytes = self.unread_bytes.saturating_sub(bytes);
    }

    pub(super) fn release_idle(&mut self) {
        self.arena = Arena::default();
        self.ready.shrink_to_fit();
    }
}
