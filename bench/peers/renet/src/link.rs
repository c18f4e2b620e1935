//! One connection, which ticks whenever there is something to do.

use std::time::Duration;

use bench_protocol::{Delivery, Link, link::Sink};
use bytes::Bytes;

use crate::{
    settings::{RELIABLE, UNRELIABLE},
    side::{Client, Server},
};

/// Longest time without a tick: what is lost is sent again at one.
const LONGEST_TICK: Duration = Duration::from_millis(16);

enum Side {
    Client(Client),
    Server(Server),
}

/// See the module.
pub(crate) struct Connection {
    side: Side,
    urgent: bool,
    early: Vec<Bytes>,
}

impl Connection {
    pub(crate) fn client(client: Client, urgent: bool) -> Self {
        Self { side: Side::Client(client), urgent, early: Vec::new() }
    }

    pub(crate) fn server(server: Server, urgent: bool) -> Self {
        Self { side: Side::Server(server), urgent, early: Vec::new() }
    }

    fn tick(&mut self, timeout: Duration) -> anyhow::Result<()> {
        let timeout = timeout.min(LONGEST_TICK);
        match &mut self.side {
            Side::Client(client) => {
                client.wait(timeout)?;
                client.update()?;
            }
            Side::Server(server) => {
                server.wait(timeout)?;
                server.update()?;
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        match &mut self.side {
            Side::Client(client) => client.flush(),
            Side::Server(server) => {
                server.flush();
                Ok(())
            }
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        let mut receive = |channel| match &mut self.side {
            Side::Client(client) => client.receive(channel),
            Side::Server(server) => server.receive(0, channel),
        };
        receive(RELIABLE).or_else(|| receive(UNRELIABLE))
    }
}

impl Link for Connection {
    fn send(&mut self, messages: &[Bytes], delivery: Delivery) -> anyhow::Result<usize> {
        let channel = if delivery == Delivery::Reliable { RELIABLE } else { UNRELIABLE };
        let mut taken = 0;
        for message in messages {
            let has_room = match &self.side {
                Side::Client(client) => client.has_room(channel, message.len()),
                Side::Server(server) => server.has_room(0, channel, message.len()),
            };
            if !has_room {
                break;
            }
            match &mut self.side {
                Side::Client(client) => client.send(channel, message.clone()),
                Side::Server(server) => server.send(0, channel, message.clone()),
            }
            taken += 1;
        }
        if self.urgent {
            self.flush()?;
        }
        Ok(taken)
    }

    fn wait_room(&mut self, _: Duration) -> anyhow::Result<()> {
        self.flush()?;
        // Unreliable messages have left now; room for others comes with acknowledgements.
        let has_room = match &self.side {
            Side::Client(client) => client.has_room(RELIABLE, 1),
            Side::Server(server) => server.has_room(0, RELIABLE, 1),
        };
        self.tick(if has_room { Duration::ZERO } else { LONGEST_TICK })?;
        while let Some(message) = self.next() {
            self.early.push(message);
        }
        Ok(())
    }

    fn receive(&mut self, timeout: Duration, sink: Sink<'_>) -> anyhow::Result<()> {
        if !self.early.is_empty() {
            self.early.drain(..).for_each(|message| sink(&message));
            return Ok(());
        }
        self.tick(timeout)?;
        while let Some(message) = self.next() {
            sink(&message);
        }
        Ok(())
    }
}
