//! The endpoint: what one UDP socket does with datagrams before a connection sees them.
//!
//! It answers challenges without keeping state, routes what belongs to a connection, and hands out
//! connect requests whose source address is proven. It never opens a packet, never verifies a
//! certificate and never owns a connection: the driver keeps those under the keys it chose.
//!
//! Contract: [`Endpoint::handle_datagram`] never fails because of bytes from the network. What it
//! cannot use is counted ([`Endpoint::drops`]) and dropped. A reply is never longer than the
//! datagram it answers unless the source address was proven by a challenge.

mod limits;
mod table;

use std::net::SocketAddr;

use gamewire_crypto::{Entropy, cookie::ChallengeKey};
use gamewire_wire::{
    address::Address,
    identity::Identity,
    limits::{MAX_UDP_PAYLOAD, MIN_PROTOCOL_VERSION, PROTOCOL_VERSION},
    messages::{self, ConnectRequest},
    udp::{self, Datagram, DatagramError},
};

pub use self::limits::{AcceptLimits, Admission};
use self::table::Table;
use crate::{
    Time,
    drops::{DropCounters, DropReason},
    end::EndReason,
};

/// The driver's name for a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionKey(pub u32);

/// A control message for a connection, already parsed.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// The acceptor answered our challenge request.
    ChallengeReply(messages::ChallengeReply),
    /// The acceptor took us.
    ConnectOk(messages::ConnectOk),
    /// The initiator, known already, asks again: the answer was lost.
    ConnectRepeated {
        /// The request's timestamp, to be echoed.
        timestamp: Option<u64>,
        /// Longest answer that is no amplification, bytes.
        answer_limit: usize,
    },
    /// The peer ended the connection.
    Closed(messages::ConnectionClosed),
    /// The peer does not know the connection.
    NoConnection(messages::NoConnection),
}

/// A connect request from a proven address; no connection exists yet.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Where it came from.
    pub remote: SocketAddr,
    /// When it came.
    pub received: Time,
    /// What it says; nothing of it is verified but the challenge.
    pub request: ConnectRequest,
}

/// What to do with a datagram.
#[derive(Debug)]
pub enum Route {
    /// A data packet for this connection: give it the datagram.
    Data(ConnectionKey),
    /// A control message for this connection.
    Control(ConnectionKey, Box<Control>),
    /// Somebody new with a proven address.
    Incoming(Box<Incoming>),
    /// The reply buffer holds an answer for the sender.
    Reply,
    /// Dropped and counted.
    Dropped(DropReason),
}

/// What only those need who take connect requests.
#[derive(Debug)]
struct Listening {
    challenge: ChallengeKey,
    admission: Admission,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Endpoint {
    listening: Option<Box<Listening>>,
    table: Table,
    next_no_connection: Time,
    drops: DropCounters,
}

/// At most one "no connection" answer to stray data packets in this time, over all senders.
const NO_CONNECTION_INTERVAL_US: u64 = 250_000;

impl Endpoint {
    /// An endpoint; it takes connect requests if `accept` is given.
    pub fn new(accept: Option<AcceptLimits>, entropy: &mut dyn Entropy) -> Self {
        Self {
            listening: accept.map(|limits| {
                let challenge = ChallengeKey::generate(entropy);
                Box::new(Listening { challenge, admission: Admission::new(limits) })
            }),
            table: Table::default(),
            next_no_connection: Time::default(),
            drops: DropCounters::default(),
        }
    }

    /// Stops taking connect requests; existing connections go on.
    pub fn stop_listening(&mut self) {
        self.listening = None;
    }

    /// A random local connection id that no connection here uses; both halves are non-zero
    /// (wire.md §1).
    pub fn fresh_connection_id(&self, entropy: &mut dyn Entropy) -> u32 {
        loop {
            let mut bytes = [0; 4];
            entropy.fill(&mut bytes);
            let id = u32::from_le_bytes(bytes);
            if id & 0xffff != 0 && id >> 16 != 0 && self.table.by_id(id).is_none() {
                return id;
            }
        }
    }

    /// Registers a connection that we open from this socket.
    pub fn insert_initiator(&mut self, key: ConnectionKey, local_id: u32, remote: SocketAddr) {
        self.table.insert(key, local_id, remote, None);
    }

