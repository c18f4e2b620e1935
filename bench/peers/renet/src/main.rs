//! renet with netcode under the workloads.

#![forbid(unsafe_code)]

mod crowd;
mod endpoint;
mod link;
mod settings;
mod side;

use std::process::ExitCode;

fn main() -> ExitCode {
    bench_protocol::program::run::<endpoint::Instance>()
}
