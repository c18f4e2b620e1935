//! Statistics as plain data, for the API and for the wire.

use std::time::Duration;

use crate::Time;

use super::histograms::{JitterHistogram, PingHistogram, QualityHistogram};

/// Statistics of the last seconds, of one end of a link.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct InstantaneousStats {
    /// Packets sent per second.
    pub out_packets_per_s: f32,
    /// Bytes sent per second.
    pub out_bytes_per_s: f32,
    /// Packets received per second.
    pub in_packets_per_s: f32,
    /// Bytes received per second.
    pub in_bytes_per_s: f32,
    /// Smoothed ping.
    pub ping_ms: Option<u32>,
    /// Share of the packets expected from the other end that did not arrive, 0 to 1.
    pub dropped_fraction: Option<f32>,
    /// Share that arrived out of order, twice, or after a leap of the numbers, 0 to 1.
    pub weird_sequence_fraction: Option<f32>,
    /// Largest jitter.
    pub peak_jitter_us: Option<u32>,
}

impl InstantaneousStats {
    /// Share that arrived in sequence, 0 to 1.
    pub fn quality(&self) -> Option<f32> {
        let bad = self.dropped_fraction? + self.weird_sequence_fraction.unwrap_or(0.0);
        Some((1.0 - bad).clamp(0.0, 1.0))
    }
}

/// Packets received, by their place in the sequence of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SequenceTotals {
    /// All that bore a number, whatever else is said of them.
    pub received: u64,
    /// Numbers that were skipped and did not come later.
    pub dropped: u64,
    /// Came after a packet with a higher number.
    pub out_of_order: u64,
    /// Came early and were put in place.
    pub out_of_order_corrected: u64,
    /// Came again.
    pub duplicate: u64,
    /// Any other leap of the numbers, such as by 100 or more.
    pub lurch: u64,
}

/// Distribution of quality over intervals of 5 s.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QualityStats {
    /// Intervals by quality.
    pub histogram: QualityHistogram,
    /// 2 % of the intervals were no better than this; likewise below.
    pub ntile_2nd_pct: Option<u32>,
    /// 5th percentile.
    pub ntile_5th_pct: Option<u32>,
    /// 25th percentile.
    pub ntile_25th_pct: Option<u32>,
    /// Median.
    pub ntile_50th_pct: Option<u32>,
}

/// Distribution of ping samples.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PingStats {
    /// Samples by range.
    pub histogram: PingHistogram,
    /// 5 % of the samples were no slower than this; likewise below.
    pub ntile_5th_ms: Option<u32>,
    /// Median.
    pub ntile_50th_ms: Option<u32>,
    /// 75th percentile.
    pub ntile_75th_ms: Option<u32>,
    /// 95th percentile.
    pub ntile_95th_ms: Option<u32>,
    /// 98th percentile.
    pub ntile_98th_ms: Option<u32>,
}

/// Distribution of jitter samples.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JitterStats {
    /// Samples by range.
    pub histogram: JitterHistogram,
}

/// Statistics since the connection was made, of one end of a link.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LifetimeStats {
    /// Age of the connection.
    pub connected_s: Option<u32>,
    /// Packets sent.
    pub packets_sent: u64,
    /// Bytes sent; a peer reports whole KiB.
    pub bytes_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Bytes received; a peer reports whole KiB.
    pub bytes_received: u64,
    /// Packets received, by sequence.
    pub sequence: SequenceTotals,
    /// Distribution of quality.
    pub quality: QualityStats,
    /// Distribution of ping.
    pub ping: PingStats,
    /// Distribution of jitter.
    pub jitter: JitterStats,
}

/// Ping of the recent past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PingSummary {
    /// Mean of up to three recent samples.
    pub smoothed: Duration,
    /// Quickest of them.
    pub best_recent: Duration,
    /// Slowest of them.
    pub worst_recent: Duration,
    /// Quickest ever.
    pub min: Duration,
}

/// What the peer reported, and when it came.
#[derive(Clone, PartialEq, Debug)]
pub struct Reported<T> {
    /// Arrival.
    pub received_at: Time,
    /// The report; not authenticated, for display only.
    pub stats: T,
}

/// All statistics of a link.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkSnapshot {
    /// The last seconds, seen from here.
    pub local_instantaneous: InstantaneousStats,
    /// The whole time, seen from here.
    pub local_lifetime: LifetimeStats,
    /// The peer's last report of its last seconds.
    pub remote_instantaneous: Option<Reported<InstantaneousStats>>,
    /// The peer's last report of the whole time.
    pub remote_lifetime: Option<Reported<LifetimeStats>>,
    /// Share of the peer's packets that arrived in sequence, 0 to 1.
    pub quality_local: Option<f32>,
    /// Share of our packets that arrived in sequence, as the peer sees it, 0 to 1.
    pub quality_remote: Option<f32>,
    /// Ping, once measured.
    pub ping: Option<PingSummary>,
    /// Time since the peer was last heard.
    pub last_received_us_ago: u64,
    /// Replies in a row that did not come.
    pub reply_timeouts: u32,
}

/// The link's part of `SteamNetConnectionRealTimeStatus_t` (api.md §3.7); `None` stands for its −1.
#[derive(Clone, PartialEq, Debug)]
pub struct RealTimeLink {
    /// Smoothed ping.
    pub ping_ms: Option<u32>,
    /// Share of the peer's packets that arrived in sequence, 0 to 1.
    pub quality_local: Option<f32>,
    /// The same of our packets, as the peer sees it.
    pub quality_remote: Option<f32>,
    /// Packets sent per second.
    pub out_packets_per_s: f32,
    /// Bytes sent per second.
    pub out_bytes_per_s: f32,
    /// Packets received per second.
    pub in_packets_per_s: f32,
    /// Bytes received per second.
    pub in_bytes_per_s: f32,
    /// Largest jitter since the last time this was read.
    pub max_jitter_us: Option<u32>,
}
