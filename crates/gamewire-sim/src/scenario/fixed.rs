//! Named scenarios that every test run plays.

use std::time::Duration;

use gamewire_proto::{
    config::UNLIMITED_RATE,
    lane::{DeliveryMode, LaneConfig, MAX_LANES},
};
use gamewire_wire::extensions;

use super::{Cut, Expectation, Scenario, Start};
use crate::{
    host::{ClosePlan, Consumption, Plan, Traffic},
    network::{BurstLoss, Corrupts, LinkConfig, RateLimit},
    rng::PerMillion,
};

/// Packet numbers near which connections begin in `counters_*`: each cell of a narrower counter
/// would overflow here (lessons.md 5.2).
pub const COUNTER_STARTS: [u64; 4] = [1 << 16, 1 << 31, 1 << 32, 1 << 48];

/// Packets before the overflow.
const COUNTER_MARGIN: u64 = 100;

type Build = fn(Scenario) -> Scenario;

const TABLE: &[(&str, Build)] = &[
    ("clean", clean),
    ("lossy", lossy),
    ("long_way", long_way),
    ("extreme_loss", extreme_loss),
    ("slow_consumer", slow_consumer),
    ("stalled_consumer", stalled_consumer),
    ("burst_of_packets", burst_of_packets),
    ("partition_healed", partition_healed),
    ("one_way_partition", one_way_partition),
    ("partition_timeout", partition_timeout),
    ("many_lanes", many_lanes),
    ("unlimited_rate", unlimited_rate),
    ("tiny_mtu", tiny_mtu),
    ("plain", plain),
    ("handshake_loss", handshake_loss),
    ("handshake_corruption", handshake_corruption),
    ("corruption", corruption),
    ("simultaneous_close", simultaneous_close),
    ("linger_under_loss", linger_under_loss),
    ("linger_both", linger_both),
    ("delivery_modes", delivery_modes),
    ("bursts_of_loss", bursts_of_loss),
    ("several_connections", several_connections),
    ("half_second_lag", half_second_lag),
    ("small_packets_fast", small_packets_fast),
    ("few_segments", few_segments),
];

/// Names of the fixed scenarios.
pub fn fixed_names() -> impl Iterator<Item = String> {
    let counters = COUNTER_STARTS.iter().map(|start| format!("counters_{}", start.ilog2()));
    TABLE.iter().map(|(name, _)| (*name).to_owned()).chain(counters)
}

