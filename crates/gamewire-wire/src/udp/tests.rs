use proptest::prelude::*;

use super::*;

fn encoded(encode: impl FnOnce(&mut Vec<u8>) -> usize) -> Vec<u8> {
    let mut out = b"before".to_vec();
    let len = encode(&mut out);
    assert_eq!(&out[..6], b"before");
    let datagram = out.split_off(6);
    assert_eq!(datagram.len(), len);
    datagram
}

#[test]
fn padded_messages_by_hand() {
    let message = ChallengeRequest {
        connection_id: Some(0x0403_0201),
        my_timestamp: None,
        protocol_version: Some(13),
    };
    let datagram = encoded(|out| encode_challenge_request(&message, out));
    assert_eq!(datagram.len(), 512);
    assert_eq!(datagram[..10], [0x20, 7, 0, 0x0d, 1, 2, 3, 4, 0x20, 13]);
    assert!(datagram[10..].iter().all(|&byte| byte == 0));
    assert_eq!(parse(&datagram), Ok(Datagram::ChallengeRequest(message)));
    assert_eq!(parse(&datagram[..511]), Err(DatagramError::Padding));
    // More padding than needed is fine, up to the largest datagram.
    let mut longer = datagram.clone();
    longer.resize(1300, 0);
    assert_eq!(parse(&longer), Ok(Datagram::ChallengeRequest(message)));
    longer.push(0);
    assert_eq!(parse(&longer), Err(DatagramError::TooLong));
    let mut bad = datagram;
    bad[1..3].copy_from_slice(&510u16.to_le_bytes());
    assert_eq!(parse(&bad), Err(DatagramError::BadLength));
    bad[1..3].copy_from_slice(&u16::MAX.to_le_bytes());
    assert_eq!(parse(&bad), Err(DatagramError::BadLength));
    bad[1..3].copy_from_slice(&509u16.to_le_bytes());
    assert_eq!(parse(&bad), Err(DatagramError::Protobuf)); // zeros are no field
}

#[test]
fn unpadded_messages_by_hand() {
    let no_connection =
        NoConnection { from_connection_id: Some(0x0807_0605), to_connection_id: Some(0x0403_0201) };
    let datagram = encoded(|out| encode_no_connection(&no_connection, out));
    assert_eq!(datagram, [0x25, 0x15, 5, 6, 7, 8, 0x1d, 1, 2, 3, 4]);
    assert_eq!(parse(&datagram), Ok(Datagram::NoConnection(no_connection)));

    let reply = ChallengeReply {
        connection_id: Some(1),
        challenge: Some(2),
        your_timestamp: Some(3),
        protocol_version: Some(13),
    };
    let datagram = encoded(|out| encode_challenge_reply(&reply, out));
    let by_hand = [
        0x21, 0x0d, 1, 0, 0, 0, 0x11, 2, 0, 0, 0, 0, 0, 0, 0, 0x19, 3, 0, 0, 0, 0, 0, 0, 0, 0x20,
        13,
    ];
    assert_eq!(datagram, by_hand);
    assert_eq!(parse(&datagram), Ok(Datagram::ChallengeReply(reply)));
}

#[test]
fn long_debug_text_is_cut_between_characters() {
    let message = ConnectionClosed {
        debug: Some("é".repeat(500)),
        reason_code: Some(1000),
        to_connection_id: Some(1),
        from_connection_id: Some(2),
    };
    let datagram = encoded(|out| encode_connection_closed(&message, out));
    assert_eq!(datagram.len(), 512);
    let expected = ConnectionClosed { debug: Some("é".repeat(63)), ..message };
    assert_eq!(parse(&datagram), Ok(Datagram::ConnectionClosed(expected)));
}

#[test]
fn what_is_ignored() {
    for len in 0..5 {
        assert_eq!(parse(&[0x80; 5][..len]), Err(DatagramError::TooShort));
    }
    assert_eq!(parse(&[0x80; 6]), Err(DatagramError::TooShort));
    assert_eq!(parse(b"\xff\xff\xff\xffTSource Engine Query\0"), Err(DatagramError::Broadcast));
    assert_eq!(peek_connection_id(b"\xff\xff\xff\xffTSource"), None);
    for id in (0..0x20).chain(0x26..0x80) {
        assert_eq!(parse(&[id; 600]), Err(DatagramError::UnknownType(id)));
    }
    assert_eq!(parse(&[0x80; 65_508]), Err(DatagramError::TooLong));
    assert!(parse(&[0x80; 65_507]).is_ok());
    assert_eq!(parse(&[0x24; 1301]), Err(DatagramError::TooLong));
    assert_ne!(parse(&[0x24; 1300]), Err(DatagramError::TooLong));
}

