//! A window that shares fairly with TCP (RFC 9438, CUBIC).

use std::time::Duration;

use super::MIN_WINDOW;
use crate::Time;

/// What is left of the window after a loss, in tenths (RFC 9438, section 4.6).
const BETA_TENTHS: u64 = 7;

/// Growth of the cubic, in packets per cubic second (RFC 9438, section 5).
const CUBIC_C: f64 = 0.4;

/// Growth per round trip that makes such a window as fast as Reno's, in packets: 3·(1−β)/(1+β).
const RENO_ALPHA: f64 = 0.53;

/// Losses until which what others took is won back quickly: at the first ones they still hold most.
const CHANCES: u32 = 2;

/// Bytes of a packet of TCP: growth is counted in those.
const PACKET: f64 = 1448.0;

/// The window of a flow that competes with loss-based ones.
#[derive(Debug)]
pub(super) struct Rival {
    window: u64,
    /// The window at which the last loss came.
    origin: u64,
    /// What Reno would have, bytes.
    reno: f64,
    /// When growth began, and how long it takes back to `origin`, in seconds.
    epoch: Option<(Time, f64)>,
    last_cut: Time,
    /// The window grows quickly up to this: what others took while we gave way.
    reclaims: u64,
    /// After so many losses more it does so no longer.
    chances: u32,
}

impl Rival {
    /// Begins with a window of so many bytes, and quickly wins back up to `reclaims`.
    pub(super) fn new(window: u64, reclaims: u64) -> Self {
        let window = window.max(MIN_WINDOW);
        let (reno, last_cut) = (window as f64, Time::default());
        Self { window, origin: window, reno, epoch: None, last_cut, reclaims, chances: CHANCES }
    }

    pub(super) fn window(&self) -> u64 {
        self.window
    }

    /// The window grows no further than this.
    pub(super) fn limit(&mut self, most: u64) {
        if self.window > most {
            self.window = most.max(MIN_WINDOW);
            self.reno = self.window as f64;
        }
    }

    /// Bytes were acknowledged while the window was in use.
    pub(super) fn on_acked(&mut self, now: Time, bytes: u64, smoothed_rtt: Duration) {
        if self.window < self.reclaims {
            self.window += bytes / 2;
            (self.origin, self.reno) = (self.origin.max(self.window), self.window as f64);
            return;
        }
        let (epoch, k) = *self.epoch.get_or_insert_with(|| {
            let missing = self.origin.saturating_sub(self.window) as f64 / PACKET;
            (now, (missing / CUBIC_C).cbrt())
        });
        let time = (now.since(epoch) + smoothed_rtt).as_secs_f64() - k;
        let target = self.origin as f64 + CUBIC_C * time * time * time * PACKET;
        let window = self.window as f64;
        let share = bytes as f64 / window;
        self.reno += RENO_ALPHA * PACKET * share;
        let grown = window + (target.clamp(window, 1.5 * window) - window) * share;
        self.window = grown.max(self.reno) as u64;
    }

    /// Packets were lost to congestion, the newest of which left at `newest_sent`. Those that left
    /// before the last cut tell nothing new.
    pub(super) fn on_congestion(&mut self, now: Time, newest_sent: Time) {
        if newest_sent < self.last_cut {
            return;
        }
        self.last_cut = now;
        self.chances = self.chances.saturating_sub(1);
        if self.chances == 0 {
            self.reclaims = 0;
        }
        self.origin = self.window;
        self.window = (self.window * BETA_TENTHS / 10).max(MIN_WINDOW);
        self.reno = self.window as f64;
        self.epoch = None;
    }
}
