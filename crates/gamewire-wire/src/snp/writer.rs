//! Writing the frames of one plaintext.

use super::{AckBlock, SegmentKind, UnreliableSegment, ack};
use crate::limits::MAX_EXPLICIT_SEGMENT;
use crate::varint;

/// Size code of a segment that runs to the end of the plaintext.
const SIZE_TO_END: u8 = 7;
/// Size code of a segment whose size follows as a varint.
const SIZE_AS_VARINT: u8 = 5;
/// Most bytes that a size as varint takes: no packet is larger than 64 KiB.
const MAX_WIDE_SIZE: usize = 3;
/// Longest segment header: lane 4, first byte 1, kind 1, number 10, offset 5, size 3.
const MAX_HEADER: usize = 24;

/// Writes the frames of one packet to the end of a byte vector, at most `limit` bytes.
///
/// A method for which there is no room writes nothing. A segment that fills the packet exactly is
/// written as its last frame, without a size. Frames are those Valve's library writes: the first
/// reliable segment of a lane with a 48-bit position, the first unreliable one with a 32-bit
/// message number, later ones relative. Where a relative number would have to go back, the lane is
/// selected anew, which resets the context.
#[derive(Debug)]
pub struct PacketWriter<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
    limit: usize,
    wide_sizes: bool,
    lane: u16,
    message_number: Option<u64>,
    stream_end: Option<u64>,
}

/// Header of a segment up to its size field.
struct SegmentHeader {
    bytes: [u8; MAX_HEADER],
    len: usize,
    /// Where the first byte of the frame lies, behind a lane selection.
    first: usize,
}

impl SegmentHeader {
    #[inline]
    fn new() -> Self {
        Self { bytes: [0; MAX_HEADER], len: 0, first: 0 }
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    #[inline]
    fn push_varint(&mut self, value: u64) {
        let mut bytes = [0; varint::MAX_LEN];
        let len = varint::write(value, &mut bytes);
        self.push(&bytes[..len]);
    }

    #[inline]
    fn push_lane(&mut self, lane: u16) {
        match lane {
            1..=7 => self.push(&[0x88 | (lane as u8 - 1)]),
            lane => {
                self.push(&[0x8f]);
                self.push_varint(u64::from(lane));
            }
        }
    }

    #[inline]
    fn push_first(&mut self, first: u8) {
        self.first = self.len;
        self.bytes[self.len] = first;
        self.len += 1;
    }
}

/// The numbers of an unreliable or extended segment.
#[derive(Clone, Copy)]
struct Part {
    kind: Option<SegmentKind>,
    lane: u16,
    message_number: u64,
    offset: u32,
    last: bool,
}

impl<'b> PacketWriter<'b> {
    /// A writer that appends to `out`, at most `limit` bytes of plaintext.
    #[inline]
    #[must_use]
    pub fn new(out: &'b mut Vec<u8>, limit: usize) -> Self {
        let start = out.len();
        let (message_number, stream_end) = (None, None);
        Self { out, start, limit, wide_sizes: false, lane: 0, message_number, stream_end }
    }

    /// Whether segments may tell their size as a varint. Only to peers that negotiated
    /// [`LARGE_PACKETS`](crate::extensions::LARGE_PACKETS).
    #[inline]
    #[must_use]
    pub fn with_wide_sizes(self, wide_sizes: bool) -> Self {
        Self { wide_sizes, ..self }
    }

    /// Bytes of plaintext that still fit.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.limit.saturating_sub(self.len())
    }

    /// Bytes of plaintext written.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Whether nothing was written yet.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells the peer not to report on packets below `before`; false = does not fit.
    ///
    /// `packet_number` is this packet's own. A frame can only name numbers below it: a greater
    /// `before` is written as `packet_number - 1`, which asks for less and is harmless.
    #[inline]
    pub fn stop_waiting(&mut self, packet_number: u64, before: u64) -> bool {
        let offset = packet_number.saturating_sub(before).saturating_sub(1);
        let (code, width) = match offset {
            0..0x100 => (0, 1),
            0x100..0x1_0000 => (1, 2),
            0x1_0000..0x100_0000 => (2, 3),
            _ => (3, 8),
        };
        if self.remaining() < 1 + width {
            return false;
        }
        self.out.push(0x80 | code);
        self.out.extend_from_slice(&offset.to_le_bytes()[..width]);
        true
    }

