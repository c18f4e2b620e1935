//! The hub from outside: a client that knows no more than the protocol, over real sockets.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod certificates;
mod common;
mod logins;
mod redis;
mod service;
mod signals;
