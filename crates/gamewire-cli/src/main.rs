//! The `gamewire` command: the demonstration, tools to try connections with, and certificates.
#![forbid(unsafe_code)]

mod address;
mod cert;
mod chat;
mod cli;
mod cpu;
mod demo;
mod echo;
mod hub;
mod perf;
mod ping;
mod quantiles;
mod session;
mod table;
mod units;

use std::{io, process::ExitCode};

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        // `gamewire … | head` is no failure of ours.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io_error = error.downcast_ref::<io::Error>();
    io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
