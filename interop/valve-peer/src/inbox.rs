//! What happens to messages that arrive, by receive mode; and the counters that every mode keeps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::content;
use crate::message::Message;
use crate::output::Sink;
use crate::protocol::ReceiveMode;
use crate::verify::{Arrival, Verifier};

/// Payload bytes that a `message` event shows.
const HEAD_BYTES: usize = 64;

/// Connections whose counters are kept; the lowest handle goes first.
const MAX_COUNTED_CONNECTIONS: usize = 8192;

/// A receive mode in force.
#[derive(Debug)]
enum Mode {
    Report,
    Verify(Verifier),
    Echo,
    Count,
    Hold,
}

/// What arrived on one lane with one reliability.
#[derive(Debug, Default)]
struct Counters {
    messages: u64,
    bytes: u64,
    first_us: Option<i64>,
    last_us: Option<i64>,
}

/// Received messages: mode and counters.
#[derive(Debug)]
pub(crate) struct Inbox {
    mode: Mode,
    counters: BTreeMap<u32, BTreeMap<(u16, bool), Counters>>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { mode: Mode::Report, counters: BTreeMap::new() }
    }

    pub(crate) fn set_mode(&mut self, mode: ReceiveMode) {
        self.mode = match mode {
            ReceiveMode::Report => Mode::Report,
            ReceiveMode::Verify(expectations) => Mode::Verify(Verifier::new(expectations)),
            ReceiveMode::Echo => Mode::Echo,
            ReceiveMode::Count => Mode::Count,
            ReceiveMode::Hold => Mode::Hold,
        };
    }

    /// Whether messages stay in the library.
    pub(crate) fn is_holding(&self) -> bool {
        matches!(self.mode, Mode::Hold)
    }

    /// Whether messages go back where they came from.
    pub(crate) fn is_echoing(&self) -> bool {
        matches!(self.mode, Mode::Echo)
    }

    /// What has been verified so far; `None` in another mode.
    pub(crate) fn verify_report(&self) -> Option<Value> {
        match &self.mode {
            Mode::Verify(verifier) => Some(verifier.report()),
            Mode::Report | Mode::Echo | Mode::Count | Mode::Hold => None,
        }
    }

    /// Counts a message, and reports or verifies it where the mode says so.
    pub(crate) fn take(&mut self, message: &Message, sink: &mut impl Sink) {
        self.count(message);
        match &mut self.mode {
            Mode::Report => sink.emit(message_event(message)),
            Mode::Verify(verifier) => {
                if let Some(summary) = verifier.record(Arrival::from(message)) {
                    sink.emit(json!({"event": "verified", "run": summary}));
                }
            }
            Mode::Echo | Mode::Count | Mode::Hold => {}
        }
    }

    fn count(&mut self, message: &Message) {
        let connection = message.connection();
        if !self.counters.contains_key(&connection)
            && self.counters.len() >= MAX_COUNTED_CONNECTIONS
        {
            self.counters.pop_first();
        }
        let lanes = self.counters.entry(connection).or_default();
        let counters = lanes.entry((message.lane(), message.is_reliable())).or_default();
        counters.messages += 1;
        counters.bytes += message.payload().len() as u64;
        counters.first_us.get_or_insert(message.received_us());
        counters.last_us = Some(message.received_us());
    }

    /// The counters of every connection.
    pub(crate) fn stats(&self) -> Value {
        let connections = self.counters.iter().map(|(connection, lanes)| {
            let messages: u64 = lanes.values().map(|counters| counters.messages).sum();
            let bytes: u64 = lanes.values().map(|counters| counters.bytes).sum();
            let lanes: Vec<Value> = lanes.iter().map(lane_stats).collect();
            json!({"connection": connection, "messages": messages, "bytes": bytes, "lanes": lanes})
        });
        Value::Array(connections.collect())
    }
}

fn lane_stats((&(lane, reliable), counters): (&(u16, bool), &Counters)) -> Value {
    json!({
        "lane": lane,
        "reliable": reliable,
        "messages": counters.messages,
        "bytes": counters.bytes,
        "first_us": counters.first_us,
        "last_us": counters.last_us,
    })
}

fn message_event(message: &Message) -> Value {
    let mut event = summary_of(message);
    event["event"] = "message".into();
    event["connection"] = message.connection().into();
    event["lane"] = message.lane().into();
    event
}

/// What every report of a message says.
pub(crate) fn summary_of(message: &Message) -> Value {
    let payload = message.payload();
    json!({
        "reliable": message.is_reliable(),
        "number": message.number(),
        "size": payload.len(),
        "head": content::to_hex(&payload[..payload.len().min(HEAD_BYTES)]),
        "fnv64": format!("{:016x}", content::fnv64(payload)),
        "received_us": message.received_us(),
    })
}