    /// Registers a connection made of an [`Incoming`]; it counts as pending until
    /// [`Endpoint::settled`].
    pub fn insert_acceptor(
        &mut self,
        key: ConnectionKey,
        local_id: u32,
        incoming: &Incoming,
        identity: Identity,
    ) {
        let client_id = incoming.request.client_connection_id();
        self.table.insert(key, local_id, incoming.remote, Some((client_id, identity)));
        if let Some(listening) = &mut self.listening {
            listening.admission.opened(key, incoming.remote.ip());
        }
    }

    /// The application accepted or refused the connection: it is pending no more.
    pub fn settled(&mut self, key: ConnectionKey) {
        if let Some(listening) = &mut self.listening {
            listening.admission.settled(key);
        }
    }

    /// Forgets a connection and returns the peer's address, if it was known.
    pub fn remove(&mut self, key: ConnectionKey) -> Option<SocketAddr> {
        let remote = self.table.remove(key)?;
        if let Some(listening) = &mut self.listening {
            listening.admission.closed(key, remote.ip());
        }
        Some(remote)
    }

    /// Connections registered.
    pub fn connections(&self) -> usize {
        self.table.len()
    }

    /// What was dropped here, by reason.
    pub fn drops(&self) -> &DropCounters {
        &self.drops
    }

    /// Decides about one datagram; an answer is appended to `reply`.
    pub fn handle_datagram(
        &mut self,
        now: Time,
        remote: SocketAddr,
        datagram: &[u8],
        reply: &mut Vec<u8>,
    ) -> Route {
        let route = self.route(now, remote, datagram, reply);
        if let Route::Dropped(reason) = route {
            self.drops.count(reason);
        }
        route
    }

    fn route(
        &mut self,
        now: Time,
        remote: SocketAddr,
        datagram: &[u8],
        reply: &mut Vec<u8>,
    ) -> Route {
        if let Some(id) = udp::peek_connection_id(datagram) {
            return self.route_data(now, remote, id, datagram, reply);
        }
        match udp::parse(datagram) {
            Ok(Datagram::Data(_)) => Route::Dropped(DropReason::Malformed),
            Ok(Datagram::ChallengeRequest(request)) => {
                self.challenge_request(now, remote, &request, datagram.len(), reply)
            }
            Ok(Datagram::ConnectRequest(request)) => {
                self.connect_request(now, remote, request, reply)
            }
            Ok(Datagram::ChallengeReply(message)) => {
                let id = message.connection_id();
                self.to_connection(remote, id, Control::ChallengeReply(message))
            }
            Ok(Datagram::ConnectOk(message)) => {
                let id = message.client_connection_id();
                self.to_connection(remote, id, Control::ConnectOk(message))
            }
            Ok(Datagram::ConnectionClosed(message)) => self.closed(remote, message, reply),
            Ok(Datagram::NoConnection(message)) => {
                let id = message.to_connection_id();
                self.to_connection(remote, id, Control::NoConnection(message))
            }
            Err(
                DatagramError::TooShort
                | DatagramError::TooLong
                | DatagramError::Broadcast
                | DatagramError::UnknownType(_)
                | DatagramError::Padding
                | DatagramError::BadLength
                | DatagramError::Protobuf,
            ) => Route::Dropped(DropReason::Malformed),
        }
    }

    fn route_data(
        &mut self,
        now: Time,
        remote: SocketAddr,
        id: u32,
        datagram: &[u8],
        reply: &mut Vec<u8>,
    ) -> Route {
        match self.table.by_id(id) {
            Some(entry) if entry.remote == remote => Route::Data(entry.key),
            Some(_) => Route::Dropped(DropReason::WrongPeer),
            None => {
                // A well-formed data packet for a connection that is gone deserves a hint.
                if !matches!(udp::parse(datagram), Ok(Datagram::Data(_))) {
                    return Route::Dropped(DropReason::Malformed);
                }
                if now < self.next_no_connection {
                    return Route::Dropped(DropReason::UnknownConnection);
                }
                let start = reply.len();
                // Without the peer's own id it will not believe the hint.
                let message = messages::NoConnection {
                    from_connection_id: Some(id),
                    to_connection_id: self.table.ended(id, remote),
                };
                udp::encode_no_connection(&message, reply);
                if reply.len() - start > datagram.len() {
                    reply.truncate(start);
                    return Route::Dropped(DropReason::UnknownConnection);
                }
                self.next_no_connection = now.plus_micros(NO_CONNECTION_INTERVAL_US);
                self.drops.count(DropReason::UnknownConnection);
                Route::Reply
            }
        }
    }

