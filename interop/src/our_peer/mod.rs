//! Our library in a process of its own, `gamewire-peer`, which speaks the same lines as
//! `gamewire-valve-peer` (see the README there): a driver need not know whose library it drives.
//!
//! It can do what connections by identity and sessions with users need; listening and connecting by
//! address is tested within the driver's process ([`crate::ours`]).

mod commands;
mod describe;
mod session;
mod signaling;

use std::{
    io::{self, BufRead as _, Write as _},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use self::session::Session;

/// How long the loop waits for a command before it looks at the library.
const TURN_INTERVAL: Duration = Duration::from_millis(1);
/// Commands carried out between two looks.
const COMMANDS_PER_TURN: usize = 64;

/// Standard output, written by whole lines from several threads.
#[derive(Clone, Debug)]
struct Output(Arc<Mutex<io::Stdout>>);

impl Output {
    /// Writes a line. A driver that is gone ends the process by closing its input.
    fn emit(&self, line: &Value) {
        let mut text = line.to_string();
        text.push('\n');
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Reads commands until `quit` or the end of the input.
pub fn run() {
    let output = Output(Arc::new(Mutex::new(io::stdout())));
    let (sender, commands) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    serve(&commands, &output);
}

fn serve(commands: &Receiver<String>, output: &Output) {
    let mut session: Option<Session> = None;
    loop {
        let first = match commands.recv_timeout(TURN_INTERVAL) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let more = std::iter::from_fn(|| commands.try_recv().ok());
        for line in first.into_iter().chain(more).take(COMMANDS_PER_TURN) {
            if !carry_out(&line, &mut session, output) {
                return;
            }
        }
        if let Some(session) = &mut session {
            session.turn();
        }
    }
}

/// False: that was the last command.
fn carry_out(line: &str, session: &mut Option<Session>, output: &Output) -> bool {
    let command: Value = serde_json::from_str(line).unwrap_or_default();
    let name = command["cmd"].as_str().unwrap_or_default();
    let done = match (name, session.as_mut()) {
        ("quit", _) => Ok(json!({})),
        ("init", None) => Session::open(&command, output.clone()).map(|(new, fields)| {
            *session = Some(new);
            fields
        }),
        (_, None) => Err(anyhow::anyhow!("not initialised: send init first")),
        (_, Some(session)) => session.execute(name, &command),
    };
    let mut reply = json!({"reply": name, "ok": true});
    match done {
        Ok(Value::Object(fields)) => {
            for (key, value) in fields {
                reply[key] = value;
            }
        }
        Ok(_) => {}
        Err(error) => {
            reply["ok"] = false.into();
            reply["error"] = format!("{error:#}").into();
        }
    }
    if let Some(id) = command.get("id") {
        reply["id"] = id.clone();
    }
    if name == "quit" {
        // Ends connections and threads first, so that the reply is the last word.
        *session = None;
    }
    output.emit(&reply);
    name != "quit"
}
