//! One connection: handshake, messages, end of life.
//!
//! A sans-IO machine. Inputs: [`Connection::handle_data`], [`Connection::handle_control`],
//! [`Connection::handle_timeout`] and the commands. After each of them the driver drains
//! [`Connection::poll_transmit`], [`Connection::poll_message`] and [`Connection::poll_event`], then
//! reads [`Connection::poll_timeout`]. Inputs never block, never send and never fail because of
//! bytes from the network.
//!
//! It knows its peer by connection id and address; which datagrams belong to it is the
//! [`crate::endpoint`]'s business.

mod commands;
mod control;
mod early;
mod goodbye;
mod intake;
mod path_mtu;
mod phase;
mod rendezvous;
mod repeats;
mod session;
mod status;
mod transmit;
mod window;

use std::{collections::VecDeque, net::SocketAddr};

use gamewire_crypto::Entropy;
use gamewire_wire::{identity::Identity, messages, udp};

pub use self::{
    commands::{AcceptError, CloseRequest, SendError},
    session::PeerTraits,
    status::{ConnectionStatus, LaneStatus, ReceiveStatus, RecoveryStatus, SessionStatus},
};
use self::{intake::Fatal, phase::Phase, session::Session};
use crate::{
    Time,
    config::ConnectionConfig,
    drops::{DropCounters, DropReason},
    end::{EndInfo, EndReason},
    endpoint::Incoming,
    event::{ConnectionState, Event},
    handshake::{Acceptor, Agreement, Initiator, LocalParty, Peer, Refusal},
    log::{MessageLine, TrafficLog},
    receive::{ReceivedMessage, Receiver},
    send::SendQueues,
};

/// Control datagrams that wait to be sent; older ones give way.
const MAX_OUTBOX: usize = 4;

/// See the module's documentation.
#[derive(Debug)]
pub struct Connection {
    local_id: u32,
    remote_id: u32,
    remote: SocketAddr,
    config: ConnectionConfig,
    phase: Phase,
    peer: Peer,
    queues: SendQueues,
    receiver: Receiver,
    session: Option<Box<Session>>,
    outbox: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    end: Option<EndInfo>,
    drops: DropCounters,
    created: Time,
    /// Unreliable messages that were too large and went reliably.
    promoted: u64,
}

impl Connection {
    /// A connection that we open to `remote`.
    pub fn initiate(
        now: Time,
        local_id: u32,
        remote: SocketAddr,
        party: LocalParty,
        config: ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let initiator = Initiator::new(now, local_id, remote, party, &config, entropy);
        let peer = Peer::unknown(remote);
        let mut connection = Self::with_phase(
            now,
            local_id,
            remote,
            Phase::Initiating(Box::new(initiator)),
            config,
            peer,
        );
        connection.announce(ConnectionState::None);
        connection.handle_timeout(now);
        connection
    }

