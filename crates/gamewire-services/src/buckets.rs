//! Token buckets by key: how often somebody may do something.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::Hash,
    time::Instant,
};

/// How often something may be done.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rate {
    /// Times per second in the long run; at least a little.
    pub per_second: f64,
    /// Times at once after a quiet while; at least 1.
    pub burst: f64,
}

impl Rate {
    /// `per_second` in the long run, `burst` at once.
    pub const fn new(per_second: f64, burst: f64) -> Self {
        Self { per_second, burst }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { tokens: rate.burst.max(1.0), at: now }
    }

    fn refill(&mut self, rate: Rate, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * rate.per_second).min(rate.burst.max(1.0));
        self.at = now;
    }

    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        self.refill(rate, now);
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        }
        taken
    }
}

/// A bucket for each key, for at most so many keys at a time.
///
/// Keys come from outside, so the table is hashed with a seed. When it is full of keys that were
/// busy lately, newcomers share one bucket: strangers in numbers cannot grow the table, nor lift
/// the limit of those in it.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: Rate,
    max_keys: usize,
    buckets: HashMap<K, Bucket, RandomState>,
    overflow: Option<Bucket>,
    /// Not swept again before, so that a full table does not cost a sweep for each call.
    next_sweep: Option<Instant>,
}

/// A full table is swept at most this often.
const SWEEP_INTERVAL: std::time::Duration = std::time::Duration::from_millis(250);

impl<K: Eq + Hash> Buckets<K> {
    pub(crate) fn new(rate: Rate, max_keys: usize) -> Self {
        let buckets = HashMap::default();
        Self { rate, max_keys, buckets, overflow: None, next_sweep: None }
    }

    /// Whether `key` may do it once more now.
    pub(crate) fn take(&mut self, key: K, now: Instant) -> bool {
        let rate = self.rate;
        if let Some(bucket) = self.buckets.get_mut(&key) {
            return bucket.take(rate, now);
        }
        if self.buckets.len() >= self.max_keys {
            self.sweep(now);
        }
        if self.buckets.len() >= self.max_keys {
            return self.overflow.get_or_insert(Bucket::full(rate, now)).take(rate, now);
        }
        self.buckets.entry(key).or_insert(Bucket::full(rate, now)).take(rate, now)
    }

    /// Forgets the buckets that are full again: they say no more than none.
    fn sweep(&mut self, now: Instant) {
        if self.next_sweep.is_some_and(|next| now < next) {
            return;
        }
        self.next_sweep = Some(now + SWEEP_INTERVAL);
        let rate = self.rate;
        self.buckets.retain(|_, bucket| {
            bucket.refill(rate, now);
            bucket.tokens < rate.burst.max(1.0)
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE: Rate = Rate::new(10.0, 3.0);

    #[test]
    fn a_burst_and_then_the_rate() {
        let now = Instant::now();
        let mut buckets = Buckets::new(RATE, 10);
        let taken = (0..5).filter(|_| buckets.take("a", now)).count();
        assert_eq!(taken, 3);
        assert!(buckets.take("b", now), "keys do not share");
        assert!(buckets.take("a", now + Duration::from_millis(101)));
        assert!(!buckets.take("a", now + Duration::from_millis(101)));
        let later = now + Duration::from_secs(60);
        assert_eq!((0..5).filter(|_| buckets.take("a", later)).count(), 3, "no more than a burst");
    }

    #[test]
    fn a_full_table_stays_full_and_newcomers_share() {
        let now = Instant::now();
        let mut buckets = Buckets::new(RATE, 4);
        (0..4).for_each(|key| assert!(buckets.take(key, now)));
        let taken = (100..1000).filter(|key| buckets.take(*key, now)).count();
        assert_eq!((taken, buckets.buckets.len()), (3, 4));
        // Those who are known keep what is theirs.
        assert!(buckets.take(0, now));
        // And once they are quiet, they make room.
        let later = now + Duration::from_secs(1);
        assert_eq!((100..104).filter(|key| buckets.take(*key, later)).count(), 4);
        assert_eq!(buckets.buckets.len(), 4);
    }
}
