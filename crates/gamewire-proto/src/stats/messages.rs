//! Statistics to and from the protobuf messages.
//!
//! Towards the peer: zero counters and unknown values are left out. From the peer: what is absent is
//! zero or unknown, and so is what cannot be.

use gamewire_wire::messages::{
    ConnectionQuality, LinkInstantaneousStats, LinkLifetimeStats, UdpStats,
};
use prost::Message as _;

use crate::Time;

use super::{
    LinkStats,
    exchange::{MAX_INLINE_STATS_BYTES, ReportKind},
    histograms::{JitterHistogram, PingHistogram, QualityHistogram},
    snapshot::{
        InstantaneousStats, JitterStats, LifetimeStats, PingStats, QualityStats, SequenceTotals,
    },
};

/// A peer that reports a longer ping or jitter is not believed.
const MAX_REPORTED_DELAY_MS: u32 = 60_000;

/// The statistics of a packet that carries the report `kind`.
pub(super) fn udp_stats(link: &LinkStats, now: Time, kind: ReportKind) -> UdpStats {
    let quality = match kind {
        ReportKind::Instantaneous => ConnectionQuality {
            instantaneous: Some(link.instantaneous(now).to_message()),
            lifetime: None,
        },
        ReportKind::Lifetime => ConnectionQuality {
            instantaneous: None,
            lifetime: Some(link.lifetime(now).to_message()),
        },
    };
    // The body alone asks for an ack.
    fit(UdpStats { stats: Some(quality), flags: None })
}

/// Leaves out details until the statistics are small enough, the dearest last; counters and the ping
/// histogram always fit.
pub(super) fn fit(mut stats: UdpStats) -> UdpStats {
    for shed in [shed_ntiles, shed_jitter, shed_quality] {
        if stats.encoded_len() <= MAX_INLINE_STATS_BYTES {
            break;
        }
        if let Some(lifetime) = stats.stats.as_mut().and_then(|body| body.lifetime.as_mut()) {
            shed(lifetime);
        }
    }
    stats
}

impl InstantaneousStats {
    /// As the message; fractions in whole percent, rounded to the nearest.
    pub fn to_message(&self) -> LinkInstantaneousStats {
        let pct = |fraction: f32| (fraction * 100.0).round() as u32;
        LinkInstantaneousStats {
            out_packets_per_sec_x10: Some((self.out_packets_per_s * 10.0).round() as u32),
            out_bytes_per_sec: Some(self.out_bytes_per_s.round() as u32),
            in_packets_per_sec_x10: Some((self.in_packets_per_s * 10.0).round() as u32),
            in_bytes_per_sec: Some(self.in_bytes_per_s.round() as u32),
            ping_ms: self.ping_ms,
            packets_dropped_pct: self.dropped_fraction.map(pct),
            packets_weird_sequence_pct: self.weird_sequence_fraction.map(pct),
            peak_jitter_usec: self.peak_jitter_us,
        }
    }

    /// From a peer's message.
    pub fn from_message(message: &LinkInstantaneousStats) -> Self {
        let fraction = |pct: u32| pct.min(100) as f32 / 100.0;
        let rate = |value: Option<u32>| value.unwrap_or(0) as f32;
        Self {
            out_packets_per_s: rate(message.out_packets_per_sec_x10) / 10.0,
            out_bytes_per_s: rate(message.out_bytes_per_sec),
            in_packets_per_s: rate(message.in_packets_per_sec_x10) / 10.0,
            in_bytes_per_s: rate(message.in_bytes_per_sec),
            ping_ms: believable_ms(message.ping_ms),
            dropped_fraction: message.packets_dropped_pct.map(fraction),
            weird_sequence_fraction: message.packets_weird_sequence_pct.map(fraction),
            peak_jitter_us: message
                .peak_jitter_usec
                .filter(|&us| us <= MAX_REPORTED_DELAY_MS * 1000),
        }
    }
}

impl LifetimeStats {
    /// As the message; bytes in KiB, rounded to the nearest.
    pub fn to_message(&self) -> LinkLifetimeStats {
        let mut message = LinkLifetimeStats {
            connected_seconds: self.connected_s,
            packets_sent: Some(self.packets_sent),
            kb_sent: Some(self.bytes_sent.saturating_add(512) / 1024),
            packets_recv: Some(self.packets_received),
            kb_recv: Some(self.bytes_received.saturating_add(512) / 1024),
            packets_recv_sequenced: Some(self.sequence.received),
            packets_recv_dropped: non_zero(self.sequence.dropped),
            packets_recv_out_of_order: non_zero(self.sequence.out_of_order),
            packets_recv_out_of_order_corrected: non_zero(self.sequence.out_of_order_corrected),
            packets_recv_duplicate: non_zero(self.sequence.duplicate),
            packets_recv_lurch: non_zero(self.sequence.lurch),
            ..LinkLifetimeStats::default()
        };
        self.quality.write(&mut message);
        self.ping.write(&mut message);
        self.jitter.write(&mut message);
        message
    }

    /// From a peer's message.
    pub fn from_message(message: &LinkLifetimeStats) -> Self {
        Self {
            connected_s: message.connected_seconds,
            packets_sent: message.packets_sent(),
            bytes_sent: message.kb_sent().saturating_mul(1024),
            packets_received: message.packets_recv(),
            bytes_received: message.kb_recv().saturating_mul(1024),
            sequence: SequenceTotals {
                received: message.packets_recv_sequenced(),
                dropped: message.packets_recv_dropped(),
                out_of_order: message.packets_recv_out_of_order(),
                out_of_order_corrected: message.packets_recv_out_of_order_corrected(),
                duplicate: message.packets_recv_duplicate(),
                lurch: message.packets_recv_lurch(),
            },
            quality: QualityStats::read(message),
            ping: PingStats::read(message),
            jitter: JitterStats::read(message),
        }
    }
}

