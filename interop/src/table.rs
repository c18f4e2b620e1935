//! Outcomes as a table for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    cell::{Outcome, Verdict},
    stage::Role,
};

/// What a cell shows of its reason and of its figures.
fn cell_text(outcome: &Outcome) -> String {
    let seconds = outcome.elapsed.as_secs_f64();
    match &outcome.verdict {
        Verdict::Passed { .. } => format!("ok {seconds:.1} s"),
        Verdict::Failed { .. } => "FAILED".to_owned(),
    }
}

/// One line per case: the verdict in each role, then what was measured or why it failed.
pub fn text(outcomes: &[Outcome]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for outcome in outcomes {
        if !names.contains(&outcome.name.as_str()) {
            names.push(&outcome.name);
        }
    }
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let [ours, valve] = Role::ALL.map(Role::name);
    let mut text = format!("{:<width$}  {ours:<14}  {valve:<14}\n", "");
    for name in names {
        let of_role = |role: Role| {
            outcomes.iter().find(|outcome| outcome.name == name && outcome.role == role)
        };
        let [ours, valve] = Role::ALL.map(|role| of_role(role).map(cell_text).unwrap_or_default());
        let _infallible = writeln!(text, "{name:<width$}  {ours:<14}  {valve:<14}");
        for outcome in Role::ALL.into_iter().filter_map(of_role) {
            match &outcome.verdict {
                Verdict::Passed { figures } if figures.is_empty() => {}
                Verdict::Passed { figures } => {
                    let _infallible = writeln!(text, "    {}: {figures}", outcome.role.name());
                }
                Verdict::Failed { reason, .. } => {
                    let role = outcome.role.name();
                    let _infallible = writeln!(text, "    {role}: FAILED: {reason}");
                }
            }
        }
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    text + &format!("{} passed, {failed} failed\n", outcomes.len() - failed)
}

/// The same for programs.
pub fn json(outcomes: &[Outcome]) -> Value {
    let cells: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            let (figures, reason, diagnosis) = match &outcome.verdict {
                Verdict::Passed { figures } => (Some(figures), None, None),
                Verdict::Failed { reason, diagnosis } => (None, Some(reason), Some(diagnosis)),
            };
            json!({
                "cell": outcome.name, "role": outcome.role.name(), "passed": outcome.passed(),
                "seconds": outcome.elapsed.as_secs_f64(),
                "figures": figures, "reason": reason, "diagnosis": diagnosis,
            })
        })
        .collect();
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    json!({"passed": outcomes.len() - failed, "failed": failed, "cells": cells})
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_shows_its_reason_and_is_counted() {
        let outcome = |role, verdict| Outcome {
            name: "lanes: all".to_owned(),
            role,
            verdict,
            elapsed: Duration::from_millis(1500),
        };
        let outcomes = [
            outcome(Role::WeConnect, Verdict::Passed { figures: "8 lanes".to_owned() }),
            outcome(
                Role::ValveConnects,
                Verdict::Failed { reason: "no".to_owned(), diagnosis: "why".to_owned() },
            ),
        ];
        let shown = text(&outcomes);
        assert!(shown.contains("lanes: all  ok 1.5 s        FAILED"), "{shown}");
        assert!(shown.contains("we connect: 8 lanes"), "{shown}");
        assert!(shown.contains("Valve connects: FAILED: no"), "{shown}");
        assert!(shown.ends_with("1 passed, 1 failed\n"), "{shown}");
        assert_eq!(json(&outcomes)["failed"], 1);
    }
}
