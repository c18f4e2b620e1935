//! Loss, lag, reordering and duplicates, made by either side's fake network in both directions.

use std::time::Duration;

use anyhow::ensure;

use crate::{
    cell::Case,
    ours::Setting,
    runs::{Plan, Run},
    stage::{Setup, Stage},
};

const OPTIONS: [Setting; 5] = [
    ("SendBufferSize", 8 << 20),
    ("RecvBufferSize", 8 << 20),
    ("RecvBufferMessages", 100_000),
    ("SendRateMin", 1 << 20),
    ("SendRateMax", 1 << 20),
];
/// The lag of one way, ms.
const LAG: i64 = 100;
/// What a ping over both ways' lag must at least be, less what measuring may be off.
const LEAST_PING_MS: i64 = 2 * LAG - 10;

const LOSS: [Setting; 2] = [("FakePacketLoss_Send", 10), ("FakePacketLoss_Recv", 10)];
const DELAY: [Setting; 2] = [("FakePacketLag_Send", LAG), ("FakePacketLag_Recv", LAG)];
const REORDER: [Setting; 2] = [("FakePacketReorder_Send", 5), ("FakePacketReorder_Recv", 5)];
const DUPLICATES: [Setting; 2] = [("FakePacketDup_Send", 5), ("FakePacketDup_Recv", 5)];

#[derive(Clone, Copy)]
enum Where {
    Ours,
    Valve,
}

pub(super) fn cases() -> Vec<Case> {
    let all = [LOSS, DELAY, REORDER, DUPLICATES].concat();
    let kinds: [(&str, &[Setting]); 5] = [
        ("loss 10 %", &LOSS),
        ("lag 100 ms", &DELAY),
        ("reorder 5 %", &REORDER),
        ("duplicates 5 %", &DUPLICATES),
        ("all of it", &all),
    ];
    let mut cases = Vec::new();
    for (name, settings) in kinds {
        for (side, made_by) in [("our side", Where::Ours), ("Valve's side", Where::Valve)] {
            let mut setup = Setup::with_options(&OPTIONS);
            match made_by {
                Where::Ours => setup.ours.global = settings.to_vec(),
                Where::Valve => setup.valve.global = settings.to_vec(),
            }
            let lagging = settings.contains(&DELAY[0]);
            let lossy = settings.contains(&LOSS[0]);
            let body = move |stage: &mut Stage| endure(stage, lagging, lossy);
            let case = Case::new(format!("network: {name}, made by {side}"), setup, body);
            cases.push(case.within(Duration::from_secs(40)));
        }
    }
    cases
}

/// Everything reliable comes once and in order, and nothing comes twice; loss shows where it is made.
fn endure(stage: &mut Stage, lagging: bool, lossy: bool) -> anyhow::Result<String> {
    stage.connect()?;
    let plan = Plan::new(&[
        Run::reliable(&[1, 100, 1200, 5000, 40_000], 100),
        Run::unreliable(&[20, 500, 1000], 600),
    ]);
    let exchange = stage.exchange(&plan, &plan, 1.0)?;
    for report in exchange.at_ours.iter().chain(&exchange.at_valve) {
        let sent = report.distinct + report.missing;
        ensure!(2 * report.distinct > sent, "more than half was lost: {report:?}");
        let some_lost = report.reliable || report.missing > 0;
        ensure!(!lossy || some_lost, "nothing was lost: {report:?}");
    }
    let (status, _) = stage.ours.sockets.real_time_status(stage.ours.handle()?, 0)?;
    let ours = status.ping_ms.map_or(-1, i64::from);
    let valve = stage.valve_status()?["real_time"]["ping_ms"].as_i64().unwrap_or(-1);
    if lagging {
        ensure!(ours >= LEAST_PING_MS, "our ping is {ours} ms");
        ensure!(valve >= LEAST_PING_MS, "Valve's ping is {valve} ms");
    }
    stage.still_connected()?;
    Ok(format!("{}; ping: ours {ours} ms, Valve's {valve} ms", exchange.figures()))
}
