//! Which packets arrived, which are lost, and when to ask (RFC 9002 sections 5 and 6).
//!
//! [`Recovery`] numbers the packets, remembers what they carried, and tells the
//! [`SendQueues`] what was acknowledged and what must go again. It sends nothing
//! itself and knows no frames but acks.
//!
//! What the peer does not acknowledge is not lost for that alone: its "not received" may be wrong or
//! early. A packet is lost when [`PACKET_THRESHOLD`] newer numbers are acknowledged, or when a newer
//! one is and 9/8 of a round trip went by.

mod holes;
mod rtt;
mod sent;
mod sizes;
#[cfg(test)]
mod tests;

use std::{ops::RangeInclusive, time::Duration};

use gamewire_wire::{limits::MAX_UNACKED_LEAD, snp::AckFrame};

use self::{
    holes::{Cursor, Holes},
    sent::{Fate, SentPacket, SentPackets},
    sizes::Sizes,
};
pub use self::{
    rtt::{INITIAL_RTT, RttEstimator, VALID_RTT_US},
    sizes::SizeReport,
};
use crate::{
    Time,
    congestion::{AckSample, CongestionController, LossSample},
    send::{SendQueues, SentContent},
};

/// A packet is lost once one this much newer is acknowledged (RFC 9002 section 6.1.1).
pub const PACKET_THRESHOLD: u64 = 3;

/// Least time that any timer waits (RFC 9002 section 6.1.2).
pub const GRANULARITY: Duration = Duration::from_millis(1);

/// The longest that a peer delays the ack of a packet with reliable data (wire.md §5).
pub const PEER_MAX_ACK_DELAY: Duration = Duration::from_millis(50);

/// The longest that backing off makes a probe timeout, unless the path alone takes longer: several
/// probes fit into the ten seconds after which a silent connection ends.
pub const MAX_PTO: Duration = Duration::from_secs(2);

/// Data that nobody asked the peer to acknowledge waits so many probe timeouts for an ack before it
/// is asked for: long enough that a steady trickle of packets, which ask by themselves once per round
/// trip, never gets there.
pub const UNASKED_PTOS: u32 = 2;

/// Packets that one expired probe timeout sends at the most.
pub const MAX_PROBES: u8 = 2;

/// Most packet records kept. Only packets long lost are forgotten for it: those in flight number
/// less than half by [`Recovery::may_send`].
pub const MAX_SENT_PACKETS: usize = 2 * MAX_UNACKED_LEAD as usize;

/// Lost packets on which the peer is still to report, at the most. Valve's receiver keeps 62 gaps;
/// beyond, it merges the oldest (wire.md §5).
pub const MAX_AWAITED_LOST: usize = 16;

/// How long the record of a lost packet is kept for a late ack.
pub const LOST_RECORD_LIFE: Duration = Duration::from_millis(500);

/// Send packets that ask for an immediate ack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// How many, 1..=[`MAX_PROBES`]. The queues hold the oldest unacknowledged reliable data ready
    /// for them, if there is any; otherwise they carry no data.
    pub packets: u8,
}

/// What an ack frame told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AckOutcome {
    /// It names a packet never sent. Nothing changed; the packet that held it is to be dropped.
    NeverSent,
    /// It was used.
    Processed(AckReport),
}

/// See [`AckOutcome::Processed`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AckReport {
    /// Round trip measured.
    pub rtt: Option<Duration>,
    /// The newest packet acknowledged for the first time.
    pub newest_acked: Option<u64>,
    /// Packets acknowledged for the first time.
    pub acked_packets: u64,
    /// UDP payload bytes of those that count as in flight.
    pub acked_bytes: u64,
    /// Packets among them that had been declared lost.
    pub spurious_losses: u64,
    /// Packets declared lost.
    pub lost_packets: u64,
    /// UDP payload bytes of those that count as in flight.
    pub lost_bytes: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Recovery {
    packets: SentPackets,
    holes: Holes,
    newest_acked: u64,
    stop_waiting: u64,
    rtt: RttEstimator,
    bytes_in_flight: u64,
    /// Packets in flight that ask for an ack.
    eliciting: u64,
    last_eliciting_sent: Time,
    /// When the newest packet left that counts as in flight.
    last_counted_sent: Time,
    pto_count: u32,
    loss_time: Option<Time>,
    /// When the packet left that used up the lead, if none in flight asks for an ack.
    lead_exhausted: Option<Time>,
    flow: Flow,
    sizes: Sizes,
}

