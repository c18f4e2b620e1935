//! What leaves: control datagrams first, then data packets in batches of one size.

use std::time::Duration;

use gamewire_wire::{
    limits::{DATA_HEADER_LEN, MAX_ENCRYPTED_PAYLOAD, MAX_UDP_PAYLOAD, TAG_LEN},
    messages::UdpStats,
    snp::PacketWriter,
    udp::{self, DataHeader},
};

use super::{Connection, phase::Phase, repeats::RepeatBudget, session::Session};
use crate::{
    Time,
    config::{ConnectionConfig, SendConfig},
    event::Transmit,
    receive::Receiver,
    recovery::Probe,
    send::{SendQueues, SentContent},
    stats::{self, AckRequest, FLAG_ACK_REQUEST_E2E, FLAG_ACK_REQUEST_IMMEDIATE, SentPacket},
};

/// Headers, statistics and seal: the packet size less what a peer of Valve's expects to hold.
pub(super) const PACKET_OVERHEAD: usize = MAX_UDP_PAYLOAD - MAX_ENCRYPTED_PAYLOAD + TAG_LEN;

/// A first packet short of the full size by more than one part in so many is a batch of its own.
const BATCH_SLACK: usize = 8;

/// Statistics may take this part of a packet; on very small packets they are left out.
const STATS_SHARE: usize = 3;

/// Room in a packet that acks may not take from the data, in parts of the whole.
const ACK_SHARE: usize = 2;

/// Peers below this protocol version do not know the field (wire.md §1).
const MIN_GAP_VERSION: u32 = 12;

/// What the sender decided and has not yet done.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// What leaves whatever the path is like: data as little as this fills a packet.
    mtu: usize,
    tell_gap: bool,
    stats_wanted: bool,
    probes: u8,
    last_ack_request: Time,
    /// Bytes of packets with reliable data since a reply was last asked for.
    reliable_since_request: u64,
    /// The same of packets with nothing but unreliable data.
    unreliable_since_request: u64,
    repeats: RepeatBudget,
}

impl Outgoing {
    pub(super) fn new(now: Time, config: &ConnectionConfig, peer_version: u32) -> Self {
        let mtu = base_mtu(config.send.mtu);
        Self {
            mtu,
            tell_gap: config.send_time_since_previous && peer_version >= MIN_GAP_VERSION,
            stats_wanted: false,
            probes: 0,
            last_ack_request: now,
            reliable_since_request: 0,
            unreliable_since_request: 0,
            repeats: RepeatBudget::new(now),
        }
    }

    /// Another size of packets from now on.
    pub(super) fn reconfigure(&mut self, config: &SendConfig) {
        self.mtu = base_mtu(config.mtu);
    }

    pub(super) fn probe(&mut self, probe: Probe) {
        self.probes = self.probes.max(probe.packets);
    }

    pub(super) fn send_stats(&mut self) {
        self.stats_wanted = true;
    }
}

/// The configured size of packets, within what is possible.
pub(super) fn base_mtu(configured: usize) -> usize {
    configured.clamp(200, MAX_UDP_PAYLOAD)
}

/// The packet to be written.
#[derive(Clone, Copy)]
struct Plan {
    /// Bytes of UDP payload.
    limit: usize,
    /// Bytes of plaintext; leaves room for header and statistics, so that the packets of a batch are
    /// of one length.
    max_plaintext: usize,
    due: Due,
}

/// Why a packet is to leave now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Data, with whatever else is due.
    Data,
    /// A probe: data again if there is any, and a request to acknowledge at once.
    Probe,
    /// No data, but a request to acknowledge at once: does this path work?
    Question,
    /// Acks, statistics or a keep-alive.
    Bare,
}

impl Connection {
    /// Appends datagrams to `out`: at most `max_datagrams` in one batch, all but the last of one
    /// length. `None`: nothing to send now.
    pub fn poll_transmit(
        &mut self,
        now: Time,
        out: &mut Vec<u8>,
        max_datagrams: usize,
    ) -> Option<Transmit> {
        let destination = self.remote;
        if let Some(datagram) = self.outbox.pop_front() {
            out.extend_from_slice(&datagram);
            return Some(Transmit { destination, len: datagram.len(), segment_size: None });
        }
        if !matches!(self.phase, Phase::Connected | Phase::Lingering) {
            return None;
        }
        let session = self.session.as_mut()?;
        let (len, segment_size) = session.write_batch(
            now,
            out,
            max_datagrams.max(1),
            &mut self.queues,
            &self.receiver,
        )?;
        self.announce_room();
        Some(Transmit { destination, len, segment_size })
    }
}

