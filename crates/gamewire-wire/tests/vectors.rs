//! The recorded connection with Valve's library: every datagram and plaintext, both ways.
#![allow(clippy::unwrap_used)] // shared functions of a test are not seen as one

use gamewire_wire::messages::{SessionCryptInfo, UdpStats};
use gamewire_wire::snp::{
    Frame, FrameHints, FrameReader, PacketWriter, ReliableSegment, UnreliableSegment,
    decode_message_header,
};
use gamewire_wire::udp::{self, Datagram};
use gamewire_wire::{Identity, truncated};
use prost::Message;
use serde_json::Value;

struct Record {
    from_initiator: bool,
    bytes: Vec<u8>,
    data: Option<Data>,
}

struct Data {
    packet_number: u64,
    plaintext: Vec<u8>,
    stats: Option<Vec<u8>>,
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn vector() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/connection-aes.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn records() -> Vec<Record> {
    let vector = vector();
    let record = |value: &Value| Record {
        from_initiator: value["dir"] == "c2s",
        bytes: hex(value["hex"].as_str().unwrap()),
        data: value["plaintext"].as_str().map(|plaintext| Data {
            packet_number: value["packet_number"].as_u64().unwrap(),
            plaintext: hex(plaintext),
            stats: value["inline_stats"].as_str().map(hex),
        }),
    };
    vector["datagrams"].as_array().unwrap().iter().map(record).collect()
}

/// What both ends of a young connection know.
struct Young;

impl FrameHints for Young {
    fn message_number(&self, _lane: u16) -> u64 {
        1
    }

    fn stream_position(&self, _lane: u16) -> u64 {
        1
    }

    fn last_sent_packet(&self) -> u64 {
        2
    }
}

fn frames(plaintext: &[u8], packet_number: u64) -> Vec<Frame<'_>> {
    let mut reader = FrameReader::new(plaintext, packet_number);
    std::iter::from_fn(|| reader.next(&Young).unwrap()).collect()
}

fn rewrite(plaintext: &[u8], packet_number: u64) -> Vec<u8> {
    let mut out = vec![];
    let mut writer = PacketWriter::new(&mut out, plaintext.len());
    for frame in frames(plaintext, packet_number) {
        match frame {
            Frame::StopWaiting { before } => assert!(writer.stop_waiting(packet_number, before)),
            Frame::Ack(ack) => {
                let blocks: Vec<_> = ack.blocks().collect();
                assert_eq!(writer.ack(ack.latest, ack.delay, false, &blocks), blocks.len());
            }
            Frame::Reliable(ReliableSegment { lane, position, data }) => {
                writer.reliable(lane, position, data.len()).unwrap().copy_from_slice(data);
            }
            Frame::Unreliable(segment) => {
                let UnreliableSegment { lane, message_number, offset, last, data } = segment;
                let slot = writer.unreliable(lane, message_number, offset, last, data.len());
                // Ours always spends 32 bits on the number, so a 16-bit one may not fit again.
                if let Some(slot) = slot {
                    slot.copy_from_slice(data);
                }
            }
            Frame::Extended(_) | Frame::Room { .. } | Frame::Padding { .. } => {
                panic!("Valve's library knows none")
            }
        }
    }
    out
}

#[test]
fn control_messages_parse_and_encode_to_the_same_bytes() {
    let mut seen = vec![];
    for record in records().iter().filter(|record| record.data.is_none()) {
        let mut out = vec![];
        let len = match udp::parse(&record.bytes).unwrap() {
            Datagram::ChallengeRequest(message) => {
                udp::encode_challenge_request(&message, &mut out)
            }
            Datagram::ChallengeReply(message) => udp::encode_challenge_reply(&message, &mut out),
            Datagram::ConnectRequest(message) => udp::encode_connect_request(&message, &mut out),
            Datagram::ConnectOk(message) => udp::encode_connect_ok(&message, &mut out),
            Datagram::ConnectionClosed(message) => {
                udp::encode_connection_closed(&message, &mut out)
            }
            Datagram::NoConnection(message) => udp::encode_no_connection(&message, &mut out),
            Datagram::Data(_) => panic!("a control message was read as data"),
        };
        assert_eq!(out, record.bytes);
        assert_eq!(len, out.len());
        seen.push(out[0]);
    }
    assert_eq!(seen, [0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x25]);
}

