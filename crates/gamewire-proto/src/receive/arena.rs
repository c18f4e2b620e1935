//! Blocks that small messages share.

use bytes::{Bytes, BytesMut};

/// Size of the first block, in bytes.
const MIN_BLOCK: usize = 256;

/// Size that blocks grow to while the application holds on to the previous ones, in bytes.
const MAX_BLOCK: usize = 64 * 1024;

/// Copies payloads one behind the other into a block.
///
/// A block is used again as soon as the application has dropped all of its messages, so that the
/// steady state allocates nothing.
#[derive(Debug)]
pub(super) struct Arena {
    block: BytesMut,
    next_size: usize,
}

impl Default for Arena {
    fn default() -> Self {
        Self { block: BytesMut::new(), next_size: MIN_BLOCK }
    }
}

impl Arena {
    #[inline]
    pub(super) fn copy(&mut self, data: &[u8]) -> Bytes {
        if data.is_empty() {
            return Bytes::new();
        }
        if self.block.capacity() < data.len() {
            self.renew(data.len());
        }
        self.block.extend_from_slice(data);
        self.block.split().freeze()
    }

    fn renew(&mut self, len: usize) {
        if !self.block.try_reclaim(len) {
            self.block = BytesMut::with_capacity(self.next_size.max(len));
            self.next_size = (2 * self.next_size).min(MAX_BLOCK);
        }
    }
}