    fn challenge_request(
        &mut self,
        now: Time,
        remote: SocketAddr,
        request: &messages::ChallengeRequest,
        datagram_len: usize,
        reply: &mut Vec<u8>,
    ) -> Route {
        let Some(listening) = &self.listening else {
            return Route::Dropped(DropReason::NotListening);
        };
        if request.connection_id() == 0 {
            return Route::Dropped(DropReason::Malformed);
        }
        if request.protocol_version() < MIN_PROTOCOL_VERSION {
            return Route::Dropped(DropReason::BadVersion);
        }
        if let Some(key) = self.table.by_client(remote, request.connection_id()) {
            let timestamp = None;
            let control = Control::ConnectRepeated { timestamp, answer_limit: datagram_len };
            return Route::Control(key, Box::new(control));
        }
        let message = messages::ChallengeReply {
            connection_id: request.connection_id,
            challenge: Some(listening.challenge.issue(now.as_micros(), &Address::from(remote))),
            your_timestamp: request.my_timestamp,
            protocol_version: Some(PROTOCOL_VERSION),
        };
        udp::encode_challenge_reply(&message, reply);
        Route::Reply
    }

    fn connect_request(
        &mut self,
        now: Time,
        remote: SocketAddr,
        request: ConnectRequest,
        reply: &mut Vec<u8>,
    ) -> Route {
        let Some(listening) = &self.listening else {
            return Route::Dropped(DropReason::NotListening);
        };
        let client_id = request.client_connection_id();
        if client_id == 0 {
            return Route::Dropped(DropReason::Malformed);
        }
        if !listening.challenge.check(now.as_micros(), &Address::from(remote), request.challenge())
        {
            return Route::Dropped(DropReason::BadChallenge);
        }
        if let Some(key) = self.table.by_client(remote, client_id) {
            // The challenge proved the address, so the answer may be longer than the request.
            let timestamp = request.my_timestamp;
            let control = Control::ConnectRepeated { timestamp, answer_limit: MAX_UDP_PAYLOAD };
            return Route::Control(key, Box::new(control));
        }
        if let Err(reason) = listening.admission.check(remote.ip()) {
            return Route::Dropped(reason);
        }
        let identity = crate::handshake::claimed_identity(&request);
        if self.table.has_client(client_id, &identity) {
            let refusal = messages::ConnectionClosed {
                to_connection_id: Some(client_id),
                from_connection_id: None,
                reason_code: Some(EndReason::MISC_GENERIC.0.unsigned_abs()),
                debug: Some("A connection with this id is open from another address.".into()),
            };
            udp::encode_connection_closed(&refusal, reply);
            return Route::Reply;
        }
        Route::Incoming(Box::new(Incoming { remote, received: now, request }))
    }

    fn closed(
        &mut self,
        remote: SocketAddr,
        message: messages::ConnectionClosed,
        reply: &mut Vec<u8>,
    ) -> Route {
        // An initiator that gives up early does not know our id yet.
        let key = match message.to_connection_id() {
            0 => self.table.by_client(remote, message.from_connection_id()),
            id => self.table.by_id(id).filter(|entry| entry.remote == remote).map(|e| e.key),
        };
        if let Some(key) = key {
            return Route::Control(key, Box::new(Control::Closed(message)));
        }
        self.drops.count(DropReason::UnknownConnection);
        encode_no_connection_echo(&message, reply);
        Route::Reply
    }

    fn to_connection(&self, remote: SocketAddr, id: u32, control: Control) -> Route {
        match self.table.by_id(id) {
            Some(entry) if entry.remote == remote => Route::Control(entry.key, Box::new(control)),
            Some(_) => Route::Dropped(DropReason::WrongPeer),
            None => Route::Dropped(DropReason::UnknownConnection),
        }
    }
}

/// The control message in a datagram that came over a route that was agreed on by signals: only
/// goodbyes travel there besides data (wire.md §8).
pub fn ends_connection(datagram: &[u8]) -> Option<Control> {
    match udp::parse(datagram).ok()? {
        Datagram::ConnectionClosed(message) => Some(Control::Closed(message)),
        Datagram::NoConnection(message) => Some(Control::NoConnection(message)),
        _ => None,
    }
}

/// Answers a close with the ids as its sender sees them, so that it stops repeating itself.
pub(crate) fn encode_no_connection_echo(closed: &messages::ConnectionClosed, reply: &mut Vec<u8>) {
    let message = messages::NoConnection {
        from_connection_id: closed.to_connection_id,
        to_connection_id: closed.from_connection_id,
    };
    udp::encode_no_connection(&message, reply);
}

#[cfg(test)]
mod tests;
