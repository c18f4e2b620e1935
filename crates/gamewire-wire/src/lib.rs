//! Bytes to values and back: UDP datagrams, SNP frames, protobuf messages, identities and
//! addresses as text.
//!
//! Nothing here keeps state beyond the packet at hand, reads a clock or touches a socket. Every
//! parser is bounded by its input, never panics and never allocates more than a multiple of it.
#![forbid(unsafe_code)]

pub mod address;
pub mod extensions;
pub mod hub;
pub mod identity;
pub mod limits;
pub mod messages;
pub mod relay;
pub mod snp;
pub mod truncated;
pub mod udp;
pub mod varint;

pub use address::Address;
pub use identity::Identity;
