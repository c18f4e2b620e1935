//! Messages on their way out: lanes, order, shares, cutting into segments, and what must go again.
//!
//! [`SendQueues`] takes messages and fills packets with them. It never decides when a packet may
//! leave, and it does not know packet numbers: what a packet carried is a [`SentContent`], which
//! comes back when [`crate::recovery`] knows the packet's fate.

mod content;
mod lane;
mod message;
mod ranges;
mod room;
mod schedule;
mod segments;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod unordered;

use std::time::Duration;

use gamewire_wire::{
    limits::{MAX_ENCRYPTED_PAYLOAD, MAX_PLAINTEXT, MAX_UDP_PAYLOAD, TAG_LEN},
    snp::PacketWriter,
};

pub use self::{
    content::SentContent,
    message::{Backlog, EnqueueError, EnqueueReport, LaneError, OutgoingMessage, PeerLimits},
    stream::{MAX_NUMBER_INCREMENT, MAX_NUMBER_LEAD},
    unordered::MAX_UNORDERED_IN_FLIGHT,
};
use self::{
    content::SentRange,
    lane::{Packet, SendLane, Stop},
    room::MIN_PIECE,
    schedule::{LaneSet, Schedule},
    segments::SegmentLimit,
};
use crate::{
    Time,
    config::SendConfig,
    lane::{LaneConfig, MAX_LANES},
};

/// Largest message, in bytes (api.md §3.11).
pub const MAX_MESSAGE_BYTES: usize = 512 * 1024;

/// So much larger a message may be than [`MAX_MESSAGE_BYTES`] if the library puts a header before
/// what the application sends, in bytes (api.md §3.11). The application's own limit is the caller's
/// to check.
pub const INTERNAL_HEADER_BYTES: usize = 16;

/// Largest unreliable message, in bytes, at the full packet size; a larger one is sent reliably.
/// Valve's receiver keeps 20 segments of unreliable messages per lane, so smaller packets lower this
/// in proportion (wire.md §5).
pub const MAX_UNRELIABLE_BYTES: usize = 15 * 1100;

/// Most messages that may wait to be sent. `SendBufferSize` counts bytes, and messages may be empty.
pub const MAX_PENDING_MESSAGES: u64 = 256 * 1024;

/// A message sent with `no_delay` is refused if it would wait for longer (api.md §1.3).
pub const NO_DELAY_LIMIT: Duration = Duration::from_millis(200);

/// Least time between two searches of the queues for expired messages. Those that come to the front
/// are dropped at once anyway.
pub const EXPIRY_INTERVAL: Duration = Duration::from_millis(10);

/// One in so many unreliable messages of a lane is watched for its ack, to know how far the peer
/// has seen the lane's numbers (see [`MAX_NUMBER_LEAD`]).
const MAX_ACKED_SPACING: u64 = 1024;

/// What headers, statistics and seal take from a datagram, in bytes.
const PACKET_OVERHEAD: usize = MAX_UDP_PAYLOAD - MAX_ENCRYPTED_PAYLOAD + TAG_LEN;

/// What stop-waiting, acks and a segment header take from a packet that holds one unreliable
/// message, at the most where it is to stay whole, in bytes.
const WHOLE_MESSAGE_RESERVE: usize = 40;

/// What the headers of a message and of its segment take from a packet, at the most where data of
/// earlier packets is to fit beside it, in bytes.
const MESSAGE_RESERVE: u64 = 24;

/// See the module's documentation.
///
/// There is always lane 0. [`SendQueues::ready_at`] says when [`SendQueues::fill`] has something.
#[derive(Debug)]
pub struct SendQueues {
    config: SendConfig,
    peer: PeerLimits,
    lanes: Vec<SendLane>,
    schedule: Schedule,
    /// Ranks of lanes with data never sent, and with lost data.
    pending: LaneSet,
    lost: LaneSet,
    total: Backlog,
    /// Bytes of unreliable messages in packets whose fate is open.
    unreliable_in_flight: u64,
    segments: SegmentLimit,
    room: RoomSignal,
    expiry: Expiry,
}

/// Whether somebody waits for room.
#[derive(Debug, Default)]
struct RoomSignal {
    /// A message was refused; it and others are welcome once no more bytes than this wait.
    wanted_at: Option<u64>,
}

/// When to look for expired messages.
#[derive(Debug)]
struct Expiry {
    next: Time,
    previous: Time,
    expired: u64,
}

