//! Our side: sockets, and the candidates that they have.

use std::net::{IpAddr, SocketAddr};

use super::{
    AgentConfig, Base, CandidateKind, CandidateTypes, RouteKind, SocketId,
    candidate::{LocalCandidate, is_private, is_usable, same_subnet},
};

/// Most sockets of an agent.
pub const MAX_SOCKETS: usize = 16;

/// Most local candidates, all kinds together.
pub const MAX_LOCAL_CANDIDATES: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(super) struct LocalSocket {
    pub(super) id: SocketId,
    pub(super) address: SocketAddr,
    /// Counts down from the first socket (wire.md §9).
    pub(super) preference: u16,
    /// How much of the address names the subnet.
    pub(super) prefix_len: u8,
}

#[derive(Debug, Default)]
pub(super) struct Locals {
    sockets: Vec<LocalSocket>,
    candidates: Vec<LocalCandidate>,
    added: u16,
}

impl Locals {
    /// Adds a socket; false if there are too many.
    pub(super) fn add_socket(&mut self, id: SocketId, address: SocketAddr) -> bool {
        if self.sockets.len() >= MAX_SOCKETS {
            return false;
        }
        let preference = u16::MAX - self.added;
        self.added = self.added.saturating_add(1);
        let prefix_len = if address.is_ipv4() { 24 } else { 64 };
        self.sockets.push(LocalSocket { id, address, preference, prefix_len });
        true
    }

    /// Removes a socket and what it had; false if there is none.
    pub(super) fn remove_socket(&mut self, id: SocketId) -> bool {
        let before = self.sockets.len();
        self.sockets.retain(|socket| socket.id != id);
        self.remove_base(Base::Socket(id));
        self.sockets.len() != before
    }

    /// Forgets the candidates of a base.
    pub(super) fn remove_base(&mut self, base: Base) {
        self.candidates.retain(|candidate| candidate.base != base);
    }

    pub(super) fn socket(&self, id: SocketId) -> Option<&LocalSocket> {
        self.sockets.iter().find(|socket| socket.id == id)
    }

    pub(super) fn socket_mut(&mut self, id: SocketId) -> Option<&mut LocalSocket> {
        self.sockets.iter_mut().find(|socket| socket.id == id)
    }

    pub(super) fn sockets(&self) -> &[LocalSocket] {
        &self.sockets
    }

    pub(super) fn candidates(&self) -> &[LocalCandidate] {
        &self.candidates
    }

    /// Keeps a candidate; false if its address is known already, or there are too many.
    pub(super) fn add_candidate(&mut self, candidate: LocalCandidate) -> bool {
        let known = self.candidates.iter().any(|known| known.address == candidate.address);
        if known || self.candidates.len() >= MAX_LOCAL_CANDIDATES {
            return false;
        }
        self.candidates.push(candidate);
        true
    }

    /// What kind of route it is from a socket to a candidate of the peer's (wire.md §9).
    pub(super) fn route(&self, id: SocketId, remote: SocketAddr, kind: CandidateKind) -> RouteKind {
        let near = self.socket(id).is_some_and(|socket| {
            let own = socket.address.ip();
            is_private(own) && same_subnet(own, remote.ip(), socket.prefix_len)
        });
        match kind {
            CandidateKind::Relayed => RouteKind::Relayed,
            CandidateKind::Host | CandidateKind::PeerReflexive if near => RouteKind::Local,
            CandidateKind::Host | CandidateKind::PeerReflexive | CandidateKind::ServerReflexive => {
                RouteKind::Direct
            }
        }
    }
}

impl LocalSocket {
    /// The candidate that the socket itself is, if the configuration wants it signaled.
    pub(super) fn host_candidate(&self, config: &AgentConfig) -> Option<LocalCandidate> {
        let needed = needed_for(self.address.ip());
        if !config.enable.contains(needed) || !is_usable(self.address, config.allow_loopback) {
            return None;
        }
        Some(LocalCandidate {
            kind: CandidateKind::Host,
            address: self.address,
            base: Base::Socket(self.id),
            priority: CandidateKind::Host.priority(self.preference),
            foundation: LocalCandidate::foundation(CandidateKind::Host, self.address.ip(), None),
        })
    }

    /// The candidate that a server, or the peer, saw.
    pub(super) fn reflexive_candidate(
        &self,
        kind: CandidateKind,
        address: SocketAddr,
        server: IpAddr,
    ) -> LocalCandidate {
        LocalCandidate {
            kind,
            address,
            base: Base::Socket(self.id),
            priority: kind.priority(self.preference),
            foundation: LocalCandidate::foundation(kind, self.address.ip(), Some(server)),
        }
    }

    /// Whether checks may go from this socket to that address, by what the configuration enables:
    /// without private candidates nothing within a private network, without public ones nothing
    /// outside.
    pub(super) fn may_reach(&self, remote: IpAddr, config: &AgentConfig) -> bool {
        remote.is_ipv4() == self.address.is_ipv4()
            && remote.is_loopback() == self.address.ip().is_loopback()
            && config.enable.contains(needed_for(remote))
    }
}

/// What must be enabled for an address to be used.
fn needed_for(ip: IpAddr) -> CandidateTypes {
    if is_private(ip) && ip.is_ipv4() || ip.is_loopback() {
        CandidateTypes::PRIVATE
    } else {
        CandidateTypes::PUBLIC
    }
}
