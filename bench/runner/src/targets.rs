//! What we want to reach, as ratios between peers in one run.

use crate::results::Results;

/// How two figures must relate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Relation {
    /// Ours at least so many times the other's.
    AtLeast(f64),
    /// Ours at most so many times the other's.
    AtMost(f64),
}

/// One row.
#[derive(Debug)]
pub(crate) struct Target {
    /// Which of our peers.
    pub(crate) ours: &'static str,
    pub(crate) case: &'static str,
    pub(crate) figure: &'static str,
    pub(crate) relation: Relation,
    /// Compared with whom; the best of several.
    pub(crate) others: &'static [&'static str],
}

/// What came of a target.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) ratio: f64,
    pub(crate) other: &'static str,
}

const fn at_least(
    ratio: f64,
    case: &'static str,
    figure: &'static str,
    others: &'static [&'static str],
) -> Target {
    Target { ours: "gamewire", case, figure, relation: Relation::AtLeast(ratio), others }
}

const fn at_most(
    ratio: f64,
    case: &'static str,
    figure: &'static str,
    others: &'static [&'static str],
) -> Target {
    Target { ours: "gamewire", case, figure, relation: Relation::AtMost(ratio), others }
}

const BULK: &str = "w1.bulk_reliable";
const SMALL_RELIABLE: &str = "w2.small_reliable";
const SMALL_UNRELIABLE: &str = "w2.small_unreliable";
const ECHO: &str = "w4.echo";

/// All rows. They are those of the issue that asked for the bench.
pub(crate) const TARGETS: &[Target] = &[
    at_least(20.0, BULK, "bytes_per_s", &["valve"]),
    at_least(1.25, BULK, "bytes_per_s", &["quinn"]),
    at_least(0.5, BULK, "bytes_per_s", &["raw_gso"]),
    Target { ours: "gamewire_large", ..at_least(0.8, BULK, "bytes_per_s", &["raw_gso_large"]) },
    at_most(0.25, BULK, "sender_cpu_s_per_gb", &["valve"]),
    at_most(0.25, BULK, "receiver_cpu_s_per_gb", &["valve"]),
    at_most(1.0, BULK, "sender_cpu_s_per_gb", &["quinn"]),
    at_most(1.0, BULK, "receiver_cpu_s_per_gb", &["quinn"]),
    at_least(9.0, SMALL_RELIABLE, "messages_per_s", &["valve"]),
    at_least(1.0, SMALL_RELIABLE, "messages_per_s", &["enet"]),
    at_least(1.0, SMALL_RELIABLE, "messages_per_s", &["quinn"]),
    at_least(8.0, SMALL_UNRELIABLE, "messages_per_s", &["valve"]),
    at_least(1.0, SMALL_UNRELIABLE, "messages_per_s", &["quinn"]),
    at_most(1.0, "w3.ping_reliable", "p50_us", &["quinn", "valve"]),
    at_most(1.0, "w3.ping_reliable", "p99_us", &["quinn", "valve"]),
    at_most(1.3, "w3.ping_reliable", "p50_us", &["enet"]),
    at_most(1.3, "w3.ping_reliable", "p99_us", &["enet"]),
    at_most(1.0, "w3.ping_unreliable", "p50_us", &["quinn", "valve"]),
    at_most(1.0, "w3.ping_unreliable", "p99_us", &["quinn", "valve"]),
    at_most(1.3, "w3.ping_unreliable", "p50_us", &["enet"]),
    at_most(1.3, "w3.ping_unreliable", "p99_us", &["enet"]),
    at_most(0.5, ECHO, "receiver_cpu_share", &["valve"]),
    at_least(3.0, ECHO, "handshakes_per_s", &["valve"]),
    at_least(1.0, "w5.bulk_open", "bytes_per_s", &["quinn_bbr"]),
];

/// A bound that is no ratio: case, figure, what it must be, in words and as a test.
pub(crate) struct Bound {
    pub(crate) case: &'static str,
    pub(crate) figure: &'static str,
    pub(crate) relation: Relation,
}

/// Bounds in the units of the figures.
pub(crate) const BOUNDS: &[Bound] = &[
    Bound { case: SMALL_UNRELIABLE, figure: "lost_messages", relation: Relation::AtMost(0.001) },
    Bound { case: ECHO, figure: "bytes_per_connection", relation: Relation::AtMost(8192.0) },
    // 95 % of 20 Mbit/s.
    Bound {
        case: "w5.bulk_limited",
        figure: "bytes_per_s",
        relation: Relation::AtLeast(2_375_000.0),
    },
    Bound { case: "w5.paced", figure: "p99_us", relation: Relation::AtMost(60_000.0) },
];

impl Relation {
    /// Whether a value is within it.
    pub(crate) fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    /// By which share a value misses it; 0 if it does not.
    pub(crate) fn missed_by(self, value: f64) -> f64 {
        match self {
            _ if self.holds(value) => 0.0,
            Self::AtLeast(bound) => 1.0 - value / bound,
            Self::AtMost(bound) => value / bound - 1.0,
        }
    }
}

impl Target {
    /// Ours beside the other's; nothing where one of them is not there.
    pub(crate) fn verdict(&self, results: &Results) -> Option<Verdict> {
        let ours = results.median(self.case, self.ours, self.figure)?;
        let verdict = |other: &'static str| {
            let ratio = ours / results.median(self.case, other, self.figure)?;
            Some(Verdict { ratio, other })
        };
        // The strictest counts.
        let found = self.others.iter().filter_map(|other| verdict(other));
        match self.relation {
            Relation::AtLeast(_) => found.min_by(|a, b| a.ratio.total_cmp(&b.ratio)),
            Relation::AtMost(_) => found.max_by(|a, b| a.ratio.total_cmp(&b.ratio)),
        }
    }
}
