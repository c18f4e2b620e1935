//! Checks what arrives against what the content function says must arrive.

use serde_json::{Value, json};

use crate::content;
use crate::message::Message;
use crate::protocol::Sizes;

/// Highest message index, counted from the first of a run, whose arrival is remembered (8 MiB of bits).
/// Messages beyond it count as corrupt.
const MAX_TRACKED_MESSAGES: u64 = 1 << 26;

/// What must arrive on one lane with one reliability.
#[derive(Debug)]
pub(crate) struct Expectation {
    /// `None` is any connection.
    pub(crate) connection: Option<u32>,
    pub(crate) lane: u16,
    pub(crate) reliable: bool,
    pub(crate) seed: u64,
    pub(crate) sizes: Sizes,
    pub(crate) first: u64,
    /// When that many different messages have arrived, the run is complete.
    pub(crate) count: Option<u64>,
}

/// One received message, as far as checking goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) connection: u32,
    pub(crate) lane: u16,
    pub(crate) reliable: bool,
    pub(crate) payload: &'a [u8],
    pub(crate) received_us: i64,
}

impl<'a> From<&'a Message> for Arrival<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            connection: message.connection(),
            lane: message.lane(),
            reliable: message.is_reliable(),
            payload: message.payload(),
            received_us: message.received_us(),
        }
    }
}

/// What arrived so far of one expectation.
#[derive(Debug, Default)]
struct Tally {
    received: u64,
    bytes: u64,
    corrupt: u64,
    wrong_size: u64,
    out_of_order: u64,
    duplicates: u64,
    distinct: u64,
    /// One past the highest index seen, counted from the first of the run.
    reached: u64,
    first_us: Option<i64>,
    last_us: Option<i64>,
}

/// An expectation, what arrived of it, and which indices did.
#[derive(Debug)]
struct Run {
    expectation: Expectation,
    tally: Tally,
    seen: Vec<u64>,
}

/// All expectations in force.
#[derive(Debug)]
pub(crate) struct Verifier {
    runs: Vec<Run>,
    unexpected: u64,
}

impl Verifier {
    pub(crate) fn new(expectations: Vec<Expectation>) -> Self {
        let runs = expectations
            .into_iter()
            .map(|expectation| Run { expectation, tally: Tally::default(), seen: Vec::new() })
            .collect();
        Self { runs, unexpected: 0 }
    }

    /// Checks one message. Returns the summary of the run that it completes, if it does.
    pub(crate) fn record(&mut self, arrival: Arrival<'_>) -> Option<Value> {
        let Some(run) = self.runs.iter_mut().find(|run| run.expectation.covers(&arrival)) else {
            self.unexpected += 1;
            return None;
        };
        let was_complete = run.is_complete();
        run.record(arrival);
        (run.is_complete() && !was_complete).then(|| run.summary())
    }

    /// The summary of every run.
    pub(crate) fn report(&self) -> Value {
        let runs: Vec<Value> = self.runs.iter().map(Run::summary).collect();
        let ok = self.unexpected == 0 && self.runs.iter().all(Run::is_flawless);
        json!({"clean": ok, "unexpected": self.unexpected, "runs": runs})
    }
}

impl Expectation {
    fn covers(&self, arrival: &Arrival<'_>) -> bool {
        self.lane == arrival.lane
            && self.reliable == arrival.reliable
            && self.connection.is_none_or(|connection| connection == arrival.connection)
    }
}

impl Run {
    fn record(&mut self, arrival: Arrival<'_>) {
        let Arrival { payload, received_us, .. } = arrival;
        self.tally.received += 1;
        self.tally.bytes += payload.len() as u64;
        self.tally.first_us.get_or_insert(received_us);
        self.tally.last_us = Some(received_us);
        let Expectation { seed, first, count, ref sizes, .. } = self.expectation;
        let limit = count.unwrap_or(MAX_TRACKED_MESSAGES).min(MAX_TRACKED_MESSAGES);
        let index = content::index_of(payload, first.saturating_add(self.tally.reached));
        let Some(position) = index.checked_sub(first).filter(|&position| position < limit) else {
            self.tally.corrupt += 1;
            return;
        };
        if payload.len() != sizes.of(index) {
            self.tally.wrong_size += 1;
            return;
        }
        if !content::matches(payload, seed, index) {
            self.tally.corrupt += 1;
            return;
        }
        self.place(position);
    }

    /// Notes that the message at `position` of the run arrived intact.
    fn place(&mut self, position: u64) {
        let word = (position / 64) as usize;
        let bit = 1_u64 << (position % 64);
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            self.tally.duplicates += 1;
            return;
        }
        self.seen[word] |= bit;
        self.tally.distinct += 1;
        let in_order = if self.expectation.reliable {
            position == self.tally.reached
        } else {
            position >= self.tally.reached
        };
        if !in_order {
            self.tally.out_of_order += 1;
        }
        self.tally.reached = self.tally.reached.max(position + 1);
    }

    fn is_complete(&self) -> bool {
        self.expectation.count.is_some_and(|count| self.tally.distinct >= count)
    }

    /// Nothing arrived that must not: loss is no flaw here, nor is disorder of unreliable messages.
    fn is_flawless(&self) -> bool {
        let Tally { corrupt, wrong_size, duplicates, out_of_order, .. } = self.tally;
        corrupt == 0
            && wrong_size == 0
            && duplicates == 0
            && (out_of_order == 0 || !self.expectation.reliable)
    }

    fn summary(&self) -> Value {
        let Tally { received, bytes, corrupt, wrong_size, .. } = self.tally;
        let Tally { out_of_order, duplicates, distinct, reached, .. } = self.tally;
        json!({
            "connection": self.expectation.connection,
            "lane": self.expectation.lane,
            "reliable": self.expectation.reliable,
            "clean": self.is_flawless(),
            "complete": self.is_complete(),
            "received": received,
            "bytes": bytes,
            "distinct": distinct,
            "missing": self.expectation.count.unwrap_or(reached).saturating_sub(distinct),
            "corrupt": corrupt,
            "wrong_size": wrong_size,
            "duplicates": duplicates,
            "out_of_order": out_of_order,
            "first_us": self.tally.first_us,
            "last_us": self.tally.last_us,
        })
    }
}

#[cfg(test)]
mod tests;
