//! What a connection knows about its own quality, and when it must speak to keep knowing it.
//!
//! [`LinkStats`] counts packets, measures ping, jitter, loss and rates, exchanges summaries with the
//! peer inside data packets (wire.md §6), and owns the schedule of keep-alives, urgent pings and the
//! verdict that the peer is gone. It sends nothing itself: it says when a packet is wanted
//! ([`LinkStats::deadline`], [`LinkStats::on_timeout`]) and what statistics that packet carries
//! ([`LinkStats::inline_stats_for_packet`]).
//!
//! A packet costs a few additions; sorting and summing happen when someone asks.

mod events;
mod exchange;
mod histograms;
mod jitter;
mod liveness;
mod messages;
mod ping;
mod quality;
mod rates;
mod reservoir;
mod snapshot;

#[cfg(test)]
mod tests;

use std::time::Duration;

use gamewire_wire::{messages::UdpStats, snp::AckBlock};

use crate::Time;
use exchange::{Exchange, Traffic};
use jitter::JitterMeter;
use liveness::Liveness;
use quality::QualityMeter;
use rates::RateMeter;

pub use events::{
    AckRequest, Arrival, FLAG_ACK_REQUEST_E2E, FLAG_ACK_REQUEST_IMMEDIATE,
    FLAG_NOT_PRIMARY_TRANSPORT_E2E, SendReason, SentContent, SentPacket, StatsAction,
};
pub use exchange::{
    INSTANTANEOUS_REPORT, LIFETIME_REPORT, MAX_INLINE_STATS_BYTES, PING_FORCED_AFTER,
    PING_READY_AFTER, STATS_IN_FLIGHT_EXPIRY,
};
pub use histograms::{JitterHistogram, PingHistogram, QualityHistogram};
pub use jitter::{TIME_SINCE_PREVIOUS_LIMIT_US, TIME_SINCE_PREVIOUS_UNIT_US};
pub use liveness::{
    DELAYED_REPLY_EXTRA, KEEP_ALIVE_AFTER, MAX_REPLY_TIMEOUT, MIN_REPLY_TIMEOUTS, URGENT_PING_EVERY,
};
pub use ping::{PING_SAMPLE_SPACING, PingTracker};
pub use quality::{LURCH_MISSING, QUALITY_INTERVAL};
pub use reservoir::RESERVOIR_SAMPLES;
pub use snapshot::{
    InstantaneousStats, JitterStats, LifetimeStats, LinkSnapshot, PingStats, PingSummary,
    QualityStats, RealTimeLink, Reported, SequenceTotals,
};

/// How long a wish to send is not repeated by [`LinkStats::deadline`] while the packet is delayed
/// (pacing, a blocked socket); keeps a driver from spinning.
pub const PROMPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Statistics and liveness of one connection over one link. Times never run backwards here: an older
/// `now` counts as no time passed.
#[derive(Debug)]
pub struct LinkStats {
    started: Time,
    last_sent: Option<Time>,
    sent: RateMeter,
    received: RateMeter,
    ping: PingTracker,
    jitter: JitterMeter,
    quality: QualityMeter,
    liveness: Liveness,
    exchange: Exchange,
    prompted: Option<Time>,
}

impl LinkStats {
    /// Statistics of a link that has just come up. `seed` spreads reports of many connections over
    /// time; equal seeds give equal schedules.
    pub fn new(now: Time, seed: u32) -> Self {
        Self {
            started: now,
            last_sent: None,
            sent: RateMeter::new(now),
            received: RateMeter::new(now),
            ping: PingTracker::default(),
            jitter: JitterMeter::default(),
            quality: QualityMeter::new(now),
            liveness: Liveness::new(now),
            exchange: Exchange::new(now, seed),
            prompted: None,
        }
    }

