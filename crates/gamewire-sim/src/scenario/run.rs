//! Playing a scenario.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use gamewire_crypto::{SeededEntropy, TrustStore};
use gamewire_proto::{
    Time,
    endpoint::AcceptLimits,
    handshake::{LocalParty, PairSide, pair},
    lane::DeliveryMode,
};
use gamewire_wire::{extensions, identity::Identity};

use super::{Cut, Expectation, Scenario, SideSetup, Start, ends::Ends};
use crate::{
    checkers::{DeliveryChecker, DeliveryRules, Violation, Violations, WireChecker, WireRules},
    content::Side,
    host::{Host, HostConfig},
    network::{LinkConfig, Partition},
    rng::{PerMillion, mix},
    world::{START, Step, World},
};

/// How long the end of a connection may take after its last word: the wait for late packets, and
/// timers on the way there.
const AFTERLIFE: Duration = Duration::from_secs(60);

/// How long a run goes on after everything reliable arrived: for what is unreliable, and for
/// whatever should not come any more.
const AFTERMATH: Duration = Duration::from_secs(3);

/// Between the starts of two connections of one scenario.
const STAGGER: Duration = Duration::from_millis(3);

/// Moment of the day in all worlds, seconds since 1970.
const TIME_OF_DAY: u64 = 1_790_000_000;

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What must never happen, and did.
    pub violations: Vec<Violation>,
    /// Equal for equal runs, see [`World::trace_hash`].
    pub trace_hash: u64,
    /// Datagrams sent and delivered.
    pub datagrams: u64,
    /// Data packets sent.
    pub data_packets: u64,
    /// Packets whose frames were checked on the wire.
    pub packets_read: u64,
    /// Messages sent by the applications.
    pub messages_sent: u64,
    /// Messages that came.
    pub messages_delivered: u64,
    /// Virtual time that it took until everything was as it should be.
    pub settled_after: Duration,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }

    /// Panics with all violations if there are any; for tests.
    #[track_caller]
    pub fn assert_passed(&self, scenario: &Scenario) {
        let list: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        assert!(
            list.is_empty(),
            "{} (seed {}):\n{}",
            scenario.name,
            scenario.seed,
            list.join("\n")
        );
    }
}

fn address(side: Side) -> SocketAddr {
    let last = side.index() as u16 + 1;
    SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, last], 27_015))
}

/// A run under way.
struct Run<'a> {
    scenario: &'a Scenario,
    world: World<Host, WireChecker>,
    delivery: DeliveryChecker,
    ends: Ends,
    violations: Violations,
    closing: bool,
    healed: bool,
}

impl Scenario {
    /// Plays it. The same scenario always gives the same report.
    pub fn run(&self) -> Report {
        let mut run = Run::new(self);
        run.open();
        let settled_after = run.play();
        run.close();
        run.bury();
        run.report(settled_after)
    }

    fn host(&self, side: Side) -> Host {
        let SideSetup { config, plan, features, max_batch, timer_slack } =
            self.sides[side.index()].clone();
        let config = HostConfig {
            connection: config,
            party: party(side, features),
            accept: (side == Side::Acceptor).then(AcceptLimits::default),
            accept_after: self.accept_after,
            lanes: self.lanes.clone(),
            plan,
            max_batch: max_batch.max(1),
            timer_slack,
        };
        Host::new(config, mix(self.seed, side.index() as u64 + 1))
    }

    fn delivery_rules(&self) -> DeliveryRules {
        let known = |side: &SideSetup| side.features & extensions::RELIABLE_UNORDERED != 0;
        DeliveryRules {
            lanes: self.lanes.iter().map(|lane| lane.mode).collect::<Vec<DeliveryMode>>(),
            unordered_negotiated: self.sides.iter().all(known),
        }
    }

    fn wire_rules(&self) -> WireRules {
        let first_packet_number = match self.start {
            Start::Handshake => 2,
            Start::Established { first_packet_number } => first_packet_number,
        };
        let negotiated =
            self.sides.iter().all(|side| side.features & extensions::LARGE_PACKETS != 0);
        let largest = |side: &SideSetup| {
            let send = &side.config.send;
            if negotiated { send.mtu.max(send.mtu_limit) } else { send.mtu }
        };
        WireRules {
            plain: self.sides.iter().all(|side| side.config.unencrypted == 3),
            mtu: self.sides.iter().map(largest).max().unwrap_or(1300),
            ids_may_be_wrong: self.expect == Expectation::SafetyOnly,
            first_packet_number,
        }
    }

    /// When the network is well and the plans are through.
    fn calm(&self) -> Duration {
        let cuts = self.cuts.iter().map(|cut| cut.end).max().unwrap_or_default();
        let faults = if self.is_lossy() { self.heal_after } else { Duration::ZERO };
        self.plans_end().max(cuts).max(faults) + self.accept_after
    }
}

