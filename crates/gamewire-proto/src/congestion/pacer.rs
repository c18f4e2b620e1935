//! Spreads packets over time.

use gamewire_wire::limits::MAX_UDP_PAYLOAD;

use super::CongestionController;
use crate::Time;

/// Token bucket at the controller's rate.
///
/// The bucket holds what [`burst`] says. A sender that emptied it waits until it is half full, so
/// that at high rates packets leave in batches worth a system call, and at low ones singly.
#[derive(Clone, Debug)]
pub struct Pacer {
    rate: Option<u64>,
    /// Tokens at `updated`, in millionths of a byte; below zero after packets that did not ask.
    tokens: i64,
    updated: Time,
    /// Tokens at which the next packet may leave.
    needed: i64,
}

/// Bytes that may leave at once at the least: two full packets. Valve's library allows one; with
/// two, an acknowledgement in between does not cost the data a wait.
pub const MIN_BURST: u64 = 2 * MAX_UDP_PAYLOAD as u64;

/// Bytes that may leave at once at the most: the socket buffer of Valve's library.
pub const MAX_BURST: u64 = 256 * 1024;

/// Time whose worth of bytes may leave at once, in microseconds, between the bounds above.
const BURST_US: u64 = 2000;

/// Millionths of a byte in a byte, so that rate × microseconds needs no division.
const SCALE: i64 = 1_000_000;

/// One full packet, in tokens.
const PACKET: i64 = MAX_UDP_PAYLOAD as i64 * SCALE;

/// Bytes that may leave at once at `rate` bytes per second.
pub fn burst(rate: u64) -> u64 {
    (rate / (1_000_000 / BURST_US)).clamp(MIN_BURST, MAX_BURST)
}

impl Pacer {
    /// A full bucket at the controller's rate.
    pub fn new(now: Time, controller: &dyn CongestionController) -> Self {
        let rate = controller.pacing_rate();
        let tokens = rate.map_or(0, |rate| burst(rate) as i64 * SCALE);
        Self { rate, tokens, updated: now, needed: PACKET }
    }

    /// When the next packet may leave; `None`: now.
    pub fn next_send(&self, now: Time) -> Option<Time> {
        let rate = self.rate?.max(1);
        let missing = self.needed - self.tokens_at(now);
        let wait = u64::try_from(missing).ok().filter(|&missing| missing > 0)?;
        Some(now.plus_micros(wait.div_ceil(rate)))
    }

    /// A packet of `bytes` left. Takes over the controller's rate.
    pub fn on_sent(&mut self, now: Time, bytes: usize, controller: &dyn CongestionController) {
        self.tokens = self.tokens_at(now);
        self.updated = now;
        self.rate = controller.pacing_rate();
        let Some(rate) = self.rate else { return };
        let full = burst(rate) as i64 * SCALE;
        let cost = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(SCALE);
        self.tokens = self.tokens.saturating_sub(cost).clamp(-full, full);
        self.needed = if self.tokens < PACKET { PACKET.max(full / 2) } else { PACKET };
    }

    fn tokens_at(&self, now: Time) -> i64 {
        let Some(rate) = self.rate else {
            return self.tokens;
        };
        let full = burst(rate) as i64 * SCALE;
        let earned = rate.saturating_mul(now.micros_since(self.updated));
        self.tokens.saturating_add(i64::try_from(earned).unwrap_or(i64::MAX)).min(full)
    }
}
