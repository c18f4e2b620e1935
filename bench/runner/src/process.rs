//! A child process that writes one report a line.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Instant,
};

use anyhow::{Context as _, bail};
use bench_protocol::{Figures, Report};

/// See the module. Dropping it ends the process.
pub(crate) struct Reporter {
    name: String,
    child: Child,
    reports: Receiver<anyhow::Result<Report>>,
}

impl Reporter {
    /// Starts it.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("{name} {}", arguments.first().unwrap_or(&""));
        // What a library logs is not what it is asked for.
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let out = child.stdout.take().context("standard output is a pipe")?;
        let (teller, reports) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let report = line
                    .map_err(anyhow::Error::new)
                    .and_then(|line| serde_json::from_str(&line).context(line));
                if teller.send(report).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name, child, reports })
    }

    fn next(&self, deadline: Instant) -> anyhow::Result<Report> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.reports.recv_timeout(left) {
            Ok(Ok(Report::Failed { why })) => bail!("{}: {why}", self.name),
            Ok(report) => report,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                bail!("{} takes too long", self.name)
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => bail!("{} is gone", self.name),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self, deadline: Instant) -> anyhow::Result<String> {
        match self.next(deadline)? {
            Report::Listening { address } => Ok(address.to_string()),
            other => bail!("{} says {other:?}", self.name),
        }
    }

    /// What it measured.
    pub(crate) fn figures(&self, deadline: Instant) -> anyhow::Result<Figures> {
        match self.next(deadline)? {
            Report::Measured { figures } => Ok(figures),
            other => bail!("{} says {other:?}", self.name),
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