    /// A connection made of somebody's request; it waits for [`Connection::accept`].
    ///
    /// # Errors
    /// The request's certificate, key exchange or version is not acceptable: nothing was made, and
    /// the refusal holds the datagram that says so.
    pub fn from_incoming(
        now: Time,
        local_id: u32,
        incoming: &Incoming,
        party: LocalParty,
        config: ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Refusal> {
        let (acceptor, peer) = Acceptor::new(now, local_id, incoming, party, &config, entropy)?;
        let remote_id = incoming.request.client_connection_id();
        let phase = Phase::AwaitingAccept(Box::new(acceptor));
        let mut connection = Self::with_phase(now, local_id, incoming.remote, phase, config, peer);
        connection.remote_id = remote_id;
        connection.announce(ConnectionState::None);
        Ok(connection)
    }

    /// A connection whose handshake happened elsewhere, as in a socket pair.
    pub fn established(
        now: Time,
        local_id: u32,
        remote: SocketAddr,
        agreement: Agreement,
        config: ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let peer = Peer::unknown(remote);
        let mut connection =
            Self::with_phase(now, local_id, remote, Phase::Connected, config, peer);
        connection.begin_session(now, agreement, entropy);
        connection
    }

    fn with_phase(
        now: Time,
        local_id: u32,
        remote: SocketAddr,
        phase: Phase,
        config: ConnectionConfig,
        peer: Peer,
    ) -> Self {
        Self {
            local_id,
            remote_id: 0,
            remote,
            phase,
            peer,
            queues: SendQueues::new(config.send.clone()),
            receiver: Receiver::new(config.receive.clone()),
            session: None,
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            end: None,
            drops: DropCounters::default(),
            created: now,
            promoted: 0,
            config,
        }
    }

    fn begin_session(&mut self, now: Time, agreement: Agreement, entropy: &mut dyn Entropy) {
        self.remote_id = agreement.remote_id;
        self.peer = agreement.peer.clone();
        if agreement.peer.receive_window.is_some() {
            self.config.receive = self.config.receive.clone().with_window();
            self.receiver.set_limits(self.config.receive.clone());
        }
        let session = Session::new(now, self.local_id, agreement, &self.config, entropy);
        self.queues.set_peer(session.peer_limits());
        self.session = Some(Box::new(session));
    }

    // ---- inputs --------------------------------------------------------------------------------

    /// A datagram with a data packet for this connection; opened in place. True: it is the peer's,
    /// and came for the first time.
    pub fn handle_data(&mut self, now: Time, datagram: &mut [u8]) -> bool {
        let Some(session) = &mut self.session else {
            self.drops.count(DropReason::NoKeys);
            return false;
        };
        match &self.phase {
            Phase::FindingRoute(_) | Phase::Connected | Phase::Lingering => {
                let before = session.packets_opened;
                let result =
                    session.handle_datagram(now, datagram, &mut self.queues, &mut self.receiver);
                let opened = session.packets_opened != before;
                self.after_packet(now, result);
                return opened;
            }
            Phase::Broken(_) | Phase::FinWait(_) => {
                if session.authenticate(datagram) {
                    self.repeat_goodbye(now);
                } else {
                    self.drops.count(DropReason::BadSeal);
                }
            }
            Phase::ClosedByPeer => {
                if session.authenticate(datagram) {
                    let echo = messages::NoConnection {
                        from_connection_id: Some(self.local_id),
                        to_connection_id: Some(self.remote_id),
                    };
                    let mut bytes = Vec::new();
                    udp::encode_no_connection(&echo, &mut bytes);
                    self.queue_control(bytes);
                } else {
                    self.drops.count(DropReason::BadSeal);
                }
            }
            Phase::Initiating(_)
            | Phase::AwaitingAccept(_)
            | Phase::Requesting(_)
            | Phase::Requested(_)
            | Phase::Dead => self.drops.count(DropReason::WrongState),
        }
        false
    }

    fn after_packet(&mut self, now: Time, result: Result<(), Fatal>) {
        if let Err(Fatal(text)) = result {
            self.break_off(now, EndReason::MISC_INTERNAL_ERROR, &text);
        }
        self.finish_linger(now);
        self.announce_room();
    }

    /// Time has passed: call at or after [`Connection::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Time) {
        match &mut self.phase {
            Phase::Initiating(initiator) => {
                if let Some(request) = initiator.on_timeout(now) {
                    self.queue_control(request);
                }
                self.check_initial_timeout(now, "Timed out attempting to connect");
            }
            Phase::AwaitingAccept(_) => {
                self.check_initial_timeout(now, "The application did not accept in time");
            }
            Phase::Requesting(_) | Phase::Requested(_) | Phase::FindingRoute(_) => {
                self.rendezvous_timeout(now);
            }
            Phase::Connected | Phase::Lingering => self.session_timeout(now),
            Phase::FinWait(goodbye) => {
                if now >= goodbye.until {
                    self.die();
                }
            }
            Phase::ClosedByPeer | Phase::Broken(_) | Phase::Dead => {}
        }
    }

    fn check_initial_timeout(&mut self, now: Time, text: &str) {
        if now >= self.created + self.config.timeout_initial {
            self.break_off(now, EndReason::MISC_TIMEOUT, text);
        }
    }

    fn session_timeout(&mut self, now: Time) {
        let Some(session) = &mut self.session else {
            return;
        };
        let result = session.handle_timeout(now, &mut self.queues, &mut self.receiver);
        self.after_packet(now, result);
        let timeout = self.config.timeout_connected;
        if self.session.as_ref().is_some_and(|session| session.timed_out(now, timeout)) {
            match self.phase {
                Phase::Lingering => self.die(),
                _ => self.break_off(now, EndReason::MISC_TIMEOUT, "Connection dropped"),
            }
        }
    }

    // ---- outputs -------------------------------------------------------------------------------

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next message from the peer. Works after the peer closed, until the application does.
    pub fn poll_message(&mut self) -> Option<ReceivedMessage> {
        let message = self.receiver.poll_message()?;
        self.traffic_log().message_received(|| MessageLine {
            lane: message.lane,
            number: message.number,
            bytes: message.payload.len(),
            reliable: message.reliable,
        });
        Some(message)
    }

