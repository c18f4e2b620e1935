//! Reliable items against a model: whatever is lost, doubled or late, each comes once and in order.

use std::time::Duration;

use gamewire_crypto::{Entropy as _, SeededEntropy};
use gamewire_proto::Time;

use super::super::queue::SignalQueue;

#[test]
fn items_arrive_once_and_in_order_over_a_bad_channel() {
    for seed in 0..200 {
        let mut entropy = SeededEntropy::new(seed);
        let (mut sender, mut receiver) = (SignalQueue::default(), SignalQueue::default());
        let mut now = Time::from_micros(1_000_000);
        let mut way: Vec<(Time, u32, Vec<_>)> = Vec::new();
        let mut acks: Vec<(Time, u32)> = Vec::new();
        let (mut pushed, mut got) = (0, Vec::new());
        for _ in 0..4000 {
            now += Duration::from_millis(10);
            if pushed < 40 && entropy.next_u32().is_multiple_of(8) {
                sender.push_candidate(now, format!("candidate {pushed} {}", "x".repeat(90)));
                pushed += 1;
            }
            if sender.is_due(now) {
                let (first, items) = sender.take(now, 100);
                for _ in 0..entropy.next_u32() % 3 {
                    let delay = Duration::from_millis(u64::from(entropy.next_u32() % 300));
                    way.push((now + delay, first, items.clone()));
                }
            }
            let (due, later): (Vec<_>, Vec<_>) = way.drain(..).partition(|(at, ..)| *at <= now);
            way = later;
            for (_, first, items) in due {
                got.extend(receiver.on_items(now, first, &items));
                if !entropy.next_u32().is_multiple_of(3) {
                    acks.push((now, receiver.received()));
                }
            }
            for (_, ack) in acks.drain(..) {
                sender.on_ack(ack);
            }
        }
        let lines: Vec<String> = got
            .into_iter()
            .map(|item| item.ice.unwrap().add_candidate.unwrap().candidate.unwrap())
            .collect();
        let expected: Vec<String> =
            (0..40).map(|n| format!("candidate {n} {}", "x".repeat(90))).collect();
        assert_eq!(lines, expected, "seed {seed}");
    }
}

#[test]
fn an_ack_of_what_was_never_sent_frees_nothing() {
    let mut queue = SignalQueue::default();
    let now = Time::from_micros(1_000_000);
    queue.push_password(now, "abcde".to_owned());
    queue.on_ack(u32::MAX);
    let (first, items) = queue.take(now, 0);
    assert_eq!((first, items.len()), (1, 1));
}
