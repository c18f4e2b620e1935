//! Who may come in, and how much a peer may make us hold.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::*;
use gamewire::{Config, ConfigId, ConnectionState, Outgoing, ScopeObject, SendError, SendFlags};

#[test]
fn a_filter_refuses_before_anything_is_made() {
    let (server, client) = (sockets("str:server"), sockets("str:client"));
    let address = free_address("127.0.0.1");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let filter = Arc::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        false
    });
    server.create_listen_socket_filtered(address, &[], Some(filter)).unwrap();
    let options = [Config::TimeoutInitial(1200)];
    client.connect_by_ip_address(address, &options).unwrap();
    let change = wait_for_state(&client, ConnectionState::ProblemDetectedLocally);
    assert_eq!(change.info.end_reason, 5003);
    assert!(asked.load(Ordering::SeqCst) >= 1);
    assert!(server.poll_event().is_none());
    assert!(server.connections().is_empty());
}

#[test]
fn connections_that_wait_to_be_accepted_are_bounded() {
    let (server, client) = (sockets("str:server"), sockets("str:client"));
    let address = free_address("127.0.0.1");
    server.create_listen_socket_ip(address, &[Config::AcceptMaxPending(2)]).unwrap();
    for _ in 0..5 {
        client.connect_by_ip_address(address, &[Config::TimeoutInitial(1200)]).unwrap();
    }
    for _ in 0..5 {
        let change = wait_for_state(&client, ConnectionState::ProblemDetectedLocally);
        assert_eq!(change.info.end_reason, 5003);
    }
    // Those two that came in, and that their initiators gave up.
    let states = [(); 4].map(|()| next_status(&server).info.state);
    let count = |wanted| states.iter().filter(|&&state| state == wanted).count();
    assert_eq!(count(ConnectionState::Connecting), 2, "{states:?}");
    assert_eq!(count(ConnectionState::ClosedByPeer), 2, "{states:?}");
}

#[test]
fn a_connection_that_nobody_accepts_times_out_on_both_sides() {
    let (server, client) = (sockets("str:server"), sockets("str:client"));
    let address = free_address("127.0.0.1");
    server.create_listen_socket_ip(address, &[Config::TimeoutInitial(800)]).unwrap();
    client.connect_by_ip_address(address, &[]).unwrap();
    let change = wait_for_state(&server, ConnectionState::ProblemDetectedLocally);
    assert_eq!(change.info.end_reason, 5003);
    let change = wait_for_state(&client, ConnectionState::ClosedByPeer);
    assert_eq!(change.info.end_reason, 5003);
}

#[test]
fn a_slow_consumer_keeps_its_connection_and_gets_everything() {
    let options = [
        Config::RecvBufferMessages(32),
        Config::SendBufferSize(4 << 20),
        Config::SendRateMin(4 << 20),
        Config::SendRateMax(4 << 20),
    ];
    let linked = linked("127.0.0.1", &options);
    for index in 0..1000u32 {
        let payload = [index.to_le_bytes().to_vec(), vec![1; 1000]].concat();
        let message = Outgoing::new(linked.at_client, payload, SendFlags::RELIABLE);
        linked.client.send(message).unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    let mut next = 0u32;
    while next < 1000 && Instant::now() < deadline {
        let wait = Some(Duration::from_millis(500));
        let messages = linked.server.wait_messages(linked.at_server, 1000, wait).unwrap();
        assert!(messages.len() <= 32, "{} at once", messages.len());
        for message in messages {
            assert_eq!(message[..4], next.to_le_bytes());
            next += 1;
        }
    }
    assert_eq!(next, 1000);
}

#[test]
fn large_unreliable_messages_are_refused_where_that_is_asked_for() {
    let linked = linked("127.0.0.1", &[]);
    let (client, connection) = (&linked.client, linked.at_client);
    let large = Outgoing::new(connection, vec![7; 20_000], SendFlags::UNRELIABLE);
    assert_eq!(client.send(large.clone()).unwrap(), 1, "as Valve's library does");
    let (scope, id) = (ScopeObject::Connection(connection), ConfigId::RefuseLargeUnreliable);
    client.set_config_value(scope, id, Some(1.into())).unwrap();
    let refused = client.send(large).unwrap_err();
    assert!(matches!(refused, SendError::TooLarge(_)), "{refused:?}");
    assert_eq!(refused.to_result_code(), 8);
    assert_eq!(refused.into_message().payload, vec![7; 20_000]);
    client.send_message(connection, &[7; 20_000], SendFlags::RELIABLE).unwrap();
    let received = receive(&linked.server, linked.at_server, 2);
    assert!(received.iter().all(|message| message.reliable && message.payload.len() == 20_000));
}

#[test]
fn a_message_beyond_the_limit_ends_the_connection_with_a_reason() {
    let linked = linked("127.0.0.1", &[Config::RecvMaxMessageSize(1000)]);
    linked.client.send_message(linked.at_client, &[0; 1001], SendFlags::RELIABLE).unwrap();
    let change = wait_for_state(&linked.server, ConnectionState::ProblemDetectedLocally);
    assert_eq!(change.info.end_reason, 5002);
    let change = wait_for_state(&linked.client, ConnectionState::ClosedByPeer);
    assert_eq!(change.info.end_reason, 5002);
}
