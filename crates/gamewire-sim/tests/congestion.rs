//! What the congestion control promises, each on simulated paths and over many seeds.
//!
//! A seed that fails stays in its list, with a line about what it found.

use std::{num::NonZero, ops::RangeInclusive, time::Duration};

use gamewire_proto::{congestion::ModelState, lane::LaneConfig};
use gamewire_sim::{
    host::{Consumption, Plan, Traffic},
    lab::{Flow, FlowReport, Lab, Law, Report},
    network::RateLimit,
    rng::{PerMillion, Rng},
};
use gamewire_wire::extensions;

const SEEDS: RangeInclusive<u64> = 1..=6;

/// Bytes per second of the links that are named in Mbit/s.
const MBIT: u64 = 125_000;

/// Bulk payload on a link that is never idle: what headers leave of the packets.
const FULL: f64 = 0.968;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Runs a check for each seed; in threads, since the seeds have nothing to do with each other.
fn for_each_seed(check: impl Fn(u64) + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get) as u64;
    std::thread::scope(|scope| {
        for turn in 0..threads {
            let check = &check;
            scope.spawn(move || {
                SEEDS.filter(|seed| seed % threads == turn).for_each(check);
            });
        }
    });
}

/// As much reliable data as the path takes, to a peer of Valve's.
fn bulk() -> Flow {
    let plan = Plan { traffic: vec![Traffic::reliable(10_000_000, 16_384)], ..Plan::default() };
    Flow { plan, ..Flow::default() }
}

/// The same to a peer of ours, configured by default as the library does.
fn bulk_to_ours() -> Flow {
    let mut flow = Flow { features: extensions::ALL, ..bulk() };
    flow.config.receive.window_bytes = Some(4 << 20);
    flow
}

/// To a peer of Valve's or of ours, in turns.
fn either(seed: u64) -> Flow {
    if seed.is_multiple_of(2) { bulk() } else { bulk_to_ours() }
}

/// A path that differs a little from seed to seed: by its delay, and by some jitter.
fn path(seed: u64, mbit: u64, rtt_ms: u64, queue_rtts: f64) -> Lab {
    let mut rng = Rng::new(seed);
    let rtt = ms(rtt_ms) + rng.up_to(ms(rtt_ms) / 20);
    let mut lab = Lab::new(seed, mbit * MBIT, rtt, queue_rtts);
    lab.link.jitter = Duration::from_micros(500);
    lab
}

fn share_of_link(flow: &FlowReport, lab: &Lab, from: Duration) -> f64 {
    flow.rate(from, lab.duration) / lab.bottleneck.bytes_per_second as f64
}

fn states(flow: &FlowReport) -> Vec<&'static str> {
    flow.beliefs.iter().filter_map(|(estimate, ..)| Some(estimate.state?.name())).collect()
}

#[test]
fn bulk_fills_a_lossy_link_with_nothing_configured() {
    for_each_seed(|seed| {
        let flow = either(seed);
        let lab = path(seed, 20, 50, 1.0).with_loss(PerMillion::percent(2)).with_flow(flow);
        let flow = &lab.run().flows[0];
        let share = share_of_link(flow, &lab, secs(1));
        assert!(share >= 0.95, "seed {seed}: {share} of the link; {:?}", states(flow));
    });
}

#[test]
fn random_loss_costs_less_than_a_tenth() {
    for_each_seed(|seed| {
        for (mbit, rtt_ms, queue) in [(20, 50, 0.3), (100, 20, 1.0), (5, 100, 1.0)] {
            for percent in [0, 1, 2] {
                // The bottleneck never sees these, and it never sees those.
                let loss = PerMillion::percent(percent);
                let mut lab = path(seed, mbit, rtt_ms, queue).with_flow(bulk_to_ours());
                if seed.is_multiple_of(2) {
                    lab.link.early_loss = loss
                } else {
                    lab.link.loss = loss
                }
                let lab = lab.lasting(if mbit > 50 { secs(3) } else { secs(6) });
                let flow = &lab.run().flows[0];
                let share = share_of_link(flow, &lab, lab.duration / 3);
                let what = format!("seed {seed}, {mbit} Mbit/s, {rtt_ms} ms, {percent} %");
                assert!(share >= 0.9 * FULL, "{what}: {share}; {:?}", states(flow));
            }
        }
    });
}

