//! The rows of lessons.md 5.1, 5.2 and 5.4 that touch receiving, by name.

use super::*;

#[test]
fn cve_2020_6016_offsets_huge_or_negative() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    let offsets = [0, (1 << 31) - 1, 1 << 31, u32::MAX - 1, u32::MAX, 25_999, 26_000];
    for number in 1..50 {
        for offset in offsets {
            for last in [false, true] {
                for data in [&b""[..], b"x", &[7; 1200]] {
                    if offset == 0 && last {
                        continue;
                    }
                    receiver.begin_packet();
                    let accepted = receiver.unreliable(&segment(number, offset, last, data));
                    assert_eq!(accepted, Accepted::Yes, "ignored, and the connection lives");
                    check(&receiver);
                    assert!(receiver.buffered_bytes() <= MAX_PARTIAL_SEGMENTS * 1200);
                    // A sound message in between is not disturbed.
                    let sound = 1000 + receiver.message_number_hint(0);
                    let sound_segment = segment(sound, 0, true, b"sound");
                    assert_eq!(receiver.unreliable(&sound_segment), Accepted::Yes);
                    assert!(numbers(&mut receiver).contains(&sound));
                }
            }
        }
    }
}

#[test]
fn cve_2020_6016_the_last_segment_never_comes() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    for number in 1..500 {
        for offset in [0, 1000, 2000] {
            receiver.begin_packet();
            let accepted = receiver.unreliable(&segment(number, offset, false, &[1; 1000]));
            assert_eq!(accepted, Accepted::Yes);
        }
    }
    check(&receiver);
    assert!(receiver.poll_message().is_none());
    assert!(receiver.buffered_bytes() <= MAX_PARTIAL_SEGMENTS * 1000);
}

#[test]
fn cve_2020_6017_segments_as_long_as_any_datagram() {
    for len in [1232, 1233, 1300, 65_507] {
        let mut receiver = Receiver::new(ReceiveLimits::default());
        let data = content(1, len);
        assert_eq!(receiver.unreliable(&segment(1, 0, true, &data)), Accepted::Yes);
        let expected = if len <= MAX_UNRELIABLE_BYTES { vec![1] } else { vec![] };
        assert_eq!(numbers(&mut receiver), expected);
        assert_eq!(reliable(&mut receiver, 0, 1, &encode(2, &data)), Accepted::Yes);
        assert_eq!(take(&mut receiver), [(2, data)]);
    }
}

/// GNS#409: a segment over several gaps, in all interval geometries.
#[test]
fn gns_409_every_overlap_of_three_segments() {
    let bytes = stream_of(&[2, 1, 0, 2, 1]);
    let len = bytes.len();
    assert!(len <= 12);
    let intervals: Vec<(usize, usize)> =
        (0..len).step_by(2).flat_map(|a| (a + 1..=len).map(move |b| (a, b))).collect();
    for first in &intervals {
        for second in &intervals {
            for third in &intervals {
                let mut receiver = Receiver::new(ReceiveLimits::default());
                for &(from, to) in [first, second, third] {
                    let segment = ReliableSegment {
                        lane: 0,
                        position: 1 + from as u64,
                        data: &bytes[from..to],
                    };
                    assert_eq!(receiver.reliable(&segment), Ok(Accepted::Yes));
                }
                check(&receiver);
                let mut held = vec![false; len];
                [first, second, third].iter().for_each(|&&(from, to)| held[from..to].fill(true));
                let contiguous = held.iter().position(|&held| !held).unwrap_or(len);
                assert_eq!(receiver.stream_position_hint(0), 1 + contiguous as u64);
                assert_eq!(reliable(&mut receiver, 0, 1, &bytes), Accepted::Yes);
                assert_eq!(numbers(&mut receiver), [1, 2, 3, 4, 5]);
                assert_eq!(receiver.buffered_bytes(), 0);
            }
        }
    }
}

#[test]
fn lesson_8ac7997_sizes_at_the_limits_and_endless_varints() {
    let limit = 512 * 1024;
    for (size, sound) in [(limit, true), (limit + 1, false), (u32::MAX as usize, false)] {
        let mut header = [0; MAX_MESSAGE_HEADER];
        let len = encode_message_header(1, size as u32, &mut header);
        for cut in 0..=len {
            let mut receiver = Receiver::new(ReceiveLimits::default());
            let mut give = |from: usize, to: usize| {
                let data = &header[from..to];
                receiver.reliable(&ReliableSegment { lane: 0, position: 1 + from as u64, data })
            };
            let outcome = give(0, cut).and_then(|_| give(cut, len));
            assert_eq!(outcome.is_ok(), sound, "{size} cut at {cut}");
        }
    }
    // One byte at a time, the varint never ends: an error, not a wedged stream.
    for first in [0x40, 0x20, 0x60] {
        let mut receiver = Receiver::new(ReceiveLimits::default());
        let outcome = (0..100u64).try_for_each(|index| {
            let byte = [if index == 0 { first } else { 0xff }];
            receiver
                .reliable(&ReliableSegment { lane: 0, position: 1 + index, data: &byte })
                .map(drop)
        });
        assert!(outcome.is_err());
        assert!(receiver.stream_position_hint(0) <= MAX_MESSAGE_HEADER as u64);
    }
}

