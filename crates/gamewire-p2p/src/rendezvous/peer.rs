//! One connection to a peer that is found by identity.

use std::{net::SocketAddr, time::Duration};

use gamewire_crypto::Entropy;
use gamewire_proto::{
    Time,
    config::ConnectionConfig,
    connection::{AcceptError, CloseRequest, Connection},
    end::EndReason,
    endpoint::ends_connection,
    event::ConnectionState,
    handshake::{LocalParty, Refusal},
};
use gamewire_wire::{
    identity::Identity,
    messages::{P2pRendezvous, p2p_rendezvous as wire},
};
use prost::Message as _;

use super::{
    queue::SignalQueue,
    route::{RoutedTransmit, Routes},
    signal::{CLOSED_NO_CONNECTION, Signal},
};
use crate::ice::{
    Agent, AgentConfig, CandidateTypes, Credentials, FailureReason, IceEvent, Input, Path, Role,
    SocketId, TurnServer, random_password, ufrag_of,
};

/// A connect request goes again after so long without an answer.
const REQUEST_INTERVAL: Duration = Duration::from_millis(500);

/// The first request waits so long for candidates, if servers are asked for some.
const WAIT_FOR_SERVERS: Duration = Duration::from_millis(100);

/// A goodbye goes again after so long without an answer, and that often at most.
const GOODBYE_INTERVAL: Duration = Duration::from_millis(500);
const MAX_GOODBYES: u8 = 8;

/// The virtual ports of a connection; `None`: the application routes by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VirtualPorts {
    /// Ours.
    pub local: Option<u32>,
    /// The peer's.
    pub remote: Option<u32>,
}

/// How a route is looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IceOptions {
    /// Kinds of candidates; none: no ICE at all.
    pub enable: CandidateTypes,
    /// STUN servers known so far.
    pub stun_servers: Vec<SocketAddr>,
    /// TURN servers known so far.
    pub turn_servers: Vec<TurnServer>,
    /// Whether servers will be added that are not known yet.
    pub expects_servers: bool,
    /// Whether loopback addresses are candidates.
    pub allow_loopback: bool,
}

impl Default for IceOptions {
    fn default() -> Self {
        Self {
            enable: CandidateTypes::ALL,
            stun_servers: Vec::new(),
            turn_servers: Vec::new(),
            expects_servers: false,
            allow_loopback: false,
        }
    }
}

/// What a connection is made with.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// Of the connection proper.
    pub connection: ConnectionConfig,
    /// Of the search for a route.
    pub ice: IceOptions,
    /// Virtual ports.
    pub ports: VirtualPorts,
    /// Whether the peer may ask at the same time, and both mean one connection.
    pub symmetric: bool,
}

/// Who began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Our application asked.
    Local,
    /// The peer asked.
    Remote,
}

/// What became of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It was used, or there was no need of it.
    Taken,
    /// It comes from somebody else than the connection is with: suspicious.
    WrongSender,
}

/// Whether the side with connection id `own` asks and `other` answers, when both asked at once
/// (wire.md §8).
pub fn acts_as_initiator(own: u32, other: u32) -> bool {
    (own < other) != ((own ^ other) & 1 == 1)
}

/// See the module's documentation.
///
/// Inputs: signals, datagrams, sockets, time, commands. After each of them the driver drains
/// [`PeerConnection::poll_signal`], [`PeerConnection::poll_transmit`] and the events and messages of
/// [`PeerConnection::connection_mut`], then reads [`PeerConnection::poll_timeout`].
#[derive(Debug)]
pub struct PeerConnection {
    connection: Connection,
    origin: Origin,
    local: Identity,
    remote: Option<Identity>,
    config: PeerConfig,
    signals: SignalQueue,
    goodbye: Goodbye,
    agent: Option<Agent>,
    routes: Routes,
    failure: Option<FailureReason>,
    heard: bool,
    /// No signal goes before we can prove who we are.
    held: bool,
    encapsulated: Vec<u8>,
}

/// The repetition of a goodbye by signal.
#[derive(Debug, Default)]
struct Goodbye {
    sent: u8,
    next: Option<Time>,
    answered: bool,
    /// The peer's goodbye is to be answered.
    reply_owed: bool,
}

impl PeerConnection {
    /// A connection that our application asks for. `party.expected_identity` is the peer, if known.
    pub fn connect(
        now: Time,
        local_id: u32,
        party: LocalParty,
        config: PeerConfig,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let (local, remote) = (party.identity.clone(), party.expected_identity.clone());
        let connection =
            Connection::request(now, local_id, party, config.connection.clone(), entropy);
        let mut peer = Self::new(connection, Origin::Local, (local, remote), config);
        peer.start_agent(now, Role::Controlled, entropy);
        if peer.asks_servers() {
            peer.signals.postpone(now + WAIT_FOR_SERVERS);
        } else {
            peer.signals.schedule(now);
        }
        peer
    }

