//! The relay: forwards sealed packets between clients, hosted servers and other relays, for those
//! who have a ticket or a certificate (relay-network.md §4.4 to §4.11, `docs/wire/relay.md`).
//!
//! [`Relay`] is one shard: a thread's worth of sessions, sharing nothing with the others. It opens
//! no payload, holds no key that could, and sends to no address that a ticket, a session or the
//! network config does not name. Who has no session is never answered with more than he sent.

mod batch;
mod drops;
mod hosted;
mod interior;
mod leg;
pub mod limits;
mod onward;
mod p2p;
mod ping;
mod reach;
mod session;
mod token;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gamewire_crypto::{Entropy, KeyExchange, TrustStore, cookie::ChallengeKey};
use gamewire_proto::Time;
use gamewire_wire::{
    address::Address,
    messages::relay::NoSessionRelayToClient,
    relay::{DataKind, DataPacket, Datagram, id, parse},
};
use prost::Message;

pub use batch::{Batch, Side};
pub use drops::{RelayDrop, RelayDrops};
pub use hosted::{EXTRA_BYTES_PER_SECOND, EXTRA_PACKETS_PER_SECOND, MAX_TICKET_LIFETIME_S};
pub use interior::{MAX_INBOUND_KEYS, relay_id};
pub use p2p::MAX_ROUTES_BYTES;
pub use reach::MIN_SERVER_PORT;
pub use token::{RoutingToken, TOKEN_KEY_LIFETIME, TOKEN_LEN, TOKEN_LIFETIME_S, TokenRoute};

use crate::{PopId, config::NetworkConfig, hosted::RelayKeys};

use interior::Interior;
use limits::{Bucket, SIGNATURE_CHECKS, SourceBucket, SourceLimits};
use session::{ClientKey, Sessions};
use token::TokenIssuer;

/// A session whose client is silent for so long is forgotten. Backups are kept alive every 45 s.
pub const SESSION_IDLE_TIMEOUT: Duration = Duration::from_secs(100);
/// How long a closed session is kept for late packets.
pub const CLOSE_WAIT: Duration = Duration::from_secs(15);
/// How often sessions are walked for timeouts.
pub const SWEEP_INTERVAL: Duration = Duration::from_millis(100);
/// Most sessions that one walk looks at.
const SESSIONS_PER_SWEEP: usize = 4096;
/// How often each client is told that the relay is about to stop.
pub const DRAIN_REMINDER: Duration = Duration::from_secs(5);
/// How often other relays and servers are measured.
pub const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The challenge's clock runs so many times slower than the cookie's: challenges live for about a
/// minute, as pings are measured some time before sessions are asked for.
const CHALLENGE_SLOWDOWN: u64 = 16;

/// Now: by the monotonic clock, and by that of the wall in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Monotonic.
    pub now: Time,
    /// Unix seconds.
    pub unix: u64,
}

/// What a relay is told about itself.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// Where it is.
    pub pop: PopId,
    /// Which of the relay's shards this is.
    pub shard: u8,
    /// Its key towards other relays; the network config has the public half.
    pub key: Arc<KeyExchange>,
    /// The keys that open the addresses in tickets.
    pub relay_keys: Arc<RelayKeys>,
    /// Most sessions of this shard.
    pub max_sessions: usize,
    /// Whether servers may be in private networks and on this machine: for development.
    pub allow_private_servers: bool,
    /// Milliseconds that clients are to add to this PoP's score, to steer load.
    pub penalty: u32,
}

/// What came and went, in numbers that only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayCounters {
    /// Datagrams that came in.
    pub received: u64,
    /// Data packets passed on to servers.
    pub to_servers: u64,
    /// Data packets passed on to clients.
    pub to_clients: u64,
    /// Data packets passed on to other relays.
    pub to_relays: u64,
    /// Bytes of payload passed on.
    pub payload_bytes: u64,
    /// Sessions opened.
    pub sessions_opened: u64,
    /// Sessions ended, for whatever reason.
    pub sessions_ended: u64,
    /// Ping requests answered.
    pub pings: u64,
}

