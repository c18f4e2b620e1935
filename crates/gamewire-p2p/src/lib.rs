//! Peer to peer, sans-IO: rendezvous signals, the ICE agent with its STUN and TURN clients, port mapping.
//!
//! Nothing here reads a clock, opens a socket or keeps global state. The dialect on the wire is that
//! of Valve's library (wire.md §8 and §9); the discipline is that of RFC 8445.
#![forbid(unsafe_code)]

pub mod classification;
pub mod ice;
pub mod port_mapping;
pub mod rendezvous;
pub mod stun;
pub mod turn;

#[cfg(test)]
mod recorded;