impl Session {
    /// Writes one packet that holds no data and asks for an answer at once.
    pub(super) fn write_probe(
        &mut self,
        now: Time,
        out: &mut Vec<u8>,
        queues: &mut SendQueues,
        receiver: &Receiver,
    ) {
        let limit = self.outgoing.mtu;
        let max_plaintext = limit - PACKET_OVERHEAD;
        let plan = Plan { limit, max_plaintext, due: Due::Question };
        self.write_packet(now, out, plan, queues, receiver);
    }

    fn write_batch(
        &mut self,
        now: Time,
        out: &mut Vec<u8>,
        max_datagrams: usize,
        queues: &mut SendQueues,
        receiver: &Receiver,
    ) -> Option<(usize, Option<usize>)> {
        let start = out.len();
        if let Some(len) = self.write_mtu_probe(now, out, queues) {
            return Some((len, None));
        }
        let full = self.packet_size();
        let max_plaintext = full - PACKET_OVERHEAD;
        let mut size = full;
        let mut count = 0;
        while count < max_datagrams {
            let Some(due) = self.due(now, queues) else {
                break;
            };
            // Nothing came back: maybe for being too large.
            let limit = if due == Due::Probe { size.min(self.outgoing.mtu) } else { size };
            let plan = Plan { limit, max_plaintext, due };
            let written = self.write_packet(now, out, plan, queues, receiver);
            count += 1;
            if written < size {
                // The last of a batch may be shorter. A first one that is nearly full sets the size.
                let full = DATA_HEADER_LEN + max_plaintext + self.sealer.overhead();
                if count > 1 || written < full - full / BATCH_SLACK {
                    break;
                }
                size = written;
            }
        }
        self.note_app_limited(now, queues);
        let len = out.len() - start;
        (count > 0).then_some((len, (count > 1).then_some(size)))
    }

    /// While nothing waits though more could leave, the rate at which packets arrive says nothing
    /// about the path.
    fn note_app_limited(&mut self, now: Time, queues: &SendQueues) {
        let window_left = self.recovery.bytes_in_flight() < self.controller.congestion_window();
        if window_left && queues.ready_at(now).is_none_or(|ready| ready > now) {
            self.recovery.on_app_limited();
        }
    }

    fn due(&self, now: Time, queues: &SendQueues) -> Option<Due> {
        if self.outgoing.probes > 0 || self.is_stuck(now, queues) {
            return Some(Due::Probe);
        }
        if self.data_may_go(now) && queues.ready_at(now).is_some_and(|ready| ready <= now) {
            return Some(Due::Data);
        }
        let ack_due = self.acks.deadline().is_some_and(|deadline| deadline <= now);
        let bare = ack_due || self.outgoing.stats_wanted || self.window.has_news();
        bare.then_some(Due::Bare)
    }

    /// A window, the path's or the peer's, is full of packets that nobody will acknowledge unasked.
    fn is_stuck(&self, now: Time, queues: &SendQueues) -> bool {
        let in_flight = self.recovery.bytes_in_flight();
        if in_flight == 0 || self.recovery.expects_ack() || !self.recovery.may_send() {
            return false;
        }
        queues.peer_is_full()
            || (in_flight >= self.controller.congestion_window()
                && queues.ready_at(now).is_some_and(|ready| ready <= now))
    }

    fn data_may_go(&self, now: Time) -> bool {
        self.recovery.may_send()
            && self.recovery.bytes_in_flight() < self.controller.congestion_window()
            && self.pacer.next_send(now).is_none_or(|at| at <= now)
    }

    /// When data that waits may leave.
    pub(super) fn next_send(&self, now: Time, queues: &SendQueues) -> Option<Time> {
        if self.outgoing.probes > 0 || self.outgoing.stats_wanted || self.window.has_news() {
            return Some(now);
        }
        if self.is_stuck(now, queues) {
            return Some(now);
        }
        let ready = queues.ready_at(now)?;
        if !self.recovery.may_send()
            || self.recovery.bytes_in_flight() >= self.controller.congestion_window()
        {
            // An ack or a timer of the recovery opens the way.
            return None;
        }
        Some(self.pacer.next_send(now).map_or(ready, |at| at.max(ready)))
    }

