//! The packets of one connection in one direction.

use std::{collections::BTreeMap, ops::Range};

use gamewire_wire::{
    limits::MAX_UNACKED_LEAD,
    snp::{AckFrame, Frame, FrameHints, FrameReader},
    truncated,
};

use super::super::ranges::RangeSet;

/// Reliable bytes of a lane that may be unacknowledged towards a receiver with Valve's default
/// buffer (wire.md §5).
pub(crate) const MAX_UNACKED_RELIABLE: u64 = 1024 * 1024;

/// Packets beyond [`MAX_UNACKED_LEAD`] that are forgiven: probes, and acks without data.
pub(crate) const PROBE_ALLOWANCE: u64 = 256;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Flow {
    first: u64,
    last_sent: u64,
    /// Packets that reached the receiver, unaltered.
    delivered: RangeSet,
    /// The highest stop-waiting number among them: the receiver reports on nothing below.
    floor: u64,
    /// The newest packet acknowledged by an ack that reached the sender.
    newest_acked: u64,
    /// Reliable ranges of packets not yet known to be acknowledged.
    unacked: BTreeMap<u64, Vec<(u16, Range<u64>)>>,
    lanes: BTreeMap<u16, LaneFlow>,
    stop_waiting: u64,
}

#[derive(Debug, Default)]
struct LaneFlow {
    /// One past the last stream byte sent.
    stream_end: u64,
    acked: RangeSet,
    message_number: u64,
}

/// What a reader of this flow's packets needs.
struct Hints<'a> {
    lanes: &'a BTreeMap<u16, LaneFlow>,
    last_sent_back: u64,
}

impl FrameHints for Hints<'_> {
    fn message_number(&self, lane: u16) -> u64 {
        self.lanes.get(&lane).map_or(0, |flow| flow.message_number)
    }

    fn stream_position(&self, lane: u16) -> u64 {
        self.lanes.get(&lane).map_or(1, |flow| flow.stream_end)
    }

    fn last_sent_packet(&self) -> u64 {
        self.last_sent_back
    }
}

impl Flow {
    pub(super) fn new(first: u64) -> Self {
        Self {
            first,
            last_sent: first - 1,
            delivered: RangeSet::default(),
            floor: first,
            newest_acked: first - 1,
            unacked: BTreeMap::new(),
            lanes: BTreeMap::new(),
            stop_waiting: 0,
        }
    }

    /// A packet leaves. `back` is the other direction, whose packets its acks are about.
    pub(super) fn on_sent(
        &mut self,
        low: u16,
        plain: Option<&[u8]>,
        back: Option<&Self>,
    ) -> Result<(), String> {
        let number = truncated::expand(u64::from(low), 16, self.last_sent);
        if number != self.last_sent + 1 {
            return Err(format!("packet {number} follows on {}", self.last_sent));
        }
        self.last_sent = number;
        let Some(plain) = plain else { return Ok(()) };
        let lead = number - self.newest_acked;
        if lead > MAX_UNACKED_LEAD + PROBE_ALLOWANCE {
            return Err(format!("packet {number} is {lead} past the newest acknowledged one"));
        }
        let mut reader = FrameReader::new(plain, number).with_wide_sizes(true);
        let mut content = Vec::new();
        loop {
            let last_sent_back = back.map_or(0, |back| back.last_sent);
            let hints = Hints { lanes: &self.lanes, last_sent_back };
            let frame = reader.next(&hints).map_err(|error| format!("packet {number}: {error}"))?;
            let Some(frame) = frame else { break };
            self.check_frame(number, &frame, back, &mut content)
                .map_err(|what| format!("packet {number}: {what}"))?;
        }
        if lead > MAX_UNACKED_LEAD && !content.is_empty() {
            // Only probes may go on, and they are few.
            let probes = lead - MAX_UNACKED_LEAD;
            if probes > PROBE_ALLOWANCE / 2 {
                return Err(format!("packet {number} has data and is {lead} ahead"));
            }
        }
        if !content.is_empty() {
            self.unacked.insert(number, content);
        }
        Ok(())
    }

