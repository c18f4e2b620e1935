//! Statistics by seed, exact times, order, limits.

use super::*;
use std::collections::BTreeMap;

const START: Time = Time::from_micros(3_000_000_000_000);

fn remote() -> SocketAddr {
    "192.0.2.1:27015".parse().unwrap()
}

fn ms(ms: u64) -> Time {
    START.plus_micros(ms * 1_000)
}

/// A network whose outgoing direction is configured.
fn sending(seed: u64, send: FakeDirectionConfig) -> FakeNetwork {
    let mut network = FakeNetwork::new(seed);
    network.configure(FakeNetworkConfig { send, ..Default::default() });
    network
}

/// A datagram of `len` bytes that carries a number.
fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut datagram = number.to_le_bytes().to_vec();
    datagram.resize(len.max(4), 0);
    datagram
}

fn number(datagram: &[u8]) -> u32 {
    u32::from_le_bytes(datagram[..4].try_into().unwrap())
}

/// One datagram that came out: when, and which.
type Arrival = (Time, u32);

/// Sends `count` datagrams of `len` bytes, one each `every_us`, and returns what comes out, with
/// everything polled at exactly its time.
fn run(network: &mut FakeNetwork, count: u32, len: usize, every_us: u64) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    for index in 0..count {
        let now = START.plus_micros(u64::from(index) * every_us);
        drain_until(network, now, &mut arrivals);
        match network.handle(now, Direction::Send, remote(), &numbered(index, len)) {
            Verdict::Pass => arrivals.push((now, index)),
            Verdict::Drop | Verdict::Queued => {}
        }
    }
    drain_until(network, Time::FAR_FUTURE, &mut arrivals);
    assert_eq!(network.queued_datagrams(), 0);
    arrivals
}

fn drain_until(network: &mut FakeNetwork, end: Time, arrivals: &mut Vec<Arrival>) {
    while let Some(due) = network.poll_timeout().filter(|due| *due <= end) {
        let (direction, from, datagram) = network.poll_ready(due).expect("it is due");
        assert_eq!((direction, from), (Direction::Send, remote()));
        arrivals.push((due, number(&datagram)));
    }
}

/// How many of the numbers came out before a smaller one.
fn overtaken(arrivals: &[Arrival]) -> usize {
    let mut largest = 0;
    arrivals
        .iter()
        .filter(|(_, number)| {
            let late = *number < largest;
            largest = largest.max(*number);
            late
        })
        .count()
}

#[test]
fn a_perfect_network_is_not_even_asked() {
    let mut network = FakeNetwork::new(1);
    network.configure(FakeNetworkConfig::default());
    for direction in [Direction::Send, Direction::Recv] {
        assert!(!network.is_active(direction));
        assert_eq!(network.handle(START, direction, remote(), b"x"), Verdict::Pass);
        assert_eq!(*network.counters(direction), FakeNetworkCounters::default());
    }
    assert_eq!(network.poll_timeout(), None);
    assert_eq!(network.poll_ready(Time::FAR_FUTURE), None);
}

#[test]
fn directions_are_independent() {
    let mut network = FakeNetwork::new(1);
    let recv = FakeDirectionConfig { loss_pct: 100.0, ..Default::default() };
    network.configure(FakeNetworkConfig { recv, ..Default::default() });
    assert!(!network.is_active(Direction::Send));
    assert!(network.is_active(Direction::Recv));
    assert_eq!(network.handle(START, Direction::Send, remote(), b"x"), Verdict::Pass);
    assert_eq!(network.handle(START, Direction::Recv, remote(), b"x"), Verdict::Drop);
    assert_eq!(network.counters(Direction::Recv).lost, 1);
}

