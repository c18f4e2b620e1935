//! Connections by identity with Valve's library: the same cells with either library as initiator
//! and as acceptor, ours with ours, and Valve's with Valve's, which shows what is Valve's own doing.
//!
//! Both sides are processes in network namespaces of their own ([`crate::lab`]); signals go by a
//! [`post`] that can lose, double and delay them; a [`meeting`] is one of each.

pub mod cells;
pub mod meeting;
pub mod nat;
pub mod post;
pub mod report;
