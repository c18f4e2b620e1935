//! UDP and AES-256-GCM with nothing around it: what encrypted datagrams can do at most.
//!
//! Nothing is sent again, no keys are exchanged, rates are not controlled. The only courtesy is that
//! a sender stays [`link::WINDOW_BYTES`] ahead of its receiver at most, so that the limit is that of
//! both and not of a buffer that overflows.

#![forbid(unsafe_code)]

mod assembly;
mod crowd;
mod library;
mod link;
mod packets;
mod port;

use std::process::ExitCode;

fn main() -> ExitCode {
    bench_protocol::program::run::<library::Library>()
}
