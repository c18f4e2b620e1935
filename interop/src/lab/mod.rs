//! Networks of our own: a public one, and private ones behind routers that translate addresses.
//!
//! Everything is made of network namespaces inside the one that [`crate::namespace::enter`] leads
//! into, and goes with this process. The public network is a bridge in the namespace of this process
//! itself, with the servers on it; every peer is a process in a namespace of its own.

mod namespace;
mod network;
mod router;
mod servers;

pub use self::{
    namespace::Namespace,
    network::{Families, Home, PublicNetwork},
    router::{Filtering, Mapping, Nat},
    servers::{SERVERS, Servers, TURN_PASSWORD, TURN_USER},
};
