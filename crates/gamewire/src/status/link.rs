//! Statistics of a link, seen from both ends.

use gamewire_proto::{
    Time,
    stats::{
        InstantaneousStats, JitterHistogram, LifetimeStats, LinkSnapshot, PingHistogram,
        QualityHistogram, Reported, SequenceTotals,
    },
};

use super::text::micros;

/// What is known of a link.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LinkStatus {
    /// Mean of up to three recent round trips.
    pub ping_us: Option<u64>,
    /// Shortest round trip ever.
    pub min_ping_us: Option<u64>,
    /// Time since the peer was last heard.
    pub last_received_us_ago: u64,
    /// Replies in a row that did not come in time.
    pub reply_timeouts: u32,
    /// Share of the peer's packets that arrive in sequence, 0 to 1.
    pub quality_local: Option<f32>,
    /// Share of our packets that arrive in sequence, as the peer reports it, 0 to 1.
    pub quality_remote: Option<f32>,
    /// Seen from here.
    pub local: LinkReport,
    /// As the peer last reported it; not verified.
    pub remote: LinkReport,
}

/// Statistics from one end.
#[derive(Clone, PartialEq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LinkReport {
    /// The last seconds.
    pub recent: Option<RecentStats>,
    /// Since the connection was made.
    pub whole_time: Option<WholeTimeStats>,
    /// Age of the report about the last seconds; `None`: it is ours.
    pub recent_age_us: Option<u64>,
    /// Age of the report about the whole time; `None`: it is ours.
    pub whole_time_age_us: Option<u64>,
}

/// Statistics of the last seconds.
#[derive(Clone, PartialEq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RecentStats {
    /// Packets sent per second.
    pub out_packets_per_s: f32,
    /// Bytes sent per second.
    pub out_bytes_per_s: f32,
    /// Packets received per second.
    pub in_packets_per_s: f32,
    /// Bytes received per second.
    pub in_bytes_per_s: f32,
    /// Smoothed round-trip time.
    pub ping_ms: Option<u32>,
    /// Share of the other end's packets that did not arrive, 0 to 1.
    pub dropped_fraction: Option<f32>,
    /// Share that arrived out of order, twice, or after a leap of the numbers, 0 to 1.
    pub weird_sequence_fraction: Option<f32>,
    /// Largest jitter.
    pub peak_jitter_us: Option<u32>,
}

/// Statistics since the connection was made.
#[derive(Clone, PartialEq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct WholeTimeStats {
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
    /// Packets received, by their place in the sequence of numbers.
    pub sequence: SequenceCounts,
    /// Intervals of 5 s by quality, in percent.
    pub quality_pct: Distribution,
    /// Samples of the round trip, in milliseconds.
    pub ping_ms: Distribution,
    /// Samples of the jitter, in microseconds.
    pub jitter_us: Distribution,
}

/// Packets received, by their place in the sequence of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SequenceCounts {
    /// All.
    pub received: u64,
    /// Skipped and never seen.
    pub dropped: u64,
    /// Late.
    pub out_of_order: u64,
    /// Early, and put in place.
    pub out_of_order_corrected: u64,
    /// Again.
    pub duplicate: u64,
    /// After a leap of the numbers.
    pub lurch: u64,
}

/// How samples are distributed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Distribution {
    /// Ranges with what is in them, as text for people: `(range, samples)`.
    pub histogram: Vec<(String, u32)>,
    /// `(percent, value)`: so many percent of the samples are no larger than the value.
    pub ntiles: Vec<(u8, u32)>,
}

impl LinkStatus {
    pub(super) fn new(snapshot: LinkSnapshot, now: Time) -> Self {
        let ping = snapshot.ping.as_ref();
        Self {
            ping_us: ping.map(|ping| micros(ping.smoothed)),
            min_ping_us: ping.map(|ping| micros(ping.min)),
            last_received_us_ago: snapshot.last_received_us_ago,
            reply_timeouts: snapshot.reply_timeouts,
            quality_local: snapshot.quality_local,
            quality_remote: snapshot.quality_remote,
            local: LinkReport {
                recent: Some(snapshot.local_instantaneous.into()),
                whole_time: Some(snapshot.local_lifetime.into()),
                recent_age_us: None,
                whole_time_age_us: None,
            },
            remote: LinkReport::reported(
                snapshot.remote_instantaneous,
                snapshot.remote_lifetime,
                now,
            ),
        }
    }
}