/// About to stop.
#[derive(Clone, Copy, Debug)]
struct Drain {
    /// When.
    at: Time,
    /// Where clients are asked to go, if anywhere in particular.
    to: Option<Address>,
}

/// One shard of a relay.
///
/// The driver feeds [`handle_datagram`](Self::handle_datagram) and
/// [`handle_timeout`](Self::handle_timeout), then sends what is in [`batch`](Self::batch) and
/// clears it. Every datagram makes at most three.
pub struct Relay {
    options: RelayOptions,
    entropy: Box<dyn Entropy + Send>,
    config: Arc<NetworkConfig>,
    store: Arc<TrustStore>,
    challenge: ChallengeKey,
    sources: SourceLimits,
    signatures: Bucket,
    tokens: TokenIssuer,
    interior: Interior,
    sessions: Sessions,
    batch: Batch,
    drops: RelayDrops,
    counters: RelayCounters,
    drain: Option<Drain>,
    /// Measured round trips to servers of a PoP, in milliseconds.
    server_pings: BTreeMap<PopId, u32>,
    next_sweep: Time,
    sweep_at: usize,
    next_pings: Time,
}

impl Relay {
    /// A shard that knows no network yet: it answers pings and nothing else.
    pub fn new(at: Moment, options: RelayOptions, mut entropy: Box<dyn Entropy + Send>) -> Self {
        let random = entropy.as_mut();
        let interior = Interior::new(options.key.clone(), random);
        let route = TokenRoute { relay: interior.own_id(), shard: options.shard };
        Self {
            challenge: ChallengeKey::generate(random),
            sources: SourceLimits::new(at.now, random),
            signatures: Bucket::new(at.now, SIGNATURE_CHECKS),
            tokens: TokenIssuer::new(at.now, route, random),
            interior,
            sessions: Sessions::new(options.max_sessions),
            batch: Batch::default(),
            drops: RelayDrops::default(),
            counters: RelayCounters::default(),
            drain: None,
            server_pings: BTreeMap::new(),
            next_sweep: at.now + SWEEP_INTERVAL,
            sweep_at: 0,
            // Spread over the interval, so that relays started at once do not ping at once.
            next_pings: at.now.plus_micros(u64::from(random.next_u32()) % 5_000_000),
            config: Arc::default(),
            store: Arc::default(),
            options,
            entropy,
        }
    }

    /// Takes a network config into use: whom to believe, and the other relays. Sessions stay.
    pub fn set_network(&mut self, config: Arc<NetworkConfig>, store: Arc<TrustStore>) {
        self.interior.set_network(&config);
        (self.config, self.store) = (config, store);
    }

    /// Takes new keys for the addresses in tickets.
    pub fn set_relay_keys(&mut self, keys: Arc<RelayKeys>) {
        self.options.relay_keys = keys;
    }

    /// Stops taking sessions, and tells clients to be gone within `length`. With `to` they are
    /// asked to go to a relay in particular.
    pub fn drain(&mut self, at: Moment, length: Duration, to: Option<Address>) {
        self.drain = Some(Drain { at: at.now + length, to });
    }

    /// Takes sessions again.
    pub fn cancel_drain(&mut self) {
        self.drain = None;
    }

    /// Whether the counts that hold the limits are what the sessions add up to.
    #[cfg(test)]
    fn adds_up(&self) -> bool {
        self.sessions.adds_up()
    }

    /// What is to be sent. Clear it when it is.
    pub fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// Sessions, closed ones that linger included.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Sessions that are in use. Walks them all.
    pub fn open_session_count(&self) -> usize {
        self.sessions.iter().filter(|session| session.gone_at.is_none()).count()
    }

    /// Why datagrams were dropped.
    pub const fn drops(&self) -> &RelayDrops {
        &self.drops
    }

    /// What came and went.
    pub const fn counters(&self) -> &RelayCounters {
        &self.counters
    }

