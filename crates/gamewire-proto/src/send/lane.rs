//! One lane: what waits to be sent, and what waits for its ack.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use gamewire_wire::{
    extensions,
    snp::{PacketWriter, SegmentKind, UnreliableSegment},
};

use super::{
    MAX_ACKED_SPACING,
    content::{SentContent, SentRange},
    message::{Backlog, OutgoingMessage, PeerLimits},
    room::{MIN_PIECE, Room},
    stream::SendStream,
    unordered::{self, UnorderedSend},
};
use crate::{
    Time,
    lane::{DeliveryMode, LaneConfig},
};

/// A message of which not all was sent; once a byte of a reliable, ordered one was, it is in the
/// stream instead.
#[derive(Debug)]
struct Pending {
    payload: Bytes,
    number: u64,
    nagle_until: Time,
    /// [`Time::FAR_FUTURE`]: none.
    deadline: Time,
    reliable: bool,
    /// Bytes sent, of an unreliable or unordered message.
    sent: u32,
    /// How it travels, once a part of it has.
    form: Option<Form>,
}

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Stream,
    Unreliable,
    Sequenced,
    Unordered,
}

impl Pending {
    fn form(&self, mode: DeliveryMode, features: u64) -> Form {
        if let Some(form) = self.form {
            return form;
        }
        let has = |feature| features & feature != 0;
        match (self.reliable, mode) {
            (true, DeliveryMode::Unordered) if has(extensions::RELIABLE_UNORDERED) => {
                Form::Unordered
            }
            (true, _) => Form::Stream,
            (false, DeliveryMode::Sequenced) if has(extensions::SEQUENCED) => Form::Sequenced,
            (false, _) => Form::Unreliable,
        }
    }

    fn expired(&self, now: Time) -> bool {
        self.deadline <= now && self.sent == 0 && self.form.is_none()
    }

    fn unsent(&self) -> u64 {
        self.payload.len() as u64 - u64::from(self.sent)
    }
}

/// What a lane needs to know to write its part of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) now: Time,
    pub(super) limits: PeerLimits,
    /// Unreliable messages up to this size are not split.
    pub(super) whole_limit: u64,
    /// Most segments in the whole packet.
    pub(super) max_segments: u16,
    pub(super) fresh: bool,
    /// Bytes of earlier packets that may go along once more.
    pub(super) repeat: u64,
}

impl PeerLimits {
    /// So many bytes of data leave that take room at the peer.
    fn spend(&mut self, bytes: u64) {
        if self.receive_window < u64::MAX {
            self.receive_window = self.receive_window.saturating_sub(bytes);
        }
    }
}

impl Packet {
    /// Whether no further segment may join what is in it.
    pub(super) fn is_full(&self, sent: &SentContent) -> bool {
        sent.segments() >= self.max_segments
    }

    fn room(&self) -> Room {
        Room { max_segment: self.limits.max_segment, fresh: self.fresh }
    }
}

/// Why a lane stopped writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    /// It has nothing more.
    Dry,
    /// What it has next does not fit.
    NoRoom,
    /// The peer must acknowledge first.
    Blocked,
}

/// Numbers of the lane that the peer is known to have seen.
#[derive(Debug, Default)]
struct Seen {
    number: u64,
    /// The newest number whose packet reports back.
    marked: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct SendLane {
    index: u8,
    pub(super) config: LaneConfig,
    pending: VecDeque<Pending>,
    next_number: u64,
    /// Messages up to this one need not wait for company.
    flushed_through: u64,
    pending_reliable: u64,
    pending_unreliable: u64,
    reliable_messages: u64,
    seen: Seen,
    stream: SendStream,
    unordered: UnorderedSend,
}

impl SendLane {
    pub(super) fn new(index: u8, config: LaneConfig) -> Self {
        Self {
            index,
            config,
            pending: VecDeque::new(),
            next_number: 1,
            flushed_through: 0,
            pending_reliable: 0,
            pending_unreliable: 0,
            reliable_messages: 0,
            seen: Seen::default(),
            stream: SendStream::new(),
            unordered: UnorderedSend::default(),
        }
    }

