//! When statistics and tracer pings ride in a packet, and what the peer reported (wire.md §6).

use std::time::Duration;

use gamewire_wire::messages::UdpStats;

use crate::Time;

use super::{
    reservoir::scramble,
    snapshot::{InstantaneousStats, LifetimeStats, Reported},
};

/// Age of the last ping sample or request after which a packet sent anyway asks for an ack.
pub const PING_READY_AFTER: Duration = Duration::from_secs(5);
/// Age after which a packet is sent for it, if unreliable data has been sent since.
pub const PING_FORCED_AFTER: Duration = Duration::from_secs(7);
/// When instantaneous statistics go: with any packet from the first, at the latest at the second,
/// counted from when the peer acked the last ones.
pub const INSTANTANEOUS_REPORT: (Duration, Duration) =
    (Duration::from_secs(20), Duration::from_secs(30));
/// The same of lifetime statistics.
pub const LIFETIME_REPORT: (Duration, Duration) =
    (Duration::from_secs(120), Duration::from_secs(140));
/// Statistics neither acked nor reported lost for so long go again.
pub const STATS_IN_FLIGHT_EXPIRY: Duration = Duration::from_secs(5);
/// Largest encoded `UdpStats` that we send; details that do not fit are left out.
pub const MAX_INLINE_STATS_BYTES: usize = 200;

/// A link with less than one packet in this time is idle and has nothing to report.
const ACTIVE_PACKET_EVERY_US: u64 = 3_000_000;
/// Packets in one direction that make a lifetime report worth while.
const LIFETIME_MIN_PACKETS: u64 = 100;

/// The two kinds of report; a packet carries at most one, which keeps it small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ReportKind {
    Instantaneous,
    Lifetime,
}

impl ReportKind {
    fn window(self) -> (Duration, Duration) {
        match self {
            Self::Instantaneous => INSTANTANEOUS_REPORT,
            Self::Lifetime => LIFETIME_REPORT,
        }
    }
}

/// Packets so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// When one kind of report goes.
#[derive(Clone, Debug)]
struct Schedule {
    kind: ReportKind,
    seed: u32,
    round: u32,
    since: Time,
    traffic: Traffic,
}

impl Schedule {
    fn new(kind: ReportKind, now: Time, seed: u32) -> Self {
        Self { kind, seed, round: 0, since: now, traffic: Traffic::default() }
    }

    fn ready_at(&self) -> Time {
        self.since + self.kind.window().0
    }

    /// Somewhere in the second half of the window, so that connections made at once do not report
    /// at once for ever.
    fn due_at(&self) -> Time {
        let (ready, latest) = self.kind.window();
        let half_us = u64::try_from((latest - ready).as_micros() / 2).unwrap_or(0);
        let spread = scramble(u64::from(self.seed) << 32 | u64::from(self.round)) % (half_us + 1);
        (self.since + ready).plus_micros(half_us + spread)
    }

    fn worth_while(&self, at: Time, traffic: Traffic) -> bool {
        let needed = match self.kind {
            ReportKind::Instantaneous => at.micros_since(self.since) / ACTIVE_PACKET_EVERY_US,
            ReportKind::Lifetime => LIFETIME_MIN_PACKETS,
        };
        traffic.sent > self.traffic.sent + needed
            || traffic.received > self.traffic.received + needed
    }

    fn restart(&mut self, now: Time, traffic: Traffic) {
        self.round = self.round.wrapping_add(1);
        self.since = now;
        self.traffic = traffic;
    }

    /// Nothing to tell: wait another round. Lifetime counters run on, so that a slow link reports
    /// once it has something.
    fn skip(&mut self, now: Time, traffic: Traffic) {
        let counted_from = match self.kind {
            ReportKind::Instantaneous => traffic,
            ReportKind::Lifetime => self.traffic,
        };
        self.restart(now, counted_from);
    }
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    packet_number: u64,
    kind: ReportKind,
    expires: Time,
}

#[derive(Clone, Debug, Default)]
struct RemoteReports {
    instantaneous: Option<Reported<InstantaneousStats>>,
    lifetime: Option<Reported<LifetimeStats>>,
}

/// The exchange of statistics with the peer.
#[derive(Debug)]
pub(super) struct Exchange {
    instantaneous: Schedule,
    lifetime: Schedule,
    in_flight: Option<InFlight>,
    last_ping_request: Time,
    last_unreliable: Option<Time>,
    remote: Option<Box<RemoteReports>>,
}

impl Exchange {
    pub(super) fn new(now: Time, seed: u32) -> Self {
        Self {
            instantaneous: Schedule::new(ReportKind::Instantaneous, now, seed),
            lifetime: Schedule::new(ReportKind::Lifetime, now, !seed),
            in_flight: None,
            last_ping_request: now,
            last_unreliable: None,
            remote: None,
        }
    }

