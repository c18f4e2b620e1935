//! Many connections, which tick 60 times a second: each tick looks at all of them.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bench_protocol::Crowd;
use bytes::Bytes;

use crate::{
    settings::UNRELIABLE,
    side::{Client, Server},
};

/// Between two ticks.
const TICK: Duration = Duration::from_millis(16);

enum Side {
    Clients { target: SocketAddr, opening: Vec<Client>, connected: Vec<Client> },
    Server(Server),
}

/// See the module.
pub(crate) struct Group {
    side: Side,
    last_tick: Instant,
}

impl Group {
    pub(crate) fn client(target: SocketAddr) -> Self {
        let side = Side::Clients { target, opening: Vec::new(), connected: Vec::new() };
        Self { side, last_tick: Instant::now() }
    }

    pub(crate) fn server(server: Server) -> Self {
        Self { side: Side::Server(server), last_tick: Instant::now() }
    }

    /// Sleeps, at most `timeout`, and says whether it is time for a tick. While connections open,
    /// it always is.
    fn wait_for_tick(&mut self, timeout: Duration) -> bool {
        let is_opening = matches!(&self.side, Side::Clients { opening, .. } if !opening.is_empty());
        let left = (self.last_tick + TICK).saturating_duration_since(Instant::now());
        if !is_opening {
            thread::sleep(left.min(timeout));
            if left > timeout {
                return false;
            }
        }
        self.last_tick = Instant::now();
        true
    }
}

impl Crowd for Group {
    fn open(&mut self) -> anyhow::Result<()> {
        let Side::Clients { target, opening, connected } = &mut self.side else {
            anyhow::bail!("a server opens no connections");
        };
        let client_id = opening.len() + connected.len() + 1;
        opening.push(Client::new(*target, client_id as u64)?);
        Ok(())
    }

    fn connected(&self) -> usize {
        match &self.side {
            Side::Clients { connected, .. } => connected.len(),
            Side::Server(server) => server.connected(),
        }
    }

    fn turn(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(usize, &[u8]),
    ) -> anyhow::Result<()> {
        let is_opening = matches!(&self.side, Side::Clients { opening, .. } if !opening.is_empty());
        let next_tick = self.last_tick + TICK;
        if let Some(left) = next_tick.checked_duration_since(Instant::now())
            && !is_opening
        {
            thread::sleep(left.min(timeout));
            if left > timeout {
                return Ok(());
            }
        }
        self.last_tick = Instant::now();
        match &mut self.side {
            Side::Server(server) => {
                // What was queued since the last tick goes first.
                server.flush();
                server.update()?;
                for index in 0..server.connected() {
                    while let Some(message) = server.receive(index, UNRELIABLE) {
                        sink(index, &message);
                    }
                }
            }
            Side::Clients { opening, connected, .. } => {
                for (index, client) in connected.iter_mut().enumerate() {
                    client.flush()?;
                    client.update()?;
                    while let Some(message) = client.receive(UNRELIABLE) {
                        sink(index, &message);
                    }
                }
                opening.iter_mut().try_for_each(Client::update)?;
                connected.extend(opening.extract_if(.., |client| client.is_connected()));
            }
        }
        Ok(())
    }

    fn send(&mut self, connection: usize, message: Bytes) -> anyhow::Result<()> {
        match &mut self.side {
            Side::Server(server) => server.send(connection, UNRELIABLE, message),
            Side::Clients { connected, .. } => {
                let client = connected.get_mut(connection).context("no such connection")?;
                client.send(UNRELIABLE, message);
            }
        }
        Ok(())
    }
}
