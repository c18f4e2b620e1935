use std::time::Duration;

use super::{bandwidth::Bandwidth, delay::Delay, losses::Losses, rival::Rival, *};
use crate::congestion::ModelState;

const T0: Time = Time::from_micros(1_000_000_000);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn model(min: u32, max: u32) -> Model {
    let config = SendConfig { rate_min: min, rate_max: max, ..SendConfig::default() };
    Model::new(&config, Some(ms(50)))
}

fn rate_sample(bytes: u64, interval: Duration, app_limited: bool) -> AckSample {
    AckSample { delivered: bytes, interval, app_limited, ..AckSample::default() }
}

#[test]
fn begins_at_the_initial_rate_inside_the_bounds() {
    let table = [
        (1024, UNLIMITED_RATE, INITIAL_RATE),
        (1024, 100_000, 100_000),
        (1_000_000, UNLIMITED_RATE, 1_000_000),
        (0, 500, LOWEST_RATE),
    ];
    for (min, max, expected) in table {
        let model = model(min, max);
        assert_eq!(model.pacing_rate(), Some(expected), "{min} {max}");
        assert_eq!(model.estimate().state, Some(ModelState::Startup));
        assert!(model.congestion_window() >= MIN_WINDOW);
    }
}

#[test]
fn a_configured_least_rate_is_never_held_back_by_the_window() {
    let mut model = model(10_000_000, UNLIMITED_RATE);
    for _ in 0..10 {
        model.on_pto(T0);
    }
    assert!(model.congestion_window() >= 500_000, "{}", model.congestion_window());
    assert!(model.pacing_rate() >= Some(10_000_000));
}

#[test]
fn quiet_rounds_do_not_wear_the_bandwidth_down() {
    let mut bandwidth = Bandwidth::default();
    bandwidth.on_acked(&rate_sample(100_000, ms(100), false));
    bandwidth.next_round();
    for _ in 0..1000 {
        bandwidth.on_acked(&rate_sample(100, ms(100), true));
        bandwidth.next_round();
    }
    assert_eq!(bandwidth.best(), 1_000_000);
    bandwidth.on_acked(&rate_sample(200_000, ms(100), true));
    assert_eq!(bandwidth.best(), 2_000_000, "a better one counts all the same");
    for _ in 0..40 {
        bandwidth.on_acked(&rate_sample(50_000, ms(100), false));
        bandwidth.next_round();
    }
    assert_eq!(bandwidth.best(), 500_000);
}

#[test]
fn rates_over_less_than_a_round_trip_are_not_believed() {
    let mut bandwidth = Bandwidth::default();
    let sample = AckSample { min_rtt: Some(ms(50)), ..rate_sample(100_000, ms(10), false) };
    bandwidth.on_acked(&sample);
    bandwidth.on_acked(&rate_sample(100_000, Duration::ZERO, false));
    assert_eq!(bandwidth.best(), 0);
}

#[test]
fn one_late_packet_is_no_queue() {
    let mut delay = Delay::default();
    for _ in 0..10 {
        delay.on_sample(T0, ms(50));
    }
    delay.on_sample(T0, ms(90));
    assert_eq!(delay.queue(), Duration::ZERO);
    for _ in 0..5 {
        delay.on_sample(T0, ms(62));
    }
    assert_eq!(delay.queue(), ms(12));
    assert_eq!(delay.peak(), ms(12));
    assert!(!delay.is_stale(T0 + ms(9_000)) && delay.is_stale(T0 + ms(10_000)));
    delay.renew(T0 + ms(10_000));
    assert_eq!(delay.least(), Some(ms(62)));
}

#[test]
fn loss_by_chance_becomes_usual_and_is_made_up_for() {
    let lost = LossSample { bytes: 2000, packets: 2, ..LossSample::default() };
    let mut losses = Losses::default();
    for _ in 0..200 {
        losses.on_acked(98_000);
        losses.on_lost(&lost, false);
        assert!(!losses.is_excessive());
        losses.next_round();
    }
    assert!((19_000..=20_000).contains(&losses.usual_ppm()), "{}", losses.usual_ppm());
    assert!((1_019_000..1_021_000).contains(&losses.made_up_for(1_000_000)));
    losses.on_acked(80_000);
    losses.on_lost(&LossSample { bytes: 20_000, packets: 20, ..lost }, false);
    assert!(losses.is_excessive());
    losses.next_round();
    let before = losses.usual_ppm();
    losses.on_lost(&LossSample { bytes: 20_000, packets: 20, ..lost }, true);
    losses.next_round();
    assert_eq!(losses.usual_ppm(), before, "loss at a full queue is not usual");
}

#[test]
fn a_rival_gives_way_once_a_round_and_comes_back() {
    let mut rival = Rival::new(1_000_000, 0);
    let start = rival.window();
    rival.on_congestion(T0, T0);
    assert_eq!(rival.window(), start * 7 / 10);
    rival.on_congestion(T0 + ms(10), Time::from_micros(T0.as_micros() - 1));
    assert_eq!(rival.window(), start * 7 / 10, "that packet left before the cut");
    let mut now = T0;
    for _ in 0..200 {
        now += ms(50);
        rival.on_acked(now, rival.window(), ms(50));
    }
    assert!(rival.window() > start, "{}", rival.window());
    for _ in 0..100 {
        now += ms(50);
        rival.on_congestion(now, now);
    }
    assert_eq!(rival.window(), MIN_WINDOW);
}
