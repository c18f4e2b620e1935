//! Filled in shortly.

pub mod fake_network;
pub mod io;

pub use gamewire_proto::Time;
