//! Scenarios made up from a seed, so that a swarm of seeds explores what nobody thought of.

use std::time::Duration;

use gamewire_proto::{
    config::{ConnectionConfig, UNLIMITED_RATE},
    lane::{DeliveryMode, LaneConfig},
};
use gamewire_wire::{extensions, limits::MAX_LARGE_UDP_PAYLOAD};

use super::{COUNTER_STARTS, Cut, Expectation, Scenario, SideSetup, Start};
use crate::{
    content::Side,
    host::{ClosePlan, Consumption, Plan, Traffic},
    network::{BurstLoss, LinkConfig, RateLimit},
    rng::{PerMillion, Rng, mix},
};

/// Most bytes that one plan sends: keeps a run short.
const MAX_PLAN_BYTES: u64 = 1_500_000;

/// A scenario that follows from `seed` alone.
pub fn generate(seed: u64) -> Scenario {
    let mut rng = Rng::new(mix(seed, 0x7363_656e));
    let rng = &mut rng;
    let mut scenario = Scenario::new(format!("seed {seed}"), seed);
    scenario.links = [link(rng), link(rng)];
    scenario.lanes = lanes(rng);
    let unencrypted = rng.pick(&[0, 0, 3]);
    if unencrypted == 3 {
        // Nothing but the seal tells an altered packet from an honest one.
        scenario.links.iter_mut().for_each(|link| link.corrupt = PerMillion(0));
    }
    let heavy = scenario.links.iter().any(|link| link.loss.0 > 150_000 || link.bursts.is_some());
    let lane_count = scenario.lanes.len().max(1);
    for side in &mut scenario.sides {
        *side = setup(rng, unencrypted, heavy);
    }
    // The larger message must fit on either side.
    let receive = scenario.sides.each_ref().map(|side| side.config.receive.clone());
    for (side, remote) in scenario.sides.iter_mut().zip(receive.iter().rev()) {
        let largest = (remote.buffer_bytes / 4)
            .min(remote.max_message_bytes)
            .min(side.config.send.buffer_bytes / 2);
        side.plan = plan(rng, lane_count, largest);
    }
    scenario.connections = rng.pick(&[1, 1, 1, 2, 4]);
    scenario.accept_after = rng.pick(&[Duration::ZERO, Duration::ZERO, Duration::from_millis(300)]);
    scenario.start = start(rng);
    if matches!(scenario.start, Start::Established { .. }) {
        scenario.accept_after = Duration::ZERO;
    }
    scenario.heal_after = Duration::from_secs(rng.between(5, 40));
    scenario.patience = patience(&scenario);
    if rng.chance(PerMillion::percent(20)) {
        scenario.cuts.push(cut(rng));
    }
    ending(rng, &mut scenario);
    path_mtu(&mut Rng::new(mix(seed, 0x006d_7475)), &mut scenario);
    scenario
}

/// What the path carries and what the sides try. From a generator of its own: what else a seed stands
/// for is as it was before there was this.
fn path_mtu(rng: &mut Rng, scenario: &mut Scenario) {
    for link in &mut scenario.links {
        link.mtu = rng.pick(&[None, None, Some(1300), Some(1400), Some(1472), Some(9000)]);
    }
    for side in &mut scenario.sides {
        let send = &mut side.config.send;
        send.mtu_limit = send.mtu.max(rng.pick(&[0, 1472, 9000, MAX_LARGE_UDP_PAYLOAD]));
    }
}

