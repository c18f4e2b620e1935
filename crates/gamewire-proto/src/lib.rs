//! The sans-IO connection.
#![forbid(unsafe_code)]

mod time;

pub use time::Time;
