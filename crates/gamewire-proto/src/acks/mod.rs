//! Which packets arrived, what to tell the peer of them, and when.
//!
//! Sans-IO: never opens packets and never sends. What was opened is recorded here; when a packet
//! goes out anyway, or a deadline says that one must, an ack frame is written into it.
//!
//! An ack frame accounts for every number from the last stop-waiting number up to the one it
//! names, and what its blocks leave unsaid is acked (snp-frames.md, "Ack"). So a frame with more
//! gaps than room is never just cut short. `frame.rs` says how it stays true.

use std::time::Duration;

use gamewire_wire::{snp::PacketWriter, truncated};

use crate::Time;

mod frame;
mod ranges;
mod schedule;
mod window;

pub(crate) use window::SeenWindow;

use frame::Statement;
use ranges::{Inserted, ReceivedRanges};
use schedule::AckSchedule;

/// Longest wait of reliable data for its ack, give or take [`REORDER_WAIT`]. Half of what Valve's
/// library takes (50 ms), so well inside what any peer's retransmission timer allows for.
pub const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// So many packets with reliable data are acked at once, without waiting for a timer.
pub const ACK_EVERY_PACKETS: u32 = 16;

/// The same at the start of a connection, while the peer's congestion window is small.
pub const ACK_EVERY_PACKETS_AT_START: u32 = 2;

/// How many packets with reliable data count as the start of a connection.
pub const START_PACKETS: u32 = 128;

/// How long a new gap may fill before the peer is told of it, so that packets that merely overtook
/// each other are not reported missing.
pub const REORDER_WAIT: Duration = Duration::from_millis(1);

/// Once so many numbers lie beyond a new gap, it is reported without further wait.
pub const REORDER_PACKETS: u64 = 64;

/// Most blocks written into one ack frame; Valve's library reads no more.
pub const MAX_ACK_BLOCKS: usize = 64;

/// Most ranges of received numbers remembered. Past it the oldest ones count as not received, which
/// costs the peer a retransmission at worst.
pub const MAX_RECEIVED_RANGES: usize = 1024;

/// How far behind the newest packet duplicates are told apart, in packets; what is older is refused.
pub const DUPLICATE_WINDOW: u64 = SeenWindow::<DUPLICATE_WORDS>::SIZE;

const DUPLICATE_WORDS: usize = 64;

/// How soon a packet asks for an ack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AckNeed {
    /// It carries nothing but acks and unreliable data.
    None,
    /// It carries reliable data: within [`MAX_ACK_DELAY`].
    Delayed,
    /// At once.
    Immediate,
}

/// Whether a packet number was seen before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// Not seen yet.
    New,
    /// Seen.
    Duplicate,
    /// More than [`DUPLICATE_WINDOW`] behind the newest: nobody knows any more.
    TooOld,
}

/// How a packet number follows on those before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SequenceEvent {
    /// The number after the newest one.
    InOrder,
    /// Newer than the newest one, with numbers left out.
    Gap {
        /// How many were left out.
        missing: u64,
    },
    /// Older than the newest one.
    OutOfOrder,
}

/// The packet numbers received on one connection.
///
/// Feed it every packet that was opened: its stop-waiting number through
/// [`ReceivedPackets::on_stop_waiting`], then itself through [`ReceivedPackets::on_packet`]. Write
/// [`ReceivedPackets::write_ack`] into every packet sent, and send one when
/// [`ReceivedPackets::deadline`] has come.
#[derive(Clone, Debug)]
pub struct ReceivedPackets {
    /// All that were seen, acked or not.
    seen: SeenWindow<DUPLICATE_WORDS>,
    /// Those that may be acked, none below `floor`.
    ranges: ReceivedRanges,
    /// The peer asks for no report on lower numbers.
    floor: u64,
    /// Number of the first data packet.
    first: u64,
    stop_waiting: StopWaiting,
    /// Everything received up to here was once said exactly.
    told_through: u64,
    schedule: AckSchedule,
}

/// The newest stop-waiting frame, to notice when a peer takes its word back.
#[derive(Clone, Copy, Debug, Default)]
struct StopWaiting {
    packet_number: u64,
    before: u64,
}

impl ReceivedPackets {
    /// Before the first data packet. All numbers up to `already_received` count as seen: the
    /// handshake is packet 1 (wire.md §2).
    pub fn new(already_received: u64) -> Self {
        Self {
            seen: SeenWindow::new(already_received),
            ranges: ReceivedRanges::default(),
            floor: already_received.saturating_add(1),
            first: already_received.saturating_add(1),
            stop_waiting: StopWaiting::default(),
            told_through: already_received,
            schedule: AckSchedule::default(),
        }
    }

    /// Whether any data packet came.
    pub fn heard_anything(&self) -> bool {
        self.seen.newest() >= self.first
    }

