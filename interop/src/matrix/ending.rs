//! How connections end: closed by either side, with and without linger, refused, timed out.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use gamewire::{ConnectionState, SendFlags};
use serde_json::json;

use crate::{
    cell::Case,
    ours::Setting,
    runs::{Plan, Run},
    stage::{Role, Setup, Stage},
};

/// `ESteamNetConnectionEnd_Misc_Timeout`.
const TIMED_OUT: i32 = 5003;
/// A rate at which a backlog takes a second.
const BACKLOG: [Setting; 4] = [
    ("SendBufferSize", 16 << 20),
    ("RecvBufferSize", 16 << 20),
    ("SendRateMin", 2 << 20),
    ("SendRateMax", 2 << 20),
];
/// Silence that ends a connection.
const IMPATIENT: [Setting; 1] = [("TimeoutConnected", 2000)];
/// The soonest that an end by timeout is right, a little below `IMPATIENT`.
const SOONEST_TIMEOUT: Duration = Duration::from_millis(1900);
/// How long ends by timeout may take: replies must have failed to come, too.
const TIMEOUT_LIMIT: Duration = Duration::from_secs(30);
/// A close that does not linger arrives long before the backlog could.
const SOON: Duration = Duration::from_millis(500);

pub(super) fn cases() -> Vec<Case> {
    let backlog = || Setup::with_options(&BACKLOG);
    let impatient = || Setup::with_options(&IMPATIENT);
    vec![
        Case::new("end: we close", Setup::plain(), we_close),
        Case::new("end: Valve closes", Setup::plain(), valve_closes),
        Case::new("end: we close and linger", backlog(), we_linger),
        Case::new("end: Valve closes and lingers", backlog(), valve_lingers),
        Case::new("end: we close and drop a backlog", backlog(), we_drop).alone(),
        Case::new("end: Valve closes and drops a backlog", backlog(), valve_drops).alone(),
        Case::new("end: the acceptor refuses", Setup::plain(), refusal),
        Case::new("end: Valve's process is killed", impatient(), valve_vanishes)
            .within(TIMEOUT_LIMIT),
        Case::new("end: our side falls silent", impatient(), we_vanish).within(TIMEOUT_LIMIT),
    ]
}

/// A little of everything, to end what has been used.
fn talk(stage: &mut Stage) -> anyhow::Result<()> {
    stage.connect()?;
    let plan = Plan::new(&[Run::reliable(&[10, 2000], 10), Run::unreliable(&[10], 10)]);
    stage.exchange(&plan, &plan, 0.1)?;
    Ok(())
}

fn seen_by_valve(stage: &mut Stage, reason: i32, debug: &str) -> anyhow::Result<()> {
    let event = stage.valve.state("closed_by_peer")?;
    ensure!(event["end_reason"] == reason, "Valve's side: {event}");
    ensure!(event["end_debug"] == debug, "Valve's side: {event}");
    Ok(())
}

fn seen_by_us(stage: &mut Stage, reason: i32, debug: &str) -> anyhow::Result<()> {
    let info = stage.ours.state(ConnectionState::ClosedByPeer)?;
    ensure!(info.end_reason == reason, "our side ended with {:?}", info.end_reason);
    ensure!(info.end_debug == debug, "our side ended with {:?}", info.end_debug);
    Ok(())
}

fn we_close(stage: &mut Stage) -> anyhow::Result<String> {
    talk(stage)?;
    stage.ours.close(1234, "so long, and thanks – 再见", false)?;
    seen_by_valve(stage, 1234, "so long, and thanks – 再见")?;
    Ok(String::new())
}

fn valve_closes(stage: &mut Stage) -> anyhow::Result<String> {
    talk(stage)?;
    stage.close_valve(2345, "so long, and thanks – 再见", false)?;
    seen_by_us(stage, 2345, "so long, and thanks – 再见")?;
    Ok(String::new())
}

/// One second's worth.
fn backlog() -> Plan {
    Plan::new(&[Run::reliable(&[16 << 10], 128)])
}

