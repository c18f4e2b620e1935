//! Connections and messages by identity, by way of a hub in the same process.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "common/mod.rs"]
mod common;

use common::{receive, wait_for_state};
use gamewire::{
    ConnectionFlags, ConnectionState, Event, Identity, Options, P2pError, SendFlags, Sockets,
    TrustStore,
};
use gamewire_services::{Hub, HubConfig, HubHandle};

fn hub() -> HubHandle {
    Hub::start(HubConfig::development("127.0.0.1:0".parse().unwrap())).unwrap()
}

fn id(name: &str) -> Identity {
    format!("str:{name}").parse().unwrap()
}

fn options(hub: &HubHandle, name: &str) -> Options {
    Options {
        identity: id(name),
        app_id: 480,
        hub: Some(hub.addresses().url()),
        ..Options::default()
    }
}

fn meet(anna: &Sockets, bert: &Sockets) {
    bert.create_listen_socket_p2p(3, &[]).unwrap();
    let at_anna = anna.connect_p2p(&id("bert"), 3, &[]).unwrap();
    let asked = wait_for_state(bert, ConnectionState::Connecting);
    bert.accept_connection(asked.connection).unwrap();
    wait_for_state(bert, ConnectionState::Connected);
    wait_for_state(anna, ConnectionState::Connected);
    anna.send_message(at_anna, b"by name", SendFlags::RELIABLE).unwrap();
    assert_eq!(&receive(bert, asked.connection, 1)[0].payload[..], b"by name");
}

#[test]
fn two_peers_meet_by_way_of_the_hub() {
    let hub = hub();
    let anna = Sockets::new(options(&hub, "anna")).unwrap();
    let bert = Sockets::new(options(&hub, "bert")).unwrap();
    meet(&anna, &bert);
}

#[test]
fn where_peers_must_be_certified_the_hub_certifies_them_first() {
    let hub = hub();
    let trust = || {
        let mut builder = TrustStore::builder();
        builder.root(hub.authority().unwrap()).unwrap();
        builder.build().unwrap()
    };
    let certified =
        |name: &str| Sockets::new(Options { trust: trust(), ..options(&hub, name) }).unwrap();
    let (anna, bert) = (certified("anna"), certified("bert"));
    bert.create_listen_socket_p2p(3, &[]).unwrap();
    // Neither has a certificate yet.
    let at_anna = anna.connect_p2p(&id("bert"), 3, &[]).unwrap();
    let asked = wait_for_state(&bert, ConnectionState::Connecting);
    bert.accept_connection(asked.connection).unwrap();
    wait_for_state(&bert, ConnectionState::Connected);
    wait_for_state(&anna, ConnectionState::Connected);
    for (sockets, connection) in [(&anna, at_anna), (&bert, asked.connection)] {
        let info = sockets.connection_info(connection).unwrap();
        assert!(!info.flags.contains(ConnectionFlags::UNAUTHENTICATED), "{info:?}");
    }
    // Somebody who shows no certificate is not let in.
    let stranger = Sockets::new(options(&hub, "stranger")).unwrap();
    stranger.connect_p2p(&id("bert"), 3, &[]).unwrap();
    let refused = wait_for_state(&stranger, ConnectionState::ClosedByPeer);
    assert_eq!(refused.info.end_reason, 4003);
}

#[test]
fn messages_find_their_way_by_the_hub() {
    let hub = hub();
    let anna = Sockets::new(options(&hub, "anna")).unwrap();
    let bert = Sockets::new(options(&hub, "bert")).unwrap();
    bert.connect_hub();
    bert.receive_messages_on_channel(0, 1);
    anna.send_message_to_user(&id("bert"), b"hello", SendFlags::RELIABLE, 0).unwrap();
    let requested = loop {
        match bert.wait_event(Some(common::PATIENCE)) {
            Some(Event::MessagesSessionRequest { peer }) => break peer,
            Some(_) => {}
            None => panic!("no session was asked for"),
        }
    };
    assert_eq!(requested, id("anna"));
    assert!(bert.accept_session_with_user(&requested));
    let deadline = std::time::Instant::now() + common::PATIENCE;
    loop {
        let got = bert.receive_messages_on_channel(0, 1);
        if let Some(message) = got.first() {
            assert_eq!(&message.message.payload[..], b"hello");
            break;
        }
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn who_does_not_listen_is_as_good_as_absent() {
    let hub = hub();
    let anna = Sockets::new(options(&hub, "anna")).unwrap();
    let bert = Sockets::new(options(&hub, "bert")).unwrap();
    bert.create_listen_socket_p2p(3, &[]).unwrap();
    let short = [gamewire::Config::TimeoutInitial(700)];
    for (peer, port) in [("bert", 4), ("carl", 3)] {
        let connection = anna.connect_p2p(&id(peer), port, &short).unwrap();
        let failed = wait_for_state(&anna, ConnectionState::ProblemDetectedLocally);
        assert_eq!((failed.connection, failed.info.end_reason), (connection, 5008));
    }
    let nowhere = Sockets::new(Options { identity: id("x"), ..Options::default() }).unwrap();
    assert_eq!(nowhere.connect_p2p(&id("bert"), 3, &[]), Err(P2pError::NoSignaling));
}
