//! The hosted server's side of the relay network (relay-network.md §4.7): which relays may speak to
//! it, which sessions lead to which client, and over which to answer.
//!
//! [`HostedServer`] believes only relays of the network config that know its routing secret. It
//! opens no socket; it is fed with what comes in on the one port that all virtual ports share.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use gamewire_crypto::Certificate;
use gamewire_proto::Time;
use gamewire_wire::{
    address::Address,
    identity::Identity,
    limits::PROTOCOL_VERSION,
    messages::{
        ConnectionQuality,
        relay::{
            ConnectOk, ConnectRequest, ConnectionClosed, ConnectionStatsRouterToServer,
            ConnectionStatsServerToRouter, GameserverPingReplyData, GameserverPingRequestBody,
            GameserverPingRequestEnvelope, NoConnection, NoSessionRelayToPeer,
            SignedMessageGeneric, connection_stats_router_to_server::Flags,
        },
    },
    relay::{
        DataHeader, DataKind, DataPacket, Datagram, TimeSincePrevious, decode, encode, id, parse,
    },
};
use prost::Message as _;

use crate::{PopId, config::NetworkConfig};

/// Most clients of a server, those that are being asked included.
pub const MAX_CLIENTS: usize = 65_536;
/// Most sessions of a client: a primary, two backups, and some for changing over.
pub const MAX_PATHS: usize = 8;
/// A client all of whose sessions are gone is given up after this (end reason 5006).
pub const NO_SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// A session that is silent for so long is forgotten.
pub const PATH_TIMEOUT: Duration = Duration::from_secs(120);
/// Most events that wait for the driver; more packets are dropped, as the network would.
const MAX_EVENTS: usize = 8192;

/// What a hosted server is told about itself.
#[derive(Clone, Debug)]
pub struct HostedServerOptions {
    /// Where it is hosted (`SDR_POPID`).
    pub pop: PopId,
    /// Its app.
    pub app_id: u32,
    /// What relays must know to speak to it. Random, one per process; in its address blob.
    pub routing_secret: u64,
    /// Whether relays may have any address: for a server on a desk without a network config.
    pub accept_any_relay: bool,
}

/// A client: the connection id that it chose, and who its relays say it is. Both, so that nobody
/// joins his session to somebody else's connection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId {
    /// The client's own connection id.
    pub connection_id: u32,
    /// Whom the ticket names, by the relay's word.
    pub identity: Identity,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum ServerEvent {
    /// Somebody with a ticket wants to connect; answer with
    /// [`send_connect_ok`](HostedServer::send_connect_ok), or reject. May be repeated.
    ConnectRequest {
        /// Whom to answer.
        client: ClientId,
        /// What he sent; the certificate in it is not checked yet, the relay's fields are.
        request: Box<ConnectRequest>,
    },
    /// A sealed packet. The same may come in twice.
    Data {
        /// Whose.
        client: ClientId,
        /// Low 16 bits of its packet number.
        e2e_sequence: u16,
        /// Time since the packet before, in 16 µs, if told.
        time_since_previous: Option<u16>,
        /// Ciphertext and tag.
        payload: Bytes,
    },
    /// The client's statistics of the whole way.
    PeerQuality {
        /// Whose.
        client: ClientId,
        /// They.
        quality: Box<ConnectionQuality>,
    },
    /// The client closed the connection.
    Closed {
        /// Who.
        client: ClientId,
        /// Why.
        closed: Box<ConnectionClosed>,
    },
    /// The client does not know the connection.
    NoConnection {
        /// Who.
        client: ClientId,
    },
    /// No relay has a session to the client any more: end reason 5006.
    NoSessions {
        /// Who.
        client: ClientId,
    },
}

/// Why datagrams were dropped, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerDrops {
    /// Not from a relay of the network config.
    pub not_a_relay: u64,
    /// Cannot be parsed, or is not for servers.
    pub malformed: u64,
    /// Without the routing secret, where it is needed.
    pub wrong_secret: u64,
    /// Of a session that was never announced.
    pub unknown_session: u64,
    /// There are as many clients or sessions as there may be.
    pub full: u64,
}

