//! The named scenarios, the kept seeds, and a sample of the swarm.

use std::num::NonZero;

use gamewire_sim::scenario::{Scenario, fixed, fixed_names, generate, kept_seeds};

/// Seeds of the sample; a nightly swarm takes others.
const SAMPLE: std::ops::Range<u64> = 1..151;

fn play(scenario: &Scenario) {
    scenario.run().assert_passed(scenario);
}

macro_rules! fixed_tests {
    ($($name:ident,)+) => {
        $(
            #[test]
            fn $name() {
                let name = stringify!($name);
                play(&fixed(name, 1).expect("a fixed scenario"));
            }
        )+

        #[test]
        fn every_fixed_scenario_has_its_test() {
            let tested = [$(stringify!($name)),+];
            let names: Vec<String> = fixed_names().collect();
            assert_eq!(names, tested);
        }
    };
}

fixed_tests! {
    clean,
    lossy,
    long_way,
    extreme_loss,
    slow_consumer,
    stalled_consumer,
    burst_of_packets,
    partition_healed,
    one_way_partition,
    partition_timeout,
    many_lanes,
    unlimited_rate,
    tiny_mtu,
    plain,
    handshake_loss,
    handshake_corruption,
    corruption,
    simultaneous_close,
    linger_under_loss,
    linger_both,
    delivery_modes,
    bursts_of_loss,
    several_connections,
    half_second_lag,
    small_packets_fast,
    few_segments,
    counters_16,
    counters_31,
    counters_32,
    counters_48,
}

#[test]
fn kept_seeds_stay_well() {
    for kept in kept_seeds() {
        let scenario = generate(kept.seed);
        let report = scenario.run();
        assert!(report.passed(), "seed {} ({}): {:?}", kept.seed, kept.found, report.violations);
    }
}

#[test]
fn every_line_of_the_kept_seeds_counts() {
    let text = include_str!("../seeds.txt");
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    assert_eq!(lines.count(), kept_seeds().len());
}

/// In threads: the seeds have nothing to do with each other.
#[test]
fn a_sample_of_the_swarm() {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get) as u64;
    std::thread::scope(|scope| {
        for turn in 0..threads {
            scope.spawn(move || {
                SAMPLE.filter(|seed| seed % threads == turn).for_each(|seed| play(&generate(seed)));
            });
        }
    });
}
