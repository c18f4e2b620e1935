//! What reaches whom.

use std::time::Duration;

use gamewire_crypto::{Entropy as _, SeededEntropy};
use gamewire_services::hub::{Limits, Rate};
use gamewire_wire::{
    hub,
    messages::hub::{HubRequest, HubSignal, hub_event::Body, hub_request},
};
use prost::Message as _;
use tungstenite::Message;

use crate::common::*;

#[test]
fn the_hub_says_who_sent_it_whatever_the_sender_says() {
    let hub = development();
    let (mut alice, mut bob) = (Client::claim(&hub, "str:alice"), Client::claim(&hub, "str:bob"));
    alice.signal("str:bob", b"hi");
    assert_eq!(bob.next_signal(), ("str:alice".to_owned(), b"hi".to_vec()));
}

#[test]
fn applications_do_not_meet() {
    let hub = development();
    let mut alice = Client::claim(&hub, "str:alice");
    let mut bob = Client::connect(&hub);
    bob.log_in(gamewire_wire::messages::hub::HubLogin {
        app_id: Some(APP + 1),
        ..claim("str:bob")
    });
    alice.signal("str:bob", b"across");
    bob.signal("str:bob", b"within");
    assert_eq!(bob.next_signal().1, b"within");
}

#[test]
fn every_connection_of_an_identity_gets_it() {
    let hub = development();
    let mut alice = Client::claim(&hub, "str:alice");
    let mut bobs: Vec<_> = (0..3).map(|_| Client::claim(&hub, "str:bob")).collect();
    alice.signal("str:bob", b"all");
    bobs.iter_mut().for_each(|bob| assert_eq!(bob.next_signal().1, b"all"));
}

#[test]
fn one_connection_too_many_ends_the_oldest() {
    let hub = development_with(Limits { connections_per_identity: 2, ..limits() });
    let mut bobs: Vec<_> = (0..3).map(|_| Client::claim(&hub, "str:bob")).collect();
    assert_eq!(bobs[0].close_code(), Some(1008));
    bobs[1].signal("str:bob", b"still here");
    bobs[1..].iter_mut().for_each(|bob| assert_eq!(bob.next_signal().1, b"still here"));
}

/// A sender cannot tell whether anybody is there: neither by an answer, nor by what its limits
/// count, nor by what it may still do.
#[test]
fn nobody_learns_who_is_online() {
    let limits = Limits { signals_per_pair: Rate::new(0.001, 5.0), ..limits() };
    let hub = development_with(limits);
    let _bob = Client::claim(&hub, "str:bob");
    let heard: Vec<Vec<Body>> = ["str:bob", "str:nobody", "nonsense"]
        .iter()
        .map(|to| {
            let mut alice = Client::claim(&hub, "str:alice-of-this-test");
            let me = format!("str:{}", to.replace(':', "-"));
            let mut probe = Client::claim(&hub, &me);
            (0..5).for_each(|_| probe.signal(to, b"are you there?"));
            // To herself last: what came before it is all that ever comes.
            probe.signal(&me, b"end");
            let mut events = Vec::new();
            loop {
                match probe.next() {
                    Body::Signal(signal) if signal.payload() == b"end" => break,
                    other => events.push(other),
                }
            }
            alice.signal(to, b"unrelated");
            events
        })
        .collect();
    assert!(heard.iter().all(Vec::is_empty), "{heard:?}");
}

