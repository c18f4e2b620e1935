//! A plaintext through the frame reader; what it yields is written and read again.

use gamewire_wire::{
    limits::{MAX_ACK_BLOCKS, MAX_ACK_COUNT, MAX_LANES, MAX_PLAINTEXT},
    snp::{AckBlock, Frame, FrameHints, FrameReader, PacketWriter, UnreliableSegment},
};

use crate::input::Input;

/// The same hints for every lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hints {
    pub(super) message_number: u64,
    pub(super) stream_position: u64,
    pub(super) last_sent: u64,
}

impl Hints {
    pub(super) fn read(input: &mut Input<'_>) -> Self {
        Self {
            message_number: input.near_a_wrap(),
            stream_position: input.near_a_wrap(),
            last_sent: input.near_a_wrap(),
        }
    }
}

impl FrameHints for Hints {
    fn message_number(&self, _lane: u16) -> u64 {
        self.message_number
    }

    fn stream_position(&self, _lane: u16) -> u64 {
        self.stream_position
    }

    fn last_sent_packet(&self) -> u64 {
        self.last_sent
    }
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let hints = Hints::read(&mut input);
    let packet_number = input.near_a_wrap();
    let plaintext = input.bytes(MAX_PLAINTEXT);
    let frames = read_all(plaintext, packet_number, &hints);
    assert!(frames.len() <= plaintext.len());
    frames.iter().for_each(|frame| check(frame, packet_number));
    if frames.iter().any(is_extreme) {
        return;
    }

    let mut out = Vec::new();
    let mut writer = PacketWriter::new(&mut out, 64 + plaintext.len() * 8).with_wide_sizes(true);
    for frame in &frames {
        write(&mut writer, frame, packet_number);
    }
    let again = read_all(&out, packet_number, &hints);
    assert_eq!(again.len(), frames.len(), "{frames:?} became {again:?}");
    for (first, second) in frames.iter().zip(&again) {
        assert!(same(first, second), "{first:?} became {second:?}");
    }
}

/// The frames up to the end or the first error; nothing comes after an error.
pub(super) fn read_all<'a>(
    plaintext: &'a [u8],
    packet_number: u64,
    hints: &Hints,
) -> Vec<Frame<'a>> {
    let mut reader = FrameReader::new(plaintext, packet_number).with_wide_sizes(true);
    let mut frames = Vec::new();
    loop {
        match reader.next(hints) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return frames,
            Err(_) => {
                assert_eq!(reader.next(hints), Ok(None), "something came after an error");
                return frames;
            }
        }
    }
}

/// Whether a message number is so high that the ones relative to it may overflow. No sender comes
/// there; the reader must refuse what overflows, the writer need not find a way around it.
fn is_extreme(frame: &Frame<'_>) -> bool {
    match frame {
        Frame::Unreliable(segment) => segment.message_number > 1 << 63,
        Frame::Extended(extended) => extended.segment.message_number > 1 << 63,
        Frame::StopWaiting { .. }
        | Frame::Ack(_)
        | Frame::Reliable(_)
        | Frame::Room { .. }
        | Frame::Padding { .. } => false,
    }
}

fn check(frame: &Frame<'_>, packet_number: u64) {
    match frame {
        Frame::StopWaiting { before } => assert!(*before < packet_number),
        Frame::Ack(ack) => {
            let blocks: Vec<AckBlock> = ack.blocks().collect();
            assert!(blocks.len() <= MAX_ACK_BLOCKS);
            let limited = |count: u32| count <= MAX_ACK_COUNT;
            assert!(blocks.iter().all(|block| limited(block.acked) && limited(block.missing)));
            let covered: u64 =
                blocks.iter().map(|block| u64::from(block.acked) + u64::from(block.missing)).sum();
            assert!(covered <= ack.latest.saturating_add(1));
        }
        Frame::Unreliable(segment) => check_part(segment),
        Frame::Extended(extended) => check_part(&extended.segment),
        Frame::Reliable(segment) => {
            assert!(usize::from(segment.lane) < MAX_LANES);
            assert!(segment.position >= 1);
            assert!(segment.position.checked_add(segment.data.len() as u64).is_some());
        }
        Frame::Room { .. } | Frame::Padding { .. } => {}
    }
}

fn check_part(segment: &UnreliableSegment<'_>) {
    assert!(usize::from(segment.lane) < MAX_LANES);
    assert!(segment.message_number >= 1);
}

fn write(writer: &mut PacketWriter<'_>, frame: &Frame<'_>, packet_number: u64) {
    match frame {
        Frame::StopWaiting { before } => assert!(writer.stop_waiting(packet_number, *before)),
        Frame::Ack(ack) => {
            let blocks: Vec<AckBlock> = ack.blocks().collect();
            let before = writer.len();
            let written = writer.ack(ack.latest, ack.delay, true, &blocks);
            assert_eq!(written, blocks.len());
            assert_eq!(writer.len() - before, PacketWriter::ack_len(&blocks) + 2);
        }
        Frame::Unreliable(s) => {
            let data = writer.unreliable(s.lane, s.message_number, s.offset, s.last, s.data.len());
            data.expect("there is room").copy_from_slice(s.data);
        }
        Frame::Reliable(s) => {
            let data = writer.reliable(s.lane, s.position, s.data.len());
            data.expect("there is room").copy_from_slice(s.data);
        }
        Frame::Extended(extended) => {
            let s = &extended.segment;
            let (number, len) = (s.message_number, s.data.len());
            let data = writer.extended(extended.kind, s.lane, number, s.offset, s.last, len);
            data.expect("there is room").copy_from_slice(s.data);
        }
        Frame::Room { bytes } => assert!(writer.room(*bytes)),
        Frame::Padding { .. } => assert!(writer.pad()),
    }
}

/// Whether two frames say the same; an ack frame also knows the bytes behind it, which may differ.
pub(super) fn same(first: &Frame<'_>, second: &Frame<'_>) -> bool {
    match (first, second) {
        (Frame::Ack(first), Frame::Ack(second)) => {
            first.latest == second.latest
                && first.delay == second.delay
                && first.blocks().eq(second.blocks())
        }
        // It fills whatever packet it is in.
        (Frame::Padding { .. }, Frame::Padding { .. }) => true,
        (first, second) => first == second,
    }
}
