//! Sessions with users: `ISteamNetworkingMessages`.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use super::{ACCEPTOR, Case, INITIATOR};
use crate::{
    content,
    p2p::{
        meeting::{Meeting, Side},
        post::Weather,
    },
};

/// `k_nSteamNetworkingSend_Reliable`, and unreliable.
const RELIABLE: i32 = 8;
const UNRELIABLE: i32 = 0;
/// `k_nSteamNetworkingSend_AutoRestartBrokenSession`.
const AUTO_RESTART: i32 = 32;
/// How long a session may take to be connected once messages have come through it.
const CONNECTED_SOON: Duration = Duration::from_secs(5);
/// The channels in use.
const CHANNELS: [i32; 3] = [0, 3, 1_000_000];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("users: a session by sending", session_by_sending),
        Case::new("users: both send at once", both_send_at_once),
        Case::new("users: channels", channels),
        Case::new("users: a large message", large_message),
        Case::new("users: answering accepts", answering_accepts),
        Case::new("users: ignored", ignored).with(&json!({"TimeoutInitial": 1500})),
        Case::new("users: closed, and opened again", closed_and_opened_again),
        Case::new("users: in foul weather", session_by_sending).in_weather(Weather::FOUL),
    ]
}

/// Messages of one seed.
#[derive(Clone, Copy)]
struct Letters {
    channel: i32,
    flags: i32,
    seed: u64,
    size: usize,
    count: u64,
}

impl Letters {
    const fn new(channel: i32, seed: u64) -> Self {
        Self { channel, flags: RELIABLE, seed, size: 300, count: 5 }
    }
}

fn read_channels(meeting: &mut Meeting) -> anyhow::Result<()> {
    for side in [&mut meeting.initiator, &mut meeting.acceptor] {
        side.peer.ok(json!({"cmd": "user_channels", "channels": CHANNELS}))?;
    }
    Ok(())
}

fn send(side: &mut Side, to: &str, letters: Letters) -> anyhow::Result<()> {
    let Letters { channel, flags, seed, size, count } = letters;
    side.peer.ok(json!({
        "cmd": "user_send", "identity": to, "channel": channel, "flags": flags, "seed": seed,
        "size": size, "count": count,
    }))?;
    Ok(())
}

/// Waits for all of them, in order.
fn get(side: &mut Side, from: &str, letters: Letters) -> anyhow::Result<()> {
    for index in 0..letters.count {
        let event = side.peer.event("a user's message", |event| {
            event["event"] == "session_failed"
                || event["event"] == "user_message" && event["channel"] == letters.channel
        })?;
        if event["event"] == "session_failed" {
            bail!("the session failed: {event}");
        }
        let payload = content::message(letters.seed, index, letters.size);
        let expected = format!("{:016x}", content::fnv64(&payload));
        ensure!(event["fnv64"] == expected.as_str(), "message {index} is another one: {event}");
        ensure!(event["identity"] == from, "from somebody else: {event}");
        if letters.flags & RELIABLE != 0 {
            ensure!(event["reliable"] == true, "not reliable: {event}");
        }
    }
    Ok(())
}

fn status(side: &mut Side, of: &str) -> anyhow::Result<Value> {
    side.peer.ok(json!({"cmd": "user_status", "identity": of}))
}

/// The route of a session. Messages may come before the side says that it is connected.
fn route(side: &mut Side, of: &str) -> anyhow::Result<String> {
    let deadline = Instant::now() + CONNECTED_SOON;
    let mut status = status(side, of)?;
    while status["info"]["state"] != "connected" {
        ensure!(Instant::now() < deadline, "the session is not connected: {status}");
        thread::sleep(Duration::from_millis(20));
        status = self::status(side, of)?;
    }
    let info = &status["info"];
    let names: Vec<&str> =
        info["flag_names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    Ok(if names.contains(&"relayed") {
        "relayed"
    } else if names.contains(&"fast") {
        "local"
    } else {
        "direct"
    }
    .to_owned())
}

fn session_by_sending(meeting: &mut Meeting) -> anyhow::Result<String> {
    read_channels(meeting)?;
    let there = Letters::new(3, 11);
    send(&mut meeting.initiator, ACCEPTOR, there)?;
    let asked = meeting.acceptor.peer.named("session_request")?;
    ensure!(asked["identity"] == INITIATOR, "somebody else asks: {asked}");
    get(&mut meeting.acceptor, INITIATOR, there)?;
    let back = Letters { flags: UNRELIABLE, count: 1, ..Letters::new(0, 12) };
    send(&mut meeting.acceptor, INITIATOR, back)?;
    get(&mut meeting.initiator, ACCEPTOR, back)?;
    route(&mut meeting.initiator, ACCEPTOR)
}

