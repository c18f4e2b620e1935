//! `gamewire echo`: sends every message back.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, bail};
use clap::Args;
use gamewire::{
    Config, ConnectionHandle, ConnectionState, Event, LaneConfig, Message, Outgoing,
    PollGroupHandle, SendError, SendFlags, Sockets, StatusChanged,
};

use crate::{
    address,
    session::{self, HubArgs},
    units,
};

/// Messages taken at once; bounds what one connection can keep waiting beyond its send buffer.
const BATCH: usize = 256;
/// Room for messages on their way back, in bytes.
const BUFFER_BYTES: i32 = 4 << 20;

/// Accepts anyone and sends every message back on its lane, with its reliability.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  gamewire echo --listen 27015
  gamewire echo --listen 127.0.0.1:0 --rate 1000000
  gamewire echo --identity str:bob --hub ws://127.0.0.1:27080

Runs until it is killed. Prints `listening on ADDR`, or `listening as ID` once the hub knows it, then
a line per connection. Who sends faster than
he reads is slowed down; nothing reliable is lost.")]
pub(crate) struct EchoArgs {
    /// Address to listen on: IP:PORT, or a port alone for every address; port 0 takes a free one
    #[arg(long, value_name = "ADDR", value_parser = address::parse_listen)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    hub: HubArgs,
    /// The virtual port to listen on by identity
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    virtual_port: i32,
    /// Send rate limit per connection; 0: none
    #[arg(long, value_name = "BYTES/S", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..))]
    rate: i32,
}

/// One connection.
#[derive(Debug, Default)]
struct Returning {
    /// What did not fit into the send buffer; while there is any, nothing more is read.
    waiting: VecDeque<Outgoing>,
    lanes: usize,
    messages: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Echo {
    sockets: Sockets,
    group: PollGroupHandle,
    connections: Mutex<HashMap<ConnectionHandle, Returning>>,
}

/// Runs `gamewire echo`.
pub(crate) fn run(args: &EchoArgs) -> anyhow::Result<()> {
    let by_identity = args.hub.identity.is_some();
    if args.listen.is_none() && !by_identity {
        bail!("say where to listen: --listen ADDR, or --identity ID with --hub URL, or both");
    }
    let sockets = if by_identity { args.hub.open("echo")? } else { session::sockets(None)? };
    let group = sockets.create_poll_group().context("no poll group")?;
    let rate = if args.rate == 0 { i32::MAX } else { args.rate };
    let options = [
        Config::SendRateMin(rate),
        Config::SendRateMax(rate),
        Config::SendBufferSize(BUFFER_BYTES),
        Config::RecvBufferSize(BUFFER_BYTES),
    ];
    let echo = Arc::new(Echo { sockets, group, connections: Mutex::default() });
    if let Some(address) = args.listen {
        session::listen(&echo.sockets, address, &options)?;
    }
    if by_identity {
        let port = args.virtual_port;
        echo.sockets.create_listen_socket_p2p(port, &options).context("cannot listen")?;
        session::wait_for_hub(&echo.sockets)?;
        let identity = echo.sockets.identity().context("no identity")?;
        session::print_line(&format!("listening as {identity} on virtual port {port}"))?;
    }
    let receiving = echo.clone();
    std::thread::spawn(move || receiving.run_messages());
    echo.run_events()
}

impl Echo {
    fn connections(&self) -> MutexGuard<'_, HashMap<ConnectionHandle, Returning>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_messages(&self) {
        while let Some(messages) = self.sockets.wait_messages_on_poll_group(self.group, BATCH, None)
        {
            for run in messages.chunk_by(|a, b| a.connection == b.connection) {
                self.answer(run);
            }
        }
    }

    fn run_events(&self) -> anyhow::Result<()> {
        loop {
            match self.sockets.wait_event(None) {
                Some(Event::ConnectionStatusChanged(change)) => self.on_status(&change)?,
                Some(Event::Writable { connection }) => self.on_writable(connection),
                Some(_) | None => {}
            }
        }
    }

    fn on_status(&self, change: &StatusChanged) -> anyhow::Result<()> {
        let connection = change.connection;
        let peer = session::peer(&change.info);
        match change.info.state {
            ConnectionState::Connecting => {
                self.connections().insert(connection, Returning { lanes: 1, ..Default::default() });
                self.sockets.set_connection_poll_group(connection, Some(self.group));
                if let Err(error) = self.sockets.accept_connection(connection) {
                    tracing::warn!(%connection, %error, "not accepted");
                }
            }
            ConnectionState::Connected => {
                session::print_line(&format!("{connection} {peer} connected"))?;
            }
            ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                self.sockets.close_connection(connection, 0, "", false);
                let gone = self.connections().remove(&connection).unwrap_or_default();
                session::print_line(&format!(
                    "{connection} {peer} {}; {} messages, {} sent back",
                    session::ending(&change.info),
                    gone.messages,
                    units::bytes(gone.bytes as f64),
                ))?;
            }
            ConnectionState::None | ConnectionState::FindingRoute => {}
        }
        Ok(())
    }

    /// Sends messages of one connection back.
    fn answer(&self, messages: &[Message]) {
        let connection = messages[0].connection;
        let mut connections = self.connections();
        let Some(state) = connections.get_mut(&connection) else {
            return;
        };
        state.waiting.extend(messages.iter().map(back));
        self.send_waiting(connection, state);
    }

    fn on_writable(&self, connection: ConnectionHandle) {
        let mut connections = self.connections();
        let Some(state) = connections.get_mut(&connection) else {
            return;
        };
        self.send_waiting(connection, state);
    }

    /// Sends what waits. What is refused goes on waiting, and the connection is not read meanwhile,
    /// so that its peer is slowed down.
    fn send_waiting(&self, connection: ConnectionHandle, state: &mut Returning) {
        let highest = state.waiting.iter().map(|message| usize::from(message.lane)).max();
        self.provide_lanes(connection, state, highest.map_or(0, |lane| lane + 1));
        let mut refused = VecDeque::new();
        let sizes: Vec<usize> = state.waiting.iter().map(|message| message.payload.len()).collect();
        let results = self.sockets.send_messages(state.waiting.drain(..));
        for (result, size) in results.into_iter().zip(sizes) {
            match result {
                Ok(_) => {
                    state.messages += 1;
                    state.bytes += size as u64;
                }
                Err(SendError::LimitExceeded(message) | SendError::NotTried(message)) => {
                    refused.push_back(message);
                }
                Err(error) => {
                    tracing::warn!(%connection, %error, "a message is not sent back");
                }
            }
        }
        state.waiting = refused;
        let group = state.waiting.is_empty().then_some(self.group);
        self.sockets.set_connection_poll_group(connection, group);
    }

    fn provide_lanes(&self, connection: ConnectionHandle, state: &mut Returning, lanes: usize) {
        if lanes <= state.lanes {
            return;
        }
        match self
            .sockets
            .configure_connection_lanes(connection, &vec![LaneConfig::default(); lanes])
        {
            Ok(()) => state.lanes = lanes,
            Err(error) => tracing::warn!(%connection, lanes, %error, "no such lanes"),
        }
    }
}

/// The answer to a message.
fn back(message: &Message) -> Outgoing {
    let flags = if message.reliable { SendFlags::RELIABLE } else { SendFlags::UNRELIABLE };
    Outgoing {
        lane: message.lane,
        ..Outgoing::new(message.connection, message.payload.clone(), flags | SendFlags::NO_NAGLE)
    }
}
