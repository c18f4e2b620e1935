//! The client against a hub in the same process, over real sockets.

use std::time::Duration;

use gamewire_crypto::SigningKey;
use gamewire_services::{
    Hub, HubConfig, HubHandle,
    hub::{Authority, SignedTickets, TlsIdentity},
};

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

fn certificate_bytes(sockets: &Sockets) -> Option<bytes::Bytes> {
    let auth = sockets.core.authentication();
    let credentials = auth.signed_credentials(crate::clock::unix_seconds())?;
    credentials.certificate.cert.clone()
}

fn availability(sockets: &Sockets) -> Availability {
    sockets.authentication_status().availability
}

#[test]
fn a_certificate_is_renewed_before_it_expires() {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let certificate_lifetime = Duration::from_secs(4);
    let hub = HubConfig { certificate_lifetime, ..HubConfig::development(loopback) };
    let hub = Hub::start(hub).unwrap();
    let alice = sockets(&hub, "str:alice");
    alice.init_authentication();
    wait("the first", || certificate_bytes(&alice).is_some());
    let first = certificate_bytes(&alice);
    wait("the second", || {
        assert_ne!(availability(&alice), Availability::Previously);
        certificate_bytes(&alice) != first
    });
    assert_eq!(availability(&alice), Availability::Current);
}

/// A hub in development without a file makes another key each time it starts.
#[test]
fn a_certificate_that_the_hub_does_not_believe_any_more_is_replaced() {
    let first = hub();
    let address = first.addresses().http;
    let alice = sockets(&first, "str:alice");
    alice.init_authentication();
    wait("a certificate", || certificate_bytes(&alice).is_some());
    drop(first);
    let second = Hub::start(HubConfig::development(address)).unwrap();
    let authority = second.authority().unwrap().key_id();
    wait("another certificate", || {
        let auth = alice.core.authentication();
        let credentials = auth.signed_credentials(crate::clock::unix_seconds());
        credentials.and_then(|credentials| credentials.certificate.ca_key_id) == Some(authority)
    });
}

#[test]
fn a_ticket_brings_identity_and_certificate_and_then_the_certificate_logs_in() {
    let backend = SigningKey::from_seed([3; 32]);
    let config = || HubConfig {
        authority: Some(Authority::root(SigningKey::from_seed([1; 32]))),
        tickets: Some(Arc::new(SignedTickets::new(vec![backend.public_key()]))),
        ..HubConfig::production("127.0.0.1:0".parse().unwrap())
    };
    let hub = Hub::start(config()).unwrap();
    let ticket = |seconds| {
        let expiry = crate::clock::unix_seconds() + seconds;
        SignedTickets::issue(&backend, &identity("str:carol"), 480, expiry)
    };
    let nameless =
        Options { identity: Identity::Invalid, ..options(&hub.addresses().url(), "str:nobody") };
    let carol = Sockets::new(nameless).unwrap();
    carol.init_authentication();
    wait("the refusal", || {
        let status = carol.authentication_status();
        status.availability == Availability::Retrying && status.message.contains("refused")
    });
    assert_eq!(carol.identity(), None);
    carol.set_hub_ticket(Some(ticket(60)));
    wait("the certificate", || availability(&carol) == Availability::Current);
    assert_eq!(carol.identity(), Some(identity("str:carol")));
    // Without the ticket, to the next hub of the same authority.
    let address = hub.addresses().http;
    carol.set_hub_ticket(None);
    drop(hub);
    let again = HubConfig { listen: address, tickets: None, ..config() };
    let _again = Hub::start(again).unwrap();
    wait("the loss", || carol.hub_status().unwrap().last_error.is_some());
    wait("the login", || carol.hub_status().unwrap().state == HubState::Connected);
    assert_eq!(carol.hub_status().unwrap().identity, Some(identity("str:carol")));
}

