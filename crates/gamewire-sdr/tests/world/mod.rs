//! The world: cities, links, and the machines of this crate in them.

mod cities;
mod flow;

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};

use bytes::Bytes;
use gamewire_crypto::{
    Certificate, Entropy, KeyExchange, SeededEntropy, SigningKey, cert::pop_from_text,
};
use gamewire_proto::Time;
use gamewire_sdr::{
    PopId,
    client::{
        HostedPurpose, Measurement, MeasurementOptions, MeasurementStatus, P2pPurpose, Purpose,
        RelaySessions, SessionEvent,
    },
    config::{NetworkConfig, Pop},
    coordinator::{SignedTicket, Ticket, TicketSigner},
    hosted::{HostedAddress, RelayKeys, ServerAddress},
    relay::{Moment, Relay, RelayOptions, Side},
    server::{ClientId, HostedServer, HostedServerOptions, ServerEvent},
};
use gamewire_wire::{
    address::Address,
    identity::Identity,
    messages::{
        CertificateSigned,
        relay::{ConnectOk, ConnectRequest, RouterPingReply},
    },
    relay::{Datagram, decode, id, parse},
};

pub use cities::City;
use flow::Flow;

const START_US: u64 = 3_000_000_000_000;
const UNIX: u64 = 1_764_000_000;
const APP: u32 = 480;
/// From a client to the backbone of its city, one way, in microseconds.
const ACCESS_US: u64 = 2000;
/// One packet per tick and direction.
const TICK: Duration = Duration::from_millis(16);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Traffic {
    to_server: bool,
    to_client: bool,
}

impl Traffic {
    pub const BOTH: Self = Self { to_server: true, to_client: true };
    pub const TO_SERVER: Self = Self { to_server: true, to_client: false };
    pub const TO_CLIENT: Self = Self { to_server: false, to_client: true };
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Node {
    Relay(usize, bool),
    Client(usize),
    Server(usize),
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    at: Time,
    number: u64,
    to: Node,
    from: Address,
    bytes: Vec<u8>,
}

struct RelayNode {
    relay: Relay,
    city: City,
    front: Address,
    interior: Address,
    is_up: bool,
    runs: u64,
}

/// What a client's traffic came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub received_by_server: u64,
    pub received_by_client: u64,
    pub lost_to_server: u64,
    pub lost_to_client: u64,
    /// The longest time without a packet at an end that was sent some.
    pub longest_gap: Duration,
}

pub struct ClientNode {
    pub measurement: Measurement,
    pub sessions: Option<RelaySessions>,
    pub address: Address,
    city: City,
    identity: Identity,
    cert: CertificateSigned,
    key: SigningKey,
    connection_id: u32,
    is_connected: bool,
    request_at: Time,
    server: Option<usize>,
    /// What the client sends; what it gets.
    out: Flow,
    into: Flow,
}

impl ClientNode {
    /// The address of the relay that packets go over.
    pub fn primary(&self) -> Address {
        self.sessions.as_ref().unwrap().primary().unwrap().candidate.relay
    }
}

struct ServerNode {
    server: HostedServer,
    address: Address,
    city: City,
    identity: Identity,
    secret: u64,
    clients: Vec<ClientId>,
}

pub struct World {
    now: Time,
    entropy: SeededEntropy,
    config: NetworkConfig,
    relays: Vec<RelayNode>,
    clients: Vec<ClientNode>,
    servers: Vec<ServerNode>,
    flights: BinaryHeap<Reverse<Flight>>,
    flown: u64,
    pub loss_percent: u32,
    /// What clients got to see.
    seen: Vec<(usize, Vec<u8>)>,
    digest: u64,
}

fn root() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn address_key() -> KeyExchange {
    KeyExchange::generate(&mut SeededEntropy::new(99))
}

fn static_key(index: usize) -> Arc<KeyExchange> {
    Arc::new(KeyExchange::generate(&mut SeededEntropy::new(1000 + index as u64)))
}