#[test]
fn loss_is_as_configured() {
    for (seed, loss_pct) in [(1, 1.0), (2, 10.0), (3, 50.0), (4, 99.0)] {
        let config = FakeDirectionConfig { loss_pct, ..Default::default() };
        let mut network = sending(seed, config);
        let arrivals = run(&mut network, 20_000, 100, 10);
        let lost = 20_000 - arrivals.len();
        let expected = 200.0 * f64::from(loss_pct);
        // Four standard deviations.
        let chance = f64::from(loss_pct) / 100.0;
        let margin = 4.0 * (20_000.0 * chance * (1.0 - chance)).sqrt();
        assert!((lost as f64 - expected).abs() <= margin, "{lost} lost at {loss_pct} %");
        assert_eq!(network.counters(Direction::Send).lost, lost as u64);
        assert_eq!(overtaken(&arrivals), 0);
    }
}

#[test]
fn lag_is_exact_and_keeps_order() {
    let mut network = sending(1, FakeDirectionConfig { lag_ms: 100, ..Default::default() });
    let arrivals = run(&mut network, 500, 1200, 37);
    let expected: Vec<Arrival> =
        (0..500).map(|index| (ms(100).plus_micros(u64::from(index) * 37), index)).collect();
    assert_eq!(arrivals, expected);
}

#[test]
fn nothing_is_given_back_early() {
    let mut network = sending(1, FakeDirectionConfig { lag_ms: 5, ..Default::default() });
    assert_eq!(network.handle(START, Direction::Send, remote(), b"late"), Verdict::Queued);
    assert_eq!(network.poll_timeout(), Some(ms(5)));
    assert_eq!(network.poll_ready(START.plus_micros(4_999)), None);
    let expected = (Direction::Send, remote(), b"late".to_vec());
    assert_eq!(network.poll_ready(ms(5)), Some(expected));
    assert_eq!(network.poll_timeout(), None);
}

#[test]
fn jitter_delays_its_share_within_its_cap_and_keeps_order() {
    let config = FakeDirectionConfig {
        jitter_avg_ms: 10.0,
        jitter_max_ms: 40.0,
        jitter_pct: 25.0,
        ..Default::default()
    };
    let mut network = sending(7, config);
    // Far apart, so that no datagram waits for the one before it.
    let arrivals = run(&mut network, 8_000, 100, 100_000);
    assert_eq!(overtaken(&arrivals), 0);
    let delays: Vec<u64> = arrivals
        .iter()
        .map(|(at, index)| at.micros_since(START.plus_micros(u64::from(*index) * 100_000)))
        .collect();
    let delayed: Vec<u64> = delays.iter().copied().filter(|delay| *delay > 0).collect();
    assert!((1_850..2_150).contains(&delayed.len()), "{} delayed", delayed.len());
    assert!(delayed.iter().all(|delay| *delay <= 40_000));
    assert!(delayed.contains(&40_000), "the cap is reached at times");
    // Of an exponential distribution capped at four means, 1 − e⁻⁴ of the mean is left.
    let mean = delayed.iter().sum::<u64>() as f64 / delayed.len() as f64;
    assert!((9_000.0..10_650.0).contains(&mean), "mean {mean} µs");
}

#[test]
fn jitter_makes_clumps_not_reordering() {
    let config = FakeDirectionConfig { jitter_avg_ms: 20.0, ..Default::default() };
    let mut network = sending(8, config);
    let arrivals = run(&mut network, 5_000, 100, 1_000);
    assert_eq!(arrivals.len(), 5_000);
    assert_eq!(overtaken(&arrivals), 0);
    let clumped = arrivals.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
    assert!(clumped > 500, "{clumped} clumped");
}

#[test]
fn reordered_datagrams_are_overtaken_by_their_time_exactly() {
    let mut network = FakeNetwork::new(9);
    let send = FakeDirectionConfig { reorder_pct: 5.0, lag_ms: 20, ..Default::default() };
    network.configure(FakeNetworkConfig { send, reorder_time_ms: 30, ..Default::default() });
    let arrivals = run(&mut network, 10_000, 100, 1_000);
    assert_eq!(arrivals.len(), 10_000);
    let late = arrivals
        .iter()
        .filter(|(at, index)| match at.micros_since(ms(u64::from(*index))) {
            20_000 => false,
            50_000 => true,
            other => panic!("datagram {index} took {other} µs"),
        })
        .count();
    assert!((410..590).contains(&late), "{late} held back");
    assert_eq!(network.counters(Direction::Send).reordered, late as u64);
    // Those near the end are followed by too few to be overtaken.
    assert!(overtaken(&arrivals) >= late - 30);
}

