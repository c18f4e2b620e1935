//! What client and server say to each other: small JSON objects as reliable messages on lane 0.
//! Everything else on the connection begins with a byte that JSON never begins with.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::MAX_SIZE;
use crate::quantiles::Quantiles;

/// First byte of a control message.
const OPENING: u8 = b'{';
/// First byte of a message that is only counted, or sent back in ping-pong.
pub(super) const DATA: u8 = 0;
/// First byte of a message that asks for an answer; the sender's clock follows.
pub(super) const PROBE: u8 = 1;
/// First byte of the answer, which repeats the rest.
pub(super) const PROBE_ANSWER: u8 = 2;

/// Says that both sides mean the same.
const VERSION: u64 = 1;
/// Longest test.
pub(super) const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);
/// Most round trips that are told to the other side.
const MAX_TOLD: usize = 4096;

/// What kind of test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// The client sends.
    Forward,
    /// The server sends.
    Reverse,
    /// The client sends, the server sends back, one message at a time.
    PingPong,
}

impl Mode {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
            Self::PingPong => "ping-pong",
        }
    }
}

/// A test, as the client wants it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Plan {
    pub(super) mode: Mode,
    pub(super) reliable: bool,
    pub(super) size: u32,
    pub(super) lanes: u16,
    /// Bytes per second; 0: no limit.
    pub(super) rate: i32,
    pub(super) duration: Duration,
}

/// A control message.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Control {
    /// Client: this is the test.
    Start(Plan),
    /// Server: go on.
    Ready,
    /// Sender: that was all.
    Done {
        /// Messages sent.
        messages: u64,
        /// Round trips under the load, in microseconds.
        rtt_us: Vec<u64>,
    },
    /// Client: the test is over.
    Finish,
    /// Server: what it counted, and what it cost.
    Result(Tally),
    /// Server: no.
    Refused(String),
}

/// What a receiver counted.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Tally {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// From the first message to the last.
    pub(super) elapsed: Duration,
    /// Processor time of the server; `None` where it cannot tell.
    pub(super) cpu_seconds: Option<f64>,
}

/// The values to tell of many: evenly spread over their order.
pub(super) fn told(quantiles: &Quantiles) -> Vec<u64> {
    let count = quantiles.len().min(MAX_TOLD as u64);
    let share = |index: u64| (index as f64 + 0.5) / count as f64;
    (0..count).filter_map(|index| quantiles.at(share(index))).collect()
}

/// Whether a message is a control message.
pub(super) fn is_control(message: &[u8]) -> bool {
    message.first() == Some(&OPENING)
}

impl Control {
    /// As a message.
    pub(super) fn encode(&self) -> Vec<u8> {
        let value = match self {
            Self::Start(plan) => json!({
                "type": "start",
                "version": VERSION,
                "mode": plan.mode.name(),
                "reliable": plan.reliable,
                "size": plan.size,
                "lanes": plan.lanes,
                "rate": plan.rate,
                "duration_us": micros(plan.duration),
            }),
            Self::Ready => json!({ "type": "ready" }),
            Self::Done { messages, rtt_us } => {
                json!({ "type": "done", "messages": messages, "rtt_us": rtt_us })
            }
            Self::Finish => json!({ "type": "finish" }),
            Self::Result(tally) => json!({
                "type": "result",
                "messages": tally.messages,
                "bytes": tally.bytes,
                "elapsed_us": micros(tally.elapsed),
                "cpu_seconds": tally.cpu_seconds,
            }),
            Self::Refused(why) => json!({ "type": "refused", "why": why }),
        };
        value.to_string().into_bytes()
    }