    /// Counts a sent packet and starts waiting for the reply that it asks for.
    pub fn on_packet_sent(&mut self, now: Time, packet: SentPacket<'_>) {
        self.close_interval(now);
        self.quality.on_sent();
        self.sent.add(now, packet.bytes);
        self.last_sent = Some(now);
        self.prompted = None;
        let mut asked = packet.stats.map_or(AckRequest::None, AckRequest::of);
        match packet.content {
            SentContent::AcksOnly => {}
            SentContent::Unreliable => self.exchange.on_unreliable_sent(now),
            SentContent::Reliable => asked = asked.max(AckRequest::Delayed),
        }
        if asked != AckRequest::None {
            self.liveness.expect_reply(now, asked, &self.ping);
            self.exchange.on_ping_request(now);
        }
        if let Some(stats) = packet.stats {
            self.exchange.on_stats_sent(now, packet.packet_number, stats);
        }
    }

    /// Counts a received packet of `bytes` (the datagram). Everything but duplicates and packets too
    /// old must have been opened (authenticated) before, since it proves that the peer lives.
    /// `time_since_previous` is the header's field, in 16 µs units.
    pub fn on_packet_received(
        &mut self,
        now: Time,
        bytes: usize,
        arrival: Arrival,
        time_since_previous: Option<u16>,
    ) {
        self.close_interval(now);
        self.received.add(now, bytes);
        self.quality.on_received(arrival);
        match arrival {
            Arrival::InOrder => self.jitter.on_in_order(now, time_since_previous),
            Arrival::Gap { .. } | Arrival::OutOfOrderCorrected => self.jitter.on_newest(now),
            Arrival::OutOfOrder => {}
            Arrival::Duplicate | Arrival::TooOld => return,
        }
        self.liveness.on_received(now);
    }

    /// A packet of ours was acked; the statistics in it have arrived.
    #[inline]
    pub fn on_packet_acked(&mut self, now: Time, packet_number: u64) {
        if self.exchange.carries(packet_number) {
            let traffic = self.traffic();
            self.exchange.on_stats_acked(now, traffic);
        }
    }

    /// An ack frame came: `latest` and its blocks, newest first. Finds out whether the statistics in
    /// flight have arrived, which [`Self::on_packet_acked`] cannot where only the newest acked packet
    /// is known. Free while none are in flight.
    #[inline]
    pub fn on_ack_frame(
        &mut self,
        now: Time,
        latest: u64,
        blocks: impl IntoIterator<Item = AckBlock>,
    ) {
        if let Some(number) = self.exchange.in_flight_number()
            && events::is_acked(number, latest, blocks)
        {
            self.on_packet_acked(now, number);
        }
    }

    /// A packet of ours is taken for lost; the statistics in it go again.
    #[inline]
    pub fn on_packet_lost(&mut self, packet_number: u64) {
        if self.exchange.carries(packet_number) {
            self.exchange.on_stats_lost();
        }
    }

    /// A round trip was measured (from any ack, or from the handshake).
    pub fn on_ping_sample(&mut self, now: Time, rtt: Duration) {
        self.ping.add(now, rtt);
    }

    /// Takes note of the statistics in a packet that was opened. They are **not** authenticated
    /// themselves: they feed displays only, and absurd values read as unknown. Says what ack the
    /// peer asks for.
    pub fn on_stats_received(&mut self, now: Time, stats: &UdpStats) -> AckRequest {
        self.exchange.on_stats_received(now, stats);
        AckRequest::of(stats)
    }

