//! Running the command and reading what it says.
#![allow(dead_code, reason = "not every test binary needs all of this")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn gamewire(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gamewire"));
    command.args(arguments).env_remove("GAMEWIRE_ROOTS").env_remove("GAMEWIRE_APPID");
    command
}

/// Runs to the end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    gamewire(arguments).stdin(Stdio::null()).output().unwrap()
}

/// A process whose output is read line by line; killed at the end of the test.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child =
            gamewire(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, input, lines }
    }

    /// Reads on until a line holds the text; returns that line.
    pub(crate) fn expect(&self, text: &str) -> String {
        let give_up = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("`{text}` never came ({error}), only {seen:#?}"),
            }
        }
    }

    /// The address from the line `listening on ADDR`.
    pub(crate) fn address(&self) -> String {
        self.expect("listening on ").rsplit(' ').next().unwrap().to_owned()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends the input and waits for the end of the process.
    pub(crate) fn finish(mut self) -> ExitStatus {
        self.input = None;
        self.wait()
    }

    /// Waits for the end of the process, which must come by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let give_up = Instant::now() + PATIENCE;
        // Its output ends when it ends.
        while Instant::now() < give_up {
            let left = give_up.saturating_duration_since(Instant::now());
            if self.lines.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Disconnected) {
                return self.child.wait().unwrap();
            }
        }
        panic!("the process does not end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