/// Neither is asked: both wanted it.
fn both_send_at_once(meeting: &mut Meeting) -> anyhow::Result<String> {
    read_channels(meeting)?;
    let (there, back) = (Letters::new(0, 21), Letters::new(3, 22));
    send(&mut meeting.initiator, ACCEPTOR, there)?;
    send(&mut meeting.acceptor, INITIATOR, back)?;
    get(&mut meeting.acceptor, INITIATOR, there)?;
    get(&mut meeting.initiator, ACCEPTOR, back)?;
    route(&mut meeting.acceptor, INITIATOR)
}

fn channels(meeting: &mut Meeting) -> anyhow::Result<String> {
    read_channels(meeting)?;
    let each = |index: usize| Letters::new(CHANNELS[index], 30 + index as u64);
    for index in 0..CHANNELS.len() {
        send(&mut meeting.initiator, ACCEPTOR, each(index))?;
    }
    for index in (0..CHANNELS.len()).rev() {
        get(&mut meeting.acceptor, INITIATOR, each(index))?;
    }
    // A channel closed is a session closed only with the last one.
    let close = |channel: i32| json!({"cmd": "user_close_channel", "identity": INITIATOR, "channel": channel});
    meeting.acceptor.peer.ok(close(CHANNELS[0]))?;
    let again = Letters::new(CHANNELS[1], 40);
    send(&mut meeting.initiator, ACCEPTOR, again)?;
    get(&mut meeting.acceptor, INITIATOR, again)?;
    route(&mut meeting.acceptor, INITIATOR)
}

fn large_message(meeting: &mut Meeting) -> anyhow::Result<String> {
    read_channels(meeting)?;
    let letters = Letters { size: 200_000, count: 2, ..Letters::new(0, 50) };
    send(&mut meeting.initiator, ACCEPTOR, letters)?;
    get(&mut meeting.acceptor, INITIATOR, letters)?;
    send(&mut meeting.acceptor, INITIATOR, letters)?;
    get(&mut meeting.initiator, ACCEPTOR, letters)?;
    route(&mut meeting.initiator, ACCEPTOR)
}

/// Who sends to a user who asked needs not accept him first.
fn answering_accepts(meeting: &mut Meeting) -> anyhow::Result<String> {
    read_channels(meeting)?;
    meeting.acceptor.peer.ok(json!({"cmd": "user_on_session", "mode": "ignore"}))?;
    let (there, back) = (Letters::new(0, 61), Letters::new(3, 62));
    send(&mut meeting.initiator, ACCEPTOR, there)?;
    meeting.acceptor.peer.named("session_request")?;
    send(&mut meeting.acceptor, INITIATOR, back)?;
    get(&mut meeting.initiator, ACCEPTOR, back)?;
    get(&mut meeting.acceptor, INITIATOR, there)?;
    route(&mut meeting.acceptor, INITIATOR)
}

/// Who is never accepted hears of it.
fn ignored(meeting: &mut Meeting) -> anyhow::Result<String> {
    read_channels(meeting)?;
    meeting.acceptor.peer.ok(json!({"cmd": "user_on_session", "mode": "ignore"}))?;
    send(&mut meeting.initiator, ACCEPTOR, Letters::new(0, 70))?;
    meeting.acceptor.peer.named("session_request")?;
    let failed = meeting.initiator.peer.named("session_failed")?;
    ensure!(failed["identity"] == ACCEPTOR, "with somebody else: {failed}");
    let reason = failed["end_reason"].as_i64().unwrap_or(0);
    ensure!([5003, 5008].contains(&reason), "for another reason: {failed}");
    Ok(reason.to_string())
}

fn closed_and_opened_again(meeting: &mut Meeting) -> anyhow::Result<String> {
    read_channels(meeting)?;
    let first = Letters::new(0, 80);
    send(&mut meeting.initiator, ACCEPTOR, first)?;
    get(&mut meeting.acceptor, INITIATOR, first)?;
    meeting.acceptor.peer.named("session_request")?;
    meeting.acceptor.peer.ok(json!({"cmd": "user_close", "identity": INITIATOR}))?;
    ensure!(status(&mut meeting.acceptor, INITIATOR)?["session"] == false, "still a session");
    // Messages that the closing crosses are lost with the session: try until they open a new one.
    let again = Letters { flags: RELIABLE | AUTO_RESTART, count: 1, ..Letters::new(3, 81) };
    loop {
        send(&mut meeting.initiator, ACCEPTOR, again)?;
        thread::sleep(Duration::from_millis(100));
        let asked = meeting.acceptor.peer.take("session_request");
        if asked.is_some() {
            break;
        }
    }
    get(&mut meeting.acceptor, INITIATOR, again)?;
    route(&mut meeting.acceptor, INITIATOR)
}