impl QualityStats {
    fn write(&self, message: &mut LinkLifetimeStats) {
        let [at_100, at_99, at_97, at_95, at_90, at_75, at_50, at_1, dead] =
            self.histogram.counts.map(non_zero);
        message.quality_histogram_100 = at_100;
        message.quality_histogram_99 = at_99;
        message.quality_histogram_97 = at_97;
        message.quality_histogram_95 = at_95;
        message.quality_histogram_90 = at_90;
        message.quality_histogram_75 = at_75;
        message.quality_histogram_50 = at_50;
        message.quality_histogram_1 = at_1;
        message.quality_histogram_dead = dead;
        message.quality_ntile_2nd = self.ntile_2nd_pct;
        message.quality_ntile_5th = self.ntile_5th_pct;
        message.quality_ntile_25th = self.ntile_25th_pct;
        message.quality_ntile_50th = self.ntile_50th_pct;
    }

    fn read(message: &LinkLifetimeStats) -> Self {
        let believable = |pct: Option<u32>| pct.filter(|&pct| pct <= 100);
        let counts = [
            message.quality_histogram_100(),
            message.quality_histogram_99(),
            message.quality_histogram_97(),
            message.quality_histogram_95(),
            message.quality_histogram_90(),
            message.quality_histogram_75(),
            message.quality_histogram_50(),
            message.quality_histogram_1(),
            message.quality_histogram_dead(),
        ];
        Self {
            histogram: QualityHistogram { counts },
            ntile_2nd_pct: believable(message.quality_ntile_2nd),
            ntile_5th_pct: believable(message.quality_ntile_5th),
            ntile_25th_pct: believable(message.quality_ntile_25th),
            ntile_50th_pct: believable(message.quality_ntile_50th),
        }
    }
}

impl PingStats {
    fn write(&self, message: &mut LinkLifetimeStats) {
        let [to_25, to_50, to_75, to_100, to_125, to_150, to_200, to_300, slower] =
            self.histogram.counts.map(non_zero);
        message.ping_histogram_25 = to_25;
        message.ping_histogram_50 = to_50;
        message.ping_histogram_75 = to_75;
        message.ping_histogram_100 = to_100;
        message.ping_histogram_125 = to_125;
        message.ping_histogram_150 = to_150;
        message.ping_histogram_200 = to_200;
        message.ping_histogram_300 = to_300;
        message.ping_histogram_max = slower;
        message.ping_ntile_5th = self.ntile_5th_ms;
        message.ping_ntile_50th = self.ntile_50th_ms;
        message.ping_ntile_75th = self.ntile_75th_ms;
        message.ping_ntile_95th = self.ntile_95th_ms;
        message.ping_ntile_98th = self.ntile_98th_ms;
    }

    fn read(message: &LinkLifetimeStats) -> Self {
        let counts = [
            message.ping_histogram_25(),
            message.ping_histogram_50(),
            message.ping_histogram_75(),
            message.ping_histogram_100(),
            message.ping_histogram_125(),
            message.ping_histogram_150(),
            message.ping_histogram_200(),
            message.ping_histogram_300(),
            message.ping_histogram_max(),
        ];
        Self {
            histogram: PingHistogram { counts },
            ntile_5th_ms: believable_ms(message.ping_ntile_5th),
            ntile_50th_ms: believable_ms(message.ping_ntile_50th),
            ntile_75th_ms: believable_ms(message.ping_ntile_75th),
            ntile_95th_ms: believable_ms(message.ping_ntile_95th),
            ntile_98th_ms: believable_ms(message.ping_ntile_98th),
        }
    }
}

impl JitterStats {
    fn write(&self, message: &mut LinkLifetimeStats) {
        let [negligible, from_1, from_2, from_5, from_10, from_20] =
            self.histogram.counts.map(non_zero);
        message.jitter_histogram_negligible = negligible;
        message.jitter_histogram_1 = from_1;
        message.jitter_histogram_2 = from_2;
        message.jitter_histogram_5 = from_5;
        message.jitter_histogram_10 = from_10;
        message.jitter_histogram_20 = from_20;
    }

    fn read(message: &LinkLifetimeStats) -> Self {
        let counts = [
            message.jitter_histogram_negligible(),
            message.jitter_histogram_1(),
            message.jitter_histogram_2(),
            message.jitter_histogram_5(),
            message.jitter_histogram_10(),
            message.jitter_histogram_20(),
        ];
        Self { histogram: JitterHistogram { counts } }
    }
}

fn shed_ntiles(message: &mut LinkLifetimeStats) {
    let histograms_only =
        QualityStats { histogram: QualityStats::read(message).histogram, ..Default::default() };
    histograms_only.write(message);
    let histograms_only =
        PingStats { histogram: PingStats::read(message).histogram, ..Default::default() };
    histograms_only.write(message);
}

fn shed_jitter(message: &mut LinkLifetimeStats) {
    JitterStats::default().write(message);
}

fn shed_quality(message: &mut LinkLifetimeStats) {
    QualityStats::default().write(message);
}

fn non_zero<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn believable_ms(value: Option<u32>) -> Option<u32> {
    value.filter(|&ms| ms <= MAX_REPORTED_DELAY_MS)
}
