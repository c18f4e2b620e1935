//! The established part of a connection: packets in, packets out.

use std::time::Duration;

use gamewire_crypto::{Entropy, Opener, Sealer};
use gamewire_wire::{
    extensions,
    limits::{DATA_HEADER_LEN, MAX_UDP_PAYLOAD},
    messages::UdpStats,
    snp::{Frame, FrameHints, FrameReader, SegmentKind},
    udp,
};
use prost::Message as _;

use super::early::EarlyPacket;
use crate::{
    Time,
    acks::{AckNeed, Freshness, MAX_ACK_DELAY, ReceivedPackets, SequenceEvent},
    config::{ConnectionConfig, SendConfig},
    congestion::{CongestionController, FixedRate, Pacer},
    drops::DropReason,
    handshake::{Agreement, ConnectOkAgain},
    receive::{Accepted, Receiver},
    recovery::{AckOutcome, Recovery},
    send::{PeerLimits, SendQueues},
    stats::{AckRequest, Arrival, LinkStats, StatsAction},
};

/// So many authenticated packets in a row that make no sense end the connection: the peer's stream
/// and ours no longer agree, and waiting would only hide it.
const MAX_ODD_PACKETS: u32 = 64;

/// A data packet with less than this cannot hold a sealed payload worth opening.
const MIN_DATA_PACKET: usize = DATA_HEADER_LEN;

/// What became of a received packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PacketFate {
    /// Its content was used (or it waits for the one before it).
    Used,
    /// Dropped, the connection is as before.
    Dropped(DropReason),
    /// The streams can no longer be right.
    Fatal(String),
}