    pub(super) fn backlog(&self) -> Backlog {
        Backlog {
            pending_reliable: self.pending_reliable + self.stream.unsent(),
            pending_unreliable: self.pending_unreliable,
            sent_unacked_reliable: self.stream.unacked() + self.unordered.unacked(),
            pending_messages: self.pending.len() as u64,
        }
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty() || self.stream.unsent() > 0
    }

    pub(super) fn has_lost(&self) -> bool {
        self.stream.has_lost() || self.unordered.has_lost()
    }

    pub(super) fn all_reliable_acked(&self) -> bool {
        self.reliable_messages == 0 && self.stream.is_idle() && self.unordered.is_idle()
    }

    /// Whether what goes next must wait for acks.
    pub(super) fn is_blocked(&self, limits: &PeerLimits) -> bool {
        let limit = limits.max_unacked_reliable_per_lane;
        let full = limits.receive_window == 0;
        if self.stream.unsent() > 0 {
            return full || self.stream.window(limit) == 0;
        }
        let Some(first) = self.pending.front() else {
            return false;
        };
        match first.form(self.config.mode, limits.features) {
            Form::Stream => full || self.stream.window(limit) == 0,
            Form::Unordered => full || self.unordered.is_full(limit, first.number),
            Form::Unreliable | Form::Sequenced => full,
        }
    }

    /// When the oldest message need no longer wait for company. Whatever waits no more, or is to be
    /// dropped, is ready since ever.
    pub(super) fn ready_at(&self) -> Option<Time> {
        if self.stream.unsent() > 0 {
            return Some(Time::default());
        }
        let first = self.pending.front()?;
        let ready = first.sent > 0 || first.form.is_some() || first.number <= self.flushed_through;
        Some(if ready { Time::default() } else { first.nagle_until.min(first.deadline) })
    }

    pub(super) fn enqueue(&mut self, now: Time, nagle: Duration, message: OutgoingMessage) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let bytes = message.payload.len() as u64;
        if message.reliable {
            self.pending_reliable += bytes;
            self.reliable_messages += 1;
        } else {
            self.pending_unreliable += bytes;
        }
        self.pending.push_back(Pending {
            payload: message.payload,
            number,
            nagle_until: now + nagle,
            deadline: message.deadline.unwrap_or(Time::FAR_FUTURE),
            reliable: message.reliable,
            sent: 0,
            form: None,
        });
        number
    }

    pub(super) fn flush(&mut self) {
        self.flushed_through = self.next_number - 1;
    }

    /// Drops expired messages wherever they wait; how many, and the next deadline.
    pub(super) fn drop_expired(&mut self, now: Time) -> (u64, Time) {
        let before = self.pending.len();
        let mut next = Time::FAR_FUTURE;
        let (mut reliable, mut reliable_bytes, mut unreliable_bytes) = (0, 0, 0);
        self.pending.retain(|message| {
            if !message.expired(now) {
                if message.sent == 0 {
                    next = next.min(message.deadline);
                }
                return true;
            }
            if message.reliable {
                reliable += 1;
                reliable_bytes += message.payload.len() as u64;
            } else {
                unreliable_bytes += message.payload.len() as u64;
            }
            false
        });
        self.reliable_messages -= reliable;
        self.pending_reliable -= reliable_bytes;
        self.pending_unreliable -= unreliable_bytes;
        ((before - self.pending.len()) as u64, next)
    }

    /// Drops expired messages that are next; how many.
    fn drop_expired_front(&mut self, now: Time) -> u64 {
        let mut dropped = 0;
        while self.pending.front().is_some_and(|first| first.expired(now)) {
            self.take_front();
            dropped += 1;
        }
        dropped
    }

    fn take_front(&mut self) -> Option<Pending> {
        let first = self.pending.pop_front()?;
        if first.reliable {
            self.pending_reliable -= first.unsent();
            self.reliable_messages -= 1;
        } else {
            self.pending_unreliable -= first.unsent();
        }
        Some(first)
    }

