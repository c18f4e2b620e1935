//! What is lost, and whether that says something about congestion.

use crate::congestion::LossSample;

const MILLION: u64 = 1_000_000;

/// Loss beyond twice the usual one that counts as congestion even where no queue shows, in
/// millionths: policers and queues that are kept short by dropping.
const EXCESS_PPM: u64 = 80_000;

/// So many packets must be lost for that.
const EXCESS_PACKETS: u64 = 8;

/// The usual loss is made up for only as far as this, in millionths.
const MAX_USUAL_PPM: u64 = 250_000;

/// Losses of the present round, and those that the path has at any rate.
#[derive(Debug, Default)]
pub(super) struct Losses {
    delivered: u64,
    lost: u64,
    lost_packets: u64,
    /// A queue was full when they happened.
    congested: bool,
    usual_ppm: u64,
}

impl Losses {
    /// Bytes were acknowledged.
    pub(super) fn on_acked(&mut self, bytes: u64) {
        self.delivered += bytes;
    }

    /// Packets were declared lost; `congested`: at a full queue.
    pub(super) fn on_lost(&mut self, sample: &LossSample, congested: bool) {
        self.lost += sample.bytes;
        self.lost_packets += sample.packets;
        self.congested |= congested;
    }

    /// Packets declared lost had arrived.
    pub(super) fn on_spurious(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_sub(bytes);
        self.lost_packets = self.lost_packets.saturating_sub(1);
    }

    /// Whether the present round lost far more than usual.
    pub(super) fn is_excessive(&self) -> bool {
        self.lost_packets >= EXCESS_PACKETS && self.ppm() > EXCESS_PPM + 2 * self.usual_ppm
    }

    /// A round has ended.
    pub(super) fn next_round(&mut self) {
        if !self.congested && self.delivered + self.lost > 0 {
            let ppm = self.ppm();
            self.usual_ppm = (self.usual_ppm * 15 + ppm) / 16;
        }
        *self = Self { usual_ppm: self.usual_ppm, ..Self::default() };
    }

    /// Loss that is independent of our rate, in millionths.
    pub(super) fn usual_ppm(&self) -> u64 {
        self.usual_ppm.min(MAX_USUAL_PPM)
    }

    /// What must leave so that `rate` arrives.
    pub(super) fn made_up_for(&self, rate: u64) -> u64 {
        let arrives = u128::from(MILLION - self.usual_ppm());
        u64::try_from(u128::from(rate) * u128::from(MILLION) / arrives).unwrap_or(u64::MAX)
    }

    fn ppm(&self) -> u64 {
        self.lost.saturating_mul(MILLION) / (self.delivered + self.lost).max(1)
    }
}