fn we_linger(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let plan = backlog();
    stage.expect_at_valve(&plan)?;
    stage.ours.send(&plan)?;
    stage.ours.close(1500, "all of it", true)?;
    let reports = stage.arrived_at_valve(&plan)?;
    crate::verify::check("Valve's", &reports, 0.0)?;
    seen_by_valve(stage, 1500, "all of it")?;
    Ok(format!("{} messages came before the end", reports[0].received))
}

fn valve_lingers(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let plan = backlog();
    stage.send_from_valve(&plan)?;
    stage.close_valve(1500, "all of it", true)?;
    let reports = stage.ours.receive(&plan)?;
    crate::verify::check("ours", &reports, 0.0)?;
    seen_by_us(stage, 1500, "all of it")?;
    Ok(format!("{} messages came before the end", reports[0].received))
}

fn we_drop(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let plan = backlog();
    stage.expect_at_valve(&plan)?;
    stage.ours.send(&plan)?;
    let start = Instant::now();
    stage.ours.close(1001, "at once", false)?;
    seen_by_valve(stage, 1001, "at once")?;
    let reports = stage.valve_report()?;
    check_drop(start.elapsed(), reports[0].received, plan.runs[0].count)
}

fn valve_drops(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    let plan = backlog();
    stage.send_from_valve(&plan)?;
    stage.valve.named("sent")?;
    let start = Instant::now();
    stage.close_valve(1001, "at once", false)?;
    seen_by_us(stage, 1001, "at once")?;
    let elapsed = start.elapsed();
    let connection = stage.ours.handle()?;
    let unread = stage.ours.sockets.receive_messages(connection, usize::MAX);
    let received = unread.context("what came before the end can be received")?.len() as u64;
    check_drop(elapsed, received, plan.runs[0].count)
}

fn check_drop(elapsed: Duration, received: u64, sent: u64) -> anyhow::Result<String> {
    ensure!(received < sent, "the backlog was delivered");
    ensure!(elapsed < SOON, "the close took {elapsed:?}");
    Ok(format!("{received} of {sent} messages came, the end after {elapsed:.1?}"))
}

fn refusal(stage: &mut Stage) -> anyhow::Result<String> {
    match stage.role {
        Role::WeConnect => {
            let refuse = json!({
                "cmd": "auto_accept", "mode": "reject", "reason": 2001, "debug": "the server is full",
            });
            stage.valve.ok(refuse)?;
            stage.dial()?;
            seen_by_us(stage, 2001, "the server is full")?;
        }
        Role::ValveConnects => {
            stage.dial()?;
            stage.ours.incoming()?;
            stage.ours.close(2001, "the server is full", false)?;
            seen_by_valve(stage, 2001, "the server is full")?;
        }
    }
    Ok(String::new())
}

/// Valve's process goes without a word; we owe it something, so we notice.
fn valve_vanishes(stage: &mut Stage) -> anyhow::Result<String> {
    talk(stage)?;
    let start = Instant::now();
    stage.valve.kill()?;
    stage.ours.send_bytes(b"anybody there?", SendFlags::RELIABLE)?;
    let info = stage.ours.state(ConnectionState::ProblemDetectedLocally)?;
    ensure!(info.end_reason == TIMED_OUT, "our side ended with {:?}", info.end_reason);
    check_timeout(start.elapsed())
}

/// Nothing leaves or reaches us any more.
fn we_vanish(stage: &mut Stage) -> anyhow::Result<String> {
    talk(stage)?;
    let start = Instant::now();
    stage.ours.set_global(&[("FakePacketLoss_Send", 100), ("FakePacketLoss_Recv", 100)])?;
    let one = Plan::new(&[Run::reliable(&[14], 1)]);
    stage.send_from_valve(&one)?;
    let event = stage.valve.state("problem_detected_locally")?;
    ensure!(event["end_reason"] == TIMED_OUT, "Valve's side: {event}");
    check_timeout(start.elapsed())
}

fn check_timeout(elapsed: Duration) -> anyhow::Result<String> {
    ensure!(elapsed >= SOONEST_TIMEOUT, "gave up after {elapsed:.1?}");
    Ok(format!("{TIMED_OUT} after {elapsed:.1?}"))
}
