//! Lines to the driver: replies and events, one JSON object each.

use std::io::{self, Write};

use serde_json::{Value, json};

/// Collects lines and writes them at the end of a turn.
#[derive(Debug)]
pub(crate) struct Output<W: Write> {
    writer: W,
    pending: Vec<u8>,
}

/// Where commands and queues put what the driver should know.
pub(crate) trait Sink {
    /// Adds one line.
    fn emit(&mut self, line: Value);
}

impl<W: Write> Output<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { writer, pending: Vec::new() }
    }

    /// Writes everything; an error means that the driver is gone.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.writer.write_all(&self.pending)?;
        self.pending.clear();
        self.writer.flush()
    }
}

impl<W: Write> Sink for Output<W> {
    fn emit(&mut self, line: Value) {
        self.pending.extend_from_slice(line.to_string().as_bytes());
        self.pending.push(b'\n');
    }
}

/// `line` with the `id` of the command that it belongs to.
pub(crate) fn tagged(mut line: Value, id: Option<&Value>) -> Value {
    if let (Some(object), Some(id)) = (line.as_object_mut(), id) {
        object.insert("id".into(), id.clone());
    }
    line
}

/// A reply that a command failed before it reached the library.
pub(crate) fn failure(name: Option<&str>, id: Option<&Value>, error: &anyhow::Error) -> Value {
    tagged(json!({"reply": name, "ok": false, "error": format!("{error:#}")}), id)
}