    fn check_frame(
        &mut self,
        number: u64,
        frame: &Frame<'_>,
        back: Option<&Self>,
        content: &mut Vec<(u16, Range<u64>)>,
    ) -> Result<(), String> {
        match frame {
            Frame::StopWaiting { before } => {
                if *before < self.stop_waiting {
                    return Err(format!("stop waiting went back to {before}"));
                }
                if *before > self.newest_acked.max(self.first) + 1 {
                    return Err(format!("stop waiting for {before}, which was never acknowledged"));
                }
                self.stop_waiting = *before;
                Ok(())
            }
            Frame::Ack(ack) => match back {
                Some(back) => back.check_ack(number, ack),
                None => Err("an ack without a way back".into()),
            },
            Frame::Reliable(segment) => {
                let range = segment.position..segment.position + segment.data.len() as u64;
                self.check_reliable(segment.lane, range.clone())?;
                content.push((segment.lane, range));
                Ok(())
            }
            Frame::Unreliable(segment) => {
                self.note_number(segment.lane, segment.message_number);
                Ok(())
            }
            Frame::Extended(extended) => {
                self.note_number(extended.segment.lane, extended.segment.message_number);
                Ok(())
            }
            Frame::Room { .. } | Frame::Padding { .. } => Ok(()),
        }
    }

    fn note_number(&mut self, lane: u16, number: u64) {
        let flow = self.lanes.entry(lane).or_default();
        flow.message_number = flow.message_number.max(number);
    }

    fn check_reliable(&mut self, lane: u16, range: Range<u64>) -> Result<(), String> {
        let flow = self.lanes.entry(lane).or_default();
        let end = flow.stream_end.max(1);
        if range.start > end {
            return Err(format!("lane {lane} leaves out stream bytes {end}..{}", range.start));
        }
        flow.stream_end = end.max(range.end);
        let unacked = flow.stream_end - 1 - flow.acked.total();
        if unacked > MAX_UNACKED_RELIABLE {
            return Err(format!("lane {lane} has {unacked} reliable bytes unacknowledged"));
        }
        Ok(())
    }

    /// An ack of this flow's packets: it may claim only what was delivered. What lies below the
    /// stop-waiting number that the receiver was told is not reported on (snp-frames.md, "Ack").
    fn check_ack(&self, _number: u64, ack: &AckFrame<'_>) -> Result<(), String> {
        for claim in claims(ack) {
            let claim = claim.start.max(self.floor)..claim.end;
            if let Some(missing) = self.delivered.first_missing(claim) {
                return Err(format!("claims packet {missing}, which did not arrive"));
            }
        }
        Ok(())
    }

    /// A packet reaches the receiver. `back` is the other direction.
    pub(super) fn on_delivered(&mut self, low: u16, plain: Option<&[u8]>, back: &mut Self) {
        let number = truncated::expand(u64::from(low), 16, self.last_sent);
        self.delivered.insert(number..number + 1);
        let Some(plain) = plain else { return };
        let mut reader = FrameReader::new(plain, number).with_wide_sizes(true);
        let hints = Hints { lanes: &self.lanes, last_sent_back: back.last_sent };
        while let Ok(Some(frame)) = reader.next(&hints) {
            match frame {
                Frame::StopWaiting { before } => self.floor = self.floor.max(before),
                Frame::Ack(ack) => back.on_acked(&ack),
                Frame::Reliable(_)
                | Frame::Unreliable(_)
                | Frame::Extended(_)
                | Frame::Room { .. }
                | Frame::Padding { .. } => {}
            }
        }
    }

    /// An ack of this flow's packets reaches the sender.
    fn on_acked(&mut self, ack: &AckFrame<'_>) {
        for claim in claims(ack) {
            self.newest_acked = self.newest_acked.max(claim.end.saturating_sub(1));
            let numbers: Vec<u64> = self.unacked.range(claim).map(|(&number, _)| number).collect();
            for number in numbers {
                for (lane, range) in self.unacked.remove(&number).into_iter().flatten() {
                    self.lanes.entry(lane).or_default().acked.insert(range);
                }
            }
        }
    }
}

/// The packets that an ack frame claims, newest first: those that its blocks name, and all below.
fn claims(ack: &AckFrame<'_>) -> Vec<Range<u64>> {
    let mut end = ack.latest + 1;
    let mut claims = Vec::new();
    for block in ack.blocks() {
        let start = end.saturating_sub(u64::from(block.acked));
        claims.push(start..end);
        end = start.saturating_sub(u64::from(block.missing));
    }
    claims.push(0..end);
    claims.retain(|claim| !claim.is_empty());
    claims
}
