//! How routes are found.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Case, Place, talk, with_stun};
use crate::{
    lab::{Families, Servers, TURN_PASSWORD, TURN_USER},
    p2p::meeting::{Meeting, Route},
};

/// `P2P_Transport_ICE_Enable`: relayed candidates only.
const RELAY_ONLY: i32 = 1;
/// The same: public addresses only, which those behind routers must learn from a server.
const PUBLIC_ONLY: i32 = 4;
/// Time for the two sides to agree on the best route.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn cases() -> Vec<Case> {
    let stun = with_stun();
    let behind = Place::BehindRouters;
    let relay_only = turn(&[0], RELAY_ONLY);
    let everything = json!({});
    let v6_relay = turn_in(&[0], RELAY_ONLY, Families::V6);
    vec![
        Case::new("STUN: both behind routers", direct).with(&stun).at(behind),
        Case::new("STUN: the first server of two is dead", direct)
            .with(&json!({"P2P_STUN_ServerList": addresses(&[2, 0], Families::V4)}))
            .at(behind),
        Case::new("STUN: public candidates only", direct)
            .with(&stun)
            .with(&json!({"P2P_Transport_ICE_Enable": PUBLIC_ONLY}))
            .at(behind),
        Case::new("TURN: only relayed candidates", relayed).with(&relay_only),
        Case::new("TURN: both behind routers", relayed).with(&relay_only).at(behind),
        Case::new("TURN: relayed on the initiator's side only", one_side_relayed)
            .with_each([&relay_only, &everything]),
        Case::new("TURN: relayed on the acceptor's side only", one_side_relayed)
            .with_each([&everything, &relay_only]),
        Case::new("TURN: two servers", relayed).with(&turn(&[0, 1], RELAY_ONLY)),
        Case::new("TURN: a server each", relayed)
            .with_each([&turn(&[0], RELAY_ONLY), &turn(&[1], RELAY_ONLY)]),
        Case::new("TURN: the first server of two is dead", relayed)
            .with(&turn(&[2, 1], RELAY_ONLY)),
        Case::new("TURN: IPv6", relayed).with(&v6_relay).at(Place::Public(Families::V6)),
        Case::new("TURN: the direct route wins", direct).with(&turn(&[0], -1)).with(&stun),
    ]
}

fn addresses(servers: &[usize], families: Families) -> String {
    let address = |index: &usize| Servers::address(*index, families).to_string();
    servers.iter().map(address).collect::<Vec<_>>().join(",")
}

fn turn(servers: &[usize], enable: i32) -> Value {
    turn_in(servers, enable, Families::V4)
}

/// Options with TURN servers; `enable` −1: everything.
fn turn_in(servers: &[usize], enable: i32, families: Families) -> Value {
    let list = |text: &str| vec![text; servers.len()].join(",");
    json!({
        "P2P_TURN_ServerList": addresses(servers, families),
        "P2P_TURN_UserList": list(TURN_USER),
        "P2P_TURN_PassList": list(TURN_PASSWORD),
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

/// Both know that something is between them.
fn one_side_relayed(meeting: &mut Meeting) -> anyhow::Result<String> {
    let shown = talk(meeting)?;
    let routes = meeting.routes()?;
    ensure!(routes.contains(&Route::Relayed), "nobody relays: {shown}");
    Ok(shown)
}