    /// A connection made of a request to connect; it waits for [`PeerConnection::accept`].
    ///
    /// # Errors
    /// The request is not acceptable: nothing was made.
    pub fn from_request(
        now: Time,
        local_id: u32,
        signal: &Signal,
        party: LocalParty,
        config: PeerConfig,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Refusal> {
        let local = party.identity.clone();
        let asked = signal.request.as_ref().map(|request| request.half.clone());
        let half = signal.remote_half(asked.unwrap_or_default());
        let connection =
            Connection::requested(now, local_id, &half, party, config.connection.clone(), entropy)?;
        let identities = (local, Some(signal.from.clone()));
        let mut peer = Self::new(connection, Origin::Remote, identities, config);
        peer.heard = true;
        if signal.ice_enabled {
            peer.start_agent(now, Role::Controlling, entropy);
        }
        peer.take_items(now, signal);
        Ok(peer)
    }

    fn new(
        connection: Connection,
        origin: Origin,
        (local, remote): (Identity, Option<Identity>),
        config: PeerConfig,
    ) -> Self {
        Self {
            connection,
            origin,
            local,
            remote,
            config,
            signals: SignalQueue::default(),
            goodbye: Goodbye::default(),
            agent: None,
            routes: Routes::default(),
            failure: None,
            heard: false,
            held: false,
            encapsulated: Vec::new(),
        }
    }

    fn start_agent(&mut self, now: Time, role: Role, entropy: &mut dyn Entropy) {
        let ice = &self.config.ice;
        if ice.enable == CandidateTypes::NONE {
            return;
        }
        let credentials = self.fresh_credentials(now, entropy);
        let ice = &self.config.ice;
        let mut config = AgentConfig::new(role, credentials);
        config.enable = ice.enable;
        config.stun_servers.clone_from(&ice.stun_servers);
        config.turn_servers.clone_from(&ice.turn_servers);
        config.allow_loopback = ice.allow_loopback;
        self.agent = Some(Agent::new(config, entropy));
    }

    fn fresh_credentials(&mut self, now: Time, entropy: &mut dyn Entropy) -> Credentials {
        let local_password = random_password(entropy);
        self.signals.push_password(now, local_password.clone());
        let remote_id = self.connection.remote_id();
        Credentials {
            local_ufrag: ufrag_of(self.connection.local_id()),
            local_password,
            remote_ufrag: if remote_id == 0 { String::new() } else { ufrag_of(remote_id) },
        }
    }

    fn asks_servers(&self) -> bool {
        let ice = &self.config.ice;
        let any = !ice.stun_servers.is_empty() || !ice.turn_servers.is_empty();
        self.agent.is_some() && (any || ice.expects_servers)
    }

    // ---- commands ------------------------------------------------------------------------------

    /// Accepts a connection that the peer asked for.
    ///
    /// # Errors
    /// See [`AcceptError`].
    pub fn accept(&mut self, now: Time, entropy: &mut dyn Entropy) -> Result<(), AcceptError> {
        let result = self.connection.accept(now, entropy);
        self.signals.schedule(now);
        result
    }

    /// Ends the connection.
    pub fn close(&mut self, now: Time, request: CloseRequest<'_>) {
        self.connection.close(now, request);
        self.after(now);
    }

    /// Signals cannot be sent any more.
    pub fn signaling_failed(&mut self, now: Time) {
        self.connection.fail(now, EndReason::MISC_INTERNAL_ERROR, "A signal could not be sent");
        self.after(now);
    }

    /// Keeps back the signals of a connection that was just opened, until
    /// [`PeerConnection::release`].
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// We can prove who we are: the request goes out, with that proof. Without effect on a
    /// connection that was not held.
    pub fn release(&mut self, now: Time, party: &LocalParty, entropy: &mut dyn Entropy) {
        if std::mem::take(&mut self.held) {
            let expected_identity = self.remote.clone();
            let party = LocalParty { expected_identity, ..party.clone() };
            self.local = party.identity.clone();
            self.connection.renew_request(party, entropy);
            self.signals.schedule(now);
        }
    }

    /// A UDP socket is there for the search for a route.
    pub fn add_socket(&mut self, now: Time, socket: SocketId, local: SocketAddr) {
        if let Some(agent) = &mut self.agent {
            agent.add_socket(now, socket, local);
        }
        self.after(now);
    }

    /// A UDP socket is gone.
    pub fn remove_socket(&mut self, now: Time, socket: SocketId) {
        if let Some(agent) = &mut self.agent {
            agent.remove_socket(now, socket);
        }
        self.after(now);
    }

    /// A STUN server's address is known now.
    pub fn add_stun_server(&mut self, now: Time, server: SocketAddr) {
        if let Some(agent) = &mut self.agent {
            agent.add_stun_server(now, server);
        }
        self.after(now);
    }

    /// A TURN server's address is known now.
    pub fn add_turn_server(&mut self, now: Time, server: TurnServer) {
        if let Some(agent) = &mut self.agent {
            agent.add_turn_server(now, server);
        }
        self.after(now);
    }

    // ---- inputs --------------------------------------------------------------------------------

    /// A signal for this connection. It has to come from whom the connection is with.
    pub fn handle_signal(&mut self, now: Time, signal: &Signal, entropy: &mut dyn Entropy) -> Fate {
        let stranger = self.remote.as_ref().is_some_and(|remote| *remote != signal.from);
        let known_id = self.connection.remote_id();
        if stranger || (known_id != 0 && known_id != signal.from_connection_id) {
            return Fate::WrongSender;
        }
        self.heard = true;
        if self.is_rival_request(signal) {
            if acts_as_initiator(self.connection.local_id(), signal.from_connection_id) {
                // The peer will answer ours.
                return Fate::Taken;
            }
            self.give_way(now, signal, entropy);
        }
        if let Some(half) = signal.answering_half()
            && self.connection.connect_request().is_some()
        {
            self.remote.get_or_insert_with(|| signal.from.clone());
            self.connection.handle_answer(now, &half, entropy);
            self.learn_remote_id(now);
        }
        if signal.request.is_some() && self.connection.connect_answer().is_some() {
            // It was lost.
            self.signals.schedule(now);
        }
        if signal.request.is_none() && signal.to_connection_id == self.connection.local_id() {
            // Whoever names our id has had a signal of ours since we answered.
            self.connection.answer_arrived();
        }
        self.take_items(now, signal);
        if let Some(closed) = &signal.closed {
            self.take_goodbye(now, closed.reason, &closed.debug);
        }
        self.after(now);
        Fate::Taken
    }

    /// Both sides asked at once.
    fn is_rival_request(&self, signal: &Signal) -> bool {
        signal.request.is_some()
            && self.origin == Origin::Local
            && self.config.symmetric
            && self.connection.connect_request().is_some()
    }

    /// The peer's request counts, and ours does not: we answer, and control the agent.
    fn give_way(&mut self, now: Time, signal: &Signal, entropy: &mut dyn Entropy) {
        let Some(half) = signal.requesting_half() else { return };
        self.remote.get_or_insert_with(|| signal.from.clone());
        self.connection.become_acceptor(now, &half, entropy);
        if self.agent.is_some() {
            let credentials = self.fresh_credentials(now, entropy);
            if let Some(agent) = &mut self.agent {
                agent.restart(now, credentials, Role::Controlling);
            }
        }
        self.signals.schedule(now);
    }

    fn learn_remote_id(&mut self, now: Time) {
        let remote_id = self.connection.remote_id();
        if remote_id != 0
            && let Some(agent) = &mut self.agent
        {
            agent.set_remote_ufrag(now, ufrag_of(remote_id));
        }
    }

    fn take_items(&mut self, now: Time, signal: &Signal) {
        self.signals.on_ack(signal.ack_reliable);
        for item in self.signals.on_items(now, signal.first_reliable, &signal.reliable) {
            let (Some(agent), Some(ice)) = (&mut self.agent, item.ice) else { continue };
            if let Some(password) = ice.auth.and_then(|auth| auth.pwd_frag) {
                agent.set_remote_password(now, &password);
            }
            if let Some(line) = ice.add_candidate.and_then(|candidate| candidate.candidate) {
                agent.add_remote_candidate(now, &line);
            }
        }
    }

    fn take_goodbye(&mut self, now: Time, reason: u32, debug: &str) {
        self.goodbye.answered = true;
        if reason == CLOSED_NO_CONNECTION {
            self.connection.unknown_by_signal();
            return;
        }
        self.connection.closed_by_signal(reason, debug);
        self.goodbye.reply_owed = true;
        self.signals.schedule(now);
    }

    /// A datagram came on a socket of this connection.
    pub fn handle_datagram(
        &mut self,
        now: Time,
        socket: SocketId,
        from: SocketAddr,
        datagram: &mut [u8],
        entropy: &mut dyn Entropy,
    ) {
        let Some(agent) = &mut self.agent else { return };
        match agent.handle_datagram(now, socket, from, datagram) {
            Input::Data { path, range } => {
                self.data(now, path, &mut datagram[range.start..range.end], entropy);
            }
            Input::Handled => self.after(now),
            Input::Dropped(_) => {}
        }
    }

    fn data(&mut self, now: Time, path: Path, datagram: &mut [u8], entropy: &mut dyn Entropy) {
        if let Some(control) = ends_connection(datagram) {
            self.connection.handle_control(now, control, entropy);
            self.after(now);
        } else if self.connection.handle_data(now, datagram) {
            if let Some(path) = self.routes.on_packet(now, path) {
                self.connection.set_remote(path.remote);
            }
            self.connection.route_found();
            if self.connection.end().is_some() {
                // It may have been the last acknowledgement that a goodbye waited for.
                self.after(now);
            }
        }
    }

    /// Time has passed: call at or after [`PeerConnection::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Time) {
        if self.connection.poll_timeout(now).is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        if let Some(agent) = &mut self.agent
            && agent.poll_timeout().is_some_and(|at| at <= now)
        {
            agent.handle_timeout(now);
        }
        self.after(now);
    }

