//! What is set, by name.

use std::ffi::c_int;

use anyhow::{Context as _, bail};
use bench_protocol::Workload;

/// Numbers of Valve's configuration values, from its public header.
const SEND_BUFFER_SIZE: c_int = 9;
const SEND_RATE_MIN: c_int = 10;
const SEND_RATE_MAX: c_int = 11;
const RECV_BUFFER_SIZE: c_int = 47;
const RECV_BUFFER_MESSAGES: c_int = 48;

/// The library takes no more, in bytes per second.
const CLAMP: i32 = 100 << 20;
/// Above this rate a stream of small reliable messages makes it fail an assertion.
const SMALL_RELIABLE: i32 = 80_000_000;
const SEND_BUFFER_BYTES: i32 = 4 << 20;
/// Of small reliable messages no more may wait: the time that a retry takes grows with their number,
/// and beyond 65,535 outstanding segments the process aborts.
const SMALL_SEND_BUFFER_BYTES: i32 = 256 << 10;
const RECV_BUFFER_BYTES: i32 = 16 << 20;
const RECV_BUFFER_UNREAD: i32 = 1 << 20;

/// Values for the whole process.
///
/// - `defaults`: nothing is set.
/// - `tuned`: the largest fixed rate that the library survives with this workload, and large buffers.
/// - `rate:N`: a fixed rate of N bytes per second, and large buffers.
pub(crate) fn values(name: &str, workload: Workload) -> anyhow::Result<Vec<(c_int, i32)>> {
    let rate = match (name.strip_prefix("rate:"), name) {
        (Some(rate), _) => rate.parse().context("a rate is a number")?,
        (None, "tuned") if workload == Workload::SmallReliable => SMALL_RELIABLE,
        (None, "tuned") => CLAMP,
        (None, "defaults") => return Ok(Vec::new()),
        (None, _) => bail!("no settings are called {name}"),
    };
    let send_buffer = match workload {
        Workload::SmallReliable => SMALL_SEND_BUFFER_BYTES,
        _ => SEND_BUFFER_BYTES,
    };
    Ok(vec![
        (SEND_RATE_MIN, rate),
        (SEND_RATE_MAX, rate),
        (SEND_BUFFER_SIZE, send_buffer),
        (RECV_BUFFER_SIZE, RECV_BUFFER_BYTES),
        (RECV_BUFFER_MESSAGES, RECV_BUFFER_UNREAD),
    ])
}