fn link(rng: &mut Rng) -> LinkConfig {
    let delay = Duration::from_micros(rng.pick(&[100, 2_000, 20_000, 50_000, 120_000]));
    let base = LinkConfig { delay, ..LinkConfig::default() };
    let percent = |rng: &mut Rng, limit: u64| PerMillion(rng.between(0, limit * 10_000) as u32);
    match rng.between(0, 7) {
        0 => base,
        1 => LinkConfig { loss: percent(rng, 3), ..base },
        2 => LinkConfig {
            loss: percent(rng, 15),
            reorder: percent(rng, 20),
            reorder_delay: rng.up_to(Duration::from_millis(80)),
            duplicate: percent(rng, 10),
            ..base
        },
        3 => LinkConfig { loss: percent(rng, 60), ..base },
        4 => LinkConfig { bursts: Some(bursts(rng)), jitter: rng.up_to(delay), ..base },
        5 => LinkConfig { rate: Some(rate(rng)), loss: percent(rng, 2), ..base },
        6 => LinkConfig {
            jitter: rng.up_to(Duration::from_millis(60)),
            reorder: percent(rng, 40),
            reorder_delay: rng.up_to(Duration::from_millis(10)),
            ..base
        },
        _ => LinkConfig { corrupt: percent(rng, 10), duplicate: percent(rng, 30), ..base },
    }
}

fn bursts(rng: &mut Rng) -> BurstLoss {
    BurstLoss {
        begin: PerMillion(rng.between(500, 20_000) as u32),
        end: PerMillion(rng.between(20_000, 400_000) as u32),
        loss: PerMillion::percent(rng.between(50, 100) as u32),
    }
}

fn rate(rng: &mut Rng) -> RateLimit {
    RateLimit {
        bytes_per_second: rng.pick(&[150_000, 600_000, 2_500_000]),
        queue_bytes: rng.pick(&[16_000, 64_000, 256_000]),
    }
}

fn lanes(rng: &mut Rng) -> Vec<LaneConfig> {
    let count = rng.pick(&[0, 0, 1, 2, 3, 8, 20]);
    let modes = [
        DeliveryMode::Standard,
        DeliveryMode::Standard,
        DeliveryMode::Sequenced,
        DeliveryMode::Unordered,
    ];
    let lane = |_| LaneConfig {
        priority: rng.between(0, 2) as i32,
        weight: rng.between(1, 20) as u16,
        mode: rng.pick(&modes),
    };
    (0..count).map(lane).collect()
}

fn setup(rng: &mut Rng, unencrypted: u8, heavy: bool) -> SideSetup {
    let mut config = ConnectionConfig { unencrypted, ..ConnectionConfig::default() };
    if heavy {
        config.timeout_initial = Duration::from_secs(180);
        config.timeout_connected = Duration::from_secs(180);
    }
    let send = &mut config.send;
    send.buffer_bytes = rng.pick(&[16 << 10, 64 << 10, 512 << 10]);
    let (low, high) = rng.pick(&[
        (64 << 10, 64 << 10),
        (256 << 10, 256 << 10),
        (1024, UNLIMITED_RATE),
        (1 << 20, 1 << 20),
        (128 << 10, 8 << 20),
        (16 << 20, 16 << 20),
        (256 << 10, UNLIMITED_RATE),
    ]);
    (send.rate_min, send.rate_max) = (low, high);
    send.nagle_time = Duration::from_millis(rng.pick(&[0, 5, 5, 20]));
    send.mtu = rng.pick(&[200, 576, 1200, 1300, 1300]);
    let receive = &mut config.receive;
    receive.buffer_bytes = rng.pick(&[64 << 10, 256 << 10, 1 << 20]);
    receive.buffer_messages = rng.pick(&[4, 32, 1000]);
    // The sender is not told, and a packet above it is never acknowledged.
    receive.max_segments_per_packet = rng.pick(&[4, 64, 600, 1300]);
    receive.out_of_order_window = Duration::from_micros(rng.pick(&[0, 1000, 1000, 5000]));
    config.send_time_since_previous = rng.chance(PerMillion::percent(30));
    SideSetup {
        config,
        plan: Plan::default(),
        features: rng.pick(&[0, extensions::ALL, extensions::ALL]),
        max_batch: rng.pick(&[1, 4, 44]),
        timer_slack: Duration::from_micros(rng.pick(&[0, 0, 500, 4000])),
    }
}