#[test]
fn data_headers_by_hand() {
    let stats = UdpStats { stats: None, flags: Some(6) };
    let table: &[(Option<UdpStats>, Option<u16>, &[u8])] = &[
        (None, None, &[0x80, 1, 2, 3, 4, 5, 6]),
        (Some(stats.clone()), None, &[0x81, 1, 2, 3, 4, 5, 6, 2, 0x18, 6]),
        (None, Some(0x0807), &[0x82, 1, 2, 3, 4, 5, 6, 7, 8]),
        (Some(stats), Some(0x0807), &[0x83, 1, 2, 3, 4, 5, 6, 2, 0x18, 6, 7, 8]),
    ];
    for (stats, time_since_previous, bytes) in table {
        let header = DataHeader {
            to_connection_id: 0x0403_0201,
            packet_number_low: 0x0605,
            time_since_previous: *time_since_previous,
        };
        let mut datagram = encoded(|out| encode_data_header(&header, stats.as_ref(), out));
        assert_eq!(&datagram, bytes);
        assert_eq!(datagram.len(), data_header_len(&header, stats.as_ref()));
        datagram.extend_from_slice(b"sealed");
        assert_eq!(peek_connection_id(&datagram), Some(0x0403_0201));
        let Ok(Datagram::Data(packet)) = parse(&datagram) else {
            panic!("a data packet");
        };
        assert_eq!(packet.header, header);
        assert_eq!(packet.stats.map(|stats| decode_stats(stats).unwrap()), *stats);
        assert_eq!(&datagram[packet.payload_offset..], b"sealed");
        for cut in 5..bytes.len() {
            let error = parse(&datagram[..cut]).unwrap_err();
            assert!(matches!(error, DatagramError::TooShort | DatagramError::BadLength));
            if cut < 7 {
                assert_eq!(peek_connection_id(&datagram[..cut]), None);
            }
        }
    }
}

/// CVE-2020-6019: a stats length beyond the datagram, up to where pointer sums would wrap.
#[test]
fn stats_length_beyond_the_datagram_is_an_error() {
    let lengths = [7, 8, 1293, 1300, 1 << 31, u64::from(u32::MAX), 1 << 63, u64::MAX - 6, u64::MAX];
    for len in lengths {
        let mut datagram = vec![0x81, 1, 2, 3, 4, 5, 6];
        varint::append(len, &mut datagram);
        datagram.extend_from_slice(&[0; 6]);
        assert_eq!(parse(&datagram), Err(DatagramError::BadLength), "{len:#x}");
    }
    let endless = [&[0x81, 1, 2, 3, 4, 5, 6][..], &[0xff; 40]].concat();
    assert_eq!(parse(&endless), Err(DatagramError::BadLength));
    let all = [0x81, 1, 2, 3, 4, 5, 6, 2, 0x18, 6];
    let Ok(Datagram::Data(packet)) = parse(&all) else { panic!("stats up to the end are fine") };
    assert_eq!((packet.stats, packet.payload_offset), (Some(&[0x18, 6][..]), 10));
}

#[test]
fn malformed_stats_are_an_error() {
    assert_eq!(decode_stats(&[]), Ok(UdpStats::default()));
    // A repeated field: the last one counts, as protobuf says.
    assert_eq!(decode_stats(&[0x18, 2, 0x18, 6]).unwrap().flags, Some(6));
    // Deep nesting in a field nobody knows is a group start without end.
    for bad in [&[0x18][..], &[0x0a, 5, 0], &[0x0a, 2, 0x0a, 9], &[0xff; 30], &[0x7b; 500]] {
        assert_eq!(decode_stats(bad), Err(DatagramError::Protobuf), "{bad:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn never_panics(first in 0x1fu8..0x8f, mut bytes in prop::collection::vec(any::<u8>(), 0..1320)) {
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        match parse(&bytes) {
            Ok(Datagram::Data(packet)) => {
                prop_assert!(packet.payload_offset <= bytes.len());
                let _ = packet.stats.map(decode_stats);
                prop_assert_eq!(peek_connection_id(&bytes), Some(packet.header.to_connection_id));
            }
            Ok(_) => prop_assert_eq!(peek_connection_id(&bytes), None),
            Err(_) => {}
        }
    }

    #[test]
    fn padded_bodies_never_panic(id in 0u8..2, len in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut bytes = vec![[ID_CHALLENGE_REQUEST, ID_CONNECTION_CLOSED][usize::from(id)]];
        bytes.extend_from_slice(&(len % 700).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.resize(bytes.len().max(512), 0);
        let _ = parse(&bytes);
    }
}
