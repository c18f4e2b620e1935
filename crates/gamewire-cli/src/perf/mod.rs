//! `gamewire perf`: throughput and round trips between two processes.
//!
//! The client says what it wants in a control message on lane 0; then one side sends as fast as it
//! may and the other counts. What arrived at the receiver is what is reported.

mod client;
mod control;
mod link;
mod ping_pong;
mod report;
mod server;
mod stream;

use std::{net::SocketAddr, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use gamewire::Config;

use crate::address;

/// Largest message, in bytes: what the library sends at most.
const MAX_SIZE: u32 = 512 * 1024;
/// Room for messages, in bytes, where no rate limit makes them wait for long.
const BUFFER_BYTES: i32 = 4 << 20;
/// Messages that may be unread: small ones come by the hundred thousand.
const BUFFER_MESSAGES: i32 = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  gamewire perf server --listen 27015
  gamewire perf client --connect 127.0.0.1:27015                      reliable, as fast as it goes
  gamewire perf client --connect 127.0.0.1:27015 --reverse            the other way
  gamewire perf client --connect 127.0.0.1:27015 --unreliable --rate 1000000
  gamewire perf client --connect 127.0.0.1:27015 --ping-pong --size 64
  gamewire perf client --connect 127.0.0.1:27015 --duration 2 --json --quiet";

/// Measures throughput and round trips between two processes.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PerfArgs {
    #[command(subcommand)]
    command: PerfCommand,
}

#[derive(Subcommand, Debug)]
enum PerfCommand {
    /// Waits for clients and does what they ask for; runs until it is killed
    Server(ServerArgs),
    /// Measures and prints the result
    Client(ClientArgs),
}

/// Waits for clients and does what they ask for; runs until it is killed.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  gamewire perf server --listen 127.0.0.1:0     prints `listening on 127.0.0.1:PORT`")]
struct ServerArgs {
    /// Address to listen on: IP:PORT, or a port alone for every address; port 0 takes a free one
    #[arg(long, value_name = "ADDR", value_parser = address::parse_listen)]
    listen: SocketAddr,
}

/// Measures and prints the result.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
struct ClientArgs {
    /// Address of a `gamewire perf server`: HOST:PORT
    #[arg(long, value_name = "ADDR", value_parser = address::parse_connect)]
    connect: SocketAddr,
    /// How long to send
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_duration)]
    duration: Duration,
    /// Size of a message, at most 524288 [default: 16384, unreliable 1200, ping-pong 64]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SIZE)))]
    size: Option<u32>,
    /// Send unreliable messages
    #[arg(long)]
    unreliable: bool,
    /// Spread the messages over lanes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=255))]
    lanes: u16,
    /// Send rate limit; 0: none
    #[arg(long, value_name = "BYTES/S", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..))]
    rate: i32,
    /// Measure round trips of one message at a time
    #[arg(long, conflicts_with_all = ["reverse", "lanes", "rate"])]
    ping_pong: bool,
    /// Let the server send
    #[arg(long)]
    reverse: bool,
    /// Connections at once, each with a service thread of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Whether packets are encrypted
    #[arg(long, value_enum, default_value_t = Encryption::Aes)]
    encryption: Encryption,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Do not show progress on standard error
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Encryption {
    /// AES-256-GCM
    Aes,
    /// None: for comparison only
    None,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is no number of seconds"))?;
    if seconds > 0.0 && seconds <= control::MAX_DURATION.as_secs_f64() {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("`{text}` is not between 0 and {} seconds", control::MAX_DURATION.as_secs()))
    }
}

/// Runs `gamewire perf`.
pub(crate) fn run(args: &PerfArgs) -> anyhow::Result<()> {
    match &args.command {
        PerfCommand::Server(args) => server::run(args),
        PerfCommand::Client(args) => client::run(args),
    }
}

/// Options for a rate limit; 0: none. What waits in the buffer delays the end, so a limited rate
/// gets a smaller one.
fn options(rate: i32, size: u32) -> Vec<Config> {
    let (limit, buffer) = match rate {
        0 => (i32::MAX, BUFFER_BYTES),
        rate => (rate, rate.clamp(16 * 1024, BUFFER_BYTES)),
    };
    let whole_messages = i32::try_from(size).unwrap_or(i32::MAX).saturating_mul(2);
    vec![
        Config::SendRateMin(limit),
        Config::SendRateMax(limit),
        Config::SendBufferSize(buffer.max(whole_messages)),
        Config::RecvBufferSize(BUFFER_BYTES),
        Config::RecvBufferMessages(BUFFER_MESSAGES),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "NaN", "inf", "1e9", "ten"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limited_rate_gets_a_buffer_of_a_second() {
        let buffer = |rate, size| {
            let options = options(rate, size);
            let found = options.iter().find_map(|option| match option {
                Config::SendBufferSize(bytes) => Some(*bytes),
                _ => None,
            });
            found.unwrap()
        };
        assert_eq!(buffer(0, 100), BUFFER_BYTES);
        assert_eq!(buffer(100_000, 100), 100_000);
        assert_eq!(buffer(1000, 100), 16 * 1024);
        assert_eq!(buffer(1000, MAX_SIZE), 2 * MAX_SIZE as i32);
        assert_eq!(buffer(i32::MAX, 100), BUFFER_BYTES);
    }
}
