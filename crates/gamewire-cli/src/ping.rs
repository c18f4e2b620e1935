//! `gamewire ping`: round trips to an echo, by address or by identity, and the route that they take.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use gamewire::{Config, ConnectionHandle, Identity, SendFlags, Sockets};
use serde_json::json;

use crate::{
    address,
    quantiles::Quantiles,
    session::{self, HubArgs},
    units,
};

/// What begins each message: its number and when it was sent, both little-endian.
const HEADER_BYTES: usize = 16;
/// Largest message, bytes.
const MAX_BYTES: usize = 64 * 1024;
/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends messages to an echo and measures how long they take to come back.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  gamewire ping 127.0.0.1:27015
  gamewire ping str:bob --hub ws://127.0.0.1:27080 --count 20
  gamewire ping str:bob --identity str:alice --hub ws://127.0.0.1:27080 --route relay --json

The other side runs `gamewire echo`. Messages are reliable unless told otherwise, so that a lost packet
shows as a long round trip. Exit code 1 if there is no connection, or nothing came back.")]
pub(crate) struct PingArgs {
    /// Whom to ping: HOST:PORT, or an identity such as str:bob
    target: String,
    #[command(flatten)]
    hub: HubArgs,
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Time between them, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100)]
    interval: u64,
    /// Size of each, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = parse_size)]
    size: usize,
    /// Unreliable messages
    #[arg(long)]
    unreliable: bool,
    /// Which routes may be taken
    #[arg(long, value_enum, default_value_t = RouteChoice::Any)]
    route: RouteChoice,
    /// The virtual port that the other side listens on
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    virtual_port: i32,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Which routes a connection by identity may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum RouteChoice {
    /// The best that there is.
    Any,
    /// None through a relay.
    Direct,
    /// Only through a relay.
    Relay,
}

impl RouteChoice {
    /// The option that says so: kinds of ICE candidates.
    pub(crate) fn option(self) -> Option<Config> {
        match self {
            Self::Any => None,
            Self::Direct => Some(Config::P2pTransportIceEnable(2 | 4)),
            Self::Relay => Some(Config::P2pTransportIceEnable(1)),
        }
    }
}

fn parse_size(text: &str) -> Result<usize, String> {
    let size = text.parse::<usize>().ok().filter(|size| (HEADER_BYTES..=MAX_BYTES).contains(size));
    size.ok_or_else(|| format!("a number from {HEADER_BYTES} to {MAX_BYTES}"))
}

/// Whom a command connects to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Target {
    Address(SocketAddr),
    Peer(Identity),
}

impl Target {
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let is_identity = ["str:", "gen:", "steamid:", "xboxpwid:", "psn:"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if is_identity {
            let identity = text.parse().map_err(|_| anyhow::anyhow!("`{text}` is no identity"))?;
            return Ok(Self::Peer(identity));
        }
        address::parse_connect(text).map(Self::Address).map_err(|error| {
            anyhow::anyhow!("{error}; an identity begins with its kind, such as str:{text}")
        })
    }
}

/// What came of it.
struct Tally {
    sent: u32,
    received: u32,
    round_trips: Quantiles,
}

/// Runs `gamewire ping`.
pub(crate) fn run(args: &PingArgs) -> anyhow::Result<()> {
    let target = Target::parse(&args.target)?;
    let sockets = args.hub.open("ping")?;
    let started = Instant::now();
    let connection = connect(&sockets, &target, args)?;
    let connect_time = started.elapsed();
    if !args.json {
        let route = session::route(&sockets, connection);
        println!(
            "connected to {} by a {} route after {}",
            args.target,
            route.kind,
            units::duration(connect_time)
        );
    }
    let tally = exchange(&sockets, connection, args)?;
    // The route may have become a better one meanwhile.
    let route = session::route(&sockets, connection);
    sockets.close_connection(connection, 0, "done", false);
    report(args, &sockets, &tally, (&route, connect_time))?;
    if tally.received == 0 {
        bail!("nothing came back; does the other side run `gamewire echo`?");
    }
    Ok(())
}