/// What the delivery rate is computed from.
#[derive(Debug, Default)]
struct Flow {
    delivered: u64,
    delivered_at: Time,
    first_sent: Time,
    /// While `delivered` has not passed it, packets are marked as limited by the application.
    app_limited_until: Option<u64>,
    /// Losses that timers found since they were last asked for.
    timer_losses: LossSample,
}

/// What one frame acknowledged.
#[derive(Default)]
struct Tally {
    report: AckReport,
    sample: AckSample,
    spurious_bytes: u64,
    eliciting: bool,
}

impl Recovery {
    /// Gives back spare memory. For connections that fell silent.
    pub fn release_idle(&mut self) {
        self.packets.release_idle();
    }

    /// A recovery whose first packet gets `first_packet_number`, at least 1. The one before counts
    /// as acknowledged: the handshake is packet 1 (wire.md §2).
    pub fn new(first_packet_number: u64) -> Self {
        debug_assert!(first_packet_number > 0);
        let newest_acked = first_packet_number.saturating_sub(1);
        Self {
            packets: SentPackets::new(first_packet_number),
            holes: Holes::default(),
            newest_acked,
            stop_waiting: newest_acked,
            rtt: RttEstimator::new(),
            bytes_in_flight: 0,
            eliciting: 0,
            last_eliciting_sent: Time::default(),
            last_counted_sent: Time::default(),
            pto_count: 0,
            loss_time: None,
            lead_exhausted: None,
            flow: Flow::default(),
            sizes: Sizes::default(),
        }
    }

    /// Takes a round trip that was measured otherwise, by the handshake for example.
    pub fn seed_rtt(&mut self, rtt: Duration) {
        let rtt_us = i64::try_from(rtt.as_micros()).unwrap_or(i64::MAX);
        if VALID_RTT_US.contains(&rtt_us) {
            self.rtt.update(rtt);
        }
    }

    /// The number that the next packet will have.
    pub fn next_packet_number(&self) -> u64 {
        self.packets.next()
    }

    /// The number of the newest packet sent; one below the first if none was.
    pub fn last_sent(&self) -> u64 {
        self.packets.next() - 1
    }

    /// The newest packet known to have arrived.
    pub fn newest_acked(&self) -> u64 {
        self.newest_acked
    }

    /// The estimate of the round trip.
    pub fn rtt(&self) -> &RttEstimator {
        &self.rtt
    }

    /// UDP payload bytes of packets in flight that carry application data or ask for an ack.
    pub fn bytes_in_flight(&self) -> u64 {
        self.bytes_in_flight
    }

    /// Whether a packet in flight asks for an ack, so that something will be heard or a timer fires.
    pub fn expects_ack(&self) -> bool {
        self.eliciting > 0
    }

    /// How far the newest number sent is past the newest acknowledged one.
    pub fn packets_past_newest_acked(&self) -> u64 {
        self.last_sent() - self.newest_acked
    }

    /// Packets sent since the newest acknowledged one: zero means that no feedback is to come.
    pub fn unacknowledged_packets(&self) -> u64 {
        self.packets_past_newest_acked()
    }

    /// Whether data may be sent. If not, nothing but what [`Recovery::on_timeout`] asks for: the
    /// numbers are too far past what the peer is known to have, and it would end the connection
    /// (wire.md §5).
    pub fn may_send(&self) -> bool {
        self.packets_past_newest_acked() < MAX_UNACKED_LEAD
    }

    /// What the next packet's stop-waiting frame says: the peer need not report on packets below.
    /// Never goes back, and is below [`Recovery::next_packet_number`].
    pub fn stop_waiting_before(&self) -> u64 {
        self.stop_waiting
    }

