//! Runs every peer through every workload, in turns, and writes the medians: as JSON, as a table, as plots.

#![forbid(unsafe_code)]

mod cases;
mod json;
mod machine;
mod page;
mod peers;
mod plot;
mod process;
mod results;
mod session;
mod targets;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::Parser;

use crate::{cases::Case, peers::Peer, results::Results, session::Bench};

/// When a quick run starts no further round.
const QUICK_LIMIT: Duration = Duration::from_secs(150);

/// Measures Gamewire beside other libraries.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// Bulk, small messages and round trips of four peers only, in less than three minutes
    #[arg(long)]
    quick: bool,
    /// Write the medians to this file, as one JSON object: workload, peer, figure
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write README.md and the plots into this folder
    #[arg(long, value_name = "FOLDER")]
    docs: Option<PathBuf>,
    /// Only these peers
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    peers: Vec<String>,
    /// Only workloads whose names begin with one of these, such as w1 or w2.small_reliable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    workloads: Vec<String>,
    /// How often each is run [default: 5, quick 3]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// How long each run counts, in milliseconds [default: 3000, quick 1000]
    #[arg(long, value_name = "MS")]
    window_ms: Option<u64>,
    /// Where the programs of the peers are [default: beside this one]
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Cores of server and client
    #[arg(long, value_name = "CORE", value_delimiter = ',', num_args = 2, default_values_t = [0, 1])]
    cores: Vec<usize>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let programs = match &arguments.programs {
        Some(folder) => folder.clone(),
        None => {
            let own = std::env::current_exe()?;
            own.parent().context("a program lies in a folder")?.to_owned()
        }
    };
    let [server_core, client_core] = arguments.cores[..] else {
        anyhow::bail!("two cores, not {}", arguments.cores.len());
    };
    let bench = Bench { programs, server_core, client_core, window_ms: arguments.window_ms };
    let cases = chosen(arguments);
    ensure!(!cases.is_empty(), "nothing to run under these names");
    let results = measure(&bench, &cases, arguments);
    ensure!(!results.is_empty(), "nothing could be measured");
    print!("{}", page::table(&results));
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&json::object(&results))?;
        std::fs::write(path, text + "\n").with_context(|| path.display().to_string())?;
    }
    if let Some(folder) = &arguments.docs {
        page::write(folder, &results).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

/// The cases to run, each with its peers.
fn chosen(arguments: &Arguments) -> Vec<(&'static Case, Vec<&'static Peer>)> {
    let wanted = |names: &[String], name: &str| {
        names.is_empty() || names.iter().any(|wanted| name.starts_with(wanted.as_str()))
    };
    let named = |peer: &&Peer| {
        arguments.peers.is_empty() || arguments.peers.iter().any(|name| name == peer.name)
    };
    cases::CASES
        .iter()
        .filter(|case| !arguments.quick || case.quick)
        .filter(|case| wanted(&arguments.workloads, case.name))
        .map(|case| {
            let peers = peers::PEERS
                .iter()
                .filter(|peer| !arguments.quick || peer.quick || !arguments.peers.is_empty())
                .filter(named)
                .filter(|peer| peer.takes_part(case));
            (case, peers.collect::<Vec<_>>())
        })
        .filter(|(_, peers)| !peers.is_empty())
        .collect()
}

fn measure(
    bench: &Bench,
    cases: &[(&'static Case, Vec<&'static Peer>)],
    arguments: &Arguments,
) -> Results {
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 3 } else { 5 });
    let mut results = Results::new(rounds);
    let start = Instant::now();
    for round in 0..rounds {
        if arguments.quick
            && round > 0
            && start.elapsed() * (round as u32 + 1) / round as u32 > QUICK_LIMIT
        {
            eprintln!("no time for more than {round} rounds");
            break;
        }
        for (case, peers) in cases.iter().filter(|(case, _)| round < case.most_rounds) {
            for peer in peers {
                let outcome = bench.run(case, peer, arguments.quick, results.step(case, peer));
                eprintln!("round {}, {}, {}: {outcome}", round + 1, case.name, peer.name);
                results.add(case, peer, outcome);
            }
        }
    }
    results
}
