//! What a connection tells its driver.

use std::net::SocketAddr;

/// Where a connection stands (api.md §3.3, `ESteamNetworkingConnectionState`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ConnectionState {
    /// The application sees no connection: before the start, and after it closed the connection.
    None,
    /// The handshake runs, or waits for the application to accept.
    Connecting,
    /// The handshake is done, a route is being looked for.
    FindingRoute,
    /// Messages flow.
    Connected,
    /// The peer ended it; unread messages can still be received.
    ClosedByPeer,
    /// It broke: see the end reason.
    ProblemDetectedLocally,
}

impl ConnectionState {
    /// Whether messages flow, or may yet: it is neither over nor closed.
    pub const fn is_alive(self) -> bool {
        match self {
            Self::Connecting | Self::FindingRoute | Self::Connected => true,
            Self::None | Self::ClosedByPeer | Self::ProblemDetectedLocally => false,
        }
    }
}

/// Something that the application may want to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The application-visible state changed.
    StateChanged {
        /// State before.
        old: ConnectionState,
        /// State now.
        new: ConnectionState,
    },
    /// There is room again after a send was refused.
    Writable,
    /// Nothing more will come of this connection: the driver forgets it.
    Drained,
}

/// Datagrams to send, all to one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Where to.
    pub destination: SocketAddr,
    /// Bytes appended to the output buffer.
    pub len: usize,
    /// Length of each datagram but the last, which may be shorter; `None`: one datagram.
    pub segment_size: Option<usize>,
}
