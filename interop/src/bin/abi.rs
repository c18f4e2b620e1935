//! Prints the differential test of the C and C++ interface. Exit code 0: every check passed.
#![forbid(unsafe_code)]

use std::{process::ExitCode, time::Instant};

use anyhow::ensure;
use clap::Parser;
use gamewire_interop::abi::{
    checks::{self, Check},
    libraries::Places,
    report::{self, Outcome},
};

/// Runs programs that were compiled for Valve's library with ours, and compares what they see.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only checks whose name contains this; can be given several times
    #[arg(long, value_name = "SUBSTRING")]
    only: Vec<String>,
    /// List the checks and run nothing
    #[arg(long)]
    list: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let selected = |check: &Check| {
        arguments.only.is_empty() || arguments.only.iter().any(|part| check.name().contains(part))
    };
    let checks: Vec<Check> = Check::all().into_iter().filter(selected).collect();
    ensure!(!checks.is_empty(), "no check is called {:?}; --list names them", arguments.only);
    if arguments.list {
        for check in &checks {
            println!("{}", check.name());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let start = Instant::now();
    let places = Places::find()?;
    let outcomes = checks::run(&checks, &places, progress);
    println!("in {:.0} s, Valve's library | ours:\n", start.elapsed().as_secs_f64());
    print!("{}", report::text(&outcomes));
    let all = outcomes.iter().all(Outcome::passed);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line for each check as it ends.
fn progress(outcome: &Outcome) {
    let verdict = if outcome.passed() { "ok" } else { "FAILED" };
    eprintln!("{verdict:<6}  {} {:.1} s", outcome.name, outcome.elapsed.as_secs_f64());
}
