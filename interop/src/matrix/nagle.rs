//! Nagle's wait, going without it, and ending it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use gamewire::SendFlags;
use serde_json::json;

use crate::{
    cell::Case,
    content,
    ours::Setting,
    stage::{Setup, Stage},
};

/// The longest that both libraries allow, 20 ms.
const LONG_NAGLE: [Setting; 1] = [("NagleTime", 20_000)];
/// A message that waits comes back no sooner; a millisecond is for the two clocks.
const WAITED: Duration = Duration::from_millis(19);
/// A message that does not wait comes back sooner, at least once in so many tries.
const AT_ONCE: Duration = Duration::from_millis(15);
const TRIES: u8 = 20;
/// Small messages that share a packet.
const COMPANY: u8 = 10;

/// How a message is sent, and whether it waits for company.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Waits,
    NoNagle,
    Flushed,
    NoDelay,
}

impl Sending {
    fn flags(self) -> SendFlags {
        match self {
            Self::Waits | Self::Flushed => SendFlags::RELIABLE,
            Self::NoNagle => SendFlags::RELIABLE_NO_NAGLE,
            Self::NoDelay => SendFlags::UNRELIABLE_NO_DELAY,
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let kinds = [
        ("Nagle holds a small message", Sending::Waits),
        ("NoNagle does not wait", Sending::NoNagle),
        ("flush ends the wait", Sending::Flushed),
        ("NoDelay does not wait", Sending::NoDelay),
    ];
    let setup = || Setup::with_options(&LONG_NAGLE);
    let mut cases = Vec::new();
    for (name, sending) in kinds {
        let ours = move |stage: &mut Stage| round_trips(stage, sending, from_us);
        let valve = move |stage: &mut Stage| round_trips(stage, sending, from_valve);
        cases.push(Case::new(format!("nagle: {name}, our sender"), setup(), ours).alone());
        cases.push(Case::new(format!("nagle: {name}, Valve's sender"), setup(), valve).alone());
    }
    let shared = "nagle: small messages share a packet";
    cases.push(Case::new(format!("{shared}, our sender"), setup(), our_company).alone());
    cases.push(Case::new(format!("{shared}, Valve's sender"), setup(), valve_company).alone());
    cases
}

fn round_trips(
    stage: &mut Stage,
    sending: Sending,
    one: fn(&mut Stage, Sending, u8) -> anyhow::Result<Duration>,
) -> anyhow::Result<String> {
    stage.connect()?;
    stage.valve.ok(json!({"cmd": "receive_mode", "mode": "report"}))?;
    let mut fastest = Duration::MAX;
    for attempt in 0..TRIES {
        fastest = fastest.min(one(stage, sending, attempt)?);
    }
    let verdict = format!("fastest of {TRIES}: {:.1} ms", fastest.as_secs_f64() * 1e3);
    match sending {
        Sending::Waits => ensure!(fastest >= WAITED, "did not wait: {verdict}"),
        Sending::NoNagle | Sending::Flushed | Sending::NoDelay => {
            ensure!(fastest < AT_ONCE, "waited: {verdict}");
        }
    }
    Ok(verdict)
}

/// One message from us, until Valve's side reports it.
fn from_us(stage: &mut Stage, sending: Sending, attempt: u8) -> anyhow::Result<Duration> {
    let start = Instant::now();
    stage.ours.send_bytes(&[attempt], sending.flags())?;
    if sending == Sending::Flushed {
        stage.ours.sockets.flush_messages(stage.ours.handle()?)?;
    }
    let message = stage.valve.named("message")?;
    let elapsed = start.elapsed();
    ensure!(message["head"] == content::to_hex(&[attempt]), "another message: {message}");
    Ok(elapsed)
}

/// One message from Valve, until we have it.
fn from_valve(stage: &mut Stage, sending: Sending, attempt: u8) -> anyhow::Result<Duration> {
    let start = Instant::now();
    stage.valve.ok(json!({
        "cmd": "send_hex", "connection": stage.valve_connection,
        "data": content::to_hex(&[attempt]), "flags": sending.flags().bits(),
    }))?;
    if sending == Sending::Flushed {
        // The library must have the message before it can flush it.
        stage.valve.named("sent")?;
        stage.valve.ok(json!({"cmd": "flush", "connection": stage.valve_connection}))?;
    }
    let messages = stage.ours.messages()?;
    let elapsed = start.elapsed();
    let payloads: Vec<&[u8]> = messages.iter().map(|message| &message.payload[..]).collect();
    ensure!(payloads == [[attempt]], "other messages: {payloads:?}");
    Ok(elapsed)
}

fn our_company(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    for number in 0..COMPANY {
        stage.ours.send_bytes(&[number], SendFlags::RELIABLE)?;
    }
    let mut received = Vec::new();
    for number in 0..COMPANY {
        let message = stage.valve.named("message")?;
        ensure!(message["head"] == content::to_hex(&[number]), "out of order: {message}");
        received.push(message["received_us"].as_i64().context("a time")?);
    }
    check_company(&received)
}

fn valve_company(stage: &mut Stage) -> anyhow::Result<String> {
    stage.connect()?;
    stage.valve.ok(json!({
        "cmd": "send", "connection": stage.valve_connection, "size": 1, "count": COMPANY,
    }))?;
    let mut received = Vec::new();
    while received.len() < usize::from(COMPANY) {
        for message in stage.ours.messages()? {
            let index = content::index_of(&message.payload, received.len() as u64);
            ensure!(index == received.len() as u64, "out of order: {message:?}");
            received.push(i64::try_from(message.received.as_micros())?);
        }
    }
    check_company(&received)
}

/// What came in one packet was received in one moment.
fn check_company(received_us: &[i64]) -> anyhow::Result<String> {
    let moments: std::collections::BTreeSet<&i64> = received_us.iter().collect();
    let packets = moments.len();
    ensure!(packets == 1, "{COMPANY} small messages came in {packets} packets");
    Ok(format!("{COMPANY} messages in 1 packet"))
}