    /// The application has nothing more to send: rates measured over what is in flight now say
    /// nothing about the path.
    pub fn on_app_limited(&mut self) {
        self.flow.app_limited_until = Some((self.flow.delivered + self.bytes_in_flight).max(1));
    }

    /// Records the packet [`Recovery::next_packet_number`] and returns its number. `bytes` is its
    /// length as UDP payload; a packet with reliable data elicits an ack anyway, others where they
    /// were sent with a request for one.
    pub fn on_packet_sent(
        &mut self,
        now: Time,
        bytes: usize,
        content: SentContent,
        ack_eliciting: bool,
    ) -> u64 {
        let number = self.packets.next();
        let ack_eliciting = ack_eliciting || content.is_reliable();
        let counted = ack_eliciting || !content.is_empty();
        if self.bytes_in_flight == 0 {
            self.flow.first_sent = now;
            self.flow.delivered_at = now;
        }
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        self.packets.push(SentPacket {
            sent: now,
            delivered: self.flow.delivered,
            delivered_at: self.flow.delivered_at,
            first_sent: self.flow.first_sent,
            content,
            bytes,
            fate: Fate::InFlight,
            ack_eliciting,
            counted,
            measures_path: false,
            app_limited: self.flow.app_limited_until.is_some(),
        });
        if counted {
            self.bytes_in_flight += u64::from(bytes);
            self.last_counted_sent = now;
        }
        if ack_eliciting {
            self.eliciting += 1;
            self.last_eliciting_sent = now;
        }
        let silent = self.eliciting == 0 && !self.may_send();
        self.lead_exhausted = silent.then(|| self.lead_exhausted.unwrap_or(now));
        self.forget_old(now);
        number
    }

    /// Records a packet without data that was sent to see whether one of its size arrives. It is of no
    /// account otherwise: no timer waits for it, and its loss is none.
    pub fn on_mtu_probe_sent(&mut self, now: Time, bytes: usize) -> u64 {
        let number = self.packets.next();
        self.packets.push(SentPacket {
            sent: now,
            delivered: self.flow.delivered,
            delivered_at: self.flow.delivered_at,
            first_sent: self.flow.first_sent,
            content: SentContent::default(),
            bytes: u16::try_from(bytes).unwrap_or(u16::MAX),
            fate: Fate::InFlight,
            ack_eliciting: false,
            counted: false,
            measures_path: true,
            app_limited: true,
        });
        number
    }

    /// What became of packets that were larger than `base` bytes or sent as probes, since the last
    /// call.
    pub fn take_size_report(&mut self) -> SizeReport {
        self.sizes.take_report()
    }

    /// From which size on packets are watched for being too large, in bytes.
    pub fn set_base_size(&mut self, bytes: usize) {
        self.sizes.reset(bytes);
    }

    /// An ack frame arrived.
    ///
    /// Reports go to `queues` and `controller` at once. Time taken depends on the packets that were
    /// sent since the last ack and on those missing, never on the counts in the frame.
    pub fn on_ack(
        &mut self,
        now: Time,
        frame: &AckFrame<'_>,
        queues: &mut SendQueues,
        controller: &mut dyn CongestionController,
    ) -> AckOutcome {
        if frame.latest >= self.packets.next() {
            return AckOutcome::NeverSent;
        }
        let latest_was_unknown =
            self.packets.at(frame.latest).is_some_and(|packet| packet.fate != Fate::Acked);
        let mut tally = Tally::default();
        self.walk(now, frame, queues, &mut tally);
        if tally.report.acked_packets > 0 {
            if latest_was_unknown {
                tally.report.rtt = self.measure(now, frame);
            }
            if tally.eliciting {
                self.pto_count = 0;
            }
            self.finish_sample(&mut tally);
            controller.on_acked(now, &tally.sample);
            if tally.spurious_bytes > 0 {
                controller.on_spurious_loss(now, tally.spurious_bytes);
            }
        }
        let lost = self.detect_losses(now, queues, controller);
        tally.report.lost_packets = lost.packets;
        tally.report.lost_bytes = lost.bytes;
        if self.may_send() {
            self.lead_exhausted = None;
        }
        self.forget_old(now);
        AckOutcome::Processed(tally.report)
    }