#[test]
fn handshake_messages_say_what_the_keys_file_says() {
    let vector = vector();
    let keys = &vector["keys"];
    let records = records();
    let key = |name: &str| hex(keys[name].as_str().unwrap());
    let number = |name: &str| keys[name].as_u64().unwrap();
    let Datagram::ConnectRequest(request) = udp::parse(&records[2].bytes).unwrap() else {
        panic!("the third datagram is the ConnectRequest");
    };
    let Datagram::ConnectOk(ok) = udp::parse(&records[3].bytes).unwrap() else {
        panic!("the fourth datagram is the ConnectOK");
    };
    assert_eq!(request.client_connection_id, Some(number("client_connection_id") as u32));
    assert_eq!(ok.client_connection_id, Some(number("client_connection_id") as u32));
    assert_eq!(ok.server_connection_id, Some(number("server_connection_id") as u32));
    for (cert, crypt, side) in
        [(request.cert, request.crypt, "client"), (ok.cert, ok.crypt, "server")]
    {
        let cert = cert.unwrap().cert.unwrap();
        assert_eq!(cert, key(&format!("{side}_cert")));
        let info = crypt.unwrap().info.unwrap();
        assert_eq!(info, key(&format!("{side}_crypt_info")));
        let info = SessionCryptInfo::decode(info).unwrap();
        assert_eq!(info.nonce, Some(number(&format!("{side}_nonce"))));
        let cert = gamewire_wire::messages::Certificate::decode(cert).unwrap();
        let identity = match (&cert.identity_string, &cert.legacy_identity_binary) {
            (Some(text), _) => text.parse().unwrap(),
            (None, Some(legacy)) => Identity::from_legacy_binary(legacy).unwrap(),
            (None, None) => panic!("both certificates name an identity"),
        };
        match side {
            "client" => assert_eq!(identity, Identity::generic_string("pyclient").unwrap()),
            _ => {
                assert_eq!(identity, Identity::localhost());
                assert_eq!(identity.to_legacy_binary(), cert.legacy_identity_binary);
            }
        }
    }
}

#[test]
fn data_headers_parse_and_encode_to_the_same_bytes() {
    let vector = vector();
    let id = |name: &str| vector["keys"][name].as_u64().unwrap() as u32;
    let mut newest = [1u64; 2];
    let mut seen = 0;
    for record in records() {
        let Some(data) = &record.data else { continue };
        let Datagram::Data(packet) = udp::parse(&record.bytes).unwrap() else {
            panic!("a data packet was read as something else");
        };
        let (to, newest) = match record.from_initiator {
            true => (id("server_connection_id"), &mut newest[0]),
            false => (id("client_connection_id"), &mut newest[1]),
        };
        assert_eq!(packet.header.to_connection_id, to);
        assert_eq!(udp::peek_connection_id(&record.bytes), Some(to));
        *newest = truncated::expand(u64::from(packet.header.packet_number_low), 16, *newest);
        assert_eq!(*newest, data.packet_number);
        assert_eq!(packet.stats, data.stats.as_deref());
        assert_eq!(record.bytes.len(), packet.payload_offset + data.plaintext.len() + 16);

        let stats: Option<UdpStats> = packet.stats.map(|stats| udp::decode_stats(stats).unwrap());
        let mut out = vec![];
        udp::encode_data_header(&packet.header, stats.as_ref(), &mut out);
        assert_eq!(out, record.bytes[..packet.payload_offset]);
        assert_eq!(out.len(), udp::data_header_len(&packet.header, stats.as_ref()));
        seen += 1;
    }
    assert_eq!(seen, 86);
}

