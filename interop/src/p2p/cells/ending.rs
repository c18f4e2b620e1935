//! How connections by identity end, and how they never begin.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Case, Where, talk};
use crate::{
    lab::{Families, Servers, TURN_PASSWORD, TURN_USER},
    p2p::{
        meeting::{Meeting, Side},
        post::Weather,
    },
    runs::{Plan, Run},
};

/// Silence that ends what never began, ms.
const PATIENCE_MS: u64 = 1500;
/// The soonest that an end by timeout is right.
const SOONEST: Duration = Duration::from_millis(PATIENCE_MS - 100);
/// `ESteamNetConnectionEnd_Misc_Timeout`.
const TIMED_OUT: i32 = 5003;
/// `ESteamNetConnectionEnd_Misc_P2P_Rendezvous` and `…_P2P_NAT_Firewall`.
const NO_RENDEZVOUS: i32 = 5008;
const NO_ROUTE: i32 = 5009;
/// What a peer says who gave up before.
const GAVE_UP_FIRST: [i32; 3] = [TIMED_OUT, NO_RENDEZVOUS, NO_ROUTE];

pub(super) fn cases() -> Vec<Case> {
    let impatient = json!({"TimeoutInitial": PATIENCE_MS});
    let attentive = json!({"TimeoutConnected": PATIENCE_MS});
    let all_lost = Weather { loss_percent: 100, ..Weather::FAIR };
    vec![
        Case::new("end: the initiator closes", initiator_closes),
        Case::new("end: the acceptor closes", acceptor_closes),
        Case::new("end: the initiator lingers", initiator_lingers),
        Case::new("end: the acceptor lingers", acceptor_lingers),
        Case::new("end: refused while asked", refused_at_once)
            .with(&json!({"TimeoutInitial": PATIENCE_MS}))
            .beyond_valve(Where::Acceptor, "waited for closed_by_peer", "refusal has no sender"),
        Case::new("end: refused later", refused_later),
        Case::new("end: refused in foul weather", refused_later).in_weather(Weather::FOUL),
        Case::new("end: ignored", ignored).with(&impatient),
        Case::new("end: never accepted", never_accepted).with(&impatient),
        Case::new("end: no signal arrives", never_heard).with(&impatient).in_weather(all_lost),
        Case::new("end: the acceptor is killed", acceptor_killed).with(&attentive),
        Case::new("end: the initiator is killed", initiator_killed).with(&attentive),
        Case::new("end: no route", no_route)
            .with(&json!({"TimeoutInitial": 4000}))
            .with(&dead_relay())
            .within(Duration::from_secs(40)),
    ]
}

/// Relayed candidates only, of a server that is not there.
fn dead_relay() -> Value {
    json!({
        "P2P_Transport_ICE_Enable": 1,
        "P2P_TURN_ServerList": Servers::turn(2, Families::V4).to_string(),
        "P2P_TURN_UserList": TURN_USER,
        "P2P_TURN_PassList": TURN_PASSWORD,
    })
}

fn initiator_closes(meeting: &mut Meeting) -> anyhow::Result<String> {
    let route = talk(meeting)?;
    meeting.initiator.close(1234, "so long – 再见", false)?;
    meeting.acceptor.ends("closed_by_peer", 1234, "so long – 再见")?;
    Ok(route)
}

fn acceptor_closes(meeting: &mut Meeting) -> anyhow::Result<String> {
    let route = talk(meeting)?;
    meeting.acceptor.close(2345, "so long – 再见", false)?;
    meeting.initiator.ends("closed_by_peer", 2345, "so long – 再见")?;
    Ok(route)
}

fn linger(from: &mut Side, to: &mut Side) -> anyhow::Result<()> {
    let plan = Plan::new(&[Run::reliable(&[16 << 10], 24)]);
    to.expect(&plan)?;
    from.send(&plan)?;
    from.close(1500, "all of it", true)?;
    let reports = to.arrived(&plan)?;
    crate::verify::check("the other side", &reports, 0.0)?;
    to.ends("closed_by_peer", 1500, "all of it")
}

fn initiator_lingers(meeting: &mut Meeting) -> anyhow::Result<String> {
    let route = talk(meeting)?;
    linger(&mut meeting.initiator, &mut meeting.acceptor)?;
    Ok(route)
}

fn acceptor_lingers(meeting: &mut Meeting) -> anyhow::Result<String> {
    let route = talk(meeting)?;
    linger(&mut meeting.acceptor, &mut meeting.initiator)?;
    Ok(route)
}