    /// What follows from any input.
    fn after(&mut self, now: Time) {
        self.drain_agent(now);
        if self.goodbye_wanted() && self.goodbye.sent == 0 && self.goodbye.next.is_none() {
            self.goodbye.next = Some(now);
            self.signals.schedule_at(now);
        }
    }

    fn drain_agent(&mut self, now: Time) {
        let Some(agent) = &mut self.agent else { return };
        while let Some(event) = agent.poll_event() {
            match event {
                IceEvent::LocalCandidate(line) => {
                    self.signals.push_candidate(now, line);
                }
                IceEvent::GatheringDone => self.signals.hurry(now),
                IceEvent::Selected(path) => {
                    self.failure = None;
                    self.routes.on_selected(now, path);
                }
                IceEvent::RouteLost => self.routes.on_lost(),
                IceEvent::Failed(reason) => self.failure = Some(reason),
                // Streams to TURN servers are not carried yet: the agent goes on without them.
                IceEvent::OpenStream { socket, .. } => agent.stream_closed(now, socket),
                IceEvent::CloseStream(_) => {}
            }
        }
    }

    // ---- outputs -------------------------------------------------------------------------------

    /// The signal that is to go now.
    pub fn poll_signal(&mut self, now: Time) -> Option<Vec<u8>> {
        if self.held {
            return None;
        }
        let goodbye = self.goodbye.next.is_some_and(|at| at <= now);
        if !goodbye && !self.signals.is_due(now) {
            return None;
        }
        if goodbye {
            self.goodbye.sent += 1;
            let more = self.goodbye.sent < MAX_GOODBYES && !self.goodbye.answered;
            self.goodbye.next = more.then_some(now + GOODBYE_INTERVAL);
        }
        Some(self.compose(now).encode_to_vec())
    }

