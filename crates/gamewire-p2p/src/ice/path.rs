//! What carries datagrams: a socket of ours, an address of the peer, perhaps a relay between them.

use std::net::SocketAddr;

/// A socket of the driver's.
///
/// UDP sockets, each bound to one local address, have numbers below [`SocketId::FIRST_STREAM`],
/// chosen by the driver. Streams to TURN servers (TCP or TLS) have the others, chosen by the agent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId(pub u8);

impl SocketId {
    /// The lowest number of a stream.
    pub const FIRST_STREAM: u8 = 128;

    /// Whether it is a stream: what is sent there are bytes without borders.
    pub const fn is_stream(self) -> bool {
        self.0 >= Self::FIRST_STREAM
    }
}

/// One allocation at a TURN server, for the life of an agent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RelayId(pub u8);

/// What a user should know about a route (wire.md §9, "Route type").
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RouteKind {
    /// The peer is on one of our own private subnets.
    Local,
    /// Straight through the internet.
    Direct,
    /// Through a TURN server, ours or the peer's.
    Relayed,
}

/// A pair of addresses in use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Path {
    /// The socket that datagrams leave from; for a relayed path the one that talks to the server.
    pub socket: SocketId,
    /// The peer's address, as seen on that socket, or by the relay.
    pub remote: SocketAddr,
    /// The allocation through which it goes, if any of ours.
    pub relay: Option<RelayId>,
    /// What kind of route it is.
    pub kind: RouteKind,
}

/// What datagrams leave from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Base {
    /// A socket of the driver's.
    Socket(SocketId),
    /// An address at a TURN server.
    Relay(RelayId),
}

impl Base {
    /// The base of a path.
    pub(super) fn of(path: Path) -> Self {
        path.relay.map_or(Self::Socket(path.socket), Self::Relay)
    }
}
