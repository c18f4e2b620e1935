//! Segments in any order, overlap and repetition: what was sent reliably arrives whole, once and in
//! order; what a garbled sender does stays within limits.

use bytes::Bytes;
use gamewire_proto::{
    config::ReceiveLimits,
    lane::DeliveryMode,
    receive::{Accepted, Receiver},
};
use gamewire_wire::{
    limits::{MAX_LANES, MAX_MESSAGE_HEADER},
    snp::{
        ExtendedSegment, ReliableSegment, SegmentKind, UnreliableSegment, encode_message_header,
    },
};

use crate::input::Input;

const MAX_MESSAGES: usize = 12;
const LANES: usize = 3;
const MAX_SEGMENT: usize = 1279;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let limits = ReceiveLimits {
        buffer_bytes: 1 + usize::from(input.u16()),
        buffer_messages: 1 + input.below(64),
        window_messages: None,
        max_message_bytes: 4096,
        max_segments_per_packet: 1 + usize::from(input.byte()),
        ..ReceiveLimits::default()
    };
    if choice & 1 == 0 {
        honest(&mut input, limits);
    } else {
        garbage(&mut input, limits);
    }
}

/// A lane's reliable stream and what is to come out of it.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    messages: Vec<(u64, Vec<u8>)>,
    delivered: usize,
}

impl Stream {
    fn read(input: &mut Input<'_>, tag: u8) -> Self {
        let mut stream = Self::default();
        let mut number = 0;
        for index in 0..input.below(MAX_MESSAGES) {
            let size = match input.byte() {
                small @ ..0x80 => usize::from(small),
                large => usize::from(large & 0x7f) * 32,
            };
            let increment = match input.byte() {
                0xff => u64::from(input.u16()) + 1,
                other => 1 + u64::from(other >> 6),
            };
            number += increment;
            let payload: Vec<u8> =
                (0..size).map(|at| (at as u8).wrapping_mul(7) ^ tag ^ index as u8).collect();
            let mut header = [0; MAX_MESSAGE_HEADER];
            let len = encode_message_header(increment, size as u32, &mut header);
            stream.bytes.extend_from_slice(&header[..len]);
            stream.bytes.extend_from_slice(&payload);
            stream.messages.push((number, payload));
        }
        stream
    }

    fn segment(&self, lane: u16, start: usize, len: usize) -> ReliableSegment<'_> {
        let start = start.min(self.bytes.len());
        let end = (start + len.min(MAX_SEGMENT)).min(self.bytes.len());
        ReliableSegment { lane, position: 1 + start as u64, data: &self.bytes[start..end] }
    }
}

fn honest(input: &mut Input<'_>, limits: ReceiveLimits) {
    let mut receiver = Receiver::new(limits.clone());
    let mut streams: Vec<Stream> =
        (0..LANES).map(|lane| Stream::read(input, lane as u8 * 16)).collect();
    // What was accepted may never be sent again, so it must not be needed again.
    let mut accepted: Vec<Vec<bool>> =
        streams.iter().map(|stream| vec![false; stream.bytes.len()]).collect();
    while !input.is_empty() {
        receiver.begin_packet();
        let lane = input.below(LANES);
        let (start, len) = (usize::from(input.u16()), usize::from(input.u16()));
        offer(&mut receiver, &streams, &mut accepted, lane, (start % 0x2000, len % 2048));
        if input.flag() {
            take(&mut receiver, &mut streams, usize::from(input.byte()));
        }
        bounded(&receiver, &limits);
    }
    // Then the sender repeats what was not accepted, and the application reads all there is.
    for round in 0.. {
        take(&mut receiver, &mut streams, usize::MAX);
        if streams.iter().all(|stream| stream.delivered == stream.messages.len()) {
            break;
        }
        assert!(round < 20_000, "the rest never arrives");
        for lane in 0..LANES {
            let Some(start) = accepted[lane].iter().position(|&is| !is) else { continue };
            receiver.begin_packet();
            offer(&mut receiver, &streams, &mut accepted, lane, (start, 500));
        }
        bounded(&receiver, &limits);
    }
    assert_eq!(receiver.unread_messages(), 0);
}

