//! `gamewire demo`: a server and several clients in one process, under simulated loss.

mod by_name;
mod content;
mod players;
mod traffic;
mod verdict;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::Args;
use gamewire::Sockets;

use self::{
    content::{Kind, MAP_PIECE_BYTES},
    players::{Board, Course, Seat, Server, bad_network, play},
    traffic::Stage,
    verdict::{Expectation, Verdict},
};
use crate::{
    session::print_line,
    table::{Align, Live, Table},
    units,
};

/// How often a table in place is drawn anew.
const REFRESH: Duration = Duration::from_millis(200);
/// How often a table is printed where it cannot be drawn in place.
const REPRINT: Duration = Duration::from_secs(1);
/// How often the threads are looked after.
const LOOK: Duration = Duration::from_millis(20);
/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How long the last messages may take at least: until then stragglers may come.
const STRAGGLERS: Duration = Duration::from_millis(500);
/// How long the last messages may take at most.
const FINISH_LIMIT: Duration = Duration::from_secs(8);
/// Pieces of the map per second of the demonstration, well below the rate limit of 256 KiB/s.
const PIECES_PER_SECOND: u32 = 11;
/// Most pieces of the map.
const MAX_PIECES: u32 = 256;

/// Shows a server and several clients on this machine, under simulated loss and delay.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  gamewire demo
  gamewire demo --clients 16 --seconds 20 --loss 10 --lag 150

Ends by itself with a summary. Exit code 0: every reliable message arrived once, in order and unharmed,
and of the unreliable ones as many as the simulated loss lets expect.")]
pub(crate) struct DemoArgs {
    /// Number of clients
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    clients: u32,
    /// How long to play
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Datagrams lost, each way
    #[arg(long, value_name = "PERCENT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=30))]
    loss: u8,
    /// Delay added to a round trip
    #[arg(long, value_name = "MS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(0..=1000))]
    lag: u16,
    /// Mean of the random delay added each way
    #[arg(long, value_name = "MS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=50))]
    jitter: u16,
}

impl DemoArgs {
    fn expectation(&self) -> Expectation {
        let pieces = (self.seconds * PIECES_PER_SECOND).min(MAX_PIECES);
        Expectation { loss: f64::from(self.loss) / 100.0, pieces }
    }

    /// What a newcomer sees first.
    fn introduction(&self) -> String {
        let Self { clients, seconds, loss, lag, jitter } = self;
        let map = self.expectation().pieces as usize * MAP_PIECE_BYTES / 1024;
        format!(
            "A game server and {clients} clients in this process talk over UDP on 127.0.0.1, encrypted, for {seconds} s.
Their network is made bad on purpose: {loss} % of the datagrams are lost each way, a round trip takes
{lag} ms longer, and each datagram up to a few times {jitter} ms more. Each connection carries:
  events  reliable, both ways: all must arrive, once, in order
  state   unreliable, 30 a second, both ways: some are lost, none is late
  map     {map} KiB to each client, reliable, on a lane of lower priority: does not hold up the rest
The table is the server's view. `quality` is the share of packets that come in sequence from the client,
`towards` the same the other way; `queue` is what waits to be sent, `wait` how long an event would wait.
"
        )
    }
}

/// Runs `gamewire demo`.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<()> {
    print_line(&args.introduction())?;
    let expectation = args.expectation();
    let board = Arc::new(Board::new(args.clients));
    let network = bad_network(args.loss.into(), args.lag.into(), args.jitter.into())?;
    let server = Server::listen(board.clone(), expectation.pieces)?;
    let (sockets, address) = (server.sockets.clone(), server.address);
    let mut threads = Vec::new();
    let server_board = board.clone();
    threads.push(std::thread::spawn(move || {
        server_board.keep_failure("server", || server.run());
    }));
    for client in 0..args.clients {
        let (board, network) = (board.clone(), network.clone());
        threads.push(std::thread::spawn(move || {
            let who = format!("client {}", client + 1);
            board.keep_failure(&who, || play(client, address, network, &board));
        }));
    }
    let watched = watch(args, &board, &sockets);
    // Also where nobody can see the table: the threads end.
    board.set_course(Course::Over);
    let panicked = threads.into_iter().map(|thread| thread.join()).filter(Result::is_err).count();
    let took = watched?;
    if panicked > 0 {
        bail!("{panicked} threads panicked");
    }
    let verdict = Verdict::of(&board.seats(), expectation, board.failures());
    print_line(&format!("\nAfter {}:", units::duration(took)))?;
    for line in verdict.lines(expectation) {
        print_line(&line)?;
    }
    if !verdict.problems.is_empty() {
        bail!("the demonstration failed");
    }
    by_name::run().context("connecting by name")
}

