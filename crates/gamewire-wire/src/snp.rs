//! SNP frames: the plaintext of a data packet (snp-frames.md).
//!
//! [`FrameReader`] yields the frames of one packet, [`PacketWriter`] writes them. Both keep only
//! the context that numbers within the packet are relative to: the selected lane, its current
//! message number and the end of its last reliable segment. Selecting a lane resets the context.

mod ack;
mod message_header;
mod reader;
mod writer;

pub use ack::{AckBlock, AckBlocks, AckFrame};
pub use message_header::{MessageHeader, decode_message_header, encode_message_header};
pub use reader::FrameReader;
pub use writer::{PacketWriter, SegmentData};

use thiserror::Error;

/// What the reader needs to expand numbers of which only the low bits are sent.
pub trait FrameHints {
    /// A message number of the lane near those expected now.
    fn message_number(&self, lane: u16) -> u64;

    /// A position in the lane's reliable stream near those expected now.
    fn stream_position(&self, lane: u16) -> u64;

    /// The packet number last sent, near which acked ones lie.
    fn last_sent_packet(&self) -> u64;
}

/// One frame of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The receiver need not report any more on packet numbers below `before`.
    StopWaiting {
        /// Packet number − offset − 1; always below the number of the packet that carries it.
        before: u64,
    },
    /// What the peer received.
    Ack(AckFrame<'a>),
    /// Part of an unreliable message.
    Unreliable(UnreliableSegment<'a>),
    /// Part of a lane's reliable stream.
    Reliable(ReliableSegment<'a>),
    /// Part of a message of a delivery mode that only Gamewire peers know. Whether it was
    /// negotiated is for the connection to check.
    Extended(ExtendedSegment<'a>),
    /// How much data the peer has room for, beyond what the ack in this packet says that it
    /// has. Whether that was negotiated is for the connection to check.
    Room {
        /// In bytes, of all lanes together.
        bytes: u64,
    },
    /// The rest of the packet means nothing: it was to find out whether packets of this size arrive.
    /// Whether that was negotiated is for the connection to check.
    Padding {
        /// In bytes, behind the frame's first one.
        len: usize,
    },
}

/// Part of an unreliable message.
///
/// `offset` plus the data's length may exceed 32 bits or any message: the receiver checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreliableSegment<'a> {
    /// The lane, 0 to 254.
    pub lane: u16,
    /// The message's number in its lane, from 1.
    pub message_number: u64,
    /// Where in the message the data lies, in bytes.
    pub offset: u32,
    /// Whether the message ends with this segment.
    pub last: bool,
    /// The data; may be empty.
    pub data: &'a [u8],
}

/// Part of a lane's reliable stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReliableSegment<'a> {
    /// The lane, 0 to 254.
    pub lane: u16,
    /// Position of the first byte in the lane's stream, from 1; position + length does not
    /// overflow.
    pub position: u64,
    /// The data; may be empty.
    pub data: &'a [u8],
}

/// Delivery mode of an [`ExtendedSegment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SegmentKind {
    /// Delivered exactly once, as soon as complete, in any order.
    ReliableUnordered = 0,
    /// Delivered at most once, and never after a newer one of its lane.
    Sequenced = 1,
}

/// Part of a message of a delivery mode that only Gamewire peers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedSegment<'a> {
    /// The delivery mode.
    pub kind: SegmentKind,
    /// The segment; its number follows the same per-packet context as unreliable ones.
    pub segment: UnreliableSegment<'a>,
}

/// Why a plaintext, or a message header in the reliable stream, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The plaintext ends within a frame.
    #[error("frame is cut short")]
    Truncated,
    /// A varint exceeds 64 bits.
    #[error("varint exceeds 64 bits")]
    Varint,
    /// The first byte is reserved.
    #[error("frame type {0:#04x} is reserved")]
    ReservedFrame(u8),
    /// Size code 6, or 5 where sizes as varints were not negotiated.
    #[error("segment size code is reserved")]
    ReservedSize,
    /// The fourth form of a first stream position.
    #[error("stream position code is reserved")]
    ReservedPosition,
    /// A lane number above 254.
    #[error("lane number exceeds the limit")]
    Lane,
    /// A delivery mode this version does not know.
    #[error("segment kind {0} is unknown")]
    SegmentKind(u8),
    /// Message numbers start at 1 and fit in 64 bits.
    #[error("message number out of range")]
    MessageNumber,
    /// An offset within a message that does not fit in 32 bits.
    #[error("offset in message out of range")]
    Offset,
    /// Stream positions start at 1, and the segment's end fits in 64 bits.
    #[error("stream position out of range")]
    StreamPosition,
    /// The stop-waiting offset reaches below packet number 0.
    #[error("stop waiting reaches below zero")]
    StopWaiting,
    /// A count above [`MAX_ACK_COUNT`](crate::limits::MAX_ACK_COUNT).
    #[error("ack count exceeds the limit")]
    AckCount,
    /// The ack blocks reach below packet number 0.
    #[error("ack blocks reach below zero")]
    AckRange,
    /// The reserved high bit of a message header is set.
    #[error("message header {0:#04x} is reserved")]
    ReservedMessageHeader(u8),
    /// A message size that does not fit in 32 bits.
    #[error("message size out of range")]
    MessageSize,
}

#[cfg(test)]
mod tests;
