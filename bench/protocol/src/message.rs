//! The content of messages. Head and tail say which message it is, so that a receiver notices what
//! is lost, cut, mixed up or invented without reading every byte.

use std::collections::VecDeque;

use anyhow::{bail, ensure};
use bytes::{Bytes, BytesMut};

/// Number of the message that says that there are no more. Its stamp says how many there were.
pub const END: u64 = u64::MAX;
/// Number of the message that answers [`END`].
pub const BYE: u64 = u64::MAX - 1;

/// Messages from this size on are made beforehand and sent again and again: copying them would be
/// what is measured.
const LARGE_BYTES: usize = 4096;
/// How many different large messages there are: more than a first-level cache holds, less than a
/// second-level one, as if the application had just made them.
const LARGE_KINDS: u64 = 4;
/// Mixed into the number at the end, so that an empty message is not right by chance.
const TAIL_MARK: u64 = 0x9d5c_f013_77e2_4a6b;

/// Number and stamp at the start, number at the end.
pub const LEAST_BYTES: usize = 24;

fn write(payload: &mut [u8], index: u64, stamp: u64) {
    let tail = payload.len() - 8;
    payload[..8].copy_from_slice(&index.to_le_bytes());
    payload[8..16].copy_from_slice(&stamp.to_le_bytes());
    payload[tail..].copy_from_slice(&(index ^ TAIL_MARK).to_le_bytes());
}

/// A single message.
pub fn single(size: usize, index: u64, stamp: u64) -> Bytes {
    let mut payload = vec![0; size];
    write(&mut payload, index, stamp);
    payload.into()
}

/// What a message says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its number; of large messages only the remainder by the number of kinds.
    pub index: u64,
    /// What the sender wrote.
    pub stamp: u64,
}

/// Reads a message of an expected size.
///
/// # Errors
/// It is none of ours, or not whole.
pub fn read(payload: &[u8], size: usize) -> anyhow::Result<Head> {
    ensure!(payload.len() == size, "a message of {} bytes instead of {size}", payload.len());
    let number = |at: usize| {
        let bytes = payload[at..at + 8].try_into().expect("eight bytes");
        u64::from_le_bytes(bytes)
    };
    let head = Head { index: number(0), stamp: number(8) };
    if number(size - 8) != head.index ^ TAIL_MARK {
        bail!("message {} has a wrong end", head.index);
    }
    Ok(head)
}

/// What the message with this number says that its number is.
pub const fn written_index(size: usize, index: u64) -> u64 {
    if size >= LARGE_BYTES { index % LARGE_KINDS } else { index }
}

/// Makes messages in order.
#[derive(Debug)]
pub struct Composer {
    size: usize,
    batch: usize,
    next: u64,
    large: Vec<Bytes>,
    waiting: VecDeque<Bytes>,
}

impl Composer {
    /// Messages of `size` bytes in batches of `batch`.
    pub fn new(size: usize, batch: usize) -> Self {
        assert!(size >= LEAST_BYTES, "a message has room for its number");
        let kinds = if size >= LARGE_BYTES { LARGE_KINDS } else { 0 };
        let large = (0..kinds).map(|index| single(size, index, 0)).collect();
        Self { size, batch, next: 0, large, waiting: VecDeque::new() }
    }

    /// The messages that are to be sent next.
    pub fn waiting(&mut self) -> &[Bytes] {
        if self.waiting.is_empty() {
            self.refill();
        }
        self.waiting.make_contiguous()
    }

    /// The first `count` of those that waited were taken.
    pub fn taken(&mut self, count: usize) {
        self.waiting.drain(..count);
    }

    /// How many messages were taken so far.
    pub fn sent(&self) -> u64 {
        self.next - self.waiting.len() as u64
    }

    fn refill(&mut self) {
        let first = self.next;
        self.next += self.batch as u64;
        if !self.large.is_empty() {
            let kinds = (first..self.next).map(|index| (index % LARGE_KINDS) as usize);
            self.waiting.extend(kinds.map(|kind| self.large[kind].clone()));
            return;
        }
        // One allocation for the whole batch.
        let mut arena = BytesMut::zeroed(self.batch * self.size);
        for (payload, index) in arena.chunks_exact_mut(self.size).zip(first..) {
            write(payload, index, 0);
        }
        let mut arena = arena.freeze();
        self.waiting.extend((0..self.batch).map(|_| arena.split_to(self.size)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_order_and_whole() {
        for size in [LEAST_BYTES, 100, LARGE_BYTES] {
            let mut composer = Composer::new(size, 7);
            for index in 0..100 {
                let message = composer.waiting()[0].clone();
                composer.taken(1);
                let head = read(&message, size).unwrap();
                assert_eq!(head.index, written_index(size, index));
            }
            assert_eq!(composer.sent(), 100);
        }
    }

    #[test]
    fn what_is_cut_or_mixed_up_is_noticed() {
        let message = single(100, 5, 6);
        assert_eq!(read(&message, 100).unwrap(), Head { index: 5, stamp: 6 });
        assert!(read(&message[..99], 100).is_err());
        assert!(read(&message, 64).is_err());
        let mixed = [&message[..50], &single(100, 4, 6)[50..]].concat();
        assert!(read(&mixed, 100).is_err());
        assert!(read(&[0; 100], 100).is_err());
    }
}
