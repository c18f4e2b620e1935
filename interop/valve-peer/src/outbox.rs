//! Messages that the library has not taken yet. A full send buffer delays them and loses none.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use serde_json::{Value, json};

use crate::content;
use crate::library::Library;
use crate::message::{Message, Route};
use crate::output::{Sink, tagged};
use crate::protocol::{Closing, SendRun};

/// Messages handed to the library in one call.
const SEND_BATCH: usize = 64;

/// Payload staged for one call; at least one message is, however large.
const SEND_BATCH_BYTES: usize = 1 << 20;

/// Messages that one connection may send in one turn, before receiving gets its turn.
const TURN_MESSAGES: usize = 8192;

/// EResult: the send buffer is full.
const LIMIT_EXCEEDED: i64 = 25;

/// EResult: a NoDelay message that could not go at once, dropped as documented.
const IGNORED: i64 = 41;

/// What a job sends.
#[derive(Debug)]
enum Content {
    Generated(SendRun),
    Literal(Vec<u8>),
}

/// Whether the driver hears of a job's end.
#[derive(Debug)]
pub(crate) enum Announce {
    /// By a `sent` event with this id.
    Sent(Option<Value>),
    /// Only if it fails.
    FailureOnly,
}

/// What became of a job's messages so far.
#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    ignored: u64,
    bytes: u64,
    first_number: Option<i64>,
    last_number: Option<i64>,
}

/// Messages of one send command, in order.
#[derive(Debug)]
struct Job {
    route: Route,
    content: Content,
    announce: Announce,
    /// Messages made, some of which may still be staged.
    made: u64,
    tally: Tally,
}

/// The jobs of one lane, and the messages of the first one that are made but not taken.
#[derive(Debug, Default)]
struct LaneQueue {
    jobs: VecDeque<Job>,
    staged: VecDeque<Message>,
}

/// What one step of a lane did.
enum Step {
    Empty,
    Moved(usize),
    Blocked,
}

/// The lanes of one connection, served in turn.
#[derive(Debug, Default)]
struct ConnectionQueue {
    lanes: BTreeMap<u16, LaneQueue>,
    /// The lane that is served first next time: the one that met the full buffer.
    resume_at: u16,
    /// A lingering close that waits for the lanes to be empty.
    closing: Option<(Closing, Option<Value>)>,
}

/// Everything that waits to be sent.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    connections: BTreeMap<u32, ConnectionQueue>,
}

impl Job {
    fn total(&self) -> u64 {
        match &self.content {
            Content::Generated(run) => run.count,
            Content::Literal(_) => 1,
        }
    }

    fn make_next(&mut self, library: &Library) -> Result<Message> {
        let mut message = match &self.content {
            Content::Generated(run) => {
                let index = run.first + self.made;
                let mut message = library.allocate(run.sizes.of(index))?;
                content::fill(message.payload_mut(), run.seed, index);
                message
            }
            Content::Literal(data) => {
                let mut message = library.allocate(data.len())?;
                message.payload_mut().copy_from_slice(data);
                message
            }
        };
        message.address(self.route);
        self.made += 1;
        Ok(message)
    }

    fn unsent(&self) -> u64 {
        self.total() - self.tally.accepted - self.tally.ignored
    }

    fn sent_event(&self) -> Option<Value> {
        let Announce::Sent(id) = &self.announce else {
            return None;
        };
        let event = json!({
            "event": "sent",
            "connection": self.route.connection,
            "lane": self.route.lane,
            "accepted": self.tally.accepted,
            "ignored": self.tally.ignored,
            "bytes": self.tally.bytes,
            "first_number": self.tally.first_number,
            "last_number": self.tally.last_number,
        });
        Some(tagged(event, id.as_ref()))
    }

    fn failed_event(&self, result: i64, error: &str) -> Value {
        let id = match &self.announce {
            Announce::Sent(id) => id.as_ref(),
            Announce::FailureOnly => None,
        };
        let event = json!({
            "event": "send_error",
            "connection": self.route.connection,
            "lane": self.route.lane,
            "result": result,
            "error": error,
            "accepted": self.tally.accepted,
            "ignored": self.tally.ignored,
            "unsent": self.unsent(),
        });
        tagged(event, id)
    }
}

impl LaneQueue {
    /// Makes messages of the first job until a batch is staged.
    fn stage(&mut self, library: &Library) -> Result<()> {
        let Some(job) = self.jobs.front_mut() else {
            return Ok(());
        };
        let mut bytes: usize = self.staged.iter().map(|message| message.payload().len()).sum();
        while self.staged.len() < SEND_BATCH && bytes < SEND_BATCH_BYTES && job.made < job.total() {
            let message = job.make_next(library)?;
            bytes += message.payload().len();
            self.staged.push_back(message);
        }
        Ok(())
    }