    /// From a message.
    ///
    /// # Errors
    /// The peer is not a `gamewire perf` of this version.
    pub(super) fn decode(message: &[u8]) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_slice(message).context("a message is no JSON")?;
        let number = |key: &str| {
            value[key].as_u64().with_context(|| format!("a message has no number `{key}`"))
        };
        Ok(match value["type"].as_str() {
            Some("start") => Self::Start(Plan::from_json(&value)?),
            Some("ready") => Self::Ready,
            Some("done") => {
                let told = value["rtt_us"].as_array().map_or(&[][..], Vec::as_slice);
                let rtt_us = told.iter().take(MAX_TOLD).filter_map(Value::as_u64).collect();
                Self::Done { messages: number("messages")?, rtt_us }
            }
            Some("finish") => Self::Finish,
            Some("result") => Self::Result(Tally {
                messages: number("messages")?,
                bytes: number("bytes")?,
                elapsed: Duration::from_micros(number("elapsed_us")?),
                cpu_seconds: value["cpu_seconds"].as_f64(),
            }),
            Some("refused") => {
                Self::Refused(value["why"].as_str().unwrap_or("for no reason").to_owned())
            }
            Some(_) | None => bail!("the peer is no `gamewire perf` of this version"),
        })
    }
}

impl Plan {
    fn from_json(value: &Value) -> anyhow::Result<Self> {
        let number = |key: &str, low: u64, high: u64| {
            let number = value[key].as_u64().filter(|number| (low..=high).contains(number));
            number.with_context(|| format!("`{key}` is not between {low} and {high}"))
        };
        number("version", VERSION, VERSION)?;
        let mode = match value["mode"].as_str() {
            Some("forward") => Mode::Forward,
            Some("reverse") => Mode::Reverse,
            Some("ping-pong") => Mode::PingPong,
            Some(_) | None => bail!("`mode` is none of forward, reverse, ping-pong"),
        };
        Ok(Self {
            mode,
            reliable: value["reliable"].as_bool().context("`reliable` is missing")?,
            size: u32::try_from(number("size", 1, MAX_SIZE.into())?)?,
            lanes: u16::try_from(number("lanes", 1, 255)?)?,
            rate: i32::try_from(number("rate", 0, i32::MAX as u64)?)?,
            duration: Duration::from_micros(number("duration_us", 1, micros(MAX_DURATION))?),
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            mode: Mode::Reverse,
            reliable: true,
            size: MAX_SIZE,
            lanes: 255,
            rate: i32::MAX,
            duration: MAX_DURATION,
        }
    }

    #[test]
    fn messages_survive_the_round_trip() {
        for control in [
            Control::Start(plan()),
            Control::Start(Plan { mode: Mode::PingPong, reliable: false, ..plan() }),
            Control::Ready,
            Control::Done { messages: u64::MAX, rtt_us: vec![1, 2] },
            Control::Finish,
            Control::Result(Tally { messages: 3, cpu_seconds: Some(0.25), ..Tally::default() }),
            Control::Result(Tally { elapsed: Duration::from_micros(7), ..Tally::default() }),
            Control::Refused("why".to_owned()),
        ] {
            let message = control.encode();
            assert!(is_control(&message));
            assert_eq!(Control::decode(&message).unwrap(), control);
        }
        for first in [DATA, PROBE, PROBE_ANSWER] {
            assert!(!is_control(&[first]));
        }
        assert!(!is_control(&[]));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "{", "{}", r#"{"type":"start"}"#, r#"{"type":"done"}"#, r#"{"type":1}"#] {
            assert!(Control::decode(text.as_bytes()).is_err(), "{text}");
        }
        let good = String::from_utf8(Control::Start(plan()).encode()).unwrap();
        for (from, to) in [
            ("\"size\":524288", "\"size\":0"),
            ("\"size\":524288", "\"size\":524289"),
            ("\"lanes\":255", "\"lanes\":256"),
            ("\"rate\":2147483647", "\"rate\":-1"),
            ("\"version\":1", "\"version\":2"),
            ("reverse", "sideways"),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert!(Control::decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn many_round_trips_are_told_by_some() {
        let mut quantiles = Quantiles::default();
        assert!(told(&quantiles).is_empty());
        (0..100_000).for_each(|micros| quantiles.add(micros));
        let told = told(&quantiles);
        assert_eq!(told.len(), MAX_TOLD);
        let middle = told[MAX_TOLD / 2];
        assert!((49_000..52_000).contains(&middle), "{middle}");
    }
}