    /// The id by which other relays know this one.
    pub const fn id(&self) -> u32 {
        self.interior.own_id()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest.
    pub fn poll_timeout(&self) -> Time {
        self.next_sweep.min(self.next_pings)
    }

    /// Takes a datagram. `datagram` is used as scratch space.
    pub fn handle_datagram(&mut self, at: Moment, side: Side, from: Address, datagram: &mut [u8]) {
        self.counters.received += 1;
        let result = if side == Side::Interior && datagram.first() == Some(&id::INTERIOR) {
            self.on_interior(at, from, datagram)
        } else {
            let length = datagram.len();
            match (side, parse(datagram)) {
                (_, Err(_)) => Err(RelayDrop::Malformed),
                (Side::Front, Ok(parsed)) => self.on_front(at, from, parsed, length),
                (Side::Interior, Ok(parsed)) => self.on_server(at, from, parsed, length),
            }
        };
        if let Err(reason) = result {
            self.drops.count(reason);
        }
    }

    fn on_front(
        &mut self,
        at: Moment,
        from: Address,
        datagram: Datagram<'_>,
        length: usize,
    ) -> Result<(), RelayDrop> {
        match datagram {
            Datagram::Ping(ping) => self.on_ping(at, from, &ping, length),
            Datagram::Data(packet) => self.on_client_data(at, from, &packet, length),
            Datagram::Control { id, body } => match id {
                id::GAMESERVER_SESSION_REQUEST => {
                    self.on_hosted_session_request(at, from, body, length)
                }
                id::P2P_SESSION_REQUEST => self.on_p2p_session_request(at, from, body, length),
                id::CONNECT_REQUEST => self.on_connect_request(at, from, body, length),
                id::STATS => self.on_client_stats(at, from, body, length),
                id::P2P_STATS_CLIENT => self.on_p2p_stats(at, from, body, length),
                id::CONNECTION_CLOSED => self.on_client_closed(at, from, body, length),
                id::NO_CONNECTION => self.on_client_no_connection(at, from, body, length),
                // Telemetry that nobody here asked for; and messages of other directions.
                _ => Err(RelayDrop::Unexpected),
            },
        }
    }

    fn on_client_data(
        &mut self,
        at: Moment,
        from: Address,
        packet: &DataPacket<'_>,
        length: usize,
    ) -> Result<(), RelayDrop> {
        if packet.header.is_session_id {
            return Err(RelayDrop::Unexpected);
        }
        match packet.header.kind {
            DataKind::ClientHosted => self.on_hosted_data(at, from, packet, length),
            DataKind::ClientP2p => self.on_p2p_data(at, from, packet, length),
            DataKind::Relay | DataKind::Server => Err(RelayDrop::Unexpected),
        }
    }

    /// Sends a message to whom no session vouches for: only if it is no longer than the datagram
    /// that it answers, so that nobody can make us shout at a third party.
    fn answer(
        &mut self,
        to: Address,
        id: u8,
        message: &impl Message,
        request_length: usize,
    ) -> Result<(), RelayDrop> {
        let length = self.batch.push(Side::Front, to, |out| {
            gamewire_wire::relay::encode(id, message, out);
        });
        if length > request_length {
            self.batch.pop();
            return Err(RelayDrop::ReplyTooLong);
        }
        Ok(())
    }

    /// Statistics of a client came: they count as a packet of its leg, and need a session.
    fn on_stats_of_client(
        &mut self,
        at: Moment,
        client: ClientKey,
        sequence: Option<u32>,
        length: usize,
    ) -> Result<(), RelayDrop> {
        let Some(session) = self.sessions.by_client(client) else {
            return self.answer_no_session(at, client, length, RelayDrop::NoSession);
        };
        session.last_heard = at.now;
        if !session.from_client.take(at.now, length) {
            return Err(RelayDrop::SessionLimit);
        }
        if let Some(sequence) = sequence {
            session.leg.on_received(at.now, sequence as u16, length);
        }
        Ok(())
    }

    /// Tells a client that it has no session here, with a challenge to ask for one.
    fn answer_no_session(
        &mut self,
        at: Moment,
        client: ClientKey,
        request_length: usize,
        why: RelayDrop,
    ) -> Result<(), RelayDrop> {
        let (to, connection_id) = client;
        if !self.sources.take(at.now, to, SourceBucket::StrayAnswers) {
            return Err(RelayDrop::SourceLimit);
        }
        let (ipv4, ipv6) = reach::split(to);
        let message = NoSessionRelayToClient {
            connection_id: Some(connection_id),
            your_public_ip: ipv4,
            your_public_ipv6: ipv6,
            your_public_port: Some(to.port().into()),
            server_time: Some(at.unix as u32),
            challenge: Some(self.issue_challenge(at, to)),
            seconds_until_shutdown: self.seconds_until_shutdown(at),
        };
        self.answer(to, id::NO_SESSION, &message, request_length)?;
        Err(why)
    }

    fn issue_challenge(&self, at: Moment, to: Address) -> u64 {
        self.challenge.issue(at.now.as_micros() / CHALLENGE_SLOWDOWN, &to)
    }

    fn check_challenge(&self, at: Moment, from: Address, challenge: Option<u64>) -> bool {
        let now_us = at.now.as_micros() / CHALLENGE_SLOWDOWN;
        challenge.is_some_and(|challenge| self.challenge.check(now_us, &from, challenge))
    }

    /// Seconds until the relay stops, if it is about to; never 0 before that.
    fn seconds_until_shutdown(&self, at: Moment) -> Option<u32> {
        self.drain.map(|drain| {
            let seconds = drain.at.since(at.now).as_micros().div_ceil(1_000_000);
            u32::try_from(seconds).unwrap_or(u32::MAX)
        })
    }

    /// Whether a signature may be checked now.
    fn afford_signature(&mut self, now: Time) -> Result<(), RelayDrop> {
        let affordable = self.signatures.take(now, SIGNATURE_CHECKS, 1);
        if affordable { Ok(()) } else { Err(RelayDrop::SignatureLimit) }
    }

    /// Does what is due: timeouts, reminders, measurements.
    pub fn handle_timeout(&mut self, at: Moment) {
        self.tokens.rotate(at.now, self.entropy.as_mut());
        if at.now >= self.next_sweep {
            self.next_sweep = at.now + SWEEP_INTERVAL;
            self.sweep(at);
        }
        if at.now >= self.next_pings {
            self.next_pings = at.now + PING_INTERVAL;
            self.ping_relays(at);
            self.ping_servers(at);
        }
    }

    /// Walks a part of the sessions.
    fn sweep(&mut self, at: Moment) {
        let is_over = self.drain.is_some_and(|drain| at.now >= drain.at);
        for _ in 0..SESSIONS_PER_SWEEP.min(self.sessions.len()) {
            let Some(id) = self.sessions.at(self.sweep_at) else {
                self.sweep_at = 0;
                break;
            };
            let Some(session) = self.sessions.by_id(id) else { break };
            let is_idle = at.now >= session.last_heard + SESSION_IDLE_TIMEOUT;
            let is_gone = session.gone_at.is_some_and(|gone_at| at.now >= gone_at);
            if is_gone || is_idle || is_over {
                // The place is taken by another one, which is next.
                self.end_session(at, id);
                continue;
            }
            self.sweep_at += 1;
            let due = session.told_at.is_none_or(|told| at.now >= told + DRAIN_REMINDER);
            if self.drain.is_some() && due && session.gone_at.is_none() {
                session.told_at = Some(at.now);
                self.send_client_stats(at, id, &StatsParts::default());
            }
        }
    }

    fn end_session(&mut self, at: Moment, id: u32) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        self.counters.sessions_ended += 1;
        if session.gone_at.is_none() {
            self.say_session_ended(at, &session);
        }
    }
}

/// What a stats message to a client carries beside what every one does.
#[derive(Clone, Debug, Default)]
struct StatsParts {
    with_quality: bool,
    quality_e2e: Option<gamewire_wire::messages::ConnectionQuality>,
    ack_e2e: Vec<u32>,
    flags: Option<u32>,
    sequence_e2e: Option<u32>,
    routes: Option<bytes::Bytes>,
    ack_routes: Option<u32>,
}

#[cfg(test)]
mod tests;
