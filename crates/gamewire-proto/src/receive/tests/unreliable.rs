use super::*;

fn give(receiver: &mut Receiver, segment: &UnreliableSegment<'_>) {
    receiver.begin_packet();
    assert_eq!(receiver.unreliable(segment), Accepted::Yes);
    check(receiver);
}

#[test]
fn whole_messages_are_delivered_at_once_and_once() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    for number in [5, 1, 5, 9, 9, 1, 2] {
        give(&mut receiver, &segment(number, 0, true, &content(number, 50)));
    }
    let expected: Vec<_> = [5, 1, 9, 2].map(|number| (number, content(number, 50))).into();
    assert_eq!(take(&mut receiver), expected);
    assert_eq!(receiver.message_number_hint(0), 10);
}

#[test]
fn fragments_in_any_order() {
    let whole = content(1, 3500);
    let parts = [(0, 1000), (1000, 2000), (2000, 3500)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut receiver = Receiver::new(ReceiveLimits::default());
        for _ in 0..3 {
            for index in order {
                let (from, to) = parts[index];
                give(&mut receiver, &segment(1, from as u32, to == 3500, &whole[from..to]));
            }
        }
        assert_eq!(take(&mut receiver), [(1, whole.clone())], "{order:?}");
        assert_eq!(receiver.buffered_bytes(), 0);
    }
}

#[test]
fn an_empty_last_segment_ends_a_message() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    give(&mut receiver, &segment(1, 3, true, b""));
    give(&mut receiver, &segment(1, 0, false, b"abc"));
    give(&mut receiver, &segment(2, 0, true, b""));
    assert_eq!(take(&mut receiver), [(1, b"abc".to_vec()), (2, vec![])]);
}

#[test]
fn segments_that_contradict_each_other_are_ignored() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    give(&mut receiver, &segment(1, 3, true, b"def"));
    give(&mut receiver, &segment(1, 3, true, b"de"));
    give(&mut receiver, &segment(1, 5, false, b"xyz"));
    give(&mut receiver, &segment(1, 0, false, b"abc"));
    give(&mut receiver, &segment(2, 4, false, b"e"));
    give(&mut receiver, &segment(2, 0, true, b""));
    assert_eq!(take(&mut receiver), [(1, b"abcdef".to_vec()), (2, vec![])]);
    assert_eq!(receiver.buffered_bytes(), 0);
}

#[test]
fn unfinished_messages_are_given_up_oldest_first() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    for number in 1..=1000 {
        give(&mut receiver, &segment(number, 0, false, &[1; 100]));
    }
    assert_eq!(receiver.fragments.check(), (MAX_PARTIAL_SEGMENTS, MAX_PARTIAL_SEGMENTS));
    give(&mut receiver, &segment(1000, 100, true, b"x"));
    give(&mut receiver, &segment(2, 100, true, b"x"));
    assert_eq!(numbers(&mut receiver), [1000]);
}

#[test]
fn a_full_queue_refuses() {
    let mut receiver = Receiver::new(ReceiveLimits { buffer_messages: 2, ..limits(4000, 2000) });
    give(&mut receiver, &segment(1, 0, true, b"a"));
    give(&mut receiver, &segment(2, 0, true, b"b"));
    let third = segment(3, 0, true, b"c");
    assert_eq!(receiver.unreliable(&third), Accepted::Refused(Refusal::QueueFull));
    assert_eq!(numbers(&mut receiver), [1, 2]);
    give(&mut receiver, &third);
    assert_eq!(numbers(&mut receiver), [3]);
    for number in [4, 5] {
        let expected =
            if number == 4 { Accepted::Yes } else { Accepted::Refused(Refusal::BufferFull) };
        let large = content(number, 2000);
        assert_eq!(receiver.unreliable(&segment(number, 0, true, &large)), expected);
        receiver.set_limits(limits(3000, 2000));
    }
}

#[test]
fn sequenced_drops_what_is_older() {
    for by_lane in [true, false] {
        let mut receiver = Receiver::new(ReceiveLimits::default());
        if by_lane {
            receiver.set_lane_mode(0, DeliveryMode::Sequenced);
        }
        let mut give = |segment: UnreliableSegment<'_>| {
            let accepted = if by_lane {
                receiver.unreliable(&segment)
            } else {
                receiver.extended(&ExtendedSegment { kind: SegmentKind::Sequenced, segment })
            };
            assert_eq!(accepted, Accepted::Yes);
            check(&receiver);
        };
        give(segment(3, 0, false, b"older"));
        give(segment(7, 0, false, b"new"));
        give(segment(5, 0, true, b"five"));
        give(segment(4, 0, true, b"four"));
        give(segment(3, 5, true, b"x"));
        give(segment(7, 3, true, b"er"));
        give(segment(6, 0, true, b"six"));
        assert_eq!(take(&mut receiver), [(5, b"five".to_vec()), (7, b"newer".to_vec())]);
        assert_eq!(receiver.buffered_bytes(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Honest fragments, lost, repeated and shuffled: at most once, and only what was sent.
    #[test]
    fn at_most_once_and_only_what_was_sent(
        lens in prop::collection::vec(1usize..3000, 1..12),
        picks in prop::collection::vec((any::<prop::sample::Index>(), 1u32..4), 0..80),
    ) {
        let mut all = vec![];
        for (number, &len) in (1u64..).zip(&lens) {
            for from in (0..len).step_by(700) {
                all.push((number, from, (from + 700).min(len)));
            }
        }
        let mut receiver = Receiver::new(ReceiveLimits::default());
        let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
        let mut given: BTreeMap<u64, std::collections::BTreeSet<usize>> = BTreeMap::new();
        for (pick, times) in picks {
            let &(number, from, to) = pick.get(&all);
            let len = lens[number as usize - 1];
            let data = &content(number, len)[from..to];
            for _ in 0..times {
                give(&mut receiver, &segment(number, from as u32, to == len, data));
            }
            given.entry(number).or_default().insert(from);
            for (number, payload) in take(&mut receiver) {
                prop_assert_eq!(&payload, &content(number, lens[number as usize - 1]));
                *seen.entry(number).or_default() += 1;
            }
        }
        for (number, starts) in given {
            let whole = starts.len() == lens[number as usize - 1].div_ceil(700);
            prop_assert_eq!(seen.get(&number).copied().unwrap_or(0), usize::from(whole));
        }
    }
}
