//! Runs the congestion control through the real stack. Exit code 0: nothing is broken.
#![forbid(unsafe_code)]

use std::{process::ExitCode, time::Instant};

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use gamewire_interop::{
    namespace,
    real::{
        cases::{CASES, Case, Figure},
        network,
        peer::{self, Load},
    },
};

/// Two processes of ours in two network namespaces, over a path that is narrow, long and lossy.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only cases whose name contains this; can be given several times
    #[arg(long, value_name = "SUBSTRING")]
    only: Vec<String>,
    /// List the cases and run nothing
    #[arg(long)]
    list: bool,
    /// What this process is for: the program starts itself again in these roles
    #[arg(long, hide = true)]
    role: Option<Role>,
    #[arg(long, hide = true, default_value_t = 1)]
    seconds: u64,
    #[arg(long, hide = true)]
    urgent: bool,
    #[arg(long, hide = true)]
    tcp_first: Option<u64>,
    #[arg(long, hide = true)]
    fixed_rate: Option<i32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Client,
    Server,
}

impl Arguments {
    fn load(&self) -> Load {
        let Self { seconds, urgent, tcp_first, fixed_rate, .. } = *self;
        Load { seconds, urgent, tcp_first, fixed_rate }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Client) => return peer::load(arguments.load()).map(|()| ExitCode::SUCCESS),
        Some(Role::Server) => return peer::serve().map(|()| ExitCode::SUCCESS),
        None => {}
    }
    let selected = |case: &&Case| {
        let wanted = |part: &String| case.name.contains(part.as_str());
        arguments.only.is_empty() || arguments.only.iter().any(wanted)
    };
    let cases: Vec<&Case> = CASES.iter().filter(selected).collect();
    ensure!(!cases.is_empty(), "no case is called {:?}; --list names them", arguments.only);
    if arguments.list {
        for case in &cases {
            println!("{}", case.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    namespace::enter()?;
    let start = Instant::now();
    let tun = network::has_tun();
    if !tun {
        println!(
            "\nWARNING: /dev/net/tun cannot be opened, so there is no middlebox, and what needs \
             delay or loss is NOT RUN.\nRun as root, or `chmod 666 /dev/net/tun`.\n"
        );
    }
    println!("{:<31} {:<36} {:>16}  {:<13} verdict", "case", "figure", "measured", "target");
    let mut all = true;
    for case in cases {
        if !tun && !case.without_middlebox {
            println!("{:<31} NOT RUN, see above", case.name);
            continue;
        }
        match case.run() {
            Ok((attempts, figures)) => {
                all &= figures.iter().all(|figure| figure.passed);
                figures.iter().for_each(|figure| print(case, figure, attempts));
            }
            Err(error) => {
                all = false;
                println!("{:<31} FAILED: {error:#}", case.name);
            }
        }
    }
    println!("in {:.0} s", start.elapsed().as_secs_f64());
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(case: &Case, figure: &Figure, attempts: usize) {
    let verdict = match (figure.reached, figure.passed) {
        (true, _) => "ok",
        (false, true) => "short of it, within what a busy machine explains",
        (false, false) => "FAILED",
    };
    let Figure { name, measured, target, .. } = figure;
    let repeated = if attempts > 1 { format!(" (attempt {attempts})") } else { String::new() };
    println!("{:<31} {name:<36} {measured:>16}  {target:<13} {verdict}{repeated}", case.name);
}
