//! How routes are found.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use super::{Case, Place, Where, talk, with_stun};
use crate::{
    lab::{Families, Servers, TURN_PASSWORD, TURN_USER},
    p2p::meeting::{Meeting, Route},
};

/// `P2P_Transport_ICE_Enable`: relayed candidates only.
const RELAY_ONLY: i32 = 1;
/// The same: public addresses only, which those behind routers must learn from a server.
const PUBLIC_ONLY: i32 = 4;
/// Valve's client lets a check fail, after five seconds and more, before it goes on to what a TURN
/// server needs to be told, and so with a server that does not answer.
const PATIENT_MS: i32 = 30_000;
/// The same where more would not help Valve's client.
const LESS_PATIENT_MS: i32 = 14_000;
/// How long such cells may take.
const LONG: Duration = Duration::from_secs(50);
/// Time for the two sides to agree on the best route.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn cases() -> Vec<Case> {
    let stun = with_stun();
    let two_stun = list(&[2, 0], |index| Servers::stun(index, Families::V4));
    let behind = Place::BehindRouters;
    let relay_only = turn(&[0], RELAY_ONLY);
    let everything = json!({});
    let v6_relay = turn_in(&[0], RELAY_ONLY, Families::V6);
    let cases = vec![
        Case::new("STUN: both behind routers", direct).with(&stun).at(behind),
        Case::new("STUN: the first server of two is dead", direct)
            .with(&json!({"P2P_STUN_ServerList": two_stun, "TimeoutInitial": PATIENT_MS}))
            .at(behind),
        Case::new("STUN: public candidates only", direct)
            .with(&stun)
            .with(&json!({"P2P_Transport_ICE_Enable": PUBLIC_ONLY}))
            .at(behind),
        Case::new("TURN: only relayed candidates", relayed).with(&relay_only),
        Case::new("TURN: both behind routers", relayed).with(&relay_only).at(behind),
        // Valve's side keeps its other addresses to itself and uses them all the same.
        Case::new("TURN: relayed on the initiator's side only", talk)
            .with_each([&relay_only, &everything]),
        Case::new("TURN: relayed on the acceptor's side only", talk)
            .with_each([&everything, &relay_only]),
        Case::new("TURN: two servers", relayed).with(&turn(&[0, 1], RELAY_ONLY)),
        Case::new("TURN: a server each", relayed)
            .with_each([&turn(&[0], RELAY_ONLY), &turn(&[1], RELAY_ONLY)]),
        Case::new("TURN: the first server of two is dead", relayed)
            .with(&turn(&[2, 1], RELAY_ONLY))
            .with(&json!({"TimeoutInitial": LESS_PATIENT_MS})),
        Case::new("TURN: IPv6", relayed)
            .with(&v6_relay)
            .with(&json!({"TimeoutInitial": LESS_PATIENT_MS}))
            .at(Place::Public(Families::V6))
            // It does not ask for an IPv6 address (RFC 8656 §18.6), and gets an IPv4 one.
            .beyond_valve(Where::AnySide, "\"end_reason\":500", "no IPv6 relay"),
        Case::new("TURN: the direct route wins", direct).with(&turn(&[0], -1)).with(&stun),
    ];
    cases.into_iter().map(|case| case.within(LONG)).collect()
}

fn list(servers: &[usize], address: impl Fn(usize) -> SocketAddr) -> String {
    let texts: Vec<String> = servers.iter().map(|it| address(*it).to_string()).collect();
    texts.join(",")
}

fn turn(servers: &[usize], enable: i32) -> Value {
    turn_in(servers, enable, Families::V4)
}

/// Options with TURN servers; `enable` −1: everything.
fn turn_in(servers: &[usize], enable: i32, families: Families) -> Value {
    let repeated = |text: &str| vec![text; servers.len()].join(",");
    json!({
        "TimeoutInitial": PATIENT_MS,
        "P2P_TURN_ServerList": list(servers, |index| Servers::turn(index, families)),
        "P2P_TURN_UserList": repeated(TURN_USER),
        "P2P_TURN_PassList": repeated(TURN_PASSWORD),
        "P2P_Transport_ICE_Enable": if enable == -1 { 0x7fff_ffff } else { enable },
    })
}

fn direct(meeting: &mut Meeting) -> anyhow::Result<String> {
    talk(meeting)?;
    meeting.settles_on(Route::Direct, PATIENCE)?;
    meeting.describe_routes()
}

fn relayed(meeting: &mut Meeting) -> anyhow::Result<String> {
    talk(meeting)?;
    meeting.settles_on(Route::Relayed, PATIENCE)?;
    meeting.describe_routes()
}
