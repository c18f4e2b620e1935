//! The sending half and loss recovery, driven by a peer that acks what it likes: nothing is counted
//! wrongly, nothing spins, and an honest ending empties the queues.

use std::time::Duration;

use bytes::Bytes;
use gamewire_proto::{
    Time,
    config::SendConfig,
    congestion::FixedRate,
    lane::{DeliveryMode, LaneConfig},
    recovery::{AckOutcome, Recovery},
    send::{MAX_MESSAGE_BYTES, OutgoingMessage, PeerLimits, SendQueues, SentContent},
};
use gamewire_wire::{
    extensions,
    limits::{MAX_ENCRYPTED_PAYLOAD, MAX_PLAINTEXT},
    snp::{Frame, PacketWriter},
};

use super::frames::{Hints, read_all};
use crate::input::Input;

const MAX_STEPS: usize = 400;
const LANES: usize = 4;
/// Packets that the ending may take; the queues hold less than a megabyte.
const MAX_ENDING: usize = 20_000;

struct Sender {
    now: Time,
    queues: SendQueues,
    recovery: Recovery,
    controller: FixedRate,
    sent: SentContent,
    out: Vec<u8>,
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let config = SendConfig {
        buffer_bytes: 1 + usize::from(input.u16()) * 8,
        mtu: 200 + input.below(1101),
        ..SendConfig::default()
    };
    let mut sender = Sender {
        now: Time::from_micros(3_000_000_000_000),
        controller: FixedRate::new(&config, None),
        queues: SendQueues::new(config),
        recovery: Recovery::new(input.near_a_wrap().clamp(2, 1 << 62)),
        sent: SentContent::default(),
        out: Vec::new(),
    };
    let features = if input.flag() { extensions::ALL } else { 0 };
    sender.queues.set_peer(PeerLimits { features, ..PeerLimits::default() });
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        sender.step(&mut input);
        sender.check();
    }
    sender.end();
}