    /// A timer of [`Recovery::deadline`] expired. Declares packets lost, or asks for probes.
    pub fn on_timeout(
        &mut self,
        now: Time,
        queues: &mut SendQueues,
        controller: &mut dyn CongestionController,
    ) -> Option<Probe> {
        if self.loss_time.is_some_and(|time| time <= now) {
            let lost = self.detect_losses(now, queues, controller);
            self.flow.timer_losses.bytes += lost.bytes;
            self.flow.timer_losses.packets += lost.packets;
            self.forget_old(now);
            return None;
        }
        if self.lead_exhausted.is_some_and(|time| time <= now) {
            // The probe asks for an ack, so from now on the probe timeout is in charge.
            self.lead_exhausted = None;
            return Some(Probe { packets: 1 });
        }
        if self.unasked_deadline().is_some_and(|time| time <= now) {
            // The ack of the probe tells which of them are lost; silence tells nothing.
            self.last_counted_sent = now;
            return Some(Probe { packets: 1 });
        }
        if self.pto_deadline().is_none_or(|time| time > now) {
            return None;
        }
        self.pto_count = self.pto_count.saturating_add(1);
        // Until the probe is sent the timer must not fire again.
        self.last_eliciting_sent = now;
        controller.on_pto(now);
        Some(Probe { packets: self.offer_oldest_again(queues) })
    }

    /// Losses that [`Recovery::on_timeout`] declared since the last call: packets and UDP payload
    /// bytes.
    pub fn take_timer_losses(&mut self) -> (u64, u64) {
        let losses = std::mem::take(&mut self.flow.timer_losses);
        (losses.packets, losses.bytes)
    }

    /// When [`Recovery::on_timeout`] is to be called.
    pub fn deadline(&self) -> Option<Time> {
        self.loss_time
            .or(self.lead_exhausted)
            .or_else(|| self.pto_deadline())
            .or_else(|| self.unasked_deadline())
    }

    /// The probe timeout without backing off.
    pub fn pto(&self) -> Duration {
        let variation = (self.rtt.rttvar() * 4).max(GRANULARITY);
        self.rtt.smoothed_rtt() + variation + PEER_MAX_ACK_DELAY
    }

    fn pto_deadline(&self) -> Option<Time> {
        if self.eliciting == 0 {
            return None;
        }
        let base = self.pto();
        let backed_off = base.saturating_mul(1 << self.pto_count.min(16));
        Some(self.last_eliciting_sent + backed_off.min(MAX_PTO.max(base)))
    }

    /// When to ask about data in flight if no packet asks already.
    fn unasked_deadline(&self) -> Option<Time> {
        let unasked = self.eliciting == 0 && self.bytes_in_flight > 0;
        unasked.then(|| self.last_counted_sent + self.pto() * UNASKED_PTOS)
    }

    /// Compares the frame with the packets whose fate is open.
    fn walk(
        &mut self,
        now: Time,
        frame: &AckFrame<'_>,
        queues: &mut SendQueues,
        tally: &mut Tally,
    ) {
        let old_newest = self.newest_acked;
        let mut cursor = self.holes.cursor();
        // What lies below here can change no more.
        let floor = self.holes.oldest().map_or(old_newest + 1, |hole| hole.number);
        let mut next = Some(frame.latest);
        for block in frame.blocks() {
            let Some(end) = next.filter(|&end| end >= floor) else {
                break;
            };
            let below = end.checked_sub(u64::from(block.acked));
            if block.acked > 0 {
                let range = below.map_or(0, |below| below + 1)..=end;
                self.acked_range(now, range, old_newest, &mut cursor, queues, tally);
            }
            next = below.and_then(|below| below.checked_sub(u64::from(block.missing)));
        }
        // Below the blocks all is acknowledged that the peer still had to report on.
        if let Some(end) = next.filter(|&end| end >= self.stop_waiting) {
            let range = self.stop_waiting..=end;
            self.acked_range(now, range, old_newest, &mut cursor, queues, tally);
        }
        self.holes.finish(&cursor);
        for number in old_newest + 1..self.newest_acked {
            if self.packets.at(number).is_some_and(|packet| packet.fate == Fate::InFlight) {
                self.holes.push(number);
            }
        }
    }

