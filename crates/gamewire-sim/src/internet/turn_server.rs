//! A STUN and TURN server (RFC 8489, RFC 8656), as much of it as clients need.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use gamewire_crypto::stun::long_term_key;
use gamewire_p2p::{
    stun::{Builder, Class, Message, TransactionId, attribute, method},
    turn::Frames,
};
use gamewire_proto::Time;

use super::{Host, Outgoing, StreamKey};

/// Most allocations.
pub const MAX_ALLOCATIONS: usize = 64;

/// How the server behaves.
#[derive(Clone, Debug)]
pub struct TurnServerConfig {
    /// Where it listens; its relayed addresses have the same IP.
    pub address: SocketAddr,
    /// Whether it relays, or is a STUN server only.
    pub relays: bool,
    /// Who may use it: name and password.
    pub user: (String, String),
    /// How long an allocation lasts.
    pub lifetime: Duration,
    /// How long a nonce is good; older ones are answered with 438.
    pub nonce_lifetime: Duration,
    /// Whether it grants channels.
    pub channels: bool,
}

impl TurnServerConfig {
    /// A server that relays for `user` with `password`.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            relays: true,
            user: ("user".to_owned(), "password".to_owned()),
            lifetime: Duration::from_secs(600),
            nonce_lifetime: Duration::from_secs(3600),
            channels: true,
        }
    }
}

const REALM: &str = "sim";

/// How long a permission lasts (RFC 8656 §9).
const PERMISSION: Duration = Duration::from_secs(300);

/// How long a channel lasts (RFC 8656 §12).
const CHANNEL: Duration = Duration::from_secs(600);

/// How a client is reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Client {
    Datagrams(SocketAddr),
    Stream(StreamKey),
}

#[derive(Debug)]
struct Allocation {
    /// The request that made it: one that comes again is answered again (RFC 8656 §7.2).
    made_by: TransactionId,
    port: u16,
    expires: Time,
    permissions: BTreeMap<IpAddr, Time>,
    channels: BTreeMap<u16, (SocketAddr, Time)>,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct TurnServer {
    config: TurnServerConfig,
    allocations: BTreeMap<Client, Allocation>,
    streams: BTreeMap<StreamKey, Frames>,
    next_port: u16,
    outgoing: VecDeque<Outgoing>,
    /// Whether it is silent, as if it were off.
    pub off: bool,
    /// Datagrams relayed in channels and in indications, both ways together.
    pub relayed: (u64, u64),
}

impl TurnServer {
    /// A server without allocations.
    pub fn new(config: TurnServerConfig) -> Self {
        Self {
            config,
            allocations: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_port: 50_000,
            outgoing: VecDeque::new(),
            off: false,
            relayed: (0, 0),
        }
    }

    /// Allocations that have not run out.
    pub fn allocations(&self, now: Time) -> usize {
        self.allocations.values().filter(|allocation| allocation.expires > now).count()
    }

    /// Whether it grants channels from now on.
    pub fn set_channels(&mut self, granted: bool) {
        self.config.channels = granted;
    }

    /// How long a nonce is good from now on.
    pub fn set_nonce_lifetime(&mut self, lifetime: Duration) {
        self.config.nonce_lifetime = lifetime;
    }

    /// Loses all allocations, as after a restart.
    pub fn forget(&mut self) {
        self.allocations.clear();
    }

    fn reply(&mut self, client: Client, payload: Vec<u8>) {
        let from = self.config.address;
        self.outgoing.push_back(match client {
            Client::Datagrams(to) => Outgoing::Datagram { from, to, payload },
            Client::Stream(stream) => Outgoing::ToClient { stream, payload },
        });
    }

    fn handle(&mut self, now: Time, client: Client, bytes: &[u8]) {
        if self.off {
            return;
        }
        if bytes.first().is_some_and(|first| first & 0xc0 == 0x40) {
            self.handle_channel(now, client, bytes);
            return;
        }
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        match (message.class(), message.method()) {
            (Class::Request, method::BINDING) => {
                let Client::Datagrams(seen) = client else {
                    return;
                };
                let id = message.transaction_id();
                let response = Builder::new(Class::Success, method::BINDING, id)
                    .xor_address(attribute::XOR_MAPPED_ADDRESS, seen)
                    .fingerprint();
                self.reply(client, response);
            }
            (Class::Request, _) if self.config.relays => {
                if let Some(response) = self.answer(now, client, &message) {
                    self.reply(client, response);
                }
            }
            (Class::Indication, method::SEND) => {
                let peer = message.xor_address(attribute::XOR_PEER_ADDRESS);
                if let (Some(peer), Some(data)) = (peer, message.attribute(attribute::DATA)) {
                    self.relay(now, client, peer, data);
                    self.relayed.1 += 1;
                }
            }
            _ => {}
        }
    }