    /// Writes one packet and returns its length.
    fn write_packet(
        &mut self,
        now: Time,
        out: &mut Vec<u8>,
        Plan { limit, max_plaintext, due }: Plan,
        queues: &mut SendQueues,
        receiver: &Receiver,
    ) -> usize {
        let start = out.len();
        let number = self.recovery.next_packet_number();
        let stats = self.write_header(now, out, limit, due, queues);
        let header_len = out.len() - start;
        let overhead = self.sealer.overhead();
        let room = limit.saturating_sub(header_len + overhead).min(max_plaintext);
        let plaintext_start = out.len();
        let mut content = SentContent::default();
        let mut writer = PacketWriter::new(out, room).with_wide_sizes(self.takes_large_packets());
        writer.stop_waiting(number, self.recovery.stop_waiting_before());
        if let Some(room) = self.window.tell(receiver.room()) {
            writer.room(room);
        }
        self.acks.write_ack(now, &mut writer, room / ACK_SHARE);
        match due {
            Due::Probe => queues.fill_probe(now, &mut writer, &mut content),
            Due::Question => {}
            Due::Bare if !self.data_may_go(now) => {}
            Due::Data | Due::Bare => {
                let repeat = self.spare_for_repeats(now, due);
                let repeated = queues.fill_and_repeat(now, repeat, &mut writer, &mut content);
                self.outgoing.repeats.spend(repeated);
            }
        }
        self.sealer.seal(number, out, plaintext_start);
        let len = out.len() - start;
        let asks = stats.is_some();
        let carries_data = !content.is_empty();
        let content_is_reliable = content.is_reliable();
        let kind = match (content_is_reliable, carries_data) {
            (true, _) => stats::SentContent::Reliable,
            (false, true) => stats::SentContent::Unreliable,
            (false, false) => stats::SentContent::AcksOnly,
        };
        let sent = self.recovery.on_packet_sent(now, len, content, asks);
        debug_assert_eq!(sent, number, "numbers rise by one");
        if content_is_reliable {
            self.outgoing.reliable_since_request += len as u64;
        } else if carries_data {
            self.outgoing.unreliable_since_request += len as u64;
        }
        if carries_data {
            self.controller.on_packet_sent(now, len as u64, self.recovery.bytes_in_flight());
            self.pacer.on_sent(now, len, &*self.controller);
        }
        let packet =
            SentPacket { packet_number: number, bytes: len, content: kind, stats: stats.as_ref() };
        self.stats.on_packet_sent(now, packet);
        self.outgoing.probes = self.outgoing.probes.saturating_sub(u8::from(due == Due::Probe));
        len
    }

    fn write_header(
        &mut self,
        now: Time,
        out: &mut Vec<u8>,
        limit: usize,
        due: Due,
        queues: &SendQueues,
    ) -> Option<UdpStats> {
        let request = match due {
            Due::Probe | Due::Question => AckRequest::Immediate,
            Due::Data | Due::Bare if self.ack_is_pressing(now, queues) => AckRequest::Immediate,
            Due::Data | Due::Bare if self.feedback_wanted(now, queues) => AckRequest::Delayed,
            Due::Data | Due::Bare => AckRequest::None,
        };
        if request != AckRequest::None {
            self.outgoing.last_ack_request = now;
            self.outgoing.reliable_since_request = 0;
            self.outgoing.unreliable_since_request = 0;
        }
        let for_stats_alone = std::mem::take(&mut self.outgoing.stats_wanted) && due == Due::Bare;
        let mut stats = self.stats.inline_stats_for_packet(now, !for_stats_alone);
        let flags = match request {
            AckRequest::None => 0,
            AckRequest::Delayed => FLAG_ACK_REQUEST_E2E,
            AckRequest::Immediate => FLAG_ACK_REQUEST_E2E | FLAG_ACK_REQUEST_IMMEDIATE,
        };
        if flags != 0 {
            let stats = stats.get_or_insert_default();
            stats.flags = Some(stats.flags() | flags);
        }
        let header = DataHeader {
            to_connection_id: self.remote_id,
            packet_number_low: self.recovery.next_packet_number() as u16,
            time_since_previous: self
                .outgoing
                .tell_gap
                .then(|| self.stats.time_since_previous_sent(now))
                .flatten(),
        };
        let too_large = stats
            .as_ref()
            .is_some_and(|stats| udp::data_header_len(&header, Some(stats)) > limit / STATS_SHARE);
        if too_large {
            // What they ask for goes without them. They count as told, or they would be due for ever.
            let flags = stats.as_ref().map_or(0, UdpStats::flags) | FLAG_ACK_REQUEST_E2E;
            let request = UdpStats { stats: None, flags: Some(flags) };
            udp::encode_data_header(&header, Some(&request), out);
        } else {
            udp::encode_data_header(&header, stats.as_ref(), out);
        }
        stats
    }

