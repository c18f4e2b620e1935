//! A receiver so plain that it is right: what arrives is kept byte by byte.

use std::collections::BTreeMap;

use gamewire_wire::snp::{
    AckFrame, Frame, FrameHints, FrameReader, SegmentKind, UnreliableSegment, decode_message_header,
};

/// One message as it came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Delivered {
    pub(crate) lane: u16,
    pub(crate) number: u64,
    pub(crate) payload: Vec<u8>,
}

#[derive(Debug, Default)]
struct Parts {
    pieces: BTreeMap<u32, Vec<u8>>,
    len: Option<usize>,
}

#[derive(Debug, Default)]
struct ModelLane {
    stream: Vec<Option<u8>>,
    contiguous: usize,
    parsed: usize,
    told_number: u64,
    seen: u64,
    parts: BTreeMap<u64, Parts>,
    whole: BTreeMap<u64, bool>,
}

/// What was read from a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    Reliable { lane: u16, position: u64, len: usize },
    Unreliable { lane: u16, number: u64, offset: u32, len: usize, last: bool },
    Extended { kind: SegmentKind, number: u64, offset: u32, len: usize, last: bool },
}

/// See the module's documentation. Ends the test where Valve's receiver would end the connection.
#[derive(Debug, Default)]
pub(crate) struct Model {
    lanes: BTreeMap<u16, ModelLane>,
    pub(crate) reliable: Vec<Delivered>,
    pub(crate) unordered: Vec<Delivered>,
    pub(crate) unreliable: Vec<Delivered>,
    pub(crate) stop_waiting: u64,
}

struct Hints<'a>(&'a Model, u64);

impl FrameHints for Hints<'_> {
    fn message_number(&self, lane: u16) -> u64 {
        self.0.lanes.get(&lane).map_or(0, |lane| lane.seen)
    }

    fn stream_position(&self, lane: u16) -> u64 {
        self.0.lanes.get(&lane).map_or(0, |lane| lane.contiguous as u64)
    }

    fn last_sent_packet(&self) -> u64 {
        self.1
    }
}

impl Model {
    /// A receiver that has everything below `packet`.
    pub(crate) fn waiting_from(packet: u64) -> Self {
        Self { stop_waiting: packet, ..Self::default() }
    }

    /// Reads a packet; what was in it.
    pub(crate) fn packet(&mut self, number: u64, plaintext: &[u8]) -> Vec<Seen> {
        let mut reader = FrameReader::new(plaintext, number);
        let mut seen = Vec::new();
        while let Some(frame) = reader.next(&Hints(self, 0)).expect("own packets parse") {
            match frame {
                Frame::Room { .. } | Frame::Padding { .. } => panic!("nobody asked for {frame:?}"),
                Frame::StopWaiting { before } => {
                    assert!(before < number);
                    self.stop_waiting = self.stop_waiting.max(before);
                }
                Frame::Ack(_) => {}
                Frame::Reliable(segment) => {
                    let (lane, position) = (segment.lane, segment.position);
                    seen.push(Seen::Reliable { lane, position, len: segment.data.len() });
                    self.stream(lane, position, segment.data);
                }
                Frame::Unreliable(segment) => {
                    let UnreliableSegment { lane, message_number: number, offset, last, data } =
                        segment;
                    seen.push(Seen::Unreliable { lane, number, offset, len: data.len(), last });
                    if let Some(message) = self.part(&segment, true) {
                        self.unreliable.push(message);
                    }
                }
                Frame::Extended(extended) => {
                    let UnreliableSegment { message_number: number, offset, last, data, .. } =
                        extended.segment;
                    let (kind, len) = (extended.kind, data.len());
                    seen.push(Seen::Extended { kind, number, offset, len, last });
                    let reliable = kind == SegmentKind::ReliableUnordered;
                    match (self.part(&extended.segment, !reliable), reliable) {
                        (Some(message), true) => self.unordered.push(message),
                        (Some(message), false) => self.unreliable.push(message),
                        (None, _) => {}
                    }
                }
            }
        }
        seen
    }

    fn stream(&mut self, index: u16, position: u64, data: &[u8]) {
        let lane = self.lanes.entry(index).or_default();
        let start = usize::try_from(position - 1).expect("small in tests");
        if lane.stream.len() < start + data.len() {
            lane.stream.resize(start + data.len(), None);
        }
        for (kept, &byte) in lane.stream[start..].iter_mut().zip(data) {
            assert!(kept.is_none_or(|kept| kept == byte), "the stream changed");
            *kept = Some(byte);
        }
        while lane.stream.get(lane.contiguous).is_some_and(Option::is_some) {
            lane.contiguous += 1;
        }
        loop {
            let head: Vec<u8> = lane.stream[lane.parsed..lane.contiguous]
                .iter()
                .take(16)
                .map(|byte| byte.expect("contiguous"))
                .collect();
            let Some((header, len)) = decode_message_header(&head).expect("a header") else {
                break;
            };
            let end = lane.parsed + len + header.size as usize;
            if end > lane.contiguous {
                break;
            }
            let number = lane.told_number + header.number_increment;
            assert!(header.number_increment <= 1_000_000, "Valve's receiver gives up here");
            assert!(number <= lane.seen + 10_000, "Valve's receiver gives up here");
            lane.told_number = number;
            lane.seen = lane.seen.max(number);
            let payload = lane.stream[lane.parsed + len..end].iter().flatten().copied().collect();
            lane.parsed = end;
            self.reliable.push(Delivered { lane: index, number, payload });
        }
    }

    fn part(&mut self, segment: &UnreliableSegment<'_>, may_repeat: bool) -> Option<Delivered> {
        let lane = self.lanes.entry(segment.lane).or_default();
        lane.seen = lane.seen.max(segment.message_number);
        if !may_repeat && lane.whole.contains_key(&segment.message_number) {
            return None;
        }
        let parts = lane.parts.entry(segment.message_number).or_default();
        let end = segment.offset as usize + segment.data.len();
        if segment.last {
            assert!(parts.len.is_none_or(|len| len == end));
            parts.len = Some(end);
        }
        let piece = parts.pieces.entry(segment.offset).or_default();
        if piece.len() < segment.data.len() {
            *piece = segment.data.to_vec();
        }
        let mut payload = Vec::new();
        for (&offset, data) in &parts.pieces {
            if offset as usize > payload.len() {
                return None;
            }
            let skip = payload.len() - offset as usize;
            payload.extend_from_slice(data.get(skip..).unwrap_or_default());
        }
        if parts.len != Some(payload.len()) {
            return None;
        }
        lane.parts.remove(&segment.message_number);
        lane.whole.insert(segment.message_number, true);
        Some(Delivered { lane: segment.lane, number: segment.message_number, payload })
    }
}

/// Reads the ack frame that `plaintext` consists of.
pub(crate) fn read_ack(plaintext: &[u8], last_sent: u64) -> AckFrame<'_> {
    let model = Model::default();
    let mut reader = FrameReader::new(plaintext, 1);
    match reader.next(&Hints(&model, last_sent)) {
        Ok(Some(Frame::Ack(frame))) => frame,
        other => panic!("not an ack: {other:?}"),
    }
}
