//! Drives one peer process, `gamewire-valve-peer` or our `gamewire-peer`: commands in, replies and
//! events out.

use std::{
    collections::VecDeque,
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Instant,
};

use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::{Value, json};

use crate::stage::Host;

/// Names the program with Valve's library, for whoever keeps it elsewhere.
pub const PROGRAM_VARIABLE: &str = "GAMEWIRE_VALVE_PEER";
/// That program's name, which is its package's.
const VALVE_PROGRAM: &str = "gamewire-valve-peer";
/// The name of the program with ours, of this package.
const OUR_PROGRAM: &str = "gamewire-peer";
/// Where it is set, the log of every process is shown as it comes; its value is the level for `init`
/// of Valve's, 0 to 8.
pub const LOG_VARIABLE: &str = "GAMEWIRE_LAB_LOG";
/// Ports tried before a listen socket counts as impossible: another process may take a free one.
const PORT_ATTEMPTS: usize = 16;
/// Lines of the peer that are kept to be shown when a cell fails.
const KEPT_LINES: usize = 40;
/// Longest part of such a line that is shown, bytes.
const SHOWN_BYTES: usize = 300;

/// Whose library is at work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Library {
    /// Ours.
    Ours,
    /// Valve's.
    Valve,
}

impl Library {
    /// What the process is called in messages.
    pub const fn peer_name(self) -> &'static str {
        match self {
            Self::Ours => "our peer",
            Self::Valve => "Valve's peer",
        }
    }

    /// Where the program is: named by [`PROGRAM_VARIABLE`] (Valve's), beside this one or beside its
    /// parent (where tests lie), or in the directory of the other profile.
    ///
    /// # Errors
    /// It is nowhere; the text says how to build it.
    pub fn program(self) -> anyhow::Result<PathBuf> {
        let (program, package) = match self {
            Self::Ours => (OUR_PROGRAM, "gamewire-interop"),
            Self::Valve => (VALVE_PROGRAM, VALVE_PROGRAM),
        };
        let named = env::var_os(PROGRAM_VARIABLE).filter(|path| !path.is_empty());
        if let (Self::Valve, Some(path)) = (self, named) {
            return Ok(path.into());
        }
        let this = env::current_exe().context("where is this program?")?;
        let beside = this.parent().context("a program lies in a directory")?;
        let places = ["", "..", "../debug", "../release", "../../debug", "../../release"];
        let mut candidates = places.iter().map(|place| beside.join(place).join(program));
        candidates.find(|path| path.is_file()).ok_or_else(|| {
            anyhow!(
                "{program} is not built: run `cargo build -p {package}`, or name Valve's in \
                 {PROGRAM_VARIABLE} (looked around {})",
                beside.display()
            )
        })
    }
}

/// Sees every line of a process first, on the thread that reads them, and may keep it.
pub type Tap = Box<dyn FnMut(Value) -> Option<Value> + Send>;

/// The standard input of a process, which several threads write whole lines to. `None`: closed.
pub type Input = Arc<Mutex<Option<ChildStdin>>>;

/// How a process is started.
pub struct Launch {
    /// Whose library.
    pub library: Library,
    /// The program with its arguments, perhaps wrapped in another that changes its network.
    pub command: Command,
    /// Every wait ends here.
    pub deadline: Instant,
    /// See [`Tap`].
    pub tap: Tap,
}

/// A peer process. Killed when dropped.
#[derive(Debug)]
pub struct PeerProcess {
    library: Library,
    child: Child,
    input: Input,
    lines: Receiver<Value>,
    /// Events that nobody waited for yet.
    events: VecDeque<Value>,
    /// The newest lines, commands included.
    log: VecDeque<String>,
    /// The newest lines of its standard error.
    errors: Arc<Mutex<VecDeque<String>>>,
    /// Every wait ends here.
    deadline: Instant,
    /// The newest listen socket; null before the first.
    pub listen_socket: Value,
}

impl PeerProcess {
    /// Starts a peer with Valve's library, which is initialised.
    ///
    /// # Errors
    /// The program is missing or refuses.
    pub fn start(identity: Option<&str>, deadline: Instant) -> anyhow::Result<Self> {
        let library = Library::Valve;
        let command = Command::new(library.program()?);
        let mut peer = Self::launch(Launch { library, command, deadline, tap: Box::new(Some) })?;
        peer.ok(json!({"cmd": "init", "identity": identity}))?;
        Ok(peer)
    }