impl LinkReport {
    fn reported(
        recent: Option<Reported<InstantaneousStats>>,
        whole_time: Option<Reported<LifetimeStats>>,
        now: Time,
    ) -> Self {
        Self {
            recent_age_us: recent.as_ref().map(|report| now.micros_since(report.received_at)),
            whole_time_age_us: whole_time
                .as_ref()
                .map(|report| now.micros_since(report.received_at)),
            recent: recent.map(|report| report.stats.into()),
            whole_time: whole_time.map(|report| report.stats.into()),
        }
    }
}

impl From<InstantaneousStats> for RecentStats {
    fn from(stats: InstantaneousStats) -> Self {
        Self {
            out_packets_per_s: stats.out_packets_per_s,
            out_bytes_per_s: stats.out_bytes_per_s,
            in_packets_per_s: stats.in_packets_per_s,
            in_bytes_per_s: stats.in_bytes_per_s,
            ping_ms: stats.ping_ms,
            dropped_fraction: stats.dropped_fraction,
            weird_sequence_fraction: stats.weird_sequence_fraction,
            peak_jitter_us: stats.peak_jitter_us,
        }
    }
}

impl From<LifetimeStats> for WholeTimeStats {
    fn from(stats: LifetimeStats) -> Self {
        let (quality, ping) = (&stats.quality, &stats.ping);
        Self {
            connected_s: stats.connected_s,
            packets_sent: stats.packets_sent,
            bytes_sent: stats.bytes_sent,
            packets_received: stats.packets_received,
            bytes_received: stats.bytes_received,
            sequence: stats.sequence.into(),
            quality_pct: Distribution::new(
                QualityHistogram::LOWER_PCT.map(|lower| format!("≥{lower}")),
                quality.histogram.counts,
                [
                    (2, quality.ntile_2nd_pct),
                    (5, quality.ntile_5th_pct),
                    (25, quality.ntile_25th_pct),
                    (50, quality.ntile_50th_pct),
                ],
            ),
            ping_ms: Distribution::new(
                ping_ranges(),
                ping.histogram.counts,
                [
                    (5, ping.ntile_5th_ms),
                    (50, ping.ntile_50th_ms),
                    (75, ping.ntile_75th_ms),
                    (95, ping.ntile_95th_ms),
                    (98, ping.ntile_98th_ms),
                ],
            ),
            jitter_us: Distribution::new(
                JitterHistogram::LOWER_US.map(|lower| format!("≥{lower}")),
                stats.jitter.histogram.counts,
                [],
            ),
        }
    }
}

impl From<SequenceTotals> for SequenceCounts {
    fn from(totals: SequenceTotals) -> Self {
        Self {
            received: totals.received,
            dropped: totals.dropped,
            out_of_order: totals.out_of_order,
            out_of_order_corrected: totals.out_of_order_corrected,
            duplicate: totals.duplicate,
            lurch: totals.lurch,
        }
    }
}

impl Distribution {
    fn new<const N: usize, const M: usize>(
        ranges: [String; N],
        counts: [u32; N],
        ntiles: [(u8, Option<u32>); M],
    ) -> Self {
        let known = |(percent, value): (u8, Option<u32>)| value.map(|value| (percent, value));
        Self {
            histogram: ranges.into_iter().zip(counts).collect(),
            ntiles: ntiles.into_iter().filter_map(known).collect(),
        }
    }

    /// All samples.
    pub fn total(&self) -> u64 {
        self.histogram.iter().map(|&(_, count)| u64::from(count)).sum()
    }
}

fn ping_ranges() -> [String; 9] {
    let [.., slowest] = PingHistogram::UPPER_MS;
    std::array::from_fn(|index| match PingHistogram::UPPER_MS.get(index) {
        Some(upper) => format!("≤{upper}"),
        None => format!(">{slowest}"),
    })
}