fn refused_at_once(meeting: &mut Meeting) -> anyhow::Result<String> {
    let refuse = json!({
        "cmd": "on_request", "mode": "reject", "reason": 2001, "debug": "the server is full",
    });
    meeting.acceptor.peer.ok(refuse)?;
    meeting.dial()?;
    meeting.initiator.ends("closed_by_peer", 2001, "the server is full")?;
    Ok("2001".to_owned())
}

fn refused_later(meeting: &mut Meeting) -> anyhow::Result<String> {
    let refuse = json!({
        "cmd": "auto_accept", "mode": "reject", "reason": 2001, "debug": "the server is full",
    });
    meeting.acceptor.peer.ok(refuse)?;
    meeting.dial()?;
    meeting.initiator.ends("closed_by_peer", 2001, "the server is full")?;
    Ok("2001".to_owned())
}

/// Waits for an end by itself; its reason and when it came.
fn gives_up(side: &mut Side, since: Instant) -> anyhow::Result<i64> {
    let event = side.peer.event("giving up", |event| {
        event["event"] == "state"
            && (event["new"] == "problem_detected_locally" || event["new"] == "closed_by_peer")
    })?;
    ensure!(event["new"] == "problem_detected_locally", "the peer ended it: {event}");
    let elapsed = since.elapsed();
    ensure!(elapsed >= SOONEST, "gave up after {elapsed:.1?}: {event}");
    Ok(event["end_reason"].as_i64().unwrap_or(0))
}

fn ignored(meeting: &mut Meeting) -> anyhow::Result<String> {
    meeting.acceptor.peer.ok(json!({"cmd": "on_request", "mode": "ignore"}))?;
    let start = Instant::now();
    meeting.dial()?;
    let reason = gives_up(&mut meeting.initiator, start)?;
    nobody_answered(reason)
}

/// Valve's header has a reason of its own for it, which ours gives; Valve's open-source library
/// gives the general one.
fn nobody_answered(reason: i64) -> anyhow::Result<String> {
    let known = [TIMED_OUT, NO_RENDEZVOUS].map(i64::from);
    ensure!(known.contains(&reason), "gave up with {reason}");
    Ok(reason.to_string())
}

fn never_accepted(meeting: &mut Meeting) -> anyhow::Result<String> {
    meeting.acceptor.peer.ok(json!({"cmd": "auto_accept", "mode": "ignore"}))?;
    let start = Instant::now();
    meeting.dial()?;
    let reason = gives_up(&mut meeting.initiator, start)?;
    nobody_answered(reason)
}

fn never_heard(meeting: &mut Meeting) -> anyhow::Result<String> {
    let start = Instant::now();
    meeting.dial()?;
    let reason = gives_up(&mut meeting.initiator, start)?;
    nobody_answered(reason)
}

/// The other side is owed something, and notices that nobody takes it.
fn notices(side: &mut Side, since: Instant) -> anyhow::Result<String> {
    side.peer.ok(json!({"cmd": "send", "connection": side.connection, "size": 20}))?;
    let reason = gives_up(side, since)?;
    ensure!(reason == i64::from(TIMED_OUT) || reason == 4001, "gave up with {reason}");
    Ok(reason.to_string())
}

fn acceptor_killed(meeting: &mut Meeting) -> anyhow::Result<String> {
    talk(meeting)?;
    let start = Instant::now();
    meeting.acceptor.peer.kill()?;
    notices(&mut meeting.initiator, start)
}

fn initiator_killed(meeting: &mut Meeting) -> anyhow::Result<String> {
    talk(meeting)?;
    let start = Instant::now();
    meeting.initiator.peer.kill()?;
    notices(&mut meeting.acceptor, start)
}

/// Only relayed candidates are allowed, and the servers are dead.
fn no_route(meeting: &mut Meeting) -> anyhow::Result<String> {
    meeting.dial()?;
    let mut reasons = Vec::new();
    for side in [&mut meeting.initiator, &mut meeting.acceptor] {
        let event = side.peer.event("giving up", |event| {
            event["event"] == "state"
                && (event["new"] == "problem_detected_locally" || event["new"] == "closed_by_peer")
        })?;
        let reason = event["end_reason"].as_i64().unwrap_or(0);
        let known = GAVE_UP_FIRST.map(i64::from).contains(&reason);
        ensure!(known, "ended otherwise: {event}");
        reasons.push(reason.to_string());
    }
    Ok(reasons.join("/"))
}
