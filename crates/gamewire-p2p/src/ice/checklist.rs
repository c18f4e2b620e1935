//! All pairs, and the order in which they are checked.

use std::{collections::VecDeque, net::SocketAddr};

use gamewire_proto::Time;

use super::{Base, PairState, pair::Pair};
use crate::stun::TransactionId;

/// Most pairs.
pub const MAX_PAIRS: usize = 128;

/// What names a pair.
pub(super) type PairKey = (Base, SocketAddr);

/// All pairs, and the order in which they are checked. One stream with one component has nothing to
/// freeze, so that all pairs wait from the start.
#[derive(Debug, Default)]
pub(super) struct Checklist {
    pairs: Vec<Pair>,
    triggered: VecDeque<PairKey>,
}

impl Checklist {
    pub(super) fn pair(&self, key: PairKey) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.key() == key)
    }

    pub(super) fn pair_mut(&mut self, key: PairKey) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.key() == key)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Pair> {
        self.pairs.iter()
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Pair> {
        self.pairs.iter_mut()
    }

    /// Adds a pair. Where there are too many, it takes the place of the worst one that has not
    /// worked, if it is better; false if not.
    pub(super) fn insert(&mut self, now: Time, pair: Pair) -> bool {
        if self.pairs.len() < MAX_PAIRS {
            self.pairs.push(pair);
            return true;
        }
        let useless = |pair: &Pair| matches!(pair.state, PairState::Waiting | PairState::Failed);
        let worst = (0..self.pairs.len())
            .filter(|&index| useless(&self.pairs[index]))
            .min_by_key(|&index| self.pairs[index].rank(now));
        match worst {
            Some(index) if self.pairs[index].rank(now) < pair.rank(now) => {
                self.pairs[index] = pair;
                true
            }
            _ => false,
        }
    }

    /// Removes what does not fit.
    pub(super) fn retain(&mut self, fits: impl Fn(&Pair) -> bool) {
        self.pairs.retain(&fits);
        let pairs = &self.pairs;
        self.triggered.retain(|&key| pairs.iter().any(|pair| pair.key() == key));
    }

    pub(super) fn clear(&mut self) {
        self.pairs.clear();
        self.triggered.clear();
    }

    /// The pair is checked before all that wait.
    pub(super) fn trigger(&mut self, key: PairKey) {
        if !self.triggered.contains(&key) && self.triggered.len() < MAX_PAIRS {
            self.triggered.push_back(key);
        }
    }

    /// The same, and before the other triggered ones.
    pub(super) fn trigger_first(&mut self, key: PairKey) {
        self.triggered.retain(|&other| other != key);
        self.triggered.push_front(key);
    }

    /// The pair to be checked next. What `is_ready` does not hold for keeps its place.
    pub(super) fn next(&self, now: Time, is_ready: impl Fn(&Pair) -> bool) -> Option<PairKey> {
        let ready = |key: &&PairKey| self.pair(**key).is_some_and(&is_ready);
        if let Some(&key) = self.triggered.iter().find(ready) {
            return Some(key);
        }
        self.pairs
            .iter()
            .filter(|pair| pair.state == PairState::Waiting && is_ready(pair))
            .max_by_key(|pair| pair.rank(now))
            .map(Pair::key)
    }

    /// The pair is checked now.
    pub(super) fn untrigger(&mut self, key: PairKey) {
        self.triggered.retain(|&other| other != key);
    }

    /// Whether [`Checklist::next`] would find something.
    pub(super) fn has_next(&self, is_ready: impl Fn(&Pair) -> bool) -> bool {
        self.pairs.iter().any(|pair| {
            (pair.state == PairState::Waiting || self.triggered.contains(&pair.key()))
                && is_ready(pair)
        })
    }

    /// The pair that awaits a response with this id.
    pub(super) fn awaiting(&self, id: TransactionId) -> Option<PairKey> {
        self.pairs.iter().find(|pair| pair.awaits(id)).map(Pair::key)
    }

    /// The best pair that works.
    pub(super) fn best_valid(&self, now: Time) -> Option<&Pair> {
        self.pairs.iter().filter(|pair| pair.is_valid()).max_by_key(|pair| pair.rank(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ice::SocketId;

    const T0: Time = Time::from_micros(1_000_000);

    fn pair(port: u16, priority: u64) -> Pair {
        let remote = SocketAddr::new([10, 0, 0, 2].into(), port);
        let mut pair = Pair::new(Base::Socket(SocketId(0)), remote, T0);
        pair.priority = priority;
        pair
    }

    #[test]
    fn triggered_pairs_come_first_then_the_best() {
        let mut list = Checklist::default();
        for (port, priority) in [(1, 10), (2, 30), (3, 20)] {
            assert!(list.insert(T0, pair(port, priority)));
        }
        let key = |port| pair(port, 0).key();
        list.trigger(key(1));
        list.trigger(key(3));
        list.trigger(key(1));
        list.trigger(key(9));
        list.trigger_first(key(3));
        let mut next = || {
            let key = list.next(T0, |_| true)?;
            list.untrigger(key);
            list.pair_mut(key)?.state = PairState::InProgress;
            Some(key)
        };
        assert_eq!(next(), Some(key(3)));
        assert_eq!(next(), Some(key(1)));
        assert_eq!(next(), Some(key(2)));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_full_list_keeps_the_best_and_what_works() {
        let mut list = Checklist::default();
        for port in 1..=MAX_PAIRS as u16 {
            assert!(list.insert(T0, pair(port, u64::from(port) + 10)));
        }
        list.pair_mut(pair(1, 0).key()).unwrap().state = PairState::Succeeded;
        assert!(!list.insert(T0, pair(1000, 1)));
        assert!(list.insert(T0, pair(1000, 500)));
        assert_eq!(list.iter().count(), MAX_PAIRS);
        assert!(list.pair(pair(1, 0).key()).is_some());
        assert!(list.pair(pair(2, 0).key()).is_none());
    }
}