    fn acked_range(
        &mut self,
        now: Time,
        range: RangeInclusive<u64>,
        old_newest: u64,
        cursor: &mut Cursor,
        queues: &mut SendQueues,
        tally: &mut Tally,
    ) {
        if *range.end() > old_newest {
            self.newest_acked = self.newest_acked.max(*range.end());
            let start = (*range.start()).max(old_newest + 1);
            for number in (start..=*range.end()).rev() {
                self.acked(now, number, queues, tally);
            }
        }
        while let Some(number) = self.holes.take_next(cursor, &range) {
            self.acked(now, number, queues, tally);
        }
    }

    fn acked(&mut self, now: Time, number: u64, queues: &mut SendQueues, tally: &mut Tally) {
        let Some(packet) = self.packets.at_mut(number) else {
            return;
        };
        let bytes = if packet.counted { u64::from(packet.bytes) } else { 0 };
        match packet.fate {
            Fate::Acked => return,
            Fate::InFlight => {
                self.bytes_in_flight -= bytes;
                self.eliciting -= u64::from(packet.ack_eliciting);
            }
            Fate::Lost => {
                tally.report.spurious_losses += 1;
                tally.spurious_bytes += bytes;
            }
        }
        packet.fate = Fate::Acked;
        self.sizes.on_acked(number, packet.bytes, packet.measures_path);
        if !packet.content.is_empty() {
            queues.on_acked(&packet.content);
            packet.content = SentContent::default();
        }
        tally.eliciting |= packet.ack_eliciting;
        tally.report.acked_packets += 1;
        tally.report.acked_bytes += bytes;
        self.flow.delivered += bytes;
        self.flow.delivered_at = now;
        if tally.report.newest_acked.is_none_or(|newest| newest < number) {
            tally.report.newest_acked = Some(number);
            tally.sample.prior_delivered = packet.delivered;
            tally.sample.app_limited = packet.app_limited;
            let sending = packet.sent.since(packet.first_sent);
            tally.sample.interval = sending.max(now.since(packet.delivered_at));
            self.flow.first_sent = packet.sent;
        }
    }

    fn finish_sample(&mut self, tally: &mut Tally) {
        let flow = &mut self.flow;
        if flow.app_limited_until.is_some_and(|until| flow.delivered > until) {
            flow.app_limited_until = None;
        }
        tally.sample = AckSample {
            newly_acked_bytes: tally.report.acked_bytes,
            newly_acked_packets: tally.report.acked_packets,
            newest_acked: tally.report.newest_acked.unwrap_or(self.newest_acked),
            rtt: tally.report.rtt,
            smoothed_rtt: self.rtt.smoothed_rtt(),
            min_rtt: self.rtt.min_rtt(),
            delivered: flow.delivered,
            bytes_in_flight: self.bytes_in_flight,
            ..tally.sample
        };
    }

    /// A sample from the packet that the frame names, if its delay is known.
    fn measure(&mut self, now: Time, frame: &AckFrame<'_>) -> Option<Duration> {
        let packet = self.packets.at(frame.latest).filter(|packet| packet.fate == Fate::Acked)?;
        let delay_us = i64::from(frame.delay?) * ACK_DELAY_UNIT_US;
        let elapsed_us = i64::try_from(now.micros_since(packet.sent)).unwrap_or(i64::MAX);
        let rtt_us = elapsed_us - delay_us;
        if !VALID_RTT_US.contains(&rtt_us) {
            return None;
        }
        let rtt = Duration::from_micros(u64::try_from(rtt_us).unwrap_or(0));
        self.rtt.update(rtt);
        Some(rtt)
    }