/// A fixed scenario with this seed; `None`: there is no such name.
pub fn fixed(name: &str, seed: u64) -> Option<Scenario> {
    let base = Scenario::new(name, seed);
    if let Some((_, build)) = TABLE.iter().find(|(known, _)| *known == name) {
        return Some(build(base));
    }
    let bits = name.strip_prefix("counters_")?.parse().ok()?;
    let start = COUNTER_STARTS.into_iter().find(|start| start.ilog2() == bits)?;
    Some(counters(base, start))
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn mixed(count: u32, size: (usize, usize)) -> Plan {
    let reliable = Traffic { size, burst: 10, every: ms(20), ..Traffic::reliable(count, 0) };
    let unreliable = Traffic { size, ..Traffic::unreliable(count, 0, ms(5)) };
    Plan { traffic: vec![reliable, unreliable], ..Plan::default() }
}

fn both(mut scenario: Scenario, plan: Plan) -> Scenario {
    scenario.sides[1].plan = plan.clone();
    scenario.sides[0].plan = plan;
    scenario
}

fn delayed(delay: Duration) -> LinkConfig {
    LinkConfig { delay, ..LinkConfig::default() }
}

fn clean(scenario: Scenario) -> Scenario {
    let mut plan = mixed(200, (0, 3000));
    plan.traffic.push(Traffic::reliable(2, 200_000).on_lane(0));
    both(scenario, plan).with_link(delayed(ms(1)))
}

fn lossy(scenario: Scenario) -> Scenario {
    let link = LinkConfig {
        loss: PerMillion::percent(10),
        reorder: PerMillion::percent(5),
        reorder_delay: ms(15),
        duplicate: PerMillion::percent(5),
        ..delayed(ms(20))
    };
    both(scenario, mixed(300, (1, 4000))).with_link(link)
}

fn long_way(scenario: Scenario) -> Scenario {
    both(scenario, mixed(200, (1, 2000))).with_link(delayed(ms(50)))
}

fn extreme_loss(scenario: Scenario) -> Scenario {
    let link = LinkConfig { loss: PerMillion::percent(60), ..delayed(ms(10)) };
    let mut scenario = both(scenario, mixed(60, (1, 1500))).with_link(link).with_config(patient);
    scenario.heal_after = Duration::from_secs(90);
    scenario
}

fn patient(config: &mut gamewire_proto::config::ConnectionConfig) {
    config.timeout_initial = Duration::from_secs(120);
    config.timeout_connected = Duration::from_secs(120);
}

/// A full receive queue is no reason to end a connection (GNS#280).
fn slow_consumer(scenario: Scenario) -> Scenario {
    let link = LinkConfig {
        loss: PerMillion::percent(5),
        reorder: PerMillion::percent(10),
        reorder_delay: ms(10),
        ..delayed(ms(15))
    };
    let mut scenario =
        scenario.with_link(link).with_config(|config| config.receive.buffer_messages = 32);
    scenario.sides[0].plan.traffic = vec![Traffic::reliable(600, 300)];
    scenario.sides[1].plan.consumption = Consumption::Slow { messages: 3, every: ms(20) };
    scenario
}

fn stalled_consumer(scenario: Scenario) -> Scenario {
    let mut scenario = scenario
        .with_link(delayed(ms(10)))
        .with_config(|config| config.receive.buffer_bytes = 64 * 1024);
    scenario.sides[0].plan.traffic = vec![Traffic::reliable(100, 9000)];
    scenario.sides[1].plan.consumption =
        Consumption::Stall { from: ms(300), until: Duration::from_secs(8) };
    scenario
}

/// A thousand packets at once over a long way ended honest connections (GNS#414).
fn burst_of_packets(scenario: Scenario) -> Scenario {
    let link = LinkConfig {
        loss: PerMillion::percent(2),
        reorder: PerMillion::percent(2),
        reorder_delay: ms(20),
        ..delayed(ms(100))
    };
    let mut scenario = scenario.with_link(link).with_config(|config| {
        config.send.rate_min = 20_000_000;
        config.send.rate_max = 20_000_000;
        config.send.buffer_bytes = 4 << 20;
        config.unencrypted = 3;
    });
    scenario.sides[0].plan.traffic =
        vec![Traffic { no_nagle: true, start: ms(500), ..Traffic::reliable(1000, 1150) }];
    scenario
}

fn partition_healed(scenario: Scenario) -> Scenario {
    let mut scenario = both(scenario, mixed(200, (1, 2000))).with_link(delayed(ms(20)));
    scenario.cuts = vec![Cut { from: None, start: ms(300), end: ms(3300) }];
    scenario
}

fn one_way_partition(scenario: Scenario) -> Scenario {
    let mut scenario = partition_healed(scenario);
    scenario.cuts[0].from = Some(crate::content::Side::Initiator);
    scenario
}

fn partition_timeout(scenario: Scenario) -> Scenario {
    let mut scenario = both(scenario, mixed(400, (1, 1000))).with_link(delayed(ms(20)));
    scenario.cuts = vec![Cut { from: None, start: ms(500), end: Duration::from_secs(100) }];
    scenario.expect = Expectation::Timeout;
    scenario
}

fn many_lanes(scenario: Scenario) -> Scenario {
    let lane = |index: usize| LaneConfig {
        priority: (index % 4) as i32,
        weight: (index % 7 + 1) as u16,
        mode: DeliveryMode::Standard,
    };
    let traffic = |lane: usize| Traffic {
        size: (1, 900),
        burst: 4,
        every: ms(100),
        ..Traffic::reliable(8, 0).on_lane(lane as u16)
    };
    let link = LinkConfig { loss: PerMillion::percent(3), ..delayed(ms(15)) };
    let plan = Plan { traffic: (0..MAX_LANES).map(traffic).collect(), ..Plan::default() };
    let mut scenario = both(scenario, plan).with_link(link);
    scenario.lanes = (0..MAX_LANES).map(lane).collect();
    scenario.with_config(|config| config.unencrypted = 3)
}

/// Without a limit the sender overruns the bottleneck; what is reliable must arrive all the same.
fn unlimited_rate(scenario: Scenario) -> Scenario {
    let rate = RateLimit { bytes_per_second: 2_500_000, queue_bytes: 128 * 1024 };
    let link = LinkConfig { rate: Some(rate), ..delayed(ms(10)) };
    let mut scenario = scenario.with_link(link).with_config(|config| {
        config.send.rate_min = UNLIMITED_RATE;
        config.send.rate_max = UNLIMITED_RATE;
        config.unencrypted = 3;
    });
    scenario.sides[0].plan.traffic = vec![Traffic::reliable(300, 10_000)];
    scenario.heal_after = Duration::ZERO;
    scenario
}

fn tiny_mtu(scenario: Scenario) -> Scenario {
    let link = LinkConfig { loss: PerMillion::percent(5), ..delayed(ms(10)) };
    let scenario = both(scenario, mixed(100, (1, 1500))).with_link(link);
    scenario.with_config(|config| config.send.mtu = 200)
}

fn plain(scenario: Scenario) -> Scenario {
    lossy(scenario).with_config(|config| config.unencrypted = 3)
}

fn handshake_loss(scenario: Scenario) -> Scenario {
    let link = LinkConfig { loss: PerMillion::percent(30), ..delayed(ms(40)) };
    let mut scenario = both(scenario, mixed(20, (1, 1000))).with_link(link).with_config(patient);
    scenario.connections = 5;
    scenario
}

fn handshake_corruption(scenario: Scenario) -> Scenario {
    let link = LinkConfig {
        corrupt: PerMillion::percent(30),
        corrupts: Corrupts::Everything,
        ..delayed(ms(5))
    };
    let mut scenario = both(scenario, mixed(20, (1, 1000))).with_link(link);
    scenario.connections = 5;
    scenario.expect = Expectation::SafetyOnly;
    scenario.patience = Duration::from_secs(15);
    scenario
}

fn corruption(scenario: Scenario) -> Scenario {
    let link = LinkConfig { corrupt: PerMillion::percent(10), ..delayed(ms(5)) };
    both(scenario, mixed(150, (1, 3000))).with_link(link)
}

fn simultaneous_close(scenario: Scenario) -> Scenario {
    let plan = Plan {
        close: ClosePlan::At { after: Duration::from_secs(1), linger: false },
        ..mixed(500, (1, 1000))
    };
    let mut scenario = both(scenario, plan).with_link(delayed(ms(30)));
    scenario.expect = Expectation::Closure;
    scenario
}

fn linger_under_loss(scenario: Scenario) -> Scenario {
    let link = LinkConfig {
        loss: PerMillion::percent(15),
        reorder: PerMillion::percent(5),
        reorder_delay: ms(30),
        ..delayed(ms(25))
    };
    let mut scenario = scenario.with_link(link);
    scenario.sides[0].plan = Plan {
        traffic: vec![Traffic::reliable(60, 5000)],
        close: ClosePlan::WhenSent { linger: true },
        ..Plan::default()
    };
    scenario.sides[1].plan = mixed(200, (1, 500));
    scenario.sides[1].plan.consumption = Consumption::Slow { messages: 2, every: ms(30) };
    scenario.expect = Expectation::Closure;
    scenario
}

fn linger_both(scenario: Scenario) -> Scenario {
    let plan = Plan {
        traffic: vec![Traffic::reliable(50, 3000)],
        close: ClosePlan::WhenSent { linger: true },
        ..Plan::default()
    };
    let mut scenario = both(scenario, plan).with_link(delayed(ms(30)));
    scenario.expect = Expectation::Closure;
    scenario
}

fn delivery_modes(scenario: Scenario) -> Scenario {
    let modes = [DeliveryMode::Standard, DeliveryMode::Sequenced, DeliveryMode::Unordered];
    let link = LinkConfig {
        loss: PerMillion::percent(10),
        reorder: PerMillion::percent(20),
        reorder_delay: ms(12),
        duplicate: PerMillion::percent(10),
        jitter: ms(4),
        ..delayed(ms(20))
    };
    let traffic = (0..3).flat_map(|lane| {
        mixed(150, (0, 2500)).traffic.into_iter().map(move |traffic| traffic.on_lane(lane))
    });
    let plan = Plan { traffic: traffic.collect(), ..Plan::default() };
    let mut scenario = both(scenario, plan).with_link(link);
    scenario.lanes = modes.map(|mode| LaneConfig { mode, ..LaneConfig::default() }).to_vec();
    scenario.sides.iter_mut().for_each(|side| side.features = extensions::ALL);
    scenario.with_config(|config| config.unencrypted = 3)
}

fn bursts_of_loss(scenario: Scenario) -> Scenario {
    let bursts = BurstLoss {
        begin: PerMillion::percent(1),
        end: PerMillion::percent(5),
        loss: PerMillion::percent(90),
    };
    let link = LinkConfig { bursts: Some(bursts), ..delayed(ms(25)) };
    both(scenario, mixed(300, (1, 2000))).with_link(link).with_config(patient)
}

fn several_connections(scenario: Scenario) -> Scenario {
    let link = LinkConfig { loss: PerMillion::percent(5), jitter: ms(3), ..delayed(ms(10)) };
    let mut scenario = both(scenario, mixed(60, (1, 1500))).with_link(link);
    scenario.connections = 8;
    scenario.accept_after = ms(200);
    scenario
}

fn half_second_lag(scenario: Scenario) -> Scenario {
    let link = LinkConfig { loss: PerMillion::percent(5), ..delayed(ms(250)) };
    both(scenario, mixed(100, (1, 2000))).with_link(link)
}

/// More packets in flight than a Valve receiver forgives (wire.md §5).
fn small_packets_fast(scenario: Scenario) -> Scenario {
    let mut scenario = scenario.with_link(delayed(ms(150))).with_config(|config| {
        config.send.rate_min = 20_000_000;
        config.send.rate_max = 20_000_000;
        config.send.buffer_bytes = 8 << 20;
        config.send.mtu = 200;
        config.unencrypted = 3;
    });
    scenario.sides[0].plan.traffic = vec![Traffic::reliable(40, 50_000)];
    scenario
}

/// Receivers that take few segments per packet say nothing of it: what is beyond stays unacknowledged.
fn few_segments(scenario: Scenario) -> Scenario {
    let modes = [DeliveryMode::Unordered, DeliveryMode::Standard];
    let mut scenario =
        scenario.with_link(LinkConfig { loss: PerMillion::percent(3), ..delayed(ms(20)) });
    for (side, limit) in scenario.sides.iter_mut().zip([4, 64]) {
        side.config.receive.max_segments_per_packet = limit;
        side.features = extensions::ALL;
        let lane = |lane| {
            let reliable = Traffic { size: (0, 1), burst: 50, ..Traffic::reliable(1500, 0) };
            let unreliable =
                Traffic { size: (0, 1), burst: 50, ..Traffic::unreliable(1500, 0, ms(10)) };
            [reliable.on_lane(lane), unreliable.on_lane(lane)]
        };
        side.plan.traffic = (0..2).flat_map(lane).collect();
    }
    scenario.lanes = modes.map(|mode| LaneConfig { mode, ..LaneConfig::default() }).to_vec();
    scenario
}

fn counters(scenario: Scenario, start: u64) -> Scenario {
    let mut scenario = lossy(scenario).with_config(|config| config.unencrypted = 3);
    scenario.start = Start::Established { first_packet_number: start - COUNTER_MARGIN };
    scenario
}
