//! One of the two hosts: a socket's endpoint, its connections, and what they said.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use gamewire_crypto::{Certificate, SeededEntropy, SigningKey, TrustStore};
use gamewire_proto::{
    Time,
    config::ConnectionConfig,
    connection::{CloseRequest, Connection},
    endpoint::{AcceptLimits, ConnectionKey, Endpoint, Incoming, Route},
    event::{ConnectionState, Event},
    handshake::{Credentials, LocalParty},
    send::OutgoingMessage,
};
use gamewire_wire::{Identity, extensions, limits::MAX_UDP_PAYLOAD};

use crate::input::Input;

const LIMITS: AcceptLimits =
    AcceptLimits { max_pending: 3, max_per_address: 4, max_connections: 5 };
/// Rounds of timers and batches at one moment; more would be a busy loop.
const MAX_ROUNDS: usize = 200;
const NOW_UNIX: u64 = 1_700_000_000;
const APP: u32 = 480;
const NAMES: [&str; 2] = ["str:initiator", "str:acceptor"];

/// What the input chose for the whole run.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    /// Both have certificates and ask for them.
    certified: bool,
    /// The acceptor accepts at once.
    accepts_at_once: bool,
    features: u64,
}

impl Setup {
    pub(super) fn read(input: &mut Input<'_>) -> Self {
        let bits = input.byte();
        Self {
            certified: bits & 1 != 0,
            accepts_at_once: bits & 2 != 0,
            features: if bits & 4 == 0 { extensions::ALL } else { 0 },
        }
    }

    fn party(&self, side: usize) -> LocalParty {
        let identity: Identity = NAMES[side].parse().expect("a literal identity");
        let root = SigningKey::from_seed([9; 32]);
        let mut trust = TrustStore::builder();
        trust.root(root.public_key()).expect("one root");
        let signing = SigningKey::from_seed([side as u8 + 1; 32]);
        let certificate = Certificate {
            identity: Some(identity.clone()),
            app_ids: vec![APP],
            time_created: Some(NOW_UNIX as u32 - 60),
            time_expiry: Some(NOW_UNIX as u32 + 3600),
            ..Certificate::new(signing.public_key())
        };
        let certificate = certificate.sign(&root);
        LocalParty {
            identity,
            app_id: APP,
            credentials: self.certified.then(|| Arc::new(Credentials { signing, certificate })),
            trust: Arc::new(trust.build().expect("one root")),
            now_unix: NOW_UNIX,
            expected_identity: None,
            features: self.features,
        }
    }

    fn config(&self) -> ConnectionConfig {
        let allow = if self.certified { 0 } else { 2 };
        ConnectionConfig {
            allow_without_auth: allow,
            allow_without_auth_localhost: allow,
            ..ConnectionConfig::default()
        }
    }
}

/// A datagram.
#[derive(Clone)]
pub(super) struct Packet {
    /// Index of the receiving host.
    pub(super) to: usize,
    pub(super) bytes: Vec<u8>,
}

pub(super) struct Host {
    side: usize,
    setup: Setup,
    endpoint: Endpoint,
    connections: Vec<(ConnectionKey, Connection)>,
    entropy: SeededEntropy,
    next_key: u32,
    outgoing: Vec<Vec<u8>>,
    sent: BTreeSet<Bytes>,
    received: BTreeSet<Bytes>,
}

fn address(side: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4000 + side as u16))
}

/// An initiator that has begun, and an acceptor.
pub(super) fn hosts(now: Time, setup: &Setup) -> [Host; 2] {
    [0, 1].map(|side| {
        let mut entropy = SeededEntropy::new(side as u64);
        let accept = (side == 1).then_some(LIMITS);
        let mut host = Host {
            side,
            setup: *setup,
            endpoint: Endpoint::new(accept, &mut entropy),
            connections: Vec::new(),
            entropy,
            next_key: 1,
            outgoing: Vec::new(),
            sent: BTreeSet::new(),
            received: BTreeSet::new(),
        };
        if side == 0 {
            host.initiate(now);
        }
        host
    })
}

impl Host {
    fn initiate(&mut self, now: Time) {
        let id = self.endpoint.fresh_connection_id(&mut self.entropy);
        let (party, config) = (self.setup.party(0), self.setup.config());
        let entropy = &mut self.entropy;
        let connection = Connection::initiate(now, id, address(1), party, config, entropy);
        let key = self.fresh_key();
        self.endpoint.insert_initiator(key, id, address(1));
        self.connections.push((key, connection));
    }

    fn fresh_key(&mut self) -> ConnectionKey {
        let key = ConnectionKey(self.next_key);
        self.next_key += 1;
        key
    }

    /// A datagram of the other host's, or of somebody who can copy it.
    pub(super) fn receive(&mut self, now: Time, from_a_stranger: bool, bytes: &[u8]) {
        let from = address(if from_a_stranger { 7 } else { 1 - self.side });
        let mut reply = Vec::new();
        match self.endpoint.handle_datagram(now, from, bytes, &mut reply) {
            Route::Data(key) => {
                assert!(!from_a_stranger, "data of a stranger");
                if let Some(index) = self.index(key) {
                    self.connections[index].1.handle_data(now, &mut bytes.to_vec());
                }
            }
            Route::Control(key, control) => {
                assert!(!from_a_stranger, "a control message of a stranger");
                if let Some(index) = self.index(key) {
                    self.connections[index].1.handle_control(now, *control, &mut self.entropy);
                }
            }
            Route::Incoming(incoming) => {
                assert!(!from_a_stranger, "a challenge of another address");
                self.incoming(now, &incoming, &mut reply);
            }
            Route::Reply | Route::Dropped(_) => {}
        }
        if !reply.is_empty() && !from_a_stranger {
            self.outgoing.push(reply);
        }
        self.drain(now);
    }

