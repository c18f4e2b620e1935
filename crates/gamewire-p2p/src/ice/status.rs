//! What an agent tells about itself.

use std::{cmp::Reverse, net::SocketAddr};

use super::{
    Agent, Base, CandidateKind, DropReason, PairSummary, Path, Role, RouteKind, SocketId,
    TraceEntry,
    checklist::PairKey,
    pair::{Nomination, Pair},
};

impl Agent {
    /// The path in use.
    pub fn selected(&self) -> Option<Path> {
        self.selected.map(|key| self.path(key))
    }

    /// What happened so far, oldest first, of limited length.
    pub fn trace(&self) -> &[TraceEntry] {
        self.output.entries()
    }

    /// Entries that the trace had no room for.
    pub fn trace_omitted(&self) -> u64 {
        self.output.omitted()
    }

    /// Datagrams dropped for a reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.output.drops(reason)
    }

    /// All pairs, best first.
    pub fn pairs(&self) -> Vec<PairSummary> {
        let mut pairs: Vec<_> = self.checklist.iter().collect();
        pairs.sort_by_key(|pair| Reverse((pair.route_rank(), pair.priority)));
        pairs.into_iter().map(|pair| self.summary(pair)).collect()
    }

    /// Addresses of ours, as they were signaled or seen by the peer.
    pub fn local_candidates(&self) -> impl Iterator<Item = (CandidateKind, SocketAddr)> {
        self.locals.candidates().iter().map(|candidate| (candidate.kind, candidate.address))
    }

    /// Addresses of the peer's, as they were signaled or seen by us.
    pub fn remote_candidates(&self) -> impl Iterator<Item = (CandidateKind, SocketAddr)> {
        self.remotes.iter().map(|candidate| (candidate.kind, candidate.address))
    }

    /// The role: as configured, unless the peer had the same one.
    pub fn role(&self) -> Role {
        self.config.role
    }

    fn summary(&self, pair: &Pair) -> PairSummary {
        PairSummary {
            path: self.path(pair.key()),
            local: self.base_candidate(pair.base),
            remote: pair.remote_kind,
            state: pair.state,
            nominated: pair.nomination == Nomination::Agreed,
            smoothed_rtt: pair.smoothed_rtt,
        }
    }

    /// The address that the peer sees for a base, if nothing translates it.
    fn base_candidate(&self, base: Base) -> (CandidateKind, SocketAddr) {
        let unknown = SocketAddr::from(([0; 4], 0));
        match base {
            Base::Socket(id) => {
                let address = self.locals.socket(id).map(|socket| socket.address);
                (CandidateKind::Host, address.unwrap_or(unknown))
            }
            Base::Relay(id) => {
                let address = self.relays.relay(id).and_then(|relay| relay.client.relayed());
                (CandidateKind::Relayed, address.unwrap_or(unknown))
            }
        }
    }

    /// The path that a pair is.
    pub(super) fn path(&self, (base, remote): PairKey) -> Path {
        let kind = self.route((base, remote));
        match base {
            Base::Socket(socket) => Path { socket, remote, relay: None, kind },
            Base::Relay(id) => {
                let gone = SocketId(u8::MAX);
                let socket = self.relays.relay(id).map_or(gone, |relay| relay.socket);
                Path { socket, remote, relay: Some(id), kind }
            }
        }
    }

    /// What kind of route a pair is.
    pub(super) fn route(&self, (base, remote): PairKey) -> RouteKind {
        let known = self.remotes.iter().find(|candidate| candidate.address == remote);
        let kind = known.map_or(CandidateKind::PeerReflexive, |candidate| candidate.kind);
        match base {
            Base::Socket(id) => self.locals.route(id, remote, kind),
            Base::Relay(_) => RouteKind::Relayed,
        }
    }
}
