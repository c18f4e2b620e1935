use std::time::Duration;

use super::{AckSample, CongestionController, FixedRate, MAX_BURST, Pacer, burst};
use crate::{
    Time,
    config::{SendConfig, UNLIMITED_RATE},
};

fn fixed(min: u32, max: u32, rtt_ms: Option<u64>) -> FixedRate {
    let config = SendConfig { rate_min: min, rate_max: max, ..SendConfig::default() };
    FixedRate::new(&config, rtt_ms.map(Duration::from_millis))
}

#[test]
fn fixed_rate_follows_the_configured_bounds() {
    let table: &[(u32, u32, Option<u64>, Option<u64>)] = &[
        (262_144, 262_144, None, Some(262_144)),
        (262_144, 262_144, Some(10), Some(262_144)),
        (10_000, 10_000_000, Some(10), Some(438_000)),
        (10_000, 10_000_000, Some(1000), Some(10_000)),
        (10_000, 10_000_000, Some(0), Some(10_000_000)),
        (10_000, 10_000_000, None, Some(262_144)),
        (10_000, 20_000, None, Some(20_000)),
        (0, 0, None, Some(1024)),
        (50_000, 10_000, None, Some(50_000)), // nonsense: the minimum wins
        (1024, UNLIMITED_RATE, Some(10), None),
        (UNLIMITED_RATE, UNLIMITED_RATE, None, None),
    ];
    for &(min, max, rtt, expected) in table {
        assert_eq!(fixed(min, max, rtt).pacing_rate(), expected, "{min} {max} {rtt:?}");
    }
}

#[test]
fn fixed_rate_takes_the_first_round_trip_only() {
    let mut rate = fixed(1024, 100_000_000, None);
    for (rtt_ms, expected) in [(20, 219_000), (100, 219_000)] {
        let rtt = Some(Duration::from_millis(rtt_ms));
        rate.on_acked(Time::default(), &AckSample { rtt, ..AckSample::default() });
        assert_eq!(rate.pacing_rate(), Some(expected));
    }
    assert_eq!(rate.congestion_window(), u64::MAX);
}

#[test]
fn burst_grows_with_the_rate_between_its_bounds() {
    let table = [(1024, 2600), (262_144, 2600), (10_000_000, 20_000), (u64::MAX, MAX_BURST)];
    for (rate, expected) in table {
        assert_eq!(burst(rate), expected);
    }
}

/// Sends 1248-byte packets as fast as the pacer lets it; bytes sent and the largest burst.
fn run(rate: u32, duration_us: u64) -> (u64, u64) {
    let controller = fixed(rate, rate, None);
    let start = Time::from_micros(1_000_000);
    let mut now = start;
    let mut pacer = Pacer::new(now, &controller);
    let (mut sent, mut together, mut largest) = (0, 0, 0);
    while now.micros_since(start) < duration_us {
        match pacer.next_send(now) {
            None => {
                pacer.on_sent(now, 1248, &controller);
                sent += 1248;
                together += 1248;
                largest = largest.max(together);
            }
            Some(next) => {
                assert!(next > now, "a wait must end later");
                now = next;
                together = 0;
            }
        }
    }
    (sent, largest)
}

#[test]
fn pacer_keeps_the_rate_and_the_burst() {
    for rate in [16_384, 262_144, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000] {
        let (sent, largest) = run(rate, 2_000_000);
        let allowed = 2 * u64::from(rate) + burst(u64::from(rate));
        assert!(sent <= allowed, "{rate}: {sent} > {allowed}");
        assert!(sent * 100 >= 2 * u64::from(rate) * 97, "{rate}: only {sent}");
        assert!(largest <= burst(u64::from(rate)), "{rate}: burst of {largest}");
    }
}

#[test]
fn pacer_without_a_rate_never_waits() {
    let controller = fixed(1024, UNLIMITED_RATE, None);
    let mut pacer = Pacer::new(Time::default(), &controller);
    for _ in 0..100_000 {
        assert_eq!(pacer.next_send(Time::default()), None);
        pacer.on_sent(Time::default(), 1300, &controller);
    }
}

#[test]
fn pacer_follows_a_changed_rate_and_forgives_unasked_packets() {
    let slow = fixed(10_000, 10_000, None);
    let fast = fixed(10_000_000, 10_000_000, None);
    let now = Time::from_micros(5);
    let mut pacer = Pacer::new(now, &slow);
    for _ in 0..1000 {
        pacer.on_sent(now, 1300, &slow);
    }
    let wait = pacer.next_send(now).expect("the bucket is empty").micros_since(now);
    assert!(wait <= 2 * 2600 * 100, "the debt is bounded: {wait}");
    pacer.on_sent(now, 1300, &fast);
    let wait = pacer.next_send(now).expect("still empty").micros_since(now);
    assert!(wait < 4000, "{wait}");
}
