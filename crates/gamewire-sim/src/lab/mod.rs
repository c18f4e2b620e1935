//! A laboratory: flows on one bottleneck, and how each of them fares.
//!
//! A [`Lab`] says what the path is and who uses it; [`Lab::run`] plays it and gives the figures. It
//! judges nothing: tests do.

mod tcp;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use gamewire_proto::{
    Time, config::ConnectionConfig, congestion::Estimate, end::EndInfo, endpoint::AcceptLimits,
    lane::LaneConfig,
};

pub use self::tcp::Law;
use self::tcp::{TcpReceiver, TcpSender};
use crate::{
    content::Side,
    host::{Host, HostConfig, Observation, Plan},
    network::{LinkConfig, LinkCounters, RateLimit},
    rng::{PerMillion, mix},
    scenario::run::party,
    world::{Node, Outbox, START, World},
};

/// How often progress is written down.
pub const BIN: Duration = Duration::from_millis(100);

/// One connection of ours through the path.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// When it is opened.
    pub start: Duration,
    /// Configuration of both ends.
    pub config: ConnectionConfig,
    /// Lanes; none: the one that there is.
    pub lanes: Vec<LaneConfig>,
    /// What the opener sends.
    pub plan: Plan,
    /// How the other end takes it.
    pub receiver: Plan,
    /// Extension bits of both ends; 0: as towards a peer of Valve's.
    pub features: u64,
}

/// A path and its users.
#[derive(Clone, Debug)]
pub struct Lab {
    /// Decides everything random.
    pub seed: u64,
    /// The bottleneck that all share on the way there.
    pub bottleneck: RateLimit,
    /// What the links do besides; the same both ways.
    pub link: LinkConfig,
    /// Connections of ours.
    pub flows: Vec<Flow>,
    /// Flows of TCP: when they begin, and their law.
    pub tcp: Vec<(Duration, Law)>,
    /// Other limits of the bottleneck from a moment on.
    pub changes: Vec<(Duration, RateLimit)>,
    /// How long all of it lasts.
    pub duration: Duration,
}

/// How one connection fared.
#[derive(Clone, Debug, Default)]
pub struct FlowReport {
    /// Payload bytes received, by [`BIN`].
    pub received: Vec<u64>,
    /// What the sender believed at the end of each bin, with window and bytes in flight.
    pub beliefs: Vec<(Estimate, Option<u64>, u64)>,
    /// From the send call to delivery, by lane, in microseconds.
    pub delays_us: BTreeMap<u16, Vec<u64>>,
    /// Messages accepted, by lane.
    pub sent: BTreeMap<u16, u64>,
    /// How it ended, if it did.
    pub end: Option<EndInfo>,
    /// What the link did to its datagrams.
    pub link: LinkCounters,
}

/// How all fared.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Connections of ours.
    pub flows: Vec<FlowReport>,
    /// Payload bytes received by each flow of TCP, by [`BIN`].
    pub tcp: Vec<Vec<u64>>,
}

#[allow(clippy::large_enum_variant)]
enum Actor {
    Host(Box<Host>),
    Sender(TcpSender),
    Receiver(TcpReceiver),
}

impl Actor {
    fn node(&mut self) -> &mut dyn Node {
        match self {
            Self::Host(host) => &mut **host,
            Self::Sender(sender) => sender,
            Self::Receiver(receiver) => receiver,
        }
    }
}

impl Node for Actor {
    fn handle_datagram(
        &mut self,
        now: Time,
        from: SocketAddr,
        datagram: &mut [u8],
        outbox: &mut Outbox,
    ) {
        self.node().handle_datagram(now, from, datagram, outbox);
    }

    fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox) {
        self.node().handle_timeout(now, outbox);
    }

    fn deadline(&self, now: Time) -> Option<Time> {
        match self {
            Self::Host(host) => host.deadline(now),
            Self::Sender(sender) => sender.deadline(now),
            Self::Receiver(receiver) => receiver.deadline(now),
        }
    }
}

/// Addresses of the two ends of user `index` of the path.
fn ends(index: usize) -> (SocketAddr, SocketAddr) {
    let at = |last: u8| SocketAddr::from(([10, 0, index as u8, last], 1000));
    (at(1), at(2))
}

