//! Which lane goes next: strict priority, and fair shares inside one.

use crate::lane::{LaneConfig, MAX_LANES};

const WORDS: usize = MAX_LANES.div_ceil(64);

/// A set of small numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LaneSet([u64; WORDS]);

impl LaneSet {
    pub(super) fn set(&mut self, number: u8, present: bool) {
        let (word, bit) = (usize::from(number / 64), 1 << (number % 64));
        if present {
            self.0[word] |= bit;
        } else {
            self.0[word] &= !bit;
        }
    }

    pub(super) fn without(mut self, other: Self) -> Self {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= !other;
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        self.0.into_iter().zip(0u8..).flat_map(|(mut bits, word)| {
            std::iter::from_fn(move || {
                let bit = bits.trailing_zeros();
                (bit < 64).then(|| {
                    bits &= bits - 1;
                    word * 64 + bit as u8
                })
            })
        })
    }
}

/// Virtual time per byte of a lane of weight 1: a lane of the greatest weight still gets ahead by
/// one per byte.
const SCALE: u128 = 1 << 16;

/// Weighted fair queueing by virtual finish times.
///
/// A lane's `tag` is the virtual time at which all it sent so far would be done if every lane got
/// exactly its share. Next goes the lane whose next packet would be done first.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// Lanes by rank: by priority, then by number.
    order: Vec<u8>,
    shares: Vec<Share>,
    classes: Vec<Class>,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    rank: u8,
    class: u8,
    weight: u16,
    tag: u128,
}

/// Lanes of one priority.
#[derive(Clone, Copy, Debug)]
struct Class {
    /// Rank behind its last lane.
    end: u8,
    virtual_time: u128,
}

impl Schedule {
    /// Ranks the lanes anew; everyone starts without credit or debt.
    pub(super) fn new(configs: impl ExactSizeIterator<Item = LaneConfig> + Clone) -> Self {
        let count = configs.len();
        let mut by_priority: Vec<(i32, u8)> =
            configs.clone().zip(0u8..).map(|(config, lane)| (config.priority, lane)).collect();
        by_priority.sort_unstable();
        let mut shares: Vec<Share> = configs
            .map(|config| Share { rank: 0, class: 0, weight: config.weight.max(1), tag: 0 })
            .collect();
        let mut classes: Vec<Class> = Vec::new();
        let mut previous = None;
        for (&(priority, lane), rank) in by_priority.iter().zip(0u8..) {
            if previous != Some(priority) {
                classes.push(Class { end: rank, virtual_time: 0 });
                previous = Some(priority);
            }
            let class = classes.len() - 1;
            classes[class].end = rank + 1;
            let share = &mut shares[usize::from(lane)];
            share.rank = rank;
            share.class = class as u8;
        }
        debug_assert!(count <= MAX_LANES);
        Self { order: by_priority.into_iter().map(|(_, lane)| lane).collect(), shares, classes }
    }

    /// Position of a lane in the order of service.
    pub(super) fn rank(&self, lane: u8) -> u8 {
        self.shares[usize::from(lane)].rank
    }

    pub(super) fn lane_at(&self, rank: u8) -> u8 {
        self.order[usize::from(rank)]
    }

    /// Ranks served no later than `lane`: those of its priority and of higher ones.
    pub(super) fn served_with(&self, lane: u8) -> u8 {
        self.classes[usize::from(self.shares[usize::from(lane)].class)].end
    }

    /// The lane that goes next, of those whose ranks are given. `quantum` is what a lane would send.
    pub(super) fn pick(&self, ranks: LaneSet, quantum: impl Fn(u8) -> u64) -> Option<u8> {
        let mut ranks = ranks.iter();
        let first = self.lane_at(ranks.next()?);
        let end = self.served_with(first);
        let mut best = first;
        let mut best_finish = None;
        for rank in ranks {
            if rank >= end {
                break;
            }
            let least = *best_finish.get_or_insert_with(|| self.finish(first, quantum(first)));
            let lane = self.lane_at(rank);
            let finish = self.finish(lane, quantum(lane));
            if finish < least {
                best = lane;
                best_finish = Some(finish);
            }
        }
        Some(best)
    }

    fn finish(&self, lane: u8, bytes: u64) -> u128 {
        let share = &self.shares[usize::from(lane)];
        share.tag + u128::from(bytes) * SCALE / u128::from(share.weight)
    }

