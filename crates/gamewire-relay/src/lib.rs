//! The relay daemon: threads, batched UDP and files around the relay of `gamewire-sdr`.
//!
//! Each thread owns one shard and two sockets, and shares nothing with the others but what the
//! operator changes. Everything that touches the operating system about packets is in [`io`]. The
//! daemon needs no service while it runs: network config and keys are files, read again as they change.

mod daemon;
mod file;
pub mod io;
mod shard;

pub use daemon::{Daemon, Snapshot, StartError};
pub use file::{AddressKey, FileError, RelayFile, read_key, write_key};
