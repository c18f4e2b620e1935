//! A host: an endpoint, its connections and their applications, driven as a driver with sockets
//! would drive them.

mod app;
mod observation;
mod plan;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use gamewire_crypto::SeededEntropy;
use gamewire_proto::{
    Time,
    config::ConnectionConfig,
    connection::Connection,
    endpoint::{AcceptLimits, ConnectionKey, Endpoint, Incoming, Route},
    event::{ConnectionState, Event},
    handshake::{Agreement, LocalParty},
    lane::LaneConfig,
    receive::MAX_PARTIAL_SEGMENTS,
};
use gamewire_wire::limits::MAX_UDP_PAYLOAD;

pub use self::{
    app::{App, CLOSE_REASON, CLOSE_TEXT},
    observation::{Observation, Observed},
    plan::{ClosePlan, Consumption, Plan, Sabotage, Traffic},
};
use crate::{
    content::Side,
    rng::mix,
    world::{Node, Outbox},
};

/// Batches that a driver sends for one connection before others get their turn.
const MAX_BATCHES_PER_TURN: usize = 64;

/// Most events that one drain may yield: an ended connection says little, a living one less.
const MAX_EVENTS_PER_TURN: usize = 8;

/// How a host treats all its connections.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Configuration of each connection.
    pub connection: ConnectionConfig,
    /// Who it is.
    pub party: LocalParty,
    /// Whether it takes connections.
    pub accept: Option<AcceptLimits>,
    /// How long its application takes to accept one.
    pub accept_after: Duration,
    /// Lanes of each connection; none: the one that there is.
    pub lanes: Vec<LaneConfig>,
    /// What each application does.
    pub plan: Plan,
    /// Datagrams in one batch (segmentation offload).
    pub max_batch: usize,
    /// How late its timers fire.
    pub timer_slack: Duration,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Host {
    config: HostConfig,
    endpoint: Endpoint,
    entropy: SeededEntropy,
    connections: BTreeMap<ConnectionKey, Live>,
    next_key: u32,
    seed: u64,
    batch: Vec<u8>,
    seen: Vec<Observed>,
}

#[derive(Debug)]
struct Live {
    connection: Connection,
    app: App,
    /// The connection id of the initiator, which names the connection in the whole world.
    tag: u32,
    side: Side,
    accept_at: Option<Time>,
    /// When the machine is to be called, as it said when it was last drained.
    timer: Option<Time>,
    log: Vec<Observation>,
}

