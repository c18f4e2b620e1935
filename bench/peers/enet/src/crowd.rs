//! Many connections of one host.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use bench_protocol::{Crowd, Delivery};
use bytes::Bytes;

use crate::host::{Event, Host, PeerId};

/// See the module.
pub(crate) struct Group {
    host: Host,
    target: Option<SocketAddr>,
    connections: Vec<PeerId>,
    indices: HashMap<PeerId, usize>,
}

impl Group {
    pub(crate) fn new(host: Host, target: Option<SocketAddr>) -> Self {
        Self { host, target, connections: Vec::new(), indices: HashMap::new() }
    }
}

impl Crowd for Group {
    fn open(&mut self) -> anyhow::Result<()> {
        self.host.connect(self.target.context("a server opens no connections")?)
    }

    fn connected(&self) -> usize {
        self.connections.len()
    }

    fn turn(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(usize, &[u8]),
    ) -> anyhow::Result<()> {
        // Sends what is queued, too.
        let mut event = self.host.service(timeout)?;
        while let Some(next) = event {
            match next {
                Event::Connected(peer) => {
                    self.indices.insert(peer, self.connections.len());
                    self.connections.push(peer);
                }
                Event::Received(peer, packet) => {
                    let index = self.indices.get(&peer).context("it connected first")?;
                    sink(*index, packet.payload());
                }
                Event::Ended => bail!("a connection ended"),
            }
            event = self.host.next_event()?;
        }
        Ok(())
    }

    fn send(&mut self, connection: usize, message: Bytes) -> anyhow::Result<()> {
        self.host.send(self.connections[connection], message, Delivery::Unreliable)
    }
}
