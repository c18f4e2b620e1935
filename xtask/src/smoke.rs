//! Short runs of the released program: does it do what it promises, not how fast.

use std::{net::UdpSocket, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{commands, process, tidy};

/// How long the demonstration may take before it counts as hanging.
const DEMO_LIMIT: Duration = Duration::from_secs(180);

/// How long a benchmark of one second may take before it counts as hanging.
const BENCH_LIMIT: Duration = Duration::from_secs(60);

/// The numbers that `gamewire perf client --json` promises.
const BENCH_KEYS: [&str; 5] =
    ["bytes_per_s", "messages_per_s", "lost_messages", "cpu_seconds", "rtt_us"];

/// The demonstration ends by itself with success, and the README names commands that exist.
pub(crate) fn demo() -> anyhow::Result<()> {
    let program = commands::release_program("gamewire")?;
    let program = program.to_string_lossy();
    let help = process::capture("gamewire --help", process::command(&program, &["--help"]))?;
    tidy::commands_match_help(&help)?;
    let mut child = process::command(&program, &["demo"]).spawn()?;
    process::wait_at_most("gamewire demo", &mut child, DEMO_LIMIT)
}

/// A benchmark of one second between two processes prints its numbers as JSON.
pub(crate) fn bench() -> anyhow::Result<()> {
    let program = commands::release_program("gamewire")?;
    let program = program.to_string_lossy();
    let address = free_address()?;
    let mut server = process::command(&program, &["perf", "server", "--listen", &address])
        .stdout(Stdio::null())
        .spawn()?;
    let result = bench_client(&program, &address);
    server.kill()?;
    server.wait()?;
    result
}

fn bench_client(program: &str, address: &str) -> anyhow::Result<()> {
    let arguments = ["perf", "client", "--connect", address, "--duration", "1", "--json"];
    let mut child = process::command(program, &arguments).stdout(Stdio::piped()).spawn()?;
    // The object is far smaller than a pipe holds, so reading it after the end cannot block the client.
    process::wait_at_most("gamewire perf client", &mut child, BENCH_LIMIT)?;
    let text = std::io::read_to_string(child.stdout.take().context("standard output is a pipe")?)?;
    println!("{}", text.trim());
    check_bench(&text)
}

fn check_bench(text: &str) -> anyhow::Result<()> {
    let report: Value = serde_json::from_str(text).context("perf --json wrote no JSON object")?;
    for key in BENCH_KEYS {
        if report.get(key).is_none() {
            bail!("perf --json wrote no `{key}`");
        }
    }
    for key in ["bytes_per_s", "messages_per_s"] {
        if report[key].as_f64().is_none_or(|number| number <= 0.0) {
            bail!("perf --json says that `{key}` is {}", report[key]);
        }
    }
    Ok(())
}

/// An address on loopback that was free a moment ago.
fn free_address() -> anyhow::Result<String> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_must_have_moved_data() {
        let report = |bytes: f64| {
            serde_json::json!({
                "bytes_per_s": bytes, "messages_per_s": 1.0, "lost_messages": 0,
                "cpu_seconds": 0.1, "rtt_us": { "p50": 1, "p99": 2, "p999": 3 },
            })
            .to_string()
        };
        check_bench(&report(1.0)).unwrap();
        assert!(check_bench(&report(0.0)).is_err());
        assert!(check_bench("{}").is_err());
        assert!(check_bench("not JSON").is_err());
    }
}