#[test]
fn plaintexts_parse_and_write_to_the_same_bytes() {
    let mut different = 0;
    let mut same = 0;
    for record in records() {
        let Some(data) = &record.data else { continue };
        let again = rewrite(&data.plaintext, data.packet_number);
        if again == data.plaintext {
            same += 1;
        } else {
            // Only the independent client wrote a 16-bit message number, once.
            assert!(record.from_initiator);
            assert!(frames(&data.plaintext, data.packet_number).iter().any(|frame| matches!(
                frame,
                Frame::Unreliable(segment) if segment.message_number == 4 && segment.last
                    && segment.data == b"unreliable message"
            )));
            different += 1;
        }
    }
    assert_eq!((same, different), (85, 1));
}

#[test]
fn frames_add_up_to_the_echoed_messages() {
    let mut stream = [vec![], vec![]];
    let mut unreliable = [vec![], vec![]];
    for record in records() {
        let Some(data) = &record.data else { continue };
        let side = usize::from(!record.from_initiator);
        for frame in frames(&data.plaintext, data.packet_number) {
            match frame {
                Frame::StopWaiting { before } => assert!(before < data.packet_number),
                Frame::Ack(ack) => assert_eq!(ack.blocks().len(), 0),
                Frame::Reliable(segment) => {
                    let at = segment.position as usize - 1;
                    let end = at + segment.data.len();
                    assert!(at <= stream[side].len(), "nothing was lost on the way");
                    stream[side].resize(end.max(stream[side].len()), 0);
                    stream[side][at..end].copy_from_slice(segment.data);
                }
                Frame::Unreliable(segment) => {
                    unreliable[side].push((segment.message_number, segment.data.to_vec()));
                }
                Frame::Extended(_) | Frame::Room { .. } | Frame::Padding { .. } => {
                    panic!("Valve's library knows none")
                }
            }
        }
    }
    assert_eq!(stream[0], stream[1]);
    let mut rest = stream[0].as_slice();
    let counting: Vec<u8> = (0..=255).collect();
    for expected in [b"hello".to_vec(), counting.repeat(4), vec![b'Z'; 1500]] {
        let (header, len) = decode_message_header(rest).unwrap().unwrap();
        let (payload, after) = rest[len..].split_at(header.size as usize);
        assert_eq!((header.number_increment, payload), (1, expected.as_slice()));
        rest = after;
    }
    assert_eq!(rest, [] as [u8; 0]);
    let expected = vec![(4, b"unreliable message".to_vec())];
    assert_eq!(unreliable, [expected.clone(), expected]);
}

/// Every single-bit flip in the head, and every cut, of every kind of datagram and plaintext.
#[test]
fn mutated_packets_never_panic() {
    let mut kinds = std::collections::BTreeSet::new();
    let records = records();
    for record in &records {
        let shape = record.data.as_ref().map(|data| (data.plaintext.len(), data.stats.is_some()));
        if !kinds.insert((record.bytes[0], shape)) {
            continue;
        }
        let plaintext = record.data.as_ref().map(|data| data.plaintext.as_slice());
        for bytes in [Some(record.bytes.as_slice()), plaintext].into_iter().flatten() {
            for bit in 0..bytes.len().min(240) * 8 {
                let mut mutated = bytes.to_vec();
                mutated[bit / 8] ^= 1 << (bit % 8);
                exercise(&mutated);
            }
            (0..bytes.len()).for_each(|cut| exercise(&bytes[..cut]));
        }
    }
    assert!(kinds.len() > 12);
}

fn exercise(bytes: &[u8]) {
    if let Ok(Datagram::Data(packet)) = udp::parse(bytes) {
        assert!(packet.payload_offset <= bytes.len());
        packet.stats.map(udp::decode_stats);
    }
    let mut reader = FrameReader::new(bytes, 5);
    let mut frames = 0;
    while let Ok(Some(_)) = reader.next(&Young) {
        frames += 1;
    }
    assert!(frames <= bytes.len());
    assert_eq!(reader.next(&Young), Ok(None), "nothing follows an error or the end");
}