#[test]
fn a_pair_has_its_rate_and_others_keep_theirs() {
    let limits = Limits { signals_per_pair: Rate::new(0.001, 3.0), ..limits() };
    let hub = development_with(limits);
    let (mut alice, mut bob) = (Client::claim(&hub, "str:alice"), Client::claim(&hub, "str:bob"));
    (0..10_u8).for_each(|n| alice.signal("str:bob", &[n]));
    alice.signal("str:alice", b"end");
    let mut dropped = 0;
    loop {
        match alice.next() {
            Body::Throttled(throttled) => dropped += throttled.dropped(),
            Body::Signal(signal) => {
                assert_eq!(signal.payload(), b"end");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(dropped >= 1, "she is told");
    let mut carol = Client::claim(&hub, "str:carol");
    carol.signal("str:bob", b"carol");
    let received: Vec<_> = (0..4).map(|_| bob.next_signal().1).collect();
    assert_eq!(received, [vec![0], vec![1], vec![2], b"carol".to_vec()]);
    assert_eq!(metric(&hub, "gamewire_hub_drops_total{reason=\"signal_rate\"}"), 7);
}

#[test]
fn an_identity_has_one_rate_for_all_its_connections() {
    let limits = Limits { signals_per_identity: Rate::new(0.001, 4.0), ..limits() };
    let hub = development_with(limits);
    let mut bob = Client::claim(&hub, "str:bob");
    let mut alices: Vec<_> = (0..2).map(|_| Client::claim(&hub, "str:alice")).collect();
    for n in 0..6_u8 {
        alices.iter_mut().for_each(|alice| alice.signal("str:bob", &[n]));
    }
    wait("the drops", || metric(&hub, "gamewire_hub_drops_total{reason=\"signal_rate\"}") == 8);
    bob.signal("str:bob", b"end");
    let received: Vec<_> = (0..5).map(|_| bob.next_signal()).collect();
    assert_eq!(received.iter().filter(|(from, _)| from == "str:alice").count(), 4);
}

#[test]
fn the_longest_signal_passes_and_no_longer_one() {
    let hub = development();
    let (mut alice, mut bob) = (Client::claim(&hub, "str:alice"), Client::claim(&hub, "str:bob"));
    alice.signal("str:bob", &vec![1; hub::MAX_SIGNAL_BYTES + 1]);
    alice.signal("str:bob", &vec![2; hub::MAX_SIGNAL_BYTES]);
    assert_eq!(bob.next_signal().1, vec![2; hub::MAX_SIGNAL_BYTES]);
    assert_eq!(metric(&hub, "gamewire_hub_drops_total{reason=\"oversize\"}"), 1);
    alice.signal("str:bob", &vec![3; hub::MAX_MESSAGE_BYTES]);
    while alice.try_next().is_some() {}
    bob.signal("str:bob", b"end");
    assert_eq!(bob.next_signal().1, b"end");
}

/// A client that does not read loses the oldest, costs no more than its outbox, and the others
/// nothing.
#[test]
fn a_client_that_does_not_read_loses_the_oldest() {
    let plenty = Rate::new(1e9, 1e9);
    let limits = Limits {
        outbox_events: 16,
        signals_per_pair: plenty,
        signals_per_identity: plenty,
        signals_per_source: plenty,
        ..limits()
    };
    let hub = development_with(limits);
    let mut slow = Client::claim(&hub, "str:slow");
    let (mut alice, mut bob) = (Client::claim(&hub, "str:alice"), Client::claim(&hub, "str:bob"));
    let mut sent = 0_u32;
    let full = "gamewire_hub_drops_total{reason=\"outbox_full\"}";
    while metric(&hub, full) == 0 {
        for _ in 0..200 {
            let mut payload = vec![0; hub::MAX_SIGNAL_BYTES];
            payload[..4].copy_from_slice(&sent.to_be_bytes());
            alice.signal("str:slow", &payload);
            sent += 1;
        }
        alice.signal("str:bob", b"beside it");
        assert_eq!(bob.next_signal().1, b"beside it");
    }
    let mut last = None;
    loop {
        let (_, payload) = slow.next_signal();
        let number = u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]);
        assert!(last < Some(number), "in order");
        last = Some(number);
        if number + 1 == sent {
            break;
        }
    }
}

#[test]
fn a_silent_client_is_let_go_and_one_that_answers_pings_is_not() {
    let idle_timeout = Duration::from_millis(600);
    let hub = development_with(Limits { idle_timeout, ..limits() });
    let mut lively = Client::claim(&hub, "str:lively");
    let silent = Client::claim(&hub, "str:silent");
    lively.socket.get_ref().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    wait("the end of the silent one", || {
        // Reading answers pings.
        let _ = lively.socket.read();
        metric(&hub, "gamewire_hub_drops_total{reason=\"idle\"}") == 1
    });
    lively.socket.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
    lively.signal("str:lively", b"here");
    assert_eq!(lively.next_signal().1, b"here");
    drop(silent);
}

/// Whatever clients send, before and after their login: the hub lives, and serves others.
#[test]
fn random_messages_do_no_harm() {
    let hub = development();
    let (mut alice, mut bob) = (Client::claim(&hub, "str:alice"), Client::claim(&hub, "str:bob"));
    let mut entropy = SeededEntropy::new(11);
    let mut random = |longest: u32| {
        let mut bytes = vec![0; (entropy.next_u32() % longest) as usize];
        entropy.fill(&mut bytes);
        bytes
    };
    for round in 0..60 {
        let mut wild =
            if round % 2 == 0 { Client::connect(&hub) } else { Client::claim(&hub, "str:wild") };
        for _ in 0..20 {
            let bytes = if round % 3 == 0 {
                let signal = HubSignal {
                    to_identity: Some(String::from_utf8_lossy(&random(40)).into_owned()),
                    from_identity: None,
                    payload: Some(random(100).into()),
                };
                let body = Some(hub_request::Body::Signal(signal));
                let mut bytes = HubRequest { body }.encode_to_vec();
                if let Some(byte) = random(9).first() {
                    let index = usize::from(*byte) % bytes.len();
                    bytes[index] ^= 0x41;
                }
                bytes
            } else {
                random(60)
            };
            if wild.socket.send(Message::Binary(bytes.into())).is_err() {
                break;
            }
        }
    }
    alice.signal("str:bob", b"alive");
    assert_eq!(bob.next_signal(), ("str:alice".to_owned(), b"alive".to_vec()));
}
