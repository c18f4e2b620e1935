//! Reading the frames of one plaintext.

use super::{
    AckFrame, ExtendedSegment, Frame, FrameError, FrameHints, ReliableSegment, SegmentKind,
    UnreliableSegment,
};
use crate::limits::MAX_LANES;
use crate::truncated;
use crate::varint::{self, VarintError};

/// Reads the frames of one packet's plaintext, one by one, without allocating.
///
/// After an error the rest of the plaintext has no meaning; [`FrameReader::next`] then yields
/// nothing more.
#[derive(Clone, Debug)]
pub struct FrameReader<'a> {
    cursor: Cursor<'a>,
    packet_number: u64,
    wide_sizes: bool,
    lane: u16,
    /// The lane's current message number; `None` until an unreliable segment names one.
    message_number: Option<u64>,
    /// Where the lane's last reliable segment ended; `None` before the first.
    stream_end: Option<u64>,
}

impl<'a> FrameReader<'a> {
    /// A reader at the start of the plaintext of the packet of this number.
    #[inline]
    #[must_use]
    pub fn new(plaintext: &'a [u8], packet_number: u64) -> Self {
        let cursor = Cursor::new(plaintext);
        let (message_number, stream_end) = (None, None);
        Self { cursor, packet_number, wide_sizes: false, lane: 0, message_number, stream_end }
    }

    /// Whether segments may tell their size as a varint, as peers negotiate by
    /// [`LARGE_PACKETS`](crate::extensions::LARGE_PACKETS).
    #[inline]
    #[must_use]
    pub fn with_wide_sizes(self, wide_sizes: bool) -> Self {
        Self { wide_sizes, ..self }
    }