fn offer(
    receiver: &mut Receiver,
    streams: &[Stream],
    accepted: &mut [Vec<bool>],
    lane: usize,
    (start, len): (usize, usize),
) {
    let segment = streams[lane].segment(lane as u16, start, len);
    let answer = receiver.reliable(&segment).expect("an honest stream is never wrong");
    if answer == Accepted::Yes {
        let start = segment.position as usize - 1;
        accepted[lane][start..start + segment.data.len()].fill(true);
    }
}

fn take(receiver: &mut Receiver, streams: &mut [Stream], most: usize) {
    for _ in 0..most {
        let Some(message) = receiver.poll_message() else { return };
        receiver.consumed(1, message.payload.len());
        let stream = &mut streams[usize::from(message.lane)];
        let expected = stream.messages.get(stream.delivered);
        let got = (message.number, message.payload.to_vec());
        assert!(message.reliable);
        assert_eq!(Some(&got), expected, "lane {}", message.lane);
        stream.delivered += 1;
    }
}

fn bounded(receiver: &Receiver, limits: &ReceiveLimits) {
    // The documented bound: 2 × buffer + largest message + a few packets, and fragments apart.
    let bytes = 2 * limits.buffer_bytes + limits.max_message_bytes + 8 * MAX_SEGMENT;
    let fragments = gamewire_proto::receive::MAX_PARTIAL_SEGMENTS * MAX_SEGMENT;
    assert!(receiver.buffered_bytes() <= bytes + fragments, "{}", receiver.buffered_bytes());
    assert!(receiver.unread_messages() <= limits.buffer_messages + 1);
}

fn garbage(input: &mut Input<'_>, limits: ReceiveLimits) {
    let mut receiver = Receiver::new(limits.clone());
    let mode = [DeliveryMode::Standard, DeliveryMode::Sequenced, DeliveryMode::Unordered];
    receiver.set_lane_mode(1, mode[input.below(3)]);
    let mut taken: Vec<Bytes> = Vec::new();
    while !input.is_empty() {
        let step = input.byte();
        if step & 0x80 != 0 {
            receiver.begin_packet();
        }
        let lane = u16::from(input.byte() & 3) * if step & 0x40 == 0 { 1 } else { 84 };
        assert!(usize::from(lane) < MAX_LANES);
        match step & 7 {
            0 | 1 => {
                let near = receiver.stream_position_hint(lane);
                let position = position(input, near);
                let data = input.sized_bytes(MAX_SEGMENT);
                let segment = ReliableSegment { lane, position, data };
                if receiver.reliable(&segment).is_err() {
                    return;
                }
            }
            2..5 => {
                let near = receiver.message_number_hint(lane);
                let segment = UnreliableSegment {
                    lane,
                    message_number: position(input, near),
                    offset: if input.flag() { input.u32() } else { u32::from(input.u16()) },
                    last: input.flag(),
                    data: input.sized_bytes(MAX_SEGMENT),
                };
                let kind = match step & 7 {
                    2 => None,
                    3 => Some(SegmentKind::ReliableUnordered),
                    _ => Some(SegmentKind::Sequenced),
                };
                let _ = match kind {
                    None => receiver.unreliable(&segment),
                    Some(kind) => receiver.extended(&ExtendedSegment { kind, segment }),
                };
            }
            5 | 6 => {
                if let Some(message) = receiver.poll_message() {
                    assert!(message.payload.len() <= 26_000.max(limits.max_message_bytes));
                    receiver.consumed(1, message.payload.len());
                    taken.push(message.payload);
                }
            }
            _ if step == 0x7f => receiver.discard(),
            _ => receiver.release_idle(),
        }
        bounded(&receiver, &limits);
    }
}

/// Near what is expected, or anywhere that the frame reader lets through.
fn position(input: &mut Input<'_>, near: u64) -> u64 {
    let position = if input.byte() < 0xe0 {
        near.saturating_add_signed(i64::from(input.u16().cast_signed()))
    } else {
        input.near_a_wrap()
    };
    position.clamp(1, u64::MAX - MAX_SEGMENT as u64)
}
