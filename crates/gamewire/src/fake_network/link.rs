//! One direction of the fake network: the decision about each datagram.

use super::{config::FakeDirectionConfig, random::Random};
use gamewire_proto::Time;

/// Longest wait for the rate limit in microseconds; what would wait longer is dropped and counted
/// as `rate_limited`. As in a home router, a queue this long makes lag before it makes loss.
pub const RATE_LIMIT_QUEUE_US: u64 = 250_000;

/// Bucket contents are counted in millionths of a byte, so that a microsecond at a byte per second
/// adds exactly one.
const UNITS_PER_BYTE: i128 = 1_000_000;

/// What happened to the datagrams of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FakeNetworkCounters {
    /// Datagrams shown while something was configured.
    pub handled: u64,
    /// Of these: lost at random, as configured.
    pub lost: u64,
    /// Dropped because they would have waited too long for the rate limit.
    pub rate_limited: u64,
    /// Delayed for any reason.
    pub delayed: u64,
    /// Held back for others to overtake.
    pub reordered: u64,
    /// Second copies made.
    pub duplicated: u64,
    /// Datagrams and second copies dropped because too much was waiting already: lag times rate is
    /// beyond what the fake network holds.
    pub queue_full: u64,
}

/// What is decided about one datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Drop,
    Leave {
        at: Time,
        duplicate_at: Option<Time>,
        /// False if others may overtake it.
        in_order: bool,
    },
}

/// State of one direction.
#[derive(Debug, Default)]
pub(super) struct Link {
    configured: bool,
    bucket: Option<TokenBucket>,
    /// Those handled later leave no earlier.
    not_before: Time,
    /// Waiting datagrams that must not be overtaken.
    waiting: usize,
    counters: FakeNetworkCounters,
}

impl Link {
    pub(super) fn configure(&mut self, config: &FakeDirectionConfig) {
        self.configured = !config.is_perfect();
        let limits = (config.rate_bytes_per_s > 0)
            .then_some((i128::from(config.rate_bytes_per_s), i128::from(config.burst_bytes)));
        if self.bucket.as_ref().map(|bucket| (bucket.rate, bucket.burst)) != limits {
            self.bucket = limits.map(|(rate, burst)| TokenBucket::full(rate, burst));
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.configured || self.waiting > 0
    }

    /// Whether a datagram would overtake one in order if it left at once.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    pub(super) fn counters(&self) -> &FakeNetworkCounters {
        &self.counters
    }

    /// Draws the fate of a datagram of `len` bytes. `times_ms` are those of reordering and
    /// duplication, which both directions share.
    pub(super) fn decide(
        &mut self,
        now: Time,
        len: usize,
        config: &FakeDirectionConfig,
        times_ms: (i32, i32),
        random: &mut Random,
    ) -> Fate {
        self.counters.handled += 1;
        if random.chance(config.loss_pct) {
            self.counters.lost += 1;
            return Fate::Drop;
        }
        let wait_us = match &mut self.bucket {
            None => 0,
            Some(bucket) => match bucket.take(now, len) {
                Some(wait_us) => wait_us,
                None => {
                    self.counters.rate_limited += 1;
                    return Fate::Drop;
                }
            },
        };
        let delay_us = wait_us + millis(config.lag_ms) + jitter_us(config, random);
        let mut at = now.plus_micros(delay_us).max(self.not_before);
        let (reorder_ms, dup_max_ms) = times_ms;
        let held_back = random.chance(config.reorder_pct);
        if held_back {
            self.counters.reordered += 1;
            at = at.plus_micros(millis(reorder_ms));
        }
        let duplicate_at = random.chance(config.dup_pct).then(|| {
            let later_us = random.unit() * millis(dup_max_ms) as f64;
            at.plus_micros(later_us as u64)
        });
        Fate::Leave { at, duplicate_at, in_order: !held_back }
    }

    /// A datagram was queued until `at`.
    pub(super) fn queued(&mut self, in_order: bool, at: Time) {
        self.counters.delayed += 1;
        if in_order {
            self.waiting += 1;
            self.not_before = at;
        }
    }

    /// A datagram's time came, and it left the queue.
    pub(super) fn left(&mut self, in_order: bool) {
        if in_order {
            self.waiting = self.waiting.saturating_sub(1);
        }
    }

    pub(super) fn duplicated(&mut self) {
        self.counters.duplicated += 1;
    }

    pub(super) fn refused_by_queue(&mut self) {
        self.counters.queue_full += 1;
    }
}

fn millis(ms: i32) -> u64 {
    u64::try_from(ms).unwrap_or(0) * 1_000
}

fn jitter_us(config: &FakeDirectionConfig, random: &mut Random) -> u64 {
    if config.jitter_avg_ms <= 0.0 || !random.chance(config.jitter_pct) {
        return 0;
    }
    let ms = random.exponential(f64::from(config.jitter_avg_ms));
    (ms.min(f64::from(config.jitter_max_ms)) * 1_000.0) as u64
}

/// A token bucket that may be overdrawn: the debt is what a datagram has to wait for.
#[derive(Debug)]
struct TokenBucket {
    /// Bytes per second.
    rate: i128,
    /// Bytes.
    burst: i128,
    /// Contents, in [`UNITS_PER_BYTE`]; negative: owed to datagrams that wait.
    units: i128,
    /// When `units` was right.
    as_of: Time,
}

impl TokenBucket {
    fn full(rate: i128, burst: i128) -> Self {
        Self { rate, burst, units: burst * UNITS_PER_BYTE, as_of: Time::default() }
    }

    /// Pays for `len` bytes; returns how long they have to wait in microseconds, or `None`, and
    /// takes nothing, if that is too long.
    fn take(&mut self, now: Time, len: usize) -> Option<u64> {
        let earned = i128::from(now.micros_since(self.as_of)) * self.rate;
        self.units = (self.units + earned).min(self.burst * UNITS_PER_BYTE);
        self.as_of = self.as_of.max(now);
        // What counts against the limit is the queue ahead, so that a datagram always fits an
        // empty one, however slow the link.
        let ahead_us = self.wait_us(self.units)?;
        if ahead_us > RATE_LIMIT_QUEUE_US {
            return None;
        }
        let after = self.units - len as i128 * UNITS_PER_BYTE;
        let wait_us = self.wait_us(after)?;
        self.units = after;
        Some(wait_us)
    }

    /// How long until a bucket with `units` in it has paid its debt.
    fn wait_us(&self, units: i128) -> Option<u64> {
        let debt = (-units).max(0);
        u64::try_from((debt + self.rate - 1) / self.rate).ok()
    }
}
