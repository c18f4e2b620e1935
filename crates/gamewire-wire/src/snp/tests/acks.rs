use super::*;
use crate::limits::{MAX_ACK_BLOCKS, MAX_ACK_COUNT};

pub(super) fn block(acked: u32, missing: u32) -> AckBlock {
    AckBlock { acked, missing }
}

/// Bytes, latest, delay, wide, blocks.
type AckRow<'a> = (&'a [u8], u64, Option<u16>, bool, &'a [AckBlock]);

#[test]
fn acks() {
    let s = NEAR.sent; // 0x3_0000_0002
    let six = [block(1, 2); 6];
    let seven = [block(7, 0); 7];
    let eight = [block(0, 7); 8];
    let table: &[AckRow<'_>] = &[
        (&[0x98, 1, 0, 0, 0], s - 1, Some(0), false, &[]),
        (&[0x98, 0xff, 0xff, 0xff, 0xff], s - 3, None, false, &[]),
        (&[0x90, 1, 0, 0, 0, 0xfe, 0xff], s - 1, Some(0xfffe), true, &[]),
        (&[0x90, 0xff, 0xff, 0xff, 0xff, 1, 2], s - 3, Some(0x201), true, &[]),
        (&[0x99, 1, 0, 5, 0, 0x37], s - 1, Some(5), false, &[block(3, 7)]),
        (&[0x9e, 1, 0, 5, 0, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12], s - 1, Some(5), false, &six),
        (
            &[0x9f, 1, 0, 5, 0, 7, 0x70, 0x70, 0x70, 0x70, 0x70, 0x70, 0x70],
            s - 1,
            Some(5),
            false,
            &seven,
        ),
        (&[0x9f, 1, 0, 5, 0, 8, 7, 7, 7, 7, 7, 7, 7, 7], s - 1, Some(5), false, &eight),
        // 8 = 0 + 1<<3, 300 = 4 + 37<<3, and the largest count.
        (&[0x99, 1, 0, 5, 0, 0x80, 1], s - 1, Some(5), false, &[block(8, 0)]),
        (&[0x99, 1, 0, 5, 0, 0x08, 1], s - 1, Some(5), false, &[block(0, 8)]),
        (&[0x99, 1, 0, 5, 0, 0xc9, 37, 1], s - 1, Some(5), false, &[block(300, 9)]),
        (
            &[0x99, 1, 0, 5, 0, 0xff, 0xa0, 0x8d, 0x06, 0xa0, 0x8d, 0x06],
            s - 1,
            Some(5),
            false,
            &[block(MAX_ACK_COUNT, MAX_ACK_COUNT)],
        ),
    ];
    for &(bytes, latest, delay, wide, blocks) in table {
        // A frame behind it shows that the blocks end where they should.
        let followed = [bytes, &[0x80, 0]].concat();
        let frames = read(&followed).unwrap();
        let Frame::Ack(ack) = &frames[0] else { panic!("an ack: {bytes:x?}") };
        assert_eq!((ack.latest, ack.delay), (latest, delay), "{bytes:x?}");
        assert_eq!(ack.blocks().len(), blocks.len());
        assert_eq!(ack.blocks().collect::<Vec<_>>(), blocks, "{bytes:x?}");
        assert_eq!(frames[1..], [stop(PACKET - 1)]);
        for cut in 1..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Err(FrameError::Truncated), "{bytes:x?} {cut}");
        }

        let mut out = vec![];
        let mut writer = PacketWriter::new(&mut out, bytes.len());
        assert_eq!(writer.ack(latest, delay, wide, blocks), blocks.len());
        assert_eq!(out, bytes);
        assert_eq!(PacketWriter::ack_len(blocks), bytes.len() - if wide { 2 } else { 0 });
    }
}

#[test]
fn bad_acks() {
    assert_eq!(
        read(&[0x99, 1, 0, 5, 0, 0x80, 0xa1, 0x8d, 0x06]), // 100 001 << 3
        Err(FrameError::AckCount)
    );
    assert_eq!(
        read(&[[0x99, 1, 0, 5, 0, 0x08].as_slice(), &[0xff; 10]].concat()),
        Err(FrameError::Varint)
    );
    let few = Near { sent: 20, ..NEAR };
    assert_eq!(read_near(&[0x99, 9, 0, 5, 0, 0x74], &few), Err(FrameError::AckRange));
    assert!(read_near(&[0x99, 9, 0, 5, 0, 0x73], &few).is_ok());
    // Later than the last sent: the connection drops the packet, the reader need not.
    let frames = read_near(&[0x98, 99, 0, 5, 0], &few);
    assert!(matches!(&frames.as_deref(), Ok([Frame::Ack(ack)]) if ack.latest == 99));
}

#[test]
fn acks_that_do_not_fit_leave_out_the_newest() {
    let blocks = [block(10, 1), block(3, 2), block(1, 1)];
    let write = |limit: usize, blocks: &[AckBlock]| {
        let mut out = vec![];
        let written = PacketWriter::new(&mut out, limit).ack(1000, Some(4), false, blocks);
        (written, out)
    };
    assert_eq!(PacketWriter::ack_len(&blocks), 9);
    assert_eq!(write(9, &blocks), (3, vec![0x9b, 0xe8, 3, 4, 0, 0xa1, 1, 0x32, 0x11]));
    // 1000 - 11: 989 is the newest of the second block. Its delay is not known.
    assert_eq!(write(8, &blocks), (2, vec![0x9a, 0xdd, 3, 0xff, 0xff, 0x32, 0x11]));
    assert_eq!(write(6, &blocks), (1, vec![0x99, 0xd8, 3, 0xff, 0xff, 0x11]));
    assert_eq!(write(5, &blocks), (0, vec![0x98, 0xd6, 3, 0xff, 0xff]));
    assert_eq!(write(4, &blocks), (0, vec![]));
    // Counts over the limit never fit; nor do more than 255 blocks.
    let huge = [block(1, 1), block(MAX_ACK_COUNT + 1, 0), block(2, 3)];
    assert_eq!(write(100, &huge).0, 1);
    let many = vec![block(1, 1); 300];
    let (written, out) = write(1000, &many);
    assert_eq!((written, out.len()), (MAX_ACK_BLOCKS, 6 + 255));
    let latest = u16::from_le_bytes([out[1], out[2]]);
    assert_eq!(latest, 1000 - 45 * 2);
    // Six blocks need no count byte, seven do: no gap between them.
    let seven = [block(1, 1); 7];
    assert_eq!(write(12, &seven).0, 6);
    assert_eq!(write(13, &seven).0, 7);
    // "Not known" cannot be said by accident.
    let mut out = vec![];
    PacketWriter::new(&mut out, 5).ack(1, Some(0xffff), false, &[]);
    assert_eq!(out, [0x98, 1, 0, 0xfe, 0xff]);
}