    fn traffic_log(&self) -> TrafficLog {
        TrafficLog { connection: self.local_id, levels: self.config.log }
    }

    /// Whether complete messages wait inside, or the peer with its data, for the application to take
    /// others.
    pub fn messages_held_back(&self) -> bool {
        self.receiver.holds_back()
            || self.session.as_ref().is_some_and(|session| session.window.is_tight())
    }

    /// The application took messages out: their room is free again.
    pub fn messages_consumed(&mut self, messages: usize, bytes: usize) {
        self.receiver.consumed(messages, bytes);
        if let Some(session) = &mut self.session {
            session.window.on_consumed(self.receiver.room());
        }
    }

    /// When [`Connection::handle_timeout`] or [`Connection::poll_transmit`] wants to be called next.
    pub fn poll_timeout(&self, now: Time) -> Option<Time> {
        if !self.outbox.is_empty() {
            return Some(now);
        }
        match &self.phase {
            Phase::Initiating(initiator) => {
                let limit = self.created + self.config.timeout_initial;
                Some(initiator.deadline().min(limit))
            }
            Phase::AwaitingAccept(_) => Some(self.created + self.config.timeout_initial),
            Phase::Requesting(_) | Phase::Requested(_) | Phase::FindingRoute(_) => {
                Some(self.rendezvous_deadline())
            }
            Phase::Connected | Phase::Lingering => {
                let session = self.session.as_ref()?;
                session.deadline(now, &self.queues, self.config.timeout_connected)
            }
            Phase::FinWait(goodbye) => Some(goodbye.until),
            Phase::ClosedByPeer | Phase::Broken(_) | Phase::Dead => None,
        }
    }

    // ---- changes of state ----------------------------------------------------------------------

    fn enter(&mut self, phase: Phase) {
        let old = self.phase.visible();
        self.phase = phase;
        if old != self.phase.visible() {
            self.announce(old);
        }
    }

    fn announce(&mut self, old: ConnectionState) {
        self.events.push_back(Event::StateChanged { old, new: self.phase.visible() });
    }

    fn announce_room(&mut self) {
        if self.queues.took_room() {
            self.events.push_back(Event::Writable);
        }
    }

    fn die(&mut self) {
        self.enter(Phase::Dead);
        self.session = None;
        self.events.push_back(Event::Drained);
    }

    fn queue_control(&mut self, datagram: Vec<u8>) {
        if self.outbox.len() == MAX_OUTBOX {
            self.outbox.pop_front();
        }
        self.outbox.push_back(datagram);
    }

    // ---- getters -------------------------------------------------------------------------------

    /// Our connection id.
    pub fn local_id(&self) -> u32 {
        self.local_id
    }

    /// The peer's connection id; 0 while it is unknown.
    pub fn remote_id(&self) -> u32 {
        self.remote_id
    }

    /// The peer's address.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Bytes of UDP payload that the packets of a batch have at most, at present: what the path is
    /// known to carry, less where the rate is low.
    pub fn packet_size(&self) -> usize {
        match &self.session {
            Some(session) => session.packet_size(),
            None => transmit::base_mtu(self.config.send.mtu),
        }
    }

    /// Who the peer says it is, and how far that is proven.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The state that the application sees.
    pub fn state(&self) -> ConnectionState {
        self.phase.visible()
    }

    /// Whether our application closed it and reliable messages still wait for their
    /// acknowledgement: the peer must not learn of the end yet.
    pub fn is_lingering(&self) -> bool {
        matches!(self.phase, Phase::Lingering)
    }

    /// Whether everything is over and the driver may forget it.
    pub fn is_drained(&self) -> bool {
        matches!(self.phase, Phase::Dead)
    }

    /// How it ended.
    pub fn end(&self) -> Option<&EndInfo> {
        self.end.as_ref()
    }

    /// The identity that the peer goes by.
    pub fn remote_identity(&self) -> &Identity {
        &self.peer.identity
    }

    /// What was dropped, by reason.
    pub fn drops(&self) -> DropCounters {
        let mut drops = self.drops.clone();
        if let Some(session) = &self.session {
            drops.add(&session.drops);
        }
        drops
    }

    /// Unreliable messages that were too large for that and went reliably (api.md §1.3).
    pub fn promoted_messages(&self) -> u64 {
        self.promoted
    }

    /// The configuration in force.
    pub fn config(&self) -> &ConnectionConfig {
        &self.config
    }
}

#[cfg(test)]
mod tests;