    /// Bytes of earlier packets that the next one may carry once more: none while the path is busy.
    fn spare_for_repeats(&mut self, now: Time, due: Due) -> u64 {
        let half_used = self.recovery.bytes_in_flight() > self.controller.congestion_window() / 2;
        if due == Due::Probe || half_used || self.controller.is_congested() {
            return 0;
        }
        self.outgoing.repeats.available(now, self.controller.pacing_rate())
    }

    /// A peer of Valve's takes 50 ms to acknowledge reliable data. At a high rate the data that may be
    /// unacknowledged would be used up before, and the sender would stand still.
    fn ack_is_pressing(&self, now: Time, queues: &SendQueues) -> bool {
        let much_unacked = queues.sent_unacked_reliable_bytes() >= PRESSING_UNACKED_BYTES
            && self.outgoing.reliable_since_request >= PRESSING_REQUEST_EVERY_BYTES;
        much_unacked || self.peer_fills_up(queues) || self.model_wants_feedback(now, queues)
    }

    /// What left since the last question takes much of the room that the peer told of. Without its
    /// ack the sender would stand still when it is used up.
    fn peer_fills_up(&self, queues: &SendQueues) -> bool {
        let since = self.outgoing.reliable_since_request + self.outgoing.unreliable_since_request;
        let window = queues.receive_window();
        window < u64::MAX && since >= (window / 4).max(PRESSING_REQUEST_EVERY_BYTES)
    }

    /// A model of the path wants to hear several times in a round trip while it fills the path.
    fn model_wants_feedback(&self, now: Time, queues: &SendQueues) -> bool {
        if !self.fills_packets(queues) || self.controller.estimate().state.is_none() {
            return false;
        }
        let since = self.outgoing.reliable_since_request + self.outgoing.unreliable_since_request;
        let much = since >= self.controller.congestion_window() / 4;
        let interval = (self.recovery.rtt().smoothed_rtt() / 8).max(MIN_MODEL_INTERVAL);
        much || now.since(self.outgoing.last_ack_request) >= interval
    }

    /// Whether more waits than a packet holds.
    pub(super) fn fills_packets(&self, queues: &SendQueues) -> bool {
        let least = self.outgoing.mtu - PACKET_OVERHEAD;
        queues.backlog().pending_bytes() >= least as u64
    }

    /// Unreliable data alone is never acknowledged unasked: ask about once per round trip.
    fn feedback_wanted(&self, now: Time, queues: &SendQueues) -> bool {
        let in_flight = self.recovery.unacknowledged_packets() > 0
            && self.outgoing.unreliable_since_request > 0;
        let unasked = queues.sent_unacked_reliable_bytes() == 0;
        let interval = self.recovery.rtt().smoothed_rtt().max(MIN_FEEDBACK_INTERVAL);
        in_flight && unasked && now.since(self.outgoing.last_ack_request) >= interval
    }
}

/// Unacknowledged reliable data from which on acks are asked for without delay: a quarter of what a
/// peer of Valve's lets us have.
const PRESSING_UNACKED_BYTES: u64 = 256 * 1024;
/// Reliable data between two such requests.
const PRESSING_REQUEST_EVERY_BYTES: u64 = 128 * 1024;

/// Shortest time between two requests for feedback of a sender that fills the path.
const MIN_MODEL_INTERVAL: Duration = Duration::from_millis(4);

/// Shortest time between two requests for feedback on unreliable data.
const MIN_FEEDBACK_INTERVAL: Duration = Duration::from_millis(25);
