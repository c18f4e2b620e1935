//! How far the PoPs are.
//!
//! First every PoP gets one short ping, spread over a second; then the nearest get three full ones
//! at each of two relays. From time to time the best are measured again.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use gamewire_crypto::Entropy;
use gamewire_proto::Time;
use gamewire_wire::{address::Address, messages::relay::RouterPingReply, relay::PingRequest};

use super::ToRelay;
use crate::{
    PopId,
    config::{NetworkConfig, Relay},
    location::{Ping, PingLocation, PopPing},
};

/// PoPs that are measured closely (`SDRClient_LimitPingProbesToNearestN`).
pub const DEFAULT_NEAREST_POPS: usize = 16;
/// A ping without an answer is lost after this.
pub const MEASURE_TIMEOUT: Duration = Duration::from_millis(750);
/// Over which the first round is spread.
const FIRST_ROUND: Duration = Duration::from_secs(1);
/// Between two pings to one relay.
const PING_SPACING: Duration = Duration::from_millis(100);
/// Full pings per relay in the second round.
const PINGS_PER_RELAY: u32 = 3;
/// Relays per PoP in the second round.
const RELAYS_PER_POP: usize = 2;
/// Failures in a row after which another relay or port of the PoP is tried.
const FAILURES_BEFORE_ANOTHER: u32 = 2;
/// How many PoPs are measured again between whole measurements.
const REFRESHED_POPS: usize = 5;
/// When, at the earliest and at the latest.
const REFRESH: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(600));
/// Most pings on their way.
const MAX_OUTSTANDING: usize = 2048;
/// Most pings of one PoP that are remembered; the least counts.
const KEPT_PINGS: usize = 16;
/// A reply's challenge is used for so long; relays take it for at least 50 s.
const CHALLENGE_USE: Duration = Duration::from_secs(45);

/// What the application wants of measurements.
#[derive(Clone, Debug)]
pub struct MeasurementOptions {
    /// PoPs that are measured closely.
    pub nearest_pops: usize,
    /// Only this PoP's relays (`SDRClient_ForceRelayCluster`).
    pub forced_pop: Option<PopId>,
    /// Pings in milliseconds that are pretended, in place of measured ones
    /// (`SDRClient_FakeClusterPing`).
    pub fake_pings: BTreeMap<PopId, u16>,
}

impl Default for MeasurementOptions {
    fn default() -> Self {
        Self { nearest_pops: DEFAULT_NEAREST_POPS, forced_pop: None, fake_pings: BTreeMap::new() }
    }
}

/// How a measurement stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MeasurementStatus {
    /// There is no network config.
    NoConfig,
    /// None was asked for.
    Idle,
    /// It goes on.
    Measuring,
    /// It is done, and some relay has answered.
    Done,
    /// It is done, and no relay has answered.
    NoRelay,
}

/// What is known of one PoP.
#[derive(Clone, Debug, Default)]
pub struct PopMeasure {
    /// The relay that answers best.
    pub relay: Option<Address>,
    /// The last pings in milliseconds.
    pings: VecDeque<u16>,
    failures: u32,
    /// How many relays and ports were given up.
    given_up: u32,
    /// Milliseconds that the relays ask to be added.
    pub penalty: u32,
    /// When the relay stops, if it said so.
    pub shutdown_at: Option<Time>,
    /// Its challenge and until when to use it.
    challenge: Option<(u64, u32, Time)>,
    /// Pings from there to data centres.
    pub data_centers: BTreeMap<PopId, u32>,
    /// Pings from there to other PoPs' relays.
    pub clusters: BTreeMap<PopId, u32>,
}

impl PopMeasure {
    /// The least of the last pings in milliseconds.
    pub fn ping_ms(&self) -> Option<u16> {
        self.pings.iter().copied().min()
    }

    /// The challenge to show the relay and the time that it told, while they are good.
    pub fn challenge(&self, now: Time) -> Option<(u64, u32)> {
        let (challenge, server_time, until) = self.challenge?;
        (now < until).then_some((challenge, server_time))
    }
}

