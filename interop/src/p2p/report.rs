//! Cells that run, several at a time, and the table of their outcomes.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// What a cell says: `Ok` with what it shows, or why it failed and what was known then.
pub type Verdict = Result<String, Failure>;

/// Why a cell failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// In one line.
    pub reason: String,
    /// What both sides knew.
    pub diagnosis: String,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { reason: format!("{error:#}"), diagnosis: String::new() }
    }
}

/// One thing to try.
pub trait Cell: Sync {
    /// The row of the table.
    fn row(&self) -> String;
    /// The column of the table.
    fn column(&self) -> String;
    /// Tries it.
    fn run(&self) -> Verdict;
}

/// How a cell went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// See [`Cell::row`].
    pub row: String,
    /// See [`Cell::column`].
    pub column: String,
    /// How it went.
    pub verdict: Verdict,
    /// How long it took.
    pub elapsed: Duration,
}

/// Runs all cells, so many `at_once`, and tells `finished` of each. The outcomes are in the order of
/// the cells.
pub fn run<C: Cell>(
    cells: &[C],
    at_once: usize,
    finished: impl Fn(&Outcome) + Sync,
) -> Vec<Outcome> {
    let outcomes: Mutex<Vec<Option<Outcome>>> = Mutex::new(cells.iter().map(|_| None).collect());
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..cells.len()).collect());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(index) = next() {
                    let outcome = run_one(&cells[index]);
                    finished(&outcome);
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes[index] = Some(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.into_iter().map(|outcome| outcome.expect("every cell was run")).collect()
}

fn run_one(cell: &impl Cell) -> Outcome {
    let start = Instant::now();
    // A cell that panics has failed like any other; the rest must still be tried.
    let verdict = catch_unwind(AssertUnwindSafe(|| cell.run()));
    let verdict = verdict.unwrap_or_else(|_| {
        let reason = "panicked; see standard error".to_owned();
        Err(Failure { reason, diagnosis: String::new() })
    });
    Outcome { row: cell.row(), column: cell.column(), verdict, elapsed: start.elapsed() }
}

/// One line for each cell as it ends, and all that is known where it failed.
pub fn progress(outcome: &Outcome) {
    let Outcome { row, column, verdict, elapsed } = outcome;
    match verdict {
        Ok(shown) => eprintln!("ok      {row} ({column}): {shown}, {:.1} s", elapsed.as_secs_f64()),
        Err(Failure { reason, diagnosis }) => {
            eprintln!("FAILED  {row} ({column}): {reason}\n{diagnosis}");
        }
    }
}

/// The table: what each cell shows, and below it why cells failed. Then how many there were.
pub fn table(outcomes: &[Outcome]) -> String {
    let unique = |name: fn(&Outcome) -> &String| {
        let mut names: Vec<&str> = Vec::new();
        for outcome in outcomes {
            if !names.contains(&name(outcome).as_str()) {
                names.push(name(outcome));
            }
        }
        names
    };
    let (rows, columns) = (unique(|it| &it.row), unique(|it| &it.column));
    let shown = |row: &str, column: &str| {
        let found = outcomes.iter().find(|it| it.row == row && it.column == column);
        found.map_or_else(String::new, |outcome| match &outcome.verdict {
            Ok(shown) => format!("{shown} {:.1} s", outcome.elapsed.as_secs_f64()),
            Err(_) => "FAILED".to_owned(),
        })
    };
    let mut lines = vec![vec![String::new()]];
    lines[0].extend(columns.iter().map(|column| (*column).to_owned()));
    for row in rows {
        let mut line = vec![row.to_owned()];
        line.extend(columns.iter().map(|column| shown(row, column)));
        lines.push(line);
    }
    let mut text = aligned(&lines);
    for outcome in outcomes {
        if let Err(Failure { reason, .. }) = &outcome.verdict {
            text += &format!("FAILED  {} ({}): {reason}\n", outcome.row, outcome.column);
        }
    }
    let failed = outcomes.iter().filter(|outcome| outcome.verdict.is_err()).count();
    text + &format!("{} passed, {failed} failed\n", outcomes.len() - failed)
}

fn aligned(lines: &[Vec<String>]) -> String {
    let count = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let padded: Vec<String> = padded.collect();
        text += padded.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// The same for programs.
pub fn json(outcomes: &[Outcome]) -> Value {
    let cells: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            let failure = outcome.verdict.as_ref().err();
            json!({
                "row": outcome.row, "column": outcome.column,
                "passed": outcome.verdict.is_ok(), "shown": outcome.verdict.as_ref().ok(),
                "seconds": outcome.elapsed.as_secs_f64(),
                "reason": failure.map(|it| &it.reason),
                "diagnosis": failure.map(|it| &it.diagnosis),
            })
        })
        .collect();
    let failed = outcomes.iter().filter(|outcome| outcome.verdict.is_err()).count();
    json!({"passed": outcomes.len() - failed, "failed": failed, "cells": cells})
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Said(&'static str, Option<&'static str>);

    impl Cell for Said {
        fn row(&self) -> String {
            "row".to_owned()
        }
        fn column(&self) -> String {
            self.0.to_owned()
        }
        fn run(&self) -> Verdict {
            let why = || Failure { reason: "no route".to_owned(), diagnosis: String::new() };
            match self.1 {
                Some("panic") => panic!("as asked"),
                other => other.map(str::to_owned).ok_or_else(why),
            }
        }
    }

    #[test]
    fn failures_and_panics_are_counted_and_said() {
        let cells = [Said("a", Some("direct")), Said("b", None), Said("c", Some("panic"))];
        let shown = table(&run(&cells, 2, |_| ()));
        assert!(shown.contains("direct 0.0 s  FAILED  FAILED"), "{shown}");
        assert!(shown.contains("FAILED  row (b): no route"), "{shown}");
        assert!(shown.contains("FAILED  row (c): panicked"), "{shown}");
        assert!(shown.ends_with("1 passed, 2 failed\n"), "{shown}");
    }
}
