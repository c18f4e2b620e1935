//! Service work on the application's own thread, and hooks on the threads of the library.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::*;
use gamewire::{ConnectionState, Options, SendFlags, Sockets, ThreadHook};

/// Polls both until `done` says so.
fn poll_until<T>(both: [&Sockets; 2], mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(result) = done() {
            return result;
        }
        assert!(Instant::now() < deadline, "it never came");
        both.iter().for_each(|sockets| sockets.poll(Duration::from_millis(1)));
    }
}

#[test]
fn an_application_that_polls_needs_no_thread() {
    let (server, client) = (manual("str:server"), manual("str:client"));
    let address = free_address("127.0.0.1");
    server.create_listen_socket_ip(address, &[]).unwrap();
    let at_client = client.connect_by_ip_address(address, &[]).unwrap();
    let both = [&server, &client];
    let at_server = poll_until(both, || server.connections().first().copied());
    server.accept_connection(at_server).unwrap();
    let up = || (client.state(at_client) == Some(ConnectionState::Connected)).then_some(());
    poll_until(both, up);
    client.send_message(at_client, b"question", SendFlags::RELIABLE).unwrap();
    let first = || server.receive_messages(at_server, 1).unwrap().pop();
    assert_eq!(&*poll_until(both, first), b"question");
}

#[test]
fn polling_is_taken_over_and_given_back() {
    let linked = linked("127.0.0.1", &[]);
    let both = [&linked.server, &linked.client];
    for round in 0..3_u8 {
        both.iter().for_each(|sockets| sockets.set_manual_poll(true));
        linked.client.send_message(linked.at_client, &[round], SendFlags::RELIABLE).unwrap();
        let next = || linked.server.receive_messages(linked.at_server, 1).unwrap().pop();
        assert_eq!(*poll_until(both, next), [round]);
        both.iter().for_each(|sockets| sockets.set_manual_poll(false));
        linked.client.send_message(linked.at_client, &[round], SendFlags::RELIABLE).unwrap();
        assert_eq!(*receive(&linked.server, linked.at_server, 1)[0], [round]);
    }
}

#[test]
fn polling_without_manual_mode_does_nothing() {
    let sockets = sockets("str:nobody");
    let start = Instant::now();
    sockets.poll(Duration::from_secs(3600));
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn every_service_thread_calls_the_hook_first() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let hook = ThreadHook::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let options = Options { service_threads: 3, thread_hook: Some(hook), ..Options::default() };
    // The threads have ended, and so begun, when the instance is gone.
    drop(Sockets::new(options).unwrap());
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}