    fn handle_channel(&mut self, now: Time, client: Client, bytes: &[u8]) {
        let Some((header, data)) = bytes.split_first_chunk::<4>() else {
            return;
        };
        let number = u16::from_be_bytes([header[0], header[1]]);
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let channel = self.allocations.get(&client).and_then(|known| known.channels.get(&number));
        if let (Some(&(peer, until)), Some(data)) = (channel, data.get(..len))
            && until > now
        {
            self.relay(now, client, peer, data);
            self.relayed.0 += 1;
        }
    }

    /// A client's data go out, if they may.
    fn relay(&mut self, now: Time, client: Client, peer: SocketAddr, data: &[u8]) {
        let Some(allocation) = self.allocations.get(&client) else {
            return;
        };
        let permitted = allocation.permissions.get(&peer.ip()).is_some_and(|until| *until > now);
        if permitted && allocation.expires > now {
            let from = SocketAddr::new(self.config.address.ip(), allocation.port);
            let payload = data.to_vec();
            self.outgoing.push_back(Outgoing::Datagram { from, to: peer, payload });
        }
    }

    fn nonce(&self, now: Time) -> Vec<u8> {
        let age = self.config.nonce_lifetime.as_micros().max(1) as u64;
        format!("nonce-{}", now.as_micros() / age).into_bytes()
    }

    fn refusal(message: &Message<'_>, code: u16) -> Builder {
        let [class, number] = [code / 100, code % 100].map(|part| part as u8);
        Builder::new(Class::Error, message.method(), message.transaction_id())
            .attribute(attribute::ERROR_CODE, &[0, 0, class, number])
    }

    fn answer(&mut self, now: Time, client: Client, message: &Message<'_>) -> Option<Vec<u8>> {
        let nonce = self.nonce(now);
        let challenge = |code| {
            Self::refusal(message, code)
                .attribute(attribute::REALM, REALM.as_bytes())
                .attribute(attribute::NONCE, &nonce)
                .fingerprint()
        };
        let (name, password) = &self.config.user;
        let key = long_term_key(name, REALM, password);
        let known = message.text(attribute::USERNAME) == Some(name);
        if !known || !message.verify(&key) {
            return Some(challenge(401));
        }
        if message.attribute(attribute::NONCE) != Some(&nonce) {
            return Some(challenge(438));
        }
        let result = match message.method() {
            method::ALLOCATE => self.allocate(now, client, message),
            method::REFRESH => self.refresh(now, client, message),
            method::CREATE_PERMISSION => self.permit(now, client, message),
            method::CHANNEL_BIND => self.bind(now, client, message),
            _ => Err(400),
        };
        let builder = result.unwrap_or_else(|code| Self::refusal(message, code));
        Some(builder.integrity(&key).fingerprint())
    }

    fn allocate(
        &mut self,
        now: Time,
        client: Client,
        message: &Message<'_>,
    ) -> Result<Builder, u16> {
        if message.attribute(attribute::REQUESTED_TRANSPORT) != Some(&[17, 0, 0, 0]) {
            return Err(442);
        }
        self.allocations.retain(|_, allocation| allocation.expires > now);
        let made_by = message.transaction_id();
        let known = self.allocations.get(&client).map(|known| (known.made_by, known.port));
        let port = match known {
            Some((id, port)) if id == made_by => port,
            Some(_) => return Err(437),
            None if self.allocations.len() >= MAX_ALLOCATIONS => return Err(486),
            None => {
                self.next_port += 1;
                self.next_port - 1
            }
        };
        if known.is_none() {
            let (permissions, channels) = (BTreeMap::new(), BTreeMap::new());
            let expires = now + self.config.lifetime;
            let allocation = Allocation { made_by, port, expires, permissions, channels };
            self.allocations.insert(client, allocation);
        }
        let relayed = SocketAddr::new(self.config.address.ip(), port);
        let seen = match client {
            Client::Datagrams(seen) => seen,
            Client::Stream(_) => SocketAddr::from(([203, 0, 113, 99], 9)),
        };
        let builder = Builder::new(Class::Success, method::ALLOCATE, made_by)
            .xor_address(attribute::XOR_RELAYED_ADDRESS, relayed)
            .xor_address(attribute::XOR_MAPPED_ADDRESS, seen);
        Ok(builder.attribute(attribute::LIFETIME, &self.lifetime().to_be_bytes()))
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(self.config.lifetime.as_secs()).expect("a lifetime is short")
    }