/// How much may go into one packet.
struct Extent {
    max_segments: u16,
    /// Bytes that may go once more.
    repeat: u64,
}

impl SendQueues {
    /// Queues of a connection with one lane.
    pub fn new(config: SendConfig) -> Self {
        let first = LaneConfig::default();
        Self {
            config,
            peer: PeerLimits::default(),
            lanes: vec![SendLane::new(0, first)],
            schedule: Schedule::new([first].into_iter()),
            pending: LaneSet::default(),
            lost: LaneSet::default(),
            total: Backlog::default(),
            unreliable_in_flight: 0,
            segments: SegmentLimit::new(),
            room: RoomSignal::default(),
            expiry: Expiry { next: Time::FAR_FUTURE, previous: Time::default(), expired: 0 },
        }
    }

    /// Changes the configuration. What is queued stays, even above a lower limit.
    pub fn set_config(&mut self, config: SendConfig) {
        self.config = config;
    }

    /// Tells what the peer can take. Messages queued before travel as it allows.
    pub fn set_peer(&mut self, peer: PeerLimits) {
        self.peer = peer;
    }

    /// The peer said how many bytes it has room for, beyond what it acknowledged.
    pub fn set_receive_window(&mut self, bytes: u64) {
        self.peer.receive_window = bytes;
    }

    /// Whether the peer has no room for what is next.
    pub fn peer_is_full(&self) -> bool {
        self.limits_now().receive_window == 0 && self.total.pending_bytes() > 0
    }

    /// Bytes that the peer last had room for; `u64::MAX`: it says nothing of the kind.
    pub fn receive_window(&self) -> u64 {
        self.peer.receive_window
    }

    /// What the peer can take, as far as it is not used up.
    fn limits_now(&self) -> PeerLimits {
        let left = match self.peer.receive_window {
            u64::MAX => u64::MAX,
            window => {
                let on_its_way = self.total.sent_unacked_reliable + self.unreliable_in_flight;
                window.saturating_sub(on_its_way)
            }
        };
        PeerLimits { receive_window: left, ..self.peer }
    }

    /// Sets priorities and weights of the lanes from 0 on, and adds lanes.
    ///
    /// # Errors
    /// See [`LaneError`]; nothing changed then.
    pub fn configure_lanes(&mut self, configs: &[LaneConfig]) -> Result<(), LaneError> {
        let (wanted, configured) = (configs.len(), self.lanes.len());
        if wanted == 0 || wanted > MAX_LANES {
            return Err(LaneError::BadCount(wanted));
        }
        if wanted < configured {
            return Err(LaneError::Shrinking { wanted, configured });
        }
        if let Some(lane) = configs.iter().position(|config| config.weight == 0) {
            return Err(LaneError::BadWeight(lane));
        }
        for (&config, index) in configs.iter().zip(0u8..) {
            match self.lanes.get_mut(usize::from(index)) {
                Some(lane) => lane.config = config,
                None => self.lanes.push(SendLane::new(index, config)),
            }
        }
        self.schedule = Schedule::new(configs.iter().copied());
        (self.pending, self.lost) = (LaneSet::default(), LaneSet::default());
        for index in 0..configs.len() {
            self.touch(index as u8, |_| ());
        }
        Ok(())
    }

    /// Number of lanes.
    pub fn lane_count(&self) -> usize {
        self.lanes.len()
    }

