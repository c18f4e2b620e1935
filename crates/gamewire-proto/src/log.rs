//! Lines about the traffic of one connection, by subject (`LogLevel_*`).
//!
//! Every subject has a level of its own that is looked at before a line is made, so that silence
//! costs one comparison. The lines go to `tracing` under targets that begin with [`TRAFFIC_TARGET`];
//! a subscriber shows all of them, since whoever raised the level wants to see them.

use std::time::Duration;

use gamewire_wire::snp::Frame;

use crate::{acks::SequenceEvent, config::LogLevels, recovery::AckReport};

/// What the targets of all lines about traffic begin with.
pub const TRAFFIC_TARGET: &str = "gamewire::traffic";

const ACK_RTT: &str = "gamewire::traffic::ack_rtt";
const PACKET_DECODE: &str = "gamewire::traffic::packet_decode";
const MESSAGE: &str = "gamewire::traffic::message";
const PACKET_GAPS: &str = "gamewire::traffic::packet_gaps";

/// Valve's numbers of the levels in use (api.md §3.9).
const VERBOSE: u8 = 6;
const DEBUG: u8 = 7;

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrafficLog {
    /// Our connection id, which every line names.
    pub(crate) connection: u32,
    pub(crate) levels: LogLevels,
}

/// A message in a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageLine {
    pub(crate) lane: u16,
    pub(crate) number: u64,
    pub(crate) bytes: usize,
    pub(crate) reliable: bool,
}

impl TrafficLog {
    /// A message was queued.
    #[inline]
    pub(crate) fn message_sent(self, message: impl FnOnce() -> MessageLine) {
        if self.levels.message >= VERBOSE {
            let MessageLine { lane, number, bytes, reliable } = message();
            let connection = self.connection;
            tracing::debug!(target: MESSAGE, connection, lane, number, bytes, reliable, "message sent");
        }
    }

    /// A message is ready for the application.
    #[inline]
    pub(crate) fn message_received(self, message: impl FnOnce() -> MessageLine) {
        if self.levels.message >= VERBOSE {
            let MessageLine { lane, number, bytes, reliable } = message();
            let connection = self.connection;
            tracing::debug!(target: MESSAGE, connection, lane, number, bytes, reliable, "message received");
        }
    }

    /// A packet was opened.
    #[inline]
    pub(crate) fn packet_opened(self, number: u64, plaintext_bytes: usize) {
        if self.levels.packet_decode >= VERBOSE {
            let connection = self.connection;
            tracing::debug!(target: PACKET_DECODE, connection, number, plaintext_bytes, "packet");
        }
    }

    /// An opened packet makes no sense.
    #[cold]
    pub(crate) fn packet_makes_no_sense(self, reason: &'static str) {
        if self.levels.packet_decode >= VERBOSE {
            let connection = self.connection;
            tracing::debug!(target: PACKET_DECODE, connection, reason, "the packet makes no sense");
        }
    }

    /// A frame was read.
    #[inline]
    pub(crate) fn frame(self, frame: &Frame<'_>) {
        if self.levels.packet_decode >= DEBUG {
            self.describe(frame);
        }
    }

    #[cold]
    fn describe(self, frame: &Frame<'_>) {
        let connection = self.connection;
        match frame {
            Frame::StopWaiting { before } => {
                tracing::trace!(target: PACKET_DECODE, connection, before, "stop waiting");
            }
            Frame::Ack(ack) => {
                let latest = ack.latest;
                tracing::trace!(target: PACKET_DECODE, connection, latest, "ack");
            }
            Frame::Room { bytes } => {
                tracing::trace!(target: PACKET_DECODE, connection, bytes, "room");
            }
            Frame::Padding { len } => {
                tracing::trace!(target: PACKET_DECODE, connection, len, "padding");
            }
            Frame::Reliable(segment) => {
                let (lane, position) = (segment.lane, segment.position);
                let bytes = segment.data.len();
                tracing::trace!(target: PACKET_DECODE, connection, lane, position, bytes, "reliable");
            }
            Frame::Unreliable(segment) => {
                let (lane, number) = (segment.lane, segment.message_number);
                let (offset, last, bytes) = (segment.offset, segment.last, segment.data.len());
                tracing::trace!(
                    target: PACKET_DECODE,
                    connection, lane, number, offset, last, bytes,
                    "unreliable",
                );
            }
            Frame::Extended(extended) => {
                let (kind, segment) = (extended.kind, &extended.segment);
                let (lane, number) = (segment.lane, segment.message_number);
                let (offset, last, bytes) = (segment.offset, segment.last, segment.data.len());
                tracing::trace!(
                    target: PACKET_DECODE,
                    connection, ?kind, lane, number, offset, last, bytes,
                    "extended",
                );
            }
        }
    }

    /// An ack frame was used.
    #[inline]
    pub(crate) fn ack(self, latest: u64, report: &AckReport, smoothed_rtt: Duration) {
        if self.levels.ack_rtt >= VERBOSE {
            self.ack_lines(latest, report, smoothed_rtt);
        }
        self.lost(report.lost_packets, report.lost_bytes);
    }

    #[cold]
    fn ack_lines(self, latest: u64, report: &AckReport, smoothed_rtt: Duration) {
        let connection = self.connection;
        if let Some(rtt) = report.rtt {
            tracing::debug!(target: ACK_RTT, connection, ?rtt, ?smoothed_rtt, "round trip");
        }
        if self.levels.ack_rtt >= DEBUG {
            let (acked, spurious_losses) = (report.acked_packets, report.spurious_losses);
            tracing::trace!(target: ACK_RTT, connection, latest, acked, spurious_losses, "ack");
        }
    }

    /// Packets of ours were declared lost.
    #[inline]
    pub(crate) fn lost(self, packets: u64, bytes: u64) {
        if packets > 0 && self.levels.packet_gaps >= VERBOSE {
            let connection = self.connection;
            tracing::debug!(target: PACKET_GAPS, connection, packets, bytes, "packets lost");
        }
    }

    /// A packet arrived, perhaps not the one after the newest.
    #[inline]
    pub(crate) fn sequence(self, number: u64, event: SequenceEvent) {
        if event != SequenceEvent::InOrder && self.levels.packet_gaps >= VERBOSE {
            let connection = self.connection;
            tracing::debug!(target: PACKET_GAPS, connection, number, ?event, "packet out of step");
        }
    }

    /// A packet came again, or too late to tell.
    #[inline]
    pub(crate) fn repeated(self, number: u64, reason: &'static str) {
        if self.levels.packet_gaps >= VERBOSE {
            let connection = self.connection;
            tracing::debug!(target: PACKET_GAPS, connection, number, reason, "packet dropped");
        }
    }
}