#[test]
fn gns_280_a_slow_consumer_loses_no_reliable_message() {
    // 32 messages of queue, 5 % loss, 10 % reordering, and a consumer that takes one in three.
    let lens: Vec<usize> = (0..400).map(|index| index * 37 % 900).collect();
    let bytes = stream_of(&lens);
    let mut receiver = Receiver::new(ReceiveLimits { buffer_messages: 32, ..limits(20_000, 1000) });
    let mut unacked: std::collections::VecDeque<usize> = (0..bytes.len()).step_by(450).collect();
    let mut seen = vec![];
    let mut refused = 0;
    for step in 0..1_000_000u64 {
        let luck = step * 2_654_435_761 % 100;
        let Some(from) = unacked.pop_front() else {
            break;
        };
        if luck < 5 {
            unacked.push_back(from);
        } else if luck < 15 {
            unacked.insert(unacked.len().min(3), from);
        } else {
            let data = &bytes[from..(from + 450).min(bytes.len())];
            if reliable(&mut receiver, 0, 1 + from as u64, data) != Accepted::Yes {
                unacked.push_back(from);
                refused += 1;
            }
        }
        if step.is_multiple_of(3)
            && let Some(message) = receiver.poll_message()
        {
            receiver.consumed(1, message.payload.len());
            assert_eq!(message.payload, content(message.number, message.payload.len()));
            seen.push(message.number);
        }
    }
    assert!(unacked.is_empty() && refused > 0);
    seen.extend(numbers(&mut receiver));
    assert_eq!(seen, (1..=400).collect::<Vec<_>>());
}

#[test]
fn gns_20_replayed_segments_deliver_nothing_twice() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    let bytes = stream_of(&[100, 2000]);
    for _ in 0..4 {
        assert_eq!(reliable(&mut receiver, 0, 1, &bytes), Accepted::Yes);
        for number in [10, 11] {
            let whole = segment(number, 0, true, b"unreliable");
            assert_eq!(receiver.unreliable(&whole), Accepted::Yes);
        }
        // Cut otherwise the second time.
        let _ = receiver.unreliable(&segment(10, 0, false, b"unre"));
        let _ = receiver.unreliable(&segment(10, 4, true, b"liable"));
    }
    assert_eq!(numbers(&mut receiver), [1, 2, 10, 11]);
}

#[test]
fn lesson_dbe5a29_segments_per_packet_are_limited() {
    let limits = ReceiveLimits { max_segments_per_packet: 3, ..ReceiveLimits::default() };
    let mut receiver = Receiver::new(limits);
    for packet in 0..3u64 {
        receiver.begin_packet();
        for index in 1..=5 {
            let number = packet * 5 + index;
            let accepted = receiver.unreliable(&segment(number, 0, true, b"x"));
            let refused = Accepted::Refused(Refusal::TooManySegments);
            assert_eq!(accepted, if index <= 3 { Accepted::Yes } else { refused });
        }
        let data = encode(1, b"x");
        let accepted = receiver.reliable(&ReliableSegment { lane: 0, position: 1, data: &data });
        assert_eq!(accepted, Ok(Accepted::Refused(Refusal::TooManySegments)));
    }
    assert_eq!(receiver.unread_messages(), 9);
}

#[test]
fn lesson_a456c20_tiny_messages_do_not_grow_the_queue() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    let mut position = 1;
    for number in 1..2_000_000u64 {
        receiver.begin_packet();
        if number.is_multiple_of(1000) {
            let _ = receiver.unreliable(&segment(1 + number, 0, true, b""));
        }
        let Ok(Accepted::Yes) =
            receiver.reliable(&ReliableSegment { lane: 0, position, data: &[0; 1200] })
        else {
            break;
        };
        position += 1200;
    }
    let limits = ReceiveLimits::default();
    assert_eq!(receiver.unread_messages(), limits.buffer_messages);
    assert!(receiver.buffered_bytes() <= limits.buffer_bytes);
    check(&receiver);
}

#[test]
fn servux_48_a_declared_size_is_not_believed() {
    let mut receiver = Receiver::new(limits(1 << 20, 200 << 20));
    let mut header = [0; MAX_MESSAGE_HEADER];
    let len = encode_message_header(1, 128 << 20, &mut header);
    assert_eq!(reliable(&mut receiver, 0, 1, &header[..len]), Accepted::Yes);
    let capacity = receiver.lanes[0].parts().0.map(super::super::stream::Stream::partial_capacity);
    assert!(capacity.is_some_and(|capacity| capacity <= 64 * 1024));
}

#[test]
fn numbers_and_positions_beyond_32_bits() {
    for centre in [1u64 << 16, 1 << 31, 1 << 32, 1 << 48] {
        let mut receiver = Receiver::new(ReceiveLimits::default());
        for number in centre - 3..centre + 3 {
            assert_eq!(receiver.unreliable(&segment(number, 0, true, b"x")), Accepted::Yes);
            let message = UnreliableSegment { lane: 1, ..segment(number, 0, true, b"x") };
            let kind = SegmentKind::ReliableUnordered;
            let message = ExtendedSegment { kind, segment: message };
            assert_eq!(receiver.extended(&message), Accepted::Yes);
        }
        let count = take(&mut receiver).len();
        assert_eq!(count, 12);
        assert_eq!(receiver.message_number_hint(0), centre + 3);
        // A stream that has come as far, by way of what lingering skips.
        let mut stream = super::super::stream::Stream::default();
        stream.skip(centre - 10, 5);
        let mut inbox = Inbox::new(ReceiveLimits::default());
        let mut highest = 0;
        let bytes = stream_of(&[3, 3, 3]);
        for from in [4, 8, 0] {
            let mut sink = Sink { lane: 0, highest: &mut highest, inbox: &mut inbox };
            let accepted =
                stream.receive(centre - 5 + from as u64, &bytes[from..from + 4], &mut sink);
            assert_eq!(accepted, Ok(Accepted::Yes));
        }
        assert_eq!(inbox.unread_messages(), 3);
    }
}
