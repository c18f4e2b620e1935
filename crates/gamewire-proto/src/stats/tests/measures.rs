//! Ping, rates, sequence and quality, jitter, histograms, n-tiles.

use super::super::{histograms::*, reservoir::Reservoir};
use super::*;

#[test]
fn histogram_edges() {
    let ping = [
        (0, 0),
        (25, 0),
        (26, 1),
        (50, 1),
        (51, 2),
        (75, 2),
        (76, 3),
        (100, 3),
        (101, 4),
        (125, 4),
        (126, 5),
        (150, 5),
        (151, 6),
        (200, 6),
        (201, 7),
        (300, 7),
        (301, 8),
        (u32::MAX, 8),
    ];
    for (value, bucket) in ping {
        let mut histogram = PingHistogram::default();
        histogram.add(value);
        assert_eq!(histogram.counts[bucket], 1, "ping {value}");
        assert_eq!(histogram.total(), 1);
    }
    let quality = [
        (100, 0),
        (99, 1),
        (98, 2),
        (97, 2),
        (96, 3),
        (95, 3),
        (94, 4),
        (90, 4),
        (89, 5),
        (75, 5),
        (74, 6),
        (50, 6),
        (49, 7),
        (1, 7),
        (0, 8),
    ];
    for (value, bucket) in quality {
        let mut histogram = QualityHistogram::default();
        histogram.add(value);
        assert_eq!(histogram.counts[bucket], 1, "quality {value}");
        assert_eq!(histogram.total(), 1);
    }
    let jitter = [
        (0, 0),
        (999, 0),
        (1000, 1),
        (1999, 1),
        (2000, 2),
        (4999, 2),
        (5000, 3),
        (9999, 3),
        (10_000, 4),
        (19_999, 4),
        (20_000, 5),
        (u32::MAX, 5),
    ];
    for (value, bucket) in jitter {
        let mut histogram = JitterHistogram::default();
        histogram.add(value);
        assert_eq!(histogram.counts[bucket], 1, "jitter {value}");
        assert_eq!(histogram.total(), 1);
    }
}

#[test]
fn ntiles_are_nearest_ranks_and_need_samples() {
    let tiles = |count: u32| {
        let mut reservoir = Reservoir::default();
        for sample in (1..=count).rev() {
            reservoir.add(sample);
        }
        let sorted = reservoir.sorted();
        [2, 5, 25, 50, 75, 95, 98].map(|percent| sorted.ntile(percent))
    };
    assert_eq!(tiles(0), [None; 7]);
    assert_eq!(tiles(1), [None; 7]);
    assert_eq!(tiles(2), [None, None, None, Some(1), None, None, None]);
    assert_eq!(tiles(4), [None, None, Some(1), Some(2), Some(3), None, None]);
    assert_eq!(tiles(20), [None, Some(1), Some(5), Some(10), Some(15), Some(19), None]);
    assert_eq!(tiles(50), [1, 3, 13, 25, 38, 48, 49].map(Some));
    assert_eq!(tiles(200), [4, 10, 50, 100, 150, 190, 196].map(Some));
}

#[test]
fn the_reservoir_is_bounded_fair_and_reproducible() {
    let fill = || {
        let mut reservoir = Reservoir::default();
        for sample in 0..50_000 {
            reservoir.add(sample);
        }
        let sorted = reservoir.sorted();
        [5, 50, 95].map(|percent| sorted.ntile(percent).unwrap())
    };
    let tiles = fill();
    assert_eq!(tiles, fill());
    for (tile, ideal) in tiles.into_iter().zip([2_500i64, 25_000, 47_500]) {
        assert!((i64::from(tile) - ideal).abs() < 4_000, "{tile} instead of {ideal}");
    }
    let mut reservoir = Reservoir::default();
    for _ in 0..100_000 {
        reservoir.add(u32::MAX);
    }
    let debug = format!("{reservoir:?}");
    assert_eq!(debug.matches("65535").count(), RESERVOIR_SAMPLES);
}

