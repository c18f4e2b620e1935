//! quinn, QUIC, under the workloads: a stream for each bulk message, one stream for small reliable
//! messages, datagrams for unreliable ones.

#![forbid(unsafe_code)]

mod crowd;
mod endpoint;
mod link;
mod settings;
mod trust;

use std::process::ExitCode;

fn main() -> ExitCode {
    bench_protocol::program::run::<endpoint::Instance>()
}
