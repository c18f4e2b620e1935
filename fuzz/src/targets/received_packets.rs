//! Which packets arrived, against sets of numbers: no frame says "received" of what was not.

use std::{collections::BTreeSet, time::Duration};

use gamewire_proto::{
    Time,
    acks::{AckNeed, DUPLICATE_WINDOW, Freshness, ReceivedPackets},
};
use gamewire_wire::snp::{AckBlock, Frame, FrameReader, PacketWriter};

use super::frames::Hints;
use crate::input::Input;

/// Numbers further back than this are not looked at.
const CHECKED: u64 = 20_000;
/// A sender waits for stop-waiting to follow before its numbers run out of the reach of 16 bits.
const MAX_SPAN: u64 = 0x7000;
const MAX_JUMP: i64 = 0x1000;
const MAX_STEPS: usize = 3000;

struct Model {
    start: u64,
    newest: u64,
    seen: BTreeSet<u64>,
    kept: BTreeSet<u64>,
    floor: u64,
    stop_waiting: (u64, u64),
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let start = input.near_a_wrap().min(1 << 62);
    let mut acks = ReceivedPackets::new(start);
    let mut model = Model {
        start,
        newest: start,
        seen: BTreeSet::new(),
        kept: BTreeSet::new(),
        floor: start + 1,
        stop_waiting: (0, 0),
    };
    let mut now = Time::from_micros(3_000_000_000_000);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        match input.byte() % 8 {
            0..4 => packet(&mut input, &mut acks, &mut model, now),
            4 => {
                let number = model.newest + u64::from(input.byte() & 3);
                let back = i64::from(input.u16().cast_signed());
                let before = number.saturating_add_signed(back);
                assert_eq!(
                    acks.on_stop_waiting(number, before),
                    model.stop_waiting(number, before)
                );
            }
            5 => write(&mut acks, now, usize::from(input.u16()) % 700, &model),
            6 => acks.request_ack(now, Duration::from_micros(u64::from(input.u16()))),
            _ => now = now.plus_micros(u64::from(input.u16())),
        }
    }
    // In the end everything is told: the deadline, obeyed, comes to rest.
    let mut frames = 0;
    while let Some(deadline) = acks.deadline() {
        now = now.max(deadline);
        write(&mut acks, now, 1000, &model);
        frames += 1;
        assert!(frames < 5000, "acks without end");
    }
}

fn packet(input: &mut Input<'_>, acks: &mut ReceivedPackets, model: &mut Model, now: Time) {
    let choice = input.byte();
    let offset = match choice % 4 {
        0 | 1 => 1,
        2 => i64::from(input.byte().cast_signed()),
        _ => i64::from(input.u16().cast_signed()).min(MAX_JUMP),
    };
    let number = model.newest.saturating_add_signed(offset).max(1);
    if number > model.floor.saturating_add(MAX_SPAN) {
        return;
    }
    assert_eq!(acks.expand(number as u16), number);
    let freshness = acks.freshness(number);
    assert_eq!(freshness, model.freshness(number), "{number}");
    if freshness != Freshness::New {
        return;
    }
    let need = [AckNeed::None, AckNeed::Delayed, AckNeed::Immediate][input.below(3)];
    let keep = choice < 0xe0;
    acks.on_packet(now, number, need, keep);
    model.seen.insert(number);
    model.newest = model.newest.max(number);
    assert_eq!(acks.newest(), model.newest);
    if keep {
        model.kept.insert(number);
    }
}

impl Model {
    fn freshness(&self, number: u64) -> Freshness {
        if number > self.newest {
            Freshness::New
        } else if self.newest - number >= DUPLICATE_WINDOW {
            Freshness::TooOld
        } else if number <= self.start || self.seen.contains(&number) {
            Freshness::Duplicate
        } else {
            Freshness::New
        }
    }

    /// Returns whether the frame is odd.
    fn stop_waiting(&mut self, packet: u64, before: u64) -> bool {
        let newer = packet > self.stop_waiting.0;
        if before >= packet || (newer && before < self.stop_waiting.1) {
            return true;
        }
        if newer {
            self.stop_waiting = (packet, before);
        }
        self.floor = self.floor.max(before);
        false
    }
}

fn write(acks: &mut ReceivedPackets, now: Time, room: usize, model: &Model) {
    let mut out = Vec::new();
    let mut writer = PacketWriter::new(&mut out, 1232);
    let wrote = acks.write_ack(now, &mut writer, room);
    assert_eq!(wrote, !out.is_empty());
    assert!(out.len() <= room);
    if !wrote {
        return;
    }
    let hints = Hints { message_number: 1, stream_position: 1, last_sent: model.newest };
    let frame = FrameReader::new(&out, 2).next(&hints);
    let Ok(Some(Frame::Ack(ack))) = frame else { panic!("not an ack: {frame:?}") };
    assert!(model.kept.contains(&ack.latest), "{} was not received", ack.latest);
    check(ack.latest, ack.blocks(), model);
}

/// What lies below the blocks counts as received, down to the stop-waiting number.
fn check(latest: u64, blocks: impl Iterator<Item = AckBlock>, model: &Model) {
    let lowest = model.floor.max(latest.saturating_sub(CHECKED));
    let received = |from: u64, to: u64| {
        let mut number = from.min(latest);
        while number >= lowest && number > to {
            assert!(model.kept.contains(&number), "false 'received' {number}");
            number -= 1;
        }
    };
    let mut at = latest;
    for block in blocks {
        let below = at.saturating_sub(u64::from(block.acked));
        received(at, below);
        at = below.saturating_sub(u64::from(block.missing));
    }
    received(at, lowest.saturating_sub(1));
}
