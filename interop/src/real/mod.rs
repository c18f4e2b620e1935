//! The congestion control through the real stack: our library in two processes, in two network
//! namespaces, over a path that the kernel limits and a middlebox makes bad.
//!
//! ```text
//! client ── TUN ── gamewire-middlebox ── TUN ── router ── tc tbf, veth ── server
//! ```
//! The simulator asserts the same over many seeds ([`gamewire-sim`'s lab]); here one run of each
//! shows that sockets, clocks, threads and the kernel do not undo it. What is asserted are shares of
//! the bytes that the path carries; delays are held to a margin that a busy machine does not need.
//!
//! [`gamewire-sim`'s lab]: https://docs.rs/gamewire-sim

pub mod cases;
pub mod network;
pub mod peer;
pub mod record;
