//! What the sender learns of packets that nobody acknowledges unasked, or that are refused.

use super::*;
use crate::lane::{DeliveryMode, LaneConfig};

/// A receiver that takes few segments per packet leaves fuller ones unacknowledged, and says nothing
/// of why.
fn limited(max_segments: usize) -> [ConnectionConfig; 2] {
    let mut receiver = fast();
    receiver.receive.max_segments_per_packet = max_segments;
    [receiver, fast()]
}

/// Sends `count` tiny messages of which every `reliable_every`th is reliable.
fn tiny_messages(pair: &mut Pair, count: usize, reliable_every: usize) {
    for index in 0..count {
        let payload = vec![index as u8; index % 2];
        pair.send(1, message(payload, index % reliable_every == 0));
    }
}

fn reliable_received(pair: &Pair) -> usize {
    pair.hosts[0].messages.iter().filter(|message| message.reliable).count()
}

#[test]
fn a_peer_that_takes_few_segments_gets_every_reliable_message() {
    for (limit, mode) in [
        (64, DeliveryMode::Unordered),
        (4, DeliveryMode::Unordered),
        (1, DeliveryMode::Unordered),
        (64, DeliveryMode::Standard),
        (4, DeliveryMode::Standard),
        (1, DeliveryMode::Standard),
    ] {
        let mut pair = Pair::connected(limited(limit));
        let lane = LaneConfig { mode, ..LaneConfig::default() };
        pair.connection(1).configure_lanes(&[lane]).unwrap();
        tiny_messages(&mut pair, 2000, 2);
        pair.run(Duration::from_secs(8));
        assert!(pair.connection(1).queues.all_reliable_acked(), "{limit} {mode:?}");
        assert_eq!(reliable_received(&pair), 1000, "{limit} {mode:?}");
        assert_eq!(pair.connection(1).state(), ConnectionState::Connected);
    }
}

#[test]
fn what_a_peer_takes_per_packet_is_remembered() {
    let mut pair = Pair::connected(limited(4));
    // Each message its own segment, also when it goes again.
    let lane = LaneConfig { mode: DeliveryMode::Unordered, ..LaneConfig::default() };
    pair.connection(1).configure_lanes(&[lane]).unwrap();
    for _ in 0..10 {
        tiny_messages(&mut pair, 400, 2);
        pair.run(Duration::from_secs(1));
    }
    for round in 1..=20 {
        let before = reliable_received(&pair);
        tiny_messages(&mut pair, 100, 2);
        pair.run(Duration::from_millis(100));
        assert_eq!(reliable_received(&pair), before + 50, "round {round} waits for timers");
    }
}

#[test]
fn a_lost_unreliable_packet_with_nothing_behind_it_does_not_stay_in_flight() {
    let mut pair = Pair::connected([fast(), fast()]);
    pair.run(Duration::from_secs(1));
    pair.swallow = 1;
    pair.send(1, message(vec![1; 900], false));
    pair.run(Duration::from_millis(30));
    let in_flight =
        |pair: &mut Pair| pair.connection(1).session.as_ref().unwrap().recovery.bytes_in_flight();
    assert!(in_flight(&mut pair) > 900);
    pair.run(Duration::from_secs(1));
    assert_eq!(in_flight(&mut pair), 0);
    assert!(pair.hosts[0].messages.is_empty());
}
