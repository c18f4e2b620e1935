//! Starting other programs: always from the workspace root, always named in the error.

use std::{
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::workspace;

/// How often a child with a deadline is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A command in the workspace root, with incremental builds off: they only pay off in an editor and cost disk.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root()).env("CARGO_INCREMENTAL", "0");
    command
}

/// Runs to the end with our own standard streams; an exit code other than zero is an error.
pub(crate) fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    check(program, command(program, arguments))
}

/// As [`run`], for a command that is already put together.
pub(crate) fn check(name: &str, mut command: Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

/// Whether the command can be started and succeeds, silently.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    command(program, arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Waits for a child, and ends it when it outlives `limit`.
pub(crate) fn wait_at_most(name: &str, child: &mut Child, limit: Duration) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("{name} ended with {status}");
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("{name} did not end within {} s", limit.as_secs());
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Runs to the end and returns what it wrote to standard output; errors pass through to ours.
pub(crate) fn capture(name: &str, mut command: Command) -> anyhow::Result<String> {
    let output: Output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name} ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} wrote no UTF-8"))
}
