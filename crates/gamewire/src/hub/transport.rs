//! The connection to the hub: a TCP socket that never blocks, TLS around it if wanted, and the
//! WebSocket in it.

use std::io::{self, Read as _, Write as _};

use gamewire_crypto::SystemEntropy;
use mio::net::TcpStream;
use rustls::ClientConnection;

use super::websocket::{WebSocket, WebSocketError, WebSocketEvent};

/// Reads of one turn before the sockets of connections get theirs.
const MAX_READS_PER_TURN: usize = 16;
const READ_BYTES: usize = 16 * 1024;
/// While more than this waits to be sent, no more is asked for, in bytes.
const MAX_OUTGOING_BYTES: usize = 64 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Transport {
    stream: TcpStream,
    tls: Option<ClientConnection>,
    websocket: WebSocket,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    WebSocket(#[from] WebSocketError),
    #[error("the hub closed the connection")]
    Eof,
}

/// Whether a turn took everything that was there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    Drained,
    More,
}

impl Transport {
    pub(super) fn new(
        stream: TcpStream,
        tls: Option<ClientConnection>,
        websocket: WebSocket,
    ) -> Self {
        Self { stream, tls, websocket }
    }

    pub(super) fn stream_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(super) fn has_room(&self) -> bool {
        self.websocket.outgoing().len() < MAX_OUTGOING_BYTES
    }

    pub(super) fn poll_event(&mut self) -> Option<WebSocketEvent> {
        self.websocket.poll_event()
    }

    pub(super) fn send(&mut self, message: &[u8]) {
        self.websocket.send(message, &mut SystemEntropy);
    }

    pub(super) fn ping(&mut self) {
        self.websocket.ping(&mut SystemEntropy);
    }

    /// Says goodbye, as far as that is possible without waiting.
    pub(super) fn close(mut self) {
        self.websocket.close(&mut SystemEntropy);
        if let Some(tls) = &mut self.tls {
            let _ = tls.writer().write_all(self.websocket.outgoing());
            tls.send_close_notify();
            let _ = tls.write_tls(&mut self.stream);
        } else {
            let _ = self.stream.write(self.websocket.outgoing());
        }
    }

    /// Sends what there is room for.
    pub(super) fn flush(&mut self) -> Result<(), TransportError> {
        loop {
            let outgoing = self.websocket.outgoing();
            let sent = match &mut self.tls {
                None if outgoing.is_empty() => return Ok(()),
                None => match unless_blocked(self.stream.write(outgoing))? {
                    Some(sent) => sent,
                    None => return Ok(()),
                },
                Some(tls) => {
                    let taken = tls.writer().write(outgoing)?;
                    self.websocket.sent(taken);
                    if !tls.wants_write() {
                        return Ok(());
                    }
                    if unless_blocked(tls.write_tls(&mut self.stream))?.is_none() {
                        return Ok(());
                    }
                    continue;
                }
            };
            self.websocket.sent(sent);
        }
    }

    /// Takes what has come.
    pub(super) fn receive(&mut self) -> Result<Progress, TransportError> {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..MAX_READS_PER_TURN {
            let Some(tls) = &mut self.tls else {
                match unless_blocked(self.stream.read(&mut buffer))? {
                    None => return Ok(Progress::Drained),
                    Some(0) => return Err(TransportError::Eof),
                    Some(length) => {
                        self.websocket.handle_bytes(&buffer[..length], &mut SystemEntropy)?;
                    }
                }
                continue;
            };
            let read = unless_blocked(tls.read_tls(&mut self.stream))?;
            if let Err(error) = tls.process_new_packets() {
                // The alert that says so to the other side.
                let _ = tls.write_tls(&mut self.stream);
                return Err(error.into());
            }
            while let Some(length) = unless_blocked(tls.reader().read(&mut buffer))? {
                if length == 0 {
                    return Err(TransportError::Eof);
                }
                self.websocket.handle_bytes(&buffer[..length], &mut SystemEntropy)?;
            }
            match read {
                None => return Ok(Progress::Drained),
                Some(0) => return Err(TransportError::Eof),
                Some(_) => {}
            }
        }
        Ok(Progress::More)
    }
}

/// `None`: not now.
fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        // Tried again at the next turn of the loop, which the caller makes.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}