    fn compose(&mut self, now: Time) -> P2pRendezvous {
        let request = self.connection.connect_request();
        let remote_id = self.connection.remote_id();
        let mut message = P2pRendezvous {
            from_identity: Some(self.local.to_string()),
            from_connection_id: Some(self.connection.local_id()),
            to_identity: self.remote.as_ref().map(Identity::to_string),
            to_connection_id: (remote_id != 0).then_some(remote_id),
            ice_enabled: Some(self.agent.is_some()),
            ack_reliable_msg: Some(self.signals.received()),
            connect_request: request.map(|half| wire::ConnectRequest {
                crypt: half.crypt,
                cert: half.certificate,
                to_virtual_port: self.config.ports.remote,
                from_virtual_port: self.config.ports.local,
                from_fakeip: None,
            }),
            connect_ok: self
                .connection
                .connect_answer()
                .cloned()
                .map(|half| wire::ConnectOk { crypt: half.crypt, cert: half.certificate }),
            connection_closed: self.closing_words(),
            ..P2pRendezvous::default()
        };
        let (first, items) = self.signals.take(now, message.encoded_len());
        if message.connect_request.is_some() {
            self.signals.schedule_again(now + REQUEST_INTERVAL);
        }
        if !items.is_empty() {
            message.first_reliable_msg = Some(first);
            message.reliable_messages = items;
        }
        message
    }

    /// Whether nothing but goodbyes leaves any more.
    fn is_over(&self) -> bool {
        self.connection.end().is_some() && !self.connection.is_lingering()
    }