    /// The next frame, `None` at the end.
    #[inline]
    pub fn next(&mut self, hints: &impl FrameHints) -> Result<Option<Frame<'a>>, FrameError> {
        let result = self.read(hints);
        if result.is_err() {
            self.cursor = Cursor::new(&[]);
        }
        result
    }

    #[inline]
    fn read(&mut self, hints: &impl FrameHints) -> Result<Option<Frame<'a>>, FrameError> {
        while !self.cursor.rest().is_empty() {
            let first = self.cursor.byte()?;
            return Ok(Some(match first {
                0x00..=0x3f => Frame::Unreliable(self.unreliable(first, hints)?),
                0x40..=0x5f => Frame::Reliable(self.reliable(first, hints)?),
                0x80..=0x83 => self.stop_waiting(first)?,
                0x88..=0x8f => {
                    self.select_lane(first)?;
                    continue;
                }
                0x90..=0x9f => {
                    let last_sent = hints.last_sent_packet();
                    Frame::Ack(AckFrame::read(&mut self.cursor, first, last_sent)?)
                }
                0x84 => Frame::Room { bytes: self.cursor.varint()? },
                0x85 => Frame::Padding { len: self.cursor.take_rest().len() },
                0xc0..=0xff => Frame::Extended(self.extended(first, hints)?),
                0x60..=0x7f => return Err(FrameError::ReservedFrame(first)),
                0x86..=0x87 | 0xa0..=0xbf => return Err(FrameError::ReservedFrame(first)),
            }));
        }
        Ok(None)
    }

    #[inline]
    fn unreliable(
        &mut self,
        first: u8,
        hints: &impl FrameHints,
    ) -> Result<UnreliableSegment<'a>, FrameError> {
        let message_number = self.next_message_number(first & 0x10 != 0, hints)?;
        let offset = match first & 0x08 {
            0 => 0,
            _ => u32::try_from(self.cursor.varint()?).map_err(|_| FrameError::Offset)?,
        };
        let data = self.cursor.segment_data(first & 7, self.wide_sizes)?;
        let last = first & 0x20 != 0;
        Ok(UnreliableSegment { lane: self.lane, message_number, offset, last, data })
    }

    #[inline]
    fn next_message_number(&mut self, m: bool, hints: &impl FrameHints) -> Result<u64, FrameError> {
        let number = match self.message_number {
            None => {
                let bits = if m { 32 } else { 16 };
                self.cursor.expanded(bits, hints.message_number(self.lane))?
            }
            Some(current) => {
                let increment = if m { self.cursor.varint()? } else { 1 };
                current.checked_add(increment).ok_or(FrameError::MessageNumber)?
            }
        };
        if number == 0 {
            return Err(FrameError::MessageNumber);
        }
        self.message_number = Some(number);
        Ok(number)
    }

    #[inline]
    fn reliable(
        &mut self,
        first: u8,
        hints: &impl FrameHints,
    ) -> Result<ReliableSegment<'a>, FrameError> {
        let form = first >> 3 & 3;
        let position = match (self.stream_end, form) {
            (None, 3) => return Err(FrameError::ReservedPosition),
            (None, form) => {
                let bits = [24, 32, 48][usize::from(form)];
                self.cursor.expanded(bits, hints.stream_position(self.lane))?
            }
            (Some(end), form) => {
                let gap = self.cursor.uint([0, 1, 2, 4][usize::from(form)])?;
                end.checked_add(gap).ok_or(FrameError::StreamPosition)?
            }
        };
        let data = self.cursor.segment_data(first & 7, self.wide_sizes)?;
        let end = position.checked_add(data.len() as u64).filter(|_| position != 0);
        self.stream_end = Some(end.ok_or(FrameError::StreamPosition)?);
        if let Some(number) = &mut self.message_number {
            *number = number.checked_add(1).ok_or(FrameError::MessageNumber)?;
        }
        Ok(ReliableSegment { lane: self.lane, position, data })
    }

    #[inline]
    fn extended(
        &mut self,
        first: u8,
        hints: &impl FrameHints,
    ) -> Result<ExtendedSegment<'a>, FrameError> {
        let kind = match self.cursor.byte()? {
            0 => SegmentKind::ReliableUnordered,
            1 => SegmentKind::Sequenced,
            unknown => return Err(FrameError::SegmentKind(unknown)),
        };
        Ok(ExtendedSegment { kind, segment: self.unreliable(first, hints)? })
    }

    #[inline]
    fn stop_waiting(&mut self, first: u8) -> Result<Frame<'a>, FrameError> {
        let offset = self.cursor.uint([1, 2, 3, 8][usize::from(first & 3)])?;
        let before = offset.checked_add(1).and_then(|back| self.packet_number.checked_sub(back));
        Ok(Frame::StopWaiting { before: before.ok_or(FrameError::StopWaiting)? })
    }

    #[inline]
    fn select_lane(&mut self, first: u8) -> Result<(), FrameError> {
        let lane = match first & 7 {
            7 => self.cursor.varint()?,
            below => u64::from(below) + 1,
        };
        if lane >= MAX_LANES as u64 {
            return Err(FrameError::Lane);
        }
        self.lane = lane as u16;
        self.message_number = None;
        self.stream_end = None;
        Ok(())
    }
}

/// What is left of a plaintext.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, FrameError> {
        let (&byte, rest) = self.rest.split_first().ok_or(FrameError::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    /// A little-endian number of `len` bytes, at most 8.
    #[inline]
    pub(super) fn uint(&mut self, len: usize) -> Result<u64, FrameError> {
        let bytes = self.take(len)?;
        let mut value = [0; 8];
        value[..len].copy_from_slice(bytes);
        Ok(u64::from_le_bytes(value))
    }

    /// The number nearest to `hint` whose low bits follow.
    #[inline]
    pub(super) fn expanded(&mut self, bits: u32, hint: u64) -> Result<u64, FrameError> {
        Ok(truncated::expand(self.uint(bits as usize / 8)?, bits, hint))
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, FrameError> {
        let (value, len) = varint::read(self.rest).map_err(|error| match error {
            VarintError::Truncated => FrameError::Truncated,
            VarintError::Overflow => FrameError::Varint,
        })?;
        self.rest = &self.rest[len..];
        Ok(value)
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], FrameError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(FrameError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The data of a segment with size code `sss`.
    #[inline]
    fn segment_data(&mut self, code: u8, wide_sizes: bool) -> Result<&'a [u8], FrameError> {
        match code {
            0..=4 => {
                let low = self.byte()?;
                self.take(usize::from(code) << 8 | usize::from(low))
            }
            7 => Ok(self.take_rest()),
            5 if wide_sizes => {
                let len = usize::try_from(self.varint()?).map_err(|_| FrameError::Truncated)?;
                self.take(len)
            }
            _ => Err(FrameError::ReservedSize),
        }
    }
}
