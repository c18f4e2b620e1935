//! Ack frames: which packets arrived, newest first.

use super::FrameError;
use super::reader::Cursor;
use crate::limits::{MAX_ACK_BLOCKS, MAX_ACK_COUNT};
use crate::varint;

/// The delay field that says "not known".
const DELAY_UNKNOWN: u16 = 0xffff;
/// The block count in the first byte that says "a count byte follows".
const COUNT_FOLLOWS: u8 = 7;
/// Bit of the first byte: the latest number has 16 bits, not 32.
const SHORT_NUMBER: u8 = 0x08;
/// First byte of an ack frame, without its flags.
const FRAME_ACK: u8 = 0x90;

/// What the peer received, from the packet it names down to its last stop-waiting number.
///
/// Packets below what the blocks cover are acked. Its blocks were checked while parsing: they stay
/// within the limits and do not reach below packet number 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckFrame<'a> {
    /// The packet the blocks start from, counting down; not necessarily one ever sent.
    pub latest: u64,
    /// Time between receiving `latest` and sending this frame, in units of 32 µs; `None` = not
    /// known.
    pub delay: Option<u16>,
    blocks: AckBlocks<'a>,
}

impl<'a> AckFrame<'a> {
    /// The blocks, from the newest packet to older ones.
    #[inline]
    #[must_use]
    pub fn blocks(&self) -> AckBlocks<'a> {
        self.blocks.clone()
    }

    /// Reads the fields behind the first byte.
    #[inline]
    pub(super) fn read(
        cursor: &mut Cursor<'a>,
        first: u8,
        last_sent: u64,
    ) -> Result<Self, FrameError> {
        let bits = if first & SHORT_NUMBER != 0 { 16 } else { 32 };
        let latest = cursor.expanded(bits, last_sent)?;
        let delay = cursor.uint(2)? as u16;
        let count = match first & 7 {
            COUNT_FOLLOWS => cursor.byte()?,
            count => count,
        };
        let blocks = AckBlocks { bytes: cursor.rest(), count };
        let mut covered = 0u64;
        for _ in 0..count {
            let block = AckBlock::read(cursor)?;
            covered += u64::from(block.acked) + u64::from(block.missing);
        }
        if covered > latest.saturating_add(1) {
            return Err(FrameError::AckRange);
        }
        Ok(Self { latest, delay: (delay != DELAY_UNKNOWN).then_some(delay), blocks })
    }
}

/// A run of packets: first so many received, then, older than those, so many not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckBlock {
    /// How many arrived, at most [`MAX_ACK_COUNT`].
    pub acked: u32,
    /// How many, below those, did not, at most [`MAX_ACK_COUNT`].
    pub missing: u32,
}

impl AckBlock {
    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, FrameError> {
        let nibbles = cursor.byte()?;
        Ok(Self { acked: count(nibbles >> 4, cursor)?, missing: count(nibbles & 0xf, cursor)? })
    }

    /// Length in an ack frame, in bytes; `None` if a count exceeds the limit.
    #[inline]
    fn encoded_len(self) -> Option<usize> {
        let extra = |count: u32| {
            if count < 8 { 0 } else { varint::len(u64::from(count >> 3)) }
        };
        (self.acked <= MAX_ACK_COUNT && self.missing <= MAX_ACK_COUNT)
            .then(|| 1 + extra(self.acked) + extra(self.missing))
    }

    #[inline]
    fn append(self, out: &mut Vec<u8>) {
        let nibble = |count: u32| if count < 8 { count } else { 8 | (count & 7) } as u8;
        out.push(nibble(self.acked) << 4 | nibble(self.missing));
        for count in [self.acked, self.missing] {
            if count >= 8 {
                varint::append(u64::from(count >> 3), out);
            }
        }
    }

    fn total(self) -> u64 {
        u64::from(self.acked) + u64::from(self.missing)
    }
}

