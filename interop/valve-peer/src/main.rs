//! A peer that speaks through Valve's C++ library, driven by JSON lines on standard input and output.
//!
//! It is a process of its own so that Valve's C symbols never meet ours. It never links any crate of
//! Gamewire, so that what it says about the wire is Valve's word alone. The README specifies commands,
//! replies, events and the content function.

mod config;
mod content;
mod describe;
mod ffi;
mod fields;
mod inbox;
mod library;
mod message;
mod outbox;
mod output;
mod peer;
mod protocol;
mod session;
mod verify;

use std::io::{self, BufRead, Read as _};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::Result;

use crate::peer::Peer;

/// Commands read ahead of the loop.
const COMMAND_QUEUE: usize = 64;

/// Longest command line. The largest useful one is `send_hex` of the largest message: 1 MiB of digits.
const MAX_LINE_BYTES: u64 = 2 << 20;

fn main() -> Result<()> {
    let (sender, receiver) = sync_channel(COMMAND_QUEUE);
    // It ends with the process: a blocked read of standard input cannot be interrupted.
    thread::Builder::new()
        .name("commands".into())
        .spawn(move || read_commands(io::stdin().lock(), &sender))?;
    Peer::new(io::stdout().lock()).run(&receiver)
}

/// Passes lines on until the input ends, a line is too long or not text, or nobody listens.
fn read_commands(mut input: impl BufRead, commands: &SyncSender<String>) {
    loop {
        let mut line = String::new();
        match input.by_ref().take(MAX_LINE_BYTES).read_line(&mut line) {
            Ok(0) => return,
            Ok(_) if line.len() as u64 == MAX_LINE_BYTES && !line.ends_with('\n') => {
                eprintln!("a command line longer than {MAX_LINE_BYTES} bytes: giving up");
                return;
            }
            Ok(_) => {}
            Err(error) => {
                eprintln!("standard input cannot be read: {error}");
                return;
            }
        }
        if commands.send(line).is_err() {
            return;
        }
    }
}
