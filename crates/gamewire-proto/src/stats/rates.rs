//! Packets and bytes per second, and in total, of one direction.

use crate::Time;

/// Length of one slot.
const SLOT_US: u64 = 125_000;
/// Whole slots that a rate is averaged over, besides the running one.
const WHOLE_SLOTS: u64 = 8;
const SLOTS: usize = 9;
/// A link younger than this is treated as this old, lest its first packet look like a flood.
const MIN_SPAN_US: u64 = 250_000;

/// A rate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Rate {
    pub(super) packets_per_s: f32,
    pub(super) bytes_per_s: f32,
}

/// A moving average over the last second: follows changes within that second and reads zero after
/// as much silence.
#[derive(Clone, Debug)]
pub(super) struct RateMeter {
    started: Time,
    total_packets: u64,
    total_bytes: u64,
    /// Number of the running slot since the clock's origin.
    slot: u64,
    packets: [u32; SLOTS],
    bytes: [u64; SLOTS],
}

impl RateMeter {
    pub(super) fn new(now: Time) -> Self {
        Self {
            started: now,
            total_packets: 0,
            total_bytes: 0,
            slot: slot_of(now),
            packets: [0; SLOTS],
            bytes: [0; SLOTS],
        }
    }

    #[inline]
    pub(super) fn add(&mut self, now: Time, bytes: usize) {
        let slot = slot_of(now);
        if slot > self.slot {
            self.advance(slot);
        }
        let bytes = bytes as u64;
        let place = place_of(self.slot);
        self.packets[place] = self.packets[place].saturating_add(1);
        self.bytes[place] = self.bytes[place].saturating_add(bytes);
        self.total_packets += 1;
        self.total_bytes = self.total_bytes.saturating_add(bytes);
    }

    pub(super) fn total_packets(&self) -> u64 {
        self.total_packets
    }

    pub(super) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    pub(super) fn rate(&self, now: Time) -> Rate {
        let current = slot_of(now).max(self.slot);
        let oldest = current.saturating_sub(WHOLE_SLOTS);
        let kept_from = self.slot.saturating_sub(WHOLE_SLOTS);
        let (mut packets, mut bytes) = (0u64, 0u64);
        for slot in oldest.max(kept_from)..=self.slot {
            packets += u64::from(self.packets[place_of(slot)]);
            bytes = bytes.saturating_add(self.bytes[place_of(slot)]);
        }
        let window_us = now.as_micros().saturating_sub(oldest * SLOT_US);
        let span_us = window_us.min(now.micros_since(self.started)).max(MIN_SPAN_US);
        let per_second = |amount: u64| (amount as f64 * 1e6 / span_us as f64) as f32;
        Rate { packets_per_s: per_second(packets), bytes_per_s: per_second(bytes) }
    }

    fn advance(&mut self, slot: u64) {
        let fresh = (slot - self.slot).min(SLOTS as u64);
        for back in 0..fresh {
            let place = place_of(slot - back);
            self.packets[place] = 0;
            self.bytes[place] = 0;
        }
        self.slot = slot;
    }
}

fn slot_of(now: Time) -> u64 {
    now.as_micros() / SLOT_US
}

fn place_of(slot: u64) -> usize {
    (slot % SLOTS as u64) as usize
}