    /// Starts a process. Its library is not initialised yet.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn launch(launch: Launch) -> anyhow::Result<Self> {
        let Launch { library, mut command, deadline, tap } = launch;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let lines = read_lines(child.stdout.take().context("piped")?, tap);
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let stderr = child.stderr.take().context("piped")?;
        let kept = errors.clone();
        let shown = env::var_os(LOG_VARIABLE).is_some();
        let (name, since) = (library.peer_name(), Instant::now());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if shown {
                    eprintln!("{:.3} {name}: {line}", since.elapsed().as_secs_f64());
                }
                remember(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), line);
            }
        });
        let input = Arc::new(Mutex::new(child.stdin.take()));
        let (events, log) = (VecDeque::new(), VecDeque::new());
        let listen_socket = Value::Null;
        Ok(Self { library, child, input, lines, events, log, errors, deadline, listen_socket })
    }

    /// Its standard input, for whoever else has something to say to it.
    pub fn input(&self) -> Input {
        self.input.clone()
    }

    fn name(&self) -> &'static str {
        self.library.peer_name()
    }

    fn next_line(&mut self, what: &str) -> anyhow::Result<Value> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => anyhow!("{}: no {what} in time", self.name()),
            RecvTimeoutError::Disconnected => {
                anyhow!("{} ended; waited for {what}", self.name())
            }
        })?;
        remember(&mut self.log, format!("< {line}"));
        Ok(line)
    }

    /// Sends a command and returns its reply; events before it are kept.
    ///
    /// # Errors
    /// No reply.
    pub fn ask(&mut self, command: Value) -> anyhow::Result<Value> {
        let text = command.to_string();
        remember(&mut self.log, format!("> {text}"));
        write_line(&self.input, &text).context(self.name())?;
        loop {
            let line = self.next_line(&format!("reply to {text}"))?;
            if line.get("reply").is_none() {
                self.events.push_back(line);
                continue;
            }
            ensure!(line["reply"] == command["cmd"], "{line} is no reply to {text}");
            return Ok(line);
        }
    }

    /// Sends a command that must succeed.
    ///
    /// # Errors
    /// No reply, or a refusal.
    pub fn ok(&mut self, command: Value) -> anyhow::Result<Value> {
        let reply = self.ask(command.clone())?;
        ensure!(reply["ok"] == true, "{} refused {command}: {reply}", self.name());
        Ok(reply)
    }

    /// Waits for the first event that fits; the others stay for later.
    ///
    /// # Errors
    /// None comes in time.
    pub fn event(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        if let Some(position) = self.events.iter().position(&fits) {
            return self.events.remove(position).context("just found");
        }
        loop {
            let line = self.next_line(what)?;
            if fits(&line) {
                return Ok(line);
            }
            self.events.push_back(line);
        }
    }

    /// An event by name that is there already.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        while let Ok(line) = self.lines.try_recv() {
            remember(&mut self.log, format!("< {line}"));
            self.events.push_back(line);
        }
        let position = self.events.iter().position(|event| event["event"] == name)?;
        self.events.remove(position)
    }

    /// Waits for an event by name.
    ///
    /// # Errors
    /// None comes in time.
    pub fn named(&mut self, name: &str) -> anyhow::Result<Value> {
        self.event(name, |event| event["event"] == name)
    }

    /// Waits for a connection to come into a state. Another end than the one waited for is an error
    /// at once.
    ///
    /// # Errors
    /// It does not, or ends otherwise.
    pub fn state(&mut self, new: &str) -> anyhow::Result<Value> {
        let ends = ["closed_by_peer", "problem_detected_locally"];
        let event = self.event(new, |event| {
            event["event"] == "state"
                && (event["new"] == new || ends.iter().any(|end| event["new"] == *end))
        })?;
        if event["new"] != new {
            bail!("the connection of {} ended, waited for {new}: {event}", self.name());
        }
        Ok(event)
    }

    /// Listens on a free port and returns the address.
    ///
    /// # Errors
    /// The peer finds none.
    pub fn listen(&mut self, host: Host, options: &Value) -> anyhow::Result<SocketAddr> {
        let mut last = Value::Null;
        for _ in 0..PORT_ATTEMPTS {
            let address = free_port(host)?;
            let command =
                json!({"cmd": "listen", "address": address.to_string(), "options": options});
            last = self.ask(command)?;
            if last["ok"] == true {
                self.listen_socket = last["socket"].clone();
                return Ok(address);
            }
        }
        bail!("{} cannot listen: {last}", self.name())
    }

    /// Kills the process as a crash would: no goodbye.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        // Its input stays open until it is dead: the end of the input is an orderly end.
        self.child.kill().context("kill a peer")?;
        self.child.wait().context("wait for a peer")?;
        Ok(())
    }

    /// Ends the process in the orderly way.
    ///
    /// # Errors
    /// It does not end so.
    pub fn quit(&mut self) -> anyhow::Result<()> {
        self.ok(json!({"cmd": "quit"}))?;
        *self.input.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let status = self.child.wait().context("wait for a peer")?;
        ensure!(status.success(), "{} ended with {status}", self.name());
        Ok(())
    }

    /// The newest lines, for whoever asks what went wrong.
    pub fn last_lines(&self) -> String {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = self.log.iter().chain(errors.iter());
        lines.map(|line| format!("  {line}\n")).collect()
    }

    /// Gives the peer until `deadline` from now on.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // Fails only for a process that has ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The lines of a process as they come, as JSON where they are that.
fn read_lines(output: ChildStdout, mut tap: Tap) -> Receiver<Value> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
            if let Some(value) = tap(value)
                && sender.send(value).is_err()
            {
                return;
            }
        }
    });
    lines
}

/// Writes one line to a process.
///
/// # Errors
/// It has ended or does not read.
pub fn write_line(input: &Input, line: &str) -> anyhow::Result<()> {
    let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
    let input = input.as_mut().context("has ended")?;
    writeln!(input, "{line}").context("does not read")
}

/// An address of this machine whose port was free a moment ago.
///
/// # Errors
/// The system has none.
pub fn free_port(host: Host) -> anyhow::Result<SocketAddr> {
    let probe = UdpSocket::bind((host.ip(), 0)).context("a free port on loopback")?;
    Ok(probe.local_addr()?)
}

fn remember(log: &mut VecDeque<String>, mut line: String) {
    if line.len() > SHOWN_BYTES {
        line.truncate(line.floor_char_boundary(SHOWN_BYTES));
        line.push('…');
    }
    if log.len() == KEPT_LINES {
        log.pop_front();
    }
    log.push_back(line);
}
