//! `cargo xtask instructions`: fixed transfers counted in instructions, so that a change that makes
//! the library slower is seen without timing anything.
//!
//! Valgrind counts what the released program `transfer` of `gamewire-sim` executes. The budgets are in
//! `testdata/instructions.txt`; a count above one by more than the tolerance fails, and so does one
//! far below it: then the budget is to be lowered with `--bless`.

use std::{fmt::Write as _, process::Stdio};

use anyhow::{Context, bail};

use crate::{commands, process, workspace};

/// The budgets, a name and a number each line.
const BUDGETS: &str = "testdata/instructions.txt";

/// What is transferred: the names that the program knows.
const TRANSFERS: [&str; 4] = ["bulk", "bulk-large-packets", "small-reliable", "small-unreliable"];

/// How far a count may be off its budget, in percent: compilers and C libraries differ a little.
const TOLERANCE_PCT: u64 = 5;

/// How far it may be below before the budget is out of date, in percent.
const SLACK_PCT: u64 = 15;

/// Counts and compares, or writes what was counted.
pub(crate) fn run(bless: bool) -> anyhow::Result<()> {
    let build = ["build", "-q", "--release", "-p", "gamewire-sim", "--bin", "transfer"];
    process::run("cargo", &build)?;
    let path = workspace::root().join(BUDGETS);
    let budgets = if bless { String::new() } else { std::fs::read_to_string(&path)? };
    let (mut counts, mut problems) = (String::new(), Vec::new());
    for name in TRANSFERS {
        let count = count(name)?;
        let _ = writeln!(counts, "{name} {count}");
        if bless {
            continue;
        }
        let budget = budget(&budgets, name)?;
        println!("{name}: {count} instructions, budget {budget}");
        problems.extend(verdict(count, budget).map(|verdict| format!("{name}: {verdict}")));
    }
    if bless {
        return Ok(std::fs::write(path, counts)?);
    }
    if !problems.is_empty() {
        bail!("{}; if it is meant: cargo xtask instructions --bless", problems.join("; "));
    }
    Ok(())
}

fn count(name: &str) -> anyhow::Result<u64> {
    let program = commands::program("release", "transfer")?;
    let program = program.to_string_lossy();
    let arguments = ["--tool=callgrind", "--callgrind-out-file=/dev/null", &*program, name];
    let mut command = process::command("valgrind", &arguments);
    let output = command.stdin(Stdio::null()).output().context("cannot start valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("valgrind transfer {name} ended with {}: {text}", output.status);
    }
    collected(&text).with_context(|| format!("valgrind told no count: {text}"))
}

/// The number in `==123== Collected : 456`.
fn collected(text: &str) -> Option<u64> {
    let (_, after) = text.split_once("Collected : ")?;
    after.split_whitespace().next()?.parse().ok()
}

fn budget(budgets: &str, name: &str) -> anyhow::Result<u64> {
    let of_name =
        |line: &str| line.split_once(' ').filter(|(known, _)| *known == name)?.1.parse().ok();
    budgets.lines().find_map(of_name).with_context(|| format!("no budget for {name} in {BUDGETS}"))
}

fn verdict(count: u64, budget: u64) -> Option<String> {
    let share = 100 * count / budget.max(1);
    if share >= 100 + TOLERANCE_PCT {
        Some(format!("{count} instructions are {share} % of the budget"))
    } else if share < 100 - SLACK_PCT {
        Some(format!("{count} instructions are {share} % of the budget, which can be lowered"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_budgets_are_read() {
        let text = "==7== Callgrind\n==7== Events    : Ir\n==7== Collected : 12345\n==7==\n";
        assert_eq!(collected(text), Some(12_345));
        assert_eq!(collected("==7== Callgrind\n"), None);
        assert_eq!(budget("bulk 5\nbulk-large 7\n", "bulk-large").unwrap(), 7);
        assert!(budget("bulk x\n", "bulk").is_err());
    }

    #[test]
    fn five_percent_more_fail() {
        assert_eq!(verdict(1049, 1000), None);
        assert!(verdict(1050, 1000).is_some());
        assert_eq!(verdict(850, 1000), None);
        assert!(verdict(849, 1000).is_some());
    }
}
