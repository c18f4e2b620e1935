//! ENet under the workloads. It does not encrypt.

mod crowd;
mod endpoint;
mod ffi;
mod host;
mod link;

use std::process::ExitCode;

fn main() -> ExitCode {
    bench_protocol::program::run::<endpoint::Instance>()
}