    fn allocation(&mut self, now: Time, client: Client) -> Result<&mut Allocation, u16> {
        self.allocations.get_mut(&client).filter(|known| known.expires > now).ok_or(437)
    }

    fn refresh(
        &mut self,
        now: Time,
        client: Client,
        message: &Message<'_>,
    ) -> Result<Builder, u16> {
        let lifetime = self.lifetime().min(message.u32(attribute::LIFETIME).ok_or(400_u16)?);
        self.allocation(now, client)?.expires = now + Duration::from_secs(lifetime.into());
        self.allocations.retain(|_, allocation| allocation.expires > now);
        Ok(Builder::new(Class::Success, method::REFRESH, message.transaction_id())
            .attribute(attribute::LIFETIME, &lifetime.to_be_bytes()))
    }

    fn permit(&mut self, now: Time, client: Client, message: &Message<'_>) -> Result<Builder, u16> {
        let peer = message.xor_address(attribute::XOR_PEER_ADDRESS).ok_or(400_u16)?;
        let own = self.config.address.ip();
        let allocation = self.allocation(now, client)?;
        if peer.is_ipv4() != own.is_ipv4() {
            return Err(443);
        }
        allocation.permissions.insert(peer.ip(), now + PERMISSION);
        Ok(Builder::new(Class::Success, method::CREATE_PERMISSION, message.transaction_id()))
    }

    fn bind(&mut self, now: Time, client: Client, message: &Message<'_>) -> Result<Builder, u16> {
        let peer = message.xor_address(attribute::XOR_PEER_ADDRESS).ok_or(400_u16)?;
        let number = message.u32(attribute::CHANNEL_NUMBER).ok_or(400_u16)? >> 16;
        let number = u16::try_from(number).expect("sixteen bits");
        if !self.config.channels {
            return Err(403);
        }
        let allocation = self.allocation(now, client)?;
        let other = allocation.channels.get(&number).is_some_and(|(bound, _)| *bound != peer);
        if other || !(0x4000..0x5000).contains(&number) {
            return Err(400);
        }
        allocation.channels.insert(number, (peer, now + CHANNEL));
        allocation.permissions.insert(peer.ip(), now + PERMISSION);
        Ok(Builder::new(Class::Success, method::CHANNEL_BIND, message.transaction_id()))
    }

    /// A datagram came for a relayed address.
    fn handle_peer(&mut self, now: Time, port: u16, peer: SocketAddr, data: &[u8]) {
        let found = self.allocations.iter().find(|(_, allocation)| allocation.port == port);
        let Some((&client, allocation)) = found else {
            return;
        };
        let permitted = allocation.permissions.get(&peer.ip()).is_some_and(|until| *until > now);
        if !permitted || allocation.expires <= now {
            return;
        }
        let mut channels = allocation.channels.iter();
        let channel = channels.find(|(_, (bound, until))| *bound == peer && *until > now);
        let payload = if let Some((number, _)) = channel {
            self.relayed.0 += 1;
            let mut payload = number.to_be_bytes().to_vec();
            payload.extend_from_slice(&(data.len() as u16).to_be_bytes());
            payload.extend_from_slice(data);
            if let Client::Stream(_) = client {
                payload.resize(payload.len().next_multiple_of(4), 0);
            }
            payload
        } else {
            self.relayed.1 += 1;
            let id = TransactionId([9; 12]);
            Builder::new(Class::Indication, method::DATA, id)
                .xor_address(attribute::XOR_PEER_ADDRESS, peer)
                .attribute(attribute::DATA, data)
                .finish()
        };
        self.reply(client, payload);
    }
}

impl Host for TurnServer {
    fn handle_datagram(&mut self, now: Time, to: SocketAddr, from: SocketAddr, datagram: &[u8]) {
        if to.port() == self.config.address.port() {
            self.handle(now, Client::Datagrams(from), datagram);
        } else if !self.off {
            self.handle_peer(now, to.port(), from, datagram);
        }
    }

    fn handle_stream(&mut self, now: Time, stream: StreamKey, bytes: &[u8]) {
        let frames = self.streams.entry(stream).or_default().push(bytes);
        for frame in frames.into_iter().flatten() {
            self.handle(now, Client::Stream(stream), &frame);
        }
    }

    fn handle_timeout(&mut self, _: Time) {}

    fn poll_timeout(&self) -> Option<Time> {
        None
    }

    fn poll_outgoing(&mut self) -> Option<Outgoing> {
        self.outgoing.pop_front()
    }
}
