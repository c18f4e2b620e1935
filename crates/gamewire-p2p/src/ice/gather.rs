//! Asking STUN servers for our public addresses, and keeping those open.

use std::{net::SocketAddr, time::Duration};

use gamewire_proto::Time;

use super::{Agent, Base, CandidateKind, CandidateTypes, SocketId, TraceStep, candidate};
use crate::stun::{
    Builder, Class, Message, Retransmission, TransactionId, TransactionIds, attribute, method,
};

/// How often a server that answered is asked again, which keeps the address open (wire.md §9).
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// When a server that did not answer is asked again.
pub const ASK_AGAIN: Duration = Duration::from_secs(30);

/// One server asked from one socket.
#[derive(Debug)]
struct Query {
    server: SocketAddr,
    socket: SocketId,
    under_way: Option<(TransactionId, Retransmission)>,
    next: Time,
    /// Whether it ever answered, refused, or stayed silent.
    resolved: bool,
}

/// What came of a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gathered {
    /// The request with this id leaves; `first`: not because the last one was unanswered, nor to
    /// keep the address open.
    Ask { server: SocketAddr, socket: SocketId, id: TransactionId, first: bool },
    /// The server sees the socket at this address.
    Mapped { server: SocketAddr, socket: SocketId, mapped: SocketAddr },
    /// It refused with this code.
    Refused { server: SocketAddr, code: u16 },
    /// It did not answer.
    Silent { server: SocketAddr },
}

/// The request with an id. Valve's peers tell the server their local address too, which it has no
/// use for (wire.md §9); we do not.
pub(super) fn request(id: TransactionId) -> Vec<u8> {
    Builder::new(Class::Request, method::BINDING, id).fingerprint()
}

/// All queries.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    queries: Vec<Query>,
}

impl Gathering {
    /// A server is to be asked from a socket. The caller limits both.
    pub(super) fn add(&mut self, now: Time, server: SocketAddr, socket: SocketId) {
        self.queries.push(Query { server, socket, under_way: None, next: now, resolved: false });
    }

    /// A socket is gone.
    pub(super) fn remove_socket(&mut self, socket: SocketId) {
        self.queries.retain(|query| query.socket != socket);
    }

    /// Whether every server has answered or had its time.
    pub(super) fn is_done(&self) -> bool {
        self.queries.iter().all(|query| query.resolved)
    }

    /// When [`Gathering::handle_timeout`] is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let due = |query: &Query| query.under_way.map_or(query.next, |(_, again)| again.due());
        self.queries.iter().map(due).min()
    }

    /// What is due now; to be called until there is nothing.
    pub(super) fn handle_timeout(
        &mut self,
        now: Time,
        ids: &mut TransactionIds,
    ) -> Option<Gathered> {
        let due = |query: &&mut Query| {
            now >= query.under_way.map_or(query.next, |(_, again)| again.due())
        };
        let query = self.queries.iter_mut().find(due)?;
        let (server, socket) = (query.server, query.socket);
        let Some((id, again)) = &mut query.under_way else {
            let id = ids.generate();
            query.under_way = Some((id, Retransmission::start(now)));
            return Some(Gathered::Ask { server, socket, id, first: !query.resolved });
        };
        if again.on_due(now) {
            return Some(Gathered::Ask { server, socket, id: *id, first: false });
        }
        query.under_way = None;
        query.next = now + ASK_AGAIN;
        query.resolved = true;
        Some(Gathered::Silent { server })
    }

    /// A response came; `None` if it answers none of the queries.
    pub(super) fn handle_response(
        &mut self,
        now: Time,
        socket: SocketId,
        from: SocketAddr,
        message: &Message<'_>,
    ) -> Option<Gathered> {
        let id = message.transaction_id();
        let asked = |query: &&mut Query| {
            (query.server, query.socket) == (from, socket)
                && query.under_way.is_some_and(|(asked, _)| asked == id)
        };
        let query = self.queries.iter_mut().find(asked)?;
        let mapped = message
            .xor_address(attribute::XOR_MAPPED_ADDRESS)
            .or_else(|| message.address(attribute::MAPPED_ADDRESS))
            .filter(|_| message.class() == Class::Success);
        query.under_way = None;
        query.resolved = true;
        let Some(mapped) = mapped else {
            query.next = now + ASK_AGAIN;
            let code = message.error_code().unwrap_or_default();
            return Some(Gathered::Refused { server: from, code });
        };
        query.next = now + KEEP_ALIVE;
        let mapped = SocketAddr::new(mapped.ip().to_canonical(), mapped.port());
        Some(Gathered::Mapped { server: from, socket, mapped })
    }
}

impl Agent {
    /// Asks servers what is due.
    pub(super) fn gather(&mut self, now: Time) {
        while let Some(gathered) = self.gathering.handle_timeout(now, &mut self.ids) {
            self.on_gathered(now, gathered);
        }
    }

    /// A new socket: the servers of its family are asked from it.
    pub(super) fn gather_from(&mut self, now: Time, socket: SocketId, local: SocketAddr) {
        for server in self.config.stun_servers.clone() {
            self.ask_server(now, server, socket, local);
        }
        self.gather(now);
    }

    /// A server is to be asked from a socket, if both speak the same.
    pub(super) fn ask_server(
        &mut self,
        now: Time,
        server: SocketAddr,
        socket: SocketId,
        local: SocketAddr,
    ) {
        let public = self.config.enable.contains(CandidateTypes::PUBLIC);
        if public && server.is_ipv4() == local.is_ipv4() {
            self.gathering.add(now, server, socket);
        }
    }

    pub(super) fn on_gathered(&mut self, now: Time, gathered: Gathered) {
        match gathered {
            Gathered::Ask { server, socket, id, first } => {
                if first {
                    self.output.trace(now, TraceStep::ServerAsked(server, socket));
                }
                self.send(Base::Socket(socket), server, request(id));
            }
            Gathered::Mapped { server, socket, mapped } => {
                let known = self.locals.candidates().iter().any(|known| known.address == mapped);
                if !known {
                    self.output.trace(now, TraceStep::ServerAnswered(server, mapped));
                }
                let usable = candidate::is_usable(mapped, self.config.allow_loopback);
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
}
