//! The client of one TURN allocation (RFC 8656): an address at a relay through which peers are
//! reached that no direct path leads to.
//!
//! It speaks to one server, from one socket or stream that others carry. Long-term credentials,
//! permissions, channels, refreshes; requests are sent again as checks are. Data go in channels where
//! the server grants them, in Send indications until then.

mod client;
mod frames;
mod request;

pub use client::{
    Client, Data, MAX_CHANNELS, MAX_PERMISSIONS, Outcome, PERMISSION_REFRESH, TurnError,
};
pub use frames::{FrameError, Frames, MAX_FRAME};

#[cfg(test)]
mod tests;
