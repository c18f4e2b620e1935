//! The rows of lessons.md 5.2 that touch acks, by name.

use super::*;

#[test]
fn gns_410_stop_waiting_beyond_the_newest_never_acks_what_did_not_come() {
    for before in [10, 50, 99] {
        let mut acks = ReceivedPackets::new(1);
        receive(&mut acks, [2, 3, 5]);
        // Legal as far as the frame goes: below its own packet's number, beyond all others.
        assert!(!acks.on_stop_waiting(100, before));
        assert!(write(&mut acks, settled(), ROOM).is_none(), "nothing received is asked for");
        receive(&mut acks, [100]);
        let said = write(&mut acks, settled(), ROOM).expect("100 came");
        assert_eq!(said.latest, 100);
        assert_eq!(said.acked(before), BTreeSet::from([100]));
    }
}

#[test]
fn gns_410_nonsense_stop_waiting_is_ignored_not_fatal() {
    let mut acks = ReceivedPackets::new(1);
    receive(&mut acks, [2, 3, 5]);
    for (packet, before) in [(6, 6), (6, 7), (6, u64::MAX), (0, 0), (5, u64::MAX)] {
        assert!(acks.on_stop_waiting(packet, before), "{packet} {before}");
    }
    let said = write(&mut acks, settled(), ROOM).expect("something came");
    assert_eq!(said.acked(2), BTreeSet::from([2, 3, 5]));
}

#[test]
fn gns_414_honest_stop_waiting_out_of_order_is_no_anomaly() {
    let mut acks = ReceivedPackets::new(1);
    receive(&mut acks, 2..1000);
    assert!(!acks.on_stop_waiting(1000, 700));
    assert!(!acks.on_stop_waiting(1000, 700), "twice the same");
    assert!(!acks.on_stop_waiting(990, 500), "an older packet knows less");
    assert!(!acks.on_stop_waiting(1001, 700), "no news");
    assert!(acks.on_stop_waiting(1002, 600), "a newer packet takes it back");
    receive(&mut acks, [1000, 1001, 1002]);
    let said = write(&mut acks, START, ROOM).expect("something came");
    assert_eq!((said.latest, said.missing), (1002, vec![]));
}

#[test]
fn lesson_692c40f_packet_numbers_beyond_32_bits() {
    for centre in [1u64 << 16, 1 << 31, 1 << 32, 1 << 48] {
        let mut acks = ReceivedPackets::new(centre - 300);
        let lost = |number: u64| number.is_multiple_of(50);
        for number in (centre - 299..centre + 300).filter(|&number| !lost(number)) {
            assert_eq!(acks.expand(number as u16), number);
            assert_eq!(acks.freshness(number), Freshness::New);
            acks.on_packet(START, number, AckNeed::Delayed, true);
            assert_eq!(acks.freshness(number), Freshness::Duplicate);
        }
        let said = write(&mut acks, settled(), ROOM).expect("something came");
        assert_eq!(said.latest, centre + 299);
        for number in centre - 299..centre + 300 {
            assert_eq!(said.received(number), !lost(number), "{number}");
        }
        assert!(!acks.on_stop_waiting(centre + 300, centre));
        let said = write(&mut acks, settled(), ROOM).expect("something came");
        assert!(said.missing.iter().all(|&(last, _)| last >= centre));
    }
}

#[test]
fn lesson_692c40f_a_low_number_expands_to_nothing_below_zero() {
    let acks = ReceivedPackets::new(1);
    assert_eq!(acks.expand(0xffff), 0xffff);
    assert_eq!(acks.expand(0), 0);
}

#[test]
fn lesson_a39de80_a_refused_packet_is_seen_but_never_acked() {
    let mut acks = ReceivedPackets::new(1);
    receive(&mut acks, [2]);
    acks.on_packet(START, 3, AckNeed::Delayed, false);
    assert_eq!((acks.freshness(3), acks.newest()), (Freshness::Duplicate, 3));
    assert_eq!(write(&mut acks, settled(), ROOM).map(|said| said.latest), Some(2));
    receive(&mut acks, [4]);
    let said = write(&mut acks, settled(), ROOM).expect("something came");
    assert_eq!((said.latest, said.missing), (4, vec![(3, 1)]));
}

#[test]
fn gns_20_every_packet_replayed_is_a_duplicate() {
    let mut acks = ReceivedPackets::new(1);
    for number in [2, 3, 7, 5, 4, 2000, 1000, 6, 2001] {
        assert_eq!(acks.freshness(number), Freshness::New, "{number}");
        acks.on_packet(START, number, AckNeed::None, true);
        for _ in 0..3 {
            assert_eq!(acks.freshness(number), Freshness::Duplicate, "{number}");
        }
    }
    acks.on_packet(START, 2002 + DUPLICATE_WINDOW, AckNeed::None, true);
    assert_eq!(acks.freshness(2002), Freshness::TooOld);
    assert_eq!(acks.freshness(2003), Freshness::New);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Lesson 0e4365d: under heavy reordering with some loss, reliable data never waits longer for
    /// its ack than the delays say, and a driver that obeys the deadline never spins.
    #[test]
    fn lesson_0e4365d_the_ack_deadline_holds_under_reordering(
        steps in prop::collection::vec((0u64..12, 0u64..1500, any::<bool>(), 0u8..20), 1..200),
    ) {
        let longest = MAX_ACK_DELAY + REORDER_WAIT;
        let mut acks = ReceivedPackets::new(1);
        let mut now = START;
        let mut held: Vec<u64> = vec![];
        let mut waiting: BTreeMap<u64, Time> = BTreeMap::new();
        for (next, (index, wait, reliable, luck)) in (2u64..).zip(steps) {
            let arrival = now.plus_micros(wait);
            let mut spins = 0;
            while let Some(deadline) = acks.deadline().filter(|&deadline| deadline <= arrival) {
                now = now.max(deadline);
                let said = write(&mut acks, now, ROOM).expect("a deadline has something to say");
                waiting.retain(|&number, _| number > said.latest || !said.received(number));
                spins += 1;
                prop_assert!(spins < 100, "the deadline spins");
            }
            now = arrival;
            held.push(next);
            if held.len() < 8 && luck < 15 {
                continue;
            }
            let number = held.swap_remove(index as usize % held.len());
            if luck == 0 {
                continue; // lost
            }
            let need = if reliable { AckNeed::Delayed } else { AckNeed::None };
            if acks.freshness(number) == Freshness::New {
                acks.on_packet(now, number, need, true);
                if reliable {
                    waiting.insert(number, now);
                }
            }
            for (number, &since) in &waiting {
                let deadline = acks.deadline();
                prop_assert!(
                    deadline.is_some_and(|deadline| deadline <= since + longest),
                    "{} waits since {:?}, deadline {:?}", number, since, deadline
                );
            }
        }
    }
}
