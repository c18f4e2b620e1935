//! Many connections on one poll group.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use bench_protocol::{Crowd, Delivery};
use bytes::Bytes;
use gamewire::{Config, ConnectionHandle, Event, Outgoing, PollGroupHandle, SendError, Sockets};

use crate::{library, link};

/// Messages taken at once.
const RECEIVE_BATCH: usize = 4096;

/// See the module.
pub(crate) struct Group {
    sockets: Sockets,
    group: PollGroupHandle,
    /// Where to and how, for clients.
    target: Option<(SocketAddr, Vec<Config>)>,
    connections: Vec<ConnectionHandle>,
    indices: HashMap<ConnectionHandle, usize>,
}

impl Group {
    pub(crate) fn new(
        sockets: Sockets,
        target: Option<(SocketAddr, Vec<Config>)>,
    ) -> anyhow::Result<Self> {
        let group = sockets.create_poll_group().context("no poll group")?;
        let (connections, indices) = (Vec::new(), HashMap::new());
        Ok(Self { sockets, group, target, connections, indices })
    }

    fn take_events(&mut self) -> anyhow::Result<()> {
        while let Some(event) = self.sockets.poll_event() {
            if let Event::ConnectionStatusChanged(change) = event
                && library::on_status(&self.sockets, &change)?
            {
                let connection = change.connection;
                self.sockets.set_connection_poll_group(connection, Some(self.group));
                self.indices.insert(connection, self.connections.len());
                self.connections.push(connection);
            }
        }
        Ok(())
    }
}

impl Crowd for Group {
    fn open(&mut self) -> anyhow::Result<()> {
        let (address, options) = self.target.as_ref().context("a server opens no connections")?;
        self.sockets.connect_by_ip_address(*address, options)?;
        Ok(())
    }

    fn connected(&self) -> usize {
        self.connections.len()
    }

    fn turn(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(usize, &[u8]),
    ) -> anyhow::Result<()> {
        self.take_events()?;
        let messages =
            self.sockets.wait_messages_on_poll_group(self.group, RECEIVE_BATCH, Some(timeout));
        for message in messages.context("the poll group is gone")? {
            if let Some(&index) = self.indices.get(&message.connection) {
                sink(index, &message);
            }
        }
        Ok(())
    }

    fn send(&mut self, connection: usize, message: Bytes) -> anyhow::Result<()> {
        let flags = link::flags(Delivery::Unreliable, true);
        let outgoing = Outgoing::new(self.connections[connection], message, flags);
        match self.sockets.send(outgoing) {
            Ok(_) | Err(SendError::LimitExceeded(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