fn connect(
    sockets: &Sockets,
    target: &Target,
    args: &PingArgs,
) -> anyhow::Result<ConnectionHandle> {
    match target {
        Target::Address(_) if args.route == RouteChoice::Relay => {
            bail!("an address is reached directly; name an identity to go through a relay")
        }
        Target::Address(address) => session::connect(sockets, *address, &[]),
        Target::Peer(peer) => {
            let options: Vec<Config> = args.route.option().into_iter().collect();
            session::connect_peer(sockets, peer, args.virtual_port, &options)
        }
    }
}

fn exchange(
    sockets: &Sockets,
    connection: ConnectionHandle,
    args: &PingArgs,
) -> anyhow::Result<Tally> {
    let flags =
        if args.unreliable { SendFlags::UNRELIABLE_NO_NAGLE } else { SendFlags::RELIABLE_NO_NAGLE };
    let mut tally = Tally { sent: 0, received: 0, round_trips: Quantiles::default() };
    let mut out: HashMap<u64, Instant> = HashMap::new();
    let mut payload = vec![0; args.size];
    let started = Instant::now();
    for number in 0..args.count {
        let due = started + Duration::from_millis(args.interval) * number;
        collect(sockets, connection, (&mut out, &mut tally), args, due)?;
        payload[..8].copy_from_slice(&u64::from(number).to_le_bytes());
        out.insert(u64::from(number), Instant::now());
        sockets.send_message(connection, &payload, flags).context("cannot send")?;
        tally.sent += 1;
    }
    let give_up = Instant::now() + PATIENCE;
    collect(sockets, connection, (&mut out, &mut tally), args, give_up)?;
    Ok(tally)
}

/// Takes answers until a moment, or until all are there after the last message.
fn collect(
    sockets: &Sockets,
    connection: ConnectionHandle,
    (out, tally): (&mut HashMap<u64, Instant>, &mut Tally),
    args: &PingArgs,
    until: Instant,
) -> anyhow::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || (tally.sent == args.count && out.is_empty()) {
            return Ok(());
        }
        let Some(messages) = sockets.wait_messages(connection, 64, Some(left)) else {
            bail!("the connection is gone");
        };
        if messages.is_empty() && session::has_ended(sockets, connection) {
            let info = sockets.connection_info(connection).context("the connection is gone")?;
            bail!("{}", session::ending(&info));
        }
        for message in messages {
            let number = message.payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            let Some((number, sent)) = number.and_then(|it| Some((it, out.remove(&it)?))) else {
                continue;
            };
            let time = sent.elapsed();
            tally.received += 1;
            tally.round_trips.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
            if !args.json {
                println!("{} bytes back: number {number}, {}", args.size, units::duration(time));
            }
        }
    }
}

fn report(
    args: &PingArgs,
    sockets: &Sockets,
    tally: &Tally,
    (route, connect_time): (&session::Route, Duration),
) -> anyhow::Result<()> {
    let Tally { sent, received, round_trips } = tally;
    if args.json {
        let report = json!({
            "target": args.target,
            "identity": sockets.identity().map(|identity| identity.to_string()),
            "route": route.kind,
            "route_detail": route.detail,
            "address": route.address.map(|address| address.to_string()),
            "reliable": !args.unreliable,
            "size": args.size,
            "sent": sent,
            "received": received,
            "lost": sent - received,
            "connect_ms": connect_time.as_secs_f64() * 1e3,
            "rtt_us": round_trips.to_json(),
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let quantile = |share: f64| {
        let micros = round_trips.at(share);
        micros.map_or_else(|| "–".to_owned(), |it| units::duration(Duration::from_micros(it)))
    };
    println!(
        "{sent} sent, {received} came back; round trip {} at best, {} in the middle, {} at the 99th \
         percentile; route {}",
        quantile(0.0),
        quantile(0.5),
        quantile(0.99),
        route.kind
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_apart() {
        let address = Target::Address("127.0.0.1:5".parse().unwrap());
        assert_eq!(Target::parse("127.0.0.1:5").unwrap(), address);
        let peer = Target::Peer("str:bob".parse().unwrap());
        assert_eq!(Target::parse("str:bob").unwrap(), peer);
        assert!(Target::parse("steamid:x").is_err());
        assert!(Target::parse("bob").is_err());
    }
}
