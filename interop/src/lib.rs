//! The interop matrix: our library and Valve's C++ library talk to each other, in both roles. And
//! [`abi`]: our shared library stands in for Valve's.
//!
//! Valve's library runs in a process of its own, `gamewire-valve-peer`, and is driven over its
//! standard input ([`driver`]); ours runs here ([`ours`]). A [`stage`] is one of each; a [`cell`] is
//! one thing that must work between them in one role; [`matrix`] lists them all. Messages have
//! [`content`] that either side can compute, so each can say of what arrived whether it is right
//! ([`verify`]).
//!
//! [`real`] lets our library talk to itself through the kernel, over a bad path.
//!
//! This crate never decides whether a difference is acceptable: a cell passes or fails, and one that
//! could not run has failed.
#![forbid(unsafe_code)]

pub mod abi;
pub mod cell;
pub mod content;
pub mod driver;
pub mod lab;
pub mod matrix;
pub mod namespace;
pub mod our_peer;
pub mod ours;
pub mod p2p;
pub mod real;
pub mod runner;
pub mod runs;
pub mod stage;
pub mod table;
pub mod verify;
