//! What happens to packets, as far as statistics care, and what statistics ask for in return.

use gamewire_wire::{messages::UdpStats, snp::AckBlock};

use crate::acks::SequenceEvent;

/// `ACK_REQUEST_E2E`: the peer acks within its usual delay.
pub const FLAG_ACK_REQUEST_E2E: u32 = 2;
/// `ACK_REQUEST_IMMEDIATE`: the peer acks at once.
pub const FLAG_ACK_REQUEST_IMMEDIATE: u32 = 4;
/// `NOT_PRIMARY_TRANSPORT_E2E`: the packet came over a transport that is not the selected one.
pub const FLAG_NOT_PRIMARY_TRANSPORT_E2E: u32 = 16;

/// Where a received packet stands among the packet numbers received before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The successor of the newest.
    InOrder,
    /// Newer than the successor of the newest; `missing` numbers were skipped. [`super::LURCH_MISSING`] or
    /// more count as a lurch instead of as drops.
    Gap {
        /// Skipped packet numbers, at least 1.
        missing: u64,
    },
    /// Older than the newest, not seen before: one packet counted as dropped was only late.
    OutOfOrder,
    /// Came early, waited, and was put in its place before it was processed.
    OutOfOrderCorrected,
    /// Seen before. Not proof of life: anyone can replay a datagram.
    Duplicate,
    /// Too old to tell whether it was seen; counts as a lurch. Not proof of life.
    TooOld,
}

impl From<SequenceEvent> for Arrival {
    fn from(event: SequenceEvent) -> Self {
        match event {
            SequenceEvent::InOrder => Self::InOrder,
            SequenceEvent::Gap { missing } => Self::Gap { missing },
            SequenceEvent::OutOfOrder => Self::OutOfOrder,
        }
    }
}

/// What a sent packet carries, as far as statistics care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SentContent {
    /// Nothing but acks (and perhaps statistics).
    AcksOnly,
    /// Application data to which the peer owes no ack.
    Unreliable,
    /// Data that the peer acks.
    Reliable,
}

/// A packet just sent.
#[derive(Clone, Copy, Debug)]
pub struct SentPacket<'a> {
    /// Its full number.
    pub packet_number: u64,
    /// Size of the datagram.
    pub bytes: usize,
    /// What it carries.
    pub content: SentContent,
    /// The statistics that it carries, as [`super::LinkStats::inline_stats_for_packet`] gave them.
    pub stats: Option<&'a UdpStats>,
}

/// What the peer asked for with the statistics of a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AckRequest {
    /// Nothing.
    None,
    /// An ack within the usual delay (50 ms).
    Delayed,
    /// An ack now.
    Immediate,
}

impl AckRequest {
    /// What `stats` ask for; their body alone already asks for a delayed ack (wire.md §6).
    pub fn of(stats: &UdpStats) -> Self {
        let flags = stats.flags.unwrap_or(0);
        if flags & FLAG_ACK_REQUEST_IMMEDIATE != 0 {
            Self::Immediate
        } else if flags & FLAG_ACK_REQUEST_E2E != 0 || stats.stats.is_some() {
            Self::Delayed
        } else {
            Self::None
        }
    }
}

/// Why a packet is wanted though nobody has data to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendReason {
    /// The peer stopped answering: every [`super::URGENT_PING_EVERY`].
    UrgentPing,
    /// Nothing was heard for [`super::KEEP_ALIVE_AFTER`].
    KeepAlive,
    /// Unreliable data flows and no ping sample came for [`super::PING_FORCED_AFTER`].
    TracerPing,
    /// Statistics are overdue.
    Stats,
}

/// What the driver does after a timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatsAction {
    /// Nothing.
    Nothing,
    /// Build a packet now, however empty; `inline_stats_for_packet(now, false)` fills its statistics.
    Send(SendReason),
}

/// Whether an ack frame says that packet `number` arrived; what lies below its blocks did.
pub(super) fn is_acked(
    number: u64,
    latest: u64,
    blocks: impl IntoIterator<Item = AckBlock>,
) -> bool {
    let Some(mut older) = latest.checked_sub(number) else {
        return false;
    };
    for block in blocks {
        let (acked, missing) = (u64::from(block.acked), u64::from(block.missing));
        if older < acked {
            return true;
        }
        if older < acked + missing {
            return false;
        }
        older -= acked + missing;
    }
    true
}
