//! Connections that are agreed on by signals: who asks and who answers, and the wait for a route.
//!
//! The signals themselves, their order and repetition, and the search for a route are others'
//! business; here are the keys, the states and the timeouts.

use std::net::SocketAddr;

use gamewire_crypto::Entropy;

use super::{
    AcceptError, Connection,
    phase::{Phase, RouteSearch},
};
use crate::{
    Time,
    config::ConnectionConfig,
    end::EndReason,
    event::ConnectionState,
    handshake::{
        HandshakeHalf, LocalParty, NO_ADDRESS, Peer, Refusal, RemoteHalf, RendezvousAcceptor,
        RendezvousInitiator,
    },
};

impl Connection {
    /// A connection that we ask for by signal. [`Connection::connect_request`] goes into the signals
    /// until [`Connection::handle_answer`] or [`Connection::become_acceptor`].
    pub fn request(
        now: Time,
        local_id: u32,
        party: LocalParty,
        config: ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let mut peer = Peer::unknown(NO_ADDRESS);
        peer.identity = party.expected_identity.clone().unwrap_or_default();
        let initiator = RendezvousInitiator::new(local_id, party, &config, entropy);
        let phase = Phase::Requesting(Box::new(initiator));
        let mut connection = Self::with_phase(now, local_id, NO_ADDRESS, phase, config, peer);
        connection.announce(ConnectionState::None);
        connection
    }

