//! Sender, receiver and the packets between them.

use std::collections::{BTreeSet, VecDeque};

use gamewire_wire::snp::{AckBlock, PacketWriter};

use crate::{
    Time,
    config::SendConfig,
    congestion::{AckSample, CongestionController, LossSample},
    recovery::{AckOutcome, AckReport, Recovery},
    send::{
        OutgoingMessage, PeerLimits, SendQueues, SentContent,
        tests::model::{Model, read_ack},
    },
};

/// Adds up what it is told.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) acked: u64,
    pub(super) lost: u64,
    pub(super) spurious: u64,
    pub(super) ptos: u32,
    pub(super) samples: Vec<AckSample>,
    pub(super) losses: Vec<LossSample>,
}

impl CongestionController for Ledger {
    fn on_packet_sent(&mut self, _: Time, _: u64, _: u64) {}

    fn on_acked(&mut self, _: Time, sample: &AckSample) {
        self.acked += sample.newly_acked_bytes;
        self.samples.push(*sample);
    }

    fn on_lost(&mut self, _: Time, sample: &LossSample) {
        self.lost += sample.bytes;
        self.losses.push(*sample);
    }

    fn on_spurious_loss(&mut self, _: Time, bytes: u64) {
        self.spurious += bytes;
    }

    fn on_pto(&mut self, _: Time) {
        self.ptos += 1;
    }

    fn set_config(&mut self, _: &SendConfig) {}

    fn congestion_window(&self) -> u64 {
        u64::MAX
    }

    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    fn name(&self) -> &'static str {
        "ledger"
    }
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) now: Time,
    pub(super) queues: SendQueues,
    pub(super) recovery: Recovery,
    pub(super) ledger: Ledger,
    pub(super) model: Model,
    /// Data packets on their way.
    pub(super) out: VecDeque<(u64, Vec<u8>)>,
    /// Ack frames on their way back.
    pub(super) back: VecDeque<Vec<u8>>,
    received: BTreeSet<u64>,
    newest_arrived: Time,
    told: u64,
}

impl Link {
    pub(super) fn new(first_packet: u64) -> Self {
        let config = SendConfig { buffer_bytes: 1 << 26, ..SendConfig::default() };
        let mut queues = SendQueues::new(config);
        queues.set_peer(PeerLimits::default());
        Self {
            now: Time::from_micros(3_000_000_000_000),
            queues,
            recovery: Recovery::new(first_packet),
            ledger: Ledger::default(),
            model: Model::waiting_from(first_packet - 1),
            out: VecDeque::new(),
            back: VecDeque::new(),
            received: BTreeSet::from([first_packet - 1]),
            newest_arrived: Time::default(),
            told: first_packet - 1,
        }
    }

    pub(super) fn advance_ms(&mut self, ms: u64) {
        self.now = self.now.plus_micros(ms * 1000);
    }

    pub(super) fn enqueue(&mut self, lane: u16, reliable: bool, payload: &[u8]) {
        let payload = payload.to_vec().into();
        let message = OutgoingMessage {
            payload,
            lane,
            reliable,
            no_nagle: true,
            ..OutgoingMessage::default()
        };
        self.queues.enqueue(self.now, message, None).expect("room");
    }

    /// Sends one packet with whatever there is; its number.
    pub(super) fn send(&mut self, ask: bool) -> u64 {
        let number = self.recovery.next_packet_number();
        let before = self.recovery.stop_waiting_before();
        assert!(before >= self.told, "stop waiting went back");
        assert!(before < number, "stop waiting reaches the packet itself");
        self.told = before;
        let (mut plaintext, mut content) = (Vec::new(), SentContent::default());
        let mut writer = PacketWriter::new(&mut plaintext, 1232);
        assert!(writer.stop_waiting(number, before));
        self.queues.fill(self.now, &mut writer, &mut content);
        let len = plaintext.len() + 23;
        assert_eq!(self.recovery.on_packet_sent(self.now, len, content, ask), number);
        self.out.push_back((number, plaintext));
        number
    }

