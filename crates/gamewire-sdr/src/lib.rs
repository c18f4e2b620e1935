//! The relay network, sans-IO: network config, tickets and the other functions of a game
//! coordinator, ping locations, and the machines of relay, client and hosted server.
//!
//! Nothing here reads a clock, opens a socket or keeps global state. Formats between client, relay
//! and server are the public ones (relay-network.md); what nobody publishes is described in
//! `docs/wire/relay.md`.
#![forbid(unsafe_code)]

pub mod client;
pub mod config;
pub mod coordinator;
pub mod hosted;
pub mod location;
mod pop;
pub mod relay;
pub mod server;

pub use pop::PopId;