impl Sender {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 8 {
            0 | 1 => self.enqueue(input),
            2 | 3 => {
                let room = input.below(MAX_PLAINTEXT + 1);
                self.packet(room);
            }
            4 => self.ack(input.sized_bytes(600)),
            5 => {
                let wait = Duration::from_micros(u64::from(input.u32()) >> input.below(32));
                self.now += wait.min(Duration::from_secs(60));
                self.timers();
            }
            6 => self.lanes(input),
            _ => match input.byte() % 3 {
                0 => self.queues.flush(),
                1 => self.queues.drop_expired(self.now),
                _ => {
                    self.queues.took_room();
                }
            },
        }
    }

    fn enqueue(&mut self, input: &mut Input<'_>) {
        let choice = input.byte();
        let len = match choice >> 5 {
            0 => 0,
            1..6 => usize::from(input.byte()),
            6 => usize::from(input.u16()),
            _ => usize::from(input.u16()) * 9,
        };
        let message = OutgoingMessage {
            payload: Bytes::from(vec![choice; len]),
            lane: u16::from(choice & 7),
            reliable: choice & 8 != 0,
            no_nagle: choice & 16 != 0,
            no_delay: input.byte() & 15 == 0,
            deadline: input.flag().then(|| self.now.plus_micros(u64::from(input.u16()))),
        };
        let before = self.queues.backlog();
        match self.queues.enqueue(self.now, message.clone(), Some(1 << 18)) {
            Ok(_) => assert!(len <= MAX_MESSAGE_BYTES),
            Err(error) => {
                assert_eq!(error.into_message(), message, "a refused message comes back whole");
                assert!(self.queues.backlog().pending_bytes() <= before.pending_bytes());
            }
        }
    }

    /// Fills a packet as a connection does; returns whether there was anything to send.
    fn packet(&mut self, room: usize) -> bool {
        self.out.clear();
        self.sent.clear();
        let number = self.recovery.next_packet_number();
        let mut writer = PacketWriter::new(&mut self.out, room);
        if self.recovery.may_send() {
            writer.stop_waiting(number, self.recovery.stop_waiting_before());
            self.queues.fill(self.now, &mut writer, &mut self.sent);
        }
        assert!(self.out.len() <= room);
        let hints = Hints { message_number: 1, stream_position: 1, last_sent: 1 };
        let segments = read_all(&self.out, number, &hints)
            .into_iter()
            .filter(|frame| !matches!(frame, Frame::StopWaiting { .. } | Frame::Ack(_)))
            .count();
        assert_eq!(segments == 0, self.sent.is_empty());
        let content = std::mem::take(&mut self.sent);
        let bytes = self.out.len() + MAX_ENCRYPTED_PAYLOAD - MAX_PLAINTEXT;
        let sent = self.recovery.on_packet_sent(self.now, bytes, content, segments == 0);
        assert_eq!(sent, number);
        segments > 0
    }

    /// Whatever parses as ack frames is taken for acks.
    fn ack(&mut self, bytes: &[u8]) {
        let hints =
            Hints { message_number: 1, stream_position: 1, last_sent: self.recovery.last_sent() };
        for frame in read_all(bytes, u64::MAX, &hints) {
            let Frame::Ack(ack) = frame else { continue };
            let outcome =
                self.recovery.on_ack(self.now, &ack, &mut self.queues, &mut self.controller);
            let never_sent = ack.latest > self.recovery.last_sent();
            assert_eq!(outcome == AckOutcome::NeverSent, never_sent);
        }
    }

    fn timers(&mut self) {
        let mut at_once = 0;
        while self.recovery.deadline().is_some_and(|deadline| deadline <= self.now) {
            at_once += 1;
            assert!(at_once < 100, "a recovery timer spins");
            let now = self.now;
            let probe = self.recovery.on_timeout(now, &mut self.queues, &mut self.controller);
            if let Some(probe) = probe {
                assert!(probe.packets >= 1);
                let content = SentContent::default();
                self.recovery.on_packet_sent(now, 60, content, true);
            }
        }
    }

    fn lanes(&mut self, input: &mut Input<'_>) {
        let modes = [DeliveryMode::Standard, DeliveryMode::Sequenced, DeliveryMode::Unordered];
        let lanes: Vec<LaneConfig> = (0..input.below(LANES + 1))
            .map(|_| LaneConfig {
                priority: i32::from(input.byte() & 3),
                weight: u16::from(input.byte()),
                mode: modes[input.below(3)],
            })
            .collect();
        let before = self.queues.lane_count();
        let result = self.queues.configure_lanes(&lanes);
        let after = if result.is_ok() { lanes.len() } else { before };
        assert_eq!(self.queues.lane_count(), after);
    }

    fn check(&self) {
        let total = self.queues.backlog();
        let lanes = (0..self.queues.lane_count() as u16)
            .map(|lane| self.queues.lane_backlog(lane).expect("configured"));
        let pending: u64 = lanes.map(|lane| lane.pending_bytes()).sum();
        assert_eq!(total.pending_bytes(), pending);
        assert!(self.recovery.stop_waiting_before() < self.recovery.next_packet_number());
        assert!(self.recovery.newest_acked() <= self.recovery.last_sent());
        let most = self.recovery.packets_past_newest_acked().saturating_mul(1300);
        // Older packets may be in flight too, but none is without a number.
        assert!(self.recovery.bytes_in_flight() <= most + (1 << 14) * 1300);
    }

    /// From now on the peer acks everything.
    fn end(&mut self) {
        for _ in 0..MAX_ENDING {
            self.now += Duration::from_millis(20);
            self.timers();
            let more = self.packet(MAX_PLAINTEXT);
            let mut frame = Vec::new();
            let latest = self.recovery.last_sent();
            PacketWriter::new(&mut frame, 100).ack(latest, None, true, &[]);
            self.ack(&frame);
            if !more && self.queues.all_reliable_acked() {
                let total = self.queues.backlog();
                assert_eq!((total.pending_bytes(), total.sent_unacked_reliable), (0, 0));
                assert_eq!(self.recovery.bytes_in_flight(), 0);
                return;
            }
        }
        panic!("the queues never run empty: {:?}", self.queues.backlog());
    }
}
