use super::*;

#[test]
fn many_tiny_messages_in_one_packet_are_parsed_as_the_application_consumes() {
    let mut receiver =
        Receiver::new(ReceiveLimits { buffer_messages: 10, ..limits(1 << 20, 1 << 19) });
    let bytes = vec![0u8; 1000]; // a thousand empty messages
    assert_eq!(reliable(&mut receiver, 0, 1, &bytes), Accepted::Yes);
    assert_eq!((receiver.unread_messages(), receiver.buffered_bytes()), (10, 990));
    let mut seen = vec![];
    while let Some(message) = receiver.poll_message() {
        assert!(receiver.unread_messages() <= 10);
        seen.push(message.number);
        receiver.consumed(1, 0);
    }
    assert_eq!(seen, (1..=1000).collect::<Vec<_>>());
}

#[test]
fn the_buffer_refuses_beyond_its_size_and_loses_nothing() {
    let limits = ReceiveLimits { buffer_messages: 4, ..limits(4000, 2000) };
    let mut receiver = Receiver::new(limits);
    let bytes = stream_of(&[100; 100]);
    let mut at = 0;
    let mut refused = 0;
    let mut seen = vec![];
    while at < bytes.len() {
        let end = (at + 500).min(bytes.len());
        match reliable(&mut receiver, 0, 1 + at as u64, &bytes[at..end]) {
            Accepted::Yes => at = end,
            Accepted::Refused(refusal) => {
                assert_eq!(refusal, Refusal::BufferFull);
                assert!(receiver.buffered_bytes() > 3000);
                refused += 1;
                seen.extend(numbers(&mut receiver));
            }
        }
    }
    seen.extend(numbers(&mut receiver));
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
    assert!(refused > 0);
}

#[test]
fn a_stream_that_breaks_while_it_waits_is_reported_on_the_next_segment() {
    let mut receiver = Receiver::new(ReceiveLimits { buffer_messages: 2, ..limits(4000, 2000) });
    assert_eq!(reliable(&mut receiver, 0, 1, &[0, 0, 0x80]), Accepted::Yes);
    take(&mut receiver);
    let segment = ReliableSegment { lane: 1, position: 1, data: &[0] };
    assert!(matches!(receiver.reliable(&segment), Err(StreamError::Header { lane: 0, .. })));
}

#[test]
fn data_ahead_of_a_gap_never_blocks_the_data_in_order() {
    let bytes = stream_of(&[2000, 2000, 2000]);
    let mut receiver = Receiver::new(limits(3000, 2000));
    let mut refused = 0;
    for at in (100..bytes.len()).step_by(100) {
        let end = (at + 100).min(bytes.len());
        if reliable(&mut receiver, 0, 1 + at as u64, &bytes[at..end]) != Accepted::Yes {
            refused += 1;
        }
    }
    assert!(refused > 0 && receiver.buffered_bytes() <= 3000);
    assert_eq!(reliable(&mut receiver, 0, 1, &bytes[..100]), Accepted::Yes);
    assert_eq!(take(&mut receiver).len(), 1);
    for at in (0..bytes.len()).step_by(100) {
        let end = (at + 100).min(bytes.len());
        assert_eq!(reliable(&mut receiver, 0, 1 + at as u64, &bytes[at..end]), Accepted::Yes);
        take(&mut receiver);
    }
    assert_eq!(receiver.stream_position_hint(0), 1 + bytes.len() as u64);
}

/// Messages of many lanes, and a buffer smaller than one of them: each is finished all the same.
#[test]
fn messages_of_many_lanes_do_not_starve_each_other() {
    let lanes = 5u16;
    let bytes = stream_of(&[9000]);
    let mut receiver = Receiver::new(limits(8000, 10_000));
    let mut acked = vec![vec![false; bytes.len().div_ceil(500)]; usize::from(lanes)];
    let mut done = vec![];
    for round in 0..100 {
        for part in 0..acked[0].len() {
            for lane in 0..lanes {
                let (from, to) = (part * 500, (part * 500 + 500).min(bytes.len()));
                let acked = &mut acked[usize::from(lane)][part];
                if !*acked {
                    *acked = reliable(&mut receiver, lane, 1 + from as u64, &bytes[from..to])
                        == Accepted::Yes;
                }
            }
        }
        while let Some(message) = receiver.poll_message() {
            receiver.consumed(1, message.payload.len());
            done.push(message.lane);
        }
        if done.len() == usize::from(lanes) {
            assert_eq!(receiver.buffered_bytes(), 0);
            return;
        }
        assert!(round < 50, "starved: only {done:?} got through");
    }
}

#[test]
fn a_declared_size_takes_no_memory() {
    let mut receiver = Receiver::new(limits(1 << 20, 256 << 20));
    let mut header = [0; MAX_MESSAGE_HEADER];
    let len = encode_message_header(1, 128 << 20, &mut header);
    for lane in 0..255 {
        assert_eq!(reliable(&mut receiver, lane, 1, &header[..len]), Accepted::Yes);
    }
    let capacity: usize = receiver
        .lanes
        .iter()
        .filter_map(|lane| lane.parts().0)
        .map(super::super::stream::Stream::partial_capacity)
        .sum();
    assert!(capacity <= 2 << 20, "{capacity} bytes for 255 headers");
    assert_eq!(receiver.buffered_bytes(), 0);
}

#[test]
fn pieces_ahead_of_gaps_are_counted_in_all_lanes() {
    let mut receiver = Receiver::new(limits(100_000, 50_000));
    let mut taken = 0;
    for step in 0..3000u64 {
        for lane in 0..4 {
            receiver.begin_packet();
            match receiver.reliable(&ReliableSegment { lane, position: 3 + 2 * step, data: b"x" }) {
                Ok(Accepted::Yes) => taken += 1,
                Ok(Accepted::Refused(refusal)) => assert_eq!(refusal, Refusal::TooManyPieces),
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(taken, MIN_PIECES);
    check(&receiver);
    // A larger buffer may hold more: gaps never limit the bandwidth-delay product.
    receiver.set_limits(limits(64 << 20, 1 << 20));
    assert_eq!(reliable(&mut receiver, 9, 5, b"x"), Accepted::Yes);
}

#[test]
fn positions_far_ahead_are_refused() {
    let mut receiver = Receiver::new(ReceiveLimits::default());
    for position in [u64::MAX, u64::MAX - 3, 1 << 48, 3 << 20] {
        assert_eq!(
            reliable(&mut receiver, 0, position, b"xyz"),
            Accepted::Refused(Refusal::FarAhead),
            "{position:x}"
        );
    }
    assert_eq!(receiver.buffered_bytes(), 0);
    assert_eq!(reliable(&mut receiver, 0, 1 << 20, b"xyz"), Accepted::Yes);
}

#[test]
fn a_peer_that_touches_all_lanes_costs_little() {
    assert!(size_of::<Lane>() <= 48, "{} bytes a lane", size_of::<Lane>());
    let mut receiver = Receiver::new(ReceiveLimits::default());
    for lane in 0..255 {
        assert_eq!(reliable(&mut receiver, lane, 9, b"x"), Accepted::Yes);
        let segment = UnreliableSegment { lane, ..segment(9, 9, false, b"x") };
        assert_eq!(receiver.unreliable(&segment), Accepted::Yes);
    }
    check(&receiver);
    assert!(receiver.buffered_bytes() <= 255 + MAX_PARTIAL_SEGMENTS);
}