    /// A connection made of somebody's connect request; it waits for [`Connection::accept`].
    ///
    /// # Errors
    /// The request's certificate, key exchange or version is not acceptable: nothing was made.
    pub fn requested(
        now: Time,
        local_id: u32,
        remote: &RemoteHalf,
        party: LocalParty,
        config: ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Refusal> {
        let (acceptor, peer) = RendezvousAcceptor::new(local_id, remote, party, &config, entropy)?;
        let phase = Phase::Requested(Box::new(acceptor));
        let mut connection = Self::with_phase(now, local_id, NO_ADDRESS, phase, config, peer);
        connection.remote_id = remote.connection_id;
        connection.announce(ConnectionState::None);
        Ok(connection)
    }

    /// We are somebody else now, or can prove who we are: asks with new keys. Only for a request of
    /// which no signal has gone out.
    pub fn renew_request(&mut self, party: LocalParty, entropy: &mut dyn Entropy) {
        if let Phase::Requesting(initiator) = &mut self.phase {
            **initiator = RendezvousInitiator::new(self.local_id, party, &self.config, entropy);
        }
    }

    /// Our half of the key exchange, while the peer has not answered.
    pub fn connect_request(&self) -> Option<HandshakeHalf> {
        match &self.phase {
            Phase::Requesting(initiator) => Some(initiator.half()),
            _ => None,
        }
    }

    /// Our answer to the peer's request, while no route is found; the peer may not have it yet.
    pub fn connect_answer(&self) -> Option<&HandshakeHalf> {
        match &self.phase {
            Phase::FindingRoute(search) => search.answer.as_ref(),
            _ => None,
        }
    }

    /// The peer took us: derives the keys. A refusal breaks the connection. Without effect once
    /// there was an answer.
    pub fn handle_answer(&mut self, now: Time, remote: &RemoteHalf, entropy: &mut dyn Entropy) {
        let Phase::Requesting(initiator) = &mut self.phase else { return };
        self.remote_id = remote.connection_id;
        match initiator.on_answer(remote) {
            Ok(agreement) => {
                self.begin_session(now, agreement, entropy);
                self.enter(Phase::FindingRoute(Box::new(RouteSearch { since: now, answer: None })));
            }
            Err(refusal) => self.break_off(now, refusal.reason, &refusal.debug),
        }
    }

    /// Both sides asked at once, and we are the one who answers: takes the peer's request with new
    /// keys, and accepts it. What is queued stays queued.
    pub fn become_acceptor(&mut self, now: Time, remote: &RemoteHalf, entropy: &mut dyn Entropy) {
        let Phase::Requesting(initiator) = &self.phase else { return };
        let party = initiator.party();
        self.remote_id = remote.connection_id;
        match RendezvousAcceptor::new(self.local_id, remote, party, &self.config, entropy) {
            Ok((acceptor, peer)) => {
                self.peer = peer;
                // The application sees no change: for it this is the connection that it asked for.
                self.phase = Phase::Requested(Box::new(acceptor));
                // A failure has broken the connection already, for a reason that is told.
                let _ = self.accept_request(now, entropy);
            }
            Err(refusal) => self.break_off(now, refusal.reason, &refusal.debug),
        }
    }

    pub(super) fn accept_request(
        &mut self,
        now: Time,
        entropy: &mut dyn Entropy,
    ) -> Result<(), AcceptError> {
        let Phase::Requested(acceptor) = &self.phase else { return Err(AcceptError::WrongState) };
        match acceptor.accept(&self.config, entropy) {
            Ok((agreement, half)) => {
                debug_assert_eq!(agreement.remote_id, acceptor.remote_id());
                self.begin_session(now, agreement, entropy);
                let search = RouteSearch { since: now, answer: Some(half) };
                self.enter(Phase::FindingRoute(Box::new(search)));
                Ok(())
            }
            Err(refusal) => {
                self.break_off(now, refusal.reason, &refusal.debug);
                Err(AcceptError::Handshake(refusal))
            }
        }
    }

    /// The peer has our answer: it need not be signaled again.
    pub fn answer_arrived(&mut self) {
        if let Phase::FindingRoute(search) = &mut self.phase {
            search.answer = None;
        }
    }

    /// Appends a packet that holds nothing and asks for an answer, whatever path it is for. False:
    /// there are no keys, or nothing is to be asked any more.
    pub fn write_probe(&mut self, now: Time, out: &mut Vec<u8>) -> bool {
        if !matches!(self.phase, Phase::FindingRoute(_) | Phase::Connected | Phase::Lingering) {
            return false;
        }
        let Some(session) = &mut self.session else { return false };
        session.write_probe(now, out, &mut self.queues, &self.receiver);
        true
    }

    /// Packets go to this address from now on; the driver knows how they get there.
    pub fn set_remote(&mut self, remote: SocketAddr) {
        self.remote = remote;
    }

    /// A packet of the peer's came over the route that we chose: messages may flow.
    pub fn route_found(&mut self) {
        if matches!(self.phase, Phase::FindingRoute(_)) {
            self.enter(Phase::Connected);
        }
    }

    /// Breaks the connection for a reason that others found.
    pub fn fail(&mut self, now: Time, reason: EndReason, text: &str) {
        if self.state().is_alive() {
            self.break_off(now, reason, text);
        }
    }

    /// The peer ended the connection, by a signal that names both ids.
    pub fn closed_by_signal(&mut self, reason: u32, debug: &str) {
        self.peer_closed(reason, debug);
    }

    /// The peer knows nothing of the connection, by a signal that names both ids.
    pub fn unknown_by_signal(&mut self) {
        self.peer_knows_nothing();
    }

    pub(super) fn rendezvous_deadline(&self) -> Time {
        let since = match &self.phase {
            Phase::FindingRoute(search) => search.since,
            _ => self.created,
        };
        since + self.config.timeout_initial
    }

    pub(super) fn rendezvous_timeout(&mut self, now: Time) {
        if now < self.rendezvous_deadline() {
            return;
        }
        let (reason, text) = match &self.phase {
            Phase::Requesting(_) => {
                (EndReason::MISC_P2P_RENDEZVOUS, "The peer did not answer to our signals")
            }
            Phase::FindingRoute(_) => {
                (EndReason::MISC_P2P_NAT_FIREWALL, "No packet of the peer's came by any route")
            }
            _ => (EndReason::MISC_TIMEOUT, "The application did not accept in time"),
        };
        self.break_off(now, reason, text);
    }
}