    /// Sends all that is ready and allowed.
    pub(super) fn send_all(&mut self) {
        while self.recovery.may_send()
            && self.queues.ready_at(self.now).is_some_and(|ready| ready <= self.now)
        {
            self.send(false);
        }
    }

    pub(super) fn arrive(&mut self, number: u64, plaintext: &[u8]) {
        if self.received.last().is_none_or(|&newest| newest < number) {
            self.newest_arrived = self.now;
        }
        if self.received.insert(number) {
            self.model.packet(number, plaintext);
        }
    }

    /// Lets the packet at `index` of those on their way arrive.
    pub(super) fn deliver(&mut self, index: usize) {
        if let Some((number, plaintext)) = self.out.remove(index) {
            self.arrive(number, &plaintext);
        }
    }

    /// The receiver sends an ack frame for all that it has.
    pub(super) fn acknowledge(&mut self) {
        let Some(&latest) = self.received.last() else {
            return;
        };
        let mut blocks = Vec::new();
        let mut number = latest;
        let floor = self.model.stop_waiting;
        let missing_somewhere = |from: u64| (floor..=from).any(|n| !self.received.contains(&n));
        while number >= floor && missing_somewhere(number) {
            let mut block = AckBlock::default();
            while number >= floor && self.received.contains(&number) {
                block.acked += 1;
                number -= 1;
            }
            while number >= floor && number > 0 && !self.received.contains(&number) {
                block.missing += 1;
                number -= 1;
            }
            blocks.push(block);
        }
        let delay = (self.now.micros_since(self.newest_arrived) / 32).min(0xfffe) as u16;
        let mut frame = Vec::new();
        let written =
            PacketWriter::new(&mut frame, 100_000).ack(latest, Some(delay), true, &blocks);
        assert_eq!(written, blocks.len().min(255));
        self.back.push_back(frame);
    }

    /// The ack frame at `index` of those on their way arrives.
    pub(super) fn hear(&mut self, index: usize) -> Option<AckReport> {
        let frame = self.back.remove(index)?;
        let frame = read_ack(&frame, self.recovery.last_sent());
        match self.recovery.on_ack(self.now, &frame, &mut self.queues, &mut self.ledger) {
            AckOutcome::Processed(report) => Some(report),
            AckOutcome::NeverSent => panic!("the model acknowledges what it has"),
        }
    }

    /// An ack frame as given arrives.
    pub(super) fn hear_frame(
        &mut self,
        latest: u64,
        delay: Option<u16>,
        blocks: &[(u32, u32)],
    ) -> AckOutcome {
        let blocks: Vec<AckBlock> =
            blocks.iter().map(|&(acked, missing)| AckBlock { acked, missing }).collect();
        let mut frame = Vec::new();
        PacketWriter::new(&mut frame, 10_000).ack(latest, delay, true, &blocks);
        let frame = read_ack(&frame, latest);
        self.recovery.on_ack(self.now, &frame, &mut self.queues, &mut self.ledger)
    }

    /// The timers that are due fire; probes go out.
    pub(super) fn timers(&mut self) {
        if self.recovery.deadline().is_none_or(|deadline| deadline > self.now) {
            return;
        }
        let probe = self.recovery.on_timeout(self.now, &mut self.queues, &mut self.ledger);
        for _ in 0..probe.map_or(0, |probe| probe.packets) {
            self.send(true);
        }
    }

    /// From now on nothing is lost: until all reliable data is acknowledged.
    pub(super) fn settle(&mut self) {
        for _ in 0..20_000 {
            self.advance_ms(1);
            self.timers();
            self.send_all();
            while !self.out.is_empty() {
                self.deliver(0);
            }
            self.acknowledge();
            while !self.back.is_empty() {
                self.hear(0);
            }
            if self.queues.all_reliable_acked() && self.recovery.bytes_in_flight() == 0 {
                return;
            }
        }
        panic!("never settled: {:?} {:?}", self.queues.backlog(), self.recovery);
    }
}