    /// The statistics that the next packet carries, if any; at most [`MAX_INLINE_STATS_BYTES`]
    /// encoded. With `sending_anyway` the packet is sent whatever comes from here, so that things
    /// not yet overdue ride along. Pass the result to [`Self::on_packet_sent`].
    pub fn inline_stats_for_packet(&mut self, now: Time, sending_anyway: bool) -> Option<UdpStats> {
        self.close_interval(now);
        let flags = |flags| Some(UdpStats { stats: None, flags: Some(flags) });
        if self.liveness.urgent_ping_due(now) {
            return flags(FLAG_ACK_REQUEST_E2E | FLAG_ACK_REQUEST_IMMEDIATE);
        }
        if self.liveness.silent() {
            return None;
        }
        let traffic = self.traffic();
        if let Some(kind) = self.exchange.wanted(now, traffic, sending_anyway) {
            return Some(messages::udp_stats(self, now, kind));
        }
        let ping_wanted = self.liveness.keep_alive_due(now)
            || self.exchange.tracer_wanted(now, self.ping.last_sample(), sending_anyway);
        if ping_wanted { flags(FLAG_ACK_REQUEST_E2E) } else { None }
    }

    /// When the packet sent now tells how long ago the previous one left (`SendTimeSincePreviousPacket`):
    /// the header's field in 16 µs units, `None` for the first packet and after 250 ms or more.
    pub fn time_since_previous_sent(&self, now: Time) -> Option<u16> {
        let gap_us = now.micros_since(self.last_sent?);
        if gap_us >= TIME_SINCE_PREVIOUS_LIMIT_US {
            return None;
        }
        u16::try_from(gap_us / TIME_SINCE_PREVIOUS_UNIT_US).ok()
    }

