//! The addresses that TURN servers lend us.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use gamewire_proto::Time;

use super::{
    Base, CandidateKind, RelayId, SocketId, TurnServer, TurnTransport,
    candidate::{LocalCandidate, is_private},
};
use crate::{
    stun::TransactionIds,
    turn::{Client, Frames, Outcome, TurnError},
};

/// Most relays in the life of an agent, those included that ended.
pub const MAX_RELAYS: u8 = 64;

/// When a server that forgot us is asked again.
pub const AFTER_FORGETTING: Duration = Duration::from_secs(1);

/// One relay.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) id: RelayId,
    server: TurnServer,
    /// A socket, or the stream to the server.
    pub(super) socket: SocketId,
    pub(super) client: Client,
    frames: Frames,
    /// Counts down from the first server.
    preference: u16,
    /// Whether it answered, refused or stayed silent.
    resolved: bool,
}

/// What a relay has to say.
#[derive(Debug)]
pub(super) enum Told {
    Transmit { socket: SocketId, destination: SocketAddr, payload: Vec<u8> },
    Outcome { id: RelayId, server: SocketAddr, outcome: Outcome },
}

/// What is done about a relay.
#[derive(Clone, Copy, Debug)]
pub(super) enum Opened {
    /// Asked over a socket.
    Asked { server: SocketAddr, socket: SocketId },
    /// A stream must be opened first.
    Stream { server: SocketAddr, socket: SocketId, tls: bool },
}

#[derive(Debug, Default)]
pub(super) struct Relays {
    relays: Vec<Relay>,
    opened: u8,
    /// When servers without a relay are asked again.
    next: Option<Time>,
}

impl Relays {
    /// Sees to it that each server has a relay, from the first socket of its family.
    pub(super) fn open_missing(
        &mut self,
        now: Time,
        servers: &[TurnServer],
        sockets: &[super::local::LocalSocket],
        ids: &mut TransactionIds,
    ) -> Vec<Opened> {
        self.next = None;
        let mut opened = Vec::new();
        for (index, server) in servers.iter().enumerate() {
            let family = server.address.is_ipv4();
            let socket = sockets.iter().find(|socket| socket.address.is_ipv4() == family);
            let known = self.relays.iter().any(|relay| relay.server == *server);
            let Some(socket) = socket.filter(|_| !known && self.opened < MAX_RELAYS) else {
                continue;
            };
            let id = RelayId(self.opened);
            self.opened += 1;
            let mut client = Client::new(server, ids.fork());
            let address = server.address;
            let socket = if server.transport == TurnTransport::Udp {
                client.start(now);
                opened.push(Opened::Asked { server: address, socket: socket.id });
                socket.id
            } else {
                let stream = SocketId(SocketId::FIRST_STREAM + id.0);
                let tls = server.transport == TurnTransport::Tls;
                opened.push(Opened::Stream { server: address, socket: stream, tls });
                stream
            };
            self.relays.push(Relay {
                id,
                server: server.clone(),
                socket,
                client,
                frames: Frames::default(),
                preference: u16::MAX - index as u16,
                resolved: false,
            });
        }
        opened
    }

    pub(super) fn relay(&self, id: RelayId) -> Option<&Relay> {
        self.relays.iter().find(|relay| relay.id == id)
    }

    pub(super) fn relay_mut(&mut self, id: RelayId) -> Option<&mut Relay> {
        self.relays.iter_mut().find(|relay| relay.id == id)
    }

    /// The relay that talks to its server from this socket; for a stream there is one at most.
    pub(super) fn at(&self, socket: SocketId, server: SocketAddr) -> Option<&Relay> {
        let fits = |relay: &&Relay| {
            relay.socket == socket && (socket.is_stream() || relay.client.server() == server)
        };
        self.relays.iter().find(fits)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Relay> {
        self.relays.iter()
    }

    /// Those that talk to their servers from this socket.
    pub(super) fn of_socket(&self, socket: SocketId) -> Vec<RelayId> {
        self.relays.iter().filter(|relay| relay.socket == socket).map(|relay| relay.id).collect()
    }

    /// Forgets a relay; its server is asked again after some time.
    pub(super) fn remove(&mut self, now: Time, id: RelayId, after: Duration) {
        self.relays.retain(|relay| relay.id != id);
        let next = now + after;
        self.next = Some(self.next.map_or(next, |earlier| earlier.min(next)));
    }

    /// Asks all servers whether they still know us.
    pub(super) fn probe(&mut self, now: Time) {
        self.relays.iter_mut().for_each(|relay| relay.client.probe(now));
    }

    /// Whether it is time to ask again those that have no relay.
    pub(super) fn may_ask_again(&self, now: Time) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// Whether every server has answered or had its time.
    pub(super) fn is_done(&self) -> bool {
        self.relays.iter().all(|relay| relay.resolved)
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        self.relays.iter_mut().for_each(|relay| relay.client.handle_timeout(now));
    }

    /// When [`Relays::handle_timeout`] is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let clients = self.relays.iter().filter_map(|relay| relay.client.poll_timeout());
        clients.chain(self.next).min()
    }

    /// What the relays have to say.
    pub(super) fn poll(&mut self) -> Option<Told> {
        self.relays.iter_mut().find_map(|relay| {
            let server = relay.client.server();
            if let Some(payload) = relay.client.poll_transmit() {
                let socket = relay.socket;
                return Some(Told::Transmit { socket, destination: server, payload });
            }
            let outcome = relay.client.poll_outcome()?;
            relay.resolved = true;
            Some(Told::Outcome { id: relay.id, server, outcome })
        })
    }
}

impl Relay {
    /// The candidate that it is.
    pub(super) fn candidate(&self, address: SocketAddr) -> LocalCandidate {
        let kind = CandidateKind::Relayed;
        LocalCandidate {
            kind,
            address,
            base: Base::Relay(self.id),
            priority: kind.priority(self.preference),
            foundation: LocalCandidate::foundation(
                kind,
                address.ip(),
                Some(self.client.server().ip()),
            ),
        }
    }

    pub(super) fn priority(&self) -> u32 {
        CandidateKind::Relayed.priority(self.preference)
    }

    /// Whether the relay can be asked to send there: not into private networks, which are others'
    /// than ours, unless it is in one itself.
    pub(super) fn may_reach(&self, remote: IpAddr) -> bool {
        let family = |relayed: SocketAddr| relayed.is_ipv4() == remote.is_ipv4();
        self.client.relayed().is_some_and(family)
            && (!is_private(remote) || is_private(self.client.server().ip()))
    }

    /// Bytes came on its stream: the frames in them, or `None` if the stream is broken.
    pub(super) fn frames(&mut self, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        self.frames.push(bytes).ok()
    }
}

/// The code of an error, for the trace; 0: no answer.
pub(super) fn code(error: TurnError) -> u16 {
    match error {
        TurnError::Refused(code) => code,
        TurnError::Silent => 0,
    }
}
