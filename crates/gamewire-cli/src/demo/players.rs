//! The threads of the demonstration: the server's and one for each client.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use gamewire::{
    Config, ConnectionHandle, ConnectionInfo, ConnectionState, Event, Identity, Options,
    PollGroupHandle, ScopeValues, Sockets, StatusChanged,
};

use super::{
    content::Stream,
    traffic::{STATE_INTERVAL, Score, Stage, Traffic},
};
use crate::session;

/// Messages taken at once.
const BATCH: usize = 256;

/// What the threads of the demonstration share.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<BoardState>,
}

#[derive(Debug)]
struct BoardState {
    course: Course,
    seats: Vec<Seat>,
    failures: Vec<String>,
}

/// How far the demonstration has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Course {
    Running(Stage),
    Over,
}

/// One client, as both ends see it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Seat {
    /// The server's connection to it.
    pub(super) connection: Option<ConnectionHandle>,
    pub(super) client_connected: bool,
    /// Share of the server's packets that the client gets in sequence, 0 to 1. The peer's own reports
    /// of it travel too seldom for a short demonstration.
    pub(super) client_quality: Option<f32>,
    pub(super) server: Score,
    pub(super) client: Score,
}

impl Seat {
    /// Everything reliable that was sent has arrived.
    pub(super) fn is_complete(&self, pieces: u32) -> bool {
        let (server, client) = (&self.server, &self.client);
        client.events_received == server.events_sent
            && server.events_received == client.events_sent
            && client.pieces_received == pieces
    }
}

impl Board {
    pub(super) fn new(clients: u32) -> Self {
        let state = BoardState {
            course: Course::Running(Stage::Playing),
            seats: vec![Seat::default(); clients as usize],
            failures: Vec::new(),
        };
        Self { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn course(&self) -> Course {
        self.lock().course
    }

    pub(super) fn set_course(&self, course: Course) {
        self.lock().course = course;
    }

    pub(super) fn seats(&self) -> Vec<Seat> {
        self.lock().seats.clone()
    }

    pub(super) fn failures(&self) -> Vec<String> {
        self.lock().failures.clone()
    }

    fn note(&self, client: u32, change: impl FnOnce(&mut Seat)) {
        if let Some(seat) = self.lock().seats.get_mut(client as usize) {
            change(seat);
        }
    }

    /// Runs a thread's part and keeps its error.
    pub(super) fn keep_failure(&self, who: &str, part: impl FnOnce() -> anyhow::Result<()>) {
        if let Err(error) = part() {
            self.lock().failures.push(format!("{who}: {error:#}"));
        }
    }
}

/// The server: accepts, and plays with everybody.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) sockets: Sockets,
    pub(super) address: SocketAddr,
    group: PollGroupHandle,
    board: Arc<Board>,
    pieces: u32,
    players: HashMap<ConnectionHandle, (u32, Traffic)>,
}

impl Server {
    /// Listens on a free port of the loopback network.
    pub(super) fn listen(board: Arc<Board>, pieces: u32) -> anyhow::Result<Self> {
        let sockets = Sockets::new(Options::default())?;
        let group = sockets.create_poll_group().context("no poll group")?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let address = crate::address::with_port(any)?;
        sockets.create_listen_socket_ip(address, &[])?;
        Ok(Self { sockets, address, group, board, pieces, players: HashMap::new() })
    }

    /// Plays until it is over.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        while let Course::Running(stage) = self.board.course() {
            for event in self.sockets.clone().events() {
                if let Event::ConnectionStatusChanged(change) = event {
                    self.on_status(&change)?;
                }
            }
            for (client, traffic) in self.players.values_mut() {
                traffic.step(stage)?;
                self.board.note(*client, |seat| seat.server = traffic.score);
            }
            let pause = self.players.values().map(|(_, traffic)| traffic.pause()).min();
            let pause = Some(pause.unwrap_or(Duration::from_millis(5)));
            let messages = self.sockets.wait_messages_on_poll_group(self.group, BATCH, pause);
            for message in messages.context("the poll group is gone")? {
                if let Some((client, traffic)) = self.players.get_mut(&message.connection) {
                    traffic.receive(&message);
                    self.board.note(*client, |seat| seat.server = traffic.score);
                }
            }
        }
        Ok(())
    }

    fn on_status(&mut self, change: &StatusChanged) -> anyhow::Result<()> {
        let connection = change.connection;
        match change.info.state {
            ConnectionState::Connecting => self.sockets.accept_connection(connection)?,
            ConnectionState::Connected => {
                let client = client_of(&change.info)?;
                let outgoing = Stream { client, to_client: true };
                let traffic = Traffic::new(&self.sockets, connection, outgoing, self.pieces)?;
                self.players.insert(connection, (client, traffic));
                self.sockets.set_connection_poll_group(connection, Some(self.group));
                self.board.note(client, |seat| seat.connection = Some(connection));
            }
            ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                if self.board.course() != Course::Over {
                    bail!("{}: {}", session::peer(&change.info), session::ending(&change.info));
                }
            }
            ConnectionState::None | ConnectionState::FindingRoute => {}
        }
        Ok(())
    }
}