    /// Queues a message. `send_rate`: bytes per second at which the queues are emptied, as far as
    /// known; only messages with `no_delay` are judged by it.
    ///
    /// # Errors
    /// See [`EnqueueError`]; the message comes back with it.
    pub fn enqueue(
        &mut self,
        now: Time,
        mut message: OutgoingMessage,
        send_rate: Option<u64>,
    ) -> Result<EnqueueReport, EnqueueError> {
        let Some(lane) =
            u8::try_from(message.lane).ok().filter(|&lane| usize::from(lane) < self.lanes.len())
        else {
            return Err(EnqueueError::InvalidLane(message));
        };
        let oversized = !message.reliable && message.payload.len() > self.max_unreliable();
        if message.payload.len() > MAX_MESSAGE_BYTES + INTERNAL_HEADER_BYTES
            || (oversized && self.config.refuse_large_unreliable)
        {
            return Err(EnqueueError::TooLarge(message));
        }
        if !self.has_room(message.payload.len()) {
            self.drop_expired(now);
        }
        if !self.has_room(message.payload.len()) {
            self.want_room(message.payload.len());
            return Err(EnqueueError::LimitExceeded(message));
        }
        if message.no_delay && !message.reliable && self.would_wait(lane, send_rate) {
            return Err(EnqueueError::WouldWait(message));
        }
        message.reliable |= oversized;
        if let Some(deadline) = message.deadline {
            let earliest = self.expiry.previous + EXPIRY_INTERVAL;
            self.expiry.next = self.expiry.next.min(deadline.max(earliest));
        }
        let no_nagle = message.no_nagle;
        let nagle = self.config.nagle_time;
        let bytes = message.payload.len() as u64;
        match message.reliable {
            true => self.total.pending_reliable += bytes,
            false => self.total.pending_unreliable += bytes,
        }
        self.total.pending_messages += 1;
        let queue = &mut self.lanes[usize::from(lane)];
        if !queue.has_pending() {
            self.schedule.wake(lane);
            self.pending.set(self.schedule.rank(lane), true);
        }
        let message_number = queue.enqueue(now, nagle, message);
        if no_nagle {
            self.flush();
        }
        Ok(EnqueueReport { message_number, promoted: oversized })
    }

    /// Ends the wait of all queued messages for company.
    pub fn flush(&mut self) {
        for rank in self.pending.iter() {
            self.lanes[usize::from(self.schedule.lane_at(rank))].flush();
        }
    }

    /// Since or from when [`SendQueues::fill`] has something to write; `None`: it has nothing, or
    /// must wait for acks.
    ///
    /// At that time it may turn out that all there was has expired.
    pub fn ready_at(&self, now: Time) -> Option<Time> {
        if !self.lost.is_empty() {
            return Some(now);
        }
        let limits = self.limits_now();
        let mut ready: Option<Time> = None;
        let mut sendable = 0;
        for rank in self.pending.iter() {
            let lane = &self.lanes[usize::from(self.schedule.lane_at(rank))];
            if lane.is_blocked(&limits) {
                continue;
            }
            let at = lane.ready_at();
            if at.is_some_and(|at| at <= now) {
                return Some(now);
            }
            ready = ready.into_iter().chain(at).min();
            sendable += lane.backlog().pending_bytes();
        }
        if sendable >= self.max_plaintext() as u64 { Some(now) } else { ready }
    }

    /// Writes what is to go next to the end of a packet, and notes it in `sent`: lost data first,
    /// then new data by priority and share, whether or not it still waits for company.
    pub fn fill(&mut self, now: Time, writer: &mut PacketWriter<'_>, sent: &mut SentContent) {
        let extent = Extent { max_segments: self.segments.for_packet(), repeat: 0 };
        self.fill_packet(now, extent, writer, sent);
    }

    /// As [`SendQueues::fill`], for a packet that must get through because none did for a while: it
    /// holds fewer segments each time, until the peer takes it.
    pub fn fill_probe(&mut self, now: Time, writer: &mut PacketWriter<'_>, sent: &mut SentContent) {
        let extent = Extent { max_segments: self.segments.for_probe(), repeat: 0 };
        self.fill_packet(now, extent, writer, sent);
    }

