//! What broke others, tried on an open connection (docs/lessons.md).

use gamewire_wire::udp::{self, DataHeader};

use super::*;
use crate::drops::DropReason;

/// Unencrypted connections, so that a test can write what a peer would have to seal.
fn plain() -> Pair {
    let config = ConnectionConfig { unencrypted: 3, ..fast() };
    Pair::connected([config.clone(), config])
}

/// A packet for the acceptor with any plaintext, next in sequence after `number`.
fn packet(pair: &mut Pair, number: u64, plaintext: &[u8]) -> Vec<u8> {
    let to_connection_id = pair.connection(0).local_id();
    let header = DataHeader {
        to_connection_id,
        packet_number_low: number as u16,
        time_since_previous: None,
    };
    let mut out = Vec::new();
    udp::encode_data_header(&header, None, &mut out);
    out.extend_from_slice(plaintext);
    out
}

fn inject(pair: &mut Pair, mut datagram: Vec<u8>) {
    let (now, from) = (pair.now, pair.hosts[1].address);
    pair.hosts[0].input(now, from, &mut datagram);
    pair.drain(0);
}

fn assert_alive(pair: &mut Pair) {
    let before = pair.hosts[0].messages.len();
    pair.send(1, message("alive", true));
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.connection(0).state(), ConnectionState::Connected);
    assert_eq!(&pair.hosts[0].messages.last().unwrap().payload[..], b"alive");
    assert_eq!(pair.hosts[0].messages.len(), before + 1);
}

/// CVE-2020-6016: offsets that were taken for negative, or whose end overflows.
#[test]
fn absurd_offsets_of_unreliable_segments_are_harmless() {
    let mut pair = plain();
    let offsets = [1u32, (1 << 31) - 1, 1 << 31, u32::MAX - 1, u32::MAX];
    for (number, offset) in (100..).zip(offsets) {
        // Unreliable, number in 16 bits, offset follows, runs to the end: not the last / the last.
        for first in [0b0000_1111, 0b0010_1111] {
            let mut plaintext = vec![first, 7, 0];
            let mut rest = offset;
            while rest >= 0x80 {
                plaintext.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            plaintext.push(rest as u8);
            plaintext.extend([0xee; 50]);
            let datagram = packet(&mut pair, number * 2 + u64::from(first >> 5), &plaintext);
            inject(&mut pair, datagram);
        }
    }
    assert!(pair.hosts[0].messages.is_empty());
}

/// CVE-2020-6017: plaintext segments up to and beyond what a packet holds. The mode needs the
/// consent of both ends.
#[test]
fn plaintext_packets_longer_than_any_buffer_are_dropped() {
    let config = ConnectionConfig { unencrypted: 3, ..fast() };
    let identities = ["str:server", "str:client"];
    for (features, len) in [0, extensions::ALL].into_iter().flat_map(|features| {
        let lens = [1200, 1292, 1293, 1294, 2000, 26_000, 65_500, 65_501, 65_507];
        lens.map(|len| (features, len))
    }) {
        let configs = [config.clone(), config.clone()];
        let mut pair = Pair::with_features(configs, identities, features).until_connected();
        let mut plaintext = vec![0b0011_0111, 5, 0, 0, 0];
        plaintext.resize(len, 0xaa);
        let datagram = packet(&mut pair, 50, &plaintext);
        // Nobody sends unreliable messages above 26,000 bytes.
        let fits = datagram.len() <= if features == 0 { 1300 } else { 26_012 };
        inject(&mut pair, datagram);
        pair.run(Duration::from_millis(10));
        assert_eq!(pair.hosts[0].messages.len(), usize::from(fits), "{len}");
        assert_eq!(pair.connection(0).state(), ConnectionState::Connected);
    }
    let mut sealed = Pair::connected([fast(), fast()]);
    let datagram = packet(&mut sealed, 50, &[0b0011_0111, 5, 0, 0, 0, 1, 2, 3]);
    inject(&mut sealed, datagram);
    sealed.run(Duration::from_millis(10));
    assert!(sealed.hosts[0].messages.is_empty(), "nobody agreed to plain packets");
    assert_alive(&mut sealed);
}

/// CVE-2020-6018: ciphertexts of every length around the limits.
#[test]
fn sealed_packets_of_any_length_are_dropped_and_counted() {
    let mut pair = Pair::connected([fast(), fast()]);
    for (number, len) in (10..).zip([0, 1, 15, 16, 17, 1248, 1249, 1293, 1294, 1400]) {
        let datagram = packet(&mut pair, number, &vec![0x5a; len]);
        inject(&mut pair, datagram);
    }
    pair.run(Duration::from_millis(10));
    assert!(pair.connection(0).drops().of(DropReason::BadSeal) >= 5);
    assert_alive(&mut pair);
}

/// CVE-2020-6019: lengths of the inline statistics far beyond the packet.
#[test]
fn absurd_lengths_of_inline_statistics_are_harmless() {
    let mut pair = plain();
    let id = pair.connection(0).local_id().to_le_bytes();
    let lengths: [&[u8]; 6] = [
        &[0x05],
        &[0xff, 0x01],
        &[0xff, 0xff, 0xff, 0xff, 0x07],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xff; 11],
    ];
    for length in lengths {
        let datagram = [&[0x81][..], &id, &[60, 0], length, &[1, 2, 3]].concat();
        inject(&mut pair, datagram);
    }
    // A length that fits around bytes that are no statistics: the packet itself is used.
    let datagram = [&[0x81][..], &id, &[60, 0, 4], &[0xff; 4], &[0b0011_0111, 5, 0, 0, 0]].concat();
    inject(&mut pair, datagram);
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.connection(0).drops().of(DropReason::BadStats), 1);
    assert_eq!(pair.connection(0).state(), ConnectionState::Connected);
}