impl Host {
    /// A host without connections.
    pub fn new(config: HostConfig, seed: u64) -> Self {
        let mut entropy = SeededEntropy::new(mix(seed, 1));
        Self {
            endpoint: Endpoint::new(config.accept, &mut entropy),
            config,
            entropy,
            connections: BTreeMap::new(),
            next_key: 1,
            seed,
            batch: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Opens a connection; its name in this world.
    pub fn connect(&mut self, now: Time, remote: SocketAddr, outbox: &mut Outbox) -> u32 {
        let tag = self.endpoint.fresh_connection_id(&mut self.entropy);
        let connection = Connection::initiate(
            now,
            tag,
            remote,
            self.config.party.clone(),
            self.config.connection.clone(),
            &mut self.entropy,
        );
        let key = self.admit(now, connection, tag, Side::Initiator, None);
        self.endpoint.insert_initiator(key, tag, remote);
        self.settle(now, key, outbox);
        tag
    }

    /// Adopts a connection whose handshake happened elsewhere.
    pub fn adopt(
        &mut self,
        now: Time,
        remote: SocketAddr,
        side: Side,
        agreed: (u32, Agreement),
        outbox: &mut Outbox,
    ) {
        let (local_id, agreement) = agreed;
        let tag = match side {
            Side::Initiator => local_id,
            Side::Acceptor => agreement.remote_id,
        };
        let config = self.config.connection.clone();
        let connection =
            Connection::established(now, local_id, remote, agreement, config, &mut self.entropy);
        let new = connection.state();
        let key = self.admit(now, connection, tag, side, None);
        if let Some(live) = self.connections.get_mut(&key) {
            let old = ConnectionState::None;
            live.app.on_event(&Event::StateChanged { old, new });
            live.log.push(Observation::State { old, new, end: None });
        }
        self.endpoint.insert_initiator(key, local_id, remote);
        self.settle(now, key, outbox);
    }

    fn admit(
        &mut self,
        now: Time,
        mut connection: Connection,
        tag: u32,
        side: Side,
        accept_at: Option<Time>,
    ) -> ConnectionKey {
        let key = ConnectionKey(self.next_key);
        self.next_key += 1;
        let mut log = Vec::new();
        if !self.config.lanes.is_empty()
            && let Err(error) = connection.configure_lanes(&self.config.lanes)
        {
            log.push(Observation::HandshakeFailed { why: error.to_string() });
        }
        let seed = mix(self.seed, u64::from(tag));
        let app = App::new(now, tag, side, self.config.plan.clone(), seed);
        self.connections
            .insert(key, Live { connection, app, tag, side, accept_at, timer: None, log });
        key
    }

    /// Closes all connections, as an application that is done.
    pub fn close_all(&mut self, now: Time, linger: bool, outbox: &mut Outbox) {
        let keys: Vec<_> = self.connections.keys().copied().collect();
        for key in keys {
            if let Some(live) = self.connections.get_mut(&key) {
                live.app.close(now, linger, &mut live.connection, &mut live.log);
            }
            self.settle(now, key, outbox);
        }
    }

    /// What was seen since the last call.
    pub fn take_observations(&mut self) -> Vec<Observed> {
        std::mem::take(&mut self.seen)
    }

    /// Whether there is something to take.
    pub fn has_observations(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Whether all its applications have sent all that they want to send.
    pub fn sent_all(&self) -> bool {
        self.connections.values().all(|live| live.app.sent_all())
    }

    /// Connections that are not drained.
    pub fn open_connections(&self) -> usize {
        self.connections.len()
    }

    /// Connections in the endpoint's tables.
    pub fn registered_connections(&self) -> usize {
        self.endpoint.connections()
    }

    /// The configuration of the host.
    pub fn config(&self) -> &HostConfig {
        &self.config
    }

    /// The connections, by the name that they have in this world.
    pub fn connections(&self) -> impl Iterator<Item = (u32, &Connection, &App)> {
        self.connections.values().map(|live| (live.tag, &live.connection, &live.app))
    }

    fn incoming(&mut self, now: Time, incoming: &Incoming, outbox: &mut Outbox) {
        let local_id = self.endpoint.fresh_connection_id(&mut self.entropy);
        let made = Connection::from_incoming(
            now,
            local_id,
            incoming,
            self.config.party.clone(),
            self.config.connection.clone(),
            &mut self.entropy,
        );
        let tag = incoming.request.client_connection_id();
        match made {
            Ok(connection) => {
                let identity = connection.remote_identity().clone();
                let accept_at = Some(now + self.config.accept_after);
                let key = self.admit(now, connection, tag, Side::Acceptor, accept_at);
                self.endpoint.insert_acceptor(key, local_id, incoming, identity);
                self.settle(now, key, outbox);
            }
            Err(refusal) => {
                let mut reply = Vec::new();
                refusal.encode(tag, &mut reply);
                outbox.push(incoming.remote, &reply);
                let what = Observation::HandshakeFailed { why: refusal.to_string() };
                self.seen.push(Observed { at: now, connection: tag, side: Side::Acceptor, what });
            }
        }
    }

    /// After any input: the application acts, then the connection is drained.
    fn settle(&mut self, now: Time, key: ConnectionKey, outbox: &mut Outbox) {
        let Some(live) = self.connections.get_mut(&key) else {
            return;
        };
        if live.accept_at.is_some_and(|at| at <= now) {
            live.accept_at = None;
            self.endpoint.settled(key);
            if live.connection.state() == ConnectionState::Connecting
                && let Err(error) = live.connection.accept(now, &mut self.entropy)
            {
                live.log.push(Observation::HandshakeFailed { why: error.to_string() });
            }
        }
        live.deliver();
        live.app.act(now, &mut live.connection, &mut live.log);
        // Room that the application made lets messages through that were held back.
        live.deliver();
        live.transmit(now, &mut self.batch, self.config.max_batch, outbox);
        let drained = live.announce();
        let slack = self.config.timer_slack;
        live.timer = live.connection.poll_timeout(now).map(|at| at.max(now) + slack);
        let at = now;
        let (connection, side) = (live.tag, live.side);
        let observed = live.log.drain(..).map(|what| Observed { at, connection, side, what });
        self.seen.extend(observed);
        if drained {
            self.endpoint.remove(key);
            self.connections.remove(&key);
        }
    }
}

impl Live {
    fn deadline(&self) -> Option<Time> {
        [self.timer, self.app.deadline(), self.accept_at].into_iter().flatten().min()
    }

    fn deliver(&mut self) {
        while let Some(message) = self.connection.poll_message() {
            self.app.on_message(message, &mut self.log);
        }
        self.check_limits();
    }

    /// The bounds that `gamewire_proto::receive` promises.
    fn check_limits(&mut self) {
        let limits = &self.connection.config().receive;
        let held = self.connection.receive_status();
        let (unread, unread_bytes) = self.app.unread();
        let one_message = limits.max_message_bytes;
        let fragments = MAX_PARTIAL_SEGMENTS * MAX_UDP_PAYLOAD;
        let checks = [
            ("messages unread", held.unread_messages.max(unread), limits.buffer_messages),
            ("bytes unread", unread_bytes, limits.buffer_bytes + one_message),
            ("bytes held", held.buffered_bytes, 2 * limits.buffer_bytes + one_message + fragments),
        ];
        for (what, there_are, limit) in checks {
            if there_are > limit {
                let what = format!("{there_are} {what}, limit {limit}");
                self.log.push(Observation::OverLimit { what });
            }
        }
    }

    fn transmit(&mut self, now: Time, batch: &mut Vec<u8>, max_batch: usize, outbox: &mut Outbox) {
        for _ in 0..MAX_BATCHES_PER_TURN {
            batch.clear();
            let Some(transmit) = self.connection.poll_transmit(now, batch, max_batch) else {
                return;
            };
            if transmit.len != batch.len() {
                let what = format!("a batch of {} bytes says {}", batch.len(), transmit.len);
                self.log.push(Observation::OverLimit { what });
            }
            let size = transmit.segment_size.unwrap_or(transmit.len).max(1);
            for datagram in batch.chunks(size) {
                outbox.push(transmit.destination, datagram);
            }
            if batch.len().div_ceil(size) > max_batch {
                let what = format!("more than {max_batch} datagrams in a batch");
                self.log.push(Observation::OverLimit { what });
            }
        }
    }

    /// Passes events on; whether the connection is to be forgotten.
    fn announce(&mut self) -> bool {
        let mut drained = false;
        let mut count = 0;
        while let Some(event) = self.connection.poll_event() {
            count += 1;
            self.app.on_event(&event);
            match event {
                Event::StateChanged { old, new } => {
                    let end = self.connection.end().cloned();
                    self.log.push(Observation::State { old, new, end });
                }
                Event::Writable => {}
                Event::Drained => {
                    drained = true;
                    let drops = self.connection.drops().clone();
                    self.log.push(Observation::Drained { drops });
                }
            }
        }
        if count > MAX_EVENTS_PER_TURN {
            self.log.push(Observation::OverLimit { what: format!("{count} events at once") });
        }
        drained
    }
}

impl Node for Host {
    fn handle_datagram(
        &mut self,
        now: Time,
        from: SocketAddr,
        datagram: &mut [u8],
        outbox: &mut Outbox,
    ) {
        let mut reply = Vec::new();
        match self.endpoint.handle_datagram(now, from, datagram, &mut reply) {
            Route::Data(key) => {
                if let Some(live) = self.connections.get_mut(&key) {
                    live.connection.handle_data(now, datagram);
                }
                self.settle(now, key, outbox);
            }
            Route::Control(key, control) => {
                if let Some(live) = self.connections.get_mut(&key) {
                    live.connection.handle_control(now, *control, &mut self.entropy);
                }
                self.settle(now, key, outbox);
            }
            Route::Incoming(incoming) => self.incoming(now, &incoming, outbox),
            Route::Reply => outbox.push(from, &reply),
            Route::Dropped(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox) {
        let due = |live: &Live| live.deadline().is_some_and(|at| at <= now);
        let keys: Vec<_> =
            self.connections.iter().filter(|(_, live)| due(live)).map(|(&key, _)| key).collect();
        for key in keys {
            if let Some(live) = self.connections.get_mut(&key)
                && live.timer.is_some_and(|at| at <= now)
            {
                live.connection.handle_timeout(now);
            }
            self.settle(now, key, outbox);
        }
    }

    fn deadline(&self, _: Time) -> Option<Time> {
        self.connections.values().filter_map(Live::deadline).min()
    }
}
