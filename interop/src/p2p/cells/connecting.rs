//! How connections come about.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{ACCEPTOR, Case, Place, TOLERATED_LOSS, Where, everything, talk};
use crate::{
    lab::Families,
    p2p::{meeting::Meeting, post::Weather},
};

/// The acceptor's virtual port where there is one.
const PORT: i32 = 7;
/// Rounds of symmetric meetings: connection ids, which decide who is who, are random.
const ROUNDS: i32 = 3;

pub(super) fn cases() -> Vec<Case> {
    let symmetric = json!({"SymmetricConnect": 1});
    vec![
        Case::new("connect: IPv4", talk),
        Case::new("connect: IPv6", talk).at(Place::Public(Families::V6)),
        Case::new("connect: both families", talk).at(Place::Public(Families::Both)),
        Case::new("connect: default channel, listen socket", default_channel),
        Case::new("connect: peer's identity not given", nobody_given),
        Case::new("connect: accepted while asked", accepted_at_once),
        Case::new("connect: messages before the end of the handshake", early_messages),
        Case::new("connect: signals 30 % lost, 50 % twice, reordered", foul_weather)
            .in_weather(Weather::FOUL)
            .within(Duration::from_secs(40)),
        Case::new("symmetric: both at once", both_at_once).with(&symmetric),
        Case::new("symmetric: one after the other", one_after_the_other)
            .with(&symmetric)
            .beyond_valve(Where::Acceptor, "4002", "answers without its keys"),
        Case::new("symmetric: in foul weather", both_in_foul_weather)
            .with(&symmetric)
            .in_weather(Weather::FOUL)
            .within(Duration::from_secs(40)),
    ]
}

/// `ConnectP2P` with a channel that the library asks for, to a listen socket.
fn default_channel(meeting: &mut Meeting) -> anyhow::Result<String> {
    let listen = meeting.acceptor.peer.ok(json!({"cmd": "listen_p2p", "virtual_port": PORT}))?;
    let fields = json!({"channel": "default", "virtual_port": PORT});
    meeting.initiator.connect(ACCEPTOR, &fields)?;
    let asked = meeting.acceptor.state("connecting")?;
    ensure!(asked["listen_socket"] == listen["socket"], "not through the listen socket: {asked}");
    ensure!(asked["identity"] == super::INITIATOR, "somebody else: {asked}");
    meeting.connected()?;
    meeting.exchange(&everything(), TOLERATED_LOSS)?;
    meeting.describe_routes()
}

/// The application knows how to reach the peer, and the library who it is from the answer.
fn nobody_given(meeting: &mut Meeting) -> anyhow::Result<String> {
    let reply = meeting.initiator.peer.ok(json!({"cmd": "connect_p2p"}))?;
    meeting.initiator.connection = reply["connection"].clone();
    meeting.connected()?;
    let info = meeting.initiator.info()?;
    ensure!(info["identity"] == ACCEPTOR, "the peer is {info}");
    meeting.exchange(&everything(), TOLERATED_LOSS)?;
    meeting.describe_routes()
}

fn accepted_at_once(meeting: &mut Meeting) -> anyhow::Result<String> {
    meeting.acceptor.peer.ok(json!({"cmd": "on_request", "mode": "accept"}))?;
    meeting.acceptor.peer.ok(json!({"cmd": "auto_accept", "mode": "ignore"}))?;
    talk(meeting)
}

/// What is sent reliably before there is anybody to send it to arrives.
fn early_messages(meeting: &mut Meeting) -> anyhow::Result<String> {
    let plan = crate::runs::Plan::new(&[crate::runs::Run::reliable(&[1, 300, 3000], 20)]);
    meeting.acceptor.expect(&plan)?;
    meeting.dial()?;
    meeting.initiator.send(&plan)?;
    meeting.connected()?;
    let reports = meeting.acceptor.arrived(&plan)?;
    crate::verify::check("the acceptor", &reports, 0.0)?;
    meeting.describe_routes()
}

