//! Everything that is in an internet, as one type.

use std::net::SocketAddr;

use gamewire_proto::Time;

use super::{Host, Outgoing, Peer, StreamKey, TurnServer};

/// See the module's documentation.
pub enum Machine {
    /// Somebody who looks for a way to another.
    Peer(Box<Peer>),
    /// A STUN or TURN server.
    Server(TurnServer),
}

impl Machine {
    fn inner(&self) -> &dyn Host {
        match self {
            Self::Peer(peer) => &**peer,
            Self::Server(server) => server,
        }
    }

    fn inner_mut(&mut self) -> &mut dyn Host {
        match self {
            Self::Peer(peer) => &mut **peer,
            Self::Server(server) => server,
        }
    }

    /// The peer that it is, if it is one.
    pub fn peer(&self) -> Option<&Peer> {
        match self {
            Self::Peer(peer) => Some(peer),
            Self::Server(_) => None,
        }
    }

    /// The same, to do something with it.
    pub fn peer_mut(&mut self) -> Option<&mut Peer> {
        match self {
            Self::Peer(peer) => Some(peer),
            Self::Server(_) => None,
        }
    }

    /// The server that it is, if it is one.
    pub fn server_mut(&mut self) -> Option<&mut TurnServer> {
        match self {
            Self::Server(server) => Some(server),
            Self::Peer(_) => None,
        }
    }
}

impl Host for Machine {
    fn handle_datagram(&mut self, now: Time, to: SocketAddr, from: SocketAddr, datagram: &[u8]) {
        self.inner_mut().handle_datagram(now, to, from, datagram);
    }

    fn handle_stream(&mut self, now: Time, stream: StreamKey, bytes: &[u8]) {
        self.inner_mut().handle_stream(now, stream, bytes);
    }

    fn handle_signal(&mut self, now: Time, signal: &[u8]) {
        self.inner_mut().handle_signal(now, signal);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.inner_mut().handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.inner().poll_timeout()
    }

    fn poll_outgoing(&mut self) -> Option<Outgoing> {
        self.inner_mut().poll_outgoing()
    }
}