    fn goodbye_wanted(&self) -> bool {
        self.is_over()
            && !self.goodbye.answered
            && self.connection.state() != ConnectionState::ClosedByPeer
    }

    fn closing_words(&mut self) -> Option<wire::ConnectionClosed> {
        let end = self.connection.end()?;
        if std::mem::take(&mut self.goodbye.reply_owed) {
            return Some(wire::ConnectionClosed {
                reason_code: Some(CLOSED_NO_CONNECTION),
                debug: None,
            });
        }
        self.goodbye_wanted().then(|| wire::ConnectionClosed {
            reason_code: Some(end.reason.0.unsigned_abs()),
            debug: (!end.debug.is_empty()).then(|| end.debug.clone()),
        })
    }

    /// Appends datagrams to `out`: at most `max_datagrams` in one batch, all but the last of one
    /// length. `None`: nothing to send now.
    pub fn poll_transmit(
        &mut self,
        now: Time,
        out: &mut Vec<u8>,
        max_datagrams: usize,
    ) -> Option<RoutedTransmit> {
        if let Some(agent) = &mut self.agent
            && let Some(transmit) = agent.poll_transmit()
        {
            out.extend_from_slice(&transmit.payload);
            return Some(RoutedTransmit {
                socket: transmit.socket,
                destination: transmit.destination,
                len: transmit.payload.len(),
                segment_size: None,
            });
        }
        if let Some(path) = self.routes.due_probe(now) {
            let start = out.len();
            if self.connection.write_probe(now, out) {
                let len = out.len() - start;
                return self.send_along(path, out, (start, len, None));
            }
        }
        loop {
            let start = out.len();
            let batch = self.connection.poll_transmit(now, out, max_datagrams)?;
            let Some(path) = self.routes.current() else {
                // A goodbye that has no way to go; signals carry it too.
                out.truncate(start);
                continue;
            };
            return self.send_along(path, out, (start, batch.len, batch.segment_size));
        }
    }

    /// Turns a batch at the end of `out` into what goes along `path`.
    fn send_along(
        &mut self,
        path: Path,
        out: &mut Vec<u8>,
        (start, len, segment_size): (usize, usize, Option<usize>),
    ) -> Option<RoutedTransmit> {
        if path.relay.is_none() {
            let (socket, destination) = (path.socket, path.remote);
            return Some(RoutedTransmit { socket, destination, len, segment_size });
        }
        let agent = self.agent.as_ref()?;
        let plain = out.split_off(start);
        let mut destination = path.remote;
        let mut wrapped_size = None;
        for datagram in plain.chunks(segment_size.unwrap_or(len).max(1)) {
            destination = agent.encapsulate(path, datagram, &mut self.encapsulated)?;
            wrapped_size.get_or_insert(self.encapsulated.len());
            out.extend_from_slice(&self.encapsulated);
        }
        Some(RoutedTransmit {
            socket: path.socket,
            destination,
            len: out.len() - start,
            segment_size: segment_size.and(wrapped_size),
        })
    }

    /// When [`PeerConnection::handle_timeout`], [`PeerConnection::poll_transmit`] or
    /// [`PeerConnection::poll_signal`] wants to be called next.
    pub fn poll_timeout(&self, now: Time) -> Option<Time> {
        [
            self.connection.poll_timeout(now),
            self.agent.as_ref().and_then(Agent::poll_timeout),
            self.signals.deadline().filter(|_| !self.held),
            self.goodbye.next.filter(|_| !self.held),
            self.routes.deadline().filter(|_| !self.is_over()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    // ---- getters -------------------------------------------------------------------------------

    /// The connection proper.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The connection proper, for what has nothing to do with routes and signals.
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Who began.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The peer, if it is known.
    pub fn remote_identity(&self) -> Option<&Identity> {
        self.remote.as_ref()
    }

    /// The virtual ports.
    pub fn ports(&self) -> VirtualPorts {
        self.config.ports
    }

    /// Whether both sides may ask at once.
    pub fn is_symmetric(&self) -> bool {
        self.config.symmetric
    }

    /// The path that packets take.
    pub fn route(&self) -> Option<Path> {
        self.routes.current()
    }

    /// The agent, for its trace.
    pub fn agent(&self) -> Option<&Agent> {
        self.agent.as_ref()
    }

    /// Why the agent sees no route.
    pub fn failure(&self) -> Option<FailureReason> {
        self.failure
    }

    /// Whether the peer ever answered to a signal.
    pub fn heard_from_peer(&self) -> bool {
        self.heard
    }
}
