//! Frames written by instructions into a packet of any size, read back and compared.

use gamewire_wire::{
    limits::{MAX_LANES, MAX_PLAINTEXT},
    snp::{
        AckBlock, ExtendedSegment, Frame, PacketWriter, ReliableSegment, SegmentKind,
        UnreliableSegment,
    },
};

use super::frames::{Hints, read_all};
use crate::input::Input;

/// A frame as it was written, without its data.
#[derive(Debug)]
enum Written {
    StopWaiting { before: u64 },
    Ack { latest: u64, blocks: Vec<AckBlock> },
    Reliable { lane: u16, position: u64, len: usize },
    Part(Part),
}

#[derive(Clone, Copy, Debug)]
struct Part {
    kind: Option<SegmentKind>,
    lane: u16,
    number: u64,
    offset: u32,
    last: bool,
    len: usize,
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let hints = Hints {
        message_number: input.near_a_wrap().min(1 << 62),
        stream_position: input.near_a_wrap().min(1 << 62),
        last_sent: input.near_a_wrap().clamp(1 << 20, 1 << 62),
    };
    let packet_number = input.near_a_wrap().max(1);
    let limit = input.below(MAX_PLAINTEXT + 1);
    let mut out = vec![0xaa; 3];
    let mut writer = PacketWriter::new(&mut out, limit);
    let mut written = Vec::new();
    while !input.is_empty() && !writer_is_done(&writer) {
        let before = writer.len();
        match write_one(&mut input, &mut writer, &hints, packet_number) {
            Some(frame) => written.push(frame),
            None => assert_eq!(writer.len(), before, "a frame that does not fit left bytes"),
        }
        assert!(writer.len() <= limit);
    }
    let frames = read_all(&out[3..], packet_number, &hints);
    assert_eq!(frames.len(), written.len(), "{written:?} became {frames:?}");
    for (written, frame) in written.iter().zip(&frames) {
        compare(written, frame);
    }
}

/// A packet that a segment filled exactly takes nothing more.
fn writer_is_done(writer: &PacketWriter<'_>) -> bool {
    writer.remaining() == 0
}

fn write_one(
    input: &mut Input<'_>,
    writer: &mut PacketWriter<'_>,
    hints: &Hints,
    packet_number: u64,
) -> Option<Written> {
    let mark = input.byte();
    let near = |hint: u64, input: &mut Input<'_>| {
        hint.saturating_add_signed(i64::from(input.u16().cast_signed())).max(1)
    };
    match mark % 5 {
        0 => {
            let before = packet_number - 1 - (packet_number - 1).min(u64::from(input.u32()));
            writer.stop_waiting(packet_number, before).then_some(Written::StopWaiting { before })
        }
        1 => write_ack(input, writer, hints),
        2 => {
            let (lane, position) = (lane(input), near(hints.stream_position, input));
            let max = writer.reliable_max_len(lane, position);
            let len = length(input, max);
            let header = writer.reliable_header_len(lane, position);
            let before = writer.len();
            writer.reliable(lane, position, len)?.fill(mark);
            assert!(writer.len() <= before + header + len);
            Some(Written::Reliable { lane, position, len })
        }
        _ => {
            let kind = [None, Some(SegmentKind::ReliableUnordered), Some(SegmentKind::Sequenced)];
            let mut part = Part {
                kind: kind[input.below(3)],
                lane: lane(input),
                number: near(hints.message_number, input),
                offset: if input.flag() { input.u32() } else { 0 },
                last: mark & 0x80 != 0,
                len: 0,
            };
            let max = match part.kind {
                None => writer.unreliable_max_len(part.lane, part.number, part.offset),
                Some(_) => writer.extended_max_len(part.lane, part.number, part.offset),
            };
            part.len = length(input, max);
            write_part(writer, part)?.fill(mark);
            Some(Written::Part(part))
        }
    }
}

fn write_part<'w>(writer: &'w mut PacketWriter<'_>, part: Part) -> Option<&'w mut [u8]> {
    let Part { kind, lane, number, offset, last, len } = part;
    match kind {
        None => writer.unreliable(lane, number, offset, last, len),
        Some(kind) => writer.extended(kind, lane, number, offset, last, len),
    }
}

/// Exactly what fits, or anything.
fn length(input: &mut Input<'_>, max: usize) -> usize {
    match input.byte() {
        0xff => max,
        0xfe => max + 1,
        small @ ..0x80 => usize::from(small),
        large => usize::from(large) * 9,
    }
}

fn lane(input: &mut Input<'_>) -> u16 {
    u16::from(input.byte()) % MAX_LANES as u16
}

fn write_ack(
    input: &mut Input<'_>,
    writer: &mut PacketWriter<'_>,
    hints: &Hints,
) -> Option<Written> {
    let scale = 1 + u32::from(input.byte() & 7);
    let count = input.below(256);
    let blocks: Vec<AckBlock> = (0..count)
        .map(|_| AckBlock {
            acked: u32::from(input.byte()) * scale,
            missing: u32::from(input.byte()) * scale,
        })
        .collect();
    let total = |blocks: &[AckBlock]| -> u64 {
        blocks.iter().map(|block| u64::from(block.acked) + u64::from(block.missing)).sum()
    };
    let latest = hints.last_sent - u64::from(input.byte());
    let wide = total(&blocks) > 0x7000;
    let fits = PacketWriter::ack_len(&blocks) + if wide { 2 } else { 0 } <= writer.remaining();
    let before = writer.len();
    let said = writer.ack(latest, None, wide, &blocks);
    if writer.len() == before {
        return None;
    }
    if fits {
        assert_eq!(said, blocks.len());
    }
    // The newest blocks are left out, and the number named is that much older.
    let (dropped, kept) = blocks.split_at(blocks.len() - said);
    Some(Written::Ack { latest: latest - total(dropped), blocks: kept.to_vec() })
}

fn compare(written: &Written, frame: &Frame<'_>) {
    match (written, frame) {
        (Written::StopWaiting { before }, Frame::StopWaiting { before: read }) => {
            assert_eq!(before, read);
        }
        (Written::Ack { latest, blocks }, Frame::Ack(ack)) => {
            assert_eq!((ack.latest, ack.delay), (*latest, None));
            assert!(ack.blocks().eq(blocks.iter().copied()), "{blocks:?} became {ack:?}");
        }
        (Written::Reliable { lane, position, len }, Frame::Reliable(read)) => {
            let expected = ReliableSegment { lane: *lane, position: *position, data: read.data };
            assert_eq!((*read, read.data.len()), (expected, *len));
        }
        (Written::Part(part @ Part { kind: None, .. }), Frame::Unreliable(read)) => {
            compare_part(part, read);
        }
        (Written::Part(part @ Part { kind: Some(kind), .. }), Frame::Extended(read)) => {
            assert_eq!(read, &ExtendedSegment { kind: *kind, segment: read.segment });
            compare_part(part, &read.segment);
        }
        (written, read) => panic!("{written:?} became {read:?}"),
    }
}

fn compare_part(part: &Part, read: &UnreliableSegment<'_>) {
    let expected = UnreliableSegment {
        lane: part.lane,
        message_number: part.number,
        offset: part.offset,
        last: part.last,
        data: read.data,
    };
    assert_eq!((*read, read.data.len()), (expected, part.len));
}
