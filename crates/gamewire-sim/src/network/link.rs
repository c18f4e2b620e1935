//! One direction of a path between two hosts.

use std::time::Duration;

use gamewire_proto::Time;

use crate::rng::{PerMillion, Rng};

/// What a link does to datagrams. The default delivers everything at once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkConfig {
    /// How long every datagram takes.
    pub delay: Duration,
    /// Added to the delay of each datagram, evenly spread from zero; order is kept.
    pub jitter: Duration,
    /// Datagrams lost, independently of each other.
    pub loss: PerMillion,
    /// The same before they reach the bottleneck, so that they do not use it.
    pub early_loss: PerMillion,
    /// Losses that come in bursts.
    pub bursts: Option<BurstLoss>,
    /// Datagrams held back by [`LinkConfig::reorder_delay`], so that others overtake them.
    pub reorder: PerMillion,
    /// See [`LinkConfig::reorder`].
    pub reorder_delay: Duration,
    /// Datagrams that arrive twice.
    pub duplicate: PerMillion,
    /// Datagrams of which one bit is flipped.
    pub corrupt: PerMillion,
    /// What of it can be corrupted.
    pub corrupts: Corrupts,
    /// Bytes per second that pass and the queue before; `None`: any amount.
    pub rate: Option<RateLimit>,
    /// Larger datagrams are lost, bytes; `None`: no limit.
    pub mtu: Option<usize>,
}

/// Which datagrams a link may corrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corrupts {
    /// Those with sealed packets. Control messages are covered by the checksum of UDP alone, and
    /// an altered one may rightly end a connection.
    #[default]
    DataOnly,
    /// All.
    Everything,
}

/// A two-state loss process (Gilbert 1960, Elliott 1963).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurstLoss {
    /// Chance that a datagram begins a burst.
    pub begin: PerMillion,
    /// Chance that a datagram ends the burst.
    pub end: PerMillion,
    /// Loss while it lasts.
    pub loss: PerMillion,
}

/// A bottleneck with a tail-drop queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Throughput.
    pub bytes_per_second: u64,
    /// Bytes that may wait.
    pub queue_bytes: u64,
}

/// What became of the datagrams given to a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Given to it.
    pub sent: u64,
    /// Lost at random.
    pub lost: u64,
    /// Lost because the queue was full.
    pub overflowed: u64,
    /// Lost because they were too large.
    pub oversized: u64,
    /// Altered on the way.
    pub corrupted: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
}

/// When a datagram arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// At the far end.
    pub at: Time,
    /// The bit to flip.
    pub flip: Option<usize>,
}

/// Where datagrams wait for their turn; one link's own, or shared by several.
#[derive(Debug, Default)]
pub(super) struct Bottleneck {
    pub(super) limit: Option<RateLimit>,
    /// When everything accepted so far has passed.
    busy_until: Time,
}

impl Bottleneck {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit: Some(limit), busy_until: Time::default() }
    }

    /// When a datagram has passed; `None`: there was no room for it.
    fn pass(&mut self, now: Time, len: usize) -> Option<Time> {
        let Some(limit) = self.limit else {
            return Some(now);
        };
        let waiting_us = self.busy_until.micros_since(now);
        let rate = limit.bytes_per_second.max(1);
        let waiting_bytes = waiting_us * rate / 1_000_000;
        if waiting_bytes + len as u64 > limit.queue_bytes {
            return None;
        }
        let takes_us = (len as u64 * 1_000_000).div_ceil(rate);
        self.busy_until = self.busy_until.max(now).plus_micros(takes_us);
        Some(self.busy_until)
    }
}

/// A link with its state. A world has its own; programs that carry real packets may have some, too.
#[derive(Debug, Default)]
pub struct Link {
    pub(super) config: LinkConfig,
    pub(super) counters: LinkCounters,
    /// Its own bottleneck, with the limit of its configuration.
    bottleneck: Bottleneck,
    in_burst: bool,
    /// The latest arrival of a datagram that was not held back on purpose.
    latest_arrival: Time,
}