/// GNS#20: a packet that comes again delivers nothing again.
#[test]
fn every_packet_replayed_many_times_delivers_once() {
    let mut pair = Pair::connected([fast(), fast()]);
    for index in 0..50u8 {
        pair.send(1, message(vec![index; 100], index % 2 == 0));
        pair.run(Duration::from_millis(6));
        let copies: Vec<_> = pair.wire.iter().filter(|(_, to, _)| *to == 0).cloned().collect();
        for _ in 0..3 {
            pair.wire.extend(copies.iter().cloned());
        }
        pair.run(Duration::from_millis(50));
    }
    let received: Vec<u8> = pair.hosts[0].messages.iter().map(|m| m.payload[0]).collect();
    assert_eq!(received, (0..50).collect::<Vec<u8>>());
    assert!(pair.connection(0).drops().of(DropReason::Duplicate) >= 100);
}

/// GNS#410 and GNS#414: stop-waiting numbers that make no sense neither end the connection nor make
/// anything look received.
#[test]
fn stop_waiting_nonsense_is_ignored() {
    let mut pair = plain();
    let frames: [&[u8]; 4] = [
        &[0x80, 0x00],
        &[0x80, 0xff],
        &[0x83, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x82, 0xff, 0xff, 0xff],
    ];
    for (number, frame) in (30..).zip(frames) {
        let datagram = packet(&mut pair, number, frame);
        inject(&mut pair, datagram);
    }
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.connection(0).state(), ConnectionState::Connected);
    assert_eq!(pair.connection(1).state(), ConnectionState::Connected);
}

/// GNS#280: a consumer that takes nothing for a while loses nothing and keeps its connection.
#[test]
fn a_full_receive_queue_loses_nothing() {
    let mut server = fast();
    server.receive.buffer_messages = 32;
    let mut pair = Pair::connected([server, fast()]);
    pair.hosts[0].consumes = false;
    for index in 0..200u8 {
        pair.send(1, message(vec![index; 500], true));
    }
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.hosts[0].messages.len(), 32);
    pair.hosts[0].consumes = true;
    pair.connection(0).messages_consumed(32, 32 * 500);
    pair.run(Duration::from_secs(5));
    let received: Vec<u8> = pair.hosts[0].messages.iter().map(|m| m.payload[0]).collect();
    assert_eq!(received, (0..200).collect::<Vec<u8>>());
    assert_eq!(pair.connection(0).state(), ConnectionState::Connected);
}

/// Valve ends the connection at the first frame that it cannot read; we drop packets, and give up
/// only where the peer goes on like that.
#[test]
fn packets_that_make_no_sense_are_dropped_until_there_are_too_many() {
    let mut pair = plain();
    for number in 20..50 {
        let datagram = packet(&mut pair, number, &[0xa0, 1, 2, 3]);
        inject(&mut pair, datagram);
    }
    assert_eq!(pair.connection(0).state(), ConnectionState::Connected);
    for number in 50..200 {
        let datagram = packet(&mut pair, number, &[0xa0, 1, 2, 3]);
        inject(&mut pair, datagram);
    }
    assert_eq!(pair.connection(0).state(), ConnectionState::ProblemDetectedLocally);
    assert_eq!(pair.connection(0).end().unwrap().reason.0, 5002);
}

/// a8c9af8, and the rule against amplification: datagrams of every length to a connection in every
/// state; no answer is longer than what was sent, and none panics.
#[test]
fn short_datagrams_in_every_state_are_harmless() {
    let attack = |pair: &mut Pair| {
        let (now, from) = (pair.now, pair.hosts[1].address);
        let id = pair.hosts[0].connection.as_ref().map_or(1, Connection::local_id);
        for lead in [0u8, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x80, 0x83, 0xff] {
            for len in (0..60).chain([511, 512, 513, 1300]) {
                let mut datagram = vec![0; len];
                if let Some(first) = datagram.first_mut() {
                    *first = lead;
                }
                if len >= 5 {
                    datagram[1..5].copy_from_slice(&id.to_le_bytes());
                }
                let reply = pair.hosts[0].input(now, from, &mut datagram);
                assert!(reply.is_none_or(|reply| reply.len() <= len), "{lead:#x}, {len} bytes");
                let mut out = Vec::new();
                if let Some(connection) = &mut pair.hosts[0].connection {
                    while connection.poll_transmit(now, &mut out, 1).is_some() {}
                    assert!(out.len() <= len.max(1300), "{lead:#x}, {len} bytes: {}", out.len());
                }
            }
        }
    };
    let mut pair = Pair::new([fast(), fast()], ["str:a", "str:b"]);
    attack(&mut pair);
    pair.run(Duration::from_millis(200));
    attack(&mut pair);
    assert_alive(&mut pair);
    let now = pair.now;
    pair.connection(0).close(now, CloseRequest::default());
    attack(&mut pair);
    pair.run(Duration::from_secs(10));
    attack(&mut pair);
}