    /// As [`SendQueues::fill`]; and where everything that waits fits into the packet, up to `repeat`
    /// bytes of what the last packets carried go along once more, for the case that one of those is
    /// lost. Returns how many.
    pub fn fill_and_repeat(
        &mut self,
        now: Time,
        repeat: u64,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> u64 {
        let extent = Extent { max_segments: self.segments.for_packet(), repeat };
        self.fill_packet(now, extent, writer, sent)
    }

    fn fill_packet(
        &mut self,
        now: Time,
        extent: Extent,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> u64 {
        let Extent { max_segments, repeat } = extent;
        self.drop_expired(now);
        let largest = self.max_plaintext().max(writer.len() + writer.remaining());
        let whole_limit = largest.saturating_sub(WHOLE_MESSAGE_RESERVE);
        let mut packet = Packet {
            now,
            limits: self.limits_now(),
            whole_limit: whole_limit as u64,
            max_segments,
            fresh: true,
            repeat: 0,
        };
        if !self.lost.is_empty() {
            packet.fresh = self.fill_lost(&packet, writer, sent);
        } else if repeat > 0 {
            let needed = self.total.pending_bytes() + MESSAGE_RESERVE * self.total.pending_messages;
            packet.repeat = (writer.remaining() as u64).saturating_sub(needed).min(repeat);
        }
        let repeated = self.fill_new(packet, writer, sent);
        self.segments.on_filled(sent.segments());
        self.unreliable_in_flight += sent.unreliable_bytes();
        repeated
    }

    /// Whether the packet is still without segments.
    fn fill_lost(
        &mut self,
        packet: &Packet,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> bool {
        let mut packet = *packet;
        for rank in self.lost.iter() {
            let index = self.schedule.lane_at(rank);
            let written = self.touch(index, |lane| lane.write_lost(&packet, writer, sent));
            packet.fresh &= written == 0 && sent.is_empty();
            if (writer.remaining() as u64) < MIN_PIECE {
                break;
            }
        }
        packet.fresh
    }

    fn fill_new(
        &mut self,
        mut packet: Packet,
        writer: &mut PacketWriter<'_>,
        sent: &mut SentContent,
    ) -> u64 {
        let mut done = LaneSet::default();
        let may_repeat = packet.repeat;
        loop {
            let room = writer.remaining() as u64;
            let ranks = self.pending.without(done);
            let lanes = &self.lanes;
            let quantum = |lane: u8| lanes[usize::from(lane)].backlog().pending_bytes().min(room);
            let Some(index) = self.schedule.pick(ranks, quantum) else {
                return may_repeat - packet.repeat;
            };
            let (written, expired, stop) =
                self.touch(index, |lane| lane.write_new(&mut packet, writer, sent));
            self.expiry.expired += expired;
            self.schedule.served(index, written);
            packet.fresh &= sent.is_empty();
            match stop {
                Stop::Dry => {}
                // Something smaller of another lane may fit.
                Stop::NoRoom => done.set(self.schedule.rank(index), true),
                Stop::Blocked => {
                    done.set(self.schedule.rank(index), true);
                    self.schedule.wake(index);
                }
            }
            if writer.remaining() == 0 || packet.is_full(sent) {
                return may_repeat - packet.repeat;
            }
        }
    }

    /// A packet arrived.
    pub fn on_acked(&mut self, content: &SentContent) {
        self.segments.on_acked(content.segments());
        self.no_longer_in_flight(content);
        for &range in &content.ranges {
            self.touch(lane_of(range), |lane| lane.on_acked(range));
        }
    }

    /// A packet is lost.
    pub fn on_lost(&mut self, content: &SentContent) {
        self.segments.on_lost(content.segments());
        self.no_longer_in_flight(content);
        self.send_again(content);
    }

    fn no_longer_in_flight(&mut self, content: &SentContent) {
        let bytes = content.unreliable_bytes();
        self.unreliable_in_flight = self.unreliable_in_flight.saturating_sub(bytes);
    }

    /// Nothing was acknowledged for a probe timeout: [`SendQueues::fill_probe`] comes next.
    pub fn on_probe_timeout(&mut self) {
        self.segments.on_probe_timeout();
    }

    /// The data of a packet is to go again, whatever became of the packet.
    pub fn send_again(&mut self, content: &SentContent) {
        for &range in &content.ranges {
            self.touch(lane_of(range), |lane| lane.on_lost(range));
        }
    }

    /// Drops messages whose deadline has passed, wherever they wait. Looks for them at the most
    /// once per [`EXPIRY_INTERVAL`].
    pub fn drop_expired(&mut self, now: Time) {
        if now < self.expiry.next {
            return;
        }
        self.expiry.previous = now;
        self.expiry.next = Time::FAR_FUTURE;
        for rank in self.pending.iter() {
            let index = self.schedule.lane_at(rank);
            let (dropped, next) = self.touch(index, |lane| lane.drop_expired(now));
            self.expiry.expired += dropped;
            if next < Time::FAR_FUTURE {
                self.expiry.next = self.expiry.next.min(next.max(now + EXPIRY_INTERVAL));
            }
        }
    }

    /// When to call [`SendQueues::drop_expired`], if there is anything to expire.
    pub fn expiry_deadline(&self) -> Option<Time> {
        (self.expiry.next < Time::FAR_FUTURE).then_some(self.expiry.next)
    }

    /// Messages dropped at their deadline since the last call.
    pub fn poll_expired(&mut self) -> u64 {
        std::mem::take(&mut self.expiry.expired)
    }

    /// True once when there is room again after a message was refused for lack of it: for that one,
    /// and for half of the buffer at the least.
    pub fn took_room(&mut self) -> bool {
        let half = MAX_PENDING_MESSAGES / 2;
        let has_room = self.room.wanted_at.is_some_and(|bytes| {
            self.total.pending_bytes() <= bytes && self.total.pending_messages <= half
        });
        if has_room {
            self.room.wanted_at = None;
        }
        has_room
    }

    /// Bytes on their way, of all lanes.
    pub fn backlog(&self) -> Backlog {
        self.total
    }

    /// Bytes on their way, of one lane; `None`: no such lane.
    pub fn lane_backlog(&self, lane: u16) -> Option<Backlog> {
        self.lanes.get(usize::from(lane)).map(SendLane::backlog)
    }

    /// Reliable bytes never sent.
    pub fn pending_reliable_bytes(&self) -> u64 {
        self.total.pending_reliable
    }

    /// Unreliable bytes never sent.
    pub fn pending_unreliable_bytes(&self) -> u64 {
        self.total.pending_unreliable
    }

    /// Reliable bytes sent and not acknowledged.
    pub fn sent_unacked_reliable_bytes(&self) -> u64 {
        self.total.sent_unacked_reliable
    }

    /// Whether every reliable message has arrived: lingering is over.
    pub fn all_reliable_acked(&self) -> bool {
        self.lanes.iter().all(SendLane::all_reliable_acked)
    }

    /// How long a message queued now would wait at so many bytes per second; `None`: no limit.
    pub fn queue_time(&self, rate: Option<u64>) -> Duration {
        time_to_send(self.total.pending_bytes(), rate)
    }

    /// How long a message queued now on that lane would wait behind what is not served after it;
    /// `None`: no such lane.
    pub fn lane_queue_time(&self, lane: u16, rate: Option<u64>) -> Option<Duration> {
        let lane = u8::try_from(lane).ok().filter(|&lane| usize::from(lane) < self.lanes.len())?;
        Some(time_to_send(self.bytes_before(lane), rate))
    }

    fn bytes_before(&self, lane: u8) -> u64 {
        let end = self.schedule.served_with(lane);
        self.pending
            .iter()
            .take_while(|&rank| rank < end)
            .map(|rank| usize::from(self.schedule.lane_at(rank)))
            .map(|index| self.lanes[index].backlog().pending_bytes())
            .sum()
    }

    fn would_wait(&self, lane: u8, rate: Option<u64>) -> bool {
        time_to_send(self.bytes_before(lane), rate) > NO_DELAY_LIMIT
    }

    fn has_room(&self, bytes: usize) -> bool {
        let fits = self.total.pending_bytes() + bytes as u64 <= self.config.buffer_bytes as u64;
        fits && self.total.pending_messages < MAX_PENDING_MESSAGES
    }

    fn want_room(&mut self, bytes: usize) {
        // For what never fits nobody can wait.
        if let Some(free) = self.config.buffer_bytes.checked_sub(bytes) {
            let wanted_at = free.min(self.config.buffer_bytes / 2) as u64;
            let before = self.room.wanted_at.unwrap_or(u64::MAX);
            self.room.wanted_at = Some(before.min(wanted_at));
        }
    }

    fn max_plaintext(&self) -> usize {
        self.config.mtu.clamp(PACKET_OVERHEAD + 1, MAX_UDP_PAYLOAD) - PACKET_OVERHEAD
    }

    fn max_unreliable(&self) -> usize {
        MAX_UNRELIABLE_BYTES * self.max_plaintext() / MAX_PLAINTEXT
    }

    /// Changes a lane and takes over what follows from it.
    fn touch<R>(&mut self, index: u8, change: impl FnOnce(&mut SendLane) -> R) -> R {
        let lane = &mut self.lanes[usize::from(index)];
        let before = lane.backlog();
        let result = change(lane);
        self.total.replace(before, lane.backlog());
        let rank = self.schedule.rank(index);
        self.pending.set(rank, lane.has_pending());
        self.lost.set(rank, lane.has_lost());
        result
    }
}

fn lane_of(range: SentRange) -> u8 {
    match range {
        SentRange::Stream { lane, .. }
        | SentRange::Whole { lane, .. }
        | SentRange::Part { lane, .. }
        | SentRange::Seen { lane, .. } => lane,
    }
}

fn time_to_send(bytes: u64, rate: Option<u64>) -> Duration {
    let Some(rate) = rate else {
        return Duration::ZERO;
    };
    Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1))
}
