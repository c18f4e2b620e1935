//! `cargo xtask test`: runs the steps of [`crate::steps`], tells how each went, and how to repeat what failed.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::{
    process,
    steps::{Action, EXTENDED, STEPS, Step},
};

/// What the user can ask for.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run only this step; can be given several times
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// List the steps and run nothing
    #[arg(long)]
    list: bool,
    /// Run the steps that need much time and a quiet machine, too; the list marks them
    #[arg(long)]
    extended: bool,
    /// Go on after a failed step
    #[arg(long)]
    keep_going: bool,
}

/// How one step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

/// At least one step failed. All has been said about it in the summary, whose line with the counts is the last.
#[derive(Debug)]
pub(crate) struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a step failed")
    }
}

impl std::error::Error for Failed {}

/// Runs what the options select; an error means that at least one step failed.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if options.list {
        for step in STEPS {
            let mark = if is_extended(step) { " (extended)" } else { "" };
            println!("{:<16} {}{mark}", step.name, step.doc);
        }
        return Ok(());
    }
    let selected = select(STEPS, &options.only, options.extended)?;
    let mut outcomes = Vec::with_capacity(selected.len());
    let mut stopped = false;
    for (index, step) in selected.iter().enumerate() {
        let outcome = if stopped {
            Outcome::NotRun
        } else {
            println!("\n==> {}/{} {}: {}", index + 1, selected.len(), step.name, step.doc);
            run_step(step)
        };
        stopped |= matches!(outcome, Outcome::Failed(_)) && !options.keep_going;
        outcomes.push(outcome);
    }
    let failed = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Failed(_))).count();
    print!("\n{}", summary(&selected, &outcomes));
    if failed > 0 { Err(Failed.into()) } else { Ok(()) }
}

fn is_extended(step: &Step) -> bool {
    EXTENDED.contains(&step.name)
}

fn select<'a>(steps: &'a [Step], only: &[String], extended: bool) -> anyhow::Result<Vec<&'a Step>> {
    for name in only {
        if !steps.iter().any(|step| step.name == name) {
            bail!("there is no step `{name}`; `cargo xtask test --list` names them");
        }
    }
    let selected = |step: &&Step| match only {
        [] => extended || !is_extended(step),
        only => only.iter().any(|name| name == step.name),
    };
    Ok(steps.iter().filter(selected).collect())
}

fn run_step(step: &Step) -> Outcome {
    let start = Instant::now();
    let result = match step.action {
        Action::Cargo { arguments, environment } => {
            let mut command = process::command("cargo", arguments);
            command.envs(environment.iter().copied());
            process::check("cargo", command)
        }
        Action::Call { function, .. } => function(),
    };
    let elapsed = start.elapsed();
    match result {
        Ok(()) => {
            println!("--- {}: passed in {:.1} s", step.name, elapsed.as_secs_f64());
            Outcome::Passed(elapsed)
        }
        Err(error) => {
            println!("--- {}: FAILED after {:.1} s: {error:#}", step.name, elapsed.as_secs_f64());
            println!("    to repeat it: {}", step.command_line());
            Outcome::Failed(elapsed)
        }
    }
}

fn summary(steps: &[&Step], outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let (mut passed, mut failed, mut total) = (0, 0, Duration::ZERO);
    for (step, outcome) in steps.iter().zip(outcomes) {
        let (word, elapsed) = match *outcome {
            Outcome::Passed(elapsed) => {
                passed += 1;
                ("passed", elapsed)
            }
            Outcome::Failed(elapsed) => {
                failed += 1;
                ("FAILED", elapsed)
            }
            Outcome::NotRun => ("not run", Duration::ZERO),
        };
        total += elapsed;
        text += &format!("{:<16} {word:<8} {:>7.1} s\n", step.name, elapsed.as_secs_f64());
    }
    text += &format!("{:<16} {:<8} {:>7.1} s\n", "total", "", total.as_secs_f64());
    text + &format!("{passed} passed, {failed} failed\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &'static str, function: fn() -> anyhow::Result<()>) -> Step {
        Step { name, doc: "a step", action: Action::Call { function, command_line: "x" } }
    }

    #[test]
    fn the_last_line_counts() {
        let (a, b, c) = (step("a", || Ok(())), step("b", || Ok(())), step("c", || Ok(())));
        let outcomes = [
            Outcome::Passed(Duration::from_secs(1)),
            Outcome::Failed(Duration::from_secs(2)),
            Outcome::NotRun,
        ];
        let text = summary(&[&a, &b, &c], &outcomes);
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed"));
        assert!(text.contains("not run"));
        assert!(text.contains("3.0 s"));
    }

    #[test]
    fn a_failing_step_is_a_failure() {
        assert!(matches!(run_step(&step("a", || Ok(()))), Outcome::Passed(_)));
        assert!(matches!(run_step(&step("b", || bail!("no"))), Outcome::Failed(_)));
    }

    #[test]
    fn only_known_steps_are_selected() {
        let steps = [step("a", || Ok(())), step("b", || Ok(()))];
        assert_eq!(select(&steps, &[], false).unwrap().len(), 2);
        assert_eq!(select(&steps, &["b".to_owned()], false).unwrap()[0].name, "b");
        assert!(select(&steps, &["c".to_owned()], false).is_err());
    }
}
