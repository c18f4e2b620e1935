//! The messages of Valve's peers and of RFC 5769, and what is none.

use super::*;
use crate::recorded::{self, hex};
use gamewire_crypto::SeededEntropy;
use std::net::SocketAddr;

/// Writes the message anew, attribute by attribute, in the order in which they are there.
fn rewritten(bytes: &[u8], key: &[u8]) -> Vec<u8> {
    let message = Message::parse(bytes).unwrap();
    let mut builder = Builder::new(message.class(), message.method(), message.transaction_id());
    for kind in [
        attribute::XOR_MAPPED_ADDRESS,
        attribute::USERNAME,
        attribute::PRIORITY,
        attribute::ICE_CONTROLLED,
        attribute::ICE_CONTROLLING,
        attribute::USE_CANDIDATE,
    ] {
        if kind == attribute::XOR_MAPPED_ADDRESS {
            if let Some(address) = message.xor_address(kind) {
                builder = builder.xor_address(kind, address);
            }
        } else if let Some(value) = message.attribute(kind) {
            builder = builder.attribute(kind, value);
        }
    }
    builder.integrity(key).fingerprint()
}

#[test]
fn messages_of_valves_peers_are_read_and_written_alike() {
    let mut count = 0;
    for record in recorded::all() {
        for datagram in record.stun() {
            let message = Message::parse(&datagram.bytes).unwrap();
            assert_eq!(message.method(), method::BINDING);
            assert_eq!(message.fingerprint(), Fingerprint::Right);
            let password = record.password_for(&message);
            assert!(message.verify(password.as_bytes()));
            assert!(!message.verify(b"other"));
            if message.class() == Class::Success {
                assert_eq!(message.xor_address(attribute::XOR_MAPPED_ADDRESS), Some(datagram.to));
            }
            assert_eq!(rewritten(&datagram.bytes, password.as_bytes()), datagram.bytes);
            count += 1;
        }
        for datagram in record.data() {
            assert!(!is_stun(&datagram.bytes));
        }
    }
    assert_eq!(count, 6 + 11);
}

#[test]
fn the_response_of_rfc_5769() {
    let bytes =
        hex("0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f722000200008\
         0001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96");
    let message = Message::parse(&bytes).unwrap();
    let address: SocketAddr = "192.0.2.1:32853".parse().unwrap();
    assert_eq!(message.xor_address(attribute::XOR_MAPPED_ADDRESS), Some(address));
    assert!(message.verify(b"VOkJxbRl1RmTxUk/WvJxBt"));
    assert_eq!(message.fingerprint(), Fingerprint::Right);
}

#[test]
fn addresses_come_back_as_they_were() {
    let mut ids = TransactionIds::new(&mut SeededEntropy::new(1));
    for text in ["1.2.3.4:5", "[2001:db8::1:2]:65535", "255.255.255.255:1"] {
        let address: SocketAddr = text.parse().unwrap();
        let bytes = Builder::new(Class::Success, method::BINDING, ids.generate())
            .address(attribute::MAPPED_ADDRESS, address)
            .xor_address(attribute::XOR_MAPPED_ADDRESS, address)
            .finish();
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.address(attribute::MAPPED_ADDRESS), Some(address));
        assert_eq!(message.xor_address(attribute::XOR_MAPPED_ADDRESS), Some(address));
        assert_eq!(message.fingerprint(), Fingerprint::Missing);
        assert!(!message.verify(b""));
    }
}

#[test]
fn methods_and_classes_share_their_bits() {
    let id = TransactionId([7; 12]);
    for class in [Class::Request, Class::Indication, Class::Success, Class::Error] {
        for number in [1, 9, 0x0f, 0x10, 0x80, 0xfff] {
            let bytes = Builder::new(class, number, id).finish();
            let message = Message::parse(&bytes).unwrap();
            assert_eq!((message.class(), message.method()), (class, number));
            assert_eq!(message.transaction_id(), id);
        }
    }
}

#[test]
fn whatever_is_cut_or_altered_is_refused() {
    let record = &recorded::all()[0];
    let whole = &record.stun().next().unwrap().bytes;
    for len in 0..whole.len() {
        assert!(Message::parse(&whole[..len]).is_err());
    }
    for bit in 0..whole.len() * 8 {
        let mut altered = whole.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        if let Ok(message) = Message::parse(&altered) {
            let right = message.fingerprint() == Fingerprint::Right;
            assert!(!right, "bit {bit} goes unnoticed");
        }
    }
    // Lengths that reach beyond the end, alone and behind a good attribute.
    for len in [1_u16, 4, 0xffff] {
        let mut bytes = Builder::new(Class::Request, method::BINDING, TransactionId([0; 12]))
            .attribute(attribute::USERNAME, b"")
            .finish();
        bytes[22..24].copy_from_slice(&len.to_be_bytes());
        assert!(Message::parse(&bytes).is_err());
    }
}

#[test]
fn what_follows_the_integrity_is_left_out() {
    let bytes = Builder::new(Class::Request, method::BINDING, TransactionId([3; 12]))
        .attribute(attribute::USERNAME, b"name")
        .integrity(b"key")
        .attribute(attribute::USE_CANDIDATE, b"")
        .fingerprint();
    let message = Message::parse(&bytes).unwrap();
    assert!(message.verify(b"key"));
    assert_eq!(message.text(attribute::USERNAME), Some("name"));
    assert_eq!(message.attribute(attribute::USE_CANDIDATE), None);
    assert_eq!(message.fingerprint(), Fingerprint::Right);
}

#[test]
fn retransmissions_are_those_of_valves_peers() {
    // p2p-symmetric.json: the check that nobody answers is seen at 793.5, 1194.6, 1794.6, 2695.6
    // and 4046.5 ms.
    let start = gamewire_proto::Time::from_micros(1_000_000);
    let mut retransmission = Retransmission::start(start);
    let mut seen = vec![];
    loop {
        let due = retransmission.due();
        if !retransmission.on_due(due) {
            assert_eq!(due.since(start), RESPONSE_TIMEOUT);
            break;
        }
        seen.push(due.since(start).as_millis());
    }
    assert_eq!(seen, [400, 1000, 1900, 3250]);
    assert_eq!(retransmission.sends(), SENDS);
}