    /// Fills the packet with zeros, which mean nothing; false = there is no room for it. Only to peers
    /// that negotiated [`LARGE_PACKETS`](crate::extensions::LARGE_PACKETS).
    #[inline]
    pub fn pad(&mut self) -> bool {
        if self.remaining() == 0 {
            return false;
        }
        self.out.push(0x85);
        self.out.resize(self.start + self.limit, 0);
        true
    }

    /// Tells the peer how many bytes of data there is room for; false = does not fit. Only
    /// to peers that negotiated it.
    #[inline]
    pub fn room(&mut self, bytes: u64) -> bool {
        let mut value = [0; varint::MAX_LEN];
        let len = varint::write(bytes, &mut value);
        if self.remaining() < 1 + len {
            return false;
        }
        self.out.push(0x84);
        self.out.extend_from_slice(&value[..len]);
        true
    }

    /// Tells the peer what arrived, from packet `latest` down; returns the number of blocks
    /// written.
    ///
    /// `delay` is in units of 32 µs; `wide` sends 32 bits of `latest` and is for peers of version
    /// 13 on. If the blocks do not all fit, the newest are left out and an older number than
    /// `latest` is named, without delay, since packets below the blocks count as acked. Blocks over
    /// [`MAX_ACK_COUNT`](crate::limits::MAX_ACK_COUNT) and those newer do not fit either. Where
    /// [`PacketWriter::ack_len`] exceeds what remains and there is no room for an empty frame
    /// (5 bytes), nothing is written.
    #[inline]
    pub fn ack(
        &mut self,
        latest: u64,
        delay: Option<u16>,
        wide: bool,
        blocks: &[AckBlock],
    ) -> usize {
        let room = self.remaining();
        ack::append(self.out, room, (latest, delay), wide, blocks)
    }

    /// Length of an ack frame with all of `blocks`, in bytes; 2 more if wide.
    #[inline]
    #[must_use]
    pub fn ack_len(blocks: &[AckBlock]) -> usize {
        ack::ack_len(blocks)
    }

    /// Length of the header of a reliable segment written next, in bytes, with its size and, where
    /// needed, a lane selection.
    #[inline]
    #[must_use]
    pub fn reliable_header_len(&self, lane: u16, position: u64) -> usize {
        self.reliable_header(lane, position).len + 1
    }

    /// Largest data of a reliable segment that fits now, in bytes; it fills the packet. 0 = none.
    #[inline]
    #[must_use]
    pub fn reliable_max_len(&self, lane: u16, position: u64) -> usize {
        self.remaining().saturating_sub(self.reliable_header(lane, position).len)
    }

    /// Writes the header of a reliable segment and returns its `len` bytes of data, zeroed, for
    /// the caller to fill; `None` = does not fit.
    ///
    /// `lane` is at most 254 and `position` at least 1.
    #[inline]
    pub fn reliable(&mut self, lane: u16, position: u64, len: usize) -> Option<&mut [u8]> {
        Some(self.reliable_data(lane, position, len)?.zeroed())
    }

