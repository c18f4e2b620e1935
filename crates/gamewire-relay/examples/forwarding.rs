//! How many packets a second a relay passes on per core, beside a bare loop of `recvmmsg` and
//! `sendmmsg` that does nothing else: `cargo run --release -p gamewire-relay --example forwarding`.
//!
//! Both run one thread between the same clients and the same server on loopback, in turns. What
//! counts is packets passed on per second of the thread's own processor time: the machine may be
//! busy with other things.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use gamewire_crypto::{Certificate, KeyExchange, SigningKey, SystemEntropy};
use gamewire_proto::Time;
use gamewire_relay::io::{Receiver, Sender, Socket, thread_cpu_time, wait};
use gamewire_sdr::{
    config::{NetworkConfig, Pop},
    coordinator::{ExtraField, ExtraValue, Ticket, TicketSigner},
    hosted::{HostedAddress, RelayKeys, ServerAddress},
    relay::{Moment, Relay, RelayOptions, Side},
};
use gamewire_wire::{
    address::Address,
    messages::relay::{ConnectRequest, GameserverSessionRequest, RouterPingReply},
    relay::{DataHeader, DataKind, Datagram, PingRequest, decode, encode, id, parse},
};

/// Client addresses; each may open twenty sessions at once.
const CLIENTS: u8 = 8;
const SESSIONS: u32 = 16;
const PAYLOAD: usize = 200;
const LENGTH: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;

fn main() {
    println!("payload {PAYLOAD} B, {} sessions, {LENGTH:?} a round", u32::from(CLIENTS) * SESSIONS);
    let (mut bare, mut relay) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        bare.push(bare_loop());
        relay.push(relay_loop());
        let (b, r) = (bare[round - 1], relay[round - 1]);
        println!(
            "round {round}: bare {b:.0}, relay {r:.0} packets/s of CPU; {:.0} %",
            100.0 * r / b
        );
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (bare, relay) = (median(bare), median(relay));
    println!("median: bare {bare:.0}, relay {relay:.0}; {:.0} %", 100.0 * relay / bare);
}

fn bind(ip: Ipv4Addr) -> Socket {
    Socket::bind(SocketAddr::from((ip, 0)), false).expect("loopback has free ports")
}

fn address(socket: &Socket) -> Address {
    socket.local_address().expect("it is bound")
}

fn client_sockets() -> Vec<Socket> {
    (0..CLIENTS).map(|n| bind(Ipv4Addr::new(127, 0, 1, n + 1))).collect()
}

/// Sends what the clients have, again and again, until told to stop.
fn flood(sockets: Vec<Socket>, to: Address, packets: Vec<Vec<Vec<u8>>>, stop: Arc<AtomicBool>) {
    let mut sender = Sender::new();
    while !stop.load(Ordering::Relaxed) {
        for (socket, packets) in sockets.iter().zip(&packets) {
            sender.send_all(socket, packets.iter().map(|bytes| (to, bytes.as_slice())));
        }
    }
}

/// Takes what the server gets, and throws it away.
fn sink(socket: Socket, stop: Arc<AtomicBool>, count: Arc<AtomicU64>) {
    let mut receiver = Receiver::new();
    while !stop.load(Ordering::Relaxed) {
        let ready = wait([&socket, &socket], Duration::from_millis(50));
        if ready.is_ok_and(|ready| ready[0]) {
            let received = receiver.receive(&socket).unwrap_or(0);
            count.fetch_add(received as u64, Ordering::Relaxed);
        }
    }
}

fn packet(connection_id: u32) -> Vec<u8> {
    let header = DataHeader {
        kind: DataKind::ClientHosted,
        e2e_sequence: 1,
        relay_sequence: 1,
        id: connection_id,
        is_session_id: false,
        time_since_previous: None,
    };
    let mut bytes = Vec::new();
    header.encode(None, &mut bytes);
    bytes.resize(bytes.len() + PAYLOAD, 7);
    bytes
}

fn packets() -> Vec<Vec<Vec<u8>>> {
    (0..CLIENTS).map(|_| (1..=SESSIONS).map(packet).collect()).collect()
}

