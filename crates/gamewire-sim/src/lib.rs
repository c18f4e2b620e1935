//! A deterministic world for the sans-IO machines: clock, hosts, links, faults, checkers.
//!
//! [`world::World`] moves virtual time from event to event and datagrams over a
//! [`network::Network`] whose links delay, lose, swap, repeat and alter them as a seed decides.
//! [`host::Host`] drives the real machines of `gamewire-proto` as a driver with sockets would;
//! [`checkers`] judge from outside; [`scenario`] says what happens and when it must be over.
//! The same seed gives the same run, datagram for datagram.
//! [`internet`] has NATs, and TURN servers, for machines that look for a way to each other.
//! [`lab`] measures how flows fare on a path, beside each other and beside TCP.
//!
//! Nothing here reads a clock or opens a socket.
#![forbid(unsafe_code)]

pub mod checkers;
pub mod content;
pub mod host;
pub mod internet;
pub mod lab;
pub mod network;
pub mod rng;
pub mod scenario;
pub mod world;
