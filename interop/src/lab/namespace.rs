//! One network namespace.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

/// How long an interface may take to carry packets.
const CARRIER_TIME: Duration = Duration::from_secs(5);

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

    /// Waits until an interface carries packets, which the kernel notices a moment after it is up.
    ///
    /// # Errors
    /// It never does.
    pub fn wait_for_carrier(&self, interface: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + CARRIER_TIME;
        loop {
            let mut command = self.command("ip");
            let output = command.args(["-o", "link", "show", "dev", interface]).output()?;
            if String::from_utf8_lossy(&output.stdout).contains("state UP") {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{interface} gets no carrier");
            thread::sleep(Duration::from_millis(5));
        }
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
