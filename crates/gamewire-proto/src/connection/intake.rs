//! Packets in: sequence, seal, frames.

use std::time::Duration;

use gamewire_wire::{
    extensions,
    limits::{DATA_HEADER_LEN, MAX_UDP_PAYLOAD},
    messages::UdpStats,
    snp::{Frame, FrameHints, FrameReader, SegmentKind},
    udp,
};
use prost::Message as _;

use super::{session::Session, window::Told};
use crate::{
    Time,
    acks::{AckNeed, Freshness, MAX_ACK_DELAY, SequenceEvent},
    drops::DropReason,
    receive::{Accepted, Receiver},
    recovery::AckOutcome,
    send::SendQueues,
    stats::{AckRequest, Arrival},
};

/// So many authenticated packets in a row that make no sense end the connection: the peer's stream
/// and ours no longer agree, and waiting would only hide it.
const MAX_ODD_PACKETS: u32 = 64;

/// A data packet with less than this cannot hold a sealed payload worth opening.
const MIN_DATA_PACKET: usize = DATA_HEADER_LEN;

/// A peer that was silent for so long has come to rest, and so have we.
const IDLE_AFTER: Duration = Duration::from_secs(5);

/// The streams can no longer be right; the text says why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fatal(pub(super) String);

/// What an opened packet can be, besides of use.
enum Unusable {
    /// Dropped, the connection is as before.
    Odd(DropReason),
    Fatal(Fatal),
}

/// Where the reader looks up what truncated numbers are near to.
struct Hints<'a> {
    receiver: &'a Receiver,
    last_sent: u64,
}

impl FrameHints for Hints<'_> {
    fn message_number(&self, lane: u16) -> u64 {
        self.receiver.message_number_hint(lane)
    }

    fn stream_position(&self, lane: u16) -> u64 {
        self.receiver.stream_position_hint(lane)
    }

    fn last_sent_packet(&self) -> u64 {
        self.last_sent
    }
}

/// What the frames of a packet ask for.
struct Contents {
    need: AckNeed,
    keep: bool,
}

impl Session {
    /// A datagram with a data packet, opened in place.
    pub(super) fn handle_datagram(
        &mut self,
        now: Time,
        datagram: &mut [u8],
        queues: &mut SendQueues,
        receiver: &mut Receiver,
    ) -> Result<(), Fatal> {
        let too_large = datagram.len() > MAX_UDP_PAYLOAD && !self.takes_large_packets();
        if datagram.len() < MIN_DATA_PACKET || too_large {
            return self.drop(DropReason::Malformed);
        }
        let low = u16::from_le_bytes([datagram[5], datagram[6]]);
        let number = self.acks.expand(low);
        match self.acks.freshness(number) {
            Freshness::New => {}
            Freshness::Duplicate => {
                self.stats.on_packet_received(now, datagram.len(), Arrival::Duplicate, None);
                self.log.repeated(number, DropReason::Duplicate.name());
                return self.drop(DropReason::Duplicate);
            }
            Freshness::TooOld => {
                self.stats.on_packet_received(now, datagram.len(), Arrival::TooOld, None);
                self.log.repeated(number, DropReason::TooOld.name());
                return self.drop(DropReason::TooOld);
            }
        }
        if let Some(held) = self.early.packet_number() {
            // The one it waited for, or a later one: either way the wait is over.
            if number < held {
                self.corrected = number + 1 == held;
                let fate = self.open_and_process(now, number, datagram, queues, receiver);
                let late = self.release_early(now, queues, receiver);
                self.corrected = false;
                return fate.and(late);
            }
            self.release_early(now, queues, receiver)?;
            // What was held may have been a forgery under this very number.
            if self.acks.freshness(number) != Freshness::New {
                return self.drop(DropReason::Duplicate);
            }
            return self.open_and_process(now, number, datagram, queues, receiver);
        }
        let came_early = number > self.acks.newest() + 1;
        if came_early && !self.early_window.is_zero() {
            self.early.hold(now, self.early_window, number, datagram);
            return Ok(());
        }
        self.open_and_process(now, number, datagram, queues, receiver)
    }

    pub(super) fn release_early(
        &mut self,
        now: Time,
        queues: &mut SendQueues,
        receiver: &mut Receiver,
    ) -> Result<(), Fatal> {
        let Some(number) = self.early.packet_number() else {
            return Ok(());
        };
        let Some(mut datagram) = self.early.take() else {
            return Ok(());
        };
        let fate = self.open_and_process(now, number, &mut datagram, queues, receiver);
        self.early.give_back(datagram);
        fate
    }