#[test]
fn duplicates_come_within_their_time() {
    let mut network = FakeNetwork::new(10);
    let send = FakeDirectionConfig { dup_pct: 20.0, ..Default::default() };
    network.configure(FakeNetworkConfig { send, dup_time_max_ms: 8, ..Default::default() });
    let arrivals = run(&mut network, 10_000, 100, 1_000);
    let mut by_number: BTreeMap<u32, Vec<Time>> = BTreeMap::new();
    for (at, number) in &arrivals {
        by_number.entry(*number).or_default().push(*at);
    }
    assert_eq!(by_number.len(), 10_000, "every original arrives");
    let mut spread = Vec::new();
    for (index, times) in &by_number {
        assert_eq!(times[0], ms(u64::from(*index)), "originals are not delayed");
        assert!(times.len() <= 2);
        spread.extend(times.get(1).map(|second| second.micros_since(times[0])));
    }
    assert!((1_840..2_160).contains(&spread.len()), "{} duplicates", spread.len());
    assert!(spread.iter().all(|later| *later < 8_000));
    let mean = spread.iter().sum::<u64>() / spread.len() as u64;
    assert!((3_700..4_300).contains(&mean), "mean {mean} µs of a uniform 8 ms");
}

#[test]
fn the_rate_limit_lets_the_burst_pass_and_then_the_rate() {
    // 1000 bytes each 10 ms are 100 kB/s: exactly the rate, so nothing ever waits.
    let config = FakeDirectionConfig {
        rate_bytes_per_s: 100_000,
        burst_bytes: 10_000,
        ..Default::default()
    };
    let mut network = sending(11, config);
    assert_eq!(run(&mut network, 1_000, 1_000, 10_000).len(), 1_000);
    assert_eq!(network.counters(Direction::Send).delayed, 0);

    // At once: ten pass, then one each 10 ms until the queue is a quarter second long.
    let mut network = sending(11, config);
    let arrivals = run(&mut network, 100, 1_000, 0);
    let at_once = arrivals.iter().filter(|(at, _)| *at == START).count();
    assert_eq!(at_once, 10);
    for (position, (at, number)) in arrivals[10..].iter().enumerate() {
        assert_eq!(*at, ms(10 * (position as u64 + 1)));
        assert_eq!(*number as usize, position + 10, "in order");
    }
    // 25 within the limit, and one more that found the queue exactly full, not over-full.
    assert_eq!(arrivals.len(), 10 + 26);
    assert_eq!(network.counters(Direction::Send).rate_limited, 64);
}

#[test]
fn twice_the_rate_gets_half_through() {
    let config = FakeDirectionConfig { rate_bytes_per_s: 1_000_000, ..Default::default() };
    let mut network = sending(12, config);
    // 2 MB/s for ten seconds.
    let arrivals = run(&mut network, 20_000, 1_000, 500);
    assert!((10_000..10_300).contains(&arrivals.len()), "{}", arrivals.len());
    assert_eq!(overtaken(&arrivals), 0);
    for (at, number) in arrivals {
        let waited = at.micros_since(START.plus_micros(u64::from(number) * 500));
        assert!(waited <= RATE_LIMIT_QUEUE_US + 1_000);
    }
}

#[test]
fn a_link_slower_than_one_datagram_in_its_queue_still_passes_some() {
    let config =
        FakeDirectionConfig { rate_bytes_per_s: 100, burst_bytes: 0, ..Default::default() };
    let mut network = sending(13, config);
    // 1200 bytes take twelve seconds; one is offered each second.
    let arrivals = run(&mut network, 120, 1_200, 1_000_000);
    assert!((9..=11).contains(&arrivals.len()), "{}", arrivals.len());
}

