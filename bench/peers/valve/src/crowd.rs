//! Many connections in one poll group.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use bench_protocol::{Crowd, Delivery};
use bytes::Bytes;

use crate::{endpoint, library::Library, link};

/// See the module.
pub(crate) struct Group {
    library: Library,
    /// Where to, for clients.
    target: Option<SocketAddr>,
    connections: Vec<u32>,
    indices: HashMap<u32, usize>,
}

impl Group {
    pub(crate) fn new(library: Library, target: Option<SocketAddr>) -> Self {
        Self { library, target, connections: Vec::new(), indices: HashMap::new() }
    }
}

impl Crowd for Group {
    fn open(&mut self) -> anyhow::Result<()> {
        self.library.connect(self.target.context("a server opens no connections")?)
    }

    fn connected(&self) -> usize {
        self.connections.len()
    }

    fn turn(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(usize, &[u8]),
    ) -> anyhow::Result<()> {
        self.library.poll(link::whole_ms(timeout));
        while let Some(change) = self.library.next_change() {
            if endpoint::on_change(&self.library, &change)? {
                self.indices.insert(change.connection, self.connections.len());
                self.connections.push(change.connection);
            }
        }
        for message in self.library.receive() {
            if let Some(&index) = self.indices.get(&message.connection()) {
                sink(index, message.payload());
            }
        }
        Ok(())
    }

    fn send(&mut self, connection: usize, message: Bytes) -> anyhow::Result<()> {
        let flags = link::flags(Delivery::Unreliable, true);
        self.library.send(self.connections[connection], flags, std::iter::once(&message[..]))?;
        Ok(())
    }
}
