//! The namespaces, what connects them, and what slows that down.

use std::{
    env,
    fs::OpenOptions,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};

/// Where the server is, in its namespace.
pub const SERVER_IP: &str = "10.77.2.2";
const CLIENT_ADDRESS: &str = "10.77.1.2/24";
const ROUTER_TO_CLIENT: &str = "10.77.1.1";
const ROUTER_TO_SERVER: &str = "10.77.2.1";
/// What `tc tbf` lets pass at once, in bytes.
const BURST_BYTES: u64 = 16 * 1024;

/// What the path does to packets.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// Rate of the bottleneck from client to server.
    pub mbit: u64,
    /// Round trip of the empty path.
    pub rtt_ms: u64,
    /// Length of the bottleneck's queue, in packets' time there.
    pub queue_ms: u64,
    /// Evenly spread from zero, each way.
    pub jitter_us: u64,
    /// Lost before the bottleneck, and on the way back, in each hundred.
    pub loss_percent: u64,
    /// Overtaken, and doubled, in each thousand.
    pub disorder_permille: u64,
}

impl Path {
    /// What the bottleneck carries, packet headers included.
    pub fn bytes_per_second(&self) -> f64 {
        self.mbit as f64 * 125_000.0
    }

    fn queue_bytes(&self) -> u64 {
        self.mbit * 125 * self.queue_ms
    }
}

/// A process of ours in a network namespace of its own.
#[derive(Debug)]
pub struct Party {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Party {
    /// Starts this program again, in a new namespace, with these arguments.
    ///
    /// # Errors
    /// The namespace is refused, or the program does not start.
    pub fn start(arguments: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["-n", "--"]).arg(env::current_exe()?).args(arguments);
        let mut party = Self::spawn(command)?;
        party.expect("started")?;
        Ok(party)
    }

    fn spawn(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self { child, input, output })
    }

    fn process(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints.
    ///
    /// # Errors
    /// It ended.
    pub fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let length = self.output.read_line(&mut line)?;
        if length == 0 {
            bail!("it ended early: {}", self.child.wait()?);
        }
        Ok(line.trim_end().to_owned())
    }

    /// Waits for a line.
    ///
    /// # Errors
    /// Another one came, or it ended.
    pub fn expect(&mut self, wanted: &str) -> anyhow::Result<()> {
        let line = self.line()?;
        ensure!(line == wanted, "{wanted:?} was to come, not {line:?}");
        Ok(())
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It ended.
    pub fn go(&mut self) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("its input is closed")?;
        Ok(writeln!(input, "go")?)
    }

    /// Closes its input, and takes its last line.
    ///
    /// # Errors
    /// It ended without one, or badly.
    pub fn finish(mut self) -> anyhow::Result<String> {
        self.input = None;
        let line = self.line()?;
        let status = self.child.wait()?;
        ensure!(status.success(), "{status}");
        Ok(line)
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both parties, connected; everything goes when this is dropped.
#[derive(Debug)]
pub struct Network {
    /// In the namespace behind the middlebox.
    pub client: Party,
    /// In the namespace behind the bottleneck.
    pub server: Party,
    _middlebox: Option<Party>,
}

/// Whether this process may make TUN devices; without them there is no middlebox.
pub fn has_tun() -> bool {
    OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_ok()
}

impl Network {
    /// Connects two parties by a path; without TUN by one that is narrow, but neither long nor bad.
    ///
    /// # Errors
    /// Anything that is missing: rights, TUN, `ip`, `tc`, the middlebox.
    pub fn new(path: &Path, client: Party, server: Party) -> anyhow::Result<Self> {
        let (near, far) = (client.process(), server.process());
        // The devices of the last network may still be here.
        for device in ["gwfar", "gwmid"] {
            let _ = Command::new("ip").args(["link", "del", device]).stderr(Stdio::null()).status();
        }
        let middlebox = if has_tun() {
            Some(start_middlebox(path, &client)?)
        } else {
            run(None, "ip link add gwmid type veth peer name gwnear")?;
            run(None, &format!("ip link set gwnear netns {near}"))?;
            None
        };
        run(None, "ip link add gwfar type veth peer name gwup")?;
        run(None, &format!("ip link set gwup netns {far}"))?;
        run(None, &format!("ip addr add {ROUTER_TO_SERVER}/24 dev gwfar"))?;
        run(None, "ip link set gwfar up")?;
        run(Some(far), &format!("ip addr add {SERVER_IP}/24 dev gwup"))?;
        run(Some(far), "ip link set gwup up")?;
        run(Some(far), &format!("ip route add default via {ROUTER_TO_SERVER}"))?;
        run(None, &format!("ip addr add {ROUTER_TO_CLIENT}/24 dev gwmid"))?;
        run(None, "ip link set gwmid up")?;
        run(Some(near), &format!("ip addr add {CLIENT_ADDRESS} dev gwnear"))?;
        run(Some(near), "ip link set gwnear up")?;
        // For TCP; the machine's own default may be anything.
        run(Some(near), &format!("ip route add default via {ROUTER_TO_CLIENT} congctl cubic"))?;
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("ip_forward")?;
        let (mbit, limit) = (path.mbit, path.queue_bytes());
        run(
            None,
            &format!(
                "tc qdisc add dev gwfar root tbf rate {mbit}mbit burst {BURST_BYTES} limit {limit}"
            ),
        )?;
        Ok(Self { client, server, _middlebox: middlebox })
    }
}

fn start_middlebox(path: &Path, client: &Party) -> anyhow::Result<Party> {
    let program = env::current_exe()?.with_file_name("gamewire-middlebox");
    ensure!(program.exists(), "{} is not built", program.display());
    let mut command = Command::new(program);
    command.arg(format!("gwnear@{}", client.process())).arg("gwmid");
    let mut set = |name: &str, value: u64| {
        command.arg(format!("--{name}={value}"));
    };
    set("delay-us", path.rtt_ms * 500);
    set("jitter-us", path.jitter_us);
    set("loss-ppm", path.loss_percent * 10_000);
    set("reorder-ppm", path.disorder_permille * 1_000);
    set("duplicate-ppm", path.disorder_permille * 1_000);
    let mut middlebox = Party::spawn(command)?;
    middlebox.expect("ready")?;
    Ok(middlebox)
}

/// Runs a command, in the namespace of a process if one is given.
fn run(process: Option<u32>, line: &str) -> anyhow::Result<()> {
    let mut words = line.split(' ');
    let mut command = match process {
        None => Command::new(words.next().context("no command")?),
        Some(process) => {
            let mut command = Command::new("nsenter");
            command.args(["-t", &process.to_string(), "-n", "--"]);
            command
        }
    };
    let output = command.args(words).output().with_context(|| line.to_owned())?;
    if !output.status.success() {
        bail!("`{line}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
