//! Whether what arrived is what was sent, in the same terms on both sides.

use anyhow::{Context as _, bail, ensure};
use gamewire::Message;
use serde_json::{Value, json};

use crate::{
    content,
    runs::{Plan, Run},
};

/// What arrived of a run; see the README of `gamewire-valve-peer` for the terms.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// The lane.
    pub lane: u16,
    /// Reliable messages.
    pub reliable: bool,
    /// Messages, good or bad.
    pub received: u64,
    /// Their payload.
    pub bytes: u64,
    /// Different messages that came intact.
    pub distinct: u64,
    /// Messages that did not come.
    pub missing: u64,
    /// Not the content of any message of the run.
    pub corrupt: u64,
    /// Of another size than their index calls for.
    pub wrong_size: u64,
    /// Intact, but there already.
    pub duplicates: u64,
    /// Reliable: not the next one. Unreliable: older than the newest so far.
    pub out_of_order: u64,
    /// The receiver's clock at the first message, µs.
    pub first_us: i64,
    /// The receiver's clock at the last message, µs.
    pub last_us: i64,
}

impl Report {
    /// Whether nothing wrong came and nothing came wrongly. Loss does not count.
    pub fn is_clean(&self) -> bool {
        let disorder = if self.reliable { self.out_of_order } else { 0 };
        self.corrupt + self.wrong_size + self.duplicates + disorder == 0
    }

    /// As `gamewire-valve-peer` says it.
    pub fn to_json(&self) -> Value {
        json!({
            "lane": self.lane, "reliable": self.reliable, "clean": self.is_clean(),
            "received": self.received, "bytes": self.bytes, "distinct": self.distinct,
            "missing": self.missing, "corrupt": self.corrupt, "wrong_size": self.wrong_size,
            "duplicates": self.duplicates, "out_of_order": self.out_of_order,
            "first_us": self.first_us, "last_us": self.last_us,
        })
    }

    /// From first to last, seconds.
    pub fn seconds(&self) -> f64 {
        (self.last_us - self.first_us) as f64 / 1e6
    }

    /// The peer's word for it.
    ///
    /// # Errors
    /// A field is missing.
    pub fn from_json(run: &Value) -> anyhow::Result<Self> {
        let number = |name: &str| run[name].as_u64().with_context(|| format!("no {name} in {run}"));
        let clock = |name: &str| run[name].as_i64().unwrap_or(0);
        Ok(Self {
            lane: u16::try_from(number("lane")?)?,
            reliable: run["reliable"] == true,
            received: number("received")?,
            bytes: number("bytes")?,
            distinct: number("distinct")?,
            missing: number("missing")?,
            corrupt: number("corrupt")?,
            wrong_size: number("wrong_size")?,
            duplicates: number("duplicates")?,
            out_of_order: number("out_of_order")?,
            first_us: clock("first_us"),
            last_us: clock("last_us"),
        })
    }
}

#[derive(Clone, Debug)]
struct Progress {
    run: Run,
    report: Report,
    /// One past the highest index so far.
    reached: u64,
    seen: Vec<bool>,
}

/// Checks messages that our side receives.
#[derive(Clone, Debug)]
pub struct Verifier {
    runs: Vec<Progress>,
    unexpected: u64,
}

impl Verifier {
    /// For everything in a plan.
    pub fn new(plan: &Plan) -> Self {
        let progress = |run: &Run| Progress {
            report: Report {
                lane: run.lane,
                reliable: run.reliable,
                missing: run.count,
                ..Report::default()
            },
            run: run.clone(),
            reached: 0,
            seen: vec![false; usize::try_from(run.count).expect("counts fit memory")],
        };
        Self { runs: plan.runs.iter().map(progress).collect(), unexpected: 0 }
    }

    /// Checks one message.
    pub fn record(&mut self, message: &Message) {
        let fits = |progress: &&mut Progress| {
            progress.run.lane == message.lane && progress.run.reliable == message.reliable
        };
        match self.runs.iter_mut().find(fits) {
            Some(progress) => progress.record(&message.payload, message.received.as_micros()),
            None => self.unexpected += 1,
        }
    }

    /// What arrived of each run.
    pub fn runs(&self) -> impl Iterator<Item = &Report> {
        self.runs.iter().map(|progress| &progress.report)
    }

    /// The runs of which everything arrived.
    pub fn completed(&self) -> impl Iterator<Item = &Report> {
        self.runs().filter(|report| report.missing == 0)
    }

