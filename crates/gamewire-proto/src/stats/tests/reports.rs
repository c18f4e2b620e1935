//! The exchanged messages: exact numbers, size, and peers that talk nonsense.

use gamewire_wire::messages::{ConnectionQuality, LinkInstantaneousStats, LinkLifetimeStats};
use prost::Message as _;

use super::*;

fn from_peer(
    instantaneous: Option<LinkInstantaneousStats>,
    lifetime: Option<LinkLifetimeStats>,
) -> UdpStats {
    UdpStats { stats: Some(ConnectionQuality { instantaneous, lifetime }), flags: None }
}

/// 20.0 s of 10 packets of 100 bytes a second each way, every tenth lost, ping 40 ms.
fn busy_link() -> LinkStats {
    let mut link = link();
    for step in 0..200 {
        let now = at_ms(step * 100);
        if step % 10 != 9 {
            let lost_before = step % 10 == 0 && step > 0;
            let arrival = if lost_before { Arrival::Gap { missing: 1 } } else { Arrival::InOrder };
            link.on_packet_received(now, 100, arrival, None);
        }
        link.on_ping_sample(now, ms(40));
        link.on_packet_sent(now, sent(2 + step, SentContent::Unreliable, None));
    }
    link
}

#[test]
fn the_report_of_a_busy_link() {
    let mut link = busy_link();
    let stats = link.inline_stats_for_packet(at_ms(20_000), true).unwrap();
    assert_eq!(stats.flags, None, "a body asks for an ack by itself");
    let body = stats.stats.as_ref().unwrap().instantaneous.unwrap();
    assert_eq!(body.ping_ms, Some(40));
    assert_eq!(body.packets_dropped_pct, Some(10));
    assert_eq!(body.packets_weird_sequence_pct, Some(0));
    assert_eq!(body.peak_jitter_usec, None);
    assert_eq!((body.out_packets_per_sec_x10, body.out_bytes_per_sec), (Some(100), Some(1000)));
    assert_eq!((body.in_packets_per_sec_x10, body.in_bytes_per_sec), (Some(90), Some(900)));

    let lifetime = link.snapshot(at_ms(20_000)).local_lifetime;
    let message = lifetime.to_message();
    let expected = LinkLifetimeStats {
        connected_seconds: Some(20),
        packets_sent: Some(200),
        kb_sent: Some(20), // 20 000 bytes are 19.5 KiB
        packets_recv: Some(180),
        kb_recv: Some(18),
        packets_recv_sequenced: Some(180),
        packets_recv_dropped: Some(19),
        quality_histogram_90: Some(4), // 45 of 49, then 45 of 50
        quality_ntile_25th: Some(90),
        quality_ntile_50th: Some(90),
        ping_histogram_50: Some(200),
        ping_ntile_5th: Some(40),
        ping_ntile_50th: Some(40),
        ping_ntile_75th: Some(40),
        ping_ntile_95th: Some(40),
        ping_ntile_98th: Some(40),
        ..Default::default()
    };
    assert_eq!(message, expected);
    let mut back = LifetimeStats::from_message(&message);
    assert_eq!((back.bytes_sent, back.bytes_received), (20 * 1024, 18 * 1024));
    (back.bytes_sent, back.bytes_received) = (lifetime.bytes_sent, lifetime.bytes_received);
    assert_eq!(back, lifetime, "nothing else is lost on the way");
}