#[derive(Clone, Copy, Debug)]
struct Outstanding {
    pop: PopId,
    relay: Address,
    sent: Time,
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    at: Time,
    pop: PopId,
    /// Which of its relays, counted on.
    relay: usize,
    minimal: bool,
}

/// Measures the PoPs of a network config.
pub struct Measurement {
    options: MeasurementOptions,
    config: Option<Arc<NetworkConfig>>,
    entropy: Box<dyn Entropy + Send>,
    pops: BTreeMap<PopId, PopMeasure>,
    outstanding: HashMap<u32, Outstanding>,
    /// In order of time.
    planned: Vec<Planned>,
    round: Round,
    finished: Option<Time>,
    refresh_at: Option<Time>,
    transmits: VecDeque<ToRelay>,
    /// Our address as relays see it.
    public_address: Option<Address>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Round {
    Idle,
    First,
    Second,
}

impl Measurement {
    /// Knows nothing yet.
    pub fn new(options: MeasurementOptions, entropy: Box<dyn Entropy + Send>) -> Self {
        Self {
            options,
            config: None,
            entropy,
            pops: BTreeMap::new(),
            outstanding: HashMap::new(),
            planned: Vec::new(),
            round: Round::Idle,
            finished: None,
            refresh_at: None,
            transmits: VecDeque::new(),
            public_address: None,
        }
    }

    /// Takes a network config; what is known of PoPs that stay is kept.
    pub fn set_config(&mut self, config: Arc<NetworkConfig>) {
        self.pops.retain(|pop, _| config.pop(*pop).is_some_and(|pop| !pop.relays.is_empty()));
        self.config = Some(config);
    }

    /// The network config in use.
    pub fn config(&self) -> Option<&Arc<NetworkConfig>> {
        self.config.as_ref()
    }

    /// Measures everything anew. Also for a change of the network interface.
    pub fn start(&mut self, now: Time) {
        let Some(config) = self.config.clone() else { return };
        self.planned.clear();
        self.outstanding.clear();
        let pops: Vec<PopId> = config
            .pops
            .iter()
            .filter(|pop| !pop.relays.is_empty() && self.is_wanted(pop.id))
            .map(|pop| pop.id)
            .collect();
        let spread = u64::try_from(FIRST_ROUND.as_micros()).unwrap_or(0);
        for pop in pops {
            let measure = self.pops.entry(pop).or_default();
            measure.pings.clear();
            measure.failures = 0;
            let delay = u64::from(self.entropy.next_u32()) % spread;
            let relay = self.entropy.next_u32() as usize;
            self.plan(Planned { at: now.plus_micros(delay), pop, relay, minimal: true });
        }
        self.round = Round::First;
        self.refresh_at = None;
        self.advance(now);
    }

    /// Whether the last whole measurement is younger than `max_age`; else one is started.
    #[doc(alias = "CheckPingDataUpToDate")]
    pub fn check_up_to_date(&mut self, now: Time, max_age: Duration) -> bool {
        if self.finished.is_some_and(|finished| now.since(finished) <= max_age) {
            return true;
        }
        if self.round == Round::Idle {
            self.start(now);
        }
        false
    }

    /// How it stands.
    pub fn status(&self) -> MeasurementStatus {
        if self.config.is_none() {
            return MeasurementStatus::NoConfig;
        }
        match (self.round, self.finished) {
            (Round::First | Round::Second, _) => MeasurementStatus::Measuring,
            (Round::Idle, None) => MeasurementStatus::Idle,
            (Round::Idle, Some(_)) if self.pops.values().any(|pop| pop.ping_ms().is_some()) => {
                MeasurementStatus::Done
            }
            (Round::Idle, Some(_)) => MeasurementStatus::NoRelay,
        }
    }

    /// Our own address as relays see it.
    pub const fn public_address(&self) -> Option<Address> {
        self.public_address
    }

    fn is_wanted(&self, pop: PopId) -> bool {
        self.options.forced_pop.is_none_or(|forced| forced == pop)
    }

