use std::time::{Duration, Instant};

use super::*;
use crate::{
    Config, ConnectionHandle, ConnectionState, Event, ListenError, ListenSocketHandle, Options,
    SendFlags, Sockets, listen::Listens,
};

/// Nothing here takes nearly so long.
const PATIENCE: Duration = Duration::from_secs(20);
const CLIENTS: usize = 24;

struct Server {
    sockets: Sockets,
    listen: ListenSocketHandle,
    address: SocketAddr,
}

fn server(threads: usize, options: &[Config]) -> Server {
    let sockets = Sockets::new(Options { service_threads: threads, ..Options::default() }).unwrap();
    let probe = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = probe.local_addr().unwrap();
    drop(probe);
    let listen = sockets.create_listen_socket_ip(address, options).unwrap();
    Server { sockets, listen, address }
}

impl Server {
    fn links(&self) -> Vec<Arc<Link>> {
        let listener = self.sockets.core.listen_sockets.find(self.listen.to_raw()).unwrap();
        match &listener.listens {
            Listens::Address(links) => links.clone(),
            Listens::VirtualPort(_) => panic!("not by address"),
        }
    }

    fn misdirected(&self) -> u64 {
        self.links().iter().map(|link| link.worker.misdirected()).sum()
    }
}

/// Accepts whoever comes until `done`.
fn accept_until(server: &Sockets, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "it took too long");
        if let Some(Event::ConnectionStatusChanged(change)) =
            server.wait_event(Some(Duration::from_millis(5)))
            && change.info.state == ConnectionState::Connecting
        {
            server.accept_connection(change.connection).unwrap();
        }
    }
}

fn connect(server: &Server, client: &Sockets, count: usize) -> Vec<ConnectionHandle> {
    let connect = |_| client.connect_by_ip_address(server.address, &[]).unwrap();
    let connections: Vec<_> = (0..count).map(connect).collect();
    accept_until(&server.sockets, || {
        connections.iter().all(|&c| client.state(c) == Some(ConnectionState::Connected))
            && server
                .sockets
                .connections()
                .iter()
                .all(|&c| server.sockets.state(c) == Some(ConnectionState::Connected))
    });
    connections
}

/// Sends a message over each connection and takes it at the server.
fn carry(server: &Server, client: &Sockets, connections: &[ConnectionHandle]) {
    for &connection in connections {
        client.send_message(connection, b"hello", SendFlags::RELIABLE).unwrap();
    }
    for connection in server.sockets.connections() {
        let messages = server.sockets.wait_messages(connection, 1, Some(PATIENCE)).unwrap();
        assert_eq!(messages.len(), 1, "{connection}");
    }
}

fn received(links: &[Arc<Link>]) -> Vec<u64> {
    links.iter().map(|link| link.socket.counters().received_datagrams).collect()
}

#[test]
fn connections_are_spread_over_the_threads_and_stay_there() {
    let server = server(2, &[]);
    let client = Sockets::new(Options::default()).unwrap();
    let connections = connect(&server, &client, CLIENTS);
    carry(&server, &client, &connections);
    let links = server.links();
    assert_eq!(links.len(), 2);
    assert!(!Arc::ptr_eq(&links[0].worker, &links[1].worker));
    // One in 2^23 that all handshakes went to one of them.
    let mut connections_of = [0; 2];
    for slot in server.sockets.core.connections.all() {
        let link = slot.link.as_ref().unwrap();
        let shard = links.iter().position(|other| Arc::ptr_eq(link, other)).unwrap();
        connections_of[shard] += 1;
    }
    assert!(connections_of.iter().all(|&count| count > 0), "{connections_of:?}");
    assert_eq!(server.misdirected(), 0);
}

#[test]
fn a_packet_from_a_new_address_comes_to_the_thread_of_its_connection() {
    let server = server(2, &[]);
    let links = server.links();
    for shard in 0..2_u8 {
        let before = received(&links);
        for _ in 0..8 {
            // Every socket has another port, which would be spread by the addresses alone.
            let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut packet = [0_u8; 40];
            packet[..5].copy_from_slice(&[0x80, 0x20 | shard, 1, 1, 1]);
            stranger.send_to(&packet, server.address).unwrap();
        }
        let deadline = Instant::now() + PATIENCE;
        let here = usize::from(shard);
        while received(&links)[here] < before[here] + 8 {
            assert!(Instant::now() < deadline, "{:?}", received(&links));
            std::thread::yield_now();
        }
        assert_eq!(received(&links)[1 - here], before[1 - here]);
    }
}

#[test]
fn what_arrives_at_the_wrong_thread_is_handed_over() {
    let server = server(2, &[]);
    let client = Sockets::new(Options::default()).unwrap();
    let connections = connect(&server, &client, CLIENTS);
    carry(&server, &client, &connections);
    // From now on the system takes the second socket for the first, and so the other way round.
    let links = server.links();
    links[0].worker.reopen(links[0].token);
    let deadline = Instant::now() + PATIENCE;
    while links[0].socket.counters().reopened == 0 {
        assert!(Instant::now() < deadline, "never reopened");
        std::thread::yield_now();
    }
    carry(&server, &client, &connections);
    carry(&server, &client, &connections);
    assert!(server.misdirected() > 0);
}

#[test]
fn the_limits_hold_for_all_threads_together() {
    let server = server(2, &[Config::AcceptMaxConnections(5)]);
    let client = Sockets::new(Options::default()).unwrap();
    for _ in 0..CLIENTS {
        client.connect_by_ip_address(server.address, &[]).unwrap();
    }
    accept_until(&server.sockets, || server.sockets.connections().len() == 5);
    // Requests are repeated; none gets in until one of the five has gone.
    let asked = received(&server.links()).iter().sum::<u64>();
    accept_until(&server.sockets, || {
        received(&server.links()).iter().sum::<u64>() > asked + CLIENTS as u64
    });
    assert_eq!(server.sockets.connections().len(), 5);
}

#[test]
fn an_address_is_taken_by_one_instance_only() {
    let first = server(2, &[]);
    let second = Sockets::new(Options { service_threads: 2, ..Options::default() }).unwrap();
    let refused = second.create_listen_socket_ip(first.address, &[]);
    assert!(matches!(refused, Err(ListenError::Bind(_))), "{refused:?}");
    assert!(first.sockets.close_listen_socket(first.listen));
}
