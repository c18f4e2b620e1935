//! Prints the interop matrix. Exit code 0: every cell passed.
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use gamewire_interop::{
    cell::{Cell, Outcome, Verdict},
    driver, matrix, namespace, runner,
    stage::Role,
    table,
};

/// Talks to Valve's C++ library in both roles and prints what works. A cell that could not run has
/// failed.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only cells whose `name (role)` contains this; can be given several times
    #[arg(long, value_name = "SUBSTRING")]
    only: Vec<String>,
    /// List the cells and run nothing
    #[arg(long)]
    list: bool,
    /// Also write the outcomes to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Stay in the network that we are in
    #[arg(long)]
    no_namespace: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let selected = |cell: &Cell| {
        let title = cell.title();
        arguments.only.is_empty() || arguments.only.iter().any(|part| title.contains(part))
    };
    let cases = matrix::cases();
    let cells = cases.iter().flat_map(|case| Role::ALL.map(|role| case.in_role(role)));
    let cells: Vec<Cell> = cells.filter(selected).collect();
    ensure!(!cells.is_empty(), "no cell is called {:?}; --list names them", arguments.only);
    if arguments.list {
        for cell in &cells {
            println!("{}", cell.title());
        }
        return Ok(ExitCode::SUCCESS);
    }
    driver::Library::Valve.program()?;
    if !arguments.no_namespace {
        namespace::enter()?;
    }
    let start = Instant::now();
    let outcomes = runner::run(&cells, progress);
    print!("\n{}", table::text(&outcomes));
    println!("in {:.0} s", start.elapsed().as_secs_f64());
    if let Some(path) = &arguments.json {
        let text = table::json(&outcomes).to_string();
        fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    let all = outcomes.iter().all(Outcome::passed);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line for each cell as it ends, and all that is known where it failed.
fn progress(outcome: &Outcome) {
    let title = format!("{} ({})", outcome.name, outcome.role.name());
    match &outcome.verdict {
        Verdict::Passed { .. } => {
            eprintln!("ok      {title} {:.1} s", outcome.elapsed.as_secs_f64());
        }
        Verdict::Failed { reason, diagnosis } => {
            eprintln!("FAILED  {title}: {reason}\n{diagnosis}");
        }
    }
}
