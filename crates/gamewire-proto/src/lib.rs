//! The sans-IO connection.
#![forbid(unsafe_code)]

pub mod config;
pub mod lane;
mod time;

pub mod acks;
pub mod congestion;
pub mod receive;
pub mod recovery;
pub mod send;
pub mod stats;

pub use time::Time;