    /// Writes lost data again, as much as fits; bytes written.
    pub(super) fn write_lost(
        &mut self,
        packet: &Packet,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> u64 {
        let mut room = packet.room();
        let mut written = 0;
        while !packet.is_full(sent)
            && let Some(range) = self.stream.write_lost(self.index, room, writer)
        {
            sent.push_stream(self.index, range.start, (range.end - range.start) as u16);
            written += range.end - range.start;
            room.fresh = false;
        }
        while !packet.is_full(sent)
            && let Some(bytes) = self.unordered.write_lost(self.index, room, writer, sent)
        {
            written += bytes;
            room.fresh = false;
        }
        written
    }

    /// Writes new data in the order it was queued, as much as fits. Bytes written, messages dropped
    /// because they expired, and why it stopped.
    pub(super) fn write_new(
        &mut self,
        packet: &mut Packet,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> (u64, u64, Stop) {
        let (mut written, mut expired) = (0, 0);
        loop {
            expired += self.drop_expired_front(packet.now);
            if packet.is_full(sent) {
                let stop = if self.has_pending() { Stop::NoRoom } else { Stop::Dry };
                return (written, expired, stop);
            }
            let form = if self.stream.unsent() > 0 {
                Form::Stream
            } else {
                let features = packet.limits.features;
                match self.pending.front().map(|first| first.form(self.config.mode, features)) {
                    Some(form) => form,
                    None => return (written, expired, Stop::Dry),
                }
            };
            let step = match form {
                Form::Stream => self.write_stream(packet, &mut expired, writer, sent),
                Form::Unreliable => self.write_part(None, packet, writer, sent),
                Form::Sequenced => {
                    self.write_part(Some(SegmentKind::Sequenced), packet, writer, sent)
                }
                Form::Unordered => self.write_unordered(packet, writer, sent),
            };
            match step {
                Ok(bytes) => written += bytes,
                Err(stop) => return (written, expired, stop),
            }
            packet.fresh = false;
        }
    }

    /// One segment of the stream, over as many messages as fit.
    fn write_stream(
        &mut self,
        packet: &mut Packet,
        expired: &mut u64,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> Result<u64, Stop> {
        let limits = &packet.limits;
        let window = self.stream.window(limits.max_unacked_reliable_per_lane);
        let window = window.min(limits.receive_window);
        if window == 0 {
            return Err(Stop::Blocked);
        }
        let position = self.stream.next_position();
        let fits = writer.reliable_max_len(u16::from(self.index), position);
        let unsent = self.stream.unsent();
        let wanted = match self.pending.front() {
            Some(first) if unsent == 0 => first.payload.len() as u64 + 1,
            Some(_) | None => unsent,
        };
        let max = fits.min(packet.limits.max_segment) as u64;
        if max == 0 || (max < wanted && max < MIN_PIECE && !packet.fresh) {
            return Err(Stop::NoRoom);
        }
        let max = max.min(window);
        while self.stream.unsent() < max {
            *expired += self.drop_expired_front(packet.now);
            let mode = self.config.mode;
            let is_next = self
                .pending
                .front()
                .is_some_and(|first| first.form(mode, packet.limits.features) == Form::Stream);
            let Some(message) = is_next.then(|| self.take_front()).flatten() else {
                break;
            };
            self.stream.begin(message.number, self.seen.number, message.payload);
        }
        // One segment holds both, so new bytes leave the rest of its room to what goes once more.
        let spare = (fits.min(packet.limits.max_segment) as u64).checked_sub(self.stream.unsent());
        let whole = self.stream.unsent() <= max;
        let spare = spare.filter(|_| whole).unwrap_or(0);
        let repeated = self.stream.repeatable(packet.repeat.min(spare));
        let range = self.stream.write_new(self.index, max, repeated, writer).ok_or(Stop::NoRoom)?;
        packet.repeat -= repeated;
        packet.limits.spend(range.end - range.start - repeated);
        let len = range.end - range.start;
        sent.push_stream(self.index, range.start, len as u16);
        Ok(len - repeated)
    }

    /// The next segment of the unreliable message that is first.
    fn write_part(
        &mut self,
        kind: Option<SegmentKind>,
        packet: &mut Packet,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> Result<u64, Stop> {
        if packet.limits.receive_window == 0 {
            return Err(Stop::Blocked);
        }
        let lane = u16::from(self.index);
        let message = self.pending.front_mut().ok_or(Stop::Dry)?;
        let (number, offset, unsent) = (message.number, message.sent, message.unsent());
        let fits = match kind {
            Some(_) => writer.extended_max_len(lane, number, offset),
            None => writer.unreliable_max_len(lane, number, offset),
        };
        let splits = offset > 0 || packet.fresh || unsent > packet.whole_limit;
        if unsent > fits as u64 && !splits {
            return Err(Stop::NoRoom);
        }
        let len = packet.room().cut(fits, unsent).ok_or(Stop::NoRoom)?;
        let last = len == unsent;
        let start = offset as usize;
        let data = &message.payload[start..start + len as usize];
        let segment = UnreliableSegment { lane, message_number: number, offset, last, data };
        if !writer.segment(kind, &segment) {
            return Err(Stop::NoRoom);
        }
        message.sent += len as u32;
        message.form = Some(if kind.is_some() { Form::Sequenced } else { Form::Unreliable });
        self.pending_unreliable -= len;
        if number >= self.seen.marked + MAX_ACKED_SPACING {
            self.seen.marked = number;
            sent.push_seen(self.index, number, len as u16);
        } else {
            sent.push_unreliable(len as u16);
        }
        packet.limits.spend(len);
        if last {
            self.take_front();
        }
        Ok(len)
    }

    /// The next segment of the unordered reliable message that is first.
    fn write_unordered(
        &mut self,
        packet: &mut Packet,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> Result<u64, Stop> {
        let limit = packet.limits.max_unacked_reliable_per_lane;
        let lane = u16::from(self.index);
        let message = self.pending.front_mut().ok_or(Stop::Dry)?;
        let full = packet.limits.receive_window == 0;
        if full || self.unordered.is_full(limit, message.number) {
            return Err(Stop::Blocked);
        }
        let (number, offset) = (message.number, message.sent);
        let fits = writer.extended_max_len(lane, number, offset);
        let len = packet.room().cut(fits, message.unsent()).ok_or(Stop::NoRoom)? as u32;
        let last = u64::from(len) == message.unsent();
        let kind = SegmentKind::ReliableUnordered;
        let out = writer.extended(kind, lane, number, offset, last, len as usize);
        let range = offset..offset + len;
        let data = &message.payload[range.start as usize..range.end as usize];
        out.ok_or(Stop::NoRoom)?.copy_from_slice(data);
        message.sent = range.end;
        message.form = Some(Form::Unordered);
        self.pending_reliable -= u64::from(len);
        packet.limits.spend(u64::from(len));
        self.unordered.on_sent(number, &message.payload, &range);
        unordered::note(sent, self.index, number, range, last);
        if last {
            self.take_front();
        }
        Ok(u64::from(len))
    }

    pub(super) fn on_acked(&mut self, range: SentRange) {
        match range {
            SentRange::Stream { len, start, .. } => {
                self.stream.on_acked(start..start + u64::from(len));
            }
            SentRange::Whole { count, first, .. } => self.unordered.on_whole_acked(first, count),
            SentRange::Part { len, offset, number, .. } => {
                self.unordered.on_part_acked(number, offset..offset + u32::from(len));
            }
            SentRange::Seen { number, .. } => self.seen.number = self.seen.number.max(number),
        }
    }

    pub(super) fn on_lost(&mut self, range: SentRange) {
        match range {
            SentRange::Stream { len, start, .. } => {
                self.stream.on_lost(start..start + u64::from(len));
            }
            SentRange::Whole { count, first, .. } => self.unordered.on_whole_lost(first, count),
            SentRange::Part { len, offset, number, .. } => {
                self.unordered.on_part_lost(number, offset..offset + u32::from(len));
            }
            // The next unreliable message reports instead.
            SentRange::Seen { .. } => self.seen.marked = self.seen.number,
        }
    }
}
