//! Datagrams to send, in one buffer that is used again and again.

use gamewire_wire::address::Address;

/// Through which socket of a relay.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The public port, where clients are.
    Front,
    /// The shard's own port, where servers and other relays are.
    Interior,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    side: Side,
    to: Address,
    start: usize,
    end: usize,
}

/// Datagrams in the order in which they are to be sent.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Batch {
    /// Appends what `write` writes; returns its length.
    pub(super) fn push(
        &mut self,
        side: Side,
        to: Address,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        self.entries.push(Entry { side, to, start, end });
        end - start
    }

    /// Takes the last datagram back.
    pub(super) fn pop(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.bytes.truncate(entry.start);
        }
    }

    /// How many datagrams there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each with its socket and where to.
    pub fn iter(&self) -> impl Iterator<Item = (Side, Address, &[u8])> {
        let datagram = |entry: &Entry| (entry.side, entry.to, &self.bytes[entry.start..entry.end]);
        self.entries.iter().map(datagram)
    }

    /// Forgets them all; the buffers stay.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}
