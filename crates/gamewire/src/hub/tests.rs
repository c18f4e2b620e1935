//! The client against a hub in the same process, over real sockets.

use std::time::Duration;

use gamewire_services::{Hub, HubConfig, HubHandle};

use super::*;
use crate::{Event, Sockets, auth::Availability};

/// Longest wait for anything; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn hub() -> HubHandle {
    Hub::start(HubConfig::development("127.0.0.1:0".parse().unwrap())).unwrap()
}

fn options(hub: &str, name: &str) -> Options {
    Options {
        identity: name.parse().unwrap(),
        app_id: 480,
        hub: Some(hub.to_owned()),
        ..Options::default()
    }
}

fn sockets(hub: &HubHandle, name: &str) -> Sockets {
    Sockets::new(options(&hub.addresses().url(), name)).unwrap()
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !until() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

fn client(sockets: &Sockets) -> &HubClient {
    sockets.core.hub.as_deref().unwrap()
}

fn connected(sockets: &Sockets) {
    sockets.connect_hub();
    wait("the login", || sockets.hub_status().unwrap().state == HubState::Connected);
}

/// What came for an instance so far.
fn received(sockets: &Sockets) -> Vec<(Identity, Vec<u8>)> {
    guard(&client(sockets).seen).clone()
}

#[test]
fn signals_go_both_ways_and_come_with_the_true_sender() {
    let hub = hub();
    let (alice, bob) = (sockets(&hub, "str:alice"), sockets(&hub, "str:bob"));
    connected(&alice);
    connected(&bob);
    assert_eq!(alice.hub_status().unwrap().identity, Some(identity("str:alice")));
    let longest = vec![7; gamewire_wire::hub::MAX_SIGNAL_BYTES];
    client(&alice).send_signal(&identity("str:bob"), &longest).unwrap();
    client(&alice).send_signal(&identity("str:bob"), b"").unwrap();
    client(&bob).send_signal(&identity("str:alice"), b"hello").unwrap();
    wait("bob's signals", || received(&bob).len() == 2);
    wait("alice's signal", || received(&alice).len() == 1);
    let from_alice = |payload| (identity("str:alice"), payload);
    assert_eq!(received(&bob), [from_alice(longest), from_alice(Vec::new())]);
    assert_eq!(received(&alice), [(identity("str:bob"), b"hello".to_vec())]);
}

#[test]
fn sending_connects_and_in_manual_polling_too() {
    let hub = hub();
    let bob = sockets(&hub, "str:bob");
    connected(&bob);
    let options = options(&hub.addresses().url(), "str:alice");
    let alice = Sockets::new(Options { manual_poll: true, ..options }).unwrap();
    client(&alice).send_signal(&identity("str:bob"), b"manual").unwrap();
    wait("the signal", || {
        alice.poll(Duration::from_millis(5));
        !received(&bob).is_empty()
    });
}

#[test]
fn a_hub_that_restarts_is_found_again_and_what_waited_arrives() {
    let first = hub();
    let address = first.addresses().http;
    let (alice, bob) = (sockets(&first, "str:alice"), sockets(&first, "str:bob"));
    connected(&alice);
    connected(&bob);
    drop(first);
    wait("the loss", || {
        [&alice, &bob].iter().all(|s| s.hub_status().unwrap().state != HubState::Connected)
    });
    assert!(alice.hub_status().unwrap().last_error.is_some());
    client(&alice).send_signal(&identity("str:alice"), b"kept").unwrap();
    let _second = Hub::start(HubConfig::development(address)).unwrap();
    wait("the queued signal", || !received(&alice).is_empty());
    assert_eq!(received(&alice), [(identity("str:alice"), b"kept".to_vec())]);
    wait("the other", || bob.hub_status().unwrap().state == HubState::Connected);
}

#[test]
fn a_draining_hub_sends_its_clients_away() {
    let hub = hub();
    let alice = sockets(&hub, "str:alice");
    connected(&alice);
    let start = std::time::Instant::now();
    hub.shutdown(Duration::from_secs(10));
    // Half of the time is for clients to leave in; before the deadline all had gone.
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    wait("the client to notice", || alice.hub_status().unwrap().state != HubState::Connected);
}

#[test]
fn authentication_gets_a_certificate_and_announces_it() {
    let hub = hub();
    let alice = sockets(&hub, "str:alice");
    let status = alice.init_authentication();
    assert_eq!(status.availability, Availability::Waiting);
    let mut announced = Vec::new();
    while announced.last() != Some(&Availability::Current) {
        match alice.wait_event(Some(PATIENCE)) {
            Some(Event::AuthenticationStatusChanged(status)) => announced.push(status.availability),
            other => panic!("{other:?}"),
        }
    }
    let expected = [Availability::Waiting, Availability::Attempting, Availability::Current];
    let meaningful: Vec<_> =
        announced.into_iter().filter(|&status| status != Availability::Retrying).collect();
    assert_eq!(meaningful, expected);
    assert!(alice.core.authentication().has_certificate());
    assert_eq!(alice.identity(), Some(identity("str:alice")));
}