    /// The full number of a packet that sends its low 16 bits: the one nearest to the newest seen.
    #[inline]
    pub fn expand(&self, low16: u16) -> u64 {
        truncated::expand(u64::from(low16), 16, self.seen.newest())
    }

    /// Whether the packet was seen before.
    #[inline]
    pub fn freshness(&self, packet_number: u64) -> Freshness {
        self.seen.freshness(packet_number)
    }

    /// The newest number seen, whether it may be acked or not.
    #[inline]
    pub fn newest(&self) -> u64 {
        self.seen.newest()
    }

    /// Records a packet that was opened.
    ///
    /// `keep` = false: its content was refused, so it is a duplicate when it comes again but is
    /// never acked.
    #[inline]
    pub fn on_packet(
        &mut self,
        now: Time,
        packet_number: u64,
        need: AckNeed,
        keep: bool,
    ) -> SequenceEvent {
        let newest = self.seen.newest();
        let event = match packet_number.checked_sub(newest) {
            Some(1) => SequenceEvent::InOrder,
            None | Some(0) => SequenceEvent::OutOfOrder,
            Some(ahead) => SequenceEvent::Gap { missing: ahead - 1 },
        };
        self.seen.mark(packet_number);
        if keep && packet_number >= self.floor {
            self.keep(now, packet_number, need);
        }
        event
    }

    #[inline]
    fn keep(&mut self, now: Time, packet_number: u64, need: AckNeed) {
        let newest_kept = self.ranges.newest().map_or(self.floor - 1, |range| range.end);
        match self.ranges.insert(packet_number, now) {
            Inserted::Next => {
                if packet_number > newest_kept + 1 {
                    self.schedule.on_gap(now, newest_kept + 1);
                }
            }
            Inserted::Late => {
                let newest_start = self.ranges.newest().map_or(0, |range| range.start);
                self.schedule.on_late(newest_start);
                if packet_number <= self.told_through {
                    self.schedule.due_by(now + REORDER_WAIT);
                }
            }
            Inserted::Already => return,
        }
        self.schedule.on_packet(now, packet_number, need);
        self.ranges.forget_beyond(MAX_RECEIVED_RANGES);
    }

    /// A stop-waiting frame in the packet `packet_number`: numbers below `before` need no report.
    ///
    /// Returns whether it is odd: not below its own packet's number, or less than a previous one
    /// said. Oddities are ignored; no number becomes acked by it that was not received (lessons.md
    /// 5.2, GNS#410).
    pub fn on_stop_waiting(&mut self, packet_number: u64, before: u64) -> bool {
        let newer = packet_number > self.stop_waiting.packet_number;
        if before >= packet_number || (newer && before < self.stop_waiting.before) {
            return true;
        }
        if newer {
            self.stop_waiting = StopWaiting { packet_number, before };
        }
        if before > self.floor {
            self.floor = before;
            self.told_through = self.told_through.max(before - 1);
            self.ranges.forget_below(before);
        }
        false
    }

    /// The peer asks for an ack within a time; zero means with no delay at all.
    pub fn request_ack(&mut self, now: Time, within: Duration) {
        if within.is_zero() {
            self.schedule.due_at_once(now);
        } else {
            self.schedule.due_by(now + within);
        }
    }

    /// When an ack must be on its way; `None`: nothing is waiting to be acked.
    pub fn deadline(&self) -> Option<Time> {
        self.schedule.deadline()
    }

    /// Writes an ack frame of at most `max_len` bytes; false if there is nothing to say or no room.
    ///
    /// Clears the deadline if the frame says everything; else the deadline stays, so that the rest
    /// follows in the next packet.
    pub fn write_ack(&mut self, now: Time, writer: &mut PacketWriter<'_>, max_len: usize) -> bool {
        let Some(newest) = self.ranges.len().checked_sub(1) else {
            // Kept packets fell below the floor: the peer no longer asks.
            self.schedule.said_everything();
            return false;
        };
        let held = self.schedule.held_gap(now).and_then(|gap| self.ranges.last_below(gap));
        let room = max_len.min(writer.remaining());
        let statement = Statement::choose(
            &self.ranges,
            held.unwrap_or(newest),
            (self.floor, self.told_through),
            room,
        );
        let Some(statement) = statement else {
            self.schedule.postpone(now);
            return false;
        };
        let delay = frame::delay_field(now, statement.latest_at);
        writer.ack(statement.latest, delay, false, &statement.blocks);
        self.told_through = self.told_through.max(statement.latest);
        if statement.top == newest {
            self.schedule.said_everything();
        } else if statement.top != held.unwrap_or(newest) {
            self.schedule.due_by(now);
        }
        true
    }
}

#[cfg(test)]
mod tests;
