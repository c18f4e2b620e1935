//! The log of datagrams (`PacketTraceMaxBytes`): direction, address, length and the first bytes.

use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicI32, Ordering},
};

use crate::{
    fake_network::Direction,
    io::{SendOutcome, Transmit},
};

/// Where the lines go: under the targets of which the debug output shows everything.
const TARGET: &str = "gamewire::traffic::packet_trace";

/// Nothing is logged.
const OFF: i32 = -1;

/// What is logged of a socket's datagrams. Any thread may look and change it; off, it costs one
/// relaxed load.
#[derive(Debug)]
pub(crate) struct PacketTrace(AtomicI32);

impl Default for PacketTrace {
    fn default() -> Self {
        Self(AtomicI32::new(OFF))
    }
}

impl PacketTrace {
    /// How many bytes of each datagram to show; negative: no line at all.
    pub(crate) fn configure(&self, max_bytes: i32) {
        self.0.store(max_bytes.max(OFF), Ordering::Relaxed);
    }

    /// What of a batch was handed to the system.
    #[inline]
    pub(crate) fn sent(&self, transmit: &Transmit<'_>, outcome: SendOutcome) {
        let gone = match outcome {
            SendOutcome::Sent | SendOutcome::Dropped(_) => transmit.contents,
            SendOutcome::WouldBlock { consumed, .. } => &transmit.contents[..consumed],
            SendOutcome::Lost => return,
        };
        let size = transmit.segment_size.unwrap_or(transmit.contents.len());
        self.datagrams(Direction::Send, transmit.destination, gone, size);
    }

    /// Datagrams of `size` bytes each, the last of which may be shorter.
    #[inline]
    pub(crate) fn datagrams(
        &self,
        direction: Direction,
        remote: SocketAddr,
        contents: &[u8],
        size: usize,
    ) {
        if let Ok(max_bytes) = usize::try_from(self.0.load(Ordering::Relaxed)) {
            contents.chunks(size.max(1)).for_each(|datagram| {
                log(direction, remote, datagram, max_bytes);
            });
        }
    }
}

#[cold]
fn log(direction: Direction, remote: SocketAddr, datagram: &[u8], max_bytes: usize) {
    let way = match direction {
        Direction::Send => "sent to",
        Direction::Recv => "received from",
    };
    let shown = &datagram[..max_bytes.min(datagram.len())];
    tracing::info!(target: TARGET, "{way} {remote}: {} bytes{}", datagram.len(), Hex(shown));
}

/// Bytes in hex behind a space; nothing if there are none.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            f.write_str(" ")?;
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{DebugLevel, DebugOutput, io::SendWait};

    #[test]
    fn datagrams_are_shown_up_to_the_limit_and_as_far_as_they_left() {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = lines.clone();
        let output = DebugOutput::new(DebugLevel::Error, move |level, text| {
            sink.lock().unwrap().push(format!("{level:?} {text}"));
        });
        tracing::subscriber::with_default(output, || {
            let trace = PacketTrace::default();
            let destination = "127.0.0.1:7".parse().unwrap();
            let batch = Transmit { destination, contents: b"abcdefg", segment_size: Some(3) };
            trace.sent(&batch, SendOutcome::Sent);
            trace.configure(2);
            trace.sent(&batch, SendOutcome::Sent);
            let full = SendOutcome::WouldBlock { consumed: 3, wait: SendWait::Writable };
            trace.sent(&batch, full);
            trace.sent(&batch, SendOutcome::Lost);
            trace.configure(0);
            trace.datagrams(Direction::Recv, destination, b"xyz", 3);
            trace.configure(-7);
            trace.datagrams(Direction::Recv, destination, b"xyz", 3);
        });
        let expected = [
            "Msg sent to 127.0.0.1:7: 3 bytes 6162",
            "Msg sent to 127.0.0.1:7: 3 bytes 6465",
            "Msg sent to 127.0.0.1:7: 1 bytes 67",
            "Msg sent to 127.0.0.1:7: 3 bytes 6162",
            "Msg received from 127.0.0.1:7: 3 bytes",
        ];
        assert_eq!(*lines.lock().unwrap(), expected);
    }
}