    fn index(&self, key: ConnectionKey) -> Option<usize> {
        self.connections.iter().position(|(known, _)| *known == key)
    }

    fn incoming(&mut self, now: Time, incoming: &Incoming, reply: &mut Vec<u8>) {
        let id = self.endpoint.fresh_connection_id(&mut self.entropy);
        let (party, config) = (self.setup.party(1), self.setup.config());
        let entropy = &mut self.entropy;
        match Connection::from_incoming(now, id, incoming, party, config, entropy) {
            Ok(connection) => {
                let key = self.fresh_key();
                let identity = connection.remote_identity().clone();
                self.endpoint.insert_acceptor(key, id, incoming, identity);
                self.connections.push((key, connection));
                if self.setup.accepts_at_once {
                    self.accept(now);
                }
            }
            Err(refusal) => refusal.encode(incoming.request.client_connection_id(), reply),
        }
    }

    /// The application accepts whoever waits.
    pub(super) fn accept(&mut self, now: Time) {
        for (key, connection) in &mut self.connections {
            if connection.accept(now, &mut self.entropy).is_ok() {
                self.endpoint.settled(*key);
            }
        }
        self.drain(now);
    }

    /// The application says something on every connection.
    pub(super) fn send(&mut self, now: Time) {
        for (_, connection) in &mut self.connections {
            let payload = Bytes::from(format!("{} says {}", NAMES[self.side], self.sent.len()));
            let message = OutgoingMessage {
                payload: payload.clone(),
                reliable: true,
                ..OutgoingMessage::default()
            };
            if connection.send(now, message).is_ok() {
                self.sent.insert(payload);
            }
        }
    }

    pub(super) fn close(&mut self, now: Time, request: CloseRequest<'_>) {
        self.connections.iter_mut().for_each(|(_, connection)| connection.close(now, request));
        self.drain(now);
    }

    pub(super) fn next_deadline(&self, now: Time) -> Option<Time> {
        self.connections.iter().filter_map(|(_, connection)| connection.poll_timeout(now)).min()
    }

    /// Serves timers and sends what is due; neither may go on for ever at one moment.
    pub(super) fn run_timers(&mut self, now: Time) {
        for _ in 0..MAX_ROUNDS {
            if self.next_deadline(now).is_none_or(|deadline| deadline > now) {
                return;
            }
            self.connections.iter_mut().for_each(|(_, connection)| connection.handle_timeout(now));
            self.drain(now);
        }
        panic!("a timer spins: {}", self.describe());
    }

    fn drain(&mut self, now: Time) {
        let mut ended = Vec::new();
        for (key, connection) in &mut self.connections {
            let mut out = Vec::new();
            for round in 0.. {
                assert!(round < MAX_ROUNDS, "it never stops sending");
                out.clear();
                let Some(transmit) = connection.poll_transmit(now, &mut out, 1) else { break };
                assert!(transmit.len == out.len() && out.len() <= MAX_UDP_PAYLOAD);
                self.outgoing.push(out.clone());
            }
            while let Some(message) = connection.poll_message() {
                connection.messages_consumed(1, message.payload.len());
                assert!(self.received.insert(message.payload), "the same message twice");
            }
            while let Some(event) = connection.poll_event() {
                if event == Event::Drained {
                    ended.push(*key);
                }
            }
        }
        for key in ended {
            self.endpoint.remove(key);
            self.connections.retain(|(known, _)| *known != key);
        }
    }

    pub(super) fn take_sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.outgoing)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connections.iter().any(|(_, c)| c.state() == ConnectionState::Connected)
    }

    pub(super) fn has_all_of(&self, other: &Self) -> bool {
        self.received == other.sent
    }

    /// Nobody is taken for somebody else, nothing comes from nowhere, and the tables are bounded.
    pub(super) fn check(&self) {
        let other = NAMES[1 - self.side];
        assert!(self.connections.len() <= LIMITS.max_connections);
        assert_eq!(self.connections.len(), self.endpoint.connections());
        for (_, connection) in &self.connections {
            if self.setup.certified && connection.state() == ConnectionState::Connected {
                let peer = connection.peer();
                assert!(peer.authenticated && peer.encrypted, "{peer:?}");
                assert_eq!(peer.identity.to_string(), other);
            }
        }
        let said = format!("{other} says ");
        let from_other = |payload: &Bytes| payload.starts_with(said.as_bytes());
        assert!(self.received.iter().all(from_other), "{:?}", self.received);
    }

    pub(super) fn describe(&self) -> String {
        let states = self.connections.iter().map(|(_, c)| (c.state(), c.end().cloned()));
        format!("{}: {:?}", NAMES[self.side], states.collect::<Vec<_>>())
    }
}
