//! Runs that are wrong on purpose: if the checkers let one of them pass, they are blind.

use std::time::Duration;

use gamewire_proto::lane::{DeliveryMode, LaneConfig};
use gamewire_sim::{
    host::{Sabotage, Traffic},
    network::{Corrupts, LinkConfig},
    rng::PerMillion,
    scenario::{Cut, Expectation, Report, Scenario, fixed},
};

#[track_caller]
fn must_fail(report: &Report, why: &str) {
    let found: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|found| found.contains(why)), "no {why:?} in {found:#?}");
}

fn lossless(plain: bool) -> Scenario {
    let scenario = Scenario::new("canary", 4);
    let mut scenario = scenario
        .with_link(LinkConfig { delay: Duration::from_millis(5), ..LinkConfig::default() })
        .with_config(|config| config.unencrypted = if plain { 3 } else { 0 });
    scenario.sides[0].plan.traffic = vec![Traffic::reliable(100, 800)];
    scenario
}

fn sabotaged(sabotage: Sabotage) -> Report {
    let mut scenario = lossless(false);
    scenario.sides[1].plan.sabotage = Some(sabotage);
    scenario.run()
}

#[test]
fn the_honest_twin_passes() {
    lossless(false).run().assert_passed(&lossless(false));
    lossless(true).run().assert_passed(&lossless(true));
}

/// Without a seal an altered bit reaches the application, and the checkers see it there.
#[test]
fn corruption_without_a_seal_is_noticed() {
    let mut scenario = lossless(true);
    scenario.links[0].corrupt = PerMillion::percent(5);
    scenario.links[0].corrupts = Corrupts::DataOnly;
    assert!(!scenario.run().passed());
}

#[test]
fn a_lost_message_is_noticed() {
    must_fail(&sabotaged(Sabotage::DropMessage(50)), "missing before");
    must_fail(&sabotaged(Sabotage::DropMessage(100)), "not done in time");
}

#[test]
fn a_repeated_message_is_noticed() {
    must_fail(&sabotaged(Sabotage::RepeatMessage(30)), "twice");
}

#[test]
fn swapped_messages_are_noticed() {
    must_fail(&sabotaged(Sabotage::SwapMessages(20)), "missing before");
    let mut scenario = lossless(false);
    scenario.lanes = vec![LaneConfig { mode: DeliveryMode::Sequenced, ..LaneConfig::default() }];
    scenario.sides[0].plan.traffic[0].reliable = false;
    scenario.sides[1].plan.sabotage = Some(Sabotage::SwapMessages(20));
    must_fail(&scenario.run(), "older than");
}

/// An application that never consumes stops the sender for ever: liveness is checked.
#[test]
fn a_stuck_application_is_noticed() {
    let mut scenario = lossless(false).with_config(|config| config.receive.buffer_messages = 10);
    scenario.sides[1].plan.sabotage = Some(Sabotage::NeverConsume);
    must_fail(&scenario.run(), "not done in time");
}

/// A connection that dies where none may.
#[test]
fn a_death_is_noticed() {
    let mut scenario = lossless(false);
    scenario.cuts =
        vec![Cut { from: None, start: Duration::from_millis(50), end: Duration::from_secs(60) }];
    must_fail(&scenario.run(), "an honest connection died");
}

/// A timeout that was expected and does not come.
#[test]
fn a_missing_timeout_is_noticed() {
    let mut scenario = fixed("partition_timeout", 1).expect("a fixed scenario");
    scenario.cuts.clear();
    assert_eq!(scenario.expect, Expectation::Timeout);
    must_fail(&scenario.run(), "not done in time");
}
