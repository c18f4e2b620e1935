//! Blocks that small payloads given as slices share, so that a message costs no allocation.

use bytes::{Bytes, BytesMut};

/// Slices up to this size share blocks; larger ones get memory of their own, in bytes.
const MAX_SHARED: usize = 4096;
/// Size of the first block, in bytes: a connection that says little takes little.
const MIN_BLOCK: usize = 256;
/// Size that blocks grow to while the previous ones are still in use, in bytes.
const MAX_BLOCK: usize = 64 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Copies {
    block: BytesMut,
    next_size: usize,
}

impl Default for Copies {
    fn default() -> Self {
        Self { block: BytesMut::new(), next_size: MIN_BLOCK }
    }
}

impl Copies {
    /// A copy of the payload.
    pub(crate) fn copy(&mut self, payload: &[u8]) -> Bytes {
        if payload.len() > MAX_SHARED {
            return Bytes::copy_from_slice(payload);
        }
        // A block whose messages are all gone is used again.
        if self.block.capacity() < payload.len() && !self.block.try_reclaim(payload.len()) {
            self.block = BytesMut::with_capacity(self.next_size.max(payload.len()));
            self.next_size = (2 * self.next_size).min(MAX_BLOCK);
        }
        self.block.extend_from_slice(payload);
        self.block.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_are_gone_make_room_for_the_next() {
        let mut copies = Copies::default();
        for _ in 0..100 {
            assert_eq!(copies.copy(&[7; 100]), [7; 100][..]);
        }
        assert_eq!(copies.next_size, 2 * MIN_BLOCK, "one block was enough");
    }

    #[test]
    fn blocks_grow_with_what_is_kept() {
        let mut copies = Copies::default();
        let kept: Vec<Bytes> = (0..10_000).map(|n: u32| copies.copy(&n.to_le_bytes())).collect();
        assert!(kept.iter().zip(0_u32..).all(|(copy, n)| copy[..] == n.to_le_bytes()));
        assert_eq!(copies.next_size, MAX_BLOCK);
        assert_eq!(copies.copy(&[1; MAX_SHARED + 1]).len(), MAX_SHARED + 1);
        assert!(copies.copy(&[]).is_empty());
    }
}
