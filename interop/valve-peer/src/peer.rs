//! The loop: commands in, lines out, and a turn of the session in between.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use crate::library::Library;
use crate::output::{Output, Sink as _, failure, tagged};
use crate::protocol::{self, Command, Request};
use crate::session::Session;

/// How long the loop waits for a command when there is nothing else to do at once.
const TURN_INTERVAL: Duration = Duration::from_millis(1);

/// Commands carried out between two turns of the session.
const COMMANDS_PER_TURN: usize = 64;

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    Stop,
}

/// The peer process, before and after the library is started.
pub(crate) struct Peer<W: Write> {
    session: Option<Session>,
    output: Output<W>,
}

impl<W: Write> Peer<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { session: None, output: Output::new(writer) }
    }

    /// Runs until `quit`, the end of the commands, or the loss of the driver.
    pub(crate) fn run(mut self, commands: &Receiver<String>) -> Result<()> {
        let mut busy = false;
        loop {
            let wait = if busy { Duration::ZERO } else { TURN_INTERVAL };
            let flow = match commands.recv_timeout(wait) {
                Ok(line) => self.handle_lines(line, commands),
                Err(RecvTimeoutError::Timeout) => Flow::Continue,
                Err(RecvTimeoutError::Disconnected) => Flow::Stop,
            };
            if flow == Flow::Stop {
                return Ok(self.output.flush()?);
            }
            let Self { session, output } = &mut self;
            busy = session.as_mut().is_some_and(|session| session.turn(output));
            output.flush()?;
        }
    }

    fn handle_lines(&mut self, first: String, commands: &Receiver<String>) -> Flow {
        let more = std::iter::from_fn(|| commands.try_recv().ok());
        for line in std::iter::once(first).chain(more).take(COMMANDS_PER_TURN) {
            if !line.trim().is_empty() && self.handle_line(&line) == Flow::Stop {
                return Flow::Stop;
            }
        }
        Flow::Continue
    }

    fn handle_line(&mut self, line: &str) -> Flow {
        let request = match protocol::parse(line) {
            Ok(request) => request,
            Err(refused) => {
                let reply = failure(refused.name.as_deref(), refused.id.as_ref(), &refused.error);
                self.output.emit(reply);
                return Flow::Continue;
            }
        };
        let flow = match request.command {
            Command::Quit => Flow::Stop,
            _ => Flow::Continue,
        };
        let (name, id) = (request.name.clone(), request.id.clone());
        let reply = match self.execute(request) {
            Ok(fields) => success(&name, id.as_ref(), fields),
            Err(error) => failure(Some(&name), id.as_ref(), &error),
        };
        self.output.emit(reply);
        flow
    }

    fn execute(&mut self, request: Request) -> Result<Value> {
        match (&mut self.session, request.command) {
            (Some(session), command) => session.execute(Request { command, ..request }),
            (None, Command::Quit) => Ok(json!({})),
            (None, Command::Init { identity, log_level }) => {
                let library = Library::init(identity.as_deref(), log_level)?;
                let identity = library.identity();
                self.session = Some(Session::new(library));
                Ok(json!({"identity": identity}))
            }
            (None, _) => Err(anyhow!("not initialised: send init first")),
        }
    }
}

fn success(name: &str, id: Option<&Value>, fields: Value) -> Value {
    let mut reply = json!({"reply": name, "ok": true});
    if let (Some(reply), Value::Object(fields)) = (reply.as_object_mut(), fields) {
        reply.extend(fields);
    }
    tagged(reply, id)
}
