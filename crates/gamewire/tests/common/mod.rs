//! What the tests of the library share.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use gamewire::{
    Config, ConnectionHandle, ConnectionState, Event, ListenSocketHandle, Message, Options,
    Sockets, StatusChanged,
};

/// Nothing in these tests takes nearly so long; what does is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn sockets(identity: &str) -> Sockets {
    let identity = identity.parse().unwrap();
    Sockets::new(Options { identity, ..Options::default() }).unwrap()
}

/// An instance that does nothing unless it is polled.
pub fn manual(identity: &str) -> Sockets {
    let identity = identity.parse().unwrap();
    Sockets::new(Options { identity, manual_poll: true, ..Options::default() }).unwrap()
}

/// A port that was free a moment ago.
pub fn free_address(ip: &str) -> SocketAddr {
    UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap()
}

pub fn next_status(sockets: &Sockets) -> StatusChanged {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match sockets.wait_event(Some(deadline.saturating_duration_since(Instant::now()))) {
            Some(Event::ConnectionStatusChanged(change)) => return *change,
            Some(_) => {}
            None => panic!("no state change came"),
        }
    }
}

pub fn wait_for_state(sockets: &Sockets, state: ConnectionState) -> StatusChanged {
    loop {
        let change = next_status(sockets);
        if change.info.state == state {
            return change;
        }
    }
}

pub struct Linked {
    pub server: Sockets,
    pub client: Sockets,
    pub listen: ListenSocketHandle,
    /// The connection as the server and as the client sees it.
    pub at_server: ConnectionHandle,
    pub at_client: ConnectionHandle,
}

pub fn linked(ip: &str, options: &[Config]) -> Linked {
    let (server, client) = (sockets("str:server"), sockets("str:client"));
    let address = free_address(ip);
    let listen = server.create_listen_socket_ip(address, options).unwrap();
    let at_client = client.connect_by_ip_address(address, options).unwrap();
    let asked = wait_for_state(&server, ConnectionState::Connecting);
    assert_eq!(asked.info.listen_socket, Some(listen));
    server.accept_connection(asked.connection).unwrap();
    wait_for_state(&server, ConnectionState::Connected);
    wait_for_state(&client, ConnectionState::Connected);
    Linked { server, client, listen, at_server: asked.connection, at_client }
}

pub fn receive(sockets: &Sockets, connection: ConnectionHandle, count: usize) -> Vec<Message> {
    let deadline = Instant::now() + PATIENCE;
    let mut messages = Vec::new();
    while messages.len() < count {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{} of {count} messages came", messages.len());
        messages.extend(sockets.wait_messages(connection, count, Some(left)).unwrap());
    }
    messages
}
