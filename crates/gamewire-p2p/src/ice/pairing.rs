//! Candidates of both sides, and the pairs that they make (RFC 8445 §6.1.2).

use std::net::SocketAddr;

use gamewire_proto::Time;

use super::{
    Agent, Base, CandidateKind, Role, TraceStep,
    candidate::{RemoteCandidate, pair_priority},
    checklist::PairKey,
    pair::Pair,
    relays::Relay,
};

impl Agent {
    /// What the peer sees of us may be new: symmetric NATs give each destination an address of its
    /// own. It is not signaled, since only that peer can reach it and it knows.
    pub(super) fn learn_local(
        &mut self,
        now: Time,
        base: Base,
        mapped: SocketAddr,
        from: SocketAddr,
    ) {
        let Base::Socket(id) = base else {
            return;
        };
        if let Some(socket) = self.locals.socket(id) {
            let kind = CandidateKind::PeerReflexive;
            let candidate = socket.reflexive_candidate(kind, mapped, from.ip());
            self.add_local_candidate(now, candidate);
        }
    }

    /// An address of the peer's that nobody signaled. False if there are too many.
    pub(super) fn learn_remote(&mut self, now: Time, address: SocketAddr, priority: u32) -> bool {
        // Only a relay's checks have a priority that low: see `prflx_priority`.
        let relayed = priority < CandidateKind::Relayed.priority(u16::MAX);
        let kind = if relayed { CandidateKind::Relayed } else { CandidateKind::PeerReflexive };
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
        for relay in self.relays.iter() {
            let reachable = self.remotes.iter().map(|candidate| candidate.address);
            let reachable = reachable.filter(|remote| relay.may_reach(remote.ip()));
            possible.extend(reachable.map(|remote| (Base::Relay(relay.id), remote)));
        }
        for (base, remote) in possible {
            if self.checklist.pair((base, remote)).is_none() {
                let mut pair = Pair::new(base, remote, now);
                self.rate(&mut pair);
                let added = self.checklist.insert(now, pair);
                if let Base::Relay(id) = base
                    && let Some(relay) = self.relays.relay_mut(id).filter(|_| added)
                {
                    relay.client.permit(now, remote.ip());
                }
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
            Base::Socket(id) => {
                let preference = self.locals.socket(id).map_or(0, |socket| socket.preference);
                CandidateKind::Host.priority(preference)
            }
            Base::Relay(id) => self.relays.relay(id).map_or(0, Relay::priority),
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

    /// The priority that a check from this base tells the peer: that of a peer-reflexive candidate,
    /// but for relays, so that the peer takes none for a direct path.
    pub(super) fn prflx_priority(&self, base: Base) -> u32 {
        match base {
            Base::Socket(id) => {
                let preference = self.locals.socket(id).map_or(0, |socket| socket.preference);
                CandidateKind::PeerReflexive.priority(preference)
            }
            Base::Relay(id) => self.relays.relay(id).map_or(0, Relay::priority),
        }
    }
}
