//! Framing: round trips, hostile lengths, and what must not pass.

use proptest::prelude::*;

use super::*;
use crate::{
    address::Address,
    messages::relay::{GameserverSessionEstablished, RouterPingReply},
};

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn header(kind: DataKind) -> DataHeader {
    DataHeader {
        kind,
        e2e_sequence: 0x0201,
        relay_sequence: 0x0403,
        id: 0x0807_0605,
        is_session_id: false,
        time_since_previous: None,
    }
}

#[test]
fn data_header_bytes() {
    let table = [
        (DataKind::ClientHosted, 0x80),
        (DataKind::ClientP2p, 0xa0),
        (DataKind::Relay, 0x40),
        (DataKind::Server, 0xc0),
    ];
    for (kind, first) in table {
        let mut out = Vec::new();
        assert_eq!(header(kind).encode(None, &mut out), 9);
        assert_eq!(out, [first, 1, 2, 3, 4, 5, 6, 7, 8]);
        let time = Some(TimeSincePrevious { e2e: 0x0a09, relay: 0x0c0b });
        let full = DataHeader { is_session_id: true, time_since_previous: time, ..header(kind) };
        let mut out = Vec::new();
        full.encode(Some(b"st"), &mut out);
        let mut expected = vec![first | 0x0b, 1, 2, 3, 4, 5, 6, 7, 8, 2, b's', b't', 9, 10];
        if kind == DataKind::Relay {
            expected.extend([11, 12]);
        }
        assert_eq!(out, expected, "{kind:?}");
    }
}

#[test]
fn lengths_that_exceed_the_datagram() {
    for declared in [4u64, 0x7fff_ffff, 0xffff_ffff, u64::MAX] {
        let mut out = vec![0x81, 0, 0, 0, 0, 0, 0, 0, 0];
        crate::varint::append(declared, &mut out);
        out.extend([1, 2, 3]);
        assert_eq!(parse(&out), Err(DatagramError::BadLength), "{declared}");
    }
    assert_eq!(parse(&[0x82, 0, 0, 0, 0, 0, 0, 0, 0, 1]), Err(DatagramError::TooShort));
    assert_eq!(parse(&[0x42, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]), Err(DatagramError::TooShort));
}

#[test]
fn first_bytes() {
    assert_eq!(parse(&[]), Err(DatagramError::TooShort));
    assert_eq!(parse(&[2]), Err(DatagramError::TooShort));
    assert_eq!(parse(&[0, 0]), Err(DatagramError::UnknownType(0)));
    for first in 0..=255u8 {
        let mut datagram = [0; 40];
        datagram[0] = first;
        let parsed = parse(&datagram);
        let stray_flag = first & 0x14 != 0;
        match first {
            0 => assert!(parsed.is_err()),
            1 => assert_eq!(parsed, Err(DatagramError::Ping)),
            2..=63 => {
                assert_eq!(parsed, Ok(Datagram::Control { id: first, body: &datagram[1..] }));
            }
            0x40..=0x5f | 0x80..=0xbf | 0xc0..=0xdf if !stray_flag => {
                assert!(matches!(parsed, Ok(Datagram::Data(_))), "{first:#x}");
            }
            _ => assert_eq!(parsed, Err(DatagramError::UnknownType(first)), "{first:#x}"),
        }
    }
    let long = [2; 1301];
    assert_eq!(parse(&long), Err(DatagramError::TooLong));
    let interior = [id::INTERIOR; MAX_INTERIOR_DATAGRAM];
    assert!(parse(&interior).is_ok());
    assert!(parse(&[id::INTERIOR; MAX_INTERIOR_DATAGRAM + 1]).is_err());
}