fn foul_weather(meeting: &mut Meeting) -> anyhow::Result<String> {
    let route = talk(meeting)?;
    // The other way round the same again, with all that is left under way of the first time.
    meeting.initiator.close(1100, "once more", false)?;
    meeting.acceptor.ends("closed_by_peer", 1100, "once more")?;
    meeting.acceptor.close(0, "", false)?;
    meeting.dial()?;
    meeting.connected()?;
    meeting.exchange(&everything(), TOLERATED_LOSS)?;
    let (lost, doubled) = meeting.post.tally.harmed();
    ensure!(lost + doubled > 0, "the weather was fair");
    Ok(format!("{route}, {}", meeting.post.tally.figures()))
}

fn listen_on_both(meeting: &mut Meeting) -> anyhow::Result<()> {
    for side in [&mut meeting.initiator, &mut meeting.acceptor] {
        // Whoever is asked before he asks himself must not accept: his asking does.
        side.peer.ok(json!({"cmd": "auto_accept", "mode": "ignore"}))?;
        let options = json!({"SymmetricConnect": 1});
        side.peer.ok(json!({"cmd": "listen_p2p", "virtual_port": PORT, "options": options}))?;
    }
    Ok(())
}

/// Neither hears of the other before both have asked.
fn ask_from_both(meeting: &mut Meeting) -> anyhow::Result<()> {
    let fields = json!({"virtual_port": PORT, "options": {"SymmetricConnect": 1}});
    meeting.post.hold();
    meeting.initiator.connect(ACCEPTOR, &fields)?;
    meeting.acceptor.connect(super::INITIATOR, &fields)?;
    meeting.post.release();
    Ok(())
}

/// Both sides' connections, which must be those that they asked for.
fn connected_as_asked(meeting: &mut Meeting) -> anyhow::Result<()> {
    for side in [&mut meeting.initiator, &mut meeting.acceptor] {
        let event = side.state("connected")?;
        ensure!(event["connection"] == side.connection, "another connection: {event}");
    }
    Ok(())
}

fn part(meeting: &mut Meeting, reason: i32) -> anyhow::Result<()> {
    meeting.initiator.close(reason, "next", false)?;
    meeting.acceptor.ends("closed_by_peer", reason, "next")?;
    meeting.acceptor.close(0, "", false)
}

fn both_at_once(meeting: &mut Meeting) -> anyhow::Result<String> {
    listen_on_both(meeting)?;
    let mut route = String::new();
    for round in 0..ROUNDS {
        ask_from_both(meeting)?;
        connected_as_asked(meeting)?;
        meeting.exchange(&everything(), TOLERATED_LOSS)?;
        route = meeting.describe_routes()?;
        part(meeting, 1200 + round)?;
    }
    Ok(route)
}

fn both_in_foul_weather(meeting: &mut Meeting) -> anyhow::Result<String> {
    listen_on_both(meeting)?;
    ask_from_both(meeting)?;
    connected_as_asked(meeting)?;
    meeting.exchange(&everything(), TOLERATED_LOSS)?;
    Ok(format!("{}, {}", meeting.describe_routes()?, meeting.post.tally.figures()))
}

/// Who connects to somebody who has asked already accepts.
fn one_after_the_other(meeting: &mut Meeting) -> anyhow::Result<String> {
    listen_on_both(meeting)?;
    let fields = json!({"virtual_port": PORT, "options": {"SymmetricConnect": 1}});
    meeting.initiator.connect(ACCEPTOR, &fields)?;
    let asked = meeting.acceptor.state("connecting")?;
    meeting.acceptor.connection = Value::Null;
    meeting.acceptor.connect(super::INITIATOR, &fields)?;
    let same = meeting.acceptor.connection == asked["connection"];
    ensure!(same, "a second connection: {asked} and {}", meeting.acceptor.connection);
    connected_as_asked(meeting)?;
    meeting.exchange(&everything(), TOLERATED_LOSS)?;
    meeting.describe_routes()
}
