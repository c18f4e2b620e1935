use super::*;

mod acks;
mod round_trip;
mod writing;

const PACKET: u64 = 0x1_0000_0010;

/// Hints with a value for each kind, whatever the lane.
struct Near {
    message: u64,
    stream: u64,
    sent: u64,
}

const NEAR: Near = Near { message: 0x1_0000_0005, stream: 0x2_0000_0000, sent: 0x3_0000_0002 };

impl FrameHints for Near {
    fn message_number(&self, lane: u16) -> u64 {
        self.message + u64::from(lane) * 0x10_0000
    }

    fn stream_position(&self, lane: u16) -> u64 {
        self.stream + u64::from(lane) * 0x1000_0000
    }

    fn last_sent_packet(&self) -> u64 {
        self.sent
    }
}

fn read(plaintext: &[u8]) -> Result<Vec<Frame<'_>>, FrameError> {
    read_near(plaintext, &NEAR)
}

fn read_near<'a>(plaintext: &'a [u8], hints: &Near) -> Result<Vec<Frame<'a>>, FrameError> {
    let mut reader = FrameReader::new(plaintext, PACKET);
    let mut frames = vec![];
    while let Some(frame) = reader.next(hints)? {
        frames.push(frame);
    }
    assert_eq!(reader.next(hints), Ok(None));
    Ok(frames)
}

fn unreliable(lane: u16, message_number: u64, offset: u32, last: bool, data: &[u8]) -> Frame<'_> {
    Frame::Unreliable(UnreliableSegment { lane, message_number, offset, last, data })
}

fn reliable(lane: u16, position: u64, data: &[u8]) -> Frame<'_> {
    Frame::Reliable(ReliableSegment { lane, position, data })
}

fn stop(before: u64) -> Frame<'static> {
    Frame::StopWaiting { before }
}

