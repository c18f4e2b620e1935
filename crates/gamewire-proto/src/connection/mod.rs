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
mod early;
mod intake;
mod phase;
mod session;
mod status;
mod transmit;

use std::{collections::VecDeque, net::SocketAddr};

use gamewire_crypto::Entropy;
use gamewire_wire::{
    identity::Identity,
    messages::{self, ConnectOk},
    udp,
};

pub use self::{
    commands::{AcceptError, CloseRequest, SendError},
    session::PeerTraits,
    status::{ConnectionStatus, LaneStatus, ReceiveStatus, RecoveryStatus, SessionStatus},
};
use self::{
    intake::Fatal,
    phase::{GOODBYE_INTERVAL_US, Goodbye, Phase},
    session::Session,
};
use crate::{
    Time,
    config::ConnectionConfig,
    drops::{DropCounters, DropReason},
    end::{EndInfo, EndReason},
    endpoint::{Control, Incoming, encode_no_connection_echo},
    event::{ConnectionState, Event},
    handshake::{Acceptor, Agreement, Initiator, LocalParty, Peer, Refusal},
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
        let session = Session::new(now, agreement, &self.config, entropy);
        self.queues.set_peer(session.peer_limits());
        self.session = Some(Box::new(session));
    }

    // ---- inputs --------------------------------------------------------------------------------

    /// A datagram with a data packet for this connection; opened in place.
    pub fn handle_data(&mut self, now: Time, datagram: &mut [u8]) {
        let Some(session) = &mut self.session else {
            self.drops.count(DropReason::NoKeys);
            return;
        };
        match &self.phase {
            Phase::Connected | Phase::Lingering => {
                let result =
                    session.handle_datagram(now, datagram, &mut self.queues, &mut self.receiver);
                self.after_packet(now, result);
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
            Phase::Initiating(_) | Phase::AwaitingAccept(_) | Phase::Dead => {
                self.drops.count(DropReason::WrongState);
            }
        }
    }

    fn after_packet(&mut self, now: Time, result: Result<(), Fatal>) {
        if let Err(Fatal(text)) = result {
            self.break_off(now, EndReason::MISC_INTERNAL_ERROR, &text);
        }
        self.finish_linger(now);
        self.announce_room();
    }

    /// A control message for this connection.
    pub fn handle_control(&mut self, now: Time, control: Control, entropy: &mut dyn Entropy) {
        match control {
            Control::ChallengeReply(reply) => self.challenge_reply(now, &reply),
            Control::ConnectOk(ok) => self.connect_ok(now, &ok, entropy),
            Control::ConnectRepeated { timestamp, answer_limit } => {
                self.connect_repeated(now, timestamp, answer_limit);
            }
            Control::Closed(closed) => self.closed_by_peer(now, &closed),
            Control::NoConnection(message) => self.no_connection(now, &message),
        }
    }

    fn challenge_reply(&mut self, now: Time, reply: &messages::ChallengeReply) {
        let Phase::Initiating(initiator) = &mut self.phase else {
            self.drops.count(DropReason::WrongState);
            return;
        };
        match initiator.on_challenge_reply(now, reply) {
            Ok(request) => self.queue_control(request),
            Err(refusal) => self.break_off(now, refusal.reason, &refusal.debug),
        }
    }

    fn connect_ok(&mut self, now: Time, ok: &ConnectOk, entropy: &mut dyn Entropy) {
        let Phase::Initiating(initiator) = &mut self.phase else {
            // A repeated answer to a repeated request: we have it already.
            self.drops.count(DropReason::WrongState);
            return;
        };
        match initiator.on_connect_ok(now, ok) {
            Ok(Some(agreement)) => {
                self.begin_session(now, agreement, entropy);
                self.enter(Phase::Connected);
            }
            Ok(None) => self.drops.count(DropReason::Malformed),
            Err(refusal) => {
                self.remote_id = ok.server_connection_id();
                self.break_off(now, refusal.reason, &refusal.debug);
            }
        }
    }

    fn connect_repeated(&mut self, now: Time, timestamp: Option<u64>, answer_limit: usize) {
        match &mut self.phase {
            Phase::Connected | Phase::Lingering => {
                let Some(session) = &self.session else { return };
                if let Some(ok) = session.connect_ok_again(timestamp, answer_limit) {
                    self.queue_control(ok);
                } else {
                    self.drops.count(DropReason::ReplyLimited);
                }
            }
            Phase::AwaitingAccept(acceptor) => acceptor.on_repeated(now, timestamp),
            Phase::Broken(_) | Phase::FinWait(_) => self.repeat_goodbye(now),
            Phase::Initiating(_) | Phase::ClosedByPeer | Phase::Dead => {
                self.drops.count(DropReason::WrongState);
            }
        }
    }

    fn closed_by_peer(&mut self, now: Time, closed: &messages::ConnectionClosed) {
        // Both ids together are the only proof that the message has.
        let ids_match = closed.from_connection_id() == self.remote_id
            || (self.remote_id == 0 && matches!(self.phase, Phase::Initiating(_)));
        if !ids_match {
            self.drops.count(DropReason::WrongPeer);
            return;
        }
        let mut echo = Vec::new();
        encode_no_connection_echo(closed, &mut echo);
        self.queue_control(echo);
        match self.phase {
            Phase::Initiating(_) | Phase::AwaitingAccept(_) | Phase::Connected => {
                let reason = i32::try_from(closed.reason_code()).unwrap_or(0);
                self.end = Some(EndInfo::new(EndReason(reason), closed.debug()));
                self.enter(Phase::ClosedByPeer);
            }
            // Our application closed it already: both sides are done.
            Phase::Lingering | Phase::FinWait(_) => self.die(),
            Phase::Broken(_) | Phase::ClosedByPeer | Phase::Dead => {}
        }
        let _ = now;
    }

    fn no_connection(&mut self, _now: Time, message: &messages::NoConnection) {
        let from = message.from_connection_id();
        // Peers that never knew the connection cannot name their own id.
        if from != self.remote_id && from != 0 {
            self.drops.count(DropReason::WrongPeer);
            return;
        }
        match self.phase {
            Phase::Connected if from != 0 => {
                self.end = Some(EndInfo::new(
                    EndReason::MISC_PEER_SENT_NO_CONNECTION,
                    "Received unexpected 'no connection' from peer",
                ));
                self.enter(Phase::ClosedByPeer);
            }
            Phase::Lingering | Phase::FinWait(_) => self.die(),
            Phase::Connected
            | Phase::Initiating(_)
            | Phase::AwaitingAccept(_)
            | Phase::Broken(_)
            | Phase::ClosedByPeer
            | Phase::Dead => self.drops.count(DropReason::WrongState),
        }
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
        self.receiver.poll_message()
    }

    /// Whether complete messages wait inside for the application to take others.
    pub fn messages_held_back(&self) -> bool {
        self.receiver.holds_back()
    }

    /// The application took messages out: their room is free again.
    pub fn messages_consumed(&mut self, messages: usize, bytes: usize) {
        self.receiver.consumed(messages, bytes);
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

    fn break_off(&mut self, now: Time, reason: EndReason, text: &str) {
        tracing::debug!(connection = self.local_id, reason = reason.0, "connection broke: {text}");
        self.end = Some(EndInfo::new(reason, text));
        self.say_goodbye();
        self.enter(Phase::Broken(Goodbye::starting(now)));
    }

    fn finish_linger(&mut self, now: Time) {
        if matches!(self.phase, Phase::Lingering) && self.queues.all_reliable_acked() {
            self.say_goodbye();
            self.enter(Phase::FinWait(Goodbye::starting(now)));
        }
    }

    fn repeat_goodbye(&mut self, now: Time) {
        let (Phase::Broken(goodbye) | Phase::FinWait(goodbye)) = &mut self.phase else {
            return;
        };
        if now < goodbye.next {
            self.drops.count(DropReason::ReplyLimited);
            return;
        }
        goodbye.next = now.plus_micros(GOODBYE_INTERVAL_US);
        self.say_goodbye();
    }

    fn say_goodbye(&mut self) {
        let Some(end) = &self.end else { return };
        let message = messages::ConnectionClosed {
            to_connection_id: Some(self.remote_id),
            from_connection_id: Some(self.local_id),
            reason_code: Some(end.reason.0.unsigned_abs()),
            debug: (!end.debug.is_empty()).then(|| end.debug.clone()),
        };
        let mut bytes = Vec::new();
        udp::encode_connection_closed(&message, &mut bytes);
        self.queue_control(bytes);
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

    /// Who the peer says it is, and how far that is proven.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The state that the application sees.
    pub fn state(&self) -> ConnectionState {
        self.phase.visible()
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
