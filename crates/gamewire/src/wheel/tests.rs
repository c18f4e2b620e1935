use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn at(micros: u64) -> Time {
    Time::from_micros(micros)
}

fn due(wheel: &mut TimerWheel<u32>, now: u64) -> Vec<(u64, u32)> {
    let mut fired = Vec::new();
    while let Some((deadline, target)) = wheel.pop_due(at(now)) {
        fired.push((deadline.as_micros(), target));
    }
    fired
}

#[test]
fn timers_fire_in_order_and_never_early() {
    let mut wheel = TimerWheel::new();
    for (deadline, target) in [(5_000_000, 3), (70, 2), (3, 1), (1 << 40, 4)] {
        wheel.insert(at(deadline), target);
    }
    assert_eq!(wheel.next_deadline(), Some(at(3)));
    assert_eq!(due(&mut wheel, 2), []);
    assert_eq!(due(&mut wheel, 80), [(3, 1), (70, 2)]);
    assert_eq!(wheel.next_deadline(), Some(at(5_000_000)));
    assert_eq!(due(&mut wheel, 4_999_999), []);
    assert_eq!(due(&mut wheel, 5_000_000), [(5_000_000, 3)]);
    assert_eq!(due(&mut wheel, 1 << 41), [(1 << 40, 4)]);
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn a_deadline_of_the_past_is_due_at_once() {
    let mut wheel = TimerWheel::new();
    assert_eq!(due(&mut wheel, 1_000_000), []);
    wheel.insert(at(7), 1);
    assert_eq!(wheel.next_deadline(), Some(at(7)));
    assert_eq!(due(&mut wheel, 1_000_000), [(7, 1)]);
}

#[test]
fn the_far_future_is_kept_and_told_exactly() {
    let mut wheel = TimerWheel::new();
    wheel.insert(Time::FAR_FUTURE, 1);
    assert_eq!(wheel.next_deadline(), Some(Time::FAR_FUTURE));
    assert_eq!(due(&mut wheel, 1 << 55), []);
    wheel.insert(at((1 << 55) + 1), 2);
    assert_eq!(due(&mut wheel, (1 << 55) + 1), [((1 << 55) + 1, 2)]);
}

#[test]
fn the_memory_of_fired_timers_is_used_again() {
    let mut wheel = TimerWheel::new();
    for round in 0..1000 {
        for target in 0..10 {
            wheel.insert(at(round * 1_000 + u64::from(target) * 99), target);
        }
        assert_eq!(due(&mut wheel, round * 1_000 + 999).len(), 10);
    }
    assert_eq!(wheel.capacity(), 10);
}

#[test]
fn a_timer_is_brought_forward_but_never_put_off() {
    let mut wheel = TimerWheel::new();
    let moved = wheel.insert(at(1_000_000), 1);
    wheel.insert(at(1_000_001), 2);
    wheel.bring_forward(moved, at(2_000_000));
    wheel.bring_forward(moved, at(5));
    assert_eq!(wheel.next_deadline(), Some(at(5)));
    assert_eq!(due(&mut wheel, 6), [(5, 1)]);
    // One look that is for nothing, as nobody knew who else was in the slot.
    assert_eq!(due(&mut wheel, 1_000_000), []);
    assert_eq!(wheel.next_deadline(), Some(at(1_000_001)));
}

#[derive(Clone, Debug)]
enum Step {
    Insert {
        ahead: i64,
    },
    /// Brings the timer of an earlier step forward, by a part of its time.
    BringForward {
        which: prop::sample::Index,
        part: u64,
    },
    Advance {
        by: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // As many timers close by as far ahead: every level sees some.
    let ahead = (0_u32..52, 0..1000_i64).prop_map(|(bits, more)| (1_i64 << bits) + more - 500);
    let by = (0_u32..45, 0..1000_u64).prop_map(|(bits, more)| (1_u64 << bits) / 2 + more);
    let step = prop_oneof![
        3 => ahead.prop_map(|ahead| Step::Insert { ahead }),
        1 => (any::<prop::sample::Index>(), 0..=8_u64)
            .prop_map(|(which, part)| Step::BringForward { which, part }),
        1 => by.prop_map(|by| Step::Advance { by }),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #[test]
    fn the_wheel_does_what_a_sorted_list_does(start in 0_u64..1 << 50, steps in steps()) {
        let mut wheel = TimerWheel::new();
        let mut model: Vec<(u64, u32)> = Vec::new();
        let mut names = HashMap::new();
        let (mut now, mut before) = (start, 0);
        for (number, step) in (0_u32..).zip(steps) {
            match &step {
                Step::Insert { ahead } => {
                    let deadline = now.saturating_add_signed(*ahead);
                    names.insert(number, wheel.insert(at(deadline), number));
                    model.push((deadline, number));
                }
                Step::BringForward { which, part } => {
                    if !model.is_empty() {
                        let index = which.index(model.len());
                        let (deadline, number) = &mut model[index];
                        let to = *deadline / 8 * part;
                        wheel.bring_forward(names[number], at(to));
                        *deadline = to.min(*deadline);
                    }
                }
                Step::Advance { by } => now += by,
            }
            let next = model.iter().map(|(deadline, _)| at(*deadline)).min();
            prop_assert_eq!(wheel.next_deadline().is_some(), next.is_some());
            prop_assert!(wheel.next_deadline() <= next);
            if matches!(step, Step::Advance { .. }) {
                let fired = due(&mut wheel, now);
                // Those that were late when they were set may come in any order.
                prop_assert!(fired.is_sorted_by_key(|(deadline, _)| (*deadline).max(before)));
                before = now;
                let mut expected: Vec<_> =
                    model.extract_if(.., |(deadline, _)| *deadline <= now).collect();
                let mut sorted = fired.clone();
                sorted.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(sorted, expected);
            }
        }
    }
}
