//! What lies between hosts: links, partitions, and the datagrams under way.
//!
//! It moves bytes between addresses and knows nothing of what they mean.

mod link;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    net::SocketAddr,
};

use gamewire_proto::Time;

use self::link::Bottleneck;
pub use self::link::{Arrival, BurstLoss, Corrupts, Link, LinkConfig, LinkCounters, RateLimit};
use crate::rng::{Rng, mix};

/// Most datagrams under way at once; what comes on top is lost, as in a router without memory.
pub const MAX_UNDER_WAY: usize = 1 << 17;

/// A time in which nothing passes from some host to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Datagrams from here,
    pub from: SocketAddr,
    /// to here
    pub to: SocketAddr,
    /// sent at this moment or later
    pub start: Time,
    /// and before this one are lost.
    pub end: Time,
}

impl Partition {
    /// Both directions between two hosts.
    pub fn both(one: SocketAddr, other: SocketAddr, start: Time, end: Time) -> [Self; 2] {
        [Self { from: one, to: other, start, end }, Self { from: other, to: one, start, end }]
    }

    fn cuts(&self, now: Time, from: SocketAddr, to: SocketAddr) -> bool {
        self.from == from && self.to == to && (self.start..self.end).contains(&now)
    }
}

/// A datagram that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The sender's address.
    pub from: SocketAddr,
    /// The receiver's address.
    pub to: SocketAddr,
    /// The bytes, perhaps altered.
    pub datagram: Vec<u8>,
    /// Whether they are altered.
    pub altered: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Network {
    links: BTreeMap<(SocketAddr, SocketAddr), Link>,
    /// Bottlenecks that several links share, and which links those are.
    shared: Vec<(Bottleneck, Vec<(SocketAddr, SocketAddr)>)>,
    partitions: Vec<Partition>,
    cut: u64,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    next_order: u64,
    rng: Rng,
}

/// Sorted by arrival; of equal ones the one sent first comes first.
#[derive(Debug, PartialEq, Eq)]
struct UnderWay {
    at: Time,
    order: u64,
    delivery: Delivery,
}

impl Ord for UnderWay {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for UnderWay {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Network {
    /// A network without links: nothing arrives.
    pub fn new(seed: u64) -> Self {
        Self {
            links: BTreeMap::new(),
            shared: Vec::new(),
            partitions: Vec::new(),
            cut: 0,
            under_way: BinaryHeap::new(),
            next_order: 0,
            rng: Rng::new(mix(seed, 0x6e65_7477)),
        }
    }

    /// Lays a link in one direction, or replaces it; its state starts anew.
    pub fn set_link(&mut self, from: SocketAddr, to: SocketAddr, config: LinkConfig) {
        let counters = self.counters(from, to);
        let mut link = Link::new(config);
        link.counters = counters;
        self.links.insert((from, to), link);
    }

    /// Puts one bottleneck into several links, instead of their own.
    pub fn share_bottleneck(&mut self, routes: &[(SocketAddr, SocketAddr)], limit: RateLimit) {
        self.shared.push((Bottleneck::new(limit), routes.to_vec()));
    }

    /// Changes the limits of the shared bottlenecks; what waits in them goes on as before.
    pub fn limit_shared(&mut self, limit: RateLimit) {
        self.shared.iter_mut().for_each(|(bottleneck, _)| bottleneck.limit = Some(limit));
    }

    /// Cuts a direction for some time.
    pub fn partition(&mut self, partition: Partition) {
        self.partitions.push(partition);
    }

    /// What became of the datagrams of one direction; zeros if there is no such link.
    pub fn counters(&self, from: SocketAddr, to: SocketAddr) -> LinkCounters {
        self.links.get(&(from, to)).map_or_else(LinkCounters::default, |link| link.counters)
    }

    /// Datagrams lost to partitions or for want of a link.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Puts a datagram on its way.
    pub fn send(&mut self, now: Time, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let cut = self.partitions.iter().any(|partition| partition.cuts(now, from, to));
        let Some(link) = self.links.get_mut(&(from, to)).filter(|_| !cut) else {
            self.cut += 1;
            return;
        };
        let uses = |routes: &[_]| routes.contains(&(from, to));
        let shared = self.shared.iter_mut().find(|(_, routes)| uses(routes));
        let shared = shared.map(|(bottleneck, _)| bottleneck);
        for arrival in link.carry(now, datagram, shared, &mut self.rng).into_iter().flatten() {
            if self.under_way.len() >= MAX_UNDER_WAY {
                link.counters.overflowed += 1;
                continue;
            }
            let mut datagram = datagram.to_vec();
            if let Some(bit) = arrival.flip {
                datagram[bit / 8] ^= 1 << (bit % 8);
            }
            let altered = arrival.flip.is_some();
            let delivery = Delivery { from, to, datagram, altered };
            self.under_way.push(Reverse(UnderWay {
                at: arrival.at,
                order: self.next_order,
                delivery,
            }));
            self.next_order += 1;
        }
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Time> {
        self.under_way.peek().map(|Reverse(next)| next.at)
    }

    /// The next datagram that has arrived by `now`.
    pub fn poll(&mut self, now: Time) -> Option<Delivery> {
        if self.next_arrival()? > now {
            return None;
        }
        self.under_way.pop().map(|Reverse(next)| next.delivery)
    }

    /// Datagrams under way.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const T0: Time = Time::from_micros(5);

    fn hosts() -> [SocketAddr; 2] {
        ["10.0.0.1:1", "10.0.0.2:2"].map(|text| text.parse().expect("an address"))
    }

    #[test]
    fn datagrams_arrive_in_the_order_of_their_times() {
        let [a, b] = hosts();
        let mut network = Network::new(1);
        let slow = LinkConfig { delay: Duration::from_micros(100), ..LinkConfig::default() };
        network.set_link(a, b, slow);
        network.set_link(b, a, LinkConfig::default());
        network.send(T0, a, b, b"slow");
        network.send(T0, b, a, b"quick");
        network.send(T0, b, a, b"second");
        assert_eq!(network.next_arrival(), Some(T0));
        let arrived = |delivery: Option<Delivery>| delivery.map(|delivery| delivery.datagram);
        assert_eq!(arrived(network.poll(T0)), Some(b"quick".to_vec()));
        assert_eq!(arrived(network.poll(T0)), Some(b"second".to_vec()));
        assert_eq!(network.poll(T0), None);
        assert_eq!(arrived(network.poll(T0.plus_micros(100))), Some(b"slow".to_vec()));
        assert_eq!(network.under_way(), 0);
    }

    #[test]
    fn partitions_cut_and_heal() {
        let [a, b] = hosts();
        let mut network = Network::new(1);
        network.set_link(a, b, LinkConfig::default());
        network.partition(Partition { from: a, to: b, start: T0, end: T0.plus_micros(10) });
        network.send(T0, a, b, b"lost");
        network.send(T0.plus_micros(10), a, b, b"healed");
        network.send(T0.plus_micros(10), b, a, b"no link");
        assert_eq!(network.cut(), 2);
        assert_eq!(network.under_way(), 1);
    }
}
