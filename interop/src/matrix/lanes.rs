//! Lanes: all that Valve can name, priorities, weights, and ours up to 254.

use anyhow::{Context as _, ensure};
use gamewire::LaneConfig;

use crate::{
    cell::Case,
    ours::Setting,
    runs::{Plan, Run},
    stage::{Setup, Stage},
    verify::Report,
};

/// Lanes that Valve's sender names correctly.
const VALVE_LANES: u16 = 8;

/// Everything waits at once, and leaves slowly enough to see who is preferred.
const SLOW: [Setting; 5] = [
    ("SendBufferSize", 16 << 20),
    ("RecvBufferSize", 16 << 20),
    ("RecvBufferMessages", 100_000),
    ("SendRateMin", 2 << 20),
    ("SendRateMax", 2 << 20),
];

/// What may be lost of unreliable messages on a busy machine.
const TOLERATED_LOSS: f64 = 0.02;

pub(super) fn cases() -> Vec<Case> {
    let setup = || Setup::with_options(&SLOW);
    vec![
        Case::new("lanes: 0 to 7, reliable and unreliable", setup(), all_of_valve),
        Case::new("lanes: ours up to 254, Valve's up to 7", setup(), all_of_ours),
        Case::new("lanes: strict priorities, our sender", setup(), our_priorities).alone(),
        Case::new("lanes: strict priorities, Valve's sender", setup(), valve_priorities).alone(),
        Case::new("lanes: weights 1 to 3, our sender", setup(), our_weights).alone(),
        Case::new("lanes: weights 1 to 3, Valve's sender", setup(), valve_weights).alone(),
    ]
}

fn mixed_on(lanes: impl IntoIterator<Item = u16>) -> Plan {
    let runs = lanes.into_iter().flat_map(|lane| {
        [
            Run::reliable(&[1, 8, 100, 1200, 9000], 60).on_lane(lane),
            Run::unreliable(&[8, 100, 1100, 2500], 60).on_lane(lane),
        ]
    });
    Plan::new(&runs.collect::<Vec<_>>())
}

fn all_of_valve(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let plan = mixed_on(0..VALVE_LANES);
    let exchange = stage.exchange(&plan, &plan, TOLERATED_LOSS)?;
    stage.still_connected()?;
    Ok(exchange.figures())
}

fn all_of_ours(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let out = mixed_on([0, 6, 7, 8, 9, 20, 127, 128, 200, 254]);
    let back = mixed_on([0, 7]);
    let exchange = stage.exchange(&out, &back, TOLERATED_LOSS)?;
    stage.still_connected()?;
    Ok(exchange.figures())
}

/// 256 KiB on each lane, the highest lane first.
fn priorities() -> (Plan, Vec<i32>) {
    let runs: Vec<Run> =
        (0..VALVE_LANES).map(|lane| Run::reliable(&[32 << 10], 8).on_lane(lane)).collect();
    (Plan::new(&runs), (0..i32::from(VALVE_LANES)).rev().collect())
}

fn check_priorities(reports: &[Report]) -> anyhow::Result<String> {
    let done: Vec<i64> = reports.iter().map(|report| report.last_us).collect();
    let (slowest, fastest) = (done[0], done[usize::from(VALVE_LANES) - 1]);
    ensure!(
        done.windows(2).all(|pair| pair[0] > pair[1]),
        "lanes were done at {done:?}, not the highest first"
    );
    let apart = (slowest - fastest) as f64 / 1e3;
    Ok(format!("the last lane was done {apart:.0} ms after the first"))
}

fn our_priorities(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let (plan, priorities) = priorities();
    let lane = |priority: &i32| LaneConfig { priority: *priority, ..LaneConfig::default() };
    stage.ours.configure_lanes(&priorities.iter().map(lane).collect::<Vec<_>>())?;
    check_priorities(&stage.transfer(&plan, &Plan::default(), 0.0)?.at_valve)
}

fn valve_priorities(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let (plan, priorities) = priorities();
    stage.valve_lanes(&priorities, &[])?;
    check_priorities(&stage.transfer(&Plan::default(), &plan, 0.0)?.at_ours)
}

/// The same amount on two lanes, of which the second gets three quarters of the rate.
fn weights() -> Plan {
    Plan::new(&[Run::reliable(&[1000], 1000), Run::reliable(&[1000], 1000).on_lane(1)])
}

fn check_weights(reports: &[Report]) -> anyhow::Result<String> {
    let [light, heavy] = reports else { anyhow::bail!("two runs were sent") };
    let begin = light.first_us.min(heavy.first_us);
    let share = (heavy.last_us - begin) as f64 / (light.last_us - begin).max(1) as f64;
    // Both in turn would be 1; the heavy lane alone would be 1/2; three to one is 2/3.
    ensure!((0.58..0.8).contains(&share), "the heavy lane was done after {share:.2} of the time");
    Ok(format!("the heavy lane was done after {share:.2} of the time"))
}

fn our_weights(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let lane = |weight| LaneConfig { weight, ..LaneConfig::default() };
    stage.ours.configure_lanes(&[lane(1), lane(3)])?;
    let exchange = stage.transfer(&weights(), &Plan::default(), 0.0);
    check_weights(&exchange.context("transfer")?.at_valve)
}

fn valve_weights(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    stage.valve_lanes(&[0, 0], &[1, 3])?;
    let exchange = stage.transfer(&Plan::default(), &weights(), 0.0);
    check_weights(&exchange.context("transfer")?.at_ours)
}