#[test]
fn each_field_has_its_place() {
    let lifetime = LifetimeStats {
        connected_s: Some(1),
        packets_sent: 2,
        bytes_sent: 3 * 1024,
        packets_received: 4,
        bytes_received: 5 * 1024,
        sequence: SequenceTotals {
            received: 6,
            dropped: 7,
            out_of_order: 8,
            out_of_order_corrected: 9,
            duplicate: 10,
            lurch: 11,
        },
        quality: QualityStats {
            histogram: QualityHistogram { counts: [21, 22, 23, 24, 25, 26, 27, 28, 29] },
            ntile_2nd_pct: Some(30),
            ntile_5th_pct: Some(31),
            ntile_25th_pct: Some(32),
            ntile_50th_pct: Some(33),
        },
        ping: PingStats {
            histogram: PingHistogram { counts: [41, 42, 43, 44, 45, 46, 47, 48, 49] },
            ntile_5th_ms: Some(50),
            ntile_50th_ms: Some(51),
            ntile_75th_ms: Some(52),
            ntile_95th_ms: Some(53),
            ntile_98th_ms: Some(54),
        },
        jitter: JitterStats { histogram: JitterHistogram { counts: [61, 62, 63, 64, 65, 66] } },
    };
    let message = lifetime.to_message();
    assert_eq!(LifetimeStats::from_message(&message), lifetime);
    // From field 21 on, the values are the field numbers: the encoding is (key, value) pairs.
    let bytes = message.encode_to_vec();
    let tail = bytes.iter().position(|&byte| byte == 0xa8).unwrap();
    let tail = &bytes[tail..];
    assert_eq!(tail.len() % 3, 0);
    let pairs: Vec<_> =
        tail.chunks(3).map(|b| (u32::from(b[0] & 0x7f) | u32::from(b[1]) << 7, b[2])).collect();
    let fields = (21..=33u8).chain(41..=54).chain(61..=66);
    assert_eq!(pairs, fields.map(|field| (u32::from(field) << 3, field)).collect::<Vec<_>>());
}

/// Every bucket and every n-tile filled, with these counters and histogram counts.
fn crowded(counter: u64, count: u32) -> UdpStats {
    let tile = Some(300);
    let lifetime = LifetimeStats {
        connected_s: Some(u32::try_from(counter).unwrap_or(u32::MAX)),
        packets_sent: counter,
        bytes_sent: counter,
        packets_received: counter,
        bytes_received: counter,
        sequence: SequenceTotals {
            received: counter,
            dropped: counter,
            out_of_order: counter,
            out_of_order_corrected: counter,
            duplicate: counter,
            lurch: counter,
        },
        quality: QualityStats {
            histogram: QualityHistogram { counts: [count; 9] },
            ntile_2nd_pct: tile,
            ntile_5th_pct: tile,
            ntile_25th_pct: tile,
            ntile_50th_pct: tile,
        },
        ping: PingStats {
            histogram: PingHistogram { counts: [count; 9] },
            ntile_5th_ms: tile,
            ntile_50th_ms: tile,
            ntile_75th_ms: tile,
            ntile_95th_ms: tile,
            ntile_98th_ms: tile,
        },
        jitter: JitterStats { histogram: JitterHistogram { counts: [count; 6] } },
    };
    from_peer(None, Some(lifetime.to_message()))
}

#[test]
fn reports_stay_small() {
    // (counters, counts) → n-tiles, jitter, quality, ping still there
    let table = [
        (1_000, 100, [true, true, true, true]),
        (1_000_000, 20_000, [false, true, true, true]),
        (1 << 48, 20_000, [false, false, true, true]),
        (1 << 62, 1 << 27, [false, false, false, true]),
        (u64::MAX, u32::MAX, [false, false, false, true]), // the largest there can be,
    ];
    for (counter, count, kept) in table {
        let stats = super::super::messages::fit(crowded(counter, count));
        let size = stats.encoded_len();
        assert!(size <= MAX_INLINE_STATS_BYTES, "{size} bytes");
        let lifetime = stats.stats.unwrap().lifetime.unwrap();
        let still = [
            lifetime.ping_ntile_50th.is_some() && lifetime.quality_ntile_2nd.is_some(),
            lifetime.jitter_histogram_20.is_some(),
            lifetime.quality_histogram_dead.is_some(),
            lifetime.ping_histogram_25.is_some(),
        ];
        assert_eq!(still, kept, "{counter} {count}: {size} bytes");
        assert_eq!(lifetime.packets_recv_lurch, Some(counter), "counters always go");
    }
}

