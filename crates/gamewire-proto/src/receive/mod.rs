//! From segments back to messages.
//!
//! Sans-IO: never reads frames and never acks. The frame loop hands segments in and learns whether
//! the packet may be acked; the application takes messages out and says when it has consumed them.
//!
//! What a peer can make us hold (all of it named below or in
//! [`ReceiveLimits`]):
//!
//! - *Unread* messages: `buffer_messages` of them; no segment is taken in while they hold
//!   `buffer_bytes` or more.
//! - Data *ahead* of a gap, which is acked and so cannot be given up: only while everything
//!   together stays within `buffer_bytes`, in at most [`MIN_PIECES`] pieces or one for each
//!   [`BYTES_PER_PIECE`] of `buffer_bytes`.
//! - Data *in order*: never refused for what lies ahead of a gap, only while unread messages and
//!   unfinished ones together exceed `buffer_bytes`. Even then, if nothing is unread, one message
//!   at a time may go on up to `max_message_bytes`: its *overdraft*, without which messages of many
//!   lanes could starve each other for ever.
//! - Fragments of unreliable messages: [`MAX_PARTIAL_SEGMENTS`] and [`MAX_PARTIAL_BYTES`], apart from `buffer_bytes`.
//!
//! In sum less than 2 × `buffer_bytes` + `max_message_bytes` + a few packets.
//!
//! Messages that complete while the queue is full are not lost though their packet is acked: their
//! bytes stay in the stream and are parsed when [`Receiver::consumed`] makes room.

use std::collections::VecDeque;

use bytes::Bytes;
use gamewire_wire::{
    limits::MAX_UDP_PAYLOAD,
    snp::{ExtendedSegment, FrameError, ReliableSegment, SegmentKind, UnreliableSegment},
};
use thiserror::Error;

use crate::{
    config::ReceiveLimits,
    lane::{DeliveryMode, MAX_LANES},
};

mod arena;
mod assembly;
mod fragments;
mod inbox;
mod lane;
mod stash;
mod stream;
mod unordered;

use fragments::{Fragments, Ordering};
use inbox::Inbox;
use lane::Lane;
use stream::Sink;

/// Farthest that a reliable message's number may lie past the highest number seen in its lane
/// (wire.md §5). Further is a broken stream: it ends the connection.
pub const MAX_NUMBER_JUMP: u64 = 1_000_000;

/// Largest unreliable message taken, in bytes (wire.md §5). Fragments of larger ones are ignored.
pub const MAX_UNRELIABLE_BYTES: usize = 26_000;

/// Most segments of unfinished unreliable messages held per connection. Beyond it the message that
/// was begun first is given up.
pub const MAX_PARTIAL_SEGMENTS: usize = 256;

/// Most bytes of such segments: so many packets' worth of the usual size.
pub const MAX_PARTIAL_BYTES: usize = MAX_PARTIAL_SEGMENTS * MAX_UDP_PAYLOAD;

/// So many pieces of data ahead of gaps may be held per connection, however small the buffer.
pub const MIN_PIECES: usize = 4096;

/// A buffer larger than [`MIN_PIECES`] of these bytes may be held in one piece for each.
pub const BYTES_PER_PIECE: usize = 256;

/// How many unreliable message numbers behind the newest delivered one repetitions are told apart;
/// what is older still is dropped.
pub const UNRELIABLE_WINDOW: u64 = fragments::DeliveredUnreliable::SIZE;

/// How many message numbers may lie between the oldest unfinished reliable-unordered message of a
/// lane and the newest. **A sender must keep to it**: older numbers count as delivered.
pub const UNORDERED_WINDOW: u64 = unordered::DeliveredUnordered::SIZE;

/// A message as the application gets it.
///
/// Small messages share a block of up to 64 KiB: who keeps one for long should copy it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceivedMessage {
    /// Its lane.
    pub lane: u16,
    /// Its number in the lane, from 1.
    pub number: u64,
    /// Whether it was sent reliably.
    pub reliable: bool,
    /// Its content.
    pub payload: Bytes,
}

/// Whether a segment's packet may be acked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Accepted {
    /// Yes: it was taken, or there is no use in sending it again.
    Yes,
    /// No: it had no effect and must come again. The connection lives.
    Refused(Refusal),
}

/// Why a segment was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// More segments in the packet than `RecvMaxSegmentsPerPacket`.
    TooManySegments,
    /// More bytes than `RecvBufferSize`.
    BufferFull,
    /// More pieces ahead of gaps than the buffer's size allows.
    TooManyPieces,
    /// More unread messages than `RecvBufferMessages`.
    QueueFull,
    /// So far ahead of what is expected that it cannot be kept.
    FarAhead,
    /// A reliable-unordered message larger than `RecvMaxMessageSize`, or one that contradicts what
    /// came of it before.
    Impossible,
    /// No such lane can exist.
    InvalidLane,
    /// Nobody waits for unreliable messages any more.
    Discarding,
}

