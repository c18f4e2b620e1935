//! The exported functions. A method's first parameter is its object, as in the vtables.

pub mod config;
pub mod coordinator;
pub mod fake_udp_port;
pub mod hosted_address;
pub mod identity;
pub mod ip_addr;
pub mod library;
pub mod messages;
pub mod sockets_auth;
pub mod sockets_connecting;
pub mod sockets_info;
pub mod sockets_messages;
pub mod sockets_p2p;
pub mod sockets_relay;
pub mod text;
pub mod tools;