    /// Hands one batch over, and ends the first job where that was its last.
    fn step(&mut self, library: &Library, sink: &mut impl Sink) -> Step {
        if let Err(error) = self.stage(library) {
            self.fail_job(sink, 0, &format!("{error:#}"));
            return Step::Moved(1);
        }
        let Some(job) = self.jobs.front_mut() else {
            return Step::Empty;
        };
        let sizes: Vec<u64> =
            self.staged.iter().map(|message| message.payload().len() as u64).collect();
        let results = library.send(&mut self.staged);
        let accepted = results.iter().take_while(|&&number| number > 0).count();
        for (&number, &size) in results.iter().zip(&sizes).take(accepted) {
            job.tally.accepted += 1;
            job.tally.bytes += size;
            job.tally.first_number.get_or_insert(number);
            job.tally.last_number = Some(number);
        }
        let refusal = results.get(accepted).map(|result| -result);
        match refusal {
            Some(LIMIT_EXCEEDED) => return Step::Blocked,
            Some(IGNORED) => {
                self.staged.pop_front();
                job.tally.ignored += 1;
            }
            Some(result) => {
                self.fail_job(sink, result, "the library refused the message");
                return Step::Moved(accepted + 1);
            }
            None => {}
        }
        if job.unsent() == 0 {
            sink_all(sink, job.sent_event());
            self.jobs.pop_front();
        }
        Step::Moved(accepted.max(1))
    }

    fn fail_job(&mut self, sink: &mut impl Sink, result: i64, error: &str) {
        self.staged.clear();
        if let Some(job) = self.jobs.pop_front() {
            sink.emit(job.failed_event(result, error));
        }
    }
}

fn sink_all(sink: &mut impl Sink, events: impl IntoIterator<Item = Value>) {
    events.into_iter().for_each(|event| sink.emit(event));
}

impl ConnectionQueue {
    /// Sends until the buffer is full, nothing is left, or the turn is used up. Returns whether there
    /// is more to do at once.
    fn pump(&mut self, library: &Library, sink: &mut impl Sink) -> bool {
        let mut budget = TURN_MESSAGES;
        loop {
            let after: Vec<u16> =
                self.lanes.range(self.resume_at..).map(|(&lane, _)| lane).collect();
            let before = self.lanes.range(..self.resume_at).map(|(&lane, _)| lane);
            let order: Vec<u16> = after.into_iter().chain(before).collect();
            let mut moved = false;
            for lane in order {
                let Some(queue) = self.lanes.get_mut(&lane) else {
                    continue;
                };
                match queue.step(library, sink) {
                    Step::Empty => {
                        self.lanes.remove(&lane);
                    }
                    Step::Moved(count) => {
                        moved = true;
                        budget = budget.saturating_sub(count);
                    }
                    Step::Blocked => {
                        self.resume_at = lane;
                        return false;
                    }
                }
                if budget == 0 {
                    self.resume_at = lane;
                    return true;
                }
            }
            if !moved {
                return false;
            }
        }
    }

    /// Carries out a close that waited, once nothing is left to send.
    fn close_if_empty(&mut self, connection: u32, library: &Library, sink: &mut impl Sink) {
        if !self.lanes.is_empty() {
            return;
        }
        if let Some((closing, id)) = self.closing.take() {
            let Closing { reason, debug, linger } = closing;
            let closed = library.close(connection, reason, &debug, linger);
            let event = json!({"event": "closed", "connection": connection, "closed": closed});
            sink.emit(tagged(event, id.as_ref()));
        }
    }

    fn unsent(&self) -> u64 {
        self.lanes.values().flat_map(|lane| &lane.jobs).map(Job::unsent).sum()
    }
}

impl Outbox {
    fn push(&mut self, job: Job) {
        let Route { connection, lane, .. } = job.route;
        let queue = self.connections.entry(connection).or_default();
        queue.lanes.entry(lane).or_default().jobs.push_back(job);
    }

    /// Queues a run of generated messages.
    pub(crate) fn push_run(&mut self, run: SendRun, announce: Announce) {
        let route = run.route;
        let content = Content::Generated(run);
        self.push(Job { route, content, announce, made: 0, tally: Tally::default() });
    }

    /// Queues one message.
    pub(crate) fn push_literal(&mut self, route: Route, data: Vec<u8>, announce: Announce) {
        let content = Content::Literal(data);
        self.push(Job { route, content, announce, made: 0, tally: Tally::default() });
    }

    /// Whether a close waits on this connection, so that nothing more may be queued.
    pub(crate) fn is_closing(&self, connection: u32) -> bool {
        self.connections.get(&connection).is_some_and(|queue| queue.closing.is_some())
    }

    /// Messages of one connection that the library has not taken yet.
    pub(crate) fn unsent_on(&self, connection: u32) -> u64 {
        self.connections.get(&connection).map_or(0, ConnectionQueue::unsent)
    }

    /// Messages that the library has not taken yet.
    pub(crate) fn unsent(&self) -> u64 {
        self.connections.values().map(ConnectionQueue::unsent).sum()
    }

    /// Closes the connection once everything queued for it is sent.
    pub(crate) fn close_when_empty(
        &mut self,
        connection: u32,
        closing: Closing,
        id: Option<Value>,
    ) {
        self.connections.entry(connection).or_default().closing = Some((closing, id));
    }

    /// Forgets what is queued for a connection; returns the number of messages.
    pub(crate) fn discard(&mut self, connection: u32) -> u64 {
        self.connections.remove(&connection).map_or(0, |queue| queue.unsent())
    }

    /// Sends what the library takes. Returns whether there is more to do at once.
    pub(crate) fn pump(&mut self, library: &Library, sink: &mut impl Sink) -> bool {
        let mut busy = false;
        for (&connection, queue) in &mut self.connections {
            busy |= queue.pump(library, sink);
            queue.close_if_empty(connection, library, sink);
        }
        self.connections.retain(|_, queue| !queue.lanes.is_empty() || queue.closing.is_some());
        busy
    }
}