impl Refusal {
    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManySegments => "too_many_segments",
            Self::BufferFull => "buffer_full",
            Self::TooManyPieces => "too_many_pieces",
            Self::QueueFull => "queue_full",
            Self::FarAhead => "far_ahead",
            Self::Impossible => "impossible",
            Self::InvalidLane => "invalid_lane",
            Self::Discarding => "discarding",
        }
    }
}

/// A reliable stream can no longer be right: the connection must end, with reason 5002.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum StreamError {
    /// A message header that no further byte can mend.
    #[error("lane {lane}: bad message header: {source}")]
    Header {
        /// The stream's lane.
        lane: u16,
        /// What is wrong with it.
        source: FrameError,
    },
    /// A message header that does not end.
    #[error("lane {lane}: endless message header")]
    EndlessHeader {
        /// The stream's lane.
        lane: u16,
    },
    /// A message larger than `RecvMaxMessageSize`.
    #[error("lane {lane}: message of {size} bytes, at most {limit} are taken")]
    MessageTooLarge {
        /// The stream's lane.
        lane: u16,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// A message number more than [`MAX_NUMBER_JUMP`] past the highest one seen.
    #[error("lane {lane}: message number {number} after {highest}")]
    NumberJump {
        /// The stream's lane.
        lane: u16,
        /// The number; the largest possible if it exceeds 64 bits.
        number: u64,
        /// The highest number seen before.
        highest: u64,
    },
}

/// The receiving half of one connection: all lanes, all kinds of delivery.
#[derive(Debug)]
pub struct Receiver {
    /// Up to the highest lane used.
    lanes: Vec<Lane>,
    inbox: Inbox,
    fragments: Fragments,
    /// Lanes whose stream waits for room in the queue.
    stalled: VecDeque<u16>,
    segments_in_packet: usize,
    intake: Intake,
}

/// What becomes of segments.
#[derive(Debug)]
enum Intake {
    Deliver,
    /// The application closed the connection while it lingers.
    Discard,
    /// A stream broke while no segment was at hand to report it on.
    Broken(StreamError),
}

impl Receiver {
    /// Nothing received yet.
    pub fn new(limits: ReceiveLimits) -> Self {
        Self {
            lanes: Vec::new(),
            inbox: Inbox::new(limits),
            fragments: Fragments::default(),
            stalled: VecDeque::new(),
            segments_in_packet: 0,
            intake: Intake::Deliver,
        }
    }

    /// Other limits from now on. What is held beyond them stays.
    pub fn set_limits(&mut self, limits: ReceiveLimits) {
        self.inbox.set_limits(limits);
        self.resume();
    }

    /// How messages of a lane are delivered; only [`DeliveryMode::Sequenced`] makes a difference
    /// here, for unreliable messages. Lanes past the limit are ignored.
    pub fn set_lane_mode(&mut self, lane: u16, mode: DeliveryMode) {
        if let Some(lane) = lane_at(&mut self.lanes, lane) {
            lane.mode = mode;
        }
    }

    /// A new packet: counts its segments from zero.
    #[inline]
    pub fn begin_packet(&mut self) {
        self.segments_in_packet = 0;
    }

    fn count_segment(&mut self) -> Result<(), Refusal> {
        self.segments_in_packet += 1;
        let limit = self.inbox.limits().max_segments_per_packet;
        if self.segments_in_packet > limit { Err(Refusal::TooManySegments) } else { Ok(()) }
    }

    /// A range of a lane's reliable stream.
    #[inline]
    pub fn reliable(&mut self, segment: &ReliableSegment<'_>) -> Result<Accepted, StreamError> {
        if let Err(refusal) = self.count_segment() {
            return Ok(Accepted::Refused(refusal));
        }
        let Some(lane) = lane_at(&mut self.lanes, segment.lane) else {
            return Ok(Accepted::Refused(Refusal::InvalidLane));
        };
        let (stream, highest) = lane.stream();
        match &self.intake {
            Intake::Deliver => {}
            Intake::Discard => {
                stream.skip(segment.position, segment.data.len());
                return Ok(Accepted::Yes);
            }
            Intake::Broken(error) => return Err(error.clone()),
        }
        let was_stalled = stream.is_stalled();
        let mut sink = Sink { lane: segment.lane, highest, inbox: &mut self.inbox };
        let accepted = stream.receive(segment.position, segment.data, &mut sink)?;
        if !was_stalled && stream.is_stalled() {
            self.stalled.push_back(segment.lane);
        }
        Ok(accepted)
    }

    /// An unreliable message or a fragment of one.
    #[inline]
    pub fn unreliable(&mut self, segment: &UnreliableSegment<'_>) -> Accepted {
        self.unreliable_in(segment, Ordering::OfLane)
    }

    /// A segment of the delivery modes that Valve's library lacks.
    pub fn extended(&mut self, segment: &ExtendedSegment<'_>) -> Accepted {
        match segment.kind {
            SegmentKind::Sequenced => self.unreliable_in(&segment.segment, Ordering::Sequenced),
            SegmentKind::ReliableUnordered => self.unordered(&segment.segment),
        }
    }