#[test]
fn unreliable_segments() {
    let n = NEAR.message; // 0x1_0000_0005
    let table: &[(&[u8], Vec<Frame<'_>>)] = &[
        // First: 16 bits, 32 bits, nearest to the hint.
        (&[0x00, 0x07, 0x00, 1, b'x'], vec![unreliable(0, n + 2, 0, false, b"x")]),
        (&[0x00, 0xff, 0xff, 1, b'x'], vec![unreliable(0, 0xffff_ffff, 0, false, b"x")]),
        (&[0x37, 0xfe, 0xff, 0xff, 0xff, b'x'], vec![unreliable(0, 0xffff_fffe, 0, true, b"x")]),
        // Offset, sizes 0 and beyond a byte.
        (&[0x08, 7, 0, 0xac, 0x02, 0], vec![unreliable(0, n + 2, 300, false, b"")]),
        (
            &[0x28, 7, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 9],
            vec![unreliable(0, n + 2, u32::MAX, true, &[9])],
        ),
        // Last frame without data.
        (&[0x27, 7, 0], vec![unreliable(0, n + 2, 0, true, b"")]),
        // Later ones: +1, +varint, +0.
        (
            &[0x20, 7, 0, 1, b'a', 0x20, 1, b'b', 0x30, 0xac, 0x02, 1, b'c', 0x3f, 0, 5, b'd'],
            vec![
                unreliable(0, n + 2, 0, true, b"a"),
                unreliable(0, n + 3, 0, true, b"b"),
                unreliable(0, n + 303, 0, true, b"c"),
                unreliable(0, n + 303, 5, true, b"d"),
            ],
        ),
    ];
    for (bytes, frames) in table {
        assert_eq!(read(bytes).as_ref(), Ok(frames), "{bytes:x?}");
    }
}

#[test]
fn size_codes() {
    for code in 0..=4u8 {
        for low in [0, 1, 0xff] {
            let size = usize::from(code) << 8 | usize::from(low);
            let mut bytes = vec![0x20 | code, 7, 0, low];
            bytes.resize(4 + size, 0x5a);
            let data = &bytes[4..];
            assert_eq!(read(&bytes), Ok(vec![unreliable(0, NEAR.message + 2, 0, true, data)]));
            if size > 0 {
                assert_eq!(read(&bytes[..3 + size]), Err(FrameError::Truncated));
            }
        }
    }
    for first in [0x25, 0x26] {
        assert_eq!(read(&[first, 7, 0, 1, 1]), Err(FrameError::ReservedSize));
        assert_eq!(read(&[first + 0x20, 7, 0, 0, 1, 1]), Err(FrameError::ReservedSize));
    }
}

#[test]
fn reliable_segments() {
    let p = NEAR.stream; // 0x2_0000_0000
    let table: &[(&[u8], Vec<Frame<'_>>)] = &[
        // First: 24, 32, 48 bits, nearest to the hint.
        (&[0x40, 5, 0, 0, 1, b'x'], vec![reliable(0, p + 5, b"x")]),
        (&[0x40, 0xff, 0xff, 0xff, 1, b'x'], vec![reliable(0, p - 1, b"x")]),
        (&[0x48, 5, 0, 0, 0, 1, b'x'], vec![reliable(0, p + 5, b"x")]),
        (&[0x48, 0xff, 0xff, 0xff, 0xff, 1, b'x'], vec![reliable(0, p - 1, b"x")]),
        (&[0x50, 5, 0, 0, 0, 2, 0, 1, b'x'], vec![reliable(0, p + 5, b"x")]),
        (&[0x57, 1, 0, 0, 0, 0, 0, b'x', b'y'], vec![reliable(0, 1, b"xy")]),
        // Later ones: contiguous, 8, 16, 32-bit gaps.
        (
            &[
                0x40, 5, 0, 0, 1, b'a', 0x40, 1, b'b', 0x48, 3, 1, b'c', 0x50, 0, 1, 1, b'd', 0x5f,
                0, 0, 0, 1, b'e',
            ],
            vec![
                reliable(0, p + 5, b"a"),
                reliable(0, p + 6, b"b"),
                reliable(0, p + 10, b"c"),
                reliable(0, p + 11 + 0x100, b"d"),
                reliable(0, p + 12 + 0x100 + 0x100_0000, b"e"),
            ],
        ),
    ];
    for (bytes, frames) in table {
        assert_eq!(read(bytes).as_ref(), Ok(frames), "{bytes:x?}");
    }
    assert_eq!(read(&[0x58, 1, 0, 0, 0, 0, 0, 1, 1]), Err(FrameError::ReservedPosition));
    assert_eq!(read(&[0x50, 0, 0, 0, 0, 0, 0, 1, 1]), Err(FrameError::StreamPosition));
    let top = Near { stream: u64::MAX - 3, ..NEAR };
    assert_eq!(
        read_near(&[0x40, 0xfd, 0xff, 0xff, 3, 1, 2, 3], &top),
        Err(FrameError::StreamPosition)
    );
    assert!(read_near(&[0x40, 0xfd, 0xff, 0xff, 2, 1, 2], &top).is_ok());
    assert_eq!(
        read_near(&[0x40, 0xfd, 0xff, 0xff, 2, 1, 2, 0x48, 1, 0], &top),
        Err(FrameError::StreamPosition)
    );
}

#[test]
fn a_reliable_segment_counts_as_a_message_once_a_number_is_known() {
    let n = NEAR.message;
    let bytes = [
        0x57 & 0xf8,
        1,
        0,
        0,
        0,
        0,
        0,
        1,
        b'r', // before any number: counts for nothing
        0x20,
        7,
        0,
        1,
        b'a', // n + 2
        0x40,
        1,
        b's', // counts as n + 3
        0x40,
        1,
        b't', // counts as n + 4
        0x20,
        1,
        b'b', // n + 5
    ];
    let frames = vec![
        reliable(0, 1, b"r"),
        unreliable(0, n + 2, 0, true, b"a"),
        reliable(0, 2, b"s"),
        reliable(0, 3, b"t"),
        unreliable(0, n + 5, 0, true, b"b"),
    ];
    assert_eq!(read(&bytes), Ok(frames.clone()));

    let mut out = vec![];
    let mut writer = PacketWriter::new(&mut out, 1000);
    frames.iter().for_each(|frame| write(&mut writer, frame));
    let mut by_hand = bytes.to_vec();
    by_hand.splice(9..12, [0x30, 7, 0, 0, 0]); // ours spends 32 bits on the first number
    assert_eq!(out, by_hand);
}

#[test]
fn lanes() {
    let n = NEAR.message;
    let x = |lane: u16| unreliable(lane, n + u64::from(lane) * 0x10_0000, 0, true, b"x");
    for lane in [1u16, 2, 6, 7, 8, 127, 128, 254] {
        let mut bytes = match lane {
            1..=7 => vec![0x88 + lane as u8 - 1],
            8..=127 => vec![0x8f, lane as u8],
            _ => vec![0x8f, lane as u8 | 0x80, (lane >> 7) as u8],
        };
        bytes.extend_from_slice(&[0x20, 5, 0, 1, b'x']);
        assert_eq!(read(&bytes), Ok(vec![x(lane)]), "{lane}");
    }
    // Back to lane 0; the contexts start anew each time.
    let bytes = [
        0x20, 5, 0, 1, b'x', 0x8a, 0x20, 5, 0, 1, b'x', 0x8f, 0, 0x20, 5, 0, 1, b'x', 0x8f, 0x80,
        0, 0x20, 5, 0, 1, b'x',
    ];
    assert_eq!(read(&bytes), Ok(vec![x(0), x(3), x(0), x(0)]));
    let streams = [0x40, 5, 0, 0, 1, b'a', 0x88, 0x40, 6, 0, 0, 1, b'b'];
    let p = NEAR.stream;
    assert_eq!(
        read(&streams),
        Ok(vec![reliable(0, p + 5, b"a"), reliable(1, p + 0x1000_0000 + 6, b"b")])
    );
    assert_eq!(read(&[0x8f, 0xff, 0x01]), Err(FrameError::Lane));
    assert_eq!(read(&[0x8f, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(FrameError::Lane));
    assert_eq!(read(&[0x8f, 0x80]), Err(FrameError::Truncated));
    assert_eq!(read(&[[0x8f].as_slice(), &[0xff; 10]].concat()), Err(FrameError::Varint));
    // A selection with nothing behind it is idle but well formed.
    assert_eq!(read(&[0x88]), Ok(vec![]));
}

#[test]
fn stop_waiting() {
    let table: &[(&[u8], u64)] = &[
        (&[0x80, 0], PACKET - 1),
        (&[0x80, 0xff], PACKET - 0x100),
        (&[0x81, 0x00, 0x01], PACKET - 0x101),
        (&[0x81, 0xff, 0xff], PACKET - 0x1_0000),
        (&[0x82, 0x00, 0x00, 0x01], PACKET - 0x1_0001),
        (&[0x82, 0xff, 0xff, 0xff], PACKET - 0x100_0000),
        (&[0x83, 0, 0, 0, 1, 0, 0, 0, 0], PACKET - 0x100_0001),
        (&[0x83, 0x0f, 0, 0, 0, 1, 0, 0, 0], 0),
    ];
    for &(bytes, before) in table {
        assert_eq!(read(bytes), Ok(vec![stop(before)]), "{bytes:x?}");
        let mut out = vec![7];
        assert!(!PacketWriter::new(&mut out, bytes.len() - 1).stop_waiting(PACKET, before));
        assert_eq!(out, [7]);
        assert!(PacketWriter::new(&mut out, bytes.len()).stop_waiting(PACKET, before));
        assert_eq!(&out[1..], bytes);
        for cut in 1..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Err(FrameError::Truncated));
        }
    }
    // Needlessly wide is fine, below zero is not.
    assert_eq!(read(&[0x83, 1, 0, 0, 0, 0, 0, 0, 0]), Ok(vec![stop(PACKET - 2)]));
    assert_eq!(read(&[0x83, 0x10, 0, 0, 0, 1, 0, 0, 0]), Err(FrameError::StopWaiting));
    assert_eq!(read(&[0x83, 255, 255, 255, 255, 255, 255, 255, 255]), Err(FrameError::StopWaiting));
    // What cannot be said is said as closely as can be.
    let mut out = vec![];
    assert!(PacketWriter::new(&mut out, 9).stop_waiting(5, 5));
    assert!(PacketWriter::new(&mut out, 9).stop_waiting(5, u64::MAX));
    assert_eq!(out, [0x80, 0, 0x80, 0]);
}

#[test]
fn extended_segments() {
    let n = NEAR.message;
    let frame = |kind, segment| match segment {
        Frame::Unreliable(segment) => Frame::Extended(ExtendedSegment { kind, segment }),
        _ => panic!("an unreliable segment"),
    };
    let bytes = [
        0xf0, 0, 7, 0, 0, 0, 1, b'a', // n + 2, last
        0x20, 1, b'b', // n + 3, unreliable: the number is shared
        0xcf, 1, 5, b'c', // n + 4, offset 5, to the end
    ];
    let frames = vec![
        frame(SegmentKind::ReliableUnordered, unreliable(0, n + 2 - 0x1_0000_0000, 0, true, b"a")),
        unreliable(0, n + 3 - 0x1_0000_0000, 0, true, b"b"),
        frame(SegmentKind::Sequenced, unreliable(0, n + 4 - 0x1_0000_0000, 5, false, b"c")),
    ];
    let young = Near { message: 1, ..NEAR };
    assert_eq!(read_near(&bytes, &young), Ok(frames.clone()));
    let mut out = vec![];
    let mut writer = PacketWriter::new(&mut out, bytes.len());
    assert_eq!(writer.extended_header_len(0, 7, 0), 7);
    frames.iter().for_each(|frame| write(&mut writer, frame));
    assert_eq!(out, bytes);
    assert_eq!(read(&[0xf0, 2, 7, 0, 0, 0, 0]), Err(FrameError::SegmentKind(2)));
    assert_eq!(read(&[0xf0]), Err(FrameError::Truncated));
}

#[test]
fn reserved_frames() {
    let reserved = (0x60..=0x7f).chain(0x86..=0x87).chain(0xa0..=0xbf);
    for first in reserved {
        assert_eq!(read(&[first; 20]), Err(FrameError::ReservedFrame(first)));
        assert_eq!(read(&[0x80, 0, first]), Err(FrameError::ReservedFrame(first)));
    }
    assert_eq!(read(&[]), Ok(vec![]));
}

#[test]
fn numbers_out_of_range() {
    let young = Near { message: 0, stream: 0, sent: 0 };
    assert_eq!(read_near(&[0x20, 0, 0, 0], &young), Err(FrameError::MessageNumber));
    // Nearest would be below zero.
    assert_eq!(
        read_near(&[0x27, 0xff, 0xff], &young),
        Ok(vec![unreliable(0, 0xffff, 0, true, b"")])
    );
    let old = Near { message: u64::MAX, ..NEAR };
    let top = [0x20, 0xff, 0xff, 0];
    assert!(read_near(&top, &old).is_ok());
    let beyond = |tail: &[u8]| read_near(&[&top, tail].concat(), &old).map(|_| ());
    assert_eq!(beyond(&[0x20, 0]), Err(FrameError::MessageNumber));
    assert_eq!(beyond(&[0x30, 1, 0]), Err(FrameError::MessageNumber));
    assert_eq!(beyond(&[0x30, 0, 0]), Ok(()));
    assert_eq!(beyond(&[0x57, 1, 0, 0, 0, 0, 0]), Err(FrameError::MessageNumber));
    // An offset over 32 bits (CVE-2020-6016 is about what fits: the receiver's business).
    let over = [0x28, 7, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0];
    assert_eq!(read(&over), Err(FrameError::Offset));
    assert_eq!(read(&[[0x28, 7, 0].as_slice(), &[0xff; 10]].concat()), Err(FrameError::Varint));
}

#[test]
fn room_is_told_and_read() {
    for (bytes, expected) in
        [(0, &[0x84, 0][..]), (300, &[0x84, 0xac, 2]), (1 << 20, &[0x84, 0x80, 0x80, 0x40])]
    {
        let mut out = vec![];
        assert!(!PacketWriter::new(&mut out, expected.len() - 1).room(bytes));
        assert!(PacketWriter::new(&mut out, expected.len()).room(bytes));
        assert_eq!(out, expected);
        assert_eq!(read(&out), Ok(vec![Frame::Room { bytes }]));
        assert_eq!(read(&out[..1]), Err(FrameError::Truncated));
    }
}

/// Writes what `reader` would read as `frame`; it must fit.
fn write(writer: &mut PacketWriter<'_>, frame: &Frame<'_>) {
    assert!(try_write(writer, frame), "no room for {frame:?}");
}

fn try_write(writer: &mut PacketWriter<'_>, frame: &Frame<'_>) -> bool {
    let before = (writer.len(), writer.remaining());
    let (slot, data, max_len) = match *frame {
        Frame::StopWaiting { before } => return writer.stop_waiting(PACKET, before),
        Frame::Room { bytes } => return writer.room(bytes),
        Frame::Padding { .. } => return writer.pad(),
        Frame::Ack(ref ack) => {
            let blocks: Vec<_> = ack.blocks().collect();
            return PacketWriter::ack_len(&blocks) <= writer.remaining()
                && writer.ack(ack.latest, ack.delay, false, &blocks) == blocks.len();
        }
        Frame::Unreliable(s) => {
            let max_len = writer.unreliable_max_len(s.lane, s.message_number, s.offset);
            (
                writer.unreliable(s.lane, s.message_number, s.offset, s.last, s.data.len()),
                s.data,
                max_len,
            )
        }
        Frame::Extended(ExtendedSegment { kind, segment: s }) => {
            let max_len = writer.extended_max_len(s.lane, s.message_number, s.offset);
            (
                writer.extended(kind, s.lane, s.message_number, s.offset, s.last, s.data.len()),
                s.data,
                max_len,
            )
        }
        Frame::Reliable(s) => {
            let max_len = writer.reliable_max_len(s.lane, s.position);
            (writer.reliable(s.lane, s.position, s.data.len()), s.data, max_len)
        }
    };
    let wrote = slot.map(|slot| slot.copy_from_slice(data)).is_some();
    if !wrote {
        assert!(data.len() > max_len || max_len == 0);
        assert_eq!((writer.len(), writer.remaining()), before);
    }
    wrote
}
