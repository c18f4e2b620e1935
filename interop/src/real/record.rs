//! What a party saw, as one line of JSON.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use serde_json::{Value, json};

/// Bytes are counted in bins of this length.
pub const BIN_MS: u64 = 50;

/// The wall clock, which both processes share, in microseconds.
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Bytes by the time of their arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrivals(BTreeMap<u64, u64>);

impl Arrivals {
    /// Some arrived now.
    pub fn add(&mut self, bytes: usize) {
        *self.0.entry(now_us() / 1_000 / BIN_MS).or_default() += bytes as u64;
    }

    /// When the first arrived, in milliseconds.
    pub fn start_ms(&self) -> Option<u64> {
        self.0.keys().next().map(|bin| bin * BIN_MS)
    }

    /// Bytes per second from one moment of the clock to another, in milliseconds.
    pub fn rate(&self, from_ms: u64, to_ms: u64) -> f64 {
        let bins = from_ms.div_ceil(BIN_MS)..to_ms / BIN_MS;
        let seconds = (bins.end.saturating_sub(bins.start) * BIN_MS) as f64 / 1e3;
        if seconds > 0.0 {
            self.0.range(bins).map(|(_, n)| *n).sum::<u64>() as f64 / seconds
        } else {
            0.0
        }
    }

    /// When, after the first, the rate of four bins first was at least this, in milliseconds.
    pub fn reached_ms(&self, rate: f64) -> Option<u64> {
        let start = self.start_ms()?;
        let last = self.0.keys().last()? * BIN_MS;
        let reaches = |end: &u64| self.rate(end - 4 * BIN_MS, *end) >= rate;
        (start + 4 * BIN_MS..=last).step_by(BIN_MS as usize).find(reaches).map(|end| end - start)
    }
}

/// What the server saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Payload of bulk messages.
    pub bulk: Arrivals,
    /// Payload of the TCP flow.
    pub tcp: Arrivals,
    /// How long urgent messages took, one way, in microseconds, sorted.
    pub urgent_us: Vec<u64>,
    /// Connections that ended for another reason than that the client closed them.
    pub broken: Vec<String>,
}

impl Seen {
    /// As a line.
    pub fn to_json(&self) -> String {
        json!({
            "bulk": self.bulk.0.iter().collect::<Vec<_>>(),
            "tcp": self.tcp.0.iter().collect::<Vec<_>>(),
            "urgent_us": self.urgent_us,
            "broken": self.broken,
        })
        .to_string()
    }

    /// From such a line.
    ///
    /// # Errors
    /// It is none.
    pub fn from_json(line: &str) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_str(line)?;
        let list =
            |name: &str| value[name].as_array().with_context(|| format!("no {name}: {line}"));
        let arrivals = |name: &str| {
            let pair = |pair: &Value| Some((pair[0].as_u64()?, pair[1].as_u64()?));
            anyhow::Ok(Arrivals(list(name)?.iter().filter_map(pair).collect()))
        };
        let mut urgent_us: Vec<u64> = list("urgent_us")?.iter().filter_map(Value::as_u64).collect();
        urgent_us.sort_unstable();
        let broken = list("broken")?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { bulk: arrivals("bulk")?, tcp: arrivals("tcp")?, urgent_us, broken })
    }

    /// A percentile of how long urgent messages took, in milliseconds.
    pub fn urgent_ms(&self, percentile: usize) -> f64 {
        let index = (self.urgent_us.len() * percentile / 100).min(self.urgent_us.len().max(1) - 1);
        self.urgent_us.get(index).map_or(f64::INFINITY, |us| *us as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_survives_its_line() {
        let mut seen = Seen { urgent_us: vec![1_000, 2_000, 90_000], ..Seen::default() };
        seen.bulk.add(100);
        seen.broken.push("because".to_owned());
        let again = Seen::from_json(&seen.to_json()).unwrap();
        assert_eq!(again, seen);
        assert!((again.urgent_ms(50) - 2.0).abs() < 1e-9);
        assert!((again.urgent_ms(99) - 90.0).abs() < 1e-9);
    }

    #[test]
    fn rates_are_of_whole_bins() {
        let bins = (100..140).map(|bin| (bin, 1_000 * (bin - 99))).collect();
        let arrivals = Arrivals(bins);
        assert_eq!(arrivals.start_ms(), Some(5_000));
        assert!((arrivals.rate(5_000, 5_100) - 30_000.0).abs() < 1e-9);
        assert_eq!(arrivals.reached_ms(50_000.0), Some(200));
        assert_eq!(arrivals.reached_ms(1e9), None);
    }
}