    fn plan(&mut self, planned: Planned) {
        let place = self.planned.partition_point(|other| other.at <= planned.at);
        self.planned.insert(place, planned);
    }

    /// Pings a PoP's relay at once, for a fresh challenge.
    pub fn ping_now(&mut self, now: Time, pop: PopId) {
        let pending = self.outstanding.values().any(|out| out.pop == pop)
            || self.planned.iter().any(|planned| planned.pop == pop && planned.at <= now);
        if !pending {
            self.plan(Planned { at: now, pop, relay: 0, minimal: true });
            self.advance(now);
        }
    }

    /// The relay to ping: the one in use, unless it fails or others are to be tried too.
    fn relay_address(&self, planned: &Planned) -> Option<Address> {
        let config = self.config.as_ref()?;
        let relays = &config.pop(planned.pop)?.relays;
        let measure = self.pops.get(&planned.pop)?;
        if planned.relay == 0
            && let Some(relay) = measure.relay
        {
            return Some(relay);
        }
        let choice = planned.relay.wrapping_add(measure.given_up as usize);
        port_of(relays.get(choice % relays.len())?, choice / relays.len())
    }

    fn send_ping(&mut self, now: Time, planned: &Planned) {
        let Some(relay) = self.relay_address(planned) else { return };
        if self.outstanding.len() >= MAX_OUTSTANDING {
            return;
        }
        let cookie = self.entropy.next_u32();
        let revision = self.config.as_ref().map_or(0, |config| config.revision);
        let request = PingRequest {
            minimal: planned.minimal,
            config_revision: revision as u32,
            ..PingRequest::new(relay, (now.as_micros() / 1000) as u32, cookie)
        };
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.outstanding.insert(cookie, Outstanding { pop: planned.pop, relay, sent: now });
        self.transmits.push_back(ToRelay { to: relay, bytes });
    }

    /// Takes a ping reply. False if no ping of ours asked for it.
    pub fn handle_reply(&mut self, now: Time, from: Address, reply: &RouterPingReply) -> bool {
        let cookie = reply.client_cookie.unwrap_or(0);
        let Some(asked) = self.outstanding.get(&cookie).copied() else {
            return false;
        };
        if asked.relay != from {
            return false;
        }
        self.outstanding.remove(&cookie);
        let Some(measure) = self.pops.get_mut(&asked.pop) else {
            return true;
        };
        let ms = u16::try_from(now.micros_since(asked.sent).div_ceil(1000)).unwrap_or(u16::MAX);
        let ms = self.options.fake_pings.get(&asked.pop).copied().unwrap_or(ms);
        let is_better = measure.ping_ms().is_none_or(|best| ms < best);
        if measure.relay.is_none() || is_better || measure.failures > 0 {
            measure.relay = Some(from);
        }
        measure.failures = 0;
        if measure.pings.len() >= KEPT_PINGS {
            measure.pings.pop_front();
        }
        measure.pings.push_back(ms);
        measure.penalty = reply.scoring_penalty_relay_cluster.unwrap_or(0);
        let seconds = reply.seconds_until_shutdown;
        measure.shutdown_at = seconds.map(|seconds| now + Duration::from_secs(seconds.into()));
        if measure.relay == Some(from)
            && let Some(challenge) = reply.challenge
        {
            let server_time = reply.server_time.unwrap_or(0);
            measure.challenge = Some((challenge, server_time, now + CHALLENGE_USE));
        }
        read_list(&mut measure.data_centers, &reply.latency_datacenter_ids, &reply.latency_ping_ms);
        let p2p = (&reply.latency_datacenter_ids_p2p, &reply.latency_ping_ms_p2p);
        read_list(&mut measure.clusters, p2p.0, p2p.1);
        self.public_address = public_address(reply).or(self.public_address);
        self.advance(now);
        true
    }

    /// Takes a challenge that a relay gave with a refusal.
    pub fn note_challenge(&mut self, now: Time, from: Address, challenge: u64, server_time: u32) {
        let measure = self.pops.values_mut().find(|measure| measure.relay == Some(from));
        if let Some(measure) = measure {
            measure.challenge = Some((challenge, server_time, now + CHALLENGE_USE));
        }
    }

