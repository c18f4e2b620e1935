//! The world: a virtual clock, nodes, and the network between them.
//!
//! One step moves the clock to the next arrival or deadline and gives it to the node that it
//! concerns. Nothing else moves, so a seed replays a run exactly; [`World::trace_hash`] proves it.

use std::{collections::BTreeMap, net::SocketAddr};

use gamewire_proto::Time;

use crate::network::{Delivery, Network};

/// When worlds begin. Not zero, so that a machine that takes zero for a moment is found out.
pub const START: Time = Time::from_micros(3_000_000_000_000);

/// So many steps without the clock moving mean that a node spins.
pub const MAX_STEPS_AT_ONE_TIME: u32 = 200_000;

/// A machine with an address.
pub trait Node {
    /// A datagram came. What is to be sent goes to `outbox`.
    fn handle_datagram(
        &mut self,
        now: Time,
        from: SocketAddr,
        datagram: &mut [u8],
        outbox: &mut Outbox,
    );

    /// Time has passed.
    fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox);

    /// When [`Node::handle_timeout`] is to be called next.
    fn deadline(&self, now: Time) -> Option<Time>;
}

/// Somebody who watches the wire.
pub trait Tap {
    /// A datagram leaves a node.
    fn on_sent(&mut self, now: Time, from: SocketAddr, to: SocketAddr, datagram: &[u8]);

    /// A datagram is about to reach a node.
    fn on_delivered(&mut self, now: Time, delivery: &Delivery);
}

/// Nobody watches.
impl Tap for () {
    fn on_sent(&mut self, _: Time, _: SocketAddr, _: SocketAddr, _: &[u8]) {}

    fn on_delivered(&mut self, _: Time, _: &Delivery) {}
}

/// Datagrams that a node wants sent.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    datagrams: Vec<(SocketAddr, usize)>,
}

impl Outbox {
    /// Adds one datagram.
    pub fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.datagrams.push((to, datagram.len()));
    }

    /// Datagrams in it.
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.datagrams.clear();
    }

    fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.datagrams.iter().map(move |&(to, len)| {
            let (datagram, others) = rest.split_at(len);
            rest = others;
            (to, datagram)
        })
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A datagram reached this node.
    Delivered(SocketAddr),
    /// A datagram arrived where no node is.
    Nowhere(SocketAddr),
    /// A deadline of this node came.
    Timeout(SocketAddr),
    /// Nothing will ever happen again by itself.
    Idle,
    /// A node keeps asking to be called and the clock cannot move on.
    Spinning,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct World<N, T = ()> {
    now: Time,
    nodes: BTreeMap<SocketAddr, N>,
    /// What lies between them.
    pub network: Network,
    /// Who watches.
    pub tap: T,
    outbox: Outbox,
    trace: Trace,
    steps_now: u32,
}

impl<N: Node, T: Tap> World<N, T> {
    /// A world without nodes at [`START`].
    pub fn new(seed: u64, tap: T) -> Self {
        Self {
            now: START,
            nodes: BTreeMap::new(),
            network: Network::new(seed),
            tap,
            outbox: Outbox::default(),
            trace: Trace::default(),
            steps_now: 0,
        }
    }

    /// The same without [`World::trace_hash`], which takes its time.
    pub fn untraced(seed: u64, tap: T) -> Self {
        let mut world = Self::new(seed, tap);
        world.trace.on = false;
        world
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Puts a node at an address.
    pub fn insert(&mut self, address: SocketAddr, node: N) {
        self.nodes.insert(address, node);
    }

    /// The node at an address.
    pub fn node(&self, address: SocketAddr) -> Option<&N> {
        self.nodes.get(&address)
    }

    /// All nodes in the order of their addresses.
    pub fn nodes(&self) -> impl Iterator<Item = (SocketAddr, &N)> {
        self.nodes.iter().map(|(&address, node)| (address, node))
    }

    /// Does something with a node and sends what comes of it. `None`: there is no such node.
    pub fn with<R>(
        &mut self,
        address: SocketAddr,
        act: impl FnOnce(&mut N, Time, &mut Outbox) -> R,
    ) -> Option<R> {
        let node = self.nodes.get_mut(&address)?;
        self.outbox.clear();
        let result = act(node, self.now, &mut self.outbox);
        for (to, datagram) in self.outbox.iter() {
            self.trace.add(b's', self.now, address, to, datagram);
            self.tap.on_sent(self.now, address, to, datagram);
            self.network.send(self.now, address, to, datagram);
        }
        Some(result)
    }

    /// The next moment at which something happens.
    pub fn next_event(&self) -> Option<Time> {
        let deadline = self.nodes.values().filter_map(|node| node.deadline(self.now)).min();
        [self.network.next_arrival(), deadline]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(self.now))
    }

    /// Lets the next thing happen.
    pub fn step(&mut self) -> Step {
        let Some(at) = self.next_event() else {
            return Step::Idle;
        };
        if at > self.now {
            self.now = at;
            self.steps_now = 0;
        }
        self.steps_now += 1;
        if self.steps_now > MAX_STEPS_AT_ONE_TIME {
            return Step::Spinning;
        }
        if let Some(delivery) = self.network.poll(self.now) {
            return self.deliver(delivery);
        }
        let now = self.now;
        let due = |node: &N| node.deadline(now).is_some_and(|deadline| deadline <= now);
        let address = self.nodes.iter().find(|(_, node)| due(node)).map(|(&address, _)| address);
        let Some(address) = address else {
            return Step::Idle;
        };
        self.with(address, |node, now, outbox| node.handle_timeout(now, outbox));
        Step::Timeout(address)
    }

