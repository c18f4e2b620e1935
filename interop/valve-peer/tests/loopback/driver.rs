//! Drives one peer process: the test side of the protocol in the README.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a test waits for one line before it fails.
const DEADLINE: Duration = Duration::from_secs(30);

/// Ports tried before a listen socket counts as impossible: another process may take a free one.
const PORT_ATTEMPTS: usize = 8;

pub(crate) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// Events that were not waited for yet.
    events: VecDeque<Value>,
}

impl Peer {
    /// A peer with an initialised library.
    pub(crate) fn start(identity: Option<&str>) -> Self {
        let mut peer = Self::spawn();
        peer.ok(json!({"cmd": "init", "identity": identity}));
        peer
    }

    pub(crate) fn spawn() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gamewire-valve-peer"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer was built with this test");
        let output = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).expect("every line is JSON");
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, events: VecDeque::new() }
    }

    fn next_line(&self, until: Instant, what: &str) -> Value {
        let left = until.saturating_duration_since(Instant::now());
        self.lines
            .recv_timeout(left)
            .unwrap_or_else(|_| panic!("waited for {what}; unseen events: {:?}", self.events))
    }

    /// Sends a line as it is.
    pub(crate) fn write_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("open until quit");
        writeln!(input, "{line}").expect("the peer reads");
    }

    /// The next reply; events before it are kept.
    pub(crate) fn reply(&mut self, what: &str) -> Value {
        let until = Instant::now() + DEADLINE;
        loop {
            let line = self.next_line(until, what);
            if line.get("reply").is_some() {
                return line;
            }
            self.events.push_back(line);
        }
    }

    /// Sends a command and returns its reply.
    pub(crate) fn ask(&mut self, command: Value) -> Value {
        self.write_line(&command.to_string());
        let reply = self.reply(&command.to_string());
        assert_eq!(reply["reply"], command["cmd"], "{reply}");
        reply
    }

    /// Sends a command that must succeed.
    pub(crate) fn ok(&mut self, command: Value) -> Value {
        let reply = self.ask(command.clone());
        assert_eq!(reply["ok"], true, "{command}: {reply}");
        reply
    }

    /// Waits for the first event that fits; the others stay for later.
    pub(crate) fn event(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(position) = self.events.iter().position(&fits) {
            return self.events.remove(position).expect("just found");
        }
        let until = Instant::now() + DEADLINE;
        loop {
            let line = self.next_line(until, what);
            if fits(&line) {
                return line;
            }
            self.events.push_back(line);
        }
    }

    pub(crate) fn state(&mut self, new: &str) -> Value {
        self.event(new, |event| event["event"] == "state" && event["new"] == new)
    }

    pub(crate) fn named(&mut self, name: &str) -> Value {
        self.event(name, |event| event["event"] == name)
    }

    /// Listens on a free port of `host` and returns the address.
    pub(crate) fn listen(&mut self, host: &str, options: Value) -> String {
        for _ in 0..PORT_ATTEMPTS {
            let probe = UdpSocket::bind(format!("{host}:0")).expect("loopback exists");
            let address = probe.local_addr().expect("bound").to_string();
            drop(probe);
            let reply = self.ask(json!({"cmd": "listen", "address": address, "options": options}));
            if reply["ok"] == true {
                assert_eq!(reply["address"], address.as_str());
                return address;
            }
        }
        panic!("no free port on {host} in {PORT_ATTEMPTS} attempts");
    }

    /// Ends the peer in the orderly way and checks that it does end so.
    pub(crate) fn quit(mut self) {
        self.ok(json!({"cmd": "quit"}));
        self.input.take();
        assert!(self.child.wait().expect("our child").success());
    }

    /// Closes standard input without a word and checks that the peer ends by itself.
    pub(crate) fn hang_up(mut self) {
        self.input.take();
        assert!(self.child.wait().expect("our child").success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Only a failing test leaves a running peer behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two connected peers: server, its connection, client, its connection.
pub(crate) struct Pair {
    pub(crate) server: Peer,
    pub(crate) accepted: Value,
    pub(crate) client: Peer,
    pub(crate) connection: Value,
}

impl Pair {
    /// Connects two peers over loopback, with options on both ends.
    pub(crate) fn connect(host: &str, options: Value) -> Self {
        let mut server = Peer::start(Some("str:server"));
        let mut client = Peer::start(Some("str:client"));
        let address = server.listen(host, options.clone());
        let reply = client.ok(json!({"cmd": "connect", "address": address, "options": options}));
        let connection = reply["connection"].clone();
        let there = client.state("connected");
        assert_eq!((&there["connection"], &there["old"]), (&connection, &json!("connecting")));
        assert_eq!(there["identity"], "str:server");
        let here = server.state("connected");
        assert_eq!(here["identity"], "str:client");
        assert_ne!(here["listen_socket"], 0);
        Self { accepted: here["connection"].clone(), server, client, connection }
    }

    pub(crate) fn quit(self) {
        self.client.quit();
        self.server.quit();
    }
}