#[test]
fn ping_averages_three_samples_apart_in_time() {
    let mut link = link();
    assert_eq!(link.ping().smoothed(), None);
    // (time, sample in µs) → smoothed µs, ms, best, worst, min
    let table: [(u64, u64, [u64; 5]); 8] = [
        (0, 60_000, [60_000, 60, 60_000, 60_000, 60_000]),
        (50, 90_000, [60_000, 60, 60_000, 60_000, 60_000]), // same sample, slower: noise
        (99, 40_000, [40_000, 40, 40_000, 40_000, 40_000]), // same sample, quicker: counts
        (100, 80_000, [60_000, 60, 40_000, 80_000, 40_000]),
        (200, 30_500, [50_167, 50, 30_500, 80_000, 30_500]),
        (300, 30_500, [47_000, 47, 30_500, 80_000, 30_500]), // the 40 ms fell out
        (400, 30_500, [30_500, 31, 30_500, 30_500, 30_500]), // half a millisecond rounds up
        (900, 1_000_000, [353_667, 354, 30_500, 1_000_000, 30_500]),
    ];
    for (at, sample, [smoothed, rounded, best, worst, min]) in table {
        link.on_ping_sample(at_ms(at), Duration::from_micros(sample));
        let summary = link.snapshot(at_ms(at)).ping.unwrap();
        let got = [summary.smoothed, summary.best_recent, summary.worst_recent, summary.min];
        assert_eq!(got, [smoothed, best, worst, min].map(Duration::from_micros), "at {at}");
        assert_eq!(link.ping().smoothed_ms().map(u64::from), Some(rounded), "at {at}");
    }
    let ping = link.snapshot(at_ms(900)).local_lifetime.ping;
    assert_eq!(ping.histogram.counts, [0, 3, 1, 1, 0, 0, 0, 0, 1]);
    assert_eq!(ping.ntile_50th_ms, Some(31));
    assert_eq!((ping.ntile_5th_ms, ping.ntile_95th_ms), (None, None));
}

#[test]
fn an_endless_ping_overflows_nothing() {
    let mut link = link();
    link.on_ping_sample(at_ms(0), Duration::MAX);
    link.on_ping_sample(at_ms(100), Duration::MAX);
    link.on_ping_sample(at_ms(200), Duration::MAX);
    assert_eq!(link.ping().smoothed(), Some(Duration::from_micros(u32::MAX.into())));
    assert_eq!(link.reply_timeout(), MAX_REPLY_TIMEOUT);
}

#[test]
fn rates_follow_within_a_second_and_fall_to_zero() {
    let mut link = link();
    for step in 0..300 {
        let now = at_ms(step * 10);
        link.on_packet_received(now, 1000, Arrival::InOrder, None);
        link.on_packet_sent(now, sent(2 + step, SentContent::AcksOnly, None));
    }
    let status = link.real_time(at_ms(3000));
    assert!((status.in_packets_per_s - 100.0).abs() < 1.5, "{status:?}");
    assert!((status.in_bytes_per_s - 100_000.0).abs() < 1500.0, "{status:?}");
    assert!((status.out_bytes_per_s - 10_000.0).abs() < 150.0, "{status:?}");
    // Ten times as many from here.
    for step in 0..1125 {
        link.on_packet_received(at_us(3_000_000 + step * 1000), 1000, Arrival::InOrder, None);
    }
    let status = link.real_time(at_ms(4125));
    assert!((status.in_packets_per_s - 1000.0).abs() < 1.5, "{status:?}");
    assert!(status.out_packets_per_s < 0.01, "{status:?}");
    let half_gone = link.real_time(at_ms(4625)).in_packets_per_s;
    assert!((450.0..600.0).contains(&half_gone), "{half_gone}");
    assert_eq!(link.real_time(at_ms(5250)).in_packets_per_s, 0.0);
    assert_eq!(link.real_time(at_ms(9_000_000)).in_bytes_per_s, 0.0);
}

#[test]
fn one_first_packet_is_not_a_flood() {
    let mut link = link();
    link.on_packet_received(at_us(1), 1000, Arrival::InOrder, None);
    assert_eq!(link.real_time(at_us(2)).in_bytes_per_s, 4000.0);
}

