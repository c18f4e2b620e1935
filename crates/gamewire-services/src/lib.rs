//! The services around a game: the hub, where peers find each other by identity, get certificates,
//! and learn their public address.
//!
//! This crate is the one place for tokio. A [`Hub`] brings a runtime of its own, so that it can be
//! embedded in any program; nothing of it is ever in the path of a packet. What is to outlive a
//! process, or to be shared by several, goes through one trait, [`store::Store`].
#![forbid(unsafe_code)]

mod buckets;
pub mod hub;
pub mod store;

pub use hub::{Hub, HubConfig, HubHandle};
