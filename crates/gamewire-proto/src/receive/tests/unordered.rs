use super::*;

fn extended(receiver: &mut Receiver, segment: UnreliableSegment<'_>) -> Accepted {
    receiver.begin_packet();
    let accepted =
        receiver.extended(&ExtendedSegment { kind: SegmentKind::ReliableUnordered, segment });
    check(receiver);
    accepted
}

#[test]
fn delivered_as_they_complete_once_each() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    for number in [3, 1, 3, 2, 1, 900, 2] {
        let data = content(number, 20);
        assert_eq!(extended(&mut receiver, segment(number, 0, true, &data)), Accepted::Yes);
    }
    let message = receiver.poll_message().expect("whole");
    assert_eq!((message.number, message.reliable), (3, true));
    receiver.consumed(1, 20);
    assert_eq!(numbers(&mut receiver), [1, 2, 900]);
}

#[test]
fn nothing_is_lost_while_it_is_unfinished() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    assert_eq!(extended(&mut receiver, segment(5, 0, false, b"abc")), Accepted::Yes);
    let last = 5 + UNORDERED_WINDOW - 1;
    assert_eq!(extended(&mut receiver, segment(last, 0, true, b"x")), Accepted::Yes);
    let beyond = segment(last + 1, 0, true, b"x");
    assert_eq!(extended(&mut receiver, beyond), Accepted::Refused(Refusal::FarAhead));
    assert_eq!(extended(&mut receiver, segment(5, 3, true, b"d")), Accepted::Yes);
    assert_eq!(extended(&mut receiver, beyond), Accepted::Yes);
    assert_eq!(numbers(&mut receiver), [last, 5, last + 1]);
}

#[test]
fn too_large_and_contradictory_ones_are_refused() {
    let mut receiver = Receiver::new(limits(10_000, 100));
    let impossible = Accepted::Refused(Refusal::Impossible);
    assert_eq!(extended(&mut receiver, segment(1, 50, false, &[0; 51])), impossible);
    assert_eq!(extended(&mut receiver, segment(1, u32::MAX, true, &[0; 51])), impossible);
    assert_eq!(extended(&mut receiver, segment(1, 50, true, &[0; 50])), Accepted::Yes);
    assert_eq!(extended(&mut receiver, segment(1, 50, true, &[0; 49])), impossible);
    assert_eq!(extended(&mut receiver, segment(1, 0, true, &[0; 99])), impossible);
    assert_eq!(receiver.buffered_bytes(), 50);
}

#[test]
fn a_full_queue_refuses_and_nothing_changes() {
    let mut receiver = Receiver::new(ReceiveLimits { buffer_messages: 1, ..limits(4000, 2000) });
    assert_eq!(extended(&mut receiver, segment(1, 0, true, b"a")), Accepted::Yes);
    let full = Accepted::Refused(Refusal::QueueFull);
    assert_eq!(extended(&mut receiver, segment(2, 0, true, b"b")), full);
    assert_eq!(extended(&mut receiver, segment(1, 0, true, b"a")), Accepted::Yes);
    assert_eq!(numbers(&mut receiver), [1]);
    assert_eq!(extended(&mut receiver, segment(2, 0, true, b"b")), Accepted::Yes);
    assert_eq!(numbers(&mut receiver), [2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A sender that repeats what was refused gets everything through, once, whatever the order and
    /// however small the buffer; a reliable stream and lost unreliable numbers in between.
    #[test]
    fn everything_gets_through_once(
        lens in prop::collection::vec(prop_oneof![1usize..100, 1usize..4000], 1..20),
        cut in 200usize..1300,
        buffer in prop_oneof![Just(1usize << 20), 4000usize..9000],
        seed in any::<u64>(),
    ) {
        let mut receiver = Receiver::new(ReceiveLimits { buffer_messages: 3, ..limits(buffer, 4000) });
        let mut waiting = vec![];
        for (index, &len) in (1u64..).zip(&lens) {
            for from in (0..len).step_by(cut) {
                waiting.push((index * 3, from, (from + cut).min(len), len));
            }
        }
        let stream = stream_of(&[3000, 3000]);
        let mut stream_waiting: Vec<usize> = (0..stream.len()).step_by(500).collect();
        let (mut seen, mut in_order) = (vec![], vec![]);
        let mut random = seed | 1;
        for _ in 0..100 {
            waiting.sort_by_cached_key(|&(number, from, ..)| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) ^ number ^ from as u64
            });
            waiting.retain(|&(number, from, to, len)| {
                let data = &content(number, len)[from..to];
                extended(&mut receiver, segment(number, from as u32, to == len, data)) != Accepted::Yes
            });
            stream_waiting.retain(|&from| {
                let data = &stream[from..(from + 500).min(stream.len())];
                reliable(&mut receiver, 1, 1 + from as u64, data) != Accepted::Yes
            });
            while let Some(message) = receiver.poll_message() {
                receiver.consumed(1, message.payload.len());
                if message.lane == 1 {
                    in_order.push(message.number);
                } else {
                    let len = lens[message.number as usize / 3 - 1];
                    prop_assert_eq!(&message.payload, &content(message.number, len));
                    seen.push(message.number);
                }
            }
        }
        prop_assert!(waiting.is_empty() && stream_waiting.is_empty(), "starved");
        seen.sort_unstable();
        prop_assert_eq!(seen, (1..=lens.len() as u64).map(|index| index * 3).collect::<Vec<_>>());
        prop_assert_eq!(in_order, [1, 2]);
        prop_assert_eq!(receiver.buffered_bytes(), 0);
    }
}
