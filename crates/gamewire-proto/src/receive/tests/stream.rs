use super::*;

#[test]
fn whole_messages_in_one_segment() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    let bytes = stream_of(&[5, 0, 31, 32, 700]);
    assert_eq!(receiver.stream_position_hint(0), 1);
    assert_eq!(reliable(&mut receiver, 0, 1, &bytes), Accepted::Yes);
    let expected: Vec<_> = (1..)
        .zip([5, 0, 31, 32, 700])
        .map(|(number, len)| (number, content(number, len)))
        .collect();
    assert_eq!(take(&mut receiver), expected);
    assert_eq!(receiver.stream_position_hint(0), 1 + bytes.len() as u64);
    assert_eq!((receiver.message_number_hint(0), receiver.message_number_hint(1)), (6, 1));
    assert_eq!(receiver.buffered_bytes(), 0);
}

#[test]
fn numbers_leave_out_what_was_sent_otherwise() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    let bytes = [encode(3, b"a"), encode(1, b"b"), encode(1000, b"c")].concat();
    assert_eq!(reliable(&mut receiver, 7, 1, &bytes), Accepted::Yes);
    let message = receiver.poll_message().expect("whole");
    assert_eq!((message.lane, message.number, message.reliable), (7, 3, true));
    assert_eq!(numbers_after(&mut receiver), [4, 1004]);
    assert_eq!(receiver.message_number_hint(7), 1005);
}

fn numbers_after(receiver: &mut Receiver) -> Vec<u64> {
    std::iter::from_fn(|| receiver.poll_message()).map(|message| message.number).collect()
}

#[test]
fn every_cut_through_headers_and_payloads() {
    let bytes = [encode(300, &content(1, 40)), encode(1, b""), encode(2, &content(3, 3))].concat();
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let mut receiver = Receiver::new(ReceiveLimits::default());
            let cuts = [(0, first), (first, second), (second, bytes.len())];
            for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
                for index in order {
                    let (from, to) = cuts[index];
                    let position = 1 + from as u64;
                    assert_eq!(
                        reliable(&mut receiver, 0, position, &bytes[from..to]),
                        Accepted::Yes
                    );
                }
            }
            let expected = [(300, content(1, 40)), (301, vec![]), (303, content(3, 3))];
            assert_eq!(take(&mut receiver), expected, "{first} {second}");
        }
    }
}

#[test]
fn lanes_are_apart() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    for lane in [0, 254, 7] {
        let bytes = encode(1, &content(u64::from(lane), 3000));
        assert_eq!(reliable(&mut receiver, lane, 1001, &bytes[1000..]), Accepted::Yes);
    }
    assert!(receiver.poll_message().is_none());
    for lane in [7, 0, 254] {
        let bytes = encode(1, &content(u64::from(lane), 3000));
        assert_eq!(reliable(&mut receiver, lane, 1, &bytes[..1000]), Accepted::Yes);
        let message = receiver.poll_message().expect("whole");
        assert_eq!((message.lane, message.number), (lane, 1));
        assert_eq!(message.payload, content(u64::from(lane), 3000));
    }
    let invalid = ReliableSegment { lane: 255, position: 1, data: b"\x00" };
    assert_eq!(receiver.reliable(&invalid), Ok(Accepted::Refused(Refusal::InvalidLane)));
}

#[test]
fn a_broken_stream_ends_the_connection() {
    let table: &[&[u8]] = &[
        &[0x80], // reserved bit
        &[0xff, 0xff],
        &[0x40, 0],                            // no increment
        &[0x40, 0xc1, 0x84, 0x3d],             // 1 000 001
        &[0x20, 0x80, 0x80, 0x80, 0x80, 0x01], // over 32 bits
        &[0x21, 0x80, 0x80, 0x01],             // 512 KiB + 1
    ];
    for bytes in table {
        let mut receiver = Receiver::new(ReceiveLimits::default());
        let segment = ReliableSegment { lane: 3, position: 1, data: bytes };
        assert!(receiver.reliable(&segment).is_err(), "{bytes:x?}");
    }
    for bytes in [&[0x40, 0xc0, 0x84, 0x3d][..], &[0x20, 0x80, 0x80, 0x01]] {
        let mut receiver = Receiver::new(ReceiveLimits::default());
        assert_eq!(reliable(&mut receiver, 3, 1, bytes), Accepted::Yes, "{bytes:x?}");
    }
}

#[test]
fn a_reliable_message_after_a_million_unreliable_ones() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    for number in (1..=5_000_000u64).step_by(1_000_000) {
        let _ = receiver.unreliable(&segment(number, 0, true, b"u"));
        take(&mut receiver);
    }
    assert_eq!(reliable(&mut receiver, 0, 1, &encode(4_000_500, b"r")), Accepted::Yes);
    assert_eq!(numbers(&mut receiver), [4_000_500]);
}