    /// As [`PacketWriter::reliable`], for data that is appended piece by piece.
    #[inline]
    pub fn reliable_data(
        &mut self,
        lane: u16,
        position: u64,
        len: usize,
    ) -> Option<SegmentData<'_>> {
        let header = self.reliable_header(lane, position);
        self.reserve(&header, len)?;
        if header.first > 0 {
            self.message_number = None;
        }
        self.lane = lane;
        self.stream_end = Some(position.saturating_add(len as u64));
        self.message_number = self.message_number.map(|number| number.saturating_add(1));
        Some(self.place(header, len))
    }

    /// Length of the header of an unreliable segment written next, in bytes, with its size and,
    /// where needed, a lane selection.
    #[inline]
    #[must_use]
    pub fn unreliable_header_len(&self, lane: u16, message_number: u64, offset: u32) -> usize {
        self.part_header_len(lane, message_number, offset) + 1
    }

    /// Largest data of an unreliable segment that fits now, in bytes; it fills the packet.
    /// 0 = none.
    #[inline]
    #[must_use]
    pub fn unreliable_max_len(&self, lane: u16, message_number: u64, offset: u32) -> usize {
        self.remaining().saturating_sub(self.part_header_len(lane, message_number, offset))
    }

    /// Length of what `part_header` makes, for a segment that is not extended.
    #[inline]
    fn part_header_len(&self, lane: u16, message_number: u64, offset: u32) -> usize {
        let increment = match self.message_number {
            Some(current) if self.lane == lane => message_number.checked_sub(current),
            _ => None,
        };
        let selects = self.lane != lane || (increment.is_none() && self.message_number.is_some());
        let lane_len = match lane {
            _ if !selects => 0,
            1..=7 => 1,
            lane => 1 + varint::len(u64::from(lane)),
        };
        let number_len = match increment {
            None => 4,
            Some(1) => 0,
            Some(increment) => varint::len(increment),
        };
        let offset_len = if offset == 0 { 0 } else { varint::len(u64::from(offset)) };
        lane_len + 1 + number_len + offset_len
    }

    /// Writes the header of an unreliable segment and returns its `len` bytes of data, zeroed, for
    /// the caller to fill; `None` = does not fit.
    ///
    /// `lane` is at most 254 and `message_number` at least 1.
    #[inline]
    pub fn unreliable(
        &mut self,
        lane: u16,
        message_number: u64,
        offset: u32,
        last: bool,
        len: usize,
    ) -> Option<&mut [u8]> {
        let part = Part { kind: None, lane, message_number, offset, last };
        Some(self.part(part, len)?.zeroed())
    }

    /// Writes an unreliable segment, or an extended one of `kind`; false = does not fit.
    ///
    /// `segment.lane` is at most 254 and its message number at least 1; a kind must be negotiated.
    #[inline]
    pub fn segment(&mut self, kind: Option<SegmentKind>, segment: &UnreliableSegment<'_>) -> bool {
        let &UnreliableSegment { lane, message_number, offset, last, data } = segment;
        let part = Part { kind, lane, message_number, offset, last };
        match self.part(part, data.len()) {
            Some(mut place) => {
                place.append(data);
                true
            }
            None => false,
        }
    }

    /// Length of the header of an extended segment written next, in bytes, with its size and,
    /// where needed, a lane selection.
    #[inline]
    #[must_use]
    pub fn extended_header_len(&self, lane: u16, message_number: u64, offset: u32) -> usize {
        self.unreliable_header_len(lane, message_number, offset) + 1
    }

    /// Largest data of an extended segment that fits now, in bytes; it fills the packet. 0 = none.
    #[inline]
    #[must_use]
    pub fn extended_max_len(&self, lane: u16, message_number: u64, offset: u32) -> usize {
        self.unreliable_max_len(lane, message_number, offset).saturating_sub(1)
    }

    /// Writes the header of an extended segment and returns its `len` bytes of data, zeroed, for
    /// the caller to fill; `None` = does not fit. Only to peers that negotiated its kind.
    ///
    /// `lane` is at most 254 and `message_number` at least 1.
    #[inline]
    pub fn extended(
        &mut self,
        kind: SegmentKind,
        lane: u16,
        message_number: u64,
        offset: u32,
        last: bool,
        len: usize,
    ) -> Option<&mut [u8]> {
        let part = Part { kind: Some(kind), lane, message_number, offset, last };
        Some(self.part(part, len)?.zeroed())
    }

    #[inline]
    fn part(&mut self, part: Part, len: usize) -> Option<SegmentData<'_>> {
        let header = self.part_header(part);
        self.reserve(&header, len)?;
        if header.first > 0 {
            self.stream_end = None;
        }
        self.lane = part.lane;
        self.message_number = Some(part.message_number);
        Some(self.place(header, len))
    }

    #[inline]
    fn reliable_header(&self, lane: u16, position: u64) -> SegmentHeader {
        let mut header = SegmentHeader::new();
        let gap = match self.stream_end {
            Some(end) if self.lane == lane => {
                position.checked_sub(end).filter(|&gap| gap <= u64::from(u32::MAX))
            }
            _ => None,
        };
        if self.lane != lane || (gap.is_none() && self.stream_end.is_some()) {
            header.push_lane(lane);
        }
        let (form, value, width) = match gap {
            None => (2, position, 6),
            Some(0) => (0, 0, 0),
            Some(gap @ 1..0x100) => (1, gap, 1),
            Some(gap @ 0x100..0x1_0000) => (2, gap, 2),
            Some(gap) => (3, gap, 4),
        };
        header.push_first(0x40 | form << 3);
        header.push(&value.to_le_bytes()[..width]);
        header
    }

    #[inline]
    fn part_header(&self, part: Part) -> SegmentHeader {
        let mut header = SegmentHeader::new();
        let increment = match self.message_number {
            Some(current) if self.lane == part.lane => part.message_number.checked_sub(current),
            _ => None,
        };
        if self.lane != part.lane || (increment.is_none() && self.message_number.is_some()) {
            header.push_lane(part.lane);
        }
        let mut first = if part.last { 0x20 } else { 0 };
        if increment != Some(1) {
            first |= 0x10;
        }
        if part.offset != 0 {
            first |= 0x08;
        }
        if let Some(kind) = part.kind {
            header.push_first(0xc0 | first);
            header.push(&[kind as u8]);
        } else {
            header.push_first(first);
        }
        match increment {
            None => header.push(&(part.message_number as u32).to_le_bytes()),
            Some(1) => {}
            Some(increment) => header.push_varint(increment),
        }
        if part.offset != 0 {
            header.push_varint(u64::from(part.offset));
        }
        header
    }

    /// Whether header, size field and data fit.
    #[inline]
    fn reserve(&self, header: &SegmentHeader, len: usize) -> Option<()> {
        let room = self.remaining().checked_sub(header.len)?;
        let sized = len < room && (self.wide_sizes || len <= MAX_EXPLICIT_SEGMENT);
        (len == room || sized).then_some(())
    }

    /// Writes what [`Self::reserve`] found to fit.
    #[inline]
    fn place(&mut self, mut header: SegmentHeader, len: usize) -> SegmentData<'_> {
        let room = self.remaining() - header.len;
        if len == room || (len > MAX_EXPLICIT_SEGMENT && room - len < MAX_WIDE_SIZE) {
            // Where there is no room for its size, the packet ends with it, a little short.
            self.limit -= room - len;
            header.bytes[header.first] |= SIZE_TO_END;
        } else if len > MAX_EXPLICIT_SEGMENT {
            header.bytes[header.first] |= SIZE_AS_VARINT;
            header.push_varint(len as u64);
        } else {
            header.bytes[header.first] |= (len >> 8) as u8;
            header.push(&[len as u8]);
        }
        self.out.extend_from_slice(&header.bytes[..header.len]);
        let end = self.out.len() + len;
        SegmentData { out: self.out, end }
    }
}

/// The place of a segment's data, to be filled from the front, to its end.
#[must_use = "the packet is broken until all of the data is there"]
#[derive(Debug)]
pub struct SegmentData<'w> {
    out: &'w mut Vec<u8>,
    end: usize,
}

impl<'w> SegmentData<'w> {
    /// Bytes that are missing.
    #[inline]
    #[must_use]
    pub fn missing(&self) -> usize {
        self.end - self.out.len()
    }

    /// Appends data, or what of it fits; how many bytes.
    #[inline]
    pub fn append(&mut self, data: &[u8]) -> usize {
        let len = data.len().min(self.missing());
        self.out.extend_from_slice(&data[..len]);
        len
    }

    /// The rest at once, zeroed.
    #[inline]
    pub fn zeroed(self) -> &'w mut [u8] {
        let start = self.out.len();
        self.out.resize(self.end, 0);
        &mut self.out[start..]
    }
}
