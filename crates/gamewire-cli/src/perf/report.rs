//! The result, for people and for programs.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

use super::control::{Mode, Plan, Tally};
use crate::{quantiles::Quantiles, units};

/// What was measured on one connection, or on several together.
#[derive(Debug)]
pub(super) struct Measured {
    messages: u64,
    bytes: u64,
    lost_messages: u64,
    elapsed: Duration,
    bytes_per_s: f64,
    messages_per_s: f64,
    server_cpu_seconds: Option<f64>,
    rtt: Quantiles,
}

impl Measured {
    /// What a receiver counted, of what was sent.
    pub(super) fn new(tally: Tally, sent_messages: u64, rtt: Quantiles) -> Self {
        // A single message takes no time: a rate cannot be told then.
        let seconds = tally.elapsed.as_secs_f64();
        let rate = |count: u64| {
            if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
        };
        Self {
            messages: tally.messages,
            bytes: tally.bytes,
            lost_messages: sent_messages.saturating_sub(tally.messages),
            elapsed: tally.elapsed,
            bytes_per_s: rate(tally.bytes),
            messages_per_s: rate(tally.messages),
            server_cpu_seconds: tally.cpu_seconds,
            rtt,
        }
    }

    /// Both together, at the same time.
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.lost_messages += other.lost_messages;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.bytes_per_s += other.bytes_per_s;
        self.messages_per_s += other.messages_per_s;
        // Each connection tells of the whole process.
        self.server_cpu_seconds = match (self.server_cpu_seconds, other.server_cpu_seconds) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        self.rtt.merge(&other.rtt);
        self
    }
}

/// Everything that is reported.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) plan: Plan,
    pub(super) parallel: u16,
    pub(super) encrypted: bool,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) measured: Measured,
}

impl Report {
    /// One object; `null` where there is nothing to tell.
    pub(super) fn to_json(&self) -> Value {
        let (plan, measured) = (&self.plan, &self.measured);
        json!({
            "mode": plan.mode.name(),
            "reliable": plan.reliable,
            "encrypted": self.encrypted,
            "size": plan.size,
            "lanes": plan.lanes,
            "parallel": self.parallel,
            "rate": plan.rate,
            "duration_s": plan.duration.as_secs_f64(),
            "elapsed_s": measured.elapsed.as_secs_f64(),
            "messages": measured.messages,
            "bytes": measured.bytes,
            "bytes_per_s": measured.bytes_per_s,
            "messages_per_s": measured.messages_per_s,
            "lost_messages": measured.lost_messages,
            "cpu_seconds": self.cpu_seconds,
            "server_cpu_seconds": measured.server_cpu_seconds,
            "rtt_us": measured.rtt.to_json(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, measured) = (&self.plan, &self.measured);
        let kind = if plan.reliable { "reliable" } else { "unreliable" };
        writeln!(
            f,
            "{} {kind} messages of {} bytes in {} ({})",
            measured.messages,
            plan.size,
            units::duration(measured.elapsed),
            plan.mode.name()
        )?;
        writeln!(
            f,
            "rate        {}/s, {:.0} messages/s",
            units::bytes(measured.bytes_per_s),
            measured.messages_per_s
        )?;
        writeln!(f, "lost        {} messages", measured.lost_messages)?;
        let cpu = |seconds: Option<f64>| {
            seconds.map_or_else(|| "unknown".to_owned(), |seconds| format!("{seconds:.2} s"))
        };
        writeln!(
            f,
            "processor   {} here, {} at the server",
            cpu(self.cpu_seconds),
            cpu(measured.server_cpu_seconds)
        )?;
        let rtt = |share| {
            let micros: Option<u64> = measured.rtt.at(share);
            micros.map_or_else(
                || "–".to_owned(),
                |micros| units::duration(Duration::from_micros(micros)),
            )
        };
        let note = match plan.mode {
            Mode::PingPong => "",
            Mode::Forward | Mode::Reverse => ", queues under load included",
        };
        write!(f, "round trip  p50 {}, p99 {}, p99.9 {}{note}", rtt(0.5), rtt(0.99), rtt(0.999))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        let mut rtt = Quantiles::default();
        rtt.add(150);
        let tally = Tally {
            messages: 90,
            bytes: 9000,
            elapsed: Duration::from_secs(3),
            cpu_seconds: Some(0.5),
        };
        Measured::new(tally, 100, rtt)
    }

    fn report(measured: Measured) -> Report {
        let plan = Plan {
            mode: Mode::Forward,
            reliable: false,
            size: 100,
            lanes: 1,
            rate: 0,
            duration: Duration::from_secs(3),
        };
        Report { plan, parallel: 1, encrypted: true, cpu_seconds: None, measured }
    }

    #[test]
    fn rates_are_the_receivers() {
        let json = report(measured()).to_json();
        assert_eq!(json["bytes_per_s"], 3000.0);
        assert_eq!(json["messages_per_s"], 30.0);
        assert_eq!(json["lost_messages"], 10);
        assert_eq!(json["cpu_seconds"], Value::Null);
        assert_eq!(json["server_cpu_seconds"], 0.5);
        assert_eq!(json["rtt_us"]["p99"], 150);
    }

    #[test]
    fn connections_add_up() {
        let json = report(measured().and(&measured())).to_json();
        assert_eq!(json["bytes_per_s"], 6000.0);
        assert_eq!(json["elapsed_s"], 3.0);
        assert_eq!(json["lost_messages"], 20);
        assert_eq!(json["server_cpu_seconds"], 0.5);
    }

    #[test]
    fn people_read_the_same() {
        let text = report(measured()).to_string();
        for expected in ["90 unreliable", "3.0 kB/s", "30 messages/s", "lost        10", "150 µs"]
        {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[test]
    fn nothing_measured_is_no_rate() {
        let json = report(Measured::new(Tally::default(), 5, Quantiles::default())).to_json();
        assert_eq!(json["bytes_per_s"], 0.0);
        assert_eq!(json["rtt_us"]["p50"], Value::Null);
    }
}