impl World {
    pub fn new(seed: u64, cities: &[City], per_pop: usize) -> Self {
        let mut pops = Vec::new();
        let mut places = Vec::new();
        for city in cities {
            let mut relays = Vec::new();
            for _ in 0..per_pop {
                let index = places.len();
                let ip = [155, 133, (index / 200) as u8, (index % 200) as u8 + 1];
                relays.push(gamewire_sdr::config::Relay {
                    name: format!("{}#{index}", city.code),
                    ipv4: Some(ip.into()),
                    ipv6: None,
                    ports: (27015, 27015),
                    interior_ports: Some((28000, 28000)),
                    public_key: Some(static_key(index).public_key()),
                });
                places.push((*city, Address::from_v4(ip.into(), 27015)));
            }
            let id = PopId::new(pop_from_text(city.code).unwrap());
            pops.push(Pop { id, geo: Some(city.geo()), relays, ..Pop::default() });
        }
        pops.sort_by_key(|pop| pop.id);
        let config = NetworkConfig {
            revision: UNIX,
            pops,
            relay_public_keys: vec![address_key().public_key()],
            ..NetworkConfig::default()
        };
        let mut world = Self {
            now: Time::from_micros(START_US),
            entropy: SeededEntropy::new(seed),
            config,
            relays: Vec::new(),
            clients: Vec::new(),
            servers: Vec::new(),
            flights: BinaryHeap::new(),
            flown: 0,
            loss_percent: 0,
            seen: Vec::new(),
            digest: seed,
        };
        for (index, (city, front)) in places.into_iter().enumerate() {
            let relay = world.make_relay(index, city, 0);
            let interior = front.with_port(28000);
            world.relays.push(RelayNode { relay, city, front, interior, is_up: true, runs: 0 });
        }
        world
    }

    fn make_relay(&self, index: usize, city: City, run: u64) -> Relay {
        let mut keys = RelayKeys::default();
        keys.insert(None, address_key());
        let options = RelayOptions {
            pop: city.code.parse().unwrap(),
            shard: 0,
            key: static_key(index),
            relay_keys: Arc::new(keys),
            max_sessions: 10_000,
            allow_private_servers: false,
            penalty: 0,
        };
        let entropy = SeededEntropy::new(index as u64 * 1000 + run);
        let mut relay = Relay::new(self.moment(), options, Box::new(entropy));
        let store = self.config.trust_store(&[root().public_key()]).unwrap();
        relay.set_network(Arc::new(self.config.clone()), Arc::new(store));
        relay
    }

    fn moment(&self) -> Moment {
        let seconds = (self.now.as_micros() - START_US) / 1_000_000;
        Moment { now: self.now, unix: UNIX + seconds }
    }

    pub fn client(&self, client: usize) -> &ClientNode {
        &self.clients[client]
    }

    pub fn add_client(&mut self, name: &str, city: City) -> usize {
        let index = self.clients.len();
        let key = SigningKey::from_seed([100 + index as u8; 32]);
        let identity: Identity = name.parse().unwrap();
        let cert = Certificate {
            identity: Some(identity.clone()),
            app_ids: vec![APP],
            time_expiry: Some(UNIX as u32 + 86_400),
            ..Certificate::new(key.public_key())
        }
        .sign(&root());
        let seed = self.entropy.next_u64();
        let mut measurement =
            Measurement::new(MeasurementOptions::default(), Box::new(SeededEntropy::new(seed)));
        measurement.set_config(Arc::new(self.config.clone()));
        self.clients.push(ClientNode {
            measurement,
            sessions: None,
            address: Address::from_v4([81, 2, 3, index as u8 + 1].into(), 50_000),
            city,
            identity,
            cert,
            key,
            connection_id: self.entropy.next_u32() | 1,
            is_connected: false,
            request_at: self.now,
            server: None,
            out: Flow::default(),
            into: Flow::default(),
        });
        index
    }

    pub fn add_server(&mut self, name: &str, city: City) -> usize {
        let index = self.servers.len();
        let secret = self.entropy.next_u64();
        let options = HostedServerOptions {
            pop: city.code.parse().unwrap(),
            app_id: APP,
            routing_secret: secret,
            accept_any_relay: false,
        };
        let mut server = HostedServer::new(self.now, options);
        server.set_config(Arc::new(self.config.clone()));
        self.servers.push(ServerNode {
            server,
            address: Address::from_v4([93, 184, 7, index as u8 + 1].into(), 27015),
            city,
            identity: name.parse().unwrap(),
            secret,
            clients: Vec::new(),
        });
        index
    }