impl Link {
    /// A link that has carried nothing yet.
    pub fn new(config: LinkConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// What became of the datagrams so far.
    pub fn counters(&self) -> LinkCounters {
        self.counters
    }

    /// When a datagram arrives: never, once or twice.
    pub fn arrivals(
        &mut self,
        now: Time,
        datagram: &[u8],
        rng: &mut Rng,
    ) -> impl Iterator<Item = Arrival> + use<> {
        self.carry(now, datagram, None, rng).into_iter().flatten()
    }

    /// Decides about one datagram: it arrives never, once or twice. `shared`: a bottleneck that other
    /// links use too, instead of its own.
    pub(super) fn carry(
        &mut self,
        now: Time,
        datagram: &[u8],
        shared: Option<&mut Bottleneck>,
        rng: &mut Rng,
    ) -> [Option<Arrival>; 2] {
        self.counters.sent += 1;
        if self.config.mtu.is_some_and(|mtu| datagram.len() > mtu) {
            self.counters.oversized += 1;
            return [None; 2];
        }
        if rng.chance(self.config.early_loss) {
            self.counters.lost += 1;
            return [None; 2];
        }
        self.bottleneck.limit = self.config.rate;
        let bottleneck = shared.unwrap_or(&mut self.bottleneck);
        let Some(passed) = bottleneck.pass(now, datagram.len()) else {
            self.counters.overflowed += 1;
            return [None; 2];
        };
        if self.loses(rng) {
            self.counters.lost += 1;
            return [None; 2];
        }
        let first = self.arrival(passed, datagram, rng);
        let twice = rng.chance(self.config.duplicate);
        self.counters.duplicated += u64::from(twice);
        let second = twice.then(|| self.arrival(passed, datagram, rng));
        [Some(first), second]
    }

    fn loses(&mut self, rng: &mut Rng) -> bool {
        if let Some(bursts) = self.config.bursts {
            let turn = if self.in_burst { bursts.end } else { bursts.begin };
            self.in_burst ^= rng.chance(turn);
            if self.in_burst && rng.chance(bursts.loss) {
                return true;
            }
        }
        rng.chance(self.config.loss)
    }

    fn arrival(&mut self, passed: Time, datagram: &[u8], rng: &mut Rng) -> Arrival {
        let flip = self.corruption(datagram, rng);
        let straight = passed + self.config.delay + rng.up_to(self.config.jitter);
        if rng.chance(self.config.reorder) {
            self.counters.reordered += 1;
            return Arrival { at: straight + self.config.reorder_delay, flip };
        }
        self.latest_arrival = self.latest_arrival.max(straight);
        Arrival { at: self.latest_arrival, flip }
    }

    fn corruption(&mut self, datagram: &[u8], rng: &mut Rng) -> Option<usize> {
        let is_data =
            datagram.first().is_some_and(|first| first & gamewire_wire::udp::FLAG_DATA != 0);
        let may = is_data || self.config.corrupts == Corrupts::Everything;
        if !may || datagram.is_empty() || !rng.chance(self.config.corrupt) {
            return None;
        }
        self.counters.corrupted += 1;
        Some(rng.index(datagram.len() * 8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time::from_micros(1_000_000);

    fn arrivals(link: &mut Link, count: usize, rng: &mut Rng) -> Vec<Arrival> {
        (0..count)
            .flat_map(|i| link.carry(T0.plus_micros(i as u64 * 10), &[0x80; 100], None, rng))
            .flatten()
            .collect()
    }

    #[test]
    fn a_plain_link_delivers_at_once_and_in_order() {
        let mut link = Link::new(LinkConfig::default());
        let all = arrivals(&mut link, 50, &mut Rng::new(1));
        assert_eq!(all.len(), 50);
        assert_eq!(all[3], Arrival { at: T0.plus_micros(30), flip: None });
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let jitter = Duration::from_millis(5);
        let mut link = Link::new(LinkConfig { jitter, ..LinkConfig::default() });
        let mut rng = Rng::new(2);
        assert!(arrivals(&mut link, 500, &mut rng).is_sorted_by_key(|arrival| arrival.at));
        link.config.reorder = PerMillion::percent(5);
        link.config.reorder_delay = Duration::from_millis(20);
        assert!(!arrivals(&mut link, 500, &mut rng).is_sorted_by_key(|arrival| arrival.at));
        assert!(link.counters.reordered > 0);
    }

    #[test]
    fn losses_duplicates_and_corruption_come_at_their_rates() {
        let percent = PerMillion::percent;
        let mut link = Link::new(LinkConfig {
            loss: percent(20),
            duplicate: percent(10),
            corrupt: percent(30),
            ..LinkConfig::default()
        });
        let all = arrivals(&mut link, 10_000, &mut Rng::new(3));
        let counters = link.counters;
        assert!((1800..2200).contains(&counters.lost), "{counters:?}");
        assert!((700..900).contains(&counters.duplicated), "{counters:?}");
        assert_eq!(all.len() as u64, 10_000 - counters.lost + counters.duplicated);
        let flipped = all.iter().filter(|arrival| arrival.flip.is_some()).count() as u64;
        assert_eq!(flipped, counters.corrupted);
        assert!((2400..2900).contains(&flipped), "{flipped}");
    }

    #[test]
    fn control_messages_are_corrupted_only_where_asked() {
        let corrupt = PerMillion::percent(100);
        let mut link = Link::new(LinkConfig { corrupt, ..LinkConfig::default() });
        let mut rng = Rng::new(4);
        assert_eq!(
            link.carry(T0, &[0x20; 8], None, &mut rng)[0].map(|arrival| arrival.flip),
            Some(None)
        );
        link.config.corrupts = Corrupts::Everything;
        assert!(
            link.carry(T0, &[0x20; 8], None, &mut rng)[0]
                .is_some_and(|arrival| arrival.flip.is_some())
        );
    }

    #[test]
    fn bursts_lose_runs() {
        let bursts = BurstLoss {
            begin: PerMillion::percent(1),
            end: PerMillion::percent(10),
            loss: PerMillion::percent(100),
        };
        let mut link = Link::new(LinkConfig { bursts: Some(bursts), ..LinkConfig::default() });
        let mut rng = Rng::new(5);
        let fates: Vec<bool> =
            (0..10_000).map(|_| link.carry(T0, &[0; 9], None, &mut rng)[0].is_none()).collect();
        let lost = fates.iter().filter(|&&lost| lost).count();
        let starts = fates.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert!(lost > 5 * starts, "{lost} lost in {starts} runs");
    }

    #[test]
    fn a_bottleneck_spaces_and_drops() {
        let rate = RateLimit { bytes_per_second: 100_000, queue_bytes: 500 };
        let mut link = Link::new(LinkConfig { rate: Some(rate), ..LinkConfig::default() });
        let mut rng = Rng::new(6);
        let fates: Vec<Option<Arrival>> =
            (0..8).map(|_| link.carry(T0, &[0; 100], None, &mut rng)[0]).collect();
        let times: Vec<u64> = fates.iter().flatten().map(|a| a.at.micros_since(T0)).collect();
        assert_eq!(times, [1000, 2000, 3000, 4000, 5000]);
        assert_eq!(link.counters.overflowed, 3);
        assert!(link.carry(T0.plus_micros(2000), &[0; 100], None, &mut rng)[0].is_some());
    }

    #[test]
    fn large_datagrams_do_not_fit_through() {
        let mut link = Link::new(LinkConfig { mtu: Some(500), ..LinkConfig::default() });
        let mut rng = Rng::new(7);
        assert!(link.carry(T0, &[0; 501], None, &mut rng)[0].is_none());
        assert!(link.carry(T0, &[0; 500], None, &mut rng)[0].is_some());
        assert_eq!(link.counters.oversized, 1);
    }
}