#[test]
fn every_arrival_is_counted_where_it_belongs() {
    let mut link = link();
    let arrivals = [
        Arrival::InOrder,
        Arrival::Gap { missing: 1 },
        Arrival::Gap { missing: LURCH_MISSING - 1 },
        Arrival::Gap { missing: LURCH_MISSING },
        Arrival::Gap { missing: u64::MAX },
        Arrival::OutOfOrder,
        Arrival::OutOfOrderCorrected,
        Arrival::Duplicate,
        Arrival::TooOld,
    ];
    for arrival in arrivals {
        link.on_packet_received(at_ms(1), 50, arrival, None);
    }
    let lifetime = link.snapshot(at_ms(1)).local_lifetime;
    let expected = SequenceTotals {
        received: 9,
        dropped: 98, // 1 + 98, less the one that was only late
        out_of_order: 1,
        out_of_order_corrected: 1,
        duplicate: 1,
        lurch: 3,
    };
    assert_eq!(lifetime.sequence, expected);
    assert_eq!((lifetime.packets_received, lifetime.bytes_received), (9, 450));
    // 9 received of 107 expected; 5 of the 9 out of sequence.
    let now = link.snapshot(at_ms(1)).local_instantaneous;
    assert_eq!(now.dropped_fraction, Some((98.0f64 / 107.0) as f32));
    assert_eq!(now.weird_sequence_fraction, Some((5.0f64 / 107.0) as f32));
    assert_eq!(link.quality_local(at_ms(1)), Some((4.0f64 / 107.0) as f32));
}

#[test]
fn late_packets_without_a_known_drop_do_not_underflow() {
    let mut link = link();
    for _ in 0..3 {
        link.on_packet_received(at_ms(1), 50, Arrival::OutOfOrder, None);
    }
    assert_eq!(link.snapshot(at_ms(1)).local_lifetime.sequence.dropped, 0);
    assert_eq!(link.quality_local(at_ms(1)), Some(0.0));
}

/// How often each arrival happens, in turn.
type Arrivals<'a> = &'a [(usize, Arrival)];

/// Plays `arrivals` into one interval and ends it; the histogram bucket that was counted.
fn quality_bucket(arrivals: Arrivals<'_>) -> Option<usize> {
    let mut link = link();
    for &(times, arrival) in arrivals {
        for _ in 0..times {
            link.on_packet_received(at_ms(1000), 50, arrival, None);
        }
    }
    link.on_packet_received(at_ms(5000), 50, Arrival::InOrder, None);
    let histogram = link.snapshot(at_ms(5000)).local_lifetime.quality.histogram;
    assert!(histogram.total() <= 1);
    histogram.counts.iter().position(|&count| count == 1)
}

