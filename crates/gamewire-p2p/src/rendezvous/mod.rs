//! Peers that find each other by identity: signals, states, and the route that their packets take
//! (wire.md §8).
//!
//! [`PeerConnection`] is one connection of that kind: the machine of `gamewire-proto`, the agent that
//! looks for a route, and the signals that both need. The driver carries signals ([`Signal`]) over
//! whatever channel there is, best effort, and datagrams over the sockets that it registered. Nothing
//! here knows who listens on which virtual port: that is the driver's table.

mod peer;
mod queue;
mod route;
mod signal;

pub use self::{
    peer::{Fate, IceOptions, Origin, PeerConfig, PeerConnection, VirtualPorts, acts_as_initiator},
    route::RoutedTransmit,
    signal::{CLOSED_NO_CONNECTION, Closed, MAX_SIGNAL_BYTES, Request, Signal, SignalError},
};

#[cfg(test)]
mod tests;