/// A datagram to a relay.
pub use crate::client::ToRelay;

#[derive(Debug)]
struct Path {
    client: ClientId,
    last_heard: Time,
    next_sequence: u16,
    to_ack: Option<(u16, Time)>,
}

#[derive(Debug)]
struct Client {
    /// Sessions that lead there; the last heard data came over the first.
    paths: Vec<(Address, u32)>,
    without_path_since: Option<Time>,
}

/// The hosted server's machine.
pub struct HostedServer {
    options: HostedServerOptions,
    config: Option<Arc<NetworkConfig>>,
    relay_ips: Vec<IpAddr>,
    clients: BTreeMap<ClientId, Client>,
    paths: BTreeMap<(Address, u32), Path>,
    transmits: VecDeque<ToRelay>,
    events: VecDeque<ServerEvent>,
    drops: ServerDrops,
    public_address: Option<Address>,
    next_sweep: Time,
}

const ACK_REQUESTS: u32 =
    Flags::AckRequestRelay as u32 | Flags::AckRequestE2e as u32 | Flags::AckRequestImmediate as u32;
const SWEEP: Duration = Duration::from_secs(1);

impl HostedServer {
    /// A server that knows no relays yet.
    pub fn new(now: Time, options: HostedServerOptions) -> Self {
        Self {
            options,
            config: None,
            relay_ips: Vec::new(),
            clients: BTreeMap::new(),
            paths: BTreeMap::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            drops: ServerDrops::default(),
            public_address: None,
            next_sweep: now + SWEEP,
        }
    }

    /// Takes a network config: its relays may speak to us.
    pub fn set_config(&mut self, config: Arc<NetworkConfig>) {
        let relays = config.pops.iter().flat_map(|pop| &pop.relays);
        self.relay_ips = relays.flat_map(crate::config::Relay::ips).collect();
        self.relay_ips.sort_unstable();
        self.relay_ips.dedup();
        self.config = Some(config);
    }

    /// Our address as relays see it.
    pub const fn public_address(&self) -> Option<Address> {
        self.public_address
    }

    /// Why datagrams were dropped.
    pub const fn drops(&self) -> &ServerDrops {
        &self.drops
    }

    /// The relay over which a client is answered, and how many sessions lead to it.
    pub fn path_of(&self, client: &ClientId) -> Option<(Address, usize)> {
        let client = self.clients.get(client)?;
        Some((client.paths.first()?.0, client.paths.len()))
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: Time, unix: u64, from: Address, datagram: &[u8]) {
        let is_relay =
            self.options.accept_any_relay || self.relay_ips.binary_search(&from.ip()).is_ok();
        if !is_relay {
            self.drops.not_a_relay += 1;
            return;
        }
        match parse(datagram) {
            Ok(Datagram::Data(packet)) => self.on_data(now, from, &packet),
            Ok(Datagram::Control { id, body }) => {
                if self.on_control(now, unix, from, (id, body), datagram.len()).is_none() {
                    self.drops.malformed += 1;
                }
            }
            Ok(Datagram::Ping(_)) | Err(_) => self.drops.malformed += 1,
        }
    }

    fn on_data(&mut self, now: Time, from: Address, packet: &DataPacket<'_>) {
        if packet.header.kind != DataKind::Relay || !packet.header.is_session_id {
            self.drops.malformed += 1;
            return;
        }
        let key = (from, packet.header.id);
        let Some(path) = self.paths.get_mut(&key) else {
            self.drops.unknown_session += 1;
            return;
        };
        path.last_heard = now;
        path.to_ack = Some((packet.header.relay_sequence, now));
        let client = path.client.clone();
        // The client speaks over this one now, so that is how it hears best.
        self.prefer(&client, key);
        self.push_event(ServerEvent::Data {
            client,
            e2e_sequence: packet.header.e2e_sequence,
            time_since_previous: packet.header.time_since_previous.map(|time| time.e2e),
            payload: Bytes::copy_from_slice(packet.payload),
        });
    }

