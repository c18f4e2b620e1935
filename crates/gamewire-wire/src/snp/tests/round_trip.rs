use proptest::prelude::*;

use super::acks::block;
use super::*;
use crate::limits::{MAX_ACK_COUNT, MAX_EXPLICIT_SEGMENT};

/// A frame to be written, as plain numbers.
#[derive(Clone, Debug)]
enum Plan {
    Stop(u64),
    Ack(u64, Option<u16>, Vec<(u32, u32)>),
    Reliable(u16, u64, usize),
    Part(Option<SegmentKind>, u16, u64, u32, bool, usize),
}

fn lane() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0u16), 0u16..10, Just(127), Just(128), Just(254)]
}

fn plan() -> impl Strategy<Value = Plan> {
    let counts = || prop_oneof![0u32..20, Just(MAX_ACK_COUNT), 0u32..=MAX_ACK_COUNT];
    let len = || prop_oneof![0usize..40, 0usize..=MAX_EXPLICIT_SEGMENT];
    let kind = prop_oneof![
        Just(None),
        Just(Some(SegmentKind::ReliableUnordered)),
        Just(Some(SegmentKind::Sequenced)),
    ];
    // Within the reach of the hints above: 32 bits for message numbers, 48 for positions.
    let message = prop_oneof![0u64..20, 0u64..0x7000_0000].prop_map(|ahead| NEAR.message + ahead);
    let position =
        prop_oneof![0u64..3000, 0u64..1 << 40].prop_map(|ahead| NEAR.stream - 1500 + ahead);
    let offset = prop_oneof![Just(0u32), 0u32..2000, any::<u32>()];
    prop_oneof![
        1 => (0u64..PACKET).prop_map(Plan::Stop),
        1 => (
            NEAR.sent - 0x7000..NEAR.sent + 0x7000,
            prop::option::of(0u16..0xffff),
            prop::collection::vec((counts(), counts()), 0..12),
        ).prop_map(|(latest, delay, blocks)| Plan::Ack(latest, delay, blocks)),
        3 => (lane(), position, len()).prop_map(|(lane, at, len)| Plan::Reliable(lane, at, len)),
        4 => (kind, lane(), message, offset, any::<bool>(), len()).prop_map(
            |(kind, lane, number, offset, last, len)| Plan::Part(kind, lane, number, offset, last, len)
        ),
    ]
}