#[test]
fn everything_together_repeats_by_seed() {
    let direction = FakeDirectionConfig {
        loss_pct: 5.0,
        lag_ms: 30,
        jitter_avg_ms: 10.0,
        reorder_pct: 5.0,
        dup_pct: 5.0,
        rate_bytes_per_s: 300_000,
        ..Default::default()
    };
    let result = |seed| run(&mut sending(seed, direction), 5_000, 700, 2_000);
    let first = result(42);
    assert_eq!(first, result(42));
    assert_ne!(first, result(43));
    assert!(overtaken(&first) > 0);
}

#[test]
fn turning_it_off_does_not_let_later_ones_overtake() {
    let mut network = sending(14, FakeDirectionConfig { lag_ms: 50, ..Default::default() });
    assert_eq!(network.handle(START, Direction::Send, remote(), b"first"), Verdict::Queued);
    network.configure(FakeNetworkConfig::default());
    assert!(network.is_active(Direction::Send), "one still waits");
    assert_eq!(network.handle(ms(10), Direction::Send, remote(), b"second"), Verdict::Queued);
    // Due but not yet taken: must not be overtaken either.
    assert_eq!(network.handle(ms(60), Direction::Send, remote(), b"third"), Verdict::Queued);
    let order: Vec<_> = std::iter::from_fn(|| network.poll_ready(ms(60)))
        .map(|(_, _, datagram)| datagram)
        .collect();
    let expected: [&[u8]; 3] = [b"first", b"second", b"third"];
    assert_eq!(order, expected);
    assert!(!network.is_active(Direction::Send));
    assert_eq!(network.handle(ms(61), Direction::Send, remote(), b"fourth"), Verdict::Pass);
}

#[test]
fn the_queue_is_bounded_in_datagrams_and_bytes() {
    let config = FakeDirectionConfig { lag_ms: 5_000, ..Default::default() };
    let mut network = sending(15, config);
    for _ in 0..MAX_QUEUED_DATAGRAMS {
        assert_eq!(network.handle(START, Direction::Send, remote(), b"x"), Verdict::Queued);
    }
    assert_eq!(network.handle(START, Direction::Send, remote(), b"x"), Verdict::Drop);
    assert_eq!(network.counters(Direction::Send).queue_full, 1);

    let mut network = sending(15, config);
    let big = vec![0; 60_000];
    let fits = MAX_QUEUED_BYTES / big.len();
    for _ in 0..fits {
        assert_eq!(network.handle(START, Direction::Send, remote(), &big), Verdict::Queued);
    }
    assert_eq!(network.handle(START, Direction::Send, remote(), &big), Verdict::Drop);
    // What leaves makes room.
    assert!(network.poll_ready(ms(5_000)).is_some());
    assert_eq!(network.handle(ms(5_000), Direction::Send, remote(), &big), Verdict::Queued);
}

#[test]
fn senseless_values_are_moved_into_range() {
    let absurd = FakeDirectionConfig {
        loss_pct: f32::NAN,
        lag_ms: -7,
        jitter_avg_ms: f32::INFINITY,
        jitter_max_ms: 1e30,
        jitter_pct: -1.0,
        reorder_pct: f32::NEG_INFINITY,
        dup_pct: 1_000.0,
        rate_bytes_per_s: i32::MIN,
        burst_bytes: i32::MIN,
    };
    let mut network = FakeNetwork::new(16);
    network.configure(FakeNetworkConfig {
        send: absurd,
        recv: absurd,
        reorder_time_ms: i32::MAX,
        dup_time_max_ms: i32::MIN,
    });
    let expected = FakeDirectionConfig {
        loss_pct: 0.0,
        lag_ms: 0,
        jitter_avg_ms: 5_000.0,
        jitter_max_ms: 5_000.0,
        jitter_pct: 0.0,
        reorder_pct: 0.0,
        dup_pct: 100.0,
        rate_bytes_per_s: 0,
        burst_bytes: 0,
    };
    assert_eq!(network.config().send, expected);
    assert_eq!(network.config().reorder_time_ms, MAX_LAG_MS);
    assert_eq!(network.config().dup_time_max_ms, 0);
    let _ = network.handle(Time::FAR_FUTURE, Direction::Send, remote(), b"x");
    assert_eq!(network.counters(Direction::Send).duplicated, 1);
}
