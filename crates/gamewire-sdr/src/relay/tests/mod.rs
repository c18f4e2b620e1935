//! Relays beside hand-made clients and servers: what goes through, and what must not.

mod abuse;
mod hosted;
mod p2p;
mod pings;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gamewire_crypto::{Certificate, KeyExchange, SeededEntropy, SigningKey};
use gamewire_proto::Time;
use gamewire_wire::{
    address::Address,
    identity::Identity,
    messages::{CertificateSigned, relay::*},
    relay::{DataHeader, DataKind, DataPacket, Datagram, decode, id, parse},
};
use prost::Message as _;

use super::*;
use crate::{
    config::{NetworkConfig, Pop},
    coordinator::{Ticket, TicketSigner},
    hosted::{HostedAddress, RelayKeys, ServerAddress},
};

const NOW_US: u64 = 3_000_000_000_000;
const UNIX: u64 = 1_764_000_000;
const APP: u32 = 480;
const SECRET: u64 = 0x1122_3344_5566_7788;
const SERVER: &str = "155.133.9.9:27015";
const CLIENT: &str = "8.8.8.8:50000";
const CONNECTION: u32 = 77;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn pop(code: &str) -> PopId {
    code.parse().unwrap()
}

fn root() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

/// A datagram that left a relay.
#[derive(Clone, Debug)]
struct Sent {
    side: Side,
    to: Address,
    bytes: Vec<u8>,
}

impl Sent {
    fn message<M: prost::Message + Default>(&self, expected: u8) -> M {
        let Ok(Datagram::Control { id, body }) = parse(&self.bytes) else { panic!("{self:?}") };
        assert_eq!(id, expected);
        decode(body).unwrap()
    }

    fn data(&self) -> DataPacket<'_> {
        let Ok(Datagram::Data(packet)) = parse(&self.bytes) else { panic!("{self:?}") };
        packet
    }
}

/// Relays of one network, each with one shard.
struct World {
    now: Time,
    unix: u64,
    config: NetworkConfig,
    relays: Vec<Relay>,
    entropy: SeededEntropy,
}

fn static_key(index: usize) -> Arc<KeyExchange> {
    Arc::new(KeyExchange::generate(&mut SeededEntropy::new(100 + index as u64)))
}

fn address_key() -> KeyExchange {
    KeyExchange::generate(&mut SeededEntropy::new(99))
}

const POPS: [&str; 3] = ["sto", "fra", "ams"];

fn interior_address(index: usize) -> Address {
    address(&format!("155.133.1.{}:28000", index + 1))
}

impl World {
    fn new(relays: usize) -> Self {
        Self::with(relays, |_| {})
    }

    fn with(relays: usize, change: impl Fn(&mut RelayOptions)) -> Self {
        let pops = (0..relays).map(|index| Pop {
            id: pop(POPS[index]),
            relays: vec![crate::config::Relay {
                name: String::new(),
                ipv4: Some([155, 133, 1, index as u8 + 1].into()),
                ipv6: None,
                ports: (27015, 27015),
                interior_ports: Some((28000, 28000)),
                public_key: Some(static_key(index).public_key()),
            }],
            ..Pop::default()
        });
        let mut config = NetworkConfig {
            pops: pops.collect(),
            relay_public_keys: vec![address_key().public_key()],
            ..NetworkConfig::default()
        };
        config.pops.sort_by_key(|pop| pop.id);
        let mut keys = RelayKeys::default();
        keys.insert(None, address_key());
        let keys = Arc::new(keys);
        let at = Moment { now: Time::from_micros(NOW_US), unix: UNIX };
        let relay = |index: usize| {
            let mut options = RelayOptions {
                pop: pop(POPS[index]),
                shard: 0,
                key: static_key(index),
                relay_keys: keys.clone(),
                max_sessions: 10_000,
                allow_private_servers: false,
                penalty: 0,
            };
            change(&mut options);
            Relay::new(at, options, Box::new(SeededEntropy::new(index as u64)))
        };
        let mut world = Self {
            now: at.now,
            unix: at.unix,
            relays: (0..relays).map(relay).collect(),
            config,
            entropy: SeededEntropy::new(7),
        };
        world.publish();
        world
    }

    /// Gives all relays the config as it is.
    fn publish(&mut self) {
        let store = Arc::new(self.config.trust_store(&[root().public_key()]).unwrap());
        let config = Arc::new(self.config.clone());
        for relay in &mut self.relays {
            relay.set_network(config.clone(), store.clone());
        }
    }

    fn at(&self) -> Moment {
        Moment { now: self.now, unix: self.unix }
    }

    fn advance(&mut self, by: Duration) {
        self.now += by;
        self.unix += by.as_secs();
    }

    /// Feeds a relay and takes what it sends, without passing it on.
    fn feed(&mut self, relay: usize, side: Side, from: Address, bytes: &[u8]) -> Vec<Sent> {
        let at = self.at();
        let relay = &mut self.relays[relay];
        relay.handle_datagram(at, side, from, &mut bytes.to_vec());
        drain_batch(relay)
    }

    /// Feeds a relay; what goes to other relays is passed on until only the rest is left.
    fn route(&mut self, relay: usize, side: Side, from: Address, bytes: &[u8]) -> Vec<Sent> {
        let sent = self.feed(relay, side, from, bytes);
        self.settle(relay, sent)
    }

