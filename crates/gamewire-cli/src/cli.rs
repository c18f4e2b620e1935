//! The command line as a whole.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{cert, chat, demo, echo, hub, perf, ping};

const EXAMPLES: &str = "\
Examples:
  gamewire demo                                  see it work, in 10 seconds
  gamewire chat --listen 27015                   and elsewhere:
  gamewire chat --connect 192.0.2.1:27015 --name alice
  gamewire perf server --listen 127.0.0.1:27015  and beside it:
  gamewire perf client --connect 127.0.0.1:27015 --duration 5

`gamewire COMMAND --help` has examples for each. The environment may name trusted authorities
(GAMEWIRE_ROOTS, `ssh-ed25519 …` lines or @FILE) and the application (GAMEWIRE_APPID, a number).

Exit codes: 0 success, 1 failure, 2 wrong usage.";

/// Connections for multiplayer games: reliable and unreliable messages, encrypted, over UDP.
#[derive(Parser, Debug)]
#[command(name = "gamewire", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to log on standard error: off, error, warn, info, debug, trace, or rules such as
    /// gamewire_proto=debug
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn", value_parser = parse_log)]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Shows a server and several clients on this machine, under simulated loss and delay
    Demo(demo::DemoArgs),
    /// Talks to others from the keyboard
    Chat(chat::ChatArgs),
    /// Accepts anyone and sends every message back
    Echo(echo::EchoArgs),
    /// Measures round trips to an echo, and says which route they take
    Ping(ping::PingArgs),
    /// Measures throughput and round trips between two processes
    Perf(perf::PerfArgs),
    /// Runs a hub: rendezvous by identity, certificates, STUN
    Hub(hub::HubArgs),
    /// Makes keys and certificates, and shows them
    Cert(cert::CertArgs),
}

fn parse_log(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|error| format!("{error}; write a level such as debug, or TARGET=LEVEL"))
}

impl Cli {
    /// Does what the command line says.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let filter = EnvFilter::try_new(&self.log).context("--log")?;
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
        match &self.command {
            Command::Demo(args) => demo::run(args),
            Command::Chat(args) => chat::run(args),
            Command::Echo(args) => echo::run(args),
            Command::Ping(args) => ping::run(args),
            Command::Perf(args) => perf::run(args),
            Command::Hub(args) => hub::run(args),
            Command::Cert(args) => cert::run(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, error::ErrorKind};

    use super::*;

    #[test]
    fn the_declaration_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_with_examples() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let has_subcommands = command.get_subcommands().next().is_some();
            assert!(help.contains("xample") || has_subcommands, "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn usage() {
        for line in [
            "gamewire demo",
            "gamewire demo --clients 2 --seconds 2 --loss 0 --lag 0 --jitter 0",
            "gamewire chat --listen 0 --name me",
            "gamewire chat --connect 127.0.0.1:5",
            "gamewire echo --listen [::1]:5 --rate 1000 --log debug",
            "gamewire --log gamewire_proto=trace,warn perf server --listen 5",
            "gamewire perf client --connect [::1]:5 --unreliable --lanes 4 --json --quiet",
            "gamewire perf client --connect [::1]:5 --ping-pong --encryption none",
            "gamewire cert gen-key",
            "gamewire echo --identity str:bob --hub ws://127.0.0.1:5",
            "gamewire ping 127.0.0.1:5 --count 3 --json",
            "gamewire ping str:bob --identity str:a --hub ws://[::1]:5 --route relay --unreliable",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap();
        }
        for line in [
            "gamewire",
            "gamewire fly",
            "gamewire chat",
            "gamewire chat --listen 5 --connect 127.0.0.1:5",
            "gamewire ping",
            "gamewire ping str:bob --identity bob",
            "gamewire ping str:bob --size 3",
            "gamewire ping str:bob --route sideways",
            "gamewire demo --clients 0",
            "gamewire demo --loss 100",
            "gamewire demo --log =",
            "gamewire perf",
            "gamewire perf client",
            "gamewire perf client --connect [::1]:5 --ping-pong --reverse",
            "gamewire perf client --connect [::1]:5 --lanes 256",
            "gamewire perf client --connect [::1]:5 --size 0",
            "gamewire perf client --connect [::1]:5 --duration -1",
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        let help = Cli::try_parse_from(["gamewire", "--help"]).unwrap_err();
        assert_eq!((help.kind(), help.exit_code()), (ErrorKind::DisplayHelp, 0));
        let version = Cli::try_parse_from(["gamewire", "--version"]).unwrap_err();
        assert_eq!((version.kind(), version.exit_code()), (ErrorKind::DisplayVersion, 0));
    }
}
