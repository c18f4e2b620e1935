//! Starting other programs, with their output kept and a limit to their time.

use std::{
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

/// How often a child is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// How many of the last lines of an output are shown when a program fails.
const SHOWN_LINES: usize = 15;

/// What a program wrote, and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Finished {
    /// The end of what it wrote, for a person to read.
    #[must_use]
    pub fn tail(&self) -> String {
        let lines: Vec<&str> = self.output.lines().chain(self.errors.lines()).collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

/// Runs a command to its end, or ends it when it outlives `limit`.
///
/// # Errors
/// It cannot be started, or took too long.
pub fn run(name: &str, command: &mut Command, limit: Duration) -> anyhow::Result<Finished> {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let output = collect(child.stdout.take().context("piped")?);
    let errors = collect(child.stderr.take().context("piped")?);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("{name} did not end within {} s", limit.as_secs());
        }
        thread::sleep(POLL_INTERVAL);
    };
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        let bytes = reader.join().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Finished { code: status.code(), output: text(output), errors: text(errors) })
}

/// As [`run`], for a command that must succeed; returns what it wrote.
///
/// # Errors
/// As [`run`]; and its exit code is not zero, with the end of what it wrote.
pub fn succeed(name: &str, command: &mut Command, limit: Duration) -> anyhow::Result<String> {
    let finished = run(name, command, limit)?;
    if finished.code != Some(0) {
        bail!("{name} failed:\n{}", finished.tail());
    }
    Ok(finished.output)
}

fn collect(mut source: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is what there is.
        let _read = source.read_to_end(&mut bytes);
        bytes
    })
}