#[test]
fn one_quality_sample_per_interval() {
    use Arrival::{Duplicate, Gap, InOrder, OutOfOrder, OutOfOrderCorrected};
    let gap = |missing| Gap { missing };
    let table: [(Arrivals<'_>, Option<usize>); 12] = [
        (&[(5, InOrder)], None), // too few
        (&[(6, InOrder)], Some(0)),
        (&[(5, InOrder), (1, OutOfOrderCorrected)], Some(0)),
        (&[(999, InOrder), (1, gap(1))], Some(1)), // 99.9 % is not perfect
        (&[(97, InOrder), (1, gap(2))], Some(2)),  // 98 of 100
        (&[(94, InOrder), (1, gap(5))], Some(3)),
        (&[(89, InOrder), (1, gap(10))], Some(4)),
        (&[(79, InOrder), (1, gap(20))], Some(5)),
        (&[(49, InOrder), (1, gap(50))], Some(6)),
        (&[(48, InOrder), (1, gap(51))], Some(7)),
        (&[(98, InOrder), (1, gap(1)), (1, OutOfOrder)], Some(1)), // dropped, then only late
        (&[(100, Duplicate)], Some(7)), // nothing in sequence, yet not dead
    ];
    for (arrivals, bucket) in table {
        assert_eq!(quality_bucket(arrivals), bucket, "{arrivals:?}");
    }
}

#[test]
fn local_quality_is_of_the_last_seconds() {
    let mut link = link();
    assert_eq!(link.quality_local(at_ms(0)), None);
    for step in 0..50 {
        let arrival = if step == 25 { Arrival::Gap { missing: 50 } } else { Arrival::InOrder };
        link.on_packet_received(at_ms(step * 100), 50, arrival, None);
    }
    assert_eq!(link.quality_local(at_ms(4900)), Some(0.5));
    for step in 50..100 {
        link.on_packet_received(at_ms(step * 100), 50, Arrival::InOrder, None);
    }
    assert_eq!(link.quality_local(at_ms(9900)), Some((100.0f64 / 150.0) as f32));
    for step in 100..150 {
        link.on_packet_received(at_ms(step * 100), 50, Arrival::InOrder, None);
    }
    assert_eq!(link.quality_local(at_ms(14_900)), Some(1.0), "the loss was ten seconds ago");
    assert_eq!(link.quality_local(at_ms(20_000)), Some(1.0));
    assert_eq!(link.quality_local(at_ms(20_001)), None, "ten seconds of silence");
    let quality = link.snapshot(at_ms(20_001)).local_lifetime.quality;
    assert_eq!(quality.histogram.counts, [1, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!((quality.ntile_50th_pct, quality.ntile_25th_pct), (Some(50), None));
}

#[test]
fn jitter_is_the_change_of_spacing() {
    // (arrival µs, field in 16 µs units, jitter)
    let table = [
        (0, Some(625), None),             // no previous packet here
        (10_000, Some(625), Some(0)),     // 10 ms there, 10 ms here
        (15_000, Some(625), Some(5_000)), // came closer
        (26_500, Some(625), Some(1_500)), // fell back
        (30_000, None, None),             // the peer does not tell
        (40_000, Some(0), Some(10_000)),
        (290_000, Some(15_624), None),     // 250 ms here
        (539_999, Some(15_624), Some(15)), // 249 999 against 249 984
        (540_000, Some(15_625), None),     // 250 ms there
        (540_100, Some(u16::MAX), None),
    ];
    let mut link = link();
    for (at, field, jitter) in table {
        link.on_packet_received(at_us(at), 50, Arrival::InOrder, field);
        assert_eq!(link.take_max_jitter_us(), jitter, "at {at}");
        assert_eq!(link.take_max_jitter_us(), None, "cleared by reading");
    }
    let snapshot = link.snapshot(at_ms(600));
    assert_eq!(snapshot.local_lifetime.jitter.histogram.counts, [2, 1, 0, 1, 1, 0]);
    assert_eq!(snapshot.local_instantaneous.peak_jitter_us, Some(10_000), "not cleared by reading");
    link.on_packet_received(at_ms(5000), 50, Arrival::InOrder, Some(1));
    assert_eq!(link.snapshot(at_ms(5000)).local_instantaneous.peak_jitter_us, Some(10_000));
    link.on_packet_received(at_ms(10_000), 50, Arrival::InOrder, Some(1));
    assert_eq!(link.snapshot(at_ms(10_000)).local_instantaneous.peak_jitter_us, None);
}

#[test]
fn jitter_only_between_neighbours() {
    for arrival in [Arrival::Gap { missing: 1 }, Arrival::OutOfOrder, Arrival::Duplicate] {
        let mut link = link();
        link.on_packet_received(at_ms(0), 50, Arrival::InOrder, None);
        link.on_packet_received(at_ms(7), 50, arrival, Some(0));
        assert_eq!(link.take_max_jitter_us(), None, "{arrival:?}");
    }
    let mut link = link();
    link.on_packet_received(at_ms(0), 50, Arrival::InOrder, None);
    link.on_packet_received(at_ms(5), 50, Arrival::OutOfOrder, Some(0));
    link.on_packet_received(at_ms(7), 50, Arrival::InOrder, Some(0));
    assert_eq!(
        link.real_time(at_ms(7)).max_jitter_us,
        Some(7000),
        "since the newest, not the late"
    );
    assert_eq!(link.real_time(at_ms(7)).max_jitter_us, None);
}

#[test]
fn time_since_the_previous_packet_for_the_header() {
    let mut link = link();
    assert_eq!(link.time_since_previous_sent(at_ms(0)), None);
    link.on_packet_sent(at_ms(0), sent(2, SentContent::AcksOnly, None));
    for (us, field) in
        [(0, Some(0)), (15, Some(0)), (16, Some(1)), (249_999, Some(15_624)), (250_000, None)]
    {
        assert_eq!(link.time_since_previous_sent(at_us(us)), field, "{us}");
    }
}
