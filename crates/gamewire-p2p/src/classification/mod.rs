//! What a network lets through: whether UDP gets out, how the NAT before us maps and filters, whether
//! STUN and TURN servers answer. For diagnosis alone; the agent needs to know none of it.
//!
//! Mapping follows from what several servers see; where one tells its other address (RFC 5780) it is
//! asked there too, and filtering is found out. The driver opens sockets, one or two of each family,
//! and carries datagrams until [`Classification::report`] has something to say.

mod queries;
mod report;

use std::{collections::VecDeque, net::SocketAddr};

use gamewire_crypto::Entropy;
use gamewire_proto::Time;

pub use self::queries::MAX_QUERIES;
use self::queries::{Queries, Query, Test};
pub use self::report::{
    Answer, FamilyReport, Filtering, Mapping, Outlook, Report, ServerReport, TurnReport,
};
use crate::{
    ice::{SocketId, Transmit, TurnServer, TurnTransport},
    stun::{Builder, Class, Message, TransactionIds, attribute, method},
    turn::{Client, Outcome},
};

/// Most STUN servers, and most TURN servers.
pub const MAX_SERVERS: usize = 8;

/// Most sockets.
pub const MAX_SOCKETS: usize = 4;

/// A TURN server that is tried.
#[derive(Debug)]
struct Relay {
    socket: SocketId,
    server: SocketAddr,
    client: Client,
    answer: Option<TurnReport>,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Classification {
    ids: TransactionIds,
    stun_servers: Vec<SocketAddr>,
    turn_servers: Vec<TurnServer>,
    sockets: Vec<(SocketId, SocketAddr)>,
    queries: Queries,
    relays: Vec<Relay>,
    transmits: VecDeque<Transmit>,
}

impl Classification {
    /// Nothing is asked before there are sockets. TURN servers are tried over UDP only.
    pub fn new(
        stun_servers: &[SocketAddr],
        turn_servers: &[TurnServer],
        entropy: &mut dyn Entropy,
    ) -> Self {
        let over_udp = |server: &&TurnServer| server.transport == TurnTransport::Udp;
        Self {
            ids: TransactionIds::new(entropy),
            stun_servers: stun_servers.iter().copied().take(MAX_SERVERS).collect(),
            turn_servers: turn_servers.iter().filter(over_udp).take(MAX_SERVERS).cloned().collect(),
            sockets: Vec::new(),
            queries: Queries::default(),
            relays: Vec::new(),
            transmits: VecDeque::new(),
        }
    }

    /// A UDP socket is there, bound to `local`, which is no wildcard. The first of a family asks the
    /// servers; with a second one hairpinning is found out.
    pub fn add_socket(&mut self, now: Time, socket: SocketId, local: SocketAddr) {
        if self.sockets.len() >= MAX_SOCKETS {
            return;
        }
        let family = local.is_ipv4();
        let first = self.sockets.iter().all(|(_, known)| known.is_ipv4() != family);
        self.sockets.push((socket, local));
        if !first {
            return;
        }
        for server in self.stun_servers.clone() {
            if server.is_ipv4() == family {
                self.ask(now, Test::Server, socket, server);
            }
        }
        for server in self.turn_servers.iter().filter(|known| known.address.is_ipv4() == family) {
            let mut client = Client::new(server, self.ids.fork());
            client.start(now);
            self.relays.push(Relay { socket, server: server.address, client, answer: None });
        }
        self.proceed(now);
    }

    fn ask(&mut self, now: Time, test: Test, socket: SocketId, server: SocketAddr) {
        let id = self.ids.generate();
        if self.queries.add(Query::new(test, socket, server, id, now)) {
            self.send(test, socket, server, id);
        }
    }

    fn send(
        &mut self,
        test: Test,
        socket: SocketId,
        destination: SocketAddr,
        id: crate::stun::TransactionId,
    ) {
        let mut message = Builder::new(Class::Request, method::BINDING, id);
        if let Some(change) = test.change_request() {
            message = message.attribute(attribute::CHANGE_REQUEST, &[0, 0, 0, change]);
        }
        let payload = message.fingerprint();
        self.transmits.push_back(Transmit { socket, destination, payload });
    }

