//! Ten thousand connections on one listen socket, and what each of them costs in memory.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use common::*;
use gamewire::{
    Config, ConnectionHandle, ConnectionState, Event, Options, SendFlags, Sockets, ThreadHook,
};

const CONNECTIONS: usize = 10_000;
/// Handshakes at once: no more than the server lets wait.
const AT_ONCE: usize = 200;
/// Most bytes that a connection may take, by any side.
const IDLE_BYTES: i64 = 8 * 1024;
/// The same once it carried a message each way and did not have the time to forget about it.
const AFTER_A_MESSAGE_BYTES: i64 = 12 * 1024;

const SERVER: usize = 0;
const CLIENT: usize = 1;

/// Bytes in use, by the side that asked for them and gave them back.
static BYTES: [AtomicI64; 2] = [AtomicI64::new(0), AtomicI64::new(0)];

thread_local! {
    /// For whom this thread works.
    static SIDE: Cell<usize> = const { Cell::new(CLIENT) };
}

/// Counts what each side has in use.
struct Counting;

fn count(bytes: i64) {
    let side = SIDE.try_with(Cell::get).unwrap_or(CLIENT);
    BYTES[side].fetch_add(bytes, Ordering::Relaxed);
}

// SAFETY: everything is the system allocator's doing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn as_side<T>(side: usize, act: impl FnOnce() -> T) -> T {
    let before = SIDE.replace(side);
    let result = act();
    SIDE.set(before);
    result
}

fn instance(side: usize, identity: &str) -> Sockets {
    let identity = identity.parse().unwrap();
    let thread_hook = Some(ThreadHook::new(move || SIDE.set(side)));
    let options = Options { identity, thread_hook, ..Options::default() };
    as_side(side, || Sockets::new(options).unwrap())
}

fn in_use() -> [i64; 2] {
    [SERVER, CLIENT].map(|side| BYTES[side].load(Ordering::Relaxed))
}

/// Takes events, accepts, and returns how many connections came to stand.
fn newly_connected(sockets: &Sockets, wait: Duration) -> usize {
    let mut count = 0;
    let mut wait = Some(wait);
    while let Some(event) = sockets.wait_event(Some(wait.take().unwrap_or_default())) {
        let Event::ConnectionStatusChanged(change) = event else { continue };
        match change.info.state {
            ConnectionState::Connecting if change.info.listen_socket.is_some() => {
                sockets.accept_connection(change.connection).unwrap();
            }
            ConnectionState::Connecting => {}
            ConnectionState::Connected => count += 1,
            other => panic!("{other:?}: {:?}", change.info),
        }
    }
    count
}

struct Crowd {
    server: Sockets,
    client: Sockets,
    connections: Vec<ConnectionHandle>,
}

fn crowd() -> Crowd {
    let (server, client) = (instance(SERVER, "str:server"), instance(CLIENT, "str:client"));
    let address = free_address("127.0.0.1");
    // A slow machine may take longer than the usual time for so many.
    let options = [
        Config::AcceptMaxPerAddress(65_536),
        Config::TimeoutInitial(60_000),
        Config::TimeoutConnected(60_000),
    ];
    server.create_listen_socket_ip(address, &options).unwrap();
    let mut connections = Vec::with_capacity(CONNECTIONS);
    let (mut at_server, mut at_client) = (0, 0);
    let start = Instant::now();
    while at_server.min(at_client) < CONNECTIONS {
        let until = (at_server.min(at_client) + AT_ONCE).min(CONNECTIONS);
        while connections.len() < until {
            connections.push(client.connect_by_ip_address(address, &options[1..]).unwrap());
        }
        let wait = Duration::from_millis(1);
        at_server += as_side(SERVER, || newly_connected(&server, wait));
        at_client += newly_connected(&client, Duration::ZERO);
        assert!(start.elapsed() < 6 * PATIENCE, "{at_server} and {at_client} connections");
    }
    println!("{CONNECTIONS} connections in {:?}", start.elapsed());
    Crowd { server, client, connections }
}

impl Crowd {
    /// A message each way over every connection, and not more at once than a socket buffer holds.
    fn talk(&self) {
        let Self { server, client, connections } = self;
        let group = as_side(SERVER, || server.create_poll_group()).unwrap();
        for connection in server.connections() {
            server.set_connection_poll_group(connection, Some(group));
        }
        for some in connections.chunks(AT_ONCE) {
            for &connection in some {
                client.send_message(connection, &[1; 100], SendFlags::RELIABLE).unwrap();
            }
            let mut left = some.len();
            as_side(SERVER, || {
                while left > 0 {
                    let wait = Some(PATIENCE);
                    let asked = server.wait_messages_on_poll_group(group, left, wait).unwrap();
                    assert!(!asked.is_empty(), "{left} messages never came");
                    left -= asked.len();
                    for message in asked {
                        let connection = message.connection;
                        server.send_message(connection, &message, SendFlags::RELIABLE).unwrap();
                    }
                }
            });
            for &connection in some {
                assert_eq!(receive(client, connection, 1).len(), 1);
            }
        }
    }
}

/// Waits until what is in use since `before` is no more than `limit` for each connection.
fn settles_at(crowd: &Crowd, what: &str, before: [i64; 2], limit: i64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = in_use();
        let each = [SERVER, CLIENT].map(|side| (now[side] - before[side]) / CONNECTIONS as i64);
        if each.iter().all(|&bytes| bytes <= limit) {
            println!("{what}: {each:?} bytes each at server and client");
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {each:?} bytes each, not {limit}");
        let _ = crowd.server.wait_event(Some(Duration::from_millis(10)));
    }
}

#[test]
fn ten_thousand_connections_take_little_memory_each() {
    // The socket buffers, scratch space and tables of an instance count for all of them, too.
    let before = in_use();
    let crowd = crowd();
    settles_at(&crowd, "idle", before, IDLE_BYTES);
    crowd.talk();
    settles_at(&crowd, "after a message each way", before, AFTER_A_MESSAGE_BYTES);
}
