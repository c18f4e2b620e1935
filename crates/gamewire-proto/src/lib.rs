//! The sans-IO connection: handshake, reliable and unreliable messages over lanes, loss recovery,
//! rate control, statistics, end of life; and the endpoint that challenges and demultiplexes.
//!
//! Every machine here is fed with time, bytes and commands, and drained of datagrams, messages and
//! events. None reads a clock, opens a socket, locks, or calls back. See [`connection`] and
//! [`endpoint`] for the two that a driver meets.
#![forbid(unsafe_code)]

pub mod acks;
pub mod config;
pub mod congestion;
pub mod connection;
pub mod drops;
pub mod end;
pub mod endpoint;
pub mod event;
pub mod handshake;
pub mod lane;
pub mod log;
pub mod receive;
pub mod recovery;
pub mod send;
pub mod stats;
mod time;

pub use time::Time;