    /// A datagram came.
    pub fn handle_datagram(
        &mut self,
        now: Time,
        socket: SocketId,
        from: SocketAddr,
        datagram: &[u8],
    ) {
        let Ok(message) = Message::parse(datagram) else {
            return;
        };
        let id = message.transaction_id();
        if message.class() == Class::Request {
            // Our own, that went around through the NAT.
            self.queries.on_hairpin(id);
        } else if let Some(answered) = self.queries.on_response(now, socket, from, &message) {
            if answered == Test::Server {
                self.follow_up(now, socket, from, &message);
            }
        } else if let Some(relay) = self
            .relays
            .iter_mut()
            .find(|relay| relay.socket == socket && relay.client.server() == from)
        {
            relay.client.handle_response(now, &message);
        }
        self.proceed(now);
    }

    /// A server answered: what it makes possible to find out.
    fn follow_up(&mut self, now: Time, socket: SocketId, from: SocketAddr, message: &Message<'_>) {
        let family = from.is_ipv4();
        if let Some(mapped) = message.xor_address(attribute::XOR_MAPPED_ADDRESS)
            && mapped.is_ipv4() == family
            && !self.queries.has(Test::Hairpin, family)
            && self.local(socket).is_some_and(|local| local.ip() != mapped.ip())
        {
            let mut of_family = self.sockets.iter().filter(|(_, at)| at.is_ipv4() == family);
            let other = of_family.find(|(id, _)| *id != socket).map_or(socket, |(id, _)| *id);
            self.ask(now, Test::Hairpin, other, mapped);
        }
        let other = message
            .address(attribute::OTHER_ADDRESS)
            .filter(|other| other.is_ipv4() == family && other.ip() != from.ip());
        if let Some(other) = other
            && !self.queries.has(Test::FilterAddress, family)
            && !self.queries.knows_address(other.ip())
        {
            self.queries.note_other(from, other);
            self.ask(now, Test::FilterAddress, socket, from);
        }
    }

    fn local(&self, socket: SocketId) -> Option<SocketAddr> {
        self.sockets.iter().find(|(id, _)| *id == socket).map(|(_, local)| *local)
    }

    /// Tests that had to wait for others, and what TURN servers said.
    fn proceed(&mut self, now: Time) {
        while let Some((test, socket, server)) = self.queries.next_test() {
            self.ask(now, test, socket, server);
        }
        for relay in &mut self.relays {
            while let Some(payload) = relay.client.poll_transmit() {
                let destination = relay.client.server();
                self.transmits.push_back(Transmit { socket: relay.socket, destination, payload });
            }
            match relay.client.poll_outcome() {
                Some(Outcome::Allocated { relayed, .. }) => {
                    relay.answer = Some(TurnReport::Relays(relayed));
                    relay.client.release(now);
                }
                Some(Outcome::Ended(error)) => relay.answer = Some(TurnReport::Refuses(error)),
                Some(Outcome::Permitted(_) | Outcome::Forbidden(..)) | None => {}
            }
            while let Some(payload) = relay.client.poll_transmit() {
                let destination = relay.client.server();
                self.transmits.push_back(Transmit { socket: relay.socket, destination, payload });
            }
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((test, socket, server, id)) = self.queries.on_due(now) {
            self.send(test, socket, server, id);
        }
        self.relays.iter_mut().for_each(|relay| relay.client.handle_timeout(now));
        self.proceed(now);
    }

    /// When [`Classification::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let relays = self.relays.iter().filter_map(|relay| relay.client.poll_timeout());
        self.queries.poll_timeout().into_iter().chain(relays).min()
    }

    /// What is to be sent next.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What was found out, once nothing is open any longer. There must be a socket first.
    pub fn report(&self) -> Option<Report> {
        let relays = self.relays.iter().all(|relay| relay.answer.is_some());
        if self.sockets.is_empty() || !self.queries.is_done() || !relays {
            return None;
        }
        let of_family = |v4: bool| {
            let mut of_family = self.sockets.iter().filter(|(_, at)| at.is_ipv4() == v4);
            let local = of_family.next().map(|(_, local)| *local);
            self.queries.family(v4, local)
        };
        Some(Report {
            ipv4: of_family(true),
            ipv6: of_family(false),
            stun: self.queries.servers(),
            turn: self
                .relays
                .iter()
                .filter_map(|relay| Some((relay.server, relay.answer?)))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests;