#[test]
fn ping_request_bytes() {
    let relay = address("155.133.226.70:27037");
    let request = PingRequest {
        config_revision: 0x1122_3344,
        protocol_version: 12,
        ..PingRequest::new(relay, 0xaabb_ccdd, 0x5566_7788)
    };
    let mut out = Vec::new();
    assert_eq!(request.encode(&mut out), 1300);
    assert_eq!(out.len(), 1300);
    let mut expected = vec![1, 2];
    expected.extend(b"sdping");
    expected.extend([0xdd, 0xcc, 0xbb, 0xaa, 0x88, 0x77, 0x66, 0x55, 0, 0, 0, 0]);
    expected.extend([0x44, 0x33, 0x22, 0x11]);
    // 155.133.226.70 is 0x9b85e246, 27037 is 0x699d.
    expected.extend([0x46 ^ 0x88, 0xe2 ^ 0x77, 0x85 ^ 0x66, 0x9b ^ 0x55]);
    expected.extend([0x9d ^ 0x88, 0x69 ^ 0x77, 12, 0]);
    assert_eq!(out[..32], expected);
    assert!(out[32..].iter().all(|&byte| byte == 0));
    assert_eq!(parse(&out), Ok(Datagram::Ping(request)));
    assert!(request.is_for(relay));
    for other in ["155.133.226.71:27037", "155.133.226.70:27038", "[2001:db8::1]:27037"] {
        assert!(!request.is_for(address(other)), "{other}");
    }
    let v6 = address("[2001:db8::2:7]:1");
    assert!(PingRequest::new(v6, 0, 9).is_for(v6));
}

#[test]
fn a_ping_request_that_did_not_pay_is_none() {
    for minimal in [false, true] {
        let request = PingRequest { minimal, ..PingRequest::new(address("1.2.3.4:5"), 1, 2) };
        let mut out = Vec::new();
        let len = request.encode(&mut out);
        assert_eq!(len, if minimal { 100 } else { 1300 });
        assert_eq!(parse(&out[..len - 1]), Err(DatagramError::Ping));
        for at in 1..8 {
            let mut broken = out.clone();
            broken[at] ^= 0x40;
            assert_eq!(parse(&broken), Err(DatagramError::Ping), "byte {at}");
        }
    }
}

#[test]
fn control_round_trip() {
    let message = GameserverSessionEstablished {
        connection_id: Some(7),
        gameserver_identity_string: Some("str:server".into()),
        ..Default::default()
    };
    let mut out = Vec::new();
    assert_eq!(encode(id::GAMESERVER_SESSION_ESTABLISHED, &message, &mut out), out.len());
    let Ok(Datagram::Control { id, body }) = parse(&out) else { panic!() };
    assert_eq!(id, id::GAMESERVER_SESSION_ESTABLISHED);
    assert_eq!(decode::<GameserverSessionEstablished>(body), Ok(message));
    assert_eq!(decode::<RouterPingReply>(&[0xff]), Err(DatagramError::Protobuf));
}

/// Field numbers of the spec, byte for byte.
#[test]
fn packed_lists_and_fixed_fields() {
    let reply = RouterPingReply {
        client_timestamp: Some(1),
        latency_datacenter_ids: vec![2],
        latency_ping_ms: vec![300],
        challenge: Some(5),
        ..Default::default()
    };
    let mut out = Vec::new();
    encode(id::ROUTER_PING_REPLY, &reply, &mut out);
    let expected =
        [2, 0x0d, 1, 0, 0, 0, 0x12, 4, 2, 0, 0, 0, 0x1a, 2, 0xac, 2, 0x31, 5, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(out, expected);
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn data_round_trip(
        kind in prop_oneof![
            Just(DataKind::ClientHosted), Just(DataKind::ClientP2p), Just(DataKind::Relay),
            Just(DataKind::Server)
        ],
        numbers in any::<(u16, u16, u32, bool)>(),
        times in proptest::option::of(any::<(u16, u16)>()),
        stats in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200)),
        payload in proptest::collection::vec(any::<u8>(), 0..1000),
    ) {
        let (e2e_sequence, relay_sequence, id, is_session_id) = numbers;
        let time_since_previous = times.map(|(e2e, relay)| TimeSincePrevious {
            e2e,
            relay: if kind == DataKind::Relay { relay } else { 0 },
        });
        let header =
            DataHeader { kind, e2e_sequence, relay_sequence, id, is_session_id, time_since_previous };
        let mut out = Vec::new();
        header.encode(stats.as_deref(), &mut out);
        out.extend(&payload);
        let packet = DataPacket { header, stats: stats.as_deref(), payload: &payload };
        prop_assert_eq!(parse(&out), Ok(Datagram::Data(packet)));
    }
}