#[test]
fn the_start_reaches_a_fast_path_within_a_second() {
    for_each_seed(|seed| {
        let lab = path(seed, 100, 50, 1.0).with_flow(either(seed)).lasting(ms(1100));
        let flow = &lab.run().flows[0];
        let share = flow.rate(ms(900), ms(1100)) / (100 * MBIT) as f64;
        assert!(share >= 0.9 * FULL, "seed {seed}: {share}, {:?}", flow.received);
    });
}

#[test]
fn a_quiet_application_does_not_lower_the_estimate() {
    for_each_seed(|seed| {
        // A burst that shows what the path can do, a quiet while, and a large message.
        let burst = Traffic { burst: 400, ..Traffic::reliable(400, 16_384) };
        let quiet =
            Traffic { burst: 1, every: ms(50), start: secs(3), ..Traffic::reliable(500, 80) };
        let last = Traffic { start: secs(25), ..Traffic::reliable(1, 400_000).on_lane(1) };
        let mut flow = bulk_to_ours();
        flow.plan.traffic = vec![burst, quiet, last];
        flow.lanes = vec![LaneConfig::default(); 2];
        let lab = path(seed, 20, 50, 1.0).with_flow(flow).lasting(secs(27));
        let flow = &lab.run().flows[0];
        let bandwidth = |at: Duration| {
            let bin = (at.as_millis() / 100) as usize;
            flow.beliefs[bin].0.bandwidth.unwrap_or(0) as f64
        };
        let (before, after) = (bandwidth(secs(3)), bandwidth(ms(24_800)));
        assert!(after >= 0.9 * before, "seed {seed}: {before} became {after}");
        // At the rate of the path from the first packet on.
        let took = flow.delay(1, 100.0);
        assert!(took <= ms(300), "seed {seed}: {took:?}");
    });
}

fn contest(seed: u64, law: Law, queue: f64, start: (Duration, Duration)) -> (f64, f64, Report) {
    let mut rng = Rng::new(seed ^ 0x7c9);
    let (ours, theirs) = (start.0 + rng.up_to(ms(200)), start.1 + rng.up_to(ms(200)));
    let flow = Flow { start: ours, ..bulk_to_ours() };
    let lab = path(seed, 20, 50, queue).with_flow(flow).with_tcp(theirs, law).lasting(secs(40));
    let report = lab.run();
    let (ours, theirs) =
        (report.flows[0].rate(secs(10), secs(40)), report.tcp_rate(0, secs(10), secs(40)));
    (ours / (ours + theirs), (ours + theirs) / (20 * MBIT) as f64, report)
}

#[test]
fn shares_a_bottleneck_with_tcp() {
    for_each_seed(|seed| {
        // Which one comes first, and whether TCP's law and the queue suit us, must not matter.
        let starts = [(0, 3), (3, 0), (0, 0)][seed as usize % 3];
        let rivals = match seed % 2 {
            0 => [(Law::Cubic, 0.5), (Law::Cubic, 2.0), (Law::Reno, 0.5)],
            _ => [(Law::Cubic, 0.25), (Law::Cubic, 1.0), (Law::Reno, 1.0)],
        };
        for (law, queue) in rivals {
            let (share, all, report) = contest(seed, law, queue, (secs(starts.0), secs(starts.1)));
            let what = format!("seed {seed}, {law:?}, queue of {queue}, {starts:?}");
            println!("{what}: {share:.2} of {all:.2}");
            // Where the queue is deep, a cubic leaves less to Reno; TCP's own does so, too.
            let most = if law == Law::Reno && queue >= 1.0 { 0.75 } else { 0.7 };
            assert!((0.3..=most).contains(&share), "{what}: {share} of {all}");
            assert!(all >= 0.85, "{what}: both get {all}; {:?}", states(&report.flows[0]));
        }
    });
}