    /// The next moment when [`Self::on_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Time> {
        let exchange = if self.liveness.silent() {
            [None; 2]
        } else {
            let last_sample = self.ping.last_sample();
            [self.exchange.next_tracer(last_sample), self.exchange.next_stats(self.traffic())]
        };
        let liveness = self.liveness.next_send();
        let next_send = exchange.into_iter().chain([liveness]).flatten().min();
        let not_before = self.prompted.map_or(Time::default(), |at| at + PROMPT_AGAIN_AFTER);
        let next_send = next_send.map(|at| at.max(not_before));
        [next_send, self.liveness.reply_deadline()].into_iter().flatten().min()
    }

    /// Handles whatever is due.
    pub fn on_timeout(&mut self, now: Time) -> StatsAction {
        self.close_interval(now);
        self.liveness.on_timeout(now);
        let reason = self.send_reason(now);
        if reason.is_some() {
            self.prompted = Some(now);
        }
        reason.map_or(StatsAction::Nothing, StatsAction::Send)
    }

    /// Whether the peer is gone: silent for `timeout` since it first failed to answer, and at least
    /// [`MIN_REPLY_TIMEOUTS`] replies in a row did not come.
    pub fn timed_out(&self, now: Time, timeout: Duration) -> bool {
        self.timeout_deadline(timeout).is_some_and(|at| at <= now)
    }

    /// When [`Self::timed_out`] becomes true if nothing is heard; `None` while too few replies are
    /// missing to tell. May change with every call of [`Self::on_timeout`].
    pub fn timeout_deadline(&self, timeout: Duration) -> Option<Time> {
        self.liveness.timeout_deadline(timeout)
    }

    /// When the peer was last heard (authenticated); the start before that.
    pub fn last_received(&self) -> Time {
        self.liveness.last_received()
    }

    /// Replies in a row that did not come in time.
    pub fn reply_timeouts(&self) -> u32 {
        self.liveness.reply_timeouts()
    }

    /// How long an answer that need not be delayed may take.
    pub fn reply_timeout(&self) -> Duration {
        liveness::reply_timeout(&self.ping)
    }

    /// Ping measurements.
    pub fn ping(&self) -> &PingTracker {
        &self.ping
    }

    /// The largest jitter since the previous call, in microseconds; `None` if none was measured.
    pub fn take_max_jitter_us(&mut self) -> Option<u32> {
        self.jitter.take_max_us()
    }

    /// Share of the packets sent by the peer that arrived in sequence during the last 5 to 10 s, 0 to
    /// 1; `None` when too little is known.
    pub fn quality_local(&self, now: Time) -> Option<f32> {
        self.quality.recent(now).quality()
    }

    /// The same as the peer last reported it about our packets.
    pub fn quality_remote(&self) -> Option<f32> {
        self.exchange.remote_instantaneous()?.stats.quality()
    }

    /// What `GetConnectionRealTimeStatus` shows of the link (api.md §3.7). Clears the jitter mark.
    pub fn real_time(&mut self, now: Time) -> RealTimeLink {
        let out = self.sent.rate(now);
        let incoming = self.received.rate(now);
        RealTimeLink {
            ping_ms: self.ping.smoothed_ms(),
            quality_local: self.quality_local(now),
            quality_remote: self.quality_remote(),
            out_packets_per_s: out.packets_per_s,
            out_bytes_per_s: out.bytes_per_s,
            in_packets_per_s: incoming.packets_per_s,
            in_bytes_per_s: incoming.bytes_per_s,
            max_jitter_us: self.jitter.take_max_us(),
        }
    }

    /// Everything known, as plain data. Sorts samples: for displays, not for every packet.
    pub fn snapshot(&self, now: Time) -> LinkSnapshot {
        LinkSnapshot {
            local_instantaneous: self.instantaneous(now),
            local_lifetime: self.lifetime(now),
            remote_instantaneous: self.exchange.remote_instantaneous().cloned(),
            remote_lifetime: self.exchange.remote_lifetime().cloned(),
            quality_local: self.quality_local(now),
            quality_remote: self.quality_remote(),
            ping: self.ping.summary(),
            last_received_us_ago: now.micros_since(self.liveness.last_received()),
            reply_timeouts: self.liveness.reply_timeouts(),
        }
    }

    fn instantaneous(&self, now: Time) -> InstantaneousStats {
        let out = self.sent.rate(now);
        let incoming = self.received.rate(now);
        let recent = self.quality.recent(now);
        InstantaneousStats {
            out_packets_per_s: out.packets_per_s,
            out_bytes_per_s: out.bytes_per_s,
            in_packets_per_s: incoming.packets_per_s,
            in_bytes_per_s: incoming.bytes_per_s,
            ping_ms: self.ping.smoothed_ms(),
            dropped_fraction: recent.dropped_fraction(),
            weird_sequence_fraction: recent.weird_fraction(),
            peak_jitter_us: self.jitter.recent_peak_us(),
        }
    }

    fn lifetime(&self, now: Time) -> LifetimeStats {
        let seconds = now.micros_since(self.started) / 1_000_000;
        LifetimeStats {
            connected_s: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
            packets_sent: self.sent.total_packets(),
            bytes_sent: self.sent.total_bytes(),
            packets_received: self.received.total_packets(),
            bytes_received: self.received.total_bytes(),
            sequence: self.quality.totals(),
            quality: self.quality.distribution(),
            ping: self.ping.distribution(),
            jitter: JitterStats { histogram: self.jitter.histogram() },
        }
    }

    /// Why a packet must go now. While the peer is silent nothing goes but urgent pings.
    fn send_reason(&mut self, now: Time) -> Option<SendReason> {
        if self.liveness.silent() {
            return self.liveness.urgent_ping_due(now).then_some(SendReason::UrgentPing);
        }
        let traffic = self.traffic();
        if self.exchange.wanted(now, traffic, false).is_some() {
            Some(SendReason::Stats)
        } else if self.liveness.keep_alive_due(now) {
            Some(SendReason::KeepAlive)
        } else if self.exchange.tracer_wanted(now, self.ping.last_sample(), false) {
            Some(SendReason::TracerPing)
        } else {
            None
        }
    }

    fn traffic(&self) -> Traffic {
        Traffic { sent: self.sent.total_packets(), received: self.quality.totals().received }
    }

    /// Interval work, done lazily by whatever happens first after the interval's end: an idle
    /// connection needs no timer for it.
    #[inline]
    fn close_interval(&mut self, now: Time) {
        if self.quality.interval_over(now) {
            self.quality.close_interval(now, self.liveness.reply_timeouts());
            self.jitter.close_interval();
        }
    }
}
