//! Checks of ours and of the peer's (RFC 8445 §7).

use std::{net::SocketAddr, time::Duration};

use gamewire_proto::Time;

use super::{
    Agent, Base, CandidateKind, CandidateTypes, DropReason, Input, PairState, Role, TraceStep,
    Transmit,
    candidate::{RemoteCandidate, pair_priority},
    checklist::PairKey,
    gather::{self, Gathered},
    message::{self, CheckRequest},
    pair::{Due, Pair},
};
use crate::stun::{Class, Fingerprint, Message, TransactionId, attribute, method};

/// How long a pair that failed rests before it is tried again, while there is no route.
pub const RETRY: Duration = Duration::from_millis(500);

/// How often a pair in reserve is checked, which keeps it open.
pub const RESERVE_INTERVAL: Duration = Duration::from_secs(15);

impl Agent {
    /// STUN came: on a socket, or through a relay.
    pub(super) fn handle_stun(
        &mut self,
        now: Time,
        base: Base,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Input {
        let result = match Message::parse(datagram) {
            Err(_) => Err(DropReason::Malformed),
            Ok(message) if message.fingerprint() == Fingerprint::Wrong => {
                Err(DropReason::Fingerprint)
            }
            Ok(message) => match (message.class(), message.method()) {
                (Class::Request, method::BINDING) => self.handle_check(now, (base, from), &message),
                (Class::Indication, method::BINDING) => Ok(()),
                (Class::Success | Class::Error, _) => {
                    self.handle_response(now, (base, from), &message)
                }
                (Class::Request | Class::Indication, _) => Err(DropReason::Unexpected),
            },
        };
        result.map_or_else(Input::Dropped, |()| Input::Handled)
    }

    /// A check of the peer's. What is wrong with it is never told: Valve's peers do not either.
    fn handle_check(
        &mut self,
        now: Time,
        key: PairKey,
        message: &Message<'_>,
    ) -> Result<(), DropReason> {
        let (base, from) = key;
        let username = message.attribute(attribute::USERNAME).ok_or(DropReason::UserName)?;
        if !message::is_for(username, &self.config.credentials) {
            return Err(DropReason::UserName);
        }
        if !message.verify(self.config.credentials.local_password.as_bytes()) {
            return Err(DropReason::Integrity);
        }
        if !self.may_answer(key) {
            return Err(DropReason::Unexpected);
        }
        let id = message.transaction_id();
        self.send(base, from, message::response(id, from, &self.config.credentials));
        self.settle_roles(now, message);
        let priority = message.u32(attribute::PRIORITY).unwrap_or_default();
        let known = self.remotes.iter().any(|candidate| candidate.address == from);
        if !known && !self.learn_remote(now, from, priority) {
            return Err(DropReason::Limit);
        }
        self.pair_up(now);
        let Some(pair) = self.checklist.pair_mut(key) else {
            return Err(DropReason::Limit);
        };
        pair.heard = Some(now);
        self.output.trace(now, TraceStep::CheckReceived(base.socket(), from));
        self.trigger(now, key);
        if message.attribute(attribute::USE_CANDIDATE).is_some() {
            self.on_nominated(now, key, id);
        }
        Ok(())
    }

    /// The peer's check makes us check the same pair (RFC 8445 §7.3.1.4). Where a check is under way
    /// another leaves at once, since what blocked the first may just have been opened; answers to
    /// both count.
    fn trigger(&mut self, now: Time, key: PairKey) {
        let state = self.checklist.pair(key).map(|pair| pair.state);
        match state {
            Some(PairState::Waiting | PairState::Failed) => self.checklist.trigger(key),
            Some(PairState::InProgress) => self.send_check(now, key),
            Some(PairState::Succeeded) | None => {}
        }
    }

    /// Whether checks that come there are answered: where nothing may be reached, nothing is told.
    fn may_answer(&self, (base, from): PairKey) -> bool {
        match base {
            Base::Socket(id) => self
                .locals
                .socket(id)
                .is_some_and(|socket| socket.may_reach(from.ip(), &self.config)),
        }
    }

    /// Roles follow from who accepted the connection. Where both have the same, the tie-breakers
    /// decide without a word, since both see both (RFC 8445 §7.3.1.1 would have an error sent).
    fn settle_roles(&mut self, now: Time, message: &Message<'_>) {
        let (theirs, tie_breaker) =
            match (message.u64(attribute::ICE_CONTROLLING), message.u64(attribute::ICE_CONTROLLED))
            {
                (Some(tie_breaker), _) => (Role::Controlling, tie_breaker),
                (None, Some(tie_breaker)) => (Role::Controlled, tie_breaker),
                (None, None) => return,
            };
        if theirs != self.config.role || tie_breaker == self.tie_breaker {
            return;
        }
        let controls = self.tie_breaker > tie_breaker;
        let role = if controls { Role::Controlling } else { Role::Controlled };
        self.output.trace(now, TraceStep::RoleConflict(role));
        if role != self.config.role {
            self.config.role = role;
            self.nominee = None;
            self.consider(now);
        }
    }

    /// The response to something that we sent.
    fn handle_response(
        &mut self,
        now: Time,
        key: PairKey,
        message: &Message<'_>,
    ) -> Result<(), DropReason> {
        let (base, from) = key;
        let Base::Socket(socket) = base;
        if let Some(gathered) = self.gathering.handle_response(now, socket, from, message) {
            self.on_gathered(now, gathered);
            return Ok(());
        }
        let id = message.transaction_id();
        // From where it was sent to, or it proves nothing (RFC 8445 §7.2.5.2.1).
        if self.checklist.awaiting(id) != Some(key) {
            return Err(DropReason::UnknownTransaction);
        }
        let password = self.remote_password.as_deref().unwrap_or_default();
        if !message.verify(password.as_bytes()) {
            return Err(DropReason::Integrity);
        }
        if message.class() == Class::Error {
            return Err(DropReason::Unexpected);
        }
        if let Some(mapped) = message.xor_address(attribute::XOR_MAPPED_ADDRESS) {
            self.learn_local(now, base, mapped, from);
        }
        let answer = self.checklist.pair_mut(key).and_then(|pair| pair.on_answer(now, id));
        let answer = answer.ok_or(DropReason::UnknownTransaction)?;
        if let Some(rtt) = answer.rtt {
            self.output.trace(now, TraceStep::CheckAnswered(base.socket(), from, rtt));
        }
        self.schedule(now, key, id);
        self.on_valid(now, key, answer.nominates);
        Ok(())
    }

    /// What the peer sees of us may be new: symmetric NATs give each destination an address of its
    /// own. It is not signaled, since only that peer can reach it and it knows.
    fn learn_local(&mut self, now: Time, base: Base, mapped: SocketAddr, from: SocketAddr) {
        let Base::Socket(id) = base;
        if let Some(socket) = self.locals.socket(id) {
            let kind = CandidateKind::PeerReflexive;
            let candidate = socket.reflexive_candidate(kind, mapped, from.ip());
            self.add_local_candidate(now, candidate);
        }
    }

    /// An address of the peer's that nobody signaled. False if there are too many.
    pub(super) fn learn_remote(&mut self, now: Time, address: SocketAddr, priority: u32) -> bool {
        let kind = CandidateKind::PeerReflexive;
        self.add_remote(now, RemoteCandidate { kind, address, priority })
    }

    /// Keeps a candidate of the peer's. What was learnt gives way to what is signaled.
    pub(super) fn add_remote(&mut self, now: Time, candidate: RemoteCandidate) -> bool {
        let known = self.remotes.iter_mut().find(|known| known.address == candidate.address);
        if let Some(known) = known {
            if *known != candidate && candidate.kind != CandidateKind::PeerReflexive {
                *known = candidate;
                self.rate_pairs(now);
            }
            return true;
        }
        if self.remotes.len() >= super::MAX_REMOTE_CANDIDATES {
            return false;
        }
        self.remotes.push(candidate);
        self.output.trace(now, TraceStep::RemoteCandidate(candidate.kind, candidate.address));
        self.made_progress(now);
        true
    }

    /// Makes the pairs that are possible and not there yet.
    pub(super) fn pair_up(&mut self, now: Time) {
        let mut possible: Vec<PairKey> = Vec::new();
        for socket in self.locals.sockets() {
            let reachable = self.remotes.iter().map(|candidate| candidate.address);
            let reachable = reachable.filter(|remote| socket.may_reach(remote.ip(), &self.config));
            possible.extend(reachable.map(|remote| (Base::Socket(socket.id), remote)));
        }
        for (base, remote) in possible {
            if self.checklist.pair((base, remote)).is_none() {
                let mut pair = Pair::new(base, remote, now);
                self.rate(&mut pair);
                self.checklist.insert(now, pair);
            }
        }
    }

    /// What follows from the candidates of a pair.
    fn rate(&self, pair: &mut Pair) {
        let (base, remote) = pair.key();
        let Some(candidate) = self.remotes.iter().find(|candidate| candidate.address == remote)
        else {
            return;
        };
        let local = match base {
            Base::Socket(id) => self
                .locals
                .socket(id)
                .map_or(0, |socket| CandidateKind::Host.priority(socket.preference)),
        };
        pair.remote_kind = candidate.kind;
        pair.route = self.route((base, remote));
        pair.priority = match self.config.role {
            Role::Controlling => pair_priority(local, candidate.priority),
            Role::Controlled => pair_priority(candidate.priority, local),
        };
    }

    /// Candidates changed: so do the pairs, and perhaps what kind of route is in use.
    fn rate_pairs(&mut self, now: Time) {
        let before = self.selected.and_then(|key| self.checklist.pair(key)).map(|pair| pair.route);
        let rated: Vec<Pair> = self
            .checklist
            .iter()
            .cloned()
            .map(|mut pair| {
                self.rate(&mut pair);
                pair
            })
            .collect();
        for (pair, rated) in self.checklist.iter_mut().zip(rated) {
            *pair = rated;
        }
        let Some(key) = self.selected else {
            return;
        };
        if before != self.checklist.pair(key).map(|pair| pair.route) {
            self.announce(now, key);
        }
        self.consider(now);
    }

    /// The priority that a check from this base tells the peer.
    pub(super) fn prflx_priority(&self, base: Base) -> u32 {
        let preference = match base {
            Base::Socket(id) => self.locals.socket(id).map_or(0, |socket| socket.preference),
        };
        CandidateKind::PeerReflexive.priority(preference)
    }

    /// Whether checks of a pair can leave.
    fn is_ready(&self, _pair: &Pair) -> bool {
        self.remote_password.is_some()
    }

    /// Whether a check waits for its turn.
    pub(super) fn has_next(&self) -> bool {
        self.checklist.has_next(|pair| self.is_ready(pair))
    }

    /// Lets the next new check leave if it is time.
    pub(super) fn pace(&mut self, now: Time) {
        if now < self.next_check {
            return;
        }
        let known = self.remote_password.is_some();
        if let Some(key) = self.checklist.next(now, |_| known) {
            self.next_check = now + self.config.check_interval;
            self.send_check(now, key);
        }
    }

    /// A new check leaves.
    pub(super) fn send_check(&mut self, now: Time, key: PairKey) {
        let id = self.ids.generate();
        let nominates = self.config.role == Role::Controlling && self.nominee == Some(key);
        if let Some(pair) = self.checklist.pair_mut(key) {
            pair.start_check(now, id, nominates);
            self.output.trace(now, TraceStep::CheckSent(key.0.socket(), key.1));
            self.transmit_check(now, key, id, nominates);
        }
    }

    fn transmit_check(&mut self, _now: Time, key: PairKey, id: TransactionId, nominates: bool) {
        let (base, remote) = key;
        let Some(password) = &self.remote_password else {
            return;
        };
        let request = CheckRequest {
            id,
            priority: self.prflx_priority(base),
            role: self.config.role,
            tie_breaker: self.tie_breaker,
            nominates,
        };
        let payload = request.write(&self.config.credentials, password);
        self.send(base, remote, payload);
    }

    /// Checks that are due are sent again, or have failed.
    pub(super) fn retransmit(&mut self, now: Time) {
        let due = |pair: &&Pair| pair.due().is_some_and(|due| due <= now);
        let keys: Vec<PairKey> = self.checklist.iter().filter(due).map(Pair::key).collect();
        for key in keys {
            let due = self.checklist.pair_mut(key).and_then(|pair| pair.on_due(now));
            match due {
                Some(Due::SendAgain(id, nominates)) => {
                    self.transmit_check(now, key, id, nominates);
                    self.on_silence(now, key);
                }
                Some(Due::Failed) => self.on_failed(now, key),
                None => {}
            }
        }
    }

    fn on_failed(&mut self, now: Time, key: PairKey) {
        let Some(pair) = self.checklist.pair_mut(key) else {
            return;
        };
        if self.selected != Some(key) && pair.is_worth_another_check() {
            self.send_check(now, key);
            return;
        }
        pair.state = PairState::Failed;
        pair.tried = true;
        pair.next = now + RETRY;
        pair.forget_nomination();
        self.output.trace(now, TraceStep::CheckFailed(key.0.socket(), key.1));
        if self.nominee == Some(key) {
            self.nominee = None;
        }
        if self.selected == Some(key) {
            self.lost(now, key);
        }
        self.consider(now);
    }

    /// Asks servers what is due.
    pub(super) fn gather(&mut self, now: Time) {
        while let Some(gathered) = self.gathering.handle_timeout(now, &mut self.ids) {
            self.on_gathered(now, gathered);
        }
    }

    /// A new socket: the servers of its family are asked from it.
    pub(super) fn gather_from(&mut self, now: Time, socket: super::SocketId, local: SocketAddr) {
        if self.config.enable.contains(CandidateTypes::PUBLIC) {
            let servers = self.config.stun_servers.iter();
            for &server in servers.filter(|server| server.is_ipv4() == local.is_ipv4()) {
                self.gathering.add(now, server, socket);
            }
        }
        self.gather(now);
    }

    fn on_gathered(&mut self, now: Time, gathered: Gathered) {
        match gathered {
            Gathered::Ask { server, socket, id, first } => {
                if first {
                    self.output.trace(now, TraceStep::ServerAsked(server, socket));
                }
                self.send(Base::Socket(socket), server, gather::request(id));
            }
            Gathered::Mapped { server, socket, mapped } => {
                let known = self.locals.candidates().iter().any(|known| known.address == mapped);
                if !known {
                    self.output.trace(now, TraceStep::ServerAnswered(server, mapped));
                }
                let usable = super::candidate::is_usable(mapped, self.config.allow_loopback);
                if let Some(socket) = self.locals.socket(socket).filter(|_| usable) {
                    let kind = CandidateKind::ServerReflexive;
                    let candidate = socket.reflexive_candidate(kind, mapped, server.ip());
                    self.add_local_candidate(now, candidate);
                }
            }
            Gathered::Refused { server, code } => {
                self.output.trace(now, TraceStep::ServerRefused(server, code));
            }
            Gathered::Silent { server } => {
                self.output.trace(now, TraceStep::ServerSilent(server));
            }
        }
    }

    /// Sends from a base.
    pub(super) fn send(&mut self, base: Base, destination: SocketAddr, payload: Vec<u8>) {
        let Base::Socket(socket) = base;
        self.output.transmit(Transmit { socket, destination, payload });
    }
}