#[test]
fn the_peers_reports_are_kept_with_their_time() {
    let mut link = link();
    assert_eq!(link.quality_remote(), None);
    let first = LinkInstantaneousStats {
        packets_dropped_pct: Some(7),
        packets_weird_sequence_pct: Some(3),
        out_packets_per_sec_x10: Some(123),
        ..Default::default()
    };
    link.on_stats_received(at_ms(1), &from_peer(Some(first), None));
    let lifetime = LinkLifetimeStats { packets_sent: Some(5), ..Default::default() };
    link.on_stats_received(at_ms(2), &from_peer(None, Some(lifetime)));
    let snapshot = link.snapshot(at_ms(3));
    let instantaneous = snapshot.remote_instantaneous.unwrap();
    assert_eq!(instantaneous.received_at, at_ms(1));
    assert_eq!(instantaneous.stats.out_packets_per_s, 12.3);
    assert!((snapshot.quality_remote.unwrap() - 0.9).abs() < 1e-6);
    let lifetime = snapshot.remote_lifetime.unwrap();
    assert_eq!((lifetime.received_at, lifetime.stats.packets_sent), (at_ms(2), 5));
    // Without a body nothing changes; an empty body knows nothing.
    link.on_stats_received(at_ms(4), &UdpStats { stats: None, flags: Some(2) });
    assert!(link.quality_remote().is_some());
    link.on_stats_received(at_ms(5), &from_peer(Some(Default::default()), None));
    assert_eq!(link.quality_remote(), None);
}

#[test]
fn absurd_reports_read_as_unknown() {
    let max = Some(u32::MAX);
    let nonsense = LinkInstantaneousStats {
        out_packets_per_sec_x10: max,
        out_bytes_per_sec: max,
        in_packets_per_sec_x10: max,
        in_bytes_per_sec: max,
        ping_ms: max,
        packets_dropped_pct: max,
        packets_weird_sequence_pct: max,
        peak_jitter_usec: max,
    };
    let lifetime = LinkLifetimeStats {
        kb_sent: Some(u64::MAX),
        kb_recv: Some(u64::MAX),
        packets_recv_lurch: Some(u64::MAX),
        quality_histogram_100: max,
        quality_ntile_2nd: Some(100),
        quality_ntile_5th: Some(101),
        quality_ntile_50th: max,
        ping_histogram_max: max,
        ping_ntile_50th: Some(60_000),
        ping_ntile_98th: Some(60_001),
        multipath_packets_recv_later: vec![u64::MAX; 50],
        ..Default::default()
    };
    let mut link = link();
    link.on_stats_received(at_ms(1), &from_peer(Some(nonsense), Some(lifetime)));
    let snapshot = link.snapshot(at_ms(1));
    let stats = snapshot.remote_instantaneous.unwrap().stats;
    assert_eq!((stats.ping_ms, stats.peak_jitter_us), (None, None));
    assert_eq!((stats.dropped_fraction, stats.weird_sequence_fraction), (Some(1.0), Some(1.0)));
    assert!(stats.out_packets_per_s.is_finite() && stats.in_bytes_per_s.is_finite());
    assert_eq!(snapshot.quality_remote, Some(0.0));
    let stats = snapshot.remote_lifetime.unwrap().stats;
    assert_eq!((stats.bytes_sent, stats.bytes_received), (u64::MAX, u64::MAX));
    assert_eq!(stats.sequence.lurch, u64::MAX);
    assert_eq!(stats.quality.ntile_2nd_pct, Some(100));
    assert_eq!((stats.quality.ntile_5th_pct, stats.quality.ntile_50th_pct), (None, None));
    assert_eq!((stats.ping.ntile_50th_ms, stats.ping.ntile_98th_ms), (Some(60_000), None));
    assert_eq!(stats.quality.histogram.total(), u64::from(u32::MAX));
    assert!(size_of_val(&link) <= 1536);
}
