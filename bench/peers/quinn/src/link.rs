//! One connection. Each call runs the runtime until it has what it wants.

use std::time::Duration;

use anyhow::Context as _;
use bench_protocol::{Delivery, Link, link::Sink};
use bytes::{Buf as _, Bytes, BytesMut};
use quinn::{RecvStream, SendStream};
use tokio::{runtime::Runtime, time::timeout};

/// Datagrams taken at once.
const RECEIVE_BATCH: usize = 256;
/// Bytes that say how long a message on the one stream is.
const PREFIX_BYTES: usize = 4;

/// How messages travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Each reliable message on a stream of its own.
    ManyStreams,
    /// Reliable messages on one stream, unreliable ones as datagrams.
    OneStream,
}

/// See the module.
pub(crate) struct Connection {
    runtime: Runtime,
    lines: Lines,
    /// Keeps the socket.
    _endpoint: quinn::Endpoint,
}

struct Lines {
    connection: quinn::Connection,
    mode: Mode,
    send: SendStream,
    receive: RecvStream,
    /// What came on the one stream and is no whole message yet.
    unread: BytesMut,
    /// The stream that a message is coming on, and what has come.
    current: Option<RecvStream>,
    message: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(
        runtime: Runtime,
        endpoint: quinn::Endpoint,
        connection: quinn::Connection,
        (send, receive): (SendStream, RecvStream),
        mode: Mode,
    ) -> Self {
        let (unread, message) = (BytesMut::new(), Vec::new());
        let lines = Lines { connection, mode, send, receive, unread, current: None, message };
        Self { runtime, lines, _endpoint: endpoint }
    }
}

impl Lines {
    async fn send(&mut self, messages: &[Bytes], delivery: Delivery) -> anyhow::Result<()> {
        match (delivery, self.mode) {
            (Delivery::Unreliable, _) => {
                for message in messages {
                    self.connection.send_datagram_wait(message.clone()).await?;
                }
            }
            (Delivery::Reliable, Mode::ManyStreams) => {
                for message in messages {
                    let mut stream = self.connection.open_uni().await?;
                    stream.write_chunk(message.clone()).await?;
                    stream.finish()?;
                }
            }
            (Delivery::Reliable, Mode::OneStream) => {
                let bytes = messages.iter().map(|message| message.len() + PREFIX_BYTES).sum();
                let mut batch = BytesMut::with_capacity(bytes);
                for message in messages {
                    let len = u32::try_from(message.len())?;
                    batch.extend_from_slice(&len.to_le_bytes());
                    batch.extend_from_slice(message);
                }
                self.send.write_chunk(batch.freeze()).await?;
            }
        }
        Ok(())
    }

    async fn receive(&mut self, sink: Sink<'_>) -> anyhow::Result<()> {
        match self.mode {
            Mode::ManyStreams => self.receive_stream(sink).await,
            Mode::OneStream => {
                tokio::select! {
                    datagram = self.connection.read_datagram() => {
                        sink(&datagram?);
                        for _ in 1..RECEIVE_BATCH {
                            tokio::select! {
                                biased;
                                datagram = self.connection.read_datagram() => sink(&datagram?),
                                () = std::future::ready(()) => break,
                            }
                        }
                    }
                    chunk = self.receive.read_chunk(usize::MAX, true) => {
                        let chunk = chunk?.context("the stream has ended")?;
                        take_frames(&mut self.unread, &chunk.bytes, sink)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// One message on a stream of its own.
    async fn receive_stream(&mut self, sink: Sink<'_>) -> anyhow::Result<()> {
        if self.current.is_none() {
            self.current = Some(self.connection.accept_uni().await?);
        }
        let stream = self.current.as_mut().context("there is one")?;
        while let Some(chunk) = stream.read_chunk(usize::MAX, true).await? {
            self.message.extend_from_slice(&chunk.bytes);
        }
        self.current = None;
        sink(&self.message);
        self.message.clear();
        Ok(())
    }
}

/// Hands over the messages that `chunk` completes; `unread` keeps the rest.
fn take_frames(unread: &mut BytesMut, chunk: &[u8], sink: Sink<'_>) -> anyhow::Result<()> {
    let mut rest = chunk;
    if !unread.is_empty() {
        unread.extend_from_slice(chunk);
        while let Some(len) = frame_len(unread)? {
            sink(&unread[PREFIX_BYTES..len]);
            unread.advance(len);
        }
        return Ok(());
    }
    while let Some(len) = frame_len(rest)? {
        sink(&rest[PREFIX_BYTES..len]);
        rest = &rest[len..];
    }
    unread.extend_from_slice(rest);
    Ok(())
}

/// Length of the first message with its prefix, if it is there as a whole.
fn frame_len(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(prefix) = bytes.first_chunk::<PREFIX_BYTES>() else {
        return Ok(None);
    };
    let len = PREFIX_BYTES + usize::try_from(u32::from_le_bytes(*prefix))?;
    Ok((bytes.len() >= len).then_some(len))
}

impl Link for Connection {
    fn send(&mut self, messages: &[Bytes], delivery: Delivery) -> anyhow::Result<usize> {
        self.runtime.block_on(self.lines.send(messages, delivery))?;
        Ok(messages.len())
    }

    fn wait_room(&mut self, _: Duration) -> anyhow::Result<()> {
        // Sending waits by itself.
        Ok(())
    }

    fn receive(&mut self, limit: Duration, sink: Sink<'_>) -> anyhow::Result<()> {
        let receive = async { timeout(limit, self.lines.receive(sink)).await };
        self.runtime.block_on(receive).unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let mut stream = Vec::new();
        for len in [0_u32, 1, 100, 5] {
            stream.extend_from_slice(&len.to_le_bytes());
            stream.extend(std::iter::repeat_n(7, len as usize));
        }
        for size in 1..stream.len() {
            let (mut unread, mut seen) = (BytesMut::new(), Vec::new());
            for chunk in stream.chunks(size) {
                take_frames(&mut unread, chunk, &mut |message| seen.push(message.len())).unwrap();
            }
            assert_eq!(seen, [0, 1, 100, 5]);
            assert!(unread.is_empty());
        }
    }
}
