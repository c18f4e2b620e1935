//! The C++ library of Valve under the workloads, in manual poll mode. It lives in a program of its
//! own, because its symbols and ours would meet under the same names.

mod crowd;
mod endpoint;
mod library;
mod link;
mod messages;
mod settings;

use std::process::ExitCode;

fn main() -> ExitCode {
    bench_protocol::program::run::<endpoint::Instance>()
}