    /// A lane that had nothing to send has: what it did not use is gone.
    pub(super) fn wake(&mut self, lane: u8) {
        let share = &mut self.shares[usize::from(lane)];
        share.tag = share.tag.max(self.classes[usize::from(share.class)].virtual_time);
    }

    /// A lane sent so many bytes.
    pub(super) fn served(&mut self, lane: u8, bytes: u64) {
        let share = &mut self.shares[usize::from(lane)];
        let class = &mut self.classes[usize::from(share.class)];
        class.virtual_time = class.virtual_time.max(share.tag);
        share.tag += u128::from(bytes) * SCALE / u128::from(share.weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(table: &[(i32, u16)]) -> Schedule {
        let configs: Vec<LaneConfig> = table
            .iter()
            .map(|&(priority, weight)| LaneConfig { priority, weight, ..LaneConfig::default() })
            .collect();
        Schedule::new(configs.into_iter())
    }

    fn all(ranks: &[u8]) -> LaneSet {
        let mut set = LaneSet::default();
        for &rank in ranks {
            set.set(rank, true);
        }
        set
    }

    #[test]
    fn sets_hold_all_lanes() {
        let numbers = [0, 1, 63, 64, 127, 128, 200, 254];
        let mut set = all(&numbers);
        assert_eq!(set.iter().collect::<Vec<_>>(), numbers);
        set.set(64, false);
        assert_eq!(set.without(all(&[0, 254])).iter().collect::<Vec<_>>(), [1, 63, 127, 128, 200]);
        assert!(set.without(set).is_empty());
    }

    #[test]
    fn shares_follow_the_weights_whatever_the_packets() {
        type Row<'a> = (&'a [(i32, u16)], &'a [u64]);
        let table: &[Row<'_>] = &[
            (&[(0, 1), (0, 1)], &[1200, 1200]),
            (&[(0, 1), (0, 3)], &[1200, 1200]),
            (&[(0, 10), (0, 30), (0, 60)], &[1200, 300, 50]),
            (&[(0, 65_535), (0, 1)], &[1200, 1200]),
            (&[(0, 5), (0, 5), (0, 1), (0, 9)], &[64, 1200, 1200, 700]),
        ];
        for &(weights, packets) in table {
            let mut schedule = lanes(weights);
            let ranks = all(&(0..weights.len() as u8).collect::<Vec<_>>());
            let mut sent = vec![0u64; weights.len()];
            for _ in 0..400_000 {
                let lane = schedule.pick(ranks, |lane| packets[usize::from(lane)]).unwrap();
                let bytes = packets[usize::from(lane)];
                schedule.served(lane, bytes);
                sent[usize::from(lane)] += bytes;
            }
            let total: u64 = sent.iter().sum();
            let weight: f64 = weights.iter().map(|&(_, weight)| f64::from(weight)).sum();
            for (lane, &(_, share)) in weights.iter().enumerate() {
                let expected = total as f64 * f64::from(share) / weight;
                let difference = (sent[lane] as f64 - expected).abs();
                assert!(difference <= expected * 0.02 + 2400.0, "{weights:?} {sent:?}");
            }
        }
    }

    #[test]
    fn priority_is_strict_and_idle_time_earns_nothing() {
        let mut schedule = lanes(&[(5, 1), (-3, 1), (5, 1)]);
        assert_eq!([0, 1, 2].map(|lane| schedule.rank(lane)), [1, 0, 2]);
        assert_eq!([0, 1, 2].map(|lane| schedule.served_with(lane)), [3, 1, 3]);
        assert_eq!(schedule.pick(all(&[0, 1, 2]), |_| 1), Some(1));
        assert_eq!(schedule.pick(LaneSet::default(), |_| 1), None);
        for _ in 0..1000 {
            assert_eq!(schedule.pick(all(&[1]), |_| 1000), Some(0));
            schedule.served(0, 1000);
        }
        schedule.wake(2);
        let mut of_the_sleeper = 0;
        for _ in 0..100 {
            let lane = schedule.pick(all(&[1, 2]), |_| 1000).unwrap();
            schedule.served(lane, 1000);
            of_the_sleeper += u32::from(lane == 2);
        }
        assert!((49..=52).contains(&of_the_sleeper), "{of_the_sleeper}");
    }
}