fn bare_loop() -> f64 {
    let (front, interior) = (bind(Ipv4Addr::LOCALHOST), bind(Ipv4Addr::LOCALHOST));
    let server = bind(Ipv4Addr::LOCALHOST);
    let (to, server_address) = (address(&front), address(&server));
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (s1, s2, c) = (stop.clone(), stop.clone(), count.clone());
    let flooding = thread::spawn(move || flood(client_sockets(), to, packets(), s1));
    let sinking = thread::spawn(move || sink(server, s2, c));
    let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
    let (start, cpu) = (Instant::now(), thread_cpu_time());
    let mut passed = 0u64;
    let mut copies: Vec<Vec<u8>> = Vec::new();
    while start.elapsed() < LENGTH {
        let _ = wait([&front, &interior], Duration::from_millis(50));
        let received = receiver.receive(&front).unwrap_or(0);
        // As little as a forwarder can do: the bytes go out as they came in.
        copies.resize_with(received.max(copies.len()), Vec::new);
        for (index, copy) in copies.iter_mut().enumerate().take(received) {
            copy.clear();
            copy.extend_from_slice(receiver.datagram(index).1);
        }
        let all = copies.iter().take(received).map(|bytes| (server_address, bytes.as_slice()));
        sender.send_all(&interior, all);
        passed += received as u64;
    }
    let used = thread_cpu_time() - cpu;
    stop.store(true, Ordering::Relaxed);
    flooding.join().expect("it does not panic");
    sinking.join().expect("it does not panic");
    passed as f64 / used.as_secs_f64()
}

/// A relay, driven as a thread of the daemon drives it.
struct Driver {
    relay: Relay,
    front: Socket,
    interior: Socket,
    receiver: Receiver,
    sender: Sender,
    start: Instant,
}

impl Driver {
    fn moment(&self) -> Moment {
        let now = Time::from_micros(3_000_000_000_000) + self.start.elapsed();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Moment { now, unix }
    }

    fn turn(&mut self) {
        let at = self.moment();
        if self.relay.poll_timeout() <= at.now {
            self.relay.handle_timeout(at);
            self.flush();
        }
        let timeout = self.relay.poll_timeout() - at.now;
        let ready = wait([&self.front, &self.interior], timeout).unwrap_or([false; 2]);
        for (index, side) in [Side::Front, Side::Interior].into_iter().enumerate() {
            if !ready[index] {
                continue;
            }
            let at = self.moment();
            let socket = if index == 0 { &self.front } else { &self.interior };
            let received = self.receiver.receive(socket).unwrap_or(0);
            for index in 0..received {
                let (from, datagram) = self.receiver.datagram(index);
                self.relay.handle_datagram(at, side, from, datagram);
            }
            self.flush();
        }
    }

    fn flush(&mut self) {
        let batch = self.relay.batch();
        for (side, socket) in [(Side::Front, &self.front), (Side::Interior, &self.interior)] {
            let own = batch.iter().filter(|(to, ..)| *to == side);
            self.sender.send_all(socket, own.map(|(_, to, bytes)| (to, bytes)));
        }
        batch.clear();
    }
}

fn relay_loop() -> f64 {
    let (root, address_key) = (SigningKey::from_seed([1; 32]), KeyExchange::from_bytes([8; 32]));
    let config = NetworkConfig {
        pops: vec![Pop { id: "sto".parse().expect("a code"), ..Pop::default() }],
        relay_public_keys: vec![address_key.public_key()],
        ..NetworkConfig::default()
    };
    let mut keys = RelayKeys::default();
    keys.insert(None, address_key);
    let options = RelayOptions {
        pop: "sto".parse().expect("a code"),
        shard: 0,
        key: Arc::new(KeyExchange::from_bytes([7; 32])),
        relay_keys: Arc::new(keys),
        max_sessions: 10_000,
        allow_private_servers: true,
        penalty: 0,
    };
    let start = Instant::now();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let at = Moment { now: Time::from_micros(3_000_000_000_000), unix };
    let mut relay = Relay::new(at, options, Box::new(SystemEntropy));
    let store = config.trust_store(&[root.public_key()]).expect("one root");
    relay.set_network(Arc::new(config.clone()), Arc::new(store));
    let mut driver = Driver {
        relay,
        front: bind(Ipv4Addr::LOCALHOST),
        interior: bind(Ipv4Addr::LOCALHOST),
        receiver: Receiver::new(),
        sender: Sender::new(),
        start,
    };
    let (server, clients) = (bind(Ipv4Addr::LOCALHOST), client_sockets());
    open_sessions(&mut driver, &server, &clients, (&config, &root));
    let to = address(&driver.front);
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (s1, s2, c) = (stop.clone(), stop.clone(), count.clone());
    let flooding = thread::spawn(move || flood(clients, to, packets(), s1));
    let sinking = thread::spawn(move || sink(server, s2, c));
    let before = driver.relay.counters().to_servers;
    let (start, cpu) = (Instant::now(), thread_cpu_time());
    while start.elapsed() < LENGTH {
        driver.turn();
    }
    let used = thread_cpu_time() - cpu;
    stop.store(true, Ordering::Relaxed);
    flooding.join().expect("it does not panic");
    sinking.join().expect("it does not panic");
    let passed = driver.relay.counters().to_servers - before;
    let drops: Vec<_> = driver.relay.drops().iter().filter(|(_, count)| *count > 0).collect();
    if !drops.is_empty() {
        println!("  dropped: {drops:?}");
    }
    passed as f64 / used.as_secs_f64()
}