/// Who the host on a side says that it is.
pub(crate) fn party(side: Side, features: u64) -> LocalParty {
    LocalParty {
        identity: Identity::SteamId(match side {
            Side::Initiator => 76_561_197_960_265_729,
            Side::Acceptor => 76_561_197_960_265_730,
        }),
        app_id: 480,
        credentials: None,
        trust: Arc::new(TrustStore::empty()),
        now_unix: TIME_OF_DAY,
        expected_identity: None,
        features,
    }
}

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut world = World::new(scenario.seed, WireChecker::new(scenario.wire_rules()));
        for side in Side::BOTH {
            let link = scenario.links[side.index()];
            world.network.set_link(address(side), address(side.other()), link);
            world.insert(address(side), scenario.host(side));
        }
        for cut in &scenario.cuts {
            for partition in partitions(cut) {
                world.network.partition(partition);
            }
        }
        Self {
            delivery: DeliveryChecker::new(scenario.delivery_rules()),
            scenario,
            world,
            ends: Ends::default(),
            violations: Violations::default(),
            closing: false,
            healed: false,
        }
    }

    fn open(&mut self) {
        for index in 0..self.scenario.connections {
            match self.scenario.start {
                Start::Handshake => {
                    self.world.with(address(Side::Initiator), |host, now, outbox| {
                        host.connect(now, address(Side::Acceptor), outbox)
                    });
                }
                Start::Established { first_packet_number } => {
                    self.open_pair(index, first_packet_number);
                }
            }
            let next = self.world.now() + STAGGER;
            self.step_until(next, |_| false);
        }
    }

    fn open_pair(&mut self, index: u32, first_packet_number: u64) {
        let now = self.world.now();
        let id = |side: Side| 0x1001_0001 + (index << 4) + side.index() as u32;
        let pair_side = |side: Side| PairSide {
            local_id: id(side),
            address: address(side),
            party: party(side, self.scenario.sides[side.index()].features),
            config: self.scenario.sides[side.index()].config.clone(),
        };
        let mut entropy = SeededEntropy::new(mix(self.scenario.seed, u64::from(index) + 99));
        let sides = [pair_side(Side::Acceptor), pair_side(Side::Initiator)];
        let agreed = match pair(now, sides, &mut entropy) {
            Ok(agreed) => agreed,
            Err(refusal) => {
                self.violations.add(now, format!("the pair was not made: {refusal}"));
                return;
            }
        };
        self.world.tap.register(Side::BOTH.map(|side| (address(side), id(side))));
        for (side, mut agreement) in [Side::Acceptor, Side::Initiator].into_iter().zip(agreed) {
            agreement.first_packet_number = first_packet_number;
            let remote = address(side.other());
            self.world.with(address(side), |host, now, outbox| {
                host.adopt(now, remote, side, (id(side), agreement), outbox);
            });
        }
    }

    /// Until everything is as it should be; how long that took.
    fn play(&mut self) -> Duration {
        let limit = START + self.scenario.calm() + self.scenario.patience;
        // Whoever missed the goodbye finds out by a timeout.
        let last_goodbye = limit + self.longest_timeout();
        let reached = match self.scenario.expect {
            Expectation::Delivery => self.step_until(limit, Self::all_delivered),
            Expectation::Closure | Expectation::Timeout => {
                self.step_until(last_goodbye, Self::all_gone)
            }
            Expectation::SafetyOnly => {
                self.step_until(limit, |_| false);
                true
            }
        };
        if !reached && self.violations.is_empty() {
            let what = self.what_is_missing();
            self.violations.add(self.world.now(), format!("not done in time: {what}"));
        }
        let settled_after = self.world.now() - START;
        if reached && self.scenario.expect == Expectation::Delivery {
            let end = self.world.now() + AFTERMATH;
            self.step_until(end, |_| false);
        }
        settled_after
    }

    fn all_delivered(&self) -> bool {
        self.ends.established() as u32 >= self.scenario.connections
            && self.world.nodes().all(|(_, host)| host.sent_all())
            && self.delivery.outstanding_in_all() == 0
    }

    fn all_gone(&self) -> bool {
        self.world.nodes().all(|(_, host)| host.open_connections() == 0)
    }

    fn what_is_missing(&self) -> String {
        let hosts = self.world.nodes().map(|(address, host)| {
            let list = host.connections().map(|(tag, connection, app)| {
                format!(
                    "{tag:08x}: {:?}, sent all: {}, blocked: {}, unread: {:?}, next: {:?}, {:?}",
                    connection.state(),
                    app.sent_all(),
                    app.is_blocked(),
                    app.unread(),
                    connection.poll_timeout(self.world.now()).map(|at| at - self.world.now()),
                    connection.receive_status(),
                )
            });
            format!("{address}: {}", list.collect::<Vec<_>>().join("; "))
        });
        let hosts: Vec<String> = hosts.collect();
        let missing = self
            .delivery
            .connections()
            .map(|(id, side)| (id, side, self.delivery.outstanding(id, side)));
        let missing: Vec<_> = missing.filter(|(_, _, missing)| missing.messages > 0).collect();
        format!("{missing:?} outstanding; {}", hosts.join(" | "))
    }

    /// The director ends what did not end by itself.
    fn close(&mut self) {
        self.closing = true;
        let first = if self.scenario.seed & 1 == 0 { Side::Initiator } else { Side::Acceptor };
        let linger = self.scenario.seed & 2 != 0;
        self.world.with(address(first), |host, now, outbox| host.close_all(now, linger, outbox));
        self.observe(first);
        let limit = self.world.now() + AFTERLIFE + self.longest_timeout();
        let gone = |run: &Self| run.world.nodes().all(|(_, host)| host.open_connections() == 0);
        if !self.step_until(limit, gone) {
            let what = self.what_is_missing();
            self.violations.add(self.world.now(), format!("connections remain: {what}"));
        }
    }

    fn longest_timeout(&self) -> Duration {
        let timeouts = self
            .scenario
            .sides
            .iter()
            .map(|side| side.config.timeout_connected.max(side.config.timeout_initial));
        timeouts.max().unwrap_or_default()
    }

    /// Nothing may be left behind.
    fn bury(&mut self) {
        if !self.violations.is_empty() {
            return;
        }
        let end = self.world.now() + AFTERLIFE;
        self.step_until(end, |_| false);
        let now = self.world.now();
        for (address, host) in self.world.nodes() {
            let left = host.registered_connections();
            if left > 0 {
                self.violations.add(now, format!("{address} still knows {left} connections"));
            }
        }
        if self.world.next_event().is_some() {
            self.violations.add(now, "something goes on though everything is over");
        }
        for what in self.ends.judge(self.scenario, &self.delivery) {
            self.violations.add(now, what);
        }
    }

    /// Steps until `done`, at the latest until `limit`; whether it was done.
    fn step_until(&mut self, limit: Time, done: impl Fn(&Self) -> bool) -> bool {
        loop {
            let Some(next) = self.world.next_event().filter(|&at| at <= limit) else {
                let idle_until = self.heal_time().filter(|&at| !self.healed && at <= limit);
                match idle_until {
                    Some(_) => self.heal(),
                    None => {
                        // Only the clock moves on.
                        let spun = self.world.run_until(limit);
                        debug_assert!(spun.is_ok(), "nothing was due");
                        return done(self);
                    }
                }
                continue;
            };
            if !self.healed && self.heal_time().is_some_and(|at| at <= next) {
                self.heal();
            }
            match self.world.step() {
                Step::Delivered(address) | Step::Timeout(address) => self.observe_at(address),
                Step::Nowhere(_) | Step::Idle => {}
                Step::Spinning => {
                    let what = self.what_is_missing();
                    self.violations.add(self.world.now(), format!("a host spins: {what}"));
                    return false;
                }
            }
            let found = self.world.tap.violations.take();
            for violation in found {
                self.violations.add(violation.at, violation.what);
            }
            if !self.violations.is_empty() {
                return false;
            }
            if done(self) {
                return true;
            }
        }
    }

    fn heal_time(&self) -> Option<Time> {
        self.scenario.is_lossy().then(|| START + self.scenario.heal_after)
    }

    fn heal(&mut self) {
        self.healed = true;
        for side in Side::BOTH {
            let link = healthy(self.scenario.links[side.index()]);
            self.world.network.set_link(address(side), address(side.other()), link);
        }
    }

    fn observe(&mut self, side: Side) {
        self.observe_at(address(side));
    }

    fn observe_at(&mut self, address: SocketAddr) {
        let fresh = self.world.with(address, |host, _, _| host.take_observations());
        for observed in fresh.into_iter().flatten() {
            self.delivery.observe(&observed, &mut self.violations);
            self.ends.observe(self.scenario, self.closing, &observed, &mut self.violations);
        }
    }

    fn report(mut self, settled_after: Duration) -> Report {
        Report {
            violations: self.violations.take(),
            trace_hash: self.world.trace_hash(),
            datagrams: self.world.datagrams(),
            data_packets: self.world.tap.data_packets(),
            packets_read: self.world.tap.packets_read(),
            messages_sent: self.delivery.sent(),
            messages_delivered: self.delivery.delivered(),
            settled_after,
        }
    }
}

fn partitions(cut: &Cut) -> Vec<Partition> {
    let (start, end) = (START + cut.start, START + cut.end);
    let sides = Side::BOTH.into_iter().filter(|&side| cut.from.is_none_or(|from| from == side));
    sides
        .map(|side| Partition { from: address(side), to: address(side.other()), start, end })
        .collect()
}

/// The same link without its random faults; its delay and its bottleneck stay.
fn healthy(link: LinkConfig) -> LinkConfig {
    LinkConfig {
        loss: PerMillion(0),
        bursts: None,
        reorder: PerMillion(0),
        duplicate: PerMillion(0),
        corrupt: PerMillion(0),
        ..link
    }
}