    fn settle(&mut self, relay: usize, sent: Vec<Sent>) -> Vec<Sent> {
        let mut pending: Vec<(usize, Sent)> = sent.into_iter().map(|sent| (relay, sent)).collect();
        let mut outside = Vec::new();
        for _ in 0..100 {
            let Some((from, sent)) = pending.pop() else { return outside };
            let to = (0..self.relays.len()).find(|&index| interior_address(index) == sent.to);
            match to {
                Some(to) => {
                    let more = self.feed(to, Side::Interior, interior_address(from), &sent.bytes);
                    pending.extend(more.into_iter().map(|sent| (to, sent)));
                }
                None => outside.push(sent),
            }
        }
        panic!("datagrams between relays go in circles");
    }

    fn tick(&mut self, relay: usize) -> Vec<Sent> {
        let at = self.at();
        let relay = &mut self.relays[relay];
        relay.handle_timeout(at);
        drain_batch(relay)
    }

    fn dropped(&self, relay: usize, reason: RelayDrop) -> u64 {
        self.relays[relay].drops().of(reason)
    }

    fn total_drops(&self, relay: usize) -> Vec<(&'static str, u64)> {
        let drops = self.relays[relay].drops().iter();
        drops.filter(|(_, count)| *count > 0).map(|(reason, n)| (reason.name(), n)).collect()
    }

    fn challenge(&mut self, relay: usize, from: Address) -> u64 {
        let mut bytes = Vec::new();
        let front = address(&format!("155.133.1.{}:27015", relay + 1));
        gamewire_wire::relay::PingRequest::new(front, 1, 2).encode(&mut bytes);
        let sent = self.feed(relay, Side::Front, from, &bytes);
        sent[0].message::<RouterPingReply>(id::ROUTER_PING_REPLY).challenge.unwrap()
    }

    fn ticket(&self) -> Ticket {
        Ticket {
            server: identity("str:server"),
            client: identity("str:client"),
            client_ip: None,
            expiry: (self.unix + 3600) as u32,
            routing: HostedAddress::Plain {
                pop: pop("sto"),
                server: ServerAddress::new(address(SERVER), SECRET),
            },
            app_id: APP,
            virtual_port: None,
            extra_fields: Vec::new(),
        }
    }

    fn sign(&mut self, ticket: &Ticket) -> Bytes {
        let root = root();
        let signer = TicketSigner::new(&root);
        signer.sign(ticket, &self.config, &mut self.entropy).unwrap().into()
    }

    /// A session request as a client would send it after a ping.
    fn session_request(&mut self, relay: usize, from: Address, ticket: Bytes) -> Vec<u8> {
        let challenge = self.challenge(relay, from);
        encoded(
            id::GAMESERVER_SESSION_REQUEST,
            &GameserverSessionRequest {
                ticket: Some(ticket),
                challenge_time: Some(self.unix as u32),
                challenge: Some(challenge),
                client_connection_id: Some(CONNECTION),
                protocol_version: Some(13),
                ..GameserverSessionRequest::default()
            },
        )
    }

    /// Asks for a session with a ticket; what the relay answers.
    fn ask(&mut self, relay: usize, from: &str, ticket: &Ticket) -> Vec<Sent> {
        let ticket = self.sign(ticket);
        let request = self.session_request(relay, address(from), ticket);
        self.feed(relay, Side::Front, address(from), &request)
    }

    /// A hosted session at relay 0, its server confirmed; the relay's session id.
    fn hosted_session(&mut self) -> u32 {
        let ticket = self.ticket();
        let answer = self.ask(0, CLIENT, &ticket);
        let established: GameserverSessionEstablished =
            answer[0].message(id::GAMESERVER_SESSION_ESTABLISHED);
        assert_eq!(established.connection_id, Some(CONNECTION));
        let request = connect_request("str:client", 0);
        let sent = self.feed(0, Side::Front, address(CLIENT), &request);
        let request: ConnectRequest = sent[0].message(id::CONNECT_REQUEST);
        let session = request.gameserver_relay_session_id.unwrap();
        let ok = ConnectOk {
            client_connection_id: Some(CONNECTION),
            server_connection_id: Some(99),
            gameserver_relay_session_id: Some(session),
            ..ConnectOk::default()
        };
        let sent = self.feed(0, Side::Interior, address(SERVER), &encoded(id::CONNECT_OK, &ok));
        assert_eq!(sent[0].to, address(CLIENT));
        session
    }
}

fn drain_batch(relay: &mut Relay) -> Vec<Sent> {
    let batch = relay.batch();
    let sent = batch.iter().map(|(side, to, bytes)| Sent { side, to, bytes: bytes.to_vec() });
    let sent = sent.collect();
    batch.clear();
    sent
}

fn encoded(id: u8, message: &impl prost::Message) -> Vec<u8> {
    let mut out = Vec::new();
    gamewire_wire::relay::encode(id, message, &mut out);
    out
}

fn cert(name: &str, seed: u8) -> CertificateSigned {
    Certificate {
        identity: Some(identity(name)),
        app_ids: vec![APP],
        time_expiry: Some(UNIX as u32 + 86_400),
        ..Certificate::new(SigningKey::from_seed([seed; 32]).public_key())
    }
    .sign(&root())
}

fn connect_request(name: &str, virtual_port: u32) -> Vec<u8> {
    encoded(
        id::CONNECT_REQUEST,
        &ConnectRequest {
            connection_id: Some(CONNECTION),
            virtual_port: Some(virtual_port),
            cert: Some(cert(name, 40)),
            routing_secret: Some(5),
            ..ConnectRequest::default()
        },
    )
}

fn data(kind: DataKind, id: u32, e2e_sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = DataHeader {
        kind,
        e2e_sequence,
        relay_sequence: e2e_sequence,
        id,
        is_session_id: kind == DataKind::Server,
        time_since_previous: None,
    };
    let mut out = Vec::new();
    header.encode(None, &mut out);
    out.extend_from_slice(payload);
    out
}
