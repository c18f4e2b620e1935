//! Messages as the application hands them over, and how the queues answer.

use bytes::Bytes;

use crate::Time;

/// A message to send.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OutgoingMessage {
    /// Its content; cheap to clone.
    pub payload: Bytes,
    /// Lane, 0 to one below the number of lanes configured.
    pub lane: u16,
    /// Whether it must arrive.
    pub reliable: bool,
    /// Do not wait for company, nor let those wait that are queued already.
    pub no_nagle: bool,
    /// Rather refuse an unreliable message than let it wait long
    /// ([`NO_DELAY_LIMIT`](super::NO_DELAY_LIMIT)). Of no effect on reliable ones.
    pub no_delay: bool,
    /// When it is of no more use. A message is dropped if no part of it was sent by then.
    pub deadline: Option<Time>,
}

/// How a message was queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EnqueueReport {
    /// Its number on its lane, from 1.
    pub message_number: u64,
    /// It was to be unreliable but is too large for that, and is sent reliably
    /// ([`MAX_UNRELIABLE_BYTES`](super::MAX_UNRELIABLE_BYTES)).
    pub promoted: bool,
}

/// Why a message was not queued; it comes back.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EnqueueError {
    /// `SendBufferSize` or [`MAX_PENDING_MESSAGES`](super::MAX_PENDING_MESSAGES) is used up. Wait for
    /// room ([`SendQueues::took_room`](super::SendQueues::took_room)).
    #[error("too much waits to be sent already")]
    LimitExceeded(OutgoingMessage),
    /// There is no such lane.
    #[error("lane {} is not configured", .0.lane)]
    InvalidLane(OutgoingMessage),
    /// Larger than [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES); or too large to be unreliable,
    /// where such messages are not to become reliable by themselves.
    #[error("{} bytes are too many for one message of its kind", .0.payload.len())]
    TooLarge(OutgoingMessage),
    /// Sent with `no_delay`, and it would wait for too long.
    #[error("the message would have to wait")]
    WouldWait(OutgoingMessage),
}

impl EnqueueError {
    /// The message that was refused.
    pub fn into_message(self) -> OutgoingMessage {
        match self {
            Self::LimitExceeded(message)
            | Self::InvalidLane(message)
            | Self::TooLarge(message)
            | Self::WouldWait(message) => message,
        }
    }
}

/// Why lanes were not configured; nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LaneError {
    /// None, or more than [`MAX_LANES`](crate::lane::MAX_LANES).
    #[error("{0} lanes are not possible")]
    BadCount(usize),
    /// Lanes can only be added.
    #[error("{wanted} lanes are fewer than the {configured} there are")]
    Shrinking {
        /// Lanes asked for.
        wanted: usize,
        /// Lanes there are.
        configured: usize,
    },
    /// A weight of 0.
    #[error("the weight of lane {0} is 0")]
    BadWeight(usize),
}

/// What the peer can take, and what it understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerLimits {
    /// Bytes of a lane's reliable data that may wait for their ack: what lies beyond the peer's
    /// receive buffer is not acknowledged and looks lost (wire.md §5). 1 MiB for Valve's library.
    pub max_unacked_reliable_per_lane: u64,
    /// Bytes of all lanes' data that may wait for their ack: what the peer said that it has room for.
    /// Unreliable data is held back, too: it would be dropped there. `u64::MAX`: it says nothing of the kind.
    pub receive_window: u64,
    /// Largest segment, in bytes.
    pub max_segment: usize,
    /// Extension bits in force ([`gamewire_wire::extensions`]).
    pub features: u64,
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self {
            max_unacked_reliable_per_lane: 1024 * 1024,
            receive_window: u64::MAX,
            max_segment: gamewire_wire::limits::MAX_EXPLICIT_SEGMENT,
            features: 0,
        }
    }
}

/// Bytes on their way through the queues, of one lane or of all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Backlog {
    /// Reliable bytes never sent.
    pub pending_reliable: u64,
    /// Unreliable bytes never sent.
    pub pending_unreliable: u64,
    /// Reliable bytes sent and not acknowledged.
    pub sent_unacked_reliable: u64,
    /// Messages of which no byte was sent.
    pub pending_messages: u64,
}

impl Backlog {
    /// Bytes never sent.
    pub fn pending_bytes(&self) -> u64 {
        self.pending_reliable + self.pending_unreliable
    }

    pub(super) fn replace(&mut self, before: Self, after: Self) {
        let swap = |total: &mut u64, before: u64, after: u64| *total = *total - before + after;
        swap(&mut self.pending_reliable, before.pending_reliable, after.pending_reliable);
        swap(&mut self.pending_unreliable, before.pending_unreliable, after.pending_unreliable);
        swap(
            &mut self.sent_unacked_reliable,
            before.sent_unacked_reliable,
            after.sent_unacked_reliable,
        );
        swap(&mut self.pending_messages, before.pending_messages, after.pending_messages);
    }
}
