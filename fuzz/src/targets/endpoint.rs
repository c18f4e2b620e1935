//! What one socket does with datagrams of anyone: no reply is longer than its request unless the
//! address is proven, nobody gets in without a challenge, and the limits hold.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use gamewire_crypto::SeededEntropy;
use gamewire_proto::{
    Time,
    endpoint::{AcceptLimits, ConnectionKey, Endpoint, Route},
};
use gamewire_wire::{
    Identity,
    limits::PROTOCOL_VERSION,
    messages::{ChallengeRequest, ConnectRequest, ConnectionClosed, NoConnection},
    udp::{self, DataHeader, Datagram},
};

use crate::input::Input;

const LIMITS: AcceptLimits =
    AcceptLimits { max_pending: 4, max_per_address: 3, max_connections: 6 };
const ADDRESSES: usize = 8;
const MAX_STEPS: usize = 1000;

struct World {
    now: Time,
    endpoint: Endpoint,
    entropy: SeededEntropy,
    /// Challenges by address and client id, with the time they were given.
    challenges: BTreeMap<(usize, u32), (u64, Time)>,
    /// Local id, address and whether it still waits.
    open: BTreeMap<ConnectionKey, (u32, usize, bool)>,
    next_key: u32,
    listening: bool,
}

/// Two ports at each of four hosts.
fn address(index: usize) -> SocketAddr {
    let host = Ipv4Addr::new(192, 0, 2, 1 + (index / 2) as u8);
    SocketAddr::new(IpAddr::V4(host), 4000 + (index % 2) as u16)
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut entropy = SeededEntropy::new(u64::from(input.byte()));
    let mut world = World {
        now: Time::from_micros(3_000_000_000_000),
        endpoint: Endpoint::new(Some(LIMITS), &mut entropy),
        entropy,
        challenges: BTreeMap::new(),
        open: BTreeMap::new(),
        next_key: 1,
        listening: true,
    };
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        assert_eq!(world.endpoint.connections(), world.open.len());
        assert!(world.open.len() <= LIMITS.max_connections);
        let waiting = world.open.values().filter(|(_, _, waits)| *waits).count();
        assert!(waiting <= LIMITS.max_pending);
    }
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        let step = input.byte();
        let from = usize::from(step >> 4) % ADDRESSES;
        match step & 15 {
            0 => {
                let datagram = input.sized_bytes(1400);
                self.receive(from, datagram);
            }
            1 => self.receive(from, &challenge_request(client(input), input.byte())),
            2..5 => {
                let id = client(input);
                let challenge = self.challenges.get(&(from, id)).map_or(7, |known| known.0);
                let flip = u64::from(input.byte() & 0x80 != 0) << 30;
                self.receive(from, &connect_request(id, challenge ^ flip, input.byte()));
            }
            5 => {
                let id = self.some_id(input);
                let message = ConnectionClosed {
                    to_connection_id: Some(id),
                    from_connection_id: input.flag().then(|| client(input)),
                    reason_code: Some(input.u32()),
                    debug: None,
                };
                let mut datagram = Vec::new();
                udp::encode_connection_closed(&message, &mut datagram);
                self.receive(from, &datagram);
            }
            6 => {
                let message = NoConnection {
                    to_connection_id: Some(self.some_id(input)),
                    from_connection_id: None,
                };
                let mut datagram = Vec::new();
                udp::encode_no_connection(&message, &mut datagram);
                self.receive(from, &datagram);
            }
            7 | 8 => {
                let header = DataHeader {
                    to_connection_id: self.some_id(input),
                    packet_number_low: 2,
                    time_since_previous: None,
                };
                let mut datagram = Vec::new();
                udp::encode_data_header(&header, None, &mut datagram);
                datagram.extend_from_slice(input.bytes(20));
                self.receive(from, &datagram);
            }
            9 => {
                if let Some(key) = self.some_key(input) {
                    self.endpoint.settled(key);
                    if let Some(entry) = self.open.get_mut(&key) {
                        entry.2 = false;
                    }
                }
            }
            10 => {
                if let Some(key) = self.some_key(input) {
                    self.endpoint.remove(key);
                    self.open.remove(&key);
                }
            }
            11 if step == 0xfb => {
                self.endpoint.stop_listening();
                self.listening = false;
            }
            _ => self.now = self.now.plus_micros(u64::from(input.u16()) * 64),
        }
    }

    fn some_key(&self, input: &mut Input<'_>) -> Option<ConnectionKey> {
        let index = usize::from(input.byte());
        self.open.keys().nth(index % self.open.len().max(1)).copied()
    }

    /// The id of a connection, or none's.
    fn some_id(&self, input: &mut Input<'_>) -> u32 {
        match self.some_key(input) {
            Some(key) if input.byte() < 0xc0 => self.open[&key].0,
            Some(_) | None => input.u32(),
        }
    }

    fn receive(&mut self, from: usize, datagram: &[u8]) {
        let mut reply = vec![0x5a; 3];
        let route = self.endpoint.handle_datagram(self.now, address(from), datagram, &mut reply);
        let answer = reply.split_off(3);
        assert_eq!(reply, [0x5a; 3], "what was in the buffer changed");
        assert_eq!(!answer.is_empty(), matches!(route, Route::Reply));
        if answer.len() > datagram.len() {
            assert!(self.is_proven(from, datagram), "a forged address would be flooded");
        }
        match route {
            Route::Data(key) | Route::Control(key, _) => {
                assert_eq!(self.open[&key].1, from, "a datagram of a stranger");
            }
            Route::Incoming(incoming) => {
                assert!(self.listening && self.is_proven(from, datagram));
                assert_eq!(incoming.remote, address(from));
                let local_id = self.endpoint.fresh_connection_id(&mut self.entropy);
                assert!(local_id & 0xffff != 0 && local_id >> 16 != 0);
                let identity = Identity::localhost();
                let key = ConnectionKey(self.next_key);
                self.next_key += 1;
                self.endpoint.insert_acceptor(key, local_id, &incoming, identity);
                self.open.insert(key, (local_id, from, true));
            }
            Route::Reply => self.remember(from, &answer),
            Route::Dropped(_) => {}
        }
    }

    fn remember(&mut self, from: usize, answer: &[u8]) {
        if let Ok(Datagram::ChallengeReply(reply)) = udp::parse(answer) {
            assert!(self.listening);
            let known = (reply.challenge(), self.now);
            self.challenges.insert((from, reply.connection_id()), known);
        }
    }

    /// Whether the datagram is a connect request with a challenge that this address was given in
    /// the last few seconds.
    fn is_proven(&self, from: usize, datagram: &[u8]) -> bool {
        let Ok(Datagram::ConnectRequest(request)) = udp::parse(datagram) else { return false };
        // A challenge belongs to the address, not to the client id.
        self.challenges.iter().any(|(&(address, _), &(challenge, given))| {
            address == from
                && challenge == request.challenge()
                && self.now.micros_since(given) < 5_000_000
        })
    }
}

/// One of a few ids, so that they meet.
fn client(input: &mut Input<'_>) -> u32 {
    u32::from(input.byte() & 7)
}

fn challenge_request(id: u32, version: u8) -> Vec<u8> {
    let version = if version == 0 { 7 } else { PROTOCOL_VERSION };
    let message = ChallengeRequest {
        connection_id: Some(id),
        my_timestamp: Some(77),
        protocol_version: Some(version),
    };
    let mut out = Vec::new();
    udp::encode_challenge_request(&message, &mut out);
    out
}

fn connect_request(id: u32, challenge: u64, who: u8) -> Vec<u8> {
    let message = ConnectRequest {
        client_connection_id: Some(id),
        challenge: Some(challenge),
        identity_string: Some(format!("str:{}", who & 3)),
        ..ConnectRequest::default()
    };
    let mut out = Vec::new();
    udp::encode_connect_request(&message, &mut out);
    out
}
