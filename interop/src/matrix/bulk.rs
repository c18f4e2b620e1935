//! 30 MB/s for 10 seconds.

use std::time::Duration;

use anyhow::ensure;

use crate::{
    cell::Case,
    ours::Setting,
    runs::{Plan, Run},
    stage::{Setup, Stage},
    verify::Report,
};

/// Payload per second that must arrive, bytes.
const GOAL: f64 = 30e6;
/// What is sent: ten seconds' worth at the rate that is reached.
const MESSAGE_BYTES: usize = 32 << 10;
const MESSAGES: u64 = 11_000;
/// The rate caps payload and headers together, so it is somewhat above the goal.
const RATE: i64 = 36_000_000;

const OPTIONS: [Setting; 5] = [
    ("SendBufferSize", 4 << 20),
    ("RecvBufferSize", 8 << 20),
    ("RecvBufferMessages", 10_000),
    ("SendRateMin", RATE),
    ("SendRateMax", RATE),
];

/// No rates: ours finds its own.
const BUFFERS: &[Setting] = OPTIONS.split_at(3).0;

pub(super) fn cases() -> Vec<Case> {
    let case = |name, options, body: fn(&mut Stage) -> anyhow::Result<String>| {
        let case = Case::new(name, Setup::with_options(options), body);
        case.within(Duration::from_secs(30)).alone()
    };
    vec![
        case("bulk: 30 MB/s for 10 s, our sender", &OPTIONS, we_send),
        case("bulk: 30 MB/s for 10 s, Valve's sender", &OPTIONS, valve_sends),
        case("bulk: no rate configured, our sender", BUFFERS, we_send),
    ]
}

fn plan() -> Plan {
    Plan::new(&[Run::reliable(&[MESSAGE_BYTES], MESSAGES)])
}

fn we_send(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let exchange = stage.transfer(&plan(), &Plan::default(), 0.0)?;
    fast_enough(&exchange.at_valve[0])
}

fn valve_sends(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let exchange = stage.transfer(&Plan::default(), &plan(), 0.0)?;
    fast_enough(&exchange.at_ours[0])
}

fn fast_enough(report: &Report) -> anyhow::Result<String> {
    let rate = report.bytes as f64 / report.seconds().max(1e-3);
    let figures = format!("{:.1} MB/s for {:.1} s", rate / 1e6, report.seconds());
    ensure!(rate >= GOAL, "only {figures}");
    Ok(figures)
}
