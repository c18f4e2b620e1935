use gamewire_wire::{
    messages,
    snp::{AckBlock, PacketWriter},
    udp::DataHeader,
};

use super::*;
use crate::world::START;

const IDS: [u32; 2] = [0x0001_0001, 0x0002_0002];

fn hosts() -> [SocketAddr; 2] {
    ["10.0.0.1:1", "10.0.0.2:2"].map(|text| text.parse().expect("an address"))
}

fn rules(plain: bool) -> WireRules {
    WireRules { plain, mtu: 1300, ids_may_be_wrong: false, first_packet_number: 2 }
}

fn checker() -> WireChecker {
    let rules = rules(true);
    let mut checker = WireChecker::new(rules);
    let [a, b] = hosts();
    checker.register([(a, IDS[0]), (b, IDS[1])]);
    checker
}

/// A packet from `side` with these frames.
fn packet(side: usize, number: u64, write: impl FnOnce(&mut PacketWriter<'_>)) -> Vec<u8> {
    let header = DataHeader {
        to_connection_id: IDS[1 - side],
        packet_number_low: number as u16,
        time_since_previous: None,
    };
    let mut out = Vec::new();
    udp::encode_data_header(&header, None, &mut out);
    write(&mut PacketWriter::new(&mut out, 1200));
    out
}

fn send(checker: &mut WireChecker, side: usize, datagram: &[u8]) -> Vec<String> {
    let hosts = hosts();
    checker.on_sent(START, hosts[side], hosts[1 - side], datagram);
    checker.violations.take().into_iter().map(|violation| violation.what).collect()
}

fn deliver(checker: &mut WireChecker, side: usize, datagram: Vec<u8>) {
    let hosts = hosts();
    let delivery = Delivery { from: hosts[side], to: hosts[1 - side], datagram, altered: false };
    checker.on_delivered(START, &delivery);
}

fn reliable(position: u64, len: usize) -> impl FnOnce(&mut PacketWriter<'_>) {
    move |writer| writer.reliable(0, position, len).expect("room").fill(7)
}

#[track_caller]
fn finds(violations: &[String], what: &str) {
    assert!(violations.iter().any(|found| found.contains(what)), "{violations:?}: no {what:?}");
}

#[test]
fn packet_numbers_rise_by_one() {
    let mut checker = checker();
    assert!(send(&mut checker, 0, &packet(0, 2, reliable(1, 10))).is_empty());
    finds(&send(&mut checker, 0, &packet(0, 2, reliable(11, 10))), "follows on");
    finds(&send(&mut checker, 0, &packet(0, 5, reliable(11, 10))), "follows on");
}

#[test]
fn acks_claim_only_what_arrived() {
    let mut checker = checker();
    for number in 2..6 {
        let sent = packet(0, number, reliable((number - 2) * 10 + 1, 10));
        assert!(send(&mut checker, 0, &sent).is_empty());
        if number != 3 {
            deliver(&mut checker, 0, sent);
        }
    }
    let honest = packet(1, 2, |writer| {
        writer.ack(5, None, false, &[AckBlock { acked: 2, missing: 1 }]);
    });
    assert!(send(&mut checker, 1, &honest).is_empty());
    let lie = packet(1, 3, |writer| {
        writer.ack(5, None, false, &[]);
    });
    finds(&send(&mut checker, 1, &lie), "claims packet 3");
    let future = packet(1, 4, |writer| {
        writer.ack(6, None, false, &[AckBlock { acked: 3, missing: 1 }]);
    });
    finds(&send(&mut checker, 1, &future), "claims packet 6");
}

#[test]
fn streams_have_no_holes_and_stay_within_the_window() {
    let mut checker = checker();
    assert!(send(&mut checker, 0, &packet(0, 2, reliable(1, 10))).is_empty());
    finds(&send(&mut checker, 0, &packet(0, 3, reliable(12, 10))), "leaves out");
    let mut position = 11;
    let mut number = 4;
    let found = loop {
        let found = send(&mut checker, 0, &packet(0, number, reliable(position, 1100)));
        if !found.is_empty() {
            break found;
        }
        position += 1100;
        number += 1;
    };
    finds(&found, "reliable bytes unacknowledged");
    assert!(position > 1_040_000, "{position}");
}

#[test]
fn stop_waiting_is_earned_and_never_goes_back() {
    let mut checker = checker();
    let stop = |number, before| {
        packet(0, number, move |writer| {
            writer.stop_waiting(number, before);
        })
    };
    for number in 2..5 {
        let sent = stop(number, 1);
        assert!(send(&mut checker, 0, &sent).is_empty());
        deliver(&mut checker, 0, sent);
    }
    finds(&send(&mut checker, 0, &stop(5, 4)), "never acknowledged");
    let ack = packet(1, 2, |writer| {
        writer.ack(4, None, false, &[]);
    });
    assert!(send(&mut checker, 1, &ack).is_empty());
    deliver(&mut checker, 1, ack);
    assert!(send(&mut checker, 0, &stop(6, 4)).is_empty());
    finds(&send(&mut checker, 0, &stop(7, 3)), "went back");
}

#[test]
fn nobody_runs_ahead_of_the_acks() {
    let mut checker = checker();
    let empty = |number| packet(0, number, |_| {});
    let run = (2..0x5000).map(|number| send(&mut checker, 0, &empty(number)));
    let found: Vec<String> = run.flatten().collect();
    finds(&found, "past the newest acknowledged");
}

#[test]
fn strangers_are_not_answered_at_length() {
    let [a, b] = hosts();
    let mut checker = WireChecker::new(rules(false));
    let mut short = Vec::new();
    let message = messages::NoConnection { from_connection_id: Some(1), to_connection_id: Some(2) };
    udp::encode_no_connection(&message, &mut short);
    let datagram = short.clone();
    checker.on_delivered(START, &Delivery { from: a, to: b, datagram, altered: false });
    checker.on_sent(START, b, a, &short);
    assert!(checker.violations.is_empty());
    checker.on_sent(START, b, a, &short);
    assert!(!checker.violations.is_empty());
}