/// Clients call themselves `str:client-N`, counted from 1.
fn identity_of(client: u32) -> anyhow::Result<Identity> {
    Ok(Identity::generic_string(&format!("client-{}", client + 1))?)
}

fn client_of(info: &ConnectionInfo) -> anyhow::Result<u32> {
    let name = info.identity_remote.to_string();
    let number = name.strip_prefix("str:client-").and_then(|number| number.parse::<u32>().ok());
    number
        .and_then(|number| number.checked_sub(1))
        .with_context(|| format!("{name} is none of the clients"))
}

/// A client's part: connects through the bad network, and plays until it is over.
pub(super) fn play(
    client: u32,
    server: SocketAddr,
    network: Arc<ScopeValues>,
    board: &Board,
) -> anyhow::Result<()> {
    let options =
        Options { identity: identity_of(client)?, global_config: network, ..Options::default() };
    let sockets = Sockets::new(options)?;
    let connection = session::connect(&sockets, server, &[])?;
    let outgoing = Stream { client, to_client: false };
    let mut traffic = Traffic::new(&sockets, connection, outgoing, 0)?;
    board.note(client, |seat| seat.client_connected = true);
    while let Course::Running(stage) = board.course() {
        for event in sockets.events() {
            if let Event::ConnectionStatusChanged(change) = event
                && change.info.state != ConnectionState::Connected
            {
                bail!("{}", session::ending(&change.info));
            }
        }
        traffic.step(stage)?;
        let pause = traffic.pause().min(STATE_INTERVAL);
        let messages = sockets.wait_messages(connection, BATCH, Some(pause));
        for message in messages.context("the connection is gone")? {
            traffic.receive(&message);
        }
        let status = sockets.real_time_status(connection, 0);
        board.note(client, |seat| {
            seat.client = traffic.score;
            seat.client_quality = status.ok().and_then(|(status, _)| status.quality_local);
        });
    }
    sockets.close_connection(connection, 0, "the demonstration is over", false);
    Ok(())
}

/// The global values of a network that loses, delays and jitters, the same both ways.
pub(super) fn bad_network(
    loss_pct: f32,
    lag_ms: i32,
    jitter_ms: f32,
) -> anyhow::Result<Arc<ScopeValues>> {
    let network = ScopeValues::global();
    network.set_all(&[
        Config::FakePacketLossSend(loss_pct),
        Config::FakePacketLossRecv(loss_pct),
        Config::FakePacketLagSend(lag_ms / 2),
        Config::FakePacketLagRecv(lag_ms - lag_ms / 2),
        Config::FakePacketJitterSendAvg(jitter_ms),
        Config::FakePacketJitterRecvAvg(jitter_ms),
    ])?;
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_complete_when_all_has_arrived() {
        let mut seat = Seat::default();
        assert!(seat.is_complete(0));
        assert!(!seat.is_complete(1));
        seat.client.pieces_received = 1;
        seat.client.events_sent = 5;
        assert!(!seat.is_complete(1));
        seat.server.events_received = 5;
        assert!(seat.is_complete(1));
        seat.server.events_sent = 1;
        assert!(!seat.is_complete(1));
    }

    #[test]
    fn failures_are_kept() {
        let board = Board::new(1);
        board.keep_failure("one", || Ok(()));
        assert!(board.failures().is_empty());
        board.keep_failure("two", || bail!("broke"));
        assert_eq!(board.failures(), ["two: broke"]);
    }
}
