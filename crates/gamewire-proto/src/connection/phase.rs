//! The life of a connection, one variant per stretch of it.

use crate::{
    Time,
    event::ConnectionState,
    handshake::{Acceptor, HandshakeHalf, Initiator, RendezvousAcceptor, RendezvousInitiator},
};

/// How long an ended connection goes on telling late packets so (wire.md §6, FinWait).
pub(super) const FIN_WAIT_US: u64 = 5_000_000;

/// At most one repeated goodbye in this time.
pub(super) const GOODBYE_INTERVAL_US: u64 = 100_000;

/// Where a connection stands inside.
#[derive(Debug)]
pub(super) enum Phase {
    /// We asked; the acceptor has not answered yet.
    Initiating(Box<Initiator>),
    /// We were asked; our application has not answered yet.
    AwaitingAccept(Box<Acceptor>),
    /// We asked by signal; the peer has not answered yet.
    Requesting(Box<RendezvousInitiator>),
    /// We were asked by signal; our application has not answered yet.
    Requested(Box<RendezvousAcceptor>),
    /// There are keys, and no way to the peer yet.
    FindingRoute(Box<RouteSearch>),
    /// Messages flow.
    Connected,
    /// Our application closed it, reliable messages still wait for their acknowledgement.
    Lingering,
    /// The peer ended it; our application has not closed it yet.
    ClosedByPeer,
    /// It broke; our application has not closed it yet.
    Broken(Goodbye),
    /// Our application closed it; late packets are told so.
    FinWait(Goodbye),
    /// Nothing more will happen.
    Dead,
}

/// A connection that looks for a route.
#[derive(Debug)]
pub(super) struct RouteSearch {
    /// Since when.
    pub(super) since: Time,
    /// The acceptor's half of the key exchange, to be signaled until the initiator has it.
    pub(super) answer: Option<HandshakeHalf>,
}

/// The repetition of a goodbye.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goodbye {
    /// When to stop; without effect while the application has not closed the connection.
    pub(super) until: Time,
    /// No goodbye before this moment.
    pub(super) next: Time,
}

impl Goodbye {
    pub(super) fn starting(now: Time) -> Self {
        Self { until: now.plus_micros(FIN_WAIT_US), next: now.plus_micros(GOODBYE_INTERVAL_US) }
    }
}

impl Phase {
    /// What the application sees.
    pub(super) fn visible(&self) -> ConnectionState {
        match self {
            Self::Initiating(_)
            | Self::AwaitingAccept(_)
            | Self::Requesting(_)
            | Self::Requested(_) => ConnectionState::Connecting,
            Self::FindingRoute(_) => ConnectionState::FindingRoute,
            Self::Connected => ConnectionState::Connected,
            Self::ClosedByPeer => ConnectionState::ClosedByPeer,
            Self::Broken(_) => ConnectionState::ProblemDetectedLocally,
            Self::Lingering | Self::FinWait(_) | Self::Dead => ConnectionState::None,
        }
    }
}