/// Writes the plans that fit; returns bytes and what they should read as.
fn write_plans<'a>(
    plans: &[Plan],
    limit: usize,
    payload: &'a [u8],
) -> (Vec<u8>, Vec<Plan>, Vec<Frame<'a>>) {
    let mut out = b"header".to_vec();
    let mut writer = PacketWriter::new(&mut out, limit);
    let (mut written, mut frames) = (vec![], vec![]);
    for plan in plans {
        let frame = match *plan {
            Plan::Stop(before) => stop(before),
            Plan::Reliable(lane, position, len) => reliable(lane, position, &payload[..len]),
            Plan::Part(kind, lane, number, offset, last, len) => {
                let data = &payload[payload.len() - len..];
                let segment =
                    UnreliableSegment { lane, message_number: number, offset, last, data };
                match kind {
                    Some(kind) => Frame::Extended(ExtendedSegment { kind, segment }),
                    None => Frame::Unreliable(segment),
                }
            }
            Plan::Ack(latest, delay, ref blocks) => {
                let blocks: Vec<_> = blocks.iter().map(|&(a, m)| block(a, m)).collect();
                if PacketWriter::ack_len(&blocks) <= writer.remaining() {
                    assert_eq!(writer.ack(latest, delay, false, &blocks), blocks.len());
                    written.push(plan.clone());
                }
                continue;
            }
        };
        if try_write(&mut writer, &frame) {
            written.push(plan.clone());
            frames.push(frame);
        }
    }
    assert!(writer.len() <= limit);
    (out.split_off(6), written, frames)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_is_read(
        plans in prop::collection::vec(plan(), 0..20),
        limit in prop_oneof![Just(1232usize), 0usize..3000],
    ) {
        let payload: Vec<u8> = (0..=MAX_EXPLICIT_SEGMENT).map(|at| (at % 251) as u8).collect();
        let (bytes, written, frames) = write_plans(&plans, limit, &payload);
        let flat = Flat;
        let mut reader = FrameReader::new(&bytes, PACKET);
        let mut segments = vec![];
        let mut acks = written.iter().filter_map(|plan| match plan {
            Plan::Ack(latest, delay, blocks) => Some((*latest, *delay, blocks.clone())),
            Plan::Stop(_) | Plan::Reliable(..) | Plan::Part(..) => None,
        });
        let mut count = 0;
        while let Some(frame) = reader.next(&flat).unwrap() {
            count += 1;
            match frame {
                Frame::Ack(ack) => {
                    let blocks = ack.blocks().map(|block| (block.acked, block.missing)).collect();
                    prop_assert_eq!(Some((ack.latest, ack.delay, blocks)), acks.next());
                }
                frame => segments.push(frame),
            }
        }
        prop_assert_eq!(segments, frames);
        prop_assert_eq!(count, written.len());
        // Every prefix reads as far as it goes, or is an error, and never panics.
        for cut in (0..bytes.len()).step_by(7) {
            let mut reader = FrameReader::new(&bytes[..cut], PACKET);
            while let Ok(Some(_)) = reader.next(&flat) {}
        }
    }

    #[test]
    fn random_plaintexts_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..1300),
        packet_number in prop_oneof![0u64..5, any::<u64>()],
        message in any::<u64>(), stream in any::<u64>(), sent in any::<u64>(),
    ) {
        struct Any([u64; 3]);
        impl FrameHints for Any {
            fn message_number(&self, _lane: u16) -> u64 { self.0[0] }
            fn stream_position(&self, _lane: u16) -> u64 { self.0[1] }
            fn last_sent_packet(&self) -> u64 { self.0[2] }
        }
        let hints = Any([message, stream, sent]);
        let mut reader = FrameReader::new(&bytes, packet_number);
        let mut room = bytes.len();
        while let Ok(Some(frame)) = reader.next(&hints) {
            prop_assert!(room > 0, "each frame takes at least one byte");
            room -= 1;
            match frame {
                Frame::StopWaiting { before } => prop_assert!(before < packet_number),
                Frame::Ack(ack) => {
                    let count = ack.blocks().len();
                    let covered: u64 = ack.blocks().map(|b| u64::from(b.acked) + u64::from(b.missing)).sum();
                    prop_assert_eq!(ack.blocks().count(), count);
                    prop_assert!(covered <= ack.latest.saturating_add(1));
                }
                Frame::Reliable(segment) => {
                    prop_assert!(segment.position > 0 && segment.lane <= 254);
                    prop_assert!(segment.position.checked_add(segment.data.len() as u64).is_some());
                }
                Frame::Unreliable(segment) | Frame::Extended(ExtendedSegment { segment, .. }) => {
                    prop_assert!(segment.message_number > 0 && segment.lane <= 254);
                }
                Frame::Room { .. } | Frame::Padding { .. } => {}
            }
        }
        let _ = decode_message_header(&bytes);
    }

    #[test]
    fn message_headers_survive(increment in 1u64.., size in any::<u32>(), shift in 0u32..32) {
        let mut out = [0; 16];
        let size = size >> shift;
        let len = encode_message_header(increment >> shift | 1, size, &mut out);
        let header = MessageHeader { number_increment: increment >> shift | 1, size };
        prop_assert_eq!(decode_message_header(&out[..len]), Ok(Some((header, len))));
        for cut in 0..len {
            prop_assert_eq!(decode_message_header(&out[..cut]), Ok(None));
        }
    }
}

/// The same hints on every lane.
struct Flat;

impl FrameHints for Flat {
    fn message_number(&self, _lane: u16) -> u64 {
        NEAR.message
    }

    fn stream_position(&self, _lane: u16) -> u64 {
        NEAR.stream
    }

    fn last_sent_packet(&self) -> u64 {
        NEAR.sent
    }
}
