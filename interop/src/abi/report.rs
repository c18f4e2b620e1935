//! Outcomes as a table.

use std::{fmt::Write as _, time::Duration};

/// How one check went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was checked.
    pub name: String,
    /// What it is about, and what was counted.
    pub note: String,
    /// What is wrong; empty where nothing is.
    pub problems: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Outcome {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One line for each check, what is wrong below it, and the counts in the last line.
#[must_use]
pub fn text(outcomes: &[Outcome]) -> String {
    let width = outcomes.iter().map(|outcome| outcome.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for outcome in outcomes {
        let verdict = if outcome.passed() { "ok" } else { "FAILED" };
        let _infallible = writeln!(
            text,
            "{:<width$}  {verdict:<6}  {:>5.1} s  {}",
            outcome.name,
            outcome.elapsed.as_secs_f64(),
            outcome.note
        );
        for problem in &outcome.problems {
            let _infallible = writeln!(text, "    {problem}");
        }
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    text + &format!("{} passed, {failed} failed\n", outcomes.len() - failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_why_and_is_counted() {
        let outcome = |name: &str, problems: &[&str]| Outcome {
            name: name.to_owned(),
            note: "note".to_owned(),
            problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
            elapsed: Duration::from_millis(1500),
        };
        let shown = text(&[outcome("good", &[]), outcome("wrong", &["a: 1 | 2"])]);
        assert_eq!(
            shown,
            "good   ok        1.5 s  note\nwrong  FAILED    1.5 s  note\n    a: 1 | 2\n\
             1 passed, 1 failed\n"
        );
    }
}