#[inline]
fn count(nibble: u8, cursor: &mut Cursor<'_>) -> Result<u32, FrameError> {
    if nibble < 8 {
        return Ok(u32::from(nibble));
    }
    let upper = cursor.varint()?;
    if upper > u64::from(MAX_ACK_COUNT >> 3) {
        return Err(FrameError::AckCount);
    }
    Ok((upper as u32) << 3 | u32::from(nibble & 7))
}

/// The blocks of an [`AckFrame`], newest to oldest.
#[derive(Clone, Debug)]
pub struct AckBlocks<'a> {
    bytes: &'a [u8],
    count: u8,
}

// The bytes may run past the blocks, so compare what the blocks say.
impl PartialEq for AckBlocks<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl Eq for AckBlocks<'_> {}

impl Iterator for AckBlocks<'_> {
    type Item = AckBlock;

    #[inline]
    fn next(&mut self) -> Option<AckBlock> {
        self.count = self.count.checked_sub(1)?;
        let mut cursor = Cursor::new(self.bytes);
        // Parsing read these very bytes, so this cannot fail.
        let block = AckBlock::read(&mut cursor).ok()?;
        self.bytes = cursor.rest();
        Some(block)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.count), Some(usize::from(self.count)))
    }
}

impl ExactSizeIterator for AckBlocks<'_> {}

/// Length of an ack frame's fields before its blocks, in bytes.
fn head_len(wide: bool, blocks: usize) -> usize {
    let number = if wide { 4 } else { 2 };
    let count = usize::from(blocks >= usize::from(COUNT_FOLLOWS));
    1 + number + 2 + count
}

/// Length of a frame with 16-bit number and all of `blocks`, in bytes.
pub(super) fn ack_len(blocks: &[AckBlock]) -> usize {
    let blocks_len: usize =
        blocks.iter().map(|block| block.encoded_len().unwrap_or_default()).sum();
    head_len(false, blocks.len()) + blocks_len
}

/// How many of the oldest blocks a frame of at most `room` bytes holds; `None` = not even none.
fn fitting(blocks: &[AckBlock], wide: bool, room: usize) -> Option<usize> {
    let mut blocks_len = 0;
    let mut fitting = None;
    for count in 0..=blocks.len().min(MAX_ACK_BLOCKS) {
        if count > 0 {
            match blocks[blocks.len() - count].encoded_len() {
                Some(len) => blocks_len += len,
                None => break,
            }
        }
        if head_len(wide, count) + blocks_len > room {
            break;
        }
        fitting = Some(count);
    }
    fitting
}

/// Appends an ack frame of at most `room` bytes; returns how many blocks it says, the oldest ones.
pub(super) fn append(
    out: &mut Vec<u8>,
    room: usize,
    (latest, delay): (u64, Option<u16>),
    wide: bool,
    blocks: &[AckBlock],
) -> usize {
    let Some(count) = fitting(blocks, wide, room) else {
        return 0;
    };
    let (dropped, kept) = blocks.split_at(blocks.len() - count);
    // Leaving out newer packets is harmless, leaving out older ones would ack them.
    let latest = latest.saturating_sub(dropped.iter().map(|block| block.total()).sum());
    let delay = match delay {
        Some(delay) if dropped.is_empty() => delay.min(DELAY_UNKNOWN - 1),
        _ => DELAY_UNKNOWN,
    };
    let short = if wide { 0 } else { SHORT_NUMBER };
    let code = kept.len().min(usize::from(COUNT_FOLLOWS)) as u8;
    out.push(FRAME_ACK | short | code);
    out.extend_from_slice(&latest.to_le_bytes()[..if wide { 4 } else { 2 }]);
    out.extend_from_slice(&delay.to_le_bytes());
    if code == COUNT_FOLLOWS {
        out.push(kept.len() as u8);
    }
    kept.iter().for_each(|block| block.append(out));
    count
}
