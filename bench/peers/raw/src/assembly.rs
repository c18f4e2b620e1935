//! From packets back to messages of one size, and the numbers of what came.

use anyhow::ensure;

use crate::packets::{Cipher, content_len};

/// How messages lie in packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// One after the other without regard for packets. A lost packet is the end.
    Stream,
    /// One in each packet.
    Datagram,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Assembly {
    framing: Framing,
    message: Vec<u8>,
    filled: usize,
    content: Vec<u8>,
    /// Number that the next packet has if none was lost.
    pub(crate) expected: u64,
}

impl Assembly {
    pub(crate) fn new(framing: Framing, message_bytes: usize, content_bytes: usize) -> Self {
        Self {
            framing,
            message: vec![0; message_bytes],
            filled: 0,
            content: vec![0; content_bytes],
            expected: 0,
        }
    }

    /// Opens a packet and hands over the messages that it completes.
    pub(crate) fn absorb(
        &mut self,
        cipher: &Cipher,
        number: u64,
        packet: &[u8],
        sink: &mut dyn FnMut(&[u8]),
    ) -> anyhow::Result<()> {
        let len = content_len(packet);
        ensure!(len <= self.content.len(), "a packet of {} bytes", packet.len());
        if self.framing == Framing::Datagram {
            cipher.open(packet, &mut self.content)?;
            self.expected = self.expected.max(number + 1);
            sink(&self.content[..len]);
            return Ok(());
        }
        ensure!(number == self.expected, "packet {number} instead of {}", self.expected);
        self.expected += 1;
        let whole = self.message.len();
        if len <= whole - self.filled {
            // All of it belongs to one message: opened right where it belongs.
            cipher.open(packet, &mut self.message[self.filled..])?;
            self.filled += len;
            if self.filled == whole {
                sink(&self.message);
                self.filled = 0;
            }
            return Ok(());
        }
        cipher.open(packet, &mut self.content)?;
        let content = std::mem::take(&mut self.content);
        self.cut(&content[..len], sink);
        self.content = content;
        Ok(())
    }

    /// Completes the message that was begun, hands over whole ones, begins the next.
    fn cut(&mut self, content: &[u8], sink: &mut dyn FnMut(&[u8])) {
        let whole = self.message.len();
        let begun = if self.filled > 0 { content.len().min(whole - self.filled) } else { 0 };
        let (first, rest) = content.split_at(begun);
        self.message[self.filled..self.filled + begun].copy_from_slice(first);
        self.filled += begun;
        if self.filled == whole {
            sink(&self.message);
            self.filled = 0;
        }
        let messages = rest.chunks_exact(whole);
        let tail = messages.remainder();
        messages.for_each(sink);
        if !tail.is_empty() {
            self.message[..tail.len()].copy_from_slice(tail);
            self.filled = tail.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packets::{CONTENT_BYTES, Kind, PACKET_BYTES, Side, kind};

    #[test]
    fn messages_of_every_size_come_out_whole() {
        for size in [1, 64, 100, 1275, 1276, 1277, 4000] {
            let mut client = Cipher::new(Side::Client).unwrap();
            let server = Cipher::new(Side::Server).unwrap();
            let stream: Vec<u8> = (0..size * 50).map(|at| (at / size) as u8).collect();
            let mut assembly = Assembly::new(Framing::Stream, size, CONTENT_BYTES);
            let mut seen = 0;
            for content in stream.chunks(CONTENT_BYTES) {
                let mut packet = [0; PACKET_BYTES];
                let len = client.seal(Kind::Data, content, &mut packet).unwrap();
                let (_, number) = kind(&packet[..len]).unwrap();
                let mut sink = |message: &[u8]| {
                    assert!(message.len() == size && message.iter().all(|byte| *byte == seen));
                    seen += 1;
                };
                assembly.absorb(&server, number, &packet[..len], &mut sink).unwrap();
            }
            assert_eq!(seen, 50, "{size}");
        }
    }
}
