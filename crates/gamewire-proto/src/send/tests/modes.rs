//! Delivery modes beyond Valve's.

use super::*;
use crate::receive::UNORDERED_WINDOW;

fn with_mode(mode: DeliveryMode, features: u64) -> SendQueues {
    let mut queues = queues();
    queues.set_peer(PeerLimits { features, ..PeerLimits::default() });
    queues.configure_lanes(&[LaneConfig { mode, ..LaneConfig::default() }]).unwrap();
    queues
}

#[test]
fn delivery_modes_fall_back_towards_peers_without_them() {
    use DeliveryMode::{Sequenced, Standard, Unordered};
    let all = extensions::ALL;
    let table = [
        (Standard, all, [None, None]),
        (Unordered, all, [Some(SegmentKind::ReliableUnordered), None]),
        (Unordered, extensions::SEQUENCED, [None, None]),
        (Sequenced, all, [None, Some(SegmentKind::Sequenced)]),
        (Sequenced, extensions::RELIABLE_UNORDERED, [None, None]),
    ];
    for (mode, features, expected) in table {
        let (mut queues, mut model) = (with_mode(mode, features), Model::default());
        push(&mut queues, message(9, true));
        push(&mut queues, message(9, false));
        let kinds: Vec<_> = pass(&mut queues, &mut model, PACKET)
            .0
            .iter()
            .map(|segment| match segment {
                Seen::Extended { kind, .. } => Some(*kind),
                Seen::Reliable { .. } | Seen::Unreliable { .. } => None,
            })
            .collect();
        assert_eq!(kinds, expected, "{mode:?} {features}");
        let delivered = model.reliable.len() + model.unordered.len() + model.unreliable.len();
        assert_eq!(delivered, 2);
    }
}

#[test]
fn unordered_messages_are_tracked_singly() {
    let mut queues = with_mode(DeliveryMode::Unordered, extensions::ALL);
    let mut model = Model::default();
    for len in [0, 400, 3000, 400, 400] {
        push(&mut queues, message(len, true));
    }
    let mut packets = Vec::new();
    while queues.ready_at(after(10_000)).is_some() {
        packets.push(fill(&mut queues, after(10_000), PACKET));
    }
    assert_eq!(queues.sent_unacked_reliable_bytes(), 4200);
    model.packet(3, &packets[1].0);
    queues.on_acked(&packets[1].1);
    for (plaintext, sent) in packets.iter().skip(2) {
        model.packet(4, plaintext);
        queues.on_acked(sent);
    }
    assert_eq!(model.unordered.len(), 2, "they do not wait for the first packet");
    queues.on_lost(&packets[0].1);
    queues.on_lost(&packets[0].1);
    let mut resent = Vec::new();
    while queues.ready_at(NOW).is_some() {
        let (_, sent) = pass(&mut queues, &mut model, 300);
        resent.push(sent);
    }
    assert_eq!(model.unordered.len(), 5);
    for sent in &resent {
        queues.on_acked(sent);
    }
    assert!(queues.all_reliable_acked());
    assert_eq!(queues.backlog(), Backlog::default());
    queues.on_lost(&packets[0].1); // long acknowledged
    assert_eq!(queues.ready_at(NOW), None);
}

/// Probes and late losses report the same data again and again. Were each report answered by a copy,
/// and each lost copy by another, a peer that has no room would be flooded.
#[test]
fn unordered_data_lost_many_times_goes_once() {
    let mut queues = with_mode(DeliveryMode::Unordered, extensions::ALL);
    for len in [0, 400, 3000] {
        push(&mut queues, message(len, true));
    }
    let mut sent = Vec::new();
    for round in 0..10 {
        let mut bytes = 0;
        while queues.ready_at(after(10_000)).is_some() {
            let (plaintext, content) = fill(&mut queues, after(10_000), PACKET);
            bytes += plaintext.len();
            sent.push(content);
        }
        assert!((3400..3600).contains(&bytes), "round {round}: {bytes} bytes");
        for content in &sent {
            queues.on_lost(content);
        }
    }
    for content in &sent {
        queues.on_acked(content);
    }
    assert_eq!(queues.ready_at(after(10_000)), None);
    assert!(queues.all_reliable_acked());
}

#[test]
fn unordered_messages_in_flight_are_bounded() {
    let mut queues = with_mode(DeliveryMode::Unordered, extensions::ALL);
    let mut packets = Vec::new();
    for _ in 0..MAX_UNORDERED_IN_FLIGHT + 500 {
        push(&mut queues, message(1, true));
    }
    while queues.ready_at(after(10_000)).is_some() {
        packets.push(fill(&mut queues, after(10_000), PACKET).1);
    }
    assert_eq!(queues.sent_unacked_reliable_bytes(), MAX_UNORDERED_IN_FLIGHT as u64);
    for packet in &packets[1..] {
        queues.on_acked(packet);
    }
    assert_eq!(queues.ready_at(after(10_000)), None, "the first one holds the record");
    queues.on_acked(&packets[0]);
    assert!(queues.ready_at(after(10_000)).is_some());
}

/// A receiver that remembers fewer numbers than lie between a lost message and the newest one would
/// take its retransmission for a duplicate.
#[test]
fn an_unordered_message_never_falls_behind_the_receivers_window() {
    let mut queues = with_mode(DeliveryMode::Unordered, extensions::ALL);
    push(&mut queues, message(1, true));
    let lost = fill(&mut queues, after(10_000), PACKET).1;
    for _ in 1..UNORDERED_WINDOW {
        push(&mut queues, message(1, false));
        fill(&mut queues, after(10_000), PACKET);
    }
    push(&mut queues, message(1, true));
    assert_eq!(queues.ready_at(after(10_000)), None, "the window is used up");
    queues.on_lost(&lost);
    let again = fill(&mut queues, after(10_000), PACKET).1;
    queues.on_acked(&again);
    assert!(queues.ready_at(after(10_000)).is_some());
}