    pub(super) fn on_unreliable_sent(&mut self, now: Time) {
        self.last_unreliable = Some(now);
    }

    /// A packet went out whose ack gives a ping sample.
    pub(super) fn on_ping_request(&mut self, now: Time) {
        self.last_ping_request = now;
    }

    pub(super) fn on_stats_sent(&mut self, now: Time, packet_number: u64, stats: &UdpStats) {
        let Some(body) = &stats.stats else { return };
        let kind =
            if body.lifetime.is_some() { ReportKind::Lifetime } else { ReportKind::Instantaneous };
        let expires = now + STATS_IN_FLIGHT_EXPIRY;
        self.in_flight = Some(InFlight { packet_number, kind, expires });
    }

    #[inline]
    pub(super) fn carries(&self, packet_number: u64) -> bool {
        self.in_flight.is_some_and(|report| report.packet_number == packet_number)
    }

    pub(super) fn in_flight_number(&self) -> Option<u64> {
        self.in_flight.map(|report| report.packet_number)
    }

    /// Whatever is in flight has arrived.
    pub(super) fn on_stats_acked(&mut self, now: Time, traffic: Traffic) {
        match self.in_flight.take().map(|report| report.kind) {
            Some(ReportKind::Instantaneous) => self.instantaneous.restart(now, traffic),
            Some(ReportKind::Lifetime) => self.lifetime.restart(now, traffic),
            None => {}
        }
    }

    pub(super) fn on_stats_lost(&mut self) {
        self.in_flight = None;
    }

    /// The report that a packet sent now carries; with `ready_suffices` also one not yet overdue.
    pub(super) fn wanted(
        &mut self,
        now: Time,
        traffic: Traffic,
        ready_suffices: bool,
    ) -> Option<ReportKind> {
        if self.in_flight.is_some_and(|report| now < report.expires) {
            return None;
        }
        for schedule in [&mut self.instantaneous, &mut self.lifetime] {
            if now < schedule.ready_at() {
                continue;
            }
            if !schedule.worth_while(now, traffic) {
                schedule.skip(now, traffic);
            } else if ready_suffices || now >= schedule.due_at() {
                return Some(schedule.kind);
            }
        }
        None
    }

    /// When a packet must be sent for a report's sake.
    pub(super) fn next_stats(&self, traffic: Traffic) -> Option<Time> {
        let not_before = self.in_flight.map_or(Time::default(), |report| report.expires);
        [&self.instantaneous, &self.lifetime]
            .into_iter()
            .map(|schedule| (schedule, schedule.due_at().max(not_before)))
            .filter(|(schedule, at)| schedule.worth_while(*at, traffic))
            .map(|(_, at)| at)
            .min()
    }

    /// Whether a packet sent now asks for an ack to measure the ping; with `ready_suffices` also
    /// when that is not yet overdue.
    pub(super) fn tracer_wanted(
        &self,
        now: Time,
        last_sample: Option<Time>,
        ready_suffices: bool,
    ) -> bool {
        let ready = now >= self.ping_reference(last_sample) + PING_READY_AFTER;
        let forced = self.next_tracer(last_sample).is_some_and(|at| at <= now);
        forced || ready && ready_suffices
    }

    /// When a packet must be sent for the ping's sake: only while unreliable data flows, whose
    /// packets are not acked by themselves.
    pub(super) fn next_tracer(&self, last_sample: Option<Time>) -> Option<Time> {
        let reference = self.ping_reference(last_sample);
        self.last_unreliable.filter(|&sent| sent > reference).map(|_| reference + PING_FORCED_AFTER)
    }

    fn ping_reference(&self, last_sample: Option<Time>) -> Time {
        last_sample.map_or(self.last_ping_request, |at| at.max(self.last_ping_request))
    }

    pub(super) fn on_stats_received(&mut self, now: Time, stats: &UdpStats) {
        let Some(body) = &stats.stats else { return };
        if let Some(message) = &body.instantaneous {
            let stats = InstantaneousStats::from_message(message);
            self.remote_mut().instantaneous = Some(Reported { received_at: now, stats });
        }
        if let Some(message) = &body.lifetime {
            let stats = LifetimeStats::from_message(message);
            self.remote_mut().lifetime = Some(Reported { received_at: now, stats });
        }
    }

    fn remote_mut(&mut self) -> &mut RemoteReports {
        self.remote.get_or_insert_with(Box::default)
    }

    pub(super) fn remote_instantaneous(&self) -> Option<&Reported<InstantaneousStats>> {
        self.remote.as_ref()?.instantaneous.as_ref()
    }

    pub(super) fn remote_lifetime(&self) -> Option<&Reported<LifetimeStats>> {
        self.remote.as_ref()?.lifetime.as_ref()
    }
}