impl Lab {
    /// A path of so many bytes per second and a round trip, with a queue of so many round trips, and
    /// nobody on it.
    pub fn new(seed: u64, bytes_per_second: u64, rtt: Duration, queue_rtts: f64) -> Self {
        let held = bytes_per_second as f64 * rtt.as_secs_f64();
        Self {
            seed,
            bottleneck: RateLimit { bytes_per_second, queue_bytes: (held * queue_rtts) as u64 },
            link: LinkConfig { delay: rtt / 2, ..LinkConfig::default() },
            flows: Vec::new(),
            tcp: Vec::new(),
            changes: Vec::new(),
            duration: Duration::from_secs(10),
        }
    }

    /// The same with datagrams lost in both directions, before they reach the bottleneck.
    pub fn with_loss(mut self, loss: PerMillion) -> Self {
        self.link.early_loss = loss;
        self
    }

    /// The same with another flow of ours.
    pub fn with_flow(mut self, flow: Flow) -> Self {
        self.flows.push(flow);
        self
    }

    /// The same with a flow of TCP.
    pub fn with_tcp(mut self, start: Duration, law: Law) -> Self {
        self.tcp.push((start, law));
        self
    }

    /// The same for another time.
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Plays it.
    pub fn run(&self) -> Report {
        let mut run = Run::new(self);
        let bins = self.duration.as_micros() / BIN.as_micros();
        for bin in 1..=bins as u32 {
            run.play_until(BIN * bin);
        }
        run.report
    }
}

struct Run<'a> {
    lab: &'a Lab,
    world: World<Actor>,
    opened: Vec<bool>,
    changed: usize,
    /// When messages were sent, by flow, lane and number.
    sent: BTreeMap<(usize, u16, u64), Time>,
    report: Report,
}

impl<'a> Run<'a> {
    fn new(lab: &'a Lab) -> Self {
        let mut world = World::untraced(lab.seed, ());
        let count = lab.flows.len() + lab.tcp.len();
        let mut routes = Vec::new();
        for index in 0..count {
            let (near, far) = ends(index);
            world.network.set_link(near, far, lab.link);
            world.network.set_link(far, near, lab.link);
            routes.push((near, far));
        }
        world.network.share_bottleneck(&routes, lab.bottleneck);
        for (index, flow) in lab.flows.iter().enumerate() {
            let (near, far) = ends(index);
            for (address, side) in [(near, Side::Initiator), (far, Side::Acceptor)] {
                let host = host(flow, side, mix(lab.seed, 7 * index as u64 + side.index() as u64));
                world.insert(address, Actor::Host(Box::new(host)));
            }
        }
        for (index, &(start, law)) in lab.tcp.iter().enumerate() {
            let (near, far) = ends(lab.flows.len() + index);
            world.insert(near, Actor::Sender(TcpSender::new(law, far, START + start)));
            world.insert(far, Actor::Receiver(TcpReceiver::new(near)));
        }
        let report = Report {
            flows: vec![FlowReport::default(); lab.flows.len()],
            tcp: vec![Vec::new(); lab.tcp.len()],
        };
        let opened = vec![false; lab.flows.len()];
        Self { lab, world, opened, changed: 0, sent: BTreeMap::new(), report }
    }

    /// Until the end of a bin.
    fn play_until(&mut self, end: Duration) {
        while let Some(&(at, limit)) = self.lab.changes.get(self.changed)
            && at < end
        {
            self.world.network.limit_shared(limit);
            self.changed += 1;
        }
        for index in 0..self.lab.flows.len() {
            if !self.opened[index] && self.lab.flows[index].start < end {
                self.opened[index] = true;
                let (near, far) = ends(index);
                self.world.with(near, |actor, now, outbox| {
                    if let Actor::Host(host) = actor {
                        host.connect(now, far, outbox);
                    }
                });
            }
        }
        let spun = self.world.run_until(START + end);
        assert!(spun.is_ok(), "{spun:?}");
        (0..self.lab.flows.len()).for_each(|index| self.note_flow(index));
        for index in 0..self.lab.tcp.len() {
            let (_, far) = ends(self.lab.flows.len() + index);
            if let Some(Actor::Receiver(receiver)) = self.world.node(far) {
                let before: u64 = self.report.tcp[index].iter().sum();
                self.report.tcp[index].push(receiver.received() - before);
            }
        }
    }