    fn open_and_process(
        &mut self,
        now: Time,
        number: u64,
        datagram: &mut [u8],
        queues: &mut SendQueues,
        receiver: &mut Receiver,
    ) -> Result<(), Fatal> {
        let Ok(udp::Datagram::Data(packet)) = udp::parse(datagram) else {
            return self.drop(DropReason::Malformed);
        };
        let time_since_previous = packet.header.time_since_previous;
        let stats_range = packet.stats.map(|blob| {
            let start = blob.as_ptr() as usize - datagram.as_ptr() as usize;
            start..start + blob.len()
        });
        let (head, sealed) = datagram.split_at_mut(packet.payload_offset);
        let Ok(plaintext) = self.opener.open(number, sealed) else {
            return self.drop(DropReason::BadSeal);
        };
        self.packets_opened += 1;
        self.connect_ok_arrived();
        if now.since(self.stats.last_received()) >= IDLE_AFTER {
            self.release_idle(receiver);
        }
        let bytes = head.len() + plaintext.len();
        self.log.packet_opened(number, plaintext.len());
        let outcome = self.process(now, number, plaintext, queues, receiver);
        let contents = match outcome {
            Ok(contents) => contents,
            Err(Unusable::Odd(reason)) => {
                self.acks.on_packet(now, number, AckNeed::None, false);
                return self.odd(reason);
            }
            Err(Unusable::Fatal(fatal)) => return Err(fatal),
        };
        self.odd_packets = 0;
        let event = self.acks.on_packet(now, number, contents.need, contents.keep);
        self.log.sequence(number, event);
        let arrival = match event {
            SequenceEvent::InOrder if self.corrected => Arrival::OutOfOrderCorrected,
            event => Arrival::from(event),
        };
        self.corrected &= arrival != Arrival::OutOfOrderCorrected;
        self.stats.on_packet_received(now, bytes, arrival, time_since_previous);
        if let Some(range) = stats_range {
            self.inline_stats(now, &head[range]);
        }
        if contents.keep { Ok(()) } else { self.drop(DropReason::NoRoom) }
    }

    fn drop(&mut self, reason: DropReason) -> Result<(), Fatal> {
        self.drops.count(reason);
        Ok(())
    }

    fn odd(&mut self, reason: DropReason) -> Result<(), Fatal> {
        self.odd_packets += 1;
        self.log.packet_makes_no_sense(reason.name());
        if self.odd_packets >= MAX_ODD_PACKETS {
            return Err(Fatal(format!("{MAX_ODD_PACKETS} packets in a row make no sense")));
        }
        self.drop(reason)
    }

    fn process(
        &mut self,
        now: Time,
        number: u64,
        plaintext: &[u8],
        queues: &mut SendQueues,
        receiver: &mut Receiver,
    ) -> Result<Contents, Unusable> {
        let takes_large = self.takes_large_packets();
        let mut reader = FrameReader::new(plaintext, number).with_wide_sizes(takes_large);
        let mut contents = Contents { need: AckNeed::None, keep: true };
        let mut told = Told::default();
        let last_sent = self.recovery.last_sent();
        receiver.begin_packet();
        loop {
            let frame = reader.next(&Hints { receiver, last_sent });
            let Ok(frame) = frame else {
                return Err(Unusable::Odd(DropReason::Malformed));
            };
            let Some(frame) = frame else {
                if let Some(room) = self.window.on_told(now, number, told) {
                    queues.set_receive_window(room);
                }
                return Ok(contents);
            };
            self.log.frame(&frame);
            let accepted = match frame {
                Frame::StopWaiting { before } => {
                    self.acks.on_stop_waiting(number, before);
                    Accepted::Yes
                }
                Frame::Ack(ack) => {
                    let outcome = self.recovery.on_ack(now, &ack, queues, &mut *self.controller);
                    self.after_ack(now, ack.latest, outcome)?;
                    self.judge_sizes(now);
                    self.stats.on_ack_frame(now, ack.latest, ack.blocks());
                    told.acked = true;
                    Accepted::Yes
                }
                Frame::Room { bytes } => {
                    if self.traits.features & extensions::RECEIVE_WINDOW == 0 {
                        return Err(Unusable::Odd(DropReason::Malformed));
                    }
                    told.room = Some(bytes);
                    Accepted::Yes
                }
                Frame::Padding { .. } => {
                    if !takes_large {
                        return Err(Unusable::Odd(DropReason::Malformed));
                    }
                    Accepted::Yes
                }
                Frame::Reliable(segment) => {
                    contents.need = AckNeed::Delayed;
                    receiver
                        .reliable(&segment)
                        .map_err(|e| Unusable::Fatal(Fatal(e.to_string())))?
                }
                Frame::Unreliable(segment) => receiver.unreliable(&segment),
                Frame::Extended(segment) => {
                    if self.traits.features & feature_of(segment.kind) == 0 {
                        return Err(Unusable::Odd(DropReason::Malformed));
                    }
                    if segment.kind == SegmentKind::ReliableUnordered {
                        contents.need = AckNeed::Delayed;
                    }
                    receiver.extended(&segment)
                }
            };
            if accepted != Accepted::Yes {
                contents.keep = false;
            }
        }
    }

    fn after_ack(&mut self, now: Time, latest: u64, outcome: AckOutcome) -> Result<(), Unusable> {
        match outcome {
            AckOutcome::NeverSent => Err(Unusable::Odd(DropReason::OddAck)),
            AckOutcome::Processed(report) => {
                self.log.ack(latest, &report, self.recovery.rtt().smoothed_rtt());
                if let Some(rtt) = report.rtt {
                    self.stats.on_ping_sample(now, rtt);
                }
                Ok(())
            }
        }
    }

    fn inline_stats(&mut self, now: Time, blob: &[u8]) {
        match UdpStats::decode(blob) {
            Ok(message) => match self.stats.on_stats_received(now, &message) {
                AckRequest::None => {}
                AckRequest::Delayed => self.acks.request_ack(now, MAX_ACK_DELAY),
                AckRequest::Immediate => self.acks.request_ack(now, Duration::ZERO),
            },
            Err(error) => {
                tracing::debug!(%error, "inline statistics do not parse");
                self.drops.count(DropReason::BadStats);
            }
        }
    }
}

/// The extension bit that a kind of segment needs.
fn feature_of(kind: SegmentKind) -> u64 {
    match kind {
        SegmentKind::ReliableUnordered => extensions::RELIABLE_UNORDERED,
        SegmentKind::Sequenced => extensions::SEQUENCED,
    }
}