    fn prefer(&mut self, client: &ClientId, key: (Address, u32)) {
        if let Some(client) = self.clients.get_mut(client)
            && let Some(index) = client.paths.iter().position(|path| *path == key)
        {
            client.paths[..=index].rotate_right(1);
        }
    }

    /// `None` for what is no message for servers.
    fn on_control(
        &mut self,
        now: Time,
        unix: u64,
        from: Address,
        (id, body): (u8, &[u8]),
        length: usize,
    ) -> Option<()> {
        match id {
            id::GAMESERVER_PING_REQUEST => self.on_ping(unix, from, body, length),
            id::CONNECT_REQUEST => {
                let mut request: ConnectRequest = decode(body).ok()?;
                let session = request.gameserver_relay_session_id?;
                let connection_id = request.connection_id?;
                if !self.check_secret(request.routing_secret.take()) {
                    return Some(());
                }
                let identity = cert_identity(&request)?;
                let client = ClientId { connection_id, identity };
                if !self.add_path(now, (from, session), &client, true) {
                    return Some(());
                }
                self.prefer(&client, (from, session));
                let request = Box::new(request);
                self.push_event(ServerEvent::ConnectRequest { client, request });
                Some(())
            }
            id::STATS => self.on_stats(now, from, body),
            id::CONNECTION_CLOSED => {
                let closed: ConnectionClosed = decode(body).ok()?;
                if !self.check_secret(closed.routing_secret) {
                    return Some(());
                }
                let key = (from, closed.from_relay_session_id?);
                if let Some(path) = self.paths.get(&key) {
                    let (client, closed) = (path.client.clone(), Box::new(closed));
                    self.push_event(ServerEvent::Closed { client, closed });
                }
                Some(())
            }
            id::NO_CONNECTION => {
                let message: NoConnection = decode(body).ok()?;
                if !self.check_secret(message.routing_secret) {
                    return Some(());
                }
                if let Some(path) = self.paths.get(&(from, message.from_relay_session_id?)) {
                    let client = path.client.clone();
                    self.push_event(ServerEvent::NoConnection { client });
                }
                Some(())
            }
            id::NO_SESSION => {
                let message: NoSessionRelayToPeer = decode(body).ok()?;
                self.remove_path(now, (from, message.from_relay_session_id?));
                Some(())
            }
            _ => None,
        }
    }

    fn check_secret(&mut self, secret: Option<u64>) -> bool {
        let is_right = secret.unwrap_or(0) == self.options.routing_secret;
        if !is_right {
            self.drops.wrong_secret += 1;
        }
        is_right
    }

    /// Notes a session that leads to a client; with `may_be_new` to one that is not known yet.
    /// False if there is no room, or the session leads to somebody else.
    fn add_path(
        &mut self,
        now: Time,
        key: (Address, u32),
        client: &ClientId,
        may_be_new: bool,
    ) -> bool {
        if let Some(path) = self.paths.get_mut(&key) {
            path.last_heard = now;
            return path.client == *client;
        }
        if !self.clients.contains_key(client) {
            if !may_be_new {
                self.drops.unknown_session += 1;
                return false;
            }
            if self.clients.len() >= MAX_CLIENTS {
                self.drops.full += 1;
                return false;
            }
            let fresh = Client { paths: Vec::new(), without_path_since: None };
            self.clients.insert(client.clone(), fresh);
        }
        let Some(entry) = self.clients.get_mut(client) else { return false };
        if entry.paths.len() >= MAX_PATHS {
            self.drops.full += 1;
            return false;
        }
        entry.paths.push(key);
        entry.without_path_since = None;
        let path = Path { client: client.clone(), last_heard: now, next_sequence: 0, to_ack: None };
        self.paths.insert(key, path);
        true
    }

    fn remove_path(&mut self, now: Time, key: (Address, u32)) {
        let Some(path) = self.paths.remove(&key) else { return };
        if let Some(client) = self.clients.get_mut(&path.client) {
            client.paths.retain(|other| *other != key);
            if client.paths.is_empty() {
                client.without_path_since = Some(now);
            }
        }
    }