    /// Declares lost what is, and sets the timer for what may soon be (RFC 9002 section A.10).
    fn detect_losses(
        &mut self,
        now: Time,
        queues: &mut SendQueues,
        controller: &mut dyn CongestionController,
    ) -> LossSample {
        self.loss_time = None;
        let mut lost = LossSample::default();
        let latest = self.rtt.latest().unwrap_or(INITIAL_RTT);
        let longest = self.rtt.smoothed_rtt().max(latest);
        let delay = (longest * 9 / 8).max(GRANULARITY);
        while let Some(number) = self.holes.oldest_in_flight() {
            let Some(packet) = self.packets.at_mut(number) else {
                break;
            };
            let due = packet.sent + delay;
            if self.newest_acked - number < PACKET_THRESHOLD && due > now {
                // Acks alone are not worth a timer.
                self.loss_time = self
                    .packets
                    .from(number)
                    .take_while(|&(number, _)| number < self.newest_acked)
                    .find(|(_, packet)| packet.fate == Fate::InFlight && packet.counted)
                    .map(|(_, packet)| packet.sent + delay);
                break;
            }
            packet.fate = Fate::Lost;
            let bytes = if packet.counted { u64::from(packet.bytes) } else { 0 };
            self.bytes_in_flight -= bytes;
            self.eliciting -= u64::from(packet.ack_eliciting);
            queues.on_lost(&packet.content);
            packet.content.give_up_unreliable();
            self.sizes.on_lost(number, packet.bytes, packet.measures_path);
            if packet.measures_path {
                self.holes.declare_lost(now);
                continue;
            }
            lost.packets += 1;
            lost.bytes += bytes;
            lost.newest_lost = number;
            lost.newest_lost_sent = packet.sent;
            self.holes.declare_lost(now);
        }
        lost.bytes_in_flight = self.bytes_in_flight;
        // What a full receiver refuses says nothing about the path.
        if lost.bytes > 0 && !queues.peer_is_full() {
            controller.on_lost(now, &lost);
        }
        lost
    }

    /// Has the oldest reliable data in flight sent again, without counting it as lost. Returns the
    /// number of packets worth sending, at least one.
    fn offer_oldest_again(&self, queues: &mut SendQueues) -> u8 {
        queues.on_probe_timeout();
        let mut offered = 0;
        let start = self.holes.oldest_in_flight().unwrap_or(self.newest_acked + 1);
        for (_, packet) in self.packets.from(start) {
            if packet.fate == Fate::InFlight && packet.content.is_reliable() {
                queues.send_again(&packet.content);
                offered += 1;
                if offered == MAX_PROBES {
                    break;
                }
            }
        }
        offered.max(1)
    }

    /// Moves the stop-waiting number on, and forgets packets whose fate can change no more.
    fn forget_old(&mut self, now: Time) {
        if !self.holes.is_empty() {
            let patience = (self.rtt.smoothed_rtt() / 4).max(GRANULARITY);
            self.holes.release(before(now, patience), MAX_AWAITED_LOST);
        }
        let wanted = self.holes.oldest_wanted().unwrap_or(self.newest_acked);
        self.stop_waiting = self.stop_waiting.max(wanted);
        let forgotten_before = before(now, LOST_RECORD_LIFE);
        while let Some(packet) = self.packets.front() {
            let first = self.packets.first();
            match packet.fate {
                Fate::Acked => {}
                Fate::InFlight => break,
                Fate::Lost => {
                    let Some(hole) = self.holes.oldest() else {
                        break;
                    };
                    debug_assert_eq!(hole.number, first, "a lost packet is a hole");
                    let kept = hole.lost_at > forgotten_before || first >= self.stop_waiting;
                    if kept && self.packets.len() <= MAX_SENT_PACKETS {
                        break;
                    }
                    self.holes.pop_front();
                }
            }
            self.packets.pop_front();
        }
    }
}

/// Unit of the ack frame's delay field, in microseconds (wire.md §5).
const ACK_DELAY_UNIT_US: i64 = 32;

fn before(now: Time, ago: Duration) -> Time {
    let ago_us = u64::try_from(ago.as_micros()).unwrap_or(u64::MAX);
    Time::from_micros(now.as_micros().saturating_sub(ago_us))
}