    fn node(&self, to: Address) -> Option<Node> {
        let relay = self.relays.iter().position(|node| node.front.ip() == to.ip());
        if let Some(index) = relay {
            return Some(Node::Relay(index, to == self.relays[index].interior));
        }
        let client = self.clients.iter().position(|node| node.address == to).map(Node::Client);
        client.or_else(|| self.servers.iter().position(|node| node.address == to).map(Node::Server))
    }

    fn city_of(&self, node: Node) -> (City, u64) {
        match node {
            Node::Relay(index, _) => (self.relays[index].city, 0),
            Node::Client(index) => (self.clients[index].city, ACCESS_US),
            Node::Server(index) => (self.servers[index].city, 100),
        }
    }

    fn fly(&mut self, from_node: Node, from: Address, to: Address, bytes: Vec<u8>) {
        let Some(node) = self.node(to) else {
            panic!("{from_node:?} sends to {to}, which nobody has");
        };
        if self.entropy.next_u32() % 100 < self.loss_percent {
            return;
        }
        let ((a, access_a), (b, access_b)) = (self.city_of(from_node), self.city_of(node));
        let jitter = u64::from(self.entropy.next_u32() % 300);
        let way = a.way_us(b) + access_a + access_b + jitter;
        self.flown += 1;
        let at = self.now.plus_micros(way);
        self.flights.push(Reverse(Flight { at, number: self.flown, to: node, from, bytes }));
    }

    /// Lets the world go on until `until`.
    fn run(&mut self, until: Time) {
        loop {
            self.collect();
            let next = self.next_event().filter(|at| *at <= until);
            let Some(at) = next else { break };
            self.now = self.now.max(at);
            while self.flights.peek().is_some_and(|flight| flight.0.at <= self.now) {
                let flight = self.flights.pop().unwrap().0;
                self.arrive(flight);
                self.collect();
            }
            self.timeouts();
        }
        self.now = until;
        self.timeouts();
        self.collect();
    }

    fn next_event(&self) -> Option<Time> {
        let flight = self.flights.peek().map(|flight| flight.0.at);
        let relays =
            self.relays.iter().filter(|node| node.is_up).map(|node| node.relay.poll_timeout());
        let clients = self.clients.iter().flat_map(|node| {
            let sessions = node.sessions.as_ref().and_then(RelaySessions::poll_timeout);
            [node.measurement.poll_timeout(), sessions].into_iter().flatten()
        });
        let servers = self.servers.iter().map(|node| node.server.poll_timeout());
        flight.into_iter().chain(relays).chain(clients).chain(servers).min()
    }

    fn arrive(&mut self, flight: Flight) {
        let moment = self.moment();
        for byte in flight.bytes.iter().take(64) {
            self.digest = self.digest.rotate_left(5) ^ u64::from(*byte).wrapping_mul(0x9e37_79b9);
        }
        match flight.to {
            Node::Relay(index, is_interior) => {
                let node = &mut self.relays[index];
                if node.is_up {
                    let side = if is_interior { Side::Interior } else { Side::Front };
                    let mut bytes = flight.bytes;
                    node.relay.handle_datagram(moment, side, flight.from, &mut bytes);
                }
            }
            Node::Client(index) => {
                self.seen.push((index, flight.bytes.clone()));
                self.arrive_at_client(index, flight.from, &flight.bytes);
            }
            Node::Server(index) => {
                let node = &mut self.servers[index];
                node.server.handle_datagram(moment.now, moment.unix, flight.from, &flight.bytes);
            }
        }
    }

    fn arrive_at_client(&mut self, index: usize, from: Address, bytes: &[u8]) {
        let now = self.now;
        let node = &mut self.clients[index];
        if let Ok(Datagram::Control { id: id::ROUTER_PING_REPLY, body }) = parse(bytes) {
            let reply: RouterPingReply = decode(body).unwrap();
            node.measurement.handle_reply(now, from, &reply);
        }
        if let Some(sessions) = &mut node.sessions {
            sessions.handle_datagram(now, from, bytes, &mut node.measurement);
            sessions.handle_timeout(now, &mut node.measurement);
        }
    }