    /// Statistics of a relay. With the routing secret they also announce a further session of a
    /// client, by its connection id.
    fn on_stats(&mut self, now: Time, from: Address, body: &[u8]) -> Option<()> {
        let stats: ConnectionStatsRouterToServer = decode(body).ok()?;
        let key = (from, stats.relay_session_id?);
        let flags = stats.flags.unwrap_or(0);
        if !self.paths.contains_key(&key) {
            if !self.check_secret(stats.routing_secret) {
                return Some(());
            }
            let connection_id = stats.client_connection_id?;
            let identity = stats.client_identity_string.as_deref()?.parse().ok()?;
            let client = ClientId { connection_id, identity };
            if !self.add_path(now, key, &client, false) {
                return Some(());
            }
        }
        let path = self.paths.get_mut(&key)?;
        path.last_heard = now;
        if let Some(sequence) = stats.seq_num_r2s {
            path.to_ack = Some((sequence as u16, now));
        }
        let client = path.client.clone();
        // The client says end to end that this is the one to answer over.
        if stats.not_primary_session != Some(true) && flags & Flags::AckRequestE2e as u32 != 0 {
            self.prefer(&client, key);
        }
        // Whoever asks, the relay learns by the answer that we are there.
        if flags & ACK_REQUESTS != 0 {
            self.send_stats(now, key, 0, None);
        }
        if let Some(quality) = stats.quality_e2e {
            self.push_event(ServerEvent::PeerQuality { client, quality: Box::new(quality) });
        }
        Some(())
    }

    /// Answers a relay that knows the secret, with no more bytes than it sent.
    fn on_ping(&mut self, unix: u64, from: Address, body: &[u8], length: usize) -> Option<()> {
        let envelope: GameserverPingRequestEnvelope = decode(body).ok()?;
        let request: GameserverPingRequestBody = decode(envelope.signed_data.as_deref()?).ok()?;
        if !self.check_secret(request.routing_secret) {
            return Some(());
        }
        let port = request.your_public_port.and_then(|port| u16::try_from(port).ok());
        let v4 = request.your_public_ip.as_ref().and_then(|ip| ip.v4);
        if let (Some(ip), Some(port)) = (v4, port) {
            self.public_address = Some(Address::from_v4(ip.into(), port));
        }
        let data = GameserverPingReplyData {
            echo_relay_unix_time: request.relay_unix_time.map(|time| time as u32),
            echo: request.echo.filter(|echo| echo.len() <= 32),
            data_center_id: Some(self.options.pop.as_u32()),
            appid: Some(self.options.app_id),
            protocol_version: Some(PROTOCOL_VERSION),
            network_config_version: self.config.as_ref().map(|config| config.revision),
            my_unix_time: Some(unix as u32),
            ..GameserverPingReplyData::default()
        };
        let reply = SignedMessageGeneric {
            signed_data: Some(data.encode_to_vec().into()),
            ..SignedMessageGeneric::default()
        };
        let mut bytes = Vec::new();
        if encode(id::GAMESERVER_PING_REPLY, &reply, &mut bytes) <= length {
            self.transmits.push_back(ToRelay { to: from, bytes });
        }
        Some(())
    }

    fn send_to(&mut self, client: &ClientId, write: impl FnOnce(u32, u16, &mut Vec<u8>)) -> bool {
        let Some(&key) = self.clients.get(client).and_then(|client| client.paths.first()) else {
            return false;
        };
        let Some(path) = self.paths.get_mut(&key) else { return false };
        let sequence = path.next_sequence;
        path.next_sequence = sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        write(key.1, sequence, &mut bytes);
        self.transmits.push_back(ToRelay { to: key.0, bytes });
        true
    }

    /// Accepts a client. False if no session leads there any more.
    pub fn send_connect_ok(&mut self, client: &ClientId, ok: ConnectOk) -> bool {
        let connection_id = client.connection_id;
        let write = |session: u32, _: u16, out: &mut Vec<u8>| {
            let ok = ConnectOk {
                client_connection_id: Some(connection_id),
                gameserver_relay_session_id: Some(session),
                ..ok
            };
            encode(id::CONNECT_OK, &ok, out);
        };
        self.send_to(client, write)
    }

