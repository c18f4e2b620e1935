//! The workloads, written once for every peer: what is sent, what is counted, how it is told.
//!
//! A peer is a program that implements [`Endpoint`] and [`Link`] for one library and hands itself to
//! [`program::run`]. The runner starts it twice, as server and as client, each on a core of its own, and
//! reads one JSON object a line from its standard output. This crate knows no library; no peer
//! knows how a workload is measured.

#![forbid(unsafe_code)]

pub mod clock;
pub mod crowd;
pub mod link;
pub mod message;
mod paced;
mod ping;
pub mod plan;
pub mod program;
mod quantiles;
pub mod report;
mod stream;

pub use self::{
    crowd::Crowd,
    link::{Delivery, Endpoint, Link},
    plan::{Plan, Workload},
    report::{Figures, Report},
};