#[test]
fn a_hub_that_issues_none_is_a_failure_and_not_tried_again() {
    let root = SigningKey::from_seed([1; 32]);
    let backend = SigningKey::from_seed([3; 32]);
    let config = HubConfig {
        roots: vec![root.public_key()],
        tickets: Some(Arc::new(SignedTickets::new(vec![backend.public_key()]))),
        ..HubConfig::production("127.0.0.1:0".parse().unwrap())
    };
    let hub = Hub::start(config).unwrap();
    let expiry = crate::clock::unix_seconds() + 60;
    let ticket = SignedTickets::issue(&backend, &identity("str:carol"), 480, expiry);
    let options =
        Options { hub_ticket: Some(ticket), ..options(&hub.addresses().url(), "str:carol") };
    let carol = Sockets::new(options).unwrap();
    carol.init_authentication();
    wait("the failure", || availability(&carol) == Availability::Failed);
    assert_eq!(carol.hub_status().unwrap().state, HubState::Connected, "signals go on");
}

#[test]
fn another_identity_logs_in_anew() {
    let hub = hub();
    let (alice, bob) = (sockets(&hub, "str:alice"), sockets(&hub, "str:bob"));
    connected(&alice);
    connected(&bob);
    alice.reset_identity(Some(identity("str:eve")));
    wait("the other name", || alice.hub_status().unwrap().identity == Some(identity("str:eve")));
    client(&bob).send_signal(&identity("str:eve"), b"hello eve").unwrap();
    wait("the signal", || !received(&alice).is_empty());
}

const TLS_ROOT: &str = include_str!("../../../gamewire-services/tests/hub/tls/root.pem");

fn tls_hub() -> HubHandle {
    let file = |bytes: &[u8]| bytes.to_vec();
    let tls = TlsIdentity {
        certificates_pem: file(include_bytes!(
            "../../../gamewire-services/tests/hub/tls/server.pem"
        )),
        key_pem: file(include_bytes!("../../../gamewire-services/tests/hub/tls/server-key.pem")),
    };
    let config = HubConfig::development("127.0.0.1:0".parse().unwrap());
    Hub::start(HubConfig { tls: Some(tls), ..config }).unwrap()
}

#[test]
fn over_tls_with_the_right_root() {
    let hub = tls_hub();
    assert!(hub.addresses().url().starts_with("wss://"));
    let with_root = |name| {
        let options = options(&hub.addresses().url(), name);
        Sockets::new(Options { hub_roots: Some(TLS_ROOT.to_owned()), ..options }).unwrap()
    };
    let (alice, bob) = (with_root("str:alice"), with_root("str:bob"));
    connected(&alice);
    connected(&bob);
    let payload = vec![9; gamewire_wire::hub::MAX_SIGNAL_BYTES];
    (0..8).for_each(|_| client(&alice).send_signal(&identity("str:bob"), &payload).unwrap());
    wait("the signals", || received(&bob).len() == 8);
    bob.init_authentication();
    wait("the certificate", || availability(&bob) == Availability::Current);
}

#[test]
fn a_tls_certificate_of_nobody_is_not_believed() {
    let hub = tls_hub();
    // Another root: the server's own certificate is none.
    let other = include_str!("../../../gamewire-services/tests/hub/tls/server.pem");
    let options = options(&hub.addresses().url(), "str:alice");
    let alice = Sockets::new(Options { hub_roots: Some(other.to_owned()), ..options }).unwrap();
    alice.connect_hub();
    wait("the refusal", || {
        let error = alice.hub_status().unwrap().last_error;
        error.is_some_and(|error| error.contains("TLS"))
    });
    assert_ne!(alice.hub_status().unwrap().state, HubState::Connected);
}

#[test]
fn nonsense_in_the_options_is_refused_at_once() {
    let refused = |options| matches!(Sockets::new(options), Err(OpenError::Hub(_)));
    assert!(refused(options("https://hub.example", "str:alice")));
    let no_roots = Options { hub_roots: Some("nothing".to_owned()), ..options("ws://x", "str:a") };
    assert!(refused(no_roots));
}

#[test]
fn without_a_hub_there_is_none() {
    let alice = Sockets::new(Options::default()).unwrap();
    alice.connect_hub();
    assert_eq!(alice.hub_status(), None);
    assert_eq!(alice.init_authentication().availability, Availability::CannotTry);
}