/// Shows the table until all has arrived; returns how long that took.
fn watch(args: &DemoArgs, board: &Board, sockets: &Sockets) -> anyhow::Result<Duration> {
    let mut watch = Watch::new(board, sockets);
    let is_connected = |seat: &Seat| seat.connection.is_some() && seat.client_connected;
    watch.until(CONNECT_LIMIT, |seats, _| seats.iter().all(is_connected))?;
    watch.start = Instant::now();
    watch.until(Duration::from_secs(args.seconds.into()), |_, _| false)?;
    board.set_course(Course::Running(Stage::Finishing));
    let pieces = args.expectation().pieces;
    watch.until(FINISH_LIMIT, |seats, passed| {
        passed >= STRAGGLERS && seats.iter().all(|seat| seat.is_complete(pieces))
    })?;
    watch.show()?;
    Ok(watch.start.elapsed())
}

struct Watch<'a> {
    board: &'a Board,
    sockets: &'a Sockets,
    live: Live<std::io::Stdout>,
    start: Instant,
    shown: Instant,
}

impl<'a> Watch<'a> {
    fn new(board: &'a Board, sockets: &'a Sockets) -> Self {
        let now = Instant::now();
        Self { board, sockets, live: Live::stdout(), start: now, shown: now }
    }

    /// Shows the table now and then, until `done` says so, the time is over, or something failed.
    fn until(
        &mut self,
        limit: Duration,
        done: impl Fn(&[Seat], Duration) -> bool,
    ) -> anyhow::Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < limit
            && self.board.failures().is_empty()
            && !done(&self.board.seats(), begin.elapsed())
        {
            std::thread::sleep(LOOK);
            let interval = if self.live.is_in_place() { REFRESH } else { REPRINT };
            if self.shown.elapsed() >= interval {
                self.show()?;
            }
        }
        Ok(())
    }

    fn show(&mut self) -> anyhow::Result<()> {
        self.shown = Instant::now();
        let mut lines = vec![format!("{:.1} s", self.start.elapsed().as_secs_f64())];
        lines.extend(table(&self.board.seats(), self.sockets).lines());
        if !self.live.is_in_place() {
            lines.push(String::new());
        }
        Ok(self.live.show(&lines)?)
    }
}

fn table(seats: &[Seat], sockets: &Sockets) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("client", Left),
        ("ping", Right),
        ("quality", Right),
        ("towards", Right),
        ("in/s", Right),
        ("out/s", Right),
        ("queue", Right),
        ("wait", Right),
        ("events", Right),
        ("state", Right),
        ("map", Right),
    ]);
    for (index, seat) in seats.iter().enumerate() {
        table.push(row(index, seat, sockets));
    }
    table
}

fn row(index: usize, seat: &Seat, sockets: &Sockets) -> Vec<String> {
    let name = format!("{}", index + 1);
    let events = usize::from(Kind::Event.lane());
    let status = |handle| sockets.real_time_status(handle, events + 1).ok();
    let Some((status, lanes)) = seat.connection.and_then(status) else {
        return vec![name, "connecting".to_owned()];
    };
    let wait_us = lanes.get(events).map_or(0, |lane| lane.queue_time_us);
    let (server, client) = (&seat.server, &seat.client);
    let queue = status.pending_reliable + status.pending_unreliable;
    let ping = status.ping_ms.map_or_else(|| "–".to_owned(), |ping| format!("{ping} ms"));
    vec![
        name,
        ping,
        units::percent(status.quality_local),
        units::percent(seat.client_quality),
        units::bytes(status.in_bytes_per_s.into()),
        units::bytes(status.out_bytes_per_s.into()),
        units::bytes(queue as f64),
        units::duration(Duration::from_micros(wait_us)),
        format!("{}", server.events_received + client.events_received),
        format!("{}", server.states_received + client.states_received),
        format!("{} KiB", client.pieces_received as usize * MAP_PIECE_BYTES / 1024),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_fits_the_time() {
        let args = |seconds| DemoArgs { clients: 1, seconds, loss: 2, lag: 30, jitter: 3 };
        assert_eq!(args(8).expectation().pieces, 88);
        assert_eq!(args(3600).expectation().pieces, MAX_PIECES);
        // At the default rate of 256 KiB/s, with a quarter of it left for the rest.
        let bytes = args(1).expectation().pieces as usize * MAP_PIECE_BYTES;
        assert!(bytes <= 192 * 1024);
    }

    #[test]
    fn a_client_that_is_not_there_yet_has_a_row() {
        let sockets = Sockets::new(gamewire::Options::default()).unwrap();
        let lines = table(&[Seat::default()], &sockets).lines();
        assert!(lines[1].contains("connecting"), "{lines:?}");
    }
}