fn plan(rng: &mut Rng, lanes: usize, largest: usize) -> Plan {
    let kinds = rng.pick(&[0, 1, 2, 3, 4, 6]);
    let share = MAX_PLAN_BYTES / kinds.max(1);
    let traffic = (0..kinds).map(|_| traffic(rng, lanes, largest, share)).collect();
    let consumption = match rng.between(0, 5) {
        0 => Consumption::Slow {
            messages: rng.between(1, 10) as usize,
            every: Duration::from_millis(rng.between(1, 30)),
        },
        1 => {
            let from = rng.up_to(Duration::from_secs(2));
            Consumption::Stall { from, until: from + rng.up_to(Duration::from_secs(4)) }
        }
        _ => Consumption::Immediate,
    };
    Plan { traffic, consumption, ..Plan::default() }
}

fn traffic(rng: &mut Rng, lanes: usize, largest: usize, share: u64) -> Traffic {
    let sizes = [(0, 1), (1, 60), (1, 1200), (1, 3000), (1000, 16_000), (1, 200_000)];
    let (low, high) = rng.pick(&sizes);
    let high = high.min(largest);
    let affordable = share / high.max(1) as u64;
    let count = rng.between(1, affordable.clamp(1, 1500)) as u32;
    let reliable = rng.chance(PerMillion::percent(60));
    Traffic {
        lane: rng.index(lanes) as u16,
        reliable,
        count,
        size: (low.min(high), high),
        start: rng.up_to(Duration::from_secs(3)),
        burst: rng.pick(&[1, 1, 5, 50, count]),
        every: Duration::from_millis(rng.pick(&[0, 1, 10, 16, 50])),
        no_nagle: rng.chance(PerMillion::percent(30)),
        no_delay: !reliable && rng.chance(PerMillion::percent(20)),
        deadline: rng
            .chance(PerMillion::percent(10))
            .then(|| Duration::from_millis(rng.pick(&[1, 20, 300]))),
    }
}

fn start(rng: &mut Rng) -> Start {
    if !rng.chance(PerMillion::percent(25)) {
        return Start::Handshake;
    }
    let near = rng.pick(&COUNTER_STARTS);
    Start::Established { first_packet_number: near - rng.between(1, 300) }
}

fn cut(rng: &mut Rng) -> Cut {
    let start = rng.up_to(Duration::from_secs(3));
    let from = rng.pick(&[None, Some(Side::Initiator), Some(Side::Acceptor)]);
    Cut { from, start, end: start + rng.up_to(Duration::from_secs(4)) }
}

/// Enough for the slowest consumer, the lowest rate and a sender that backed off.
fn patience(scenario: &Scenario) -> Duration {
    let mut needed = Duration::from_secs(60);
    for (side, peer) in scenario.sides.iter().zip(scenario.sides.iter().rev()) {
        let bytes: u64 = side.plan.traffic.iter().map(Traffic::bytes).sum();
        let messages: u32 = side.plan.traffic.iter().map(|traffic| traffic.count).sum();
        needed += Duration::from_secs(bytes / 20_000);
        if let Consumption::Slow { every, .. } = peer.plan.consumption {
            needed += every * messages * 4;
        }
    }
    needed * scenario.connections
}

fn ending(rng: &mut Rng, scenario: &mut Scenario) {
    if rng.chance(PerMillion::percent(65)) {
        return;
    }
    scenario.expect = Expectation::Closure;
    let after = Duration::from_millis(rng.pick(&[50, 700, 2500, 4000, 7000]));
    let linger = rng.chance(PerMillion::percent(50));
    let close = match rng.between(0, 1) {
        0 => ClosePlan::At { after, linger },
        _ => ClosePlan::WhenSent { linger },
    };
    let closers = rng.pick(&[&[0][..], &[1], &[0, 1]]);
    for &closer in closers {
        scenario.sides[closer].plan.close = close.clone();
    }
}