    /// Marks a PoP's relay as gone: the next ping goes to another one.
    pub fn note_lost(&mut self, now: Time, from: Address) {
        let lost = self.pops.iter_mut().find(|(_, measure)| measure.relay == Some(from));
        if let Some((&pop, measure)) = lost {
            give_up(measure);
            self.ping_now(now, pop);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
    }

    fn advance(&mut self, now: Time) {
        self.expire(now);
        self.send_due(now);
        if self.planned.is_empty() && self.outstanding.is_empty() {
            match self.round {
                Round::First => self.start_second_round(now),
                Round::Second => self.finish(now),
                Round::Idle => {}
            }
        }
        if self.round == Round::Idle && self.refresh_at.is_some_and(|at| now >= at) {
            self.refresh(now);
        }
        self.send_due(now);
    }

    fn send_due(&mut self, now: Time) {
        let due = self.planned.partition_point(|planned| planned.at <= now);
        let due: Vec<Planned> = self.planned.drain(..due).collect();
        for planned in &due {
            self.send_ping(now, planned);
        }
    }

    fn expire(&mut self, now: Time) {
        let late = |out: &Outstanding| now >= out.sent + MEASURE_TIMEOUT;
        let mut lost: Vec<u32> =
            self.outstanding.iter().filter(|(_, out)| late(out)).map(|(id, _)| *id).collect();
        // Hash tables walk at random; what follows must not depend on it.
        lost.sort_unstable();
        for cookie in lost {
            let Some(out) = self.outstanding.remove(&cookie) else { continue };
            let Some(measure) = self.pops.get_mut(&out.pop) else { continue };
            measure.failures += 1;
            let another = measure.failures >= FAILURES_BEFORE_ANOTHER;
            if another {
                give_up(measure);
            }
            // Once more, lest a lost packet hide a PoP; at another relay if this one is silent.
            if measure.ping_ms().is_none() && measure.given_up < 4 {
                self.plan(Planned { at: now, pop: out.pop, relay: 1, minimal: true });
            }
        }
    }

    fn by_ping(&self) -> Vec<PopId> {
        let measured = self.pops.iter().filter_map(|(pop, m)| Some((m.ping_ms()?, *pop)));
        let mut measured: Vec<(u16, PopId)> = measured.collect();
        measured.sort_unstable();
        measured.into_iter().map(|(_, pop)| pop).collect()
    }

    fn start_second_round(&mut self, now: Time) {
        let nearest = self.by_ping();
        let relays = self.config.clone();
        for (index, pop) in nearest.into_iter().take(self.options.nearest_pops).enumerate() {
            let count = relays.as_ref().and_then(|config| Some(config.pop(pop)?.relays.len()));
            for relay in 0..count.unwrap_or(0).min(RELAYS_PER_POP) {
                for ping in 0..PINGS_PER_RELAY {
                    let stagger = Duration::from_millis(index as u64 * 3 + relay as u64 * 50);
                    let at = now + PING_SPACING * ping + stagger;
                    self.plan(Planned { at, pop, relay, minimal: false });
                }
            }
        }
        self.round = Round::Second;
        if self.planned.is_empty() {
            self.finish(now);
        }
    }

    fn finish(&mut self, now: Time) {
        self.round = Round::Idle;
        self.finished = Some(now);
        let (earliest, latest) = REFRESH;
        let spread = u64::try_from((latest - earliest).as_micros()).unwrap_or(1);
        let delay = u64::from(self.entropy.next_u32()) % spread;
        self.refresh_at = Some((now + earliest).plus_micros(delay));
    }

    fn refresh(&mut self, now: Time) {
        for pop in self.by_ping().into_iter().take(REFRESHED_POPS) {
            self.plan(Planned { at: now, pop, relay: 0, minimal: false });
        }
        // Without any answer so far, from the start.
        if self.planned.is_empty() {
            self.start(now);
            return;
        }
        self.round = Round::Second;
        self.refresh_at = None;
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<ToRelay> {
        self.transmits.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest.
    pub fn poll_timeout(&self) -> Option<Time> {
        let planned = self.planned.first().map(|planned| planned.at);
        let lost = self.outstanding.values().map(|out| out.sent + MEASURE_TIMEOUT).min();
        [planned, lost, self.refresh_at].into_iter().flatten().min()
    }

    /// What is known of the PoPs with relays.
    pub fn pops(&self) -> impl Iterator<Item = (PopId, &PopMeasure)> {
        self.pops.iter().filter(|(pop, _)| self.is_wanted(**pop)).map(|(pop, m)| (*pop, m))
    }

    /// What is known of one PoP.
    pub fn pop(&self, pop: PopId) -> Option<&PopMeasure> {
        self.pops.get(&pop)
    }

    /// The ping to the relays of a PoP in milliseconds.
    #[doc(alias = "GetDirectPingToPOP")]
    pub fn direct_ping(&self, pop: PopId) -> Option<u32> {
        self.pops.get(&pop)?.ping_ms().map(u32::from)
    }

    /// The ping to a data centre over the best relay, in milliseconds, and over which.
    #[doc(alias = "GetPingToDataCenter")]
    pub fn ping_to_data_center(&self, center: PopId) -> Option<(u32, PopId)> {
        let ways = self.pops.iter().filter_map(|(via, measure)| {
            let back = measure.data_centers.get(&center).copied();
            let back = back.or_else(|| self.config.as_ref()?.interior_ping(*via, center))?;
            Some((u32::from(measure.ping_ms()?) + back, *via))
        });
        ways.min()
    }

    /// Where we are, and when that was measured.
    #[doc(alias = "GetLocalPingLocation")]
    pub fn location(&self) -> Option<(PingLocation, Time)> {
        let ways = self.pops.iter().filter_map(|(pop, measure)| {
            let direct = Ping::measured(measure.ping_ms()?);
            Some(PopPing { pop: *pop, direct: Some(direct), relayed: self.relayed(*pop, direct) })
        });
        let location = PingLocation::new(ways);
        let measured_at = self.finished?;
        (!location.is_empty()).then_some((location, measured_at))
    }

    /// The way to a PoP over another one, if it beats the direct one.
    fn relayed(&self, to: PopId, direct: Ping) -> Option<Ping> {
        let ways = self.pops.iter().filter(|(via, _)| **via != to).filter_map(|(_, measure)| {
            let front = Ping::measured(measure.ping_ms()?);
            let interior = *measure.clusters.get(&to)?;
            let ms = u16::try_from(u32::from(front.ms) + interior).ok()?;
            Some(Ping { ms, margin_ms: front.margin_ms })
        });
        ways.min_by_key(|way| way.upper_ms()).filter(|way| way.upper_ms() < direct.upper_ms())
    }
}

fn give_up(measure: &mut PopMeasure) {
    measure.relay = None;
    measure.challenge = None;
    measure.failures = 0;
    measure.given_up += 1;
}

/// The `n`th port of a relay; which is the same as the first if it has one only.
fn port_of(relay: &Relay, n: usize) -> Option<Address> {
    let (low, high) = relay.ports;
    let count = usize::from(high - low) + 1;
    let port = low + u16::try_from(n % count).unwrap_or(0);
    Some(Address::new(relay.ips().next()?, port))
}

fn read_list(into: &mut BTreeMap<PopId, u32>, pops: &[u32], pings: &[u32]) {
    // A short answer has no lists; what was known stays.
    if !pops.is_empty() {
        *into = pops.iter().map(|pop| PopId::new(*pop)).zip(pings.iter().copied()).collect();
    }
}

fn public_address(reply: &RouterPingReply) -> Option<Address> {
    let port = u16::try_from(reply.your_public_port?).ok()?;
    if let Some(octets) = reply.your_public_ipv6.as_deref() {
        let octets: [u8; 16] = octets.try_into().ok()?;
        return Some(Address::from_v6(octets.into(), port));
    }
    Some(Address::from_v4(reply.your_public_ip?.into(), port))
}