    fn timeouts(&mut self) {
        let moment = self.moment();
        for node in self.relays.iter_mut().filter(|node| node.is_up) {
            if node.relay.poll_timeout() <= moment.now {
                node.relay.handle_timeout(moment);
            }
        }
        for node in &mut self.clients {
            node.measurement.handle_timeout(moment.now);
            if let Some(sessions) = &mut node.sessions {
                sessions.handle_timeout(moment.now, &mut node.measurement);
            }
        }
        for node in &mut self.servers {
            node.server.handle_timeout(moment.now);
        }
    }

    /// Takes what the machines want to send and to say.
    fn collect(&mut self) {
        let mut sent = Vec::new();
        for (index, node) in self.relays.iter_mut().enumerate() {
            let (front, interior) = (node.front, node.interior);
            let batch = node.relay.batch();
            for (side, to, bytes) in batch.iter() {
                let from = if side == Side::Front { front } else { interior };
                sent.push((Node::Relay(index, side == Side::Interior), from, to, bytes.to_vec()));
            }
            batch.clear();
        }
        for (index, node) in self.clients.iter_mut().enumerate() {
            let from = node.address;
            while let Some(out) = node.measurement.poll_transmit() {
                sent.push((Node::Client(index), from, out.to, out.bytes));
            }
            while let Some(out) = node.sessions.as_mut().and_then(RelaySessions::poll_transmit) {
                sent.push((Node::Client(index), from, out.to, out.bytes));
            }
        }
        for (index, node) in self.servers.iter_mut().enumerate() {
            while let Some(out) = node.server.poll_transmit() {
                sent.push((Node::Server(index), node.address, out.to, out.bytes));
            }
        }
        for (node, from, to, bytes) in sent {
            self.fly(node, from, to, bytes);
        }
        self.events();
    }

    fn events(&mut self) {
        let now = self.now;
        for node in &mut self.clients {
            while let Some(event) = node.sessions.as_mut().and_then(RelaySessions::poll_event) {
                match event {
                    SessionEvent::Data { e2e_sequence, payload, .. } => {
                        assert_eq!(payload.as_ref(), payload_of(e2e_sequence));
                        node.into.arrived(now, e2e_sequence);
                    }
                    SessionEvent::ConnectOk(_) => node.is_connected = true,
                    _ => {}
                }
            }
        }
        for server in &mut self.servers {
            while let Some(event) = server.server.poll_event() {
                match event {
                    ServerEvent::ConnectRequest { client, .. } => {
                        server.server.send_connect_ok(&client, ConnectOk::default());
                        if !server.clients.contains(&client) {
                            server.clients.push(client);
                        }
                    }
                    ServerEvent::Data { client, e2e_sequence, payload, .. } => {
                        assert_eq!(payload.as_ref(), payload_of(e2e_sequence));
                        let id = client.connection_id;
                        let node = self.clients.iter_mut().find(|node| node.connection_id == id);
                        node.unwrap().out.arrived(now, e2e_sequence);
                    }
                    ServerEvent::NoSessions { client } => panic!("{client:?} has no session left"),
                    _ => {}
                }
            }
        }
    }

    pub fn measure(&mut self, client: usize) {
        let now = self.now;
        self.clients[client].measurement.start(now);
        for _ in 0..100 {
            self.run(self.now + Duration::from_millis(100));
            if self.clients[client].measurement.status() == MeasurementStatus::Done {
                return;
            }
        }
        panic!("the measurement does not end");
    }

    pub fn connect_hosted(&mut self, client: usize, server: usize) {
        self.measure(client);
        let node = &self.servers[server];
        let pop = node.city.code.parse().unwrap();
        let ticket = Ticket {
            server: node.identity.clone(),
            client: self.clients[client].identity.clone(),
            client_ip: None,
            expiry: self.moment().unix as u32 + 3600,
            routing: HostedAddress::Plain {
                pop,
                server: ServerAddress::new(node.address, node.secret),
            },
            app_id: APP,
            virtual_port: None,
            extra_fields: Vec::new(),
        };
        let root = root();
        let ticket = TicketSigner::new(&root).sign(&ticket, &self.config, &mut self.entropy);
        let ticket = Bytes::from(ticket.unwrap());
        assert_eq!(SignedTicket::parse(&ticket).unwrap().ticket().routing.pop(), pop);
        let purpose = Purpose::Hosted(HostedPurpose { ticket, pop });
        self.start_sessions(client, purpose);
        self.clients[client].server = Some(server);
        for _ in 0..200 {
            self.run(self.now + Duration::from_millis(50));
            self.repeat_request(client);
            if self.clients[client].is_connected {
                // The backups follow.
                self.run(self.now + Duration::from_millis(1500));
                return;
            }
        }
        panic!(
            "no connection: {:?}",
            self.relays[0].relay.drops().iter().filter(|d| d.1 > 0).collect::<Vec<_>>()
        );
    }

