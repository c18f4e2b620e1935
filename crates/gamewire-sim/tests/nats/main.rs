//! Agents behind every pair of NATs: the route is as direct as theory allows, over many seeds, with
//! signals that are lost, repeated and overtaken.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // shared functions of a test are not seen as one

mod faults;
mod matrix;
mod world;