    /// Sends a sealed packet. False if no session leads there.
    pub fn send_data(
        &mut self,
        client: &ClientId,
        e2e_sequence: u16,
        time_since_previous: Option<u16>,
        payload: &[u8],
    ) -> bool {
        let write = |session: u32, sequence: u16, out: &mut Vec<u8>| {
            let header = DataHeader {
                kind: DataKind::Server,
                e2e_sequence,
                relay_sequence: sequence,
                id: session,
                is_session_id: true,
                time_since_previous: time_since_previous
                    .map(|e2e| TimeSincePrevious { e2e, relay: 0 }),
            };
            header.encode(None, out);
            out.extend_from_slice(payload);
        };
        self.send_to(client, write)
    }

    /// Says goodbye to a client over all its sessions, and forgets it.
    pub fn send_closed(&mut self, client: &ClientId, closed: &ConnectionClosed) {
        let Some(entry) = self.clients.remove(client) else { return };
        for key in entry.paths {
            let message = ConnectionClosed {
                to_connection_id: Some(client.connection_id),
                to_relay_session_id: Some(key.1),
                legacy_gameserver_relay_session_id: Some(key.1),
                ..closed.clone()
            };
            let mut bytes = Vec::new();
            encode(id::CONNECTION_CLOSED, &message, &mut bytes);
            self.transmits.push_back(ToRelay { to: key.0, bytes });
            self.paths.remove(&key);
        }
    }

    /// Forgets a client whose connection is over.
    pub fn forget(&mut self, client: &ClientId) {
        if let Some(entry) = self.clients.remove(client) {
            for key in entry.paths {
                self.paths.remove(&key);
            }
        }
    }

    fn send_stats(
        &mut self,
        now: Time,
        key: (Address, u32),
        flags: u32,
        quality: Option<ConnectionQuality>,
    ) {
        let Some(path) = self.paths.get_mut(&key) else { return };
        let sequence = path.next_sequence;
        path.next_sequence = sequence.wrapping_add(1);
        let ack = path.to_ack.take().map(|(sequence, at)| {
            let delay = (now.micros_since(at) / 64).min(u64::from(u16::MAX));
            u32::from(sequence) << 16 | delay as u32
        });
        let message = ConnectionStatsServerToRouter {
            quality_e2e: quality,
            ack_relay: ack.into_iter().collect(),
            flags: Some(flags),
            seq_num_s2r: Some(sequence.into()),
            relay_session_id: Some(key.1),
            client_connection_id: Some(path.client.connection_id),
            ..ConnectionStatsServerToRouter::default()
        };
        let mut bytes = Vec::new();
        encode(id::STATS, &message, &mut bytes);
        self.transmits.push_back(ToRelay { to: key.0, bytes });
    }

    /// Forgets what is over.
    pub fn handle_timeout(&mut self, now: Time) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP;
        let silent = self.paths.iter().filter(|(_, path)| now >= path.last_heard + PATH_TIMEOUT);
        let silent: Vec<(Address, u32)> = silent.map(|(key, _)| *key).collect();
        for key in silent {
            self.remove_path(now, key);
        }
        let lost = self.clients.iter().filter(|(_, client)| {
            client.without_path_since.is_some_and(|since| now >= since + NO_SESSION_TIMEOUT)
        });
        let lost: Vec<ClientId> = lost.map(|(client, _)| client.clone()).collect();
        for client in lost {
            self.clients.remove(&client);
            self.push_event(ServerEvent::NoSessions { client });
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest.
    pub const fn poll_timeout(&self) -> Time {
        self.next_sweep
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<ToRelay> {
        self.transmits.pop_front()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    fn push_event(&mut self, event: ServerEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        }
    }
}

/// Whom a client's certificate names; the relay has compared it with the ticket.
fn cert_identity(request: &ConnectRequest) -> Option<Identity> {
    let cert = request.cert.as_ref()?.cert.as_deref()?;
    Certificate::decode(cert).ok()?.identity
}

#[cfg(test)]
mod tests;