    fn note_flow(&mut self, index: usize) {
        let (near, far) = ends(index);
        let report = &mut self.report.flows[index];
        report.received.push(0);
        for address in [near, far] {
            let observed = self.world.with(address, |actor, _, _| match actor {
                Actor::Host(host) => host.take_observations(),
                Actor::Sender(_) | Actor::Receiver(_) => Vec::new(),
            });
            for observed in observed.into_iter().flatten() {
                note(index, &observed.what, observed.at, &mut self.sent, report);
            }
        }
        if let Some(Actor::Host(host)) = self.world.node(near)
            && let Some((_, connection, _)) = host.connections().next()
            && let Some(status) = connection.session_status(self.world.now())
        {
            let recovery = status.recovery;
            let window = recovery.congestion_window;
            report.beliefs.push((recovery.estimate, window, recovery.bytes_in_flight));
        }
        report.link = self.world.network.counters(near, far);
    }
}

fn note(
    index: usize,
    what: &Observation,
    at: Time,
    sent: &mut BTreeMap<(usize, u16, u64), Time>,
    report: &mut FlowReport,
) {
    match what {
        Observation::Sent { name, .. } if name.sender == Side::Initiator => {
            sent.insert((index, name.lane, name.number), at);
            *report.sent.entry(name.lane).or_default() += 1;
        }
        Observation::Received(message) => {
            if let Some(bin) = report.received.last_mut() {
                *bin += message.payload.len() as u64;
            }
            if let Some(left) = sent.remove(&(index, message.lane, message.number)) {
                let delays = report.delays_us.entry(message.lane).or_default();
                delays.push(at.micros_since(left));
            }
        }
        Observation::State { end: Some(end), .. } => report.end = Some(end.clone()),
        Observation::OverLimit { what } => panic!("over a limit: {what}"),
        _ => {}
    }
}

fn host(flow: &Flow, side: Side, seed: u64) -> Host {
    let (plan, accept) = match side {
        Side::Initiator => (flow.plan.clone(), None),
        Side::Acceptor => (flow.receiver.clone(), Some(AcceptLimits::default())),
    };
    let config = HostConfig {
        connection: flow.config.clone(),
        party: party(side, flow.features),
        accept,
        accept_after: Duration::ZERO,
        lanes: flow.lanes.clone(),
        plan,
        max_batch: 16,
        timer_slack: Duration::ZERO,
    };
    Host::new(config, seed)
}

impl FlowReport {
    /// Payload bytes per second received between two moments.
    pub fn rate(&self, from: Duration, to: Duration) -> f64 {
        mean_rate(&self.received, from, to)
    }

    /// The delay of a lane's messages that so many percent do not exceed; messages that have not
    /// arrived count as endless.
    pub fn delay(&self, lane: u16, percent: f64) -> Duration {
        let mut delays = self.delays_us.get(&lane).cloned().unwrap_or_default();
        delays.sort_unstable();
        let sent = self.sent.get(&lane).copied().unwrap_or(0) as f64;
        let rank = ((sent * percent / 100.0).ceil() as usize).saturating_sub(1);
        delays.get(rank).map_or(Duration::MAX, |&us| Duration::from_micros(us))
    }
}

impl Report {
    /// Payload bytes per second received by a flow of TCP between two moments.
    pub fn tcp_rate(&self, index: usize, from: Duration, to: Duration) -> f64 {
        mean_rate(&self.tcp[index], from, to)
    }
}

/// Bytes per second between two moments of a list of bins.
pub fn mean_rate(bins: &[u64], from: Duration, to: Duration) -> f64 {
    let at = |time: Duration| (time.as_micros() / BIN.as_micros()) as usize;
    let bins = bins.get(at(from)..at(to).min(bins.len())).unwrap_or_default();
    bins.iter().sum::<u64>() as f64 / (bins.len().max(1) as f64 * BIN.as_secs_f64())
}