    /// Messages that belong to no run.
    pub fn unexpected(&self) -> u64 {
        self.unexpected
    }

    /// Whether every reliable message is there.
    pub fn is_complete(&self) -> bool {
        let done = |progress: &Progress| {
            !progress.run.reliable || progress.report.distinct >= progress.run.count
        };
        self.runs.iter().all(done)
    }

    /// The reports, provided that nothing came that belongs to no run.
    ///
    /// # Errors
    /// Such a message came.
    pub fn reports(&self) -> anyhow::Result<Vec<Report>> {
        ensure!(self.unexpected == 0, "{} messages that nobody sent", self.unexpected);
        Ok(self.runs.iter().map(|progress| progress.report.clone()).collect())
    }
}

impl Progress {
    fn record(&mut self, payload: &[u8], received_us: u64) {
        let clock = i64::try_from(received_us).unwrap_or(i64::MAX);
        let report = &mut self.report;
        if report.received == 0 {
            report.first_us = clock;
        }
        report.last_us = clock;
        report.received += 1;
        report.bytes += payload.len() as u64;
        let index = content::index_of(payload, self.reached);
        if index >= self.run.count || !content::matches(payload, self.run.seed(), index) {
            report.corrupt += 1;
            return;
        }
        if payload.len() != self.run.size(index) {
            report.wrong_size += 1;
            return;
        }
        let seen = &mut self.seen[usize::try_from(index).expect("below the count")];
        if std::mem::replace(seen, true) {
            report.duplicates += 1;
            return;
        }
        report.distinct += 1;
        report.missing -= 1;
        let in_order =
            if self.run.reliable { index == self.reached } else { index >= self.reached };
        report.out_of_order += u64::from(!in_order);
        self.reached = self.reached.max(index + 1);
    }
}

/// The reports in an answer to `verify_report`.
///
/// # Errors
/// It is malformed, or something came that nobody sent.
pub fn reports_of_peer(answer: &Value) -> anyhow::Result<Vec<Report>> {
    ensure!(answer["unexpected"] == 0, "messages that nobody sent: {answer}");
    let runs = answer["runs"].as_array().context("no runs")?;
    runs.iter().map(Report::from_json).collect()
}

/// Asserts content, order and count: all that is reliable came once and in order, nothing came
/// twice or damaged, and of the unreliable ones at most `tolerated_loss` (0…1) is missing.
///
/// # Errors
/// What is wrong.
pub fn check(at: &str, reports: &[Report], tolerated_loss: f64) -> anyhow::Result<()> {
    for report in reports {
        let kind = if report.reliable { "reliable" } else { "unreliable" };
        let sent = report.distinct + report.missing;
        if !report.is_clean() {
            bail!("at {at}, lane {} {kind}: not clean: {report:?}", report.lane);
        }
        let tolerated = if report.reliable { 0.0 } else { tolerated_loss };
        if report.missing as f64 > sent as f64 * tolerated {
            let missing = report.missing;
            bail!("at {at}, lane {} {kind}: {missing} of {sent} are missing", report.lane);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(run: Run) -> Progress {
        let plan = Plan { runs: vec![run], marked: vec![] };
        Verifier::new(&plan).runs.remove(0)
    }

    #[test]
    fn faults_are_told_apart() {
        let run = Run::reliable(&[20], 10);
        let mut progress = progress(run.clone());
        progress.record(&run.message(0), 5);
        progress.record(&run.message(2), 6);
        progress.record(&run.message(1), 7);
        progress.record(&run.message(1), 8);
        progress.record(&run.message(3)[..19], 9);
        progress.record(&run.message(10), 10);
        progress.record(&[1; 20], 11);
        let expected = Report {
            lane: 0,
            reliable: true,
            received: 7,
            bytes: 139,
            distinct: 3,
            missing: 7,
            corrupt: 2,
            wrong_size: 1,
            duplicates: 1,
            out_of_order: 2,
            first_us: 5,
            last_us: 11,
        };
        assert_eq!(progress.report, expected);
        assert!(check("us", &[progress.report], 1.0).is_err());
    }

    #[test]
    fn only_unreliable_messages_may_be_missing() {
        let report = |reliable, missing| Report {
            reliable,
            missing,
            distinct: 100 - missing,
            ..Report::default()
        };
        assert!(check("us", &[report(true, 0), report(false, 1)], 0.01).is_ok());
        assert!(check("us", &[report(false, 2)], 0.01).is_err());
        assert!(check("us", &[report(true, 1)], 0.5).is_err());
    }
}
