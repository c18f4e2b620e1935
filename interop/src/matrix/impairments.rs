//! Loss, lag, reordering and duplicates, made by either side's fake network in both directions.

use std::time::Duration;

use anyhow::{Context as _, ensure};

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

/// What may be lost of unreliable messages where loss is meant: a tenth on each of two ways would be
/// a fifth of the packets.
const MEANT_LOSS: f64 = 0.5;
/// What may be missing where no loss is meant: what is held back may come behind the last message.
const TOLERATED_LOSS: f64 = 0.05;

#[derive(Clone, Copy)]
enum Where {
    Ours,
    Valve,
}

/// What is done to datagrams, each of which must be seen to happen.
#[derive(Clone, Copy)]
struct Harm {
    loss: bool,
    lag: bool,
    reorder: bool,
    duplicates: bool,
}

impl Harm {
    fn of(settings: &[Setting]) -> Self {
        let has = |kind: &[Setting]| settings.contains(&kind[0]);
        Self {
            loss: has(&LOSS),
            lag: has(&DELAY),
            reorder: has(&REORDER),
            duplicates: has(&DUPLICATES),
        }
    }
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
            let harm = Harm::of(settings);
            let body = move |stage: &mut Stage| endure(stage, harm);
            let case = Case::new(format!("network: {name}, made by {side}"), setup, body);
            cases.push(case.within(Duration::from_secs(40)));
        }
    }
    cases
}

/// Everything reliable comes once and in order, and nothing comes twice, whatever happens on the way.
fn endure(stage: &mut Stage, harm: Harm) -> anyhow::Result<String> {
    stage.connect()?;
    let plan = Plan::new(&[
        Run::reliable(&[1, 100, 1200, 5000, 40_000], 100),
        Run::unreliable(&[20, 500, 1000], 600),
    ]);
    let tolerated = if harm.loss { MEANT_LOSS } else { TOLERATED_LOSS };
    let exchange = stage.exchange(&plan, &plan, tolerated)?;
    if harm.loss {
        let reports = exchange.at_ours.iter().chain(&exchange.at_valve);
        let untouched = reports.filter(|report| !report.reliable && report.missing == 0).count();
        ensure!(untouched == 0, "nothing was lost: {exchange:?}");
    }
    let seen = seen_by_us(stage, harm)?;
    let ping = pings(stage, harm)?;
    stage.still_connected()?;
    Ok(format!("{}; {seen}; {ping}", exchange.figures()))
}

/// What our statistics make of what reached us.
fn seen_by_us(stage: &Stage, harm: Harm) -> anyhow::Result<String> {
    let status = stage.ours.sockets.detailed_connection_status(stage.ours.handle()?);
    let link = status.and_then(|status| status.link).context("our link's status")?;
    let sequence = link.local.whole_time.context("our link's statistics")?.sequence;
    let late = sequence.out_of_order + sequence.out_of_order_corrected;
    ensure!(!harm.reorder || late > 0, "nothing came late: {sequence:?}");
    ensure!(!harm.duplicates || sequence.duplicate > 0, "nothing came twice: {sequence:?}");
    ensure!(!harm.loss || sequence.dropped > 0, "nothing was dropped: {sequence:?}");
    let (dropped, twice) = (sequence.dropped, sequence.duplicate);
    Ok(format!("packets to us: {dropped} dropped {late} late {twice} twice"))
}

fn pings(stage: &mut Stage, harm: Harm) -> anyhow::Result<String> {
    let (status, _) = stage.ours.sockets.real_time_status(stage.ours.handle()?, 0)?;
    let ours = status.ping_ms.map_or(-1, i64::from);
    let valve = stage.valve_status()?["real_time"]["ping_ms"].as_i64().unwrap_or(-1);
    if harm.lag {
        ensure!(ours >= LEAST_PING_MS, "our ping is {ours} ms");
        ensure!(valve >= LEAST_PING_MS, "Valve's ping is {valve} ms");
    }
    Ok(format!("ping: ours {ours} ms, Valve's {valve} ms"))
}