    fn start_sessions(&mut self, client: usize, purpose: Purpose) {
        let seed = self.entropy.next_u64();
        let now = self.now;
        let node = &mut self.clients[client];
        let entropy = Box::new(SeededEntropy::new(seed));
        let mut sessions = RelaySessions::new(now, purpose, node.connection_id, entropy);
        sessions.handle_timeout(now, &mut node.measurement);
        node.sessions = Some(sessions);
    }

    fn repeat_request(&mut self, client: usize) {
        let now = self.now;
        let node = &mut self.clients[client];
        let sessions = node.sessions.as_mut().unwrap();
        if !node.is_connected && now >= node.request_at && sessions.primary().is_some() {
            node.request_at = now + Duration::from_millis(300);
            let request =
                ConnectRequest { cert: Some(node.cert.clone()), ..ConnectRequest::default() };
            sessions.send_connect_request(now, request);
        }
    }

    pub fn connect_p2p(&mut self, a: usize, b: usize) {
        for (own, other) in [(a, b), (b, a)] {
            self.measure(own);
            let purpose = Purpose::P2p(P2pPurpose {
                cert: self.clients[own].cert.clone(),
                key: self.clients[own].key.clone(),
                peer: self.clients[other].identity.clone(),
            });
            self.start_sessions(own, purpose);
        }
        self.run(self.now + Duration::from_secs(3));
        self.signal(a, b);
        self.run(self.now + Duration::from_secs(1));
    }

    /// What rendezvous signals would carry, both ways.
    fn signal(&mut self, a: usize, b: usize) {
        for (own, other) in [(a, b), (b, a)] {
            let node = &self.clients[own];
            let (routes, _) = node.sessions.as_ref().unwrap().local_routes(&node.measurement);
            let node = &mut self.clients[other];
            let sessions = node.sessions.as_mut().unwrap();
            assert!(sessions.handle_peer_routes(&routes));
            sessions.handle_timeout(self.now, &mut node.measurement);
        }
    }

    /// Packets of both for a while; routes are told again over the relays as they change.
    pub fn exchange_p2p(&mut self, a: usize, b: usize, length: Duration) {
        let end = self.now + length;
        while self.now < end {
            for (own, other) in [(a, b), (b, a)] {
                let now = self.now;
                let number = self.clients[other].into.next(now);
                let node = &mut self.clients[own];
                let sessions = node.sessions.as_mut().unwrap();
                sessions.send_data(now, number, None, payload_of(number));
                if number.is_multiple_of(16) {
                    sessions.send_routes(now, &node.measurement);
                }
                sessions.handle_timeout(now, &mut node.measurement);
            }
            self.run(self.now + TICK);
        }
        self.finish_flows(a);
        self.finish_flows(b);
    }

    /// Packets between a client and its server for a while.
    pub fn exchange(&mut self, client: usize, length: Duration, traffic: Traffic) {
        let end = self.now + length;
        let server = self.clients[client].server.unwrap();
        while self.now < end {
            let now = self.now;
            let node = &mut self.clients[client];
            if traffic.to_server {
                let number = node.out.next(now);
                let sessions = node.sessions.as_mut().unwrap();
                sessions.send_data(now, number, Some(1000), payload_of(number));
                sessions.handle_timeout(now, &mut node.measurement);
            }
            if traffic.to_client {
                let number = node.into.next(now);
                let id = node.connection_id;
                let server = &mut self.servers[server];
                let id = server.clients.iter().find(|client| client.connection_id == id);
                let id = id.unwrap().clone();
                server.server.send_data(&id, number, Some(1000), payload_of(number));
            }
            self.run(self.now + TICK);
        }
        self.finish_flows(client);
    }