/// What the peer can do, as it matters for packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerTraits {
    /// Protocol version, 8 at least.
    pub protocol_version: u32,
    /// Extension bits in force.
    pub features: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) remote_id: u32,
    pub(super) sealer: Sealer,
    opener: Opener,
    pub(super) traits: PeerTraits,
    connect_ok: Option<ConnectOkAgain>,
    pub(super) acks: ReceivedPackets,
    pub(super) recovery: Recovery,
    pub(super) controller: Box<dyn CongestionController>,
    pub(super) pacer: Pacer,
    pub(super) stats: LinkStats,
    early: EarlyPacket,
    early_window: Duration,
    /// The packet being processed came late, and its successor waited for it.
    corrected: bool,
    odd_packets: u32,
    pub(super) outgoing: super::transmit::Outgoing,
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
    pub(super) fn new(
        now: Time,
        agreement: Agreement,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let rtt = agreement.ping_us.map(Duration::from_micros);
        let controller = FixedRate::new(&config.send, rtt);
        let mut stats = LinkStats::new(now, entropy.next_u32());
        let mut recovery = Recovery::new(agreement.first_packet_number);
        if let Some(rtt) = rtt {
            stats.on_ping_sample(now, rtt);
            recovery.seed_rtt(rtt);
        }
        Self {
            remote_id: agreement.remote_id,
            sealer: agreement.sealer,
            opener: agreement.opener,
            traits: PeerTraits {
                protocol_version: agreement.peer.protocol_version,
                features: agreement.peer.features,
            },
            connect_ok: agreement.connect_ok,
            acks: ReceivedPackets::new(agreement.first_packet_number - 1),
            recovery,
            pacer: Pacer::new(now, &controller),
            controller: Box::new(controller),
            stats,
            early: EarlyPacket::default(),
            early_window: config.receive.out_of_order_window,
            corrected: false,
            odd_packets: 0,
            outgoing: super::transmit::Outgoing::new(now, config),
        }
    }

    /// What the send queues must know of the peer.
    pub(super) fn peer_limits(&self) -> PeerLimits {
        PeerLimits { features: self.traits.features, ..PeerLimits::default() }
    }

    pub(super) fn connect_ok_again(&self, timestamp: Option<u64>, limit: usize) -> Option<Vec<u8>> {
        self.connect_ok.as_ref()?.encode(timestamp, limit)
    }

    /// Whether a datagram is sealed by our peer; for states that use nothing else of it.
    pub(super) fn authenticate(&self, datagram: &mut [u8]) -> bool {
        let Ok(udp::Datagram::Data(packet)) = udp::parse(datagram) else { return false };
        let number = self.acks.expand(packet.header.packet_number_low);
        let offset = packet.payload_offset;
        self.opener.open(number, &mut datagram[offset..]).is_ok()
    }

    /// A datagram with a data packet, opened in place.
    pub(super) fn handle_datagram(
        &mut self,
        now: Time,
        datagram: &mut [u8],
        queues: &mut SendQueues,
        receiver: &mut Receiver,
    ) -> PacketFate {
        if datagram.len() < MIN_DATA_PACKET || datagram.len() > MAX_UDP_PAYLOAD {
            return PacketFate::Dropped(DropReason::Malformed);
        }
        let low = u16::from_le_bytes([datagram[5], datagram[6]]);
        let number = self.acks.expand(low);
        match self.acks.freshness(number) {
            Freshness::New => {}
            Freshness::Duplicate => {
                self.stats.on_packet_received(now, datagram.len(), Arrival::Duplicate, None);
                return PacketFate::Dropped(DropReason::Duplicate);
            }
            Freshness::TooOld => {
                self.stats.on_packet_received(now, datagram.len(), Arrival::TooOld, None);
                return PacketFate::Dropped(DropReason::TooOld);
            }
        }
        if let Some(held) = self.early.packet_number() {
            if held == number {
                return PacketFate::Dropped(DropReason::Duplicate);
            }
            // The one it waited for, or a later one: either way the wait is over.
            if number < held {
                self.corrected = number + 1 == held;
                let fate = self.open_and_process(now, number, datagram, queues, receiver);
                let late = self.release_early(now, queues, receiver);
                self.corrected = false;
                return worse(fate, late);
            }
            let late = self.release_early(now, queues, receiver);
            let fate = self.open_and_process(now, number, datagram, queues, receiver);
            return worse(late, fate);
        }
        let came_early = number > self.acks.newest() + 1;
        if came_early && !self.early_window.is_zero() {
            self.early.hold(now, self.early_window, number, datagram);
            return PacketFate::Used;
        }
        self.open_and_process(now, number, datagram, queues, receiver)
    }

    fn release_early(
        &mut self,
        now: Time,
        queues: &mut SendQueues,
        receiver: &mut Receiver,
    ) -> PacketFate {
        let Some(number) = self.early.packet_number() else { return PacketFate::Used };
        let Some(mut datagram) = self.early.take() else { return PacketFate::Used };
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
    ) -> PacketFate {
        let Ok(udp::Datagram::Data(packet)) = udp::parse(datagram) else {
            return PacketFate::Dropped(DropReason::Malformed);
        };
        let time_since_previous = packet.header.time_since_previous;
        let stats_range = packet.stats.map(|blob| {
            let start = blob.as_ptr() as usize - datagram.as_ptr() as usize;
            start..start + blob.len()
        });
        let (head, sealed) = datagram.split_at_mut(packet.payload_offset);
        let Ok(plaintext) = self.opener.open(number, sealed) else {
            return PacketFate::Dropped(DropReason::BadSeal);
        };
        let bytes = head.len() + plaintext.len();
        let outcome = self.process(now, number, plaintext, queues, receiver);
        let contents = match outcome {
            Ok(contents) => contents,
            Err(PacketFate::Dropped(reason)) => {
                self.acks.on_packet(now, number, AckNeed::None, false);
                return self.odd(reason);
            }
            Err(fate) => return fate,
        };
        self.odd_packets = 0;
        let arrival = match self.acks.on_packet(now, number, contents.need, contents.keep) {
            SequenceEvent::InOrder if self.corrected => Arrival::OutOfOrderCorrected,
            SequenceEvent::InOrder => Arrival::InOrder,
            SequenceEvent::Gap { missing } => Arrival::Gap { missing },
            SequenceEvent::OutOfOrder => Arrival::OutOfOrder,
        };
        self.corrected &= arrival != Arrival::OutOfOrderCorrected;
        self.stats.on_packet_received(now, bytes, arrival, time_since_previous);
        if let Some(range) = stats_range {
            self.inline_stats(now, &head[range]);
        }
        if contents.keep { PacketFate::Used } else { PacketFate::Dropped(DropReason::NoRoom) }
    }

    fn odd(&mut self, reason: DropReason) -> PacketFate {
        self.odd_packets += 1;
        tracing::debug!(reason = reason.name(), "an authenticated packet makes no sense");
        if self.odd_packets >= MAX_ODD_PACKETS {
            return PacketFate::Fatal(format!("{MAX_ODD_PACKETS} packets in a row make no sense"));
        }
        PacketFate::Dropped(reason)
    }

    fn process(
        &mut self,
        now: Time,
        number: u64,
        plaintext: &[u8],
        queues: &mut SendQueues,
        receiver: &mut Receiver,
    ) -> Result<Contents, PacketFate> {
        let mut reader = FrameReader::new(plaintext, number);
        let mut contents = Contents { need: AckNeed::None, keep: true };
        let last_sent = self.recovery.last_sent();
        receiver.begin_packet();
        loop {
            let frame = reader.next(&Hints { receiver, last_sent });
            let Ok(frame) = frame else { return Err(PacketFate::Dropped(DropReason::Malformed)) };
            let Some(frame) = frame else { return Ok(contents) };
            let accepted = match frame {
                Frame::StopWaiting { before } => {
                    self.acks.on_stop_waiting(number, before);
                    Accepted::Yes
                }
                Frame::Ack(ack) => {
                    let outcome = self.recovery.on_ack(now, &ack, queues, &mut *self.controller);
                    self.after_ack(now, outcome)?;
                    Accepted::Yes
                }
                Frame::Reliable(segment) => {
                    contents.need = AckNeed::Delayed;
                    receiver.reliable(&segment).map_err(|e| PacketFate::Fatal(e.to_string()))?
                }
                Frame::Unreliable(segment) => receiver.unreliable(&segment),
                Frame::Extended(segment) => {
                    if self.traits.features & feature_of(segment.kind) == 0 {
                        return Err(PacketFate::Dropped(DropReason::Malformed));
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

    fn after_ack(&mut self, now: Time, outcome: AckOutcome) -> Result<(), PacketFate> {
        match outcome {
            AckOutcome::NeverSent => Err(PacketFate::Dropped(DropReason::OddAck)),
            AckOutcome::Processed(report) => {
                if let Some(rtt) = report.rtt {
                    self.stats.on_ping_sample(now, rtt);
                }
                if let Some(newest) = report.newest_acked {
                    self.stats.on_packet_acked(now, newest);
                }
                Ok(())
            }
        }
    }

    fn inline_stats(&mut self, now: Time, blob: &[u8]) {
        match UdpStats::decode(blob) {
            Ok(message) => {
                match self.stats.on_stats_received(now, &message) {
                    AckRequest::None => {}
                    AckRequest::Delayed => self.acks.request_ack(now, MAX_ACK_DELAY),
                    AckRequest::Immediate => self.acks.request_ack(now, Duration::ZERO),
                }
            }
            Err(error) => tracing::debug!(%error, "inline statistics do not parse"),
        }
    }

    /// Time has passed.
    pub(super) fn handle_timeout(
        &mut self,
        now: Time,
        queues: &mut SendQueues,
        receiver: &mut Receiver,
    ) -> PacketFate {
        let mut fate = PacketFate::Used;
        if self.early.deadline().is_some_and(|deadline| now >= deadline) {
            fate = self.release_early(now, queues, receiver);
        }
        if self.recovery.deadline().is_some_and(|deadline| now >= deadline)
            && let Some(probe) = self.recovery.on_timeout(now, queues, &mut *self.controller)
        {
            self.outgoing.probe(probe);
        }
        match self.stats.on_timeout(now) {
            StatsAction::Nothing => {}
            StatsAction::Send(_) => self.outgoing.send_stats(),
        }
        fate
    }

    /// The next moment at which something happens by itself.
    pub(super) fn deadline(
        &self,
        now: Time,
        queues: &SendQueues,
        timeout: Duration,
    ) -> Option<Time> {
        [
            self.early.deadline(),
            self.acks.deadline(),
            self.recovery.deadline(),
            self.stats.deadline(),
            self.stats.timeout_deadline(timeout),
            self.next_send(now, queues),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The configured rates changed.
    pub(super) fn reconfigure(&mut self, config: &SendConfig) {
        self.controller.set_config(config);
    }

    /// Whether the peer has been silent for too long.
    pub(super) fn timed_out(&self, now: Time, timeout: Duration) -> bool {
        self.stats.timed_out(now, timeout)
    }
}

/// The extension bit that a kind of segment needs.
fn feature_of(kind: SegmentKind) -> u64 {
    match kind {
        SegmentKind::ReliableUnordered => extensions::RELIABLE_UNORDERED,
        SegmentKind::Sequenced => extensions::SEQUENCED,
    }
}

/// Of two fates the one that matters more.
fn worse(first: PacketFate, second: PacketFate) -> PacketFate {
    match (&first, &second) {
        (PacketFate::Fatal(_), _) => first,
        (_, PacketFate::Fatal(_)) => second,
        (PacketFate::Dropped(_), _) => first,
        (PacketFate::Used, _) => second,
    }
}
