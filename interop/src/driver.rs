//! Drives one `gamewire-valve-peer`: commands in, replies and events out.

use std::{
    collections::VecDeque,
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
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

/// Names the program, for whoever keeps it elsewhere.
pub const PROGRAM_VARIABLE: &str = "GAMEWIRE_VALVE_PEER";
/// The program's name.
const PROGRAM: &str = "gamewire-valve-peer";
/// Ports tried before a listen socket counts as impossible: another process may take a free one.
const PORT_ATTEMPTS: usize = 16;
/// Lines of the peer that are kept to be shown when a cell fails.
const KEPT_LINES: usize = 40;
/// Longest part of such a line that is shown, bytes.
const SHOWN_BYTES: usize = 300;

/// Where the program is: named by [`PROGRAM_VARIABLE`], beside this one or beside its parent
/// (where tests lie), or in the directory of the other profile.
///
/// # Errors
/// It is nowhere; the text says how to build it.
pub fn program() -> anyhow::Result<PathBuf> {
    if let Some(path) = env::var_os(PROGRAM_VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let this = env::current_exe().context("where is this program?")?;
    let beside = this.parent().context("a program lies in a directory")?;
    let places = ["", "..", "../debug", "../release", "../../debug", "../../release"];
    let mut candidates = places.iter().map(|place| beside.join(place).join(PROGRAM));
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        anyhow!(
            "{PROGRAM} is not built: run `cargo build -p {PROGRAM}`, or name it in \
             {PROGRAM_VARIABLE} (looked around {})",
            beside.display()
        )
    })
}

/// A peer process. Killed when dropped.
#[derive(Debug)]
pub struct ValvePeer {
    child: Child,
    input: Option<ChildStdin>,
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

impl ValvePeer {
    /// Starts a peer whose library is initialised.
    ///
    /// # Errors
    /// The program is missing or refuses.
    pub fn start(identity: Option<&str>, deadline: Instant) -> anyhow::Result<Self> {
        let path = program()?;
        let mut child = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| path.display().to_string())?;
        let output = child.stdout.take().context("piped")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let stderr = child.stderr.take().context("piped")?;
        let kept = errors.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                remember(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), line);
            }
        });
        let input = child.stdin.take();
        let (events, log) = (VecDeque::new(), VecDeque::new());
        let mut peer =
            Self { child, input, lines, events, log, errors, deadline, listen_socket: Value::Null };
        peer.ok(json!({"cmd": "init", "identity": identity}))?;
        Ok(peer)
    }

    fn next_line(&mut self, what: &str) -> anyhow::Result<Value> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => anyhow!("Valve's peer: no {what} in time"),
            RecvTimeoutError::Disconnected => anyhow!("Valve's peer ended; waited for {what}"),
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
        let input = self.input.as_mut().context("Valve's peer has ended")?;
        writeln!(input, "{text}").context("Valve's peer does not read")?;
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
        ensure!(reply["ok"] == true, "Valve's peer refused {command}: {reply}");
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
            bail!("Valve's connection ended, waited for {new}: {event}");
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
        bail!("Valve's peer cannot listen: {last}")
    }

    /// Kills the process as a crash would: no goodbye.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        // Its input stays open until it is dead: the end of the input is an orderly end.
        self.child.kill().context("kill Valve's peer")?;
        self.child.wait().context("wait for Valve's peer")?;
        Ok(())
    }

    /// Ends the process in the orderly way.
    ///
    /// # Errors
    /// It does not end so.
    pub fn quit(&mut self) -> anyhow::Result<()> {
        self.ok(json!({"cmd": "quit"}))?;
        self.input = None;
        let status = self.child.wait().context("wait for Valve's peer")?;
        ensure!(status.success(), "Valve's peer ended with {status}");
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

impl Drop for ValvePeer {
    fn drop(&mut self) {
        // Fails only for a process that has ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
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