    #[inline]
    fn unreliable_in(&mut self, segment: &UnreliableSegment<'_>, ordering: Ordering) -> Accepted {
        if let Err(refusal) = self.count_segment() {
            return Accepted::Refused(refusal);
        }
        if !matches!(self.intake, Intake::Deliver) {
            return Accepted::Refused(Refusal::Discarding);
        }
        let Some(lane) = lane_at(&mut self.lanes, segment.lane) else {
            return Accepted::Refused(Refusal::InvalidLane);
        };
        lane.saw_number(segment.message_number);
        let sequenced = match ordering {
            Ordering::OfLane => lane.mode == DeliveryMode::Sequenced,
            Ordering::Sequenced => true,
        };
        self.fragments.receive(segment, sequenced, lane.unreliable(), &mut self.inbox)
    }

    fn unordered(&mut self, segment: &UnreliableSegment<'_>) -> Accepted {
        if let Err(refusal) = self.count_segment() {
            return Accepted::Refused(refusal);
        }
        let Some(lane) = lane_at(&mut self.lanes, segment.lane) else {
            return Accepted::Refused(Refusal::InvalidLane);
        };
        lane.saw_number(segment.message_number);
        match self.intake {
            Intake::Deliver => lane.unordered().receive(segment, &mut self.inbox),
            Intake::Discard | Intake::Broken(_) => Accepted::Yes,
        }
    }

    /// The next message for the application. It counts as unread until it is consumed.
    #[inline]
    pub fn poll_message(&mut self) -> Option<ReceivedMessage> {
        self.inbox.poll()
    }

    /// The application took so many messages of so many bytes in all.
    ///
    /// May make further messages ready.
    pub fn consumed(&mut self, messages: usize, bytes: usize) {
        self.inbox.consumed(messages, bytes);
        self.resume();
    }

    /// Parses what waited for room in the queue.
    fn resume(&mut self) {
        while self.inbox.has_room() {
            let Some(number) = self.stalled.pop_front() else {
                return;
            };
            let Some(lane) = self.lanes.get_mut(usize::from(number)) else {
                continue;
            };
            let (stream, highest) = lane.stream();
            let mut sink = Sink { lane: number, highest, inbox: &mut self.inbox };
            if let Err(error) = stream.drain(&mut sink) {
                self.stalled.clear();
                self.intake = Intake::Broken(error);
                return;
            }
            if stream.is_stalled() {
                self.stalled.push_back(number);
            }
        }
    }

    /// The application is gone but the connection lingers: from now on reliable data counts as
    /// received and is thrown away, unreliable data is refused (wire.md §6). Frees everything held.
    pub fn discard(&mut self) {
        self.intake = Intake::Discard;
        self.stalled = VecDeque::new();
        self.fragments = Fragments::default();
        for lane in &mut self.lanes {
            lane.discard();
        }
        self.inbox = Inbox::new(self.inbox.limits().clone());
    }

    /// The message number to expect next in a lane, for [`gamewire_wire::snp::FrameHints`].
    #[inline]
    pub fn message_number_hint(&self, lane: u16) -> u64 {
        self.lanes.get(usize::from(lane)).map_or(1, Lane::next_number)
    }

    /// The reliable stream position to expect next in a lane, for
    /// [`gamewire_wire::snp::FrameHints`].
    #[inline]
    pub fn stream_position_hint(&self, lane: u16) -> u64 {
        self.lanes.get(usize::from(lane)).map_or(1, Lane::next_position)
    }

    /// Whether whole messages may wait inside until the application consumes others.
    pub fn holds_back(&self) -> bool {
        !self.stalled.is_empty()
    }

    /// Payload bytes held: unread, unfinished and ahead of gaps.
    pub fn buffered_bytes(&self) -> usize {
        self.inbox.held_bytes() + self.fragments.bytes()
    }

    /// Bytes of data that would be taken now, beyond what is held. While nothing is unread,
    /// a message at least: without it those of many lanes could wait for each other for ever.
    pub fn room(&self) -> u64 {
        let limits = self.inbox.limits();
        let free = self.inbox.free_bytes();
        let least = if self.unread_messages() == 0 { limits.max_message_bytes } else { 0 };
        free.max(least) as u64
    }

    /// Messages that the application has not consumed.
    pub fn unread_messages(&self) -> usize {
        self.inbox.unread_messages()
    }

    /// Gives back spare memory if nothing is held. For connections that fell silent.
    pub fn release_idle(&mut self) {
        if self.buffered_bytes() == 0 && self.unread_messages() == 0 {
            self.inbox.release_idle();
            self.fragments = Fragments::default();
            self.stalled.shrink_to_fit();
        }
    }
}

/// The lane, created if it is new; `None` if there can be no such lane.
#[inline]
fn lane_at(lanes: &mut Vec<Lane>, lane: u16) -> Option<&mut Lane> {
    let index = usize::from(lane);
    if index >= MAX_LANES {
        return None;
    }
    if index >= lanes.len() {
        lanes.resize_with(index + 1, Lane::default);
    }
    lanes.get_mut(index)
}

#[cfg(test)]
mod tests;
