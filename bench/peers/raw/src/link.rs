//! Two sockets that know each other.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use bench_protocol::{Delivery, Link, link::Sink};
use bytes::Bytes;

use crate::{
    assembly::{Assembly, Framing},
    packets::{self, Cipher, Kind, OVERHEAD_BYTES, PACKET_BYTES},
    port::{BATCH_BYTES, MAX_BATCH_PACKETS, Port},
};

/// Bytes that may be on their way; fewer than the kernel's buffer holds.
pub(crate) const WINDOW_BYTES: usize = 2048 * PACKET_BYTES;
/// Packets received before they are acknowledged, in parts of the window: seldom, as each
/// acknowledgement may wake the sender.
const ACK_SHARE: u64 = 4;

/// See the module.
pub(crate) struct Pair {
    port: Port,
    remote: Option<SocketAddr>,
    cipher: Cipher,
    framing: Framing,
    urgent: bool,
    assembly: Assembly,
    /// Content that is less than a packet yet.
    partial: Vec<u8>,
    /// Sealed packets that wait for company, all but the last of `segment` bytes.
    batch: Vec<u8>,
    batch_len: usize,
    segment: usize,
    /// Bytes of content in a packet, at most.
    content_bytes: usize,
    /// Packets that may be on their way.
    window: u64,
    /// Number below which the other side has all packets.
    acked: u64,
    /// Up to where we said so.
    told: u64,
    /// Messages that came while we waited for room.
    early: VecDeque<Bytes>,
}

/// What is fixed about a pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) framing: Framing,
    pub(crate) urgent: bool,
    pub(crate) message_bytes: usize,
    /// Bytes of a packet, at most.
    pub(crate) packet_bytes: usize,
}

impl Pair {
    pub(crate) fn new(
        port: Port,
        remote: Option<SocketAddr>,
        cipher: Cipher,
        shape: Shape,
    ) -> Self {
        let segment = match shape.framing {
            Framing::Stream => shape.packet_bytes,
            Framing::Datagram => shape.message_bytes + OVERHEAD_BYTES,
        };
        let content_bytes = shape.packet_bytes - OVERHEAD_BYTES;
        Self {
            port,
            remote,
            cipher,
            framing: shape.framing,
            urgent: shape.urgent,
            assembly: Assembly::new(shape.framing, shape.message_bytes, content_bytes),
            partial: Vec::with_capacity(content_bytes),
            batch: vec![0; BATCH_BYTES + shape.packet_bytes],
            batch_len: 0,
            segment,
            content_bytes,
            window: (WINDOW_BYTES / shape.packet_bytes) as u64,
            acked: 0,
            told: 0,
            early: VecDeque::new(),
        }
    }

    fn has_room(&self) -> bool {
        self.cipher.sealed() - self.acked < self.window
    }

    /// Seals a packet into the batch, and sends the batch when it is full.
    fn push(&mut self, content: &[u8]) -> anyhow::Result<()> {
        let out = &mut self.batch[self.batch_len..];
        self.batch_len += self.cipher.seal(Kind::Data, content, out)?;
        let most = (MAX_BATCH_PACKETS * self.segment).min(BATCH_BYTES);
        if self.batch_len + self.segment > most {
            self.send_batch()?;
        }
        Ok(())
    }

    fn send_batch(&mut self) -> anyhow::Result<()> {
        if self.batch_len > 0 {
            let remote = self.remote.context("nobody to send to yet")?;
            self.port.send(remote, &self.batch[..self.batch_len], self.segment)?;
            self.batch_len = 0;
        }
        Ok(())
    }

    fn push_stream(&mut self, mut message: &[u8]) -> anyhow::Result<()> {
        while !message.is_empty() {
            if self.partial.is_empty() && message.len() >= self.content_bytes {
                let (content, rest) = message.split_at(self.content_bytes);
                self.push(content)?;
                message = rest;
                continue;
            }
            let take = message.len().min(self.content_bytes - self.partial.len());
            self.partial.extend_from_slice(&message[..take]);
            message = &message[take..];
            if self.partial.len() == self.content_bytes {
                self.push_partial()?;
            }
        }
        Ok(())
    }

    fn push_partial(&mut self) -> anyhow::Result<()> {
        let content = std::mem::take(&mut self.partial);
        self.push(&content)?;
        self.partial = content;
        self.partial.clear();
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if !self.partial.is_empty() {
            self.push_partial()?;
        }
        self.send_batch()
    }

    fn take_packets(&mut self, timeout: Duration, sink: Sink<'_>) -> anyhow::Result<()> {
        let Self { port, remote, cipher, assembly, acked, .. } = self;
        port.receive(timeout, |from, packet| {
            remote.get_or_insert(from);
            let (kind, number) = packets::kind(packet)?;
            match kind {
                Kind::Data => assembly.absorb(cipher, number, packet, sink),
                Kind::Ack => {
                    cipher.open(packet, &mut [0; 8])?;
                    *acked = number.max(*acked);
                    Ok(())
                }
            }
        })?;
        if self.assembly.expected >= self.told + self.window / ACK_SHARE {
            self.told = self.assembly.expected;
            let mut ack = [0; 8 + OVERHEAD_BYTES];
            let len = self.cipher.seal(Kind::Ack, &self.told.to_le_bytes(), &mut ack)?;
            self.port.send(self.remote.context("packets come from somewhere")?, &ack, len)?;
        }
        Ok(())
    }
}

impl Link for Pair {
    /// Fills a batch of the kernel's.
    const BATCH: usize = 600;

    fn send(&mut self, messages: &[Bytes], _: Delivery) -> anyhow::Result<usize> {
        let mut taken = 0;
        for message in messages {
            if !self.has_room() {
                break;
            }
            match self.framing {
                Framing::Stream => self.push_stream(message)?,
                Framing::Datagram => self.push(message)?,
            }
            taken += 1;
        }
        if self.urgent {
            self.flush()?;
        }
        Ok(taken)
    }

    fn wait_room(&mut self, timeout: Duration) -> anyhow::Result<()> {
        self.flush()?;
        if !self.has_room() {
            let mut early = std::mem::take(&mut self.early);
            let sink = &mut |payload: &[u8]| early.push_back(Bytes::copy_from_slice(payload));
            let result = self.take_packets(timeout, sink);
            self.early = early;
            result?;
        }
        Ok(())
    }

    fn receive(&mut self, timeout: Duration, sink: Sink<'_>) -> anyhow::Result<()> {
        self.flush()?;
        if !self.early.is_empty() {
            self.early.drain(..).for_each(|message| sink(&message));
            return Ok(());
        }
        self.take_packets(timeout, sink)
    }
}