fn open_sessions(
    driver: &mut Driver,
    server: &Socket,
    clients: &[Socket],
    (config, root): (&NetworkConfig, &SigningKey),
) {
    let to = address(&driver.front);
    let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
    for client in clients {
        let mut ping = Vec::new();
        PingRequest::new(to, 1, 2).encode(&mut ping);
        let reply = ask(driver, client, to, &ping);
        let Ok(Datagram::Control { id: id::ROUTER_PING_REPLY, body }) = parse(&reply) else {
            panic!("no ping reply");
        };
        let challenge = decode::<RouterPingReply>(body).expect("a reply").challenge;
        for connection_id in 1..=SESSIONS {
            let ticket = ticket(address(server), driver.moment().unix);
            let ticket = TicketSigner::new(root).sign(&ticket, config, &mut SystemEntropy);
            let request = GameserverSessionRequest {
                ticket: Some(ticket.expect("it is complete").into()),
                challenge,
                client_connection_id: Some(connection_id),
                protocol_version: Some(13),
                ..GameserverSessionRequest::default()
            };
            let mut bytes = Vec::new();
            encode(id::GAMESERVER_SESSION_REQUEST, &request, &mut bytes);
            let answer = ask(driver, client, to, &bytes);
            assert_eq!(answer[0], id::GAMESERVER_SESSION_ESTABLISHED);
        }
    }
    // The server answers once, so that it is known to be there.
    let key = SigningKey::from_seed([4; 32]).public_key();
    let cert = Certificate {
        identity: "str:client".parse().ok(),
        app_ids: vec![480],
        ..Certificate::new(key)
    };
    let request = ConnectRequest {
        connection_id: Some(1),
        cert: Some(cert.unsigned()),
        ..ConnectRequest::default()
    };
    let mut bytes = Vec::new();
    encode(id::CONNECT_REQUEST, &request, &mut bytes);
    sender.send_all(&clients[0], [(to, bytes.as_slice())].into_iter());
    for _ in 0..200 {
        driver.turn();
        if receiver.receive(server).unwrap_or(0) == 0 {
            continue;
        }
        let (from, bytes) = receiver.datagram(0);
        let Ok(Datagram::Control { id: id::CONNECT_REQUEST, body }) = parse(bytes) else {
            continue;
        };
        let request: ConnectRequest = decode(body).expect("a request");
        let header = DataHeader {
            kind: DataKind::Server,
            e2e_sequence: 1,
            relay_sequence: 1,
            id: request.gameserver_relay_session_id.unwrap_or(0),
            is_session_id: true,
            time_since_previous: None,
        };
        let mut bytes = Vec::new();
        header.encode(None, &mut bytes);
        sender.send_all(server, [(from, bytes.as_slice())].into_iter());
        thread::sleep(Duration::from_millis(20));
        driver.turn();
        return;
    }
    panic!("the server hears nothing");
}

fn ask(driver: &mut Driver, client: &Socket, to: Address, bytes: &[u8]) -> Vec<u8> {
    let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
    sender.send_all(client, [(to, bytes)].into_iter());
    for _ in 0..200 {
        driver.turn();
        if receiver.receive(client).unwrap_or(0) > 0 {
            return receiver.datagram(0).1.to_vec();
        }
    }
    panic!("no answer");
}

fn ticket(server: Address, unix: u64) -> Ticket {
    let grant =
        |name: &str, value: i64| ExtraField { name: name.into(), value: ExtraValue::Int(value) };
    Ticket {
        server: "str:server".parse().expect("an identity"),
        client: "str:client".parse().expect("an identity"),
        client_ip: None,
        expiry: (unix + 3600) as u32,
        routing: HostedAddress::Plain {
            pop: "sto".parse().expect("a code"),
            server: ServerAddress::new(server, 99),
        },
        app_id: 480,
        virtual_port: None,
        extra_fields: vec![
            grant(gamewire_sdr::relay::EXTRA_PACKETS_PER_SECOND, 20_000),
            grant(gamewire_sdr::relay::EXTRA_BYTES_PER_SECOND, 25_000_000),
        ],
    }
}
