use super::*;
use crate::limits::MAX_EXPLICIT_SEGMENT;

#[test]
fn a_full_packet_ends_without_a_size() {
    let mut out = vec![];
    let mut writer = PacketWriter::new(&mut out, 20);
    assert_eq!((writer.remaining(), writer.len(), writer.is_empty()), (20, 0, true));
    assert_eq!(writer.reliable_header_len(0, 1), 8);
    assert_eq!(writer.reliable_max_len(0, 1), 13);
    assert_eq!(writer.reliable(0, 1, 14), None);
    assert!(writer.is_empty());
    writer.reliable(0, 1, 13).unwrap().fill(b'x');
    assert_eq!((writer.remaining(), writer.len()), (0, 20));
    assert_eq!(writer.reliable_max_len(0, 14), 0);
    assert_eq!(writer.reliable(0, 14, 0), None);
    assert!(!writer.stop_waiting(5, 1));
    assert_eq!(out[0], 0x57);

    // One byte less needs a size, and fits as well.
    let mut out = vec![];
    let mut writer = PacketWriter::new(&mut out, 20);
    writer.reliable(0, 1, 12).unwrap().fill(b'x');
    assert_eq!((out[0], out[7], out.len()), (0x50, 12, 20));

    // Beyond what a size can say only the whole rest fits.
    let mut out = vec![];
    let mut writer = PacketWriter::new(&mut out, 2000);
    assert_eq!(writer.unreliable_max_len(0, 1, 0), 1995);
    assert_eq!(writer.unreliable(0, 1, 0, true, MAX_EXPLICIT_SEGMENT + 1), None);
    assert!(writer.unreliable(0, 1, 0, true, 1995).is_some());
    let mut out = vec![];
    let mut writer = PacketWriter::new(&mut out, 2000);
    assert!(writer.unreliable(0, 1, 0, true, MAX_EXPLICIT_SEGMENT).is_some());
    assert_eq!((out[0], out[5]), (0x34, 0xff));
    // Where a varint may tell it, anything fits; if the varint does not, the packet ends there.
    for (len, rest) in [(1280, 713), (1992, 1), (1993, 0), (1994, 0), (1995, 0)] {
        let mut out = vec![];
        let mut writer = PacketWriter::new(&mut out, 2000).with_wide_sizes(true);
        writer.unreliable(0, 1, 0, true, len).unwrap().fill(b'x');
        assert_eq!(writer.remaining(), rest, "{len}");
        let mut reader = FrameReader::new(&out, 9).with_wide_sizes(true);
        let Ok(Some(Frame::Unreliable(read))) = reader.next(&NEAR) else { panic!("{len}") };
        assert_eq!((read.data.len(), reader.next(&NEAR)), (len, Ok(None)));
        let plain = FrameReader::new(&out, 9).next(&NEAR);
        assert_eq!(plain.is_ok(), out[0] & 7 == 7, "{len}");
    }
    // An empty message with and without room behind it.
    let mut out = vec![];
    assert!(PacketWriter::new(&mut out, 5).unreliable(0, 1, 0, true, 0).is_some());
    assert_eq!(out, [0x37, 1, 0, 0, 0]);
}

#[test]
fn padding_fills_the_rest() {
    let mut out = vec![];
    let mut writer = PacketWriter::new(&mut out, 50);
    writer.unreliable(0, 1, 0, true, 3).unwrap();
    assert!(writer.pad() && !writer.pad());
    assert_eq!(out.len(), 50);
    let mut reader = FrameReader::new(&out, 9);
    assert!(matches!(reader.next(&NEAR), Ok(Some(Frame::Unreliable(_)))));
    assert_eq!(reader.next(&NEAR), Ok(Some(Frame::Padding { len: 40 })));
    assert_eq!(reader.next(&NEAR), Ok(None));
}

#[test]
fn going_back_selects_the_lane_anew() {
    let mut out = vec![];
    let mut writer = PacketWriter::new(&mut out, 1000);
    let frames = [
        reliable(0, 500, b"a"),
        reliable(0, 100, b"b"),           // back in the stream
        reliable(0, 0x1_0000_0100, b"c"), // too far for a gap
        unreliable(3, 9, 0, true, b"d"),
        unreliable(3, 8, 0, true, b"e"), // an older message
        reliable(3, 1, b"f"),
        unreliable(3, 8, 1, true, b"g"), // the reliable one counted
    ];
    frames.iter().for_each(|frame| write(&mut writer, frame));
    let hints = Near { message: 1, stream: 1, sent: 1 };
    assert_eq!(read_near(&out, &hints).unwrap(), frames);
    assert_eq!(
        out[..20],
        [0x50, 0xf4, 1, 0, 0, 0, 0, 1, b'a', 0x8f, 0, 0x50, 100, 0, 0, 0, 0, 0, 1, b'b']
    );
}
