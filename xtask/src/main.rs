//! Developer commands: `cargo xtask help`.
//!
//! Whatever can be checked before a change is committed hangs on `cargo xtask test`; nothing else is needed on
//! a machine that has a Rust toolchain.

#![forbid(unsafe_code)]

mod bench;
mod codegen;
mod commands;
mod dist;
mod header;
mod instructions;
mod licenses;
mod process;
mod smoke;
mod steps;
mod suite;
mod system_packages;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Developer commands of Gamewire")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything that must pass before a change is committed
    Test(suite::Options),
    /// Check the structure of the repository: dependencies, sizes, names, documents
    Tidy,
    /// Check the license of every dependency against deny.toml
    Licenses,
    /// Generate the protobuf types of gamewire-wire from its .proto files
    Codegen {
        /// Only say whether the committed output is up to date
        #[arg(long)]
        check: bool,
    },
    /// Generate the C header of gamewire-capi from its sources
    Header {
        /// Only say whether the committed output is up to date
        #[arg(long)]
        check: bool,
    },
    /// Lay out the C library, its header, pkg-config and CMake files as they are installed, and pack them
    Dist {
        /// Where to; the archive comes to lie beside it
        #[arg(long, value_name = "DIR", default_value = dist::DEFAULT_FOLDER)]
        out: std::path::PathBuf,
    },
    /// Run the interop matrix with Valve's C++ library
    Interop {
        /// Arguments for the matrix itself
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Connect peers by identity in networks of its own: `libraries` with Valve's, `nat` behind routers
    P2p {
        /// Arguments for the matrix itself
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run programs compiled for Valve's library with ours, and compare what they see
    Abi {
        /// Arguments for the comparison itself
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the congestion control through sockets and kernel, between network namespaces
    RealStack {
        /// Arguments for the program itself
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Count the instructions of fixed transfers, and compare them with their budgets
    Instructions {
        /// Write the counts as the new budgets
        #[arg(long)]
        bless: bool,
    },
    /// Let the simulator run random worlds until one fails or the time is over
    Sim {
        /// How long, in minutes of real time
        #[arg(long, default_value_t = 10)]
        minutes: u32,
        /// First seed; each following world takes the next one
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Measure Gamewire beside other libraries; `cargo xtask bench -- --help` lists what can be chosen
    Bench(bench::Options),
    /// Fuzz one target with cargo-fuzz on a nightly toolchain
    Fuzz {
        /// Name of the target, see fuzz/
        target: String,
        /// How long, in seconds
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Test(options) => suite::run(&options),
        Command::Tidy => tidy::run(),
        Command::Licenses => licenses::run(),
        Command::Codegen { check } => codegen::run(check),
        Command::Header { check } => header::run(check),
        Command::Dist { out } => dist::run(&out),
        Command::Interop { arguments } => commands::interop(&arguments),
        Command::P2p { arguments } => commands::p2p(&arguments),
        Command::Abi { arguments } => commands::abi(&arguments),
        Command::RealStack { arguments } => commands::real_stack(&arguments),
        Command::Instructions { bless } => instructions::run(bless),
        Command::Sim { minutes, seed } => commands::sim(minutes, seed),
        Command::Bench(options) => bench::run(&options),
        Command::Fuzz { target, seconds } => commands::fuzz(&target, seconds),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<suite::Failed>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The names of all subcommands, for the check that the documents name no other.
fn subcommand_names() -> Vec<String> {
    use clap::CommandFactory as _;
    Arguments::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}
