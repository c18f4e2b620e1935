//! Many threads on one instance.

mod common;

use std::{sync::Arc, thread};

use common::*;
use gamewire::{Config, ConnectionState, Options, Outgoing, SendError, SendFlags, Sockets};

const THREADS: u32 = 8;
const EACH: u32 = 200;

#[test]
fn threads_that_share_a_connection_lose_nothing_and_keep_their_own_order() {
    let linked = linked("127.0.0.1", &[Config::SendRateMin(8 << 20), Config::SendRateMax(8 << 20)]);
    let client = Arc::new(linked.client);
    let at_client = linked.at_client;
    let senders: Vec<_> = (0..THREADS)
        .map(|thread| {
            let client = client.clone();
            thread::spawn(move || {
                for index in 0..EACH {
                    let payload = [thread.to_le_bytes(), index.to_le_bytes()].concat();
                    let message = Outgoing::new(at_client, payload, SendFlags::RELIABLE);
                    client.send_wait(message, Some(PATIENCE)).unwrap();
                }
            })
        })
        .collect();
    let mut next = [0u32; THREADS as usize];
    for message in receive(&linked.server, linked.at_server, (THREADS * EACH) as usize) {
        let thread = u32::from_le_bytes(message[..4].try_into().unwrap()) as usize;
        assert_eq!(message[4..], next[thread].to_le_bytes());
        next[thread] += 1;
    }
    for sender in senders {
        sender.join().unwrap();
    }
}

#[test]
fn connections_spread_over_service_threads() {
    let server = sockets("str:server");
    let identity = "str:client".parse().unwrap();
    let client =
        Sockets::new(Options { identity, service_threads: 3, ..Options::default() }).unwrap();
    let address = free_address("127.0.0.1");
    server.create_listen_socket_ip(address, &[]).unwrap();
    for _ in 0..20 {
        let connection = client.connect_by_ip_address(address, &[]).unwrap();
        client.send_message(connection, b"hello", SendFlags::RELIABLE).unwrap();
    }
    let group = server.create_poll_group().unwrap();
    for _ in 0..20 {
        let asked = wait_for_state(&server, ConnectionState::Connecting);
        server.set_connection_poll_group(asked.connection, Some(group));
        server.accept_connection(asked.connection).unwrap();
    }
    let mut received = 0;
    while received < 20 {
        let messages = server.wait_messages_on_poll_group(group, 64, Some(PATIENCE)).unwrap();
        assert!(!messages.is_empty(), "{received} of 20 came");
        received += messages.len();
    }
}

#[test]
fn closing_while_others_send_is_an_error_for_them_and_nothing_worse() {
    for _ in 0..20 {
        let linked = linked("127.0.0.1", &[]);
        let client = linked.client.clone();
        let at_client = linked.at_client;
        let sending = thread::spawn(move || {
            loop {
                match client.send_message(at_client, &[0; 100], SendFlags::UNRELIABLE) {
                    Ok(_) | Err(SendError::LimitExceeded(_)) => {}
                    Err(SendError::NoSuchConnection(_) | SendError::NoConnection(_)) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        assert!(linked.client.close_connection(linked.at_client, 0, "", false));
        sending.join().unwrap();
    }
}
