//! How long the path takes when it is empty, and how full it is now.

use std::time::Duration;

use crate::Time;

/// Samples of which the least stands for "now": a single late packet is no queue.
const RECENT: usize = 5;

/// The same where haste matters more than certainty.
const FEW: usize = 3;

/// A least round trip that was not seen again for so long is in doubt.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// The fullest queue is remembered for one to two of these.
const PEAK_WINDOW: Duration = Duration::from_secs(5);

/// So many times in a row the path must show the same longer round trip to be believed.
const CONFIRMED_BY: u32 = 3;

/// Bounds of the queue that bulk data may cause, in time ([`Delay::allowance`]).
const ALLOWANCE: (Duration, Duration) = (Duration::from_millis(3), Duration::from_millis(10));

/// Round trips, and the queue that they tell of.
#[derive(Debug, Default)]
pub(super) struct Delay {
    least: Option<Least>,
    recent: [Duration; RECENT],
    recent_count: usize,
    /// The least of the present round, and of the last one.
    round: Option<Duration>,
    last_round: Option<Duration>,
    peak: Peak,
    /// A round trip of the path without our packets that was longer than the least one, and how
    /// often in a row.
    suspected: (Duration, u32),
}

#[derive(Clone, Copy, Debug)]
struct Least {
    rtt: Duration,
    /// When a sample last came near to it.
    seen: Time,
}

/// The fullest queue of the last seconds.
#[derive(Debug, Default)]
struct Peak {
    present: Duration,
    previous: Duration,
    since: Time,
}

impl Delay {
    /// A round trip was measured.
    pub(super) fn on_sample(&mut self, now: Time, rtt: Duration) {
        let least = self.least.get_or_insert(Least { rtt, seen: now });
        if rtt <= least.rtt + least.rtt / 16 + Duration::from_micros(250) {
            least.seen = now;
        }
        least.rtt = least.rtt.min(rtt);
        self.recent[self.recent_count % RECENT] = rtt;
        self.recent_count += 1;
        self.round = Some(self.round.map_or(rtt, |least| least.min(rtt)));
        if now.since(self.peak.since) >= PEAK_WINDOW {
            self.peak = Peak { present: Duration::ZERO, previous: self.peak.present, since: now };
        }
        self.peak.present = self.peak.present.max(self.queue());
    }

    /// A round has ended.
    pub(super) fn next_round(&mut self) {
        self.last_round = self.round.take();
    }

    /// The least round trip, if any was measured.
    pub(super) fn least(&self) -> Option<Duration> {
        self.least.map(|least| least.rtt)
    }

    /// Whether nobody has seen the least round trip for long.
    pub(super) fn is_stale(&self, now: Time) -> bool {
        self.least.is_some_and(|least| now.since(least.seen) >= STALE_AFTER)
    }

    /// Forgets the least round trip in favour of the recent ones: the path may have changed.
    pub(super) fn renew(&mut self, now: Time) {
        if let Some(rtt) = self.recent().iter().min().copied() {
            self.least = Some(Least { rtt, seen: now });
            self.peak = Peak { since: now, ..Peak::default() };
        }
    }

    /// Now that none of our packets wait: whether the least round trip is as known, or as it was the
    /// last few times that this was asked.
    pub(super) fn is_least_confirmed(&mut self) -> bool {
        let found = self.recent().iter().min().copied().unwrap_or_default();
        let noise = self.negligible();
        let known = self.queue() <= noise;
        let (suspected, times) = self.suspected;
        let times = if suspected.abs_diff(found) <= noise { times + 1 } else { 1 };
        let confirmed = known || times >= CONFIRMED_BY;
        self.suspected = if confirmed { (Duration::ZERO, 0) } else { (found, times) };
        confirmed
    }

    /// How long packets wait in queues now.
    pub(super) fn queue(&self) -> Duration {
        let recent = self.recent().iter().min().copied().unwrap_or_default();
        recent.saturating_sub(self.least().unwrap_or_default())
    }

    /// How long they waited at the least in the last round.
    pub(super) fn round_queue(&self) -> Duration {
        let least = self.last_round.unwrap_or_default();
        least.saturating_sub(self.least().unwrap_or_default())
    }

    /// Whether the last few packets waited for so long: sooner known than [`Delay::queue`], and less
    /// certain.
    pub(super) fn waits(&self, wait: Duration) -> bool {
        let count = self.recent_count;
        let last = (1..=FEW.min(count)).map(|back| self.recent[(count - back) % RECENT]);
        let least = self.least().unwrap_or_default();
        count >= RECENT && last.min().is_some_and(|rtt| rtt.saturating_sub(least) >= wait)
    }

    /// The longest wait of the last seconds.
    pub(super) fn peak(&self) -> Duration {
        self.peak.present.max(self.peak.previous)
    }

    /// The queue that bulk data may cause: a quarter of the empty path's round trip, within bounds
    /// that games can live with.
    pub(super) fn allowance(&self) -> Duration {
        (self.least().unwrap_or_default() / 4).clamp(ALLOWANCE.0, ALLOWANCE.1)
    }

    /// A wait so short that it is no queue.
    pub(super) fn negligible(&self) -> Duration {
        let noise = self.least().unwrap_or_default() / 16 + Duration::from_millis(1);
        noise.min(self.allowance() / 2)
    }

    fn recent(&self) -> &[Duration] {
        &self.recent[..self.recent_count.min(RECENT)]
    }
}
