//! Prints the matrix of connections by identity, or the one of NAT kinds. Exit code 0: every cell
//! passed.
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf, process::ExitCode, sync::Arc, time::Instant};

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use gamewire_interop::{
    driver::Library,
    namespace,
    p2p::{
        cells::{self, Lab},
        nat,
        report::{self, Cell},
    },
};

/// Connects peers by identity, in networks of its own, and prints by which routes they found each
/// other. A cell that could not run has failed.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to run
    #[arg(value_enum, default_value = "libraries")]
    matrix: Matrix,
    /// Run only cells whose `row (column)` contains this; can be given several times
    #[arg(long, value_name = "SUBSTRING")]
    only: Vec<String>,
    /// List the cells and run nothing
    #[arg(long)]
    list: bool,
    /// Also write the outcomes to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Cells at a time; most of their time is waiting
    #[arg(long, value_name = "N", default_value_t = 6)]
    at_once: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Matrix {
    /// Our library and Valve's, in all roles
    Libraries,
    /// Two of our peers behind routers of every kind
    Nat,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.list {
        let titles = match arguments.matrix {
            Matrix::Libraries => cells::titles(),
            Matrix::Nat => nat::titles(),
        };
        titles.iter().for_each(|title| println!("{title}"));
        return Ok(ExitCode::SUCCESS);
    }
    Library::Ours.program()?;
    Library::Valve.program()?;
    namespace::enter()?;
    let lab = Arc::new(Lab::new()?);
    match arguments.matrix {
        Matrix::Libraries => run(&arguments, cells::all(&lab)),
        Matrix::Nat => run(&arguments, nat::all(&lab)),
    }
}

fn run<C: Cell>(arguments: &Arguments, cells: Vec<C>) -> anyhow::Result<ExitCode> {
    let selected = |cell: &C| {
        let title = format!("{} ({})", cell.row(), cell.column());
        arguments.only.is_empty() || arguments.only.iter().any(|part| title.contains(part))
    };
    let cells: Vec<C> = cells.into_iter().filter(selected).collect();
    ensure!(!cells.is_empty(), "no cell is called {:?}; --list names them", arguments.only);
    let start = Instant::now();
    let outcomes = report::run(&cells, arguments.at_once, report::progress);
    print!("\n{}", report::table(&outcomes));
    println!("in {:.0} s", start.elapsed().as_secs_f64());
    if let Some(path) = &arguments.json {
        let text = report::json(&outcomes).to_string();
        fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    let all = outcomes.iter().all(|outcome| outcome.verdict.is_ok());
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