    fn finish_flows(&mut self, client: usize) {
        // The last packets arrive, and the pause between two exchanges is no gap.
        self.run(self.now + Duration::from_millis(1100));
        let node = &mut self.clients[client];
        node.out.pause();
        node.into.pause();
    }

    pub fn report(&self, client: usize) -> Report {
        let node = &self.clients[client];
        let (received_by_server, lost_to_server) = node.out.counts(self.now);
        let (received_by_client, lost_to_client) = node.into.counts(self.now);
        Report {
            received_by_server,
            received_by_client,
            lost_to_server,
            lost_to_client,
            longest_gap: node.out.longest_gap.max(node.into.longest_gap),
        }
    }

    pub fn clear_report(&mut self, client: usize) {
        let node = &mut self.clients[client];
        for flow in [&mut node.out, &mut node.into] {
            flow.packets.clear();
            flow.longest_gap = Duration::ZERO;
            flow.last_arrival = None;
        }
    }

    fn relay_at(&self, front: Address) -> usize {
        self.relays.iter().position(|node| node.front == front).unwrap()
    }

    pub fn kill_relay(&mut self, front: Address) {
        let index = self.relay_at(front);
        self.relays[index].is_up = false;
    }

    pub fn restart_relay(&mut self, front: Address) {
        let index = self.relay_at(front);
        let run = self.relays[index].runs + 1;
        let relay = self.make_relay(index, self.relays[index].city, run);
        let node = &mut self.relays[index];
        (node.relay, node.is_up, node.runs) = (relay, true, run);
    }

    pub fn drain_relay(&mut self, front: Address, length: Duration) {
        let index = self.relay_at(front);
        let moment = self.moment();
        self.relays[index].relay.drain(moment, length, None);
    }

    pub fn sessions_at(&self, front: Address) -> usize {
        self.relays[self.relay_at(front)].relay.session_count()
    }

    pub fn pop_of(&self, front: Address) -> PopId {
        self.relays[self.relay_at(front)].city.code.parse().unwrap()
    }

    pub fn relays_of(&self, pop: PopId) -> Vec<Address> {
        let nodes = self.relays.iter().map(|node| node.front);
        nodes.filter(|front| self.pop_of(*front) == pop).collect()
    }

    /// Round trips of the client to the server in milliseconds: over the relay in use, and over the
    /// best there is.
    pub fn route_quality(&self, client: usize, server: usize) -> (f64, f64) {
        let (from, to) = (self.clients[client].city, self.servers[server].city);
        let over = |via: City| {
            let one_way = from.way_us(via) + ACCESS_US + via.way_us(to) + 100;
            2.0 * one_way as f64 / 1000.0
        };
        let used = self.relays[self.relay_at(self.clients[client].primary())].city;
        let best = self.relays.iter().map(|node| over(node.city)).min_by(f64::total_cmp);
        (over(used), best.unwrap())
    }

    /// Nothing that reached a client may hold the address of a server or of another client.
    pub fn check_secrecy(&self) {
        let mut hidden: Vec<(Option<usize>, [u8; 4])> = Vec::new();
        for server in &self.servers {
            hidden.push((None, server.address.v4().unwrap().octets()));
        }
        for (index, client) in self.clients.iter().enumerate() {
            hidden.push((Some(index), client.address.v4().unwrap().octets()));
        }
        for (reader, bytes) in &self.seen {
            for (owner, octets) in &hidden {
                if *owner == Some(*reader) {
                    continue;
                }
                let mut reversed = *octets;
                reversed.reverse();
                let shows = bytes.windows(4).any(|four| four == octets || four == reversed);
                assert!(!shows, "client {reader} sees an address: {bytes:02x?}");
            }
        }
    }

    pub fn leak_server_address_to(&mut self, client: usize, server: usize) {
        let octets = self.servers[server].address.v4().unwrap().octets();
        self.seen.push((client, [b"x".as_slice(), &octets].concat()));
    }

    pub fn digest(&self) -> u64 {
        self.digest
    }
}

/// Something that stands for a sealed packet.
fn payload_of(number: u16) -> &'static [u8] {
    const PAYLOADS: [&[u8]; 3] = [&[7; 60], &[8; 200], &[9; 1200]];
    PAYLOADS[usize::from(number) % 3]
}