#[test]
fn linger_takes_reliable_data_for_received_and_refuses_the_rest() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    let bytes = stream_of(&[3000, 3000]);
    assert_eq!(reliable(&mut receiver, 0, 1, &bytes[..1000]), Accepted::Yes);
    assert_eq!(reliable(&mut receiver, 0, 2001, &bytes[2000..]), Accepted::Yes);
    let _ = receiver.unreliable(&segment(9, 5, true, b"part"));
    receiver.discard();
    check(&receiver);
    assert_eq!((receiver.buffered_bytes(), receiver.unread_messages()), (0, 0));
    assert_eq!(reliable(&mut receiver, 0, 1001, &bytes[1000..2000]), Accepted::Yes);
    // Nonsense matters no more, and far ahead is as good as in order.
    assert_eq!(reliable(&mut receiver, 0, 1 << 40, &[0x80; 50]), Accepted::Yes);
    assert_eq!(receiver.stream_position_hint(0), (1 << 40) + 50);
    assert_eq!(
        receiver.unreliable(&segment(10, 0, true, b"x")),
        Accepted::Refused(Refusal::Discarding)
    );
    let unordered = ExtendedSegment {
        kind: SegmentKind::ReliableUnordered,
        segment: segment(11, 0, true, b"x"),
    };
    assert_eq!(receiver.extended(&unordered), Accepted::Yes);
    assert!(receiver.poll_message().is_none());
    assert_eq!((receiver.buffered_bytes(), receiver.unread_messages()), (0, 0));
}

#[test]
fn small_messages_share_blocks_and_the_blocks_are_used_again() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    let mut position = 1;
    let mut addresses = std::collections::BTreeSet::new();
    for _ in 0..10_000 {
        let bytes = encode(1, &[7; 100]);
        assert_eq!(reliable(&mut receiver, 0, position, &bytes), Accepted::Yes);
        position += bytes.len() as u64;
        let message = receiver.poll_message().expect("whole");
        receiver.consumed(1, 100);
        addresses.insert(message.payload.as_ptr() as usize / 65536);
    }
    assert!(addresses.len() <= 3, "{} blocks for messages dropped at once", addresses.len());
    receiver.release_idle();
}

#[derive(Clone, Debug)]
struct Cut {
    start: prop::sample::Index,
    len: usize,
    consume: bool,
}

fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    let cut = (any::<prop::sample::Index>(), 0usize..300, any::<bool>())
        .prop_map(|(start, len, consume)| Cut { start, len, consume });
    prop::collection::vec(cut, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Segments of any geometry, against a map of the bytes that were accepted: what is delivered
    /// is exactly what is contiguous, and nothing accepted is ever lost.
    #[test]
    fn any_geometry_against_a_byte_map(
        lens in prop::collection::vec(prop_oneof![4 => 0usize..40, 1 => 0usize..900], 1..30),
        cuts in cuts(),
        messages in 1usize..8,
        buffer in prop_oneof![Just(1usize << 20), 1000usize..4000],
    ) {
        let bytes = stream_of(&lens);
        let mut ends = vec![];
        for (number, &len) in (1u64..).zip(&lens) {
            let before = ends.last().copied().unwrap_or(0);
            ends.push(before + encode(1, &content(number, len)).len());
        }
        let mut receiver = Receiver::new(ReceiveLimits {
            buffer_messages: messages,
            ..limits(buffer, 900)
        });
        let mut map = vec![false; bytes.len()];
        let mut delivered = vec![];
        let step = 150;
        let whole: Vec<_> = (0..bytes.len()).step_by(step).map(|at| (at, step, true)).collect();
        let random = cuts.into_iter().map(|cut| (cut.start.index(bytes.len()), cut.len, cut.consume));
        // Then everything again in order, as a sender does, until it is through.
        for (start, len, consume) in random.chain(whole.iter().copied().cycle().take(20 * whole.len())) {
            let end = (start + len).min(bytes.len());
            if reliable(&mut receiver, 0, 1 + start as u64, &bytes[start..end]) == Accepted::Yes {
                map[start..end].fill(true);
            }
            prop_assert!(receiver.unread_messages() <= messages);
            if consume {
                delivered.extend(take(&mut receiver));
                let contiguous = map.iter().position(|&held| !held).unwrap_or(map.len());
                let whole = ends.iter().filter(|&&end| end <= contiguous).count();
                prop_assert_eq!(delivered.len(), whole, "of {} contiguous bytes", contiguous);
            }
        }
        let expected: Vec<_> =
            (1..).zip(&lens).map(|(number, &len)| (number, content(number, len))).collect();
        prop_assert_eq!(delivered, expected);
        prop_assert_eq!(receiver.buffered_bytes(), 0);
    }
}