    fn deliver(&mut self, mut delivery: Delivery) -> Step {
        let Delivery { from, to, .. } = delivery;
        self.trace.add(b'd', self.now, from, to, &delivery.datagram);
        if !self.nodes.contains_key(&to) {
            return Step::Nowhere(to);
        }
        self.tap.on_delivered(self.now, &delivery);
        let datagram = &mut delivery.datagram;
        self.with(to, |node, now, outbox| node.handle_datagram(now, from, datagram, outbox));
        Step::Delivered(to)
    }

    /// Steps until `end`, where the clock then stands. What happens at `end` itself happens.
    ///
    /// # Errors
    /// A node spins.
    pub fn run_until(&mut self, end: Time) -> Result<(), Spinning> {
        while self.next_event().is_some_and(|at| at <= end) {
            if self.step() == Step::Spinning {
                return Err(Spinning { at: self.now });
            }
        }
        self.now = self.now.max(end);
        self.steps_now = 0;
        Ok(())
    }

    /// A number that differs if any datagram, sent or delivered, or its time differs.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash
    }

    /// Datagrams sent and delivered so far.
    pub fn datagrams(&self) -> u64 {
        self.trace.datagrams
    }
}

/// A node asked to be called [`MAX_STEPS_AT_ONE_TIME`] times without any time passing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a node spins at {} µs", at.as_micros())]
pub struct Spinning {
    /// When.
    pub at: Time,
}

/// FNV-1a over all that passed.
#[derive(Debug)]
struct Trace {
    on: bool,
    hash: u64,
    datagrams: u64,
}

impl Default for Trace {
    fn default() -> Self {
        Self { on: true, hash: 0xcbf2_9ce4_8422_2325, datagrams: 0 }
    }
}

impl Trace {
    fn add(&mut self, kind: u8, at: Time, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        self.datagrams += 1;
        if !self.on {
            return;
        }
        self.bytes(&[kind]);
        self.bytes(&at.as_micros().to_le_bytes());
        for address in [from, to] {
            match address {
                SocketAddr::V4(v4) => self.bytes(&v4.ip().octets()),
                SocketAddr::V6(v6) => self.bytes(&v6.ip().octets()),
            }
            self.bytes(&address.port().to_le_bytes());
        }
        self.bytes(&datagram.len().to_le_bytes());
        self.bytes(datagram);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // Eight at a time: the hash only has to differ, and payloads are long.
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.hash ^= u64::from_le_bytes(word);
            self.hash = self.hash.wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{network::LinkConfig, rng::PerMillion};
    use std::time::Duration;

    /// Sends a number every millisecond and adds up what it gets.
    #[derive(Default)]
    struct Counter {
        peer: Option<SocketAddr>,
        next: Time,
        left: u32,
        sum: u64,
    }

    impl Node for Counter {
        fn handle_datagram(&mut self, _: Time, _: SocketAddr, datagram: &mut [u8], _: &mut Outbox) {
            self.sum += u64::from(datagram[0]);
        }

        fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox) {
            if let Some(peer) = self.peer.filter(|_| self.left > 0) {
                self.left -= 1;
                outbox.push(peer, &[self.left as u8]);
                outbox.push(peer, &[0]);
                self.next = now + Duration::from_millis(1);
            }
        }

        fn deadline(&self, _: Time) -> Option<Time> {
            (self.left > 0).then_some(self.next)
        }
    }

    fn world(seed: u64) -> (World<Counter>, SocketAddr) {
        let [a, b]: [SocketAddr; 2] =
            ["[fd00::1]:1", "[fd00::2]:2"].map(|text| text.parse().expect("an address"));
        let mut world = World::new(seed, ());
        world.insert(a, Counter { peer: Some(b), next: START, left: 100, sum: 0 });
        world.insert(b, Counter::default());
        let lossy = LinkConfig {
            delay: Duration::from_millis(7),
            loss: PerMillion::percent(20),
            ..LinkConfig::default()
        };
        world.network.set_link(a, b, lossy);
        (world, b)
    }

    #[test]
    fn a_seed_replays_a_run() {
        let run = |seed| {
            let (mut world, b) = world(seed);
            world.run_until(START + Duration::from_secs(1)).expect("nobody spins");
            (world.trace_hash(), world.datagrams(), world.node(b).map(|node| node.sum))
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1).0, run(2).0);
    }

    #[test]
    fn time_jumps_from_event_to_event() {
        let (mut world, _) = world(3);
        assert_eq!(world.next_event(), Some(START));
        world.run_until(START + Duration::from_micros(6_500)).expect("nobody spins");
        assert_eq!(world.now(), START + Duration::from_micros(6_500));
        assert_eq!(world.next_event(), Some(START + Duration::from_millis(7)));
        world.run_until(START + Duration::from_secs(1)).expect("nobody spins");
        assert_eq!(world.step(), Step::Idle);
    }

    #[test]
    fn a_spinning_node_is_found_out() {
        struct Spinner;
        impl Node for Spinner {
            fn handle_datagram(&mut self, _: Time, _: SocketAddr, _: &mut [u8], _: &mut Outbox) {}
            fn handle_timeout(&mut self, _: Time, _: &mut Outbox) {}
            fn deadline(&self, now: Time) -> Option<Time> {
                Some(now)
            }
        }
        let mut world = World::new(1, ());
        world.insert("10.0.0.1:1".parse().expect("an address"), Spinner);
        assert_eq!(world.run_until(START), Err(Spinning { at: START }));
    }
}
