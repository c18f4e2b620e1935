//! Gamewire under the workloads.

#![forbid(unsafe_code)]

mod crowd;
mod library;
mod link;
mod settings;

use std::process::ExitCode;

fn main() -> ExitCode {
    bench_protocol::program::run::<library::Library>()
}