/// Bulk on one lane, and a small message each 16 ms on one before it.
fn with_urgent_messages(mut flow: Flow) -> Flow {
    let urgent = Traffic {
        no_nagle: true,
        burst: 1,
        every: ms(16),
        start: ms(100),
        ..Traffic::reliable(600, 100)
    };
    flow.plan.traffic.push(urgent.on_lane(1));
    let lane = |priority| LaneConfig { priority, ..LaneConfig::default() };
    flow.lanes = vec![lane(1), lane(0)];
    flow
}

#[test]
fn urgent_messages_hardly_wait_beside_bulk() {
    for_each_seed(|seed| {
        for (mbit, rtt_ms, queue) in
            [(20, 50, 4.0), (20, 20, 2.0), (100, 50, 1.0), (10, 10, 8.0), (20, 100, 2.0)]
        {
            let flow = with_urgent_messages(either(seed));
            let lab = path(seed, mbit, rtt_ms, queue).with_flow(flow).lasting(secs(11));
            let flow = &lab.run().flows[0];
            let (waited, limit) = (flow.delay(1, 99.0), 2 * lab.link.delay + ms(10));
            let what = format!("seed {seed}, {mbit} Mbit/s, {rtt_ms} ms");
            println!("{what}: {waited:?} of {limit:?}");
            assert!(waited <= limit, "{what}: {waited:?} of {limit:?}; {:?}", states(flow));
        }
    });
}

#[test]
fn small_reliable_messages_hardly_wait_for_what_is_lost() {
    for_each_seed(|seed| {
        for features in [0, extensions::ALL] {
            let chat = Traffic {
                burst: 1,
                every: Duration::from_micros(16_667),
                ..Traffic::reliable(3600, 100)
            };
            let plan = Plan { traffic: vec![chat], ..Plan::default() };
            let flow = Flow { plan, features, ..Flow::default() };
            let lab = path(seed, 20, 50, 1.0).with_loss(PerMillion::percent(2)).with_flow(flow);
            let flow = &lab.lasting(secs(62)).run().flows[0];
            let (half, most) = (flow.delay(0, 50.0), flow.delay(0, 99.0));
            assert!(most <= ms(60), "seed {seed}: p50 {half:?}, p99 {most:?}");
        }
    });
}

#[test]
fn asking_for_more_than_the_link_carries_breaks_nothing() {
    for_each_seed(|seed| {
        for (min, max) in [
            (10_000_000, 10_000_000),
            (10_000_000, i32::MAX as u32),
            (i32::MAX as u32, i32::MAX as u32),
        ] {
            let mut flow = bulk();
            (flow.config.send.rate_min, flow.config.send.rate_max) = (min, max);
            let lab = path(seed, 20, 50, 1.0).with_loss(PerMillion::percent(2)).with_flow(flow);
            let lab = lab.lasting(secs(8));
            let flow = &lab.run().flows[0];
            let what = format!("seed {seed}, {min} to {max}");
            assert_eq!(flow.end, None, "{what}");
            let share = share_of_link(flow, &lab, secs(3));
            assert!(share > 0.2, "{what}: {share}");
        }
    });
}

#[test]
fn a_full_receiver_is_not_mistaken_for_loss() {
    for_each_seed(|seed| {
        let mut flow = bulk_to_ours();
        flow.config.receive.window_bytes = Some(1 << 20);
        flow.receiver.consumption = Consumption::Slow { messages: 6, every: ms(100) };
        let lab = path(seed, 20, 50, 1.0).with_flow(flow).lasting(secs(8));
        let flow = &lab.run().flows[0];
        let received: u64 = flow.received.iter().sum();
        let needed = (received as f64 + f64::from(1 << 20)) / 1200.0;
        assert!(flow.link.sent as f64 <= 1.05 * needed, "seed {seed}: {:?}", flow.link);
        let loss = flow.beliefs.iter().map(|(estimate, ..)| estimate.usual_loss_ppm).max();
        assert_eq!(loss, Some(0), "seed {seed}");
        // Six messages of 16 KiB each 100 ms: what the reader takes, arrives.
        assert!(flow.rate(secs(3), secs(8)) >= 0.95 * 983_040.0, "seed {seed}");
    });
}

