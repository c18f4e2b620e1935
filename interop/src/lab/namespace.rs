//! One network namespace.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, ensure};

/// A network namespace with loopback up, held by a process that ends with this one.
#[derive(Debug)]
pub struct Namespace {
    holder: Child,
}

impl Namespace {
    /// Makes one.
    ///
    /// # Errors
    /// We may not; see [`crate::namespace::enter`].
    pub fn new() -> anyhow::Result<Self> {
        // `cat` lives until its input ends, which it does when we do.
        let script = "ip link set lo up && echo ready && exec cat";
        let mut command = Command::new("unshare");
        command.args(["-n", "--", "sh", "-c", script]);
        let holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut namespace = Self { holder: holder.context("unshare")? };
        let output = namespace.holder.stdout.take().context("piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).context("the holder of a namespace")?;
        ensure!(line == "ready\n", "`unshare -n` made no namespace with loopback");
        Ok(namespace)
    }

    /// What `ip link … netns` takes.
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// A program that runs inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid().to_string(), "-n", "--"]).arg(program);
        command
    }

    /// Carries out lines of `ip` inside.
    ///
    /// # Errors
    /// One fails.
    pub fn ip(&self, lines: &str) -> anyhow::Result<()> {
        let mut command = self.command("ip");
        command.args(["-batch", "-"]);
        feed(command, lines)
    }

    /// Loads rules of `nft` inside.
    ///
    /// # Errors
    /// They are refused.
    pub fn nft(&self, rules: &str) -> anyhow::Result<()> {
        let mut command = self.command("nft");
        command.args(["-f", "-"]);
        feed(command, rules)
    }

    /// Sets a value under `/proc/sys/net`, which shows those of the namespace that looks.
    ///
    /// # Errors
    /// There is no such value.
    pub fn sysctl(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let path = Path::new("/proc/sys/net").join(name);
        let mut command = self.command("tee");
        command.arg(path);
        feed(command, value)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _status = self.holder.wait();
    }
}

/// Carries out lines of `ip` in the namespace of this process.
///
/// # Errors
/// One fails.
pub(super) fn ip_here(lines: &str) -> anyhow::Result<()> {
    let mut command = Command::new("ip");
    command.args(["-batch", "-"]);
    feed(command, lines)
}

fn feed(mut command: Command, input: &str) -> anyhow::Result<()> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    child.stdin.take().context("piped")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {errors}\n{input}");
    Ok(())
}
