//! Many senders behind one socket, told apart by a number in their packets.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use bench_protocol::Crowd;
use bytes::Bytes;

use crate::{
    packets::{self, Cipher, Kind, OVERHEAD_BYTES},
    port::Port,
};

/// Bytes that say whose message it is.
const NAME_BYTES: usize = 4;
/// Largest message, in bytes, with its name.
const CONTENT_BYTES: usize = 1024;

/// See the module.
pub(crate) struct Echoes {
    port: Port,
    /// Where messages go: the server, or whoever sent last.
    remote: Option<SocketAddr>,
    is_client: bool,
    cipher: Cipher,
    connected: usize,
}

impl Echoes {
    pub(crate) fn new(port: Port, remote: Option<SocketAddr>, cipher: Cipher) -> Self {
        Self { port, remote, is_client: remote.is_some(), cipher, connected: 0 }
    }
}

impl Crowd for Echoes {
    fn open(&mut self) -> anyhow::Result<()> {
        ensure!(self.is_client, "a server opens nothing");
        self.connected += 1;
        Ok(())
    }

    fn connected(&self) -> usize {
        self.connected
    }

    fn turn(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(usize, &[u8]),
    ) -> anyhow::Result<()> {
        let Self { port, remote, cipher, connected, is_client } = self;
        port.receive(timeout, |from, packet| {
            remote.get_or_insert(from);
            let len = packets::content_len(packet);
            ensure!((NAME_BYTES..=CONTENT_BYTES).contains(&len), "a packet of {len} bytes");
            let mut content = [0; CONTENT_BYTES];
            cipher.open(packet, &mut content)?;
            let (name, message) = content[..len].split_at(NAME_BYTES);
            let name = u32::from_le_bytes(name.try_into().context("four bytes")?) as usize;
            if !*is_client {
                *connected = (name + 1).max(*connected);
            }
            sink(name, message);
            Ok(())
        })
    }

    fn send(&mut self, connection: usize, message: Bytes) -> anyhow::Result<()> {
        let name = u32::try_from(connection)?.to_le_bytes();
        let content = [&name, &message[..]].concat();
        let mut packet = vec![0; content.len() + OVERHEAD_BYTES];
        let len = self.cipher.seal(Kind::Data, &content, &mut packet)?;
        self.port.send(self.remote.context("nobody to send to yet")?, &packet, len)
    }
}