/// By the bytes unread, or by their number.
#[test]
fn an_unreliable_flood_waits_for_a_slow_reader() {
    for_each_seed(|seed| {
        for (bytes, messages) in [(1 << 20, 32_768), (4 << 20, 1_000)] {
            let flood = Traffic { reliable: false, ..Traffic::reliable(10_000_000, 100) };
            let plan = Plan { traffic: vec![flood], ..Plan::default() };
            let mut flow = Flow { plan, ..bulk_to_ours() };
            flow.config.receive.window_bytes = Some(bytes);
            flow.config.receive.window_messages = Some(messages);
            flow.receiver.consumption = Consumption::Slow { messages: 500, every: ms(10) };
            let lab = path(seed, 100, 10, 1.0).with_flow(flow).lasting(secs(4));
            let flow = &lab.run().flows[0];
            let rate = flow.rate(secs(1), secs(4));
            assert!(rate >= 0.9 * 5_000_000.0, "seed {seed}, {messages}: {rate}");
            let received: u64 = flow.received.iter().sum();
            let waiting = (bytes as u64).min(100 * messages as u64);
            // A packet holds eleven of them; whatever was sent beyond what came is lost.
            let needed = (received + waiting) / 1100;
            assert!(
                flow.link.sent <= needed * 103 / 100,
                "seed {seed}, {messages}: {:?}",
                flow.link
            );
        }
    });
}

#[test]
fn a_window_of_its_own_fills_a_long_path() {
    for_each_seed(|seed| {
        let lab = path(seed, 100, 150, 1.0).with_flow(bulk_to_ours()).lasting(secs(6));
        let flow = &lab.run().flows[0];
        let share = share_of_link(flow, &lab, secs(3));
        assert!(share >= 0.9 * FULL, "seed {seed}: {share}; {:?}", states(flow));
    });
}

#[test]
fn unreliable_data_fills_a_link_too() {
    for_each_seed(|seed| {
        for (rtt_ms, queue) in [(1, 20.0), (50, 1.0)] {
            let flood = Traffic { reliable: false, ..Traffic::reliable(10_000_000, 1150) };
            let plan = Plan { traffic: vec![flood], ..Plan::default() };
            let flow = Flow { plan, ..either(seed) };
            let lab =
                path(seed, 20, rtt_ms, queue).with_loss(PerMillion::percent(1)).with_flow(flow);
            let lab = lab.lasting(secs(4));
            let flow = &lab.run().flows[0];
            let share = share_of_link(flow, &lab, secs(1));
            assert!(share >= 0.85, "seed {seed}, {rtt_ms} ms: {share}; {:?}", states(flow));
        }
    });
}

#[test]
fn follows_a_link_that_becomes_slower_and_faster() {
    for_each_seed(|seed| {
        let mut lab = path(seed, 20, 40, 4.0).with_flow(with_urgent_messages(bulk_to_ours()));
        let slow = RateLimit { bytes_per_second: 5 * MBIT, ..lab.bottleneck };
        lab.changes = vec![(secs(3), slow), (secs(8), lab.bottleneck)];
        let lab = lab.lasting(secs(12));
        let flow = &lab.run().flows[0];
        let slow = flow.rate(secs(4), secs(8)) / (5 * MBIT) as f64;
        let fast = flow.rate(secs(10), secs(12)) / (20 * MBIT) as f64;
        assert!(
            slow >= 0.85 && fast >= 0.85,
            "seed {seed}: {slow}, then {fast}; {:?}",
            states(flow)
        );
        let rivals = flow
            .beliefs
            .iter()
            .filter(|(estimate, ..)| estimate.state == Some(ModelState::Rivalry));
        assert!(rivals.count() <= 30, "seed {seed}: {:?}", states(flow));
    });
}
