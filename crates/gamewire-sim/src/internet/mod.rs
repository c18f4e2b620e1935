//! An internet with private networks behind NATs, for machines that look for a way to each other.
//!
//! Datagrams go up through the NATs of their network until a network knows the destination, take
//! their time there, and come down through the NATs before it. A NAT before a NAT is a carrier's.
//! Streams (to TURN servers over TCP) are let through everywhere and lose nothing.

mod machine;
mod nat;
mod peer;
mod turn_server;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use gamewire_proto::Time;

pub use self::{
    machine::Machine,
    nat::{Dependence, MAX_MAPPINGS, Nat, NatConfig},
    peer::{Peer, SignalWeather},
    turn_server::{MAX_ALLOCATIONS, TurnServer, TurnServerConfig},
};
use crate::rng::{PerMillion, Rng, mix};

/// Steps at one moment after which a host spins.
pub const MAX_STEPS_AT_ONE_TIME: u32 = 100_000;

/// What the way through the internet does to datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weather {
    /// Least time on the way.
    pub delay: Duration,
    /// Most time on top of it, by chance: datagrams overtake each other.
    pub jitter: Duration,
    /// How many are lost.
    pub loss: PerMillion,
    /// How many come twice.
    pub duplicated: PerMillion,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            loss: PerMillion::default(),
            duplicated: PerMillion::default(),
        }
    }
}

/// A network; 0 is the public one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NetworkId(usize);

/// The public network.
pub const PUBLIC: NetworkId = NetworkId(0);

/// A host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(usize);

/// A stream between a host and a server, by its number at the host.
pub type StreamKey = (HostId, u8);

/// What a host wants sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outgoing {
    /// A datagram.
    Datagram {
        /// From this address of its own.
        from: SocketAddr,
        /// To there.
        to: SocketAddr,
        /// The bytes.
        payload: Vec<u8>,
    },
    /// A client's bytes on its stream to a server; the first open it.
    ToServer {
        /// The stream.
        stream: u8,
        /// The server.
        server: SocketAddr,
        /// The bytes.
        payload: Vec<u8>,
    },
    /// A server's bytes on a stream of a client's.
    ToClient {
        /// The stream.
        stream: StreamKey,
        /// The bytes.
        payload: Vec<u8>,
    },
    /// Something for another host that is not of this network: a signal.
    Signal {
        /// For whom.
        to: HostId,
        /// After how long.
        after: Duration,
        /// The bytes.
        payload: Vec<u8>,
    },
}

/// A machine in the internet.
pub trait Host {
    /// A datagram came for one of its addresses.
    fn handle_datagram(&mut self, now: Time, to: SocketAddr, from: SocketAddr, datagram: &[u8]);

    /// Bytes came on a stream: a client's own, or at a server one of a client's.
    fn handle_stream(&mut self, now: Time, stream: StreamKey, bytes: &[u8]) {
        let _ = (now, stream, bytes);
    }

    /// A signal came.
    fn handle_signal(&mut self, now: Time, signal: &[u8]) {
        let _ = (now, signal);
    }

    /// Time has passed.
    fn handle_timeout(&mut self, now: Time);

    /// When [`Host::handle_timeout`] is to be called.
    fn poll_timeout(&self) -> Option<Time>;

    /// What is to be sent next.
    fn poll_outgoing(&mut self) -> Option<Outgoing>;
}

/// Who has an address.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Host(HostId),
    /// The NAT of this network.
    Nat(NetworkId),
}

struct Network {
    /// The NAT and the network before it; none for the public one.
    uplink: Option<(Nat, NetworkId)>,
    owners: BTreeMap<IpAddr, Owner>,
}

enum Cargo {
    Datagram { network: NetworkId, from: SocketAddr, to: SocketAddr, payload: Vec<u8> },
    Stream { to: HostId, stream: StreamKey, payload: Vec<u8> },
    Signal { to: HostId, payload: Vec<u8> },
}

/// See the module's documentation.
pub struct Internet<H> {
    now: Time,
    networks: Vec<Network>,
    hosts: Vec<H>,
    /// In which network each address of a host is.
    homes: Vec<Vec<(IpAddr, NetworkId)>>,
    under_way: BTreeMap<(Time, u64), Cargo>,
    order: u64,
    rng: Rng,
    /// What the way does.
    pub weather: Weather,
    /// Datagrams sent and bytes in them, for comparing runs.
    sent: (u64, u64),
}

impl<H: Host> Internet<H> {
    /// An internet with nothing but the public network.
    pub fn new(seed: u64) -> Self {
        Self {
            now: crate::world::START,
            networks: vec![Network { uplink: None, owners: BTreeMap::new() }],
            hosts: Vec::new(),
            homes: Vec::new(),
            under_way: BTreeMap::new(),
            order: 0,
            rng: Rng::new(mix(seed, 0x696e_6574)),
            weather: Weather::default(),
            sent: (0, 0),
        }
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// A private network behind a NAT that has an address in `parent`.
    pub fn add_network(&mut self, parent: NetworkId, nat: NatConfig, outer: IpAddr) -> NetworkId {
        let id = NetworkId(self.networks.len());
        self.networks[parent.0].owners.insert(outer, Owner::Nat(id));
        let uplink = Some((Nat::new(nat, outer), parent));
        self.networks.push(Network { uplink, owners: BTreeMap::new() });
        id
    }

    /// The NAT before a private network.
    pub fn nat_mut(&mut self, network: NetworkId) -> Option<&mut Nat> {
        self.networks[network.0].uplink.as_mut().map(|(nat, _)| nat)
    }

    /// Adds a host.
    pub fn add_host(&mut self, host: H) -> HostId {
        self.hosts.push(host);
        self.homes.push(Vec::new());
        HostId(self.hosts.len() - 1)
    }

    /// Gives a host an address.
    pub fn connect(&mut self, host: HostId, network: NetworkId, ip: IpAddr) {
        self.networks[network.0].owners.insert(ip, Owner::Host(host));
        self.homes[host.0].push((ip, network));
    }

    /// Takes an address away.
    pub fn disconnect(&mut self, host: HostId, ip: IpAddr) {
        for (_, network) in self.homes[host.0].iter().filter(|(home, _)| *home == ip) {
            self.networks[network.0].owners.remove(&ip);
        }
        self.homes[host.0].retain(|(home, _)| *home != ip);
    }

    /// A host.
    pub fn host(&self, id: HostId) -> &H {
        &self.hosts[id.0]
    }

    /// Does something with a host and sends what comes of it.
    pub fn with<R>(&mut self, id: HostId, act: impl FnOnce(&mut H, Time) -> R) -> R {
        let result = act(&mut self.hosts[id.0], self.now);
        while let Some(outgoing) = self.hosts[id.0].poll_outgoing() {
            self.dispatch(id, outgoing);
        }
        result
    }

    fn dispatch(&mut self, host: HostId, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Datagram { from, to, payload } => {
                let home = self.homes[host.0].iter().find(|(ip, _)| *ip == from.ip());
                if let Some(&(_, network)) = home {
                    self.send(network, from, to, &payload);
                }
            }
            Outgoing::ToServer { stream, server, payload } => {
                let owner = self.networks[PUBLIC.0].owners.get(&server.ip()).copied();
                if let Some(Owner::Host(to)) = owner {
                    self.put(
                        self.weather.delay,
                        Cargo::Stream { to, stream: (host, stream), payload },
                    );
                }
            }
            Outgoing::ToClient { stream, payload } => {
                self.put(self.weather.delay, Cargo::Stream { to: stream.0, stream, payload });
            }
            Outgoing::Signal { to, after, payload } => {
                self.put(after, Cargo::Signal { to, payload });
            }
        }
    }

    fn put(&mut self, after: Duration, cargo: Cargo) {
        self.order += 1;
        self.under_way.insert((self.now + after, self.order), cargo);
    }

    /// Sends a datagram up to where its destination is known.
    fn send(&mut self, network: NetworkId, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        self.sent.0 += 1;
        self.sent.1 += payload.len() as u64;
        let (mut network, mut from) = (network, from);
        while !self.networks[network.0].owners.contains_key(&to.ip()) {
            let Some((nat, parent)) = &mut self.networks[network.0].uplink else {
                return;
            };
            if to.ip() == nat.outer() && !nat.config().hairpin {
                return;
            }
            let Some(outer) = nat.outbound(self.now, from, to, &mut self.rng) else {
                return;
            };
            (network, from) = (*parent, outer);
        }
        if self.rng.chance(self.weather.loss) {
            return;
        }
        let copies = 1 + u32::from(self.rng.chance(self.weather.duplicated));
        for _ in 0..copies {
            let after = self.weather.delay + self.rng.up_to(self.weather.jitter);
            self.put(after, Cargo::Datagram { network, from, to, payload: payload.to_vec() });
        }
    }

    /// A datagram is at a network that knows its destination: down from there.
    fn arrive(&mut self, network: NetworkId, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let (mut network, mut to) = (network, to);
        loop {
            match self.networks[network.0].owners.get(&to.ip()).copied() {
                None => return,
                Some(Owner::Host(id)) => {
                    self.with(id, |host, now| host.handle_datagram(now, to, from, payload));
                    return;
                }
                Some(Owner::Nat(inner)) => {
                    let nat = self.networks[inner.0].uplink.as_mut();
                    let mapped = nat.and_then(|(nat, _)| nat.inbound(self.now, from, to.port()));
                    let Some(mapped) = mapped else {
                        return;
                    };
                    (network, to) = (inner, mapped);
                }
            }
        }
    }

    fn deliver(&mut self, cargo: Cargo) {
        match cargo {
            Cargo::Datagram { network, from, to, payload } => {
                self.arrive(network, from, to, &payload);
            }
            Cargo::Stream { to, stream, payload } => {
                self.with(to, |host, now| host.handle_stream(now, stream, &payload));
            }
            Cargo::Signal { to, payload } => {
                self.with(to, |host, now| host.handle_signal(now, &payload));
            }
        }
    }

    /// When something happens next.
    fn next_event(&self) -> Option<Time> {
        let arrival = self.under_way.keys().next().map(|&(at, _)| at);
        let timers = self.hosts.iter().filter_map(Host::poll_timeout).min();
        [arrival, timers].into_iter().flatten().min()
    }

    /// Lets time pass.
    ///
    /// # Panics
    /// If a host spins: a test cannot go on then.
    pub fn run_for(&mut self, length: Duration) {
        let end = self.now + length;
        let mut steps = 0;
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            steps = if next > self.now { 0 } else { steps + 1 };
            assert!(steps < MAX_STEPS_AT_ONE_TIME, "a host spins");
            self.now = self.now.max(next);
            let arrived = self.under_way.keys().next().filter(|(at, _)| *at <= self.now);
            if arrived.is_some() {
                if let Some((_, cargo)) = self.under_way.pop_first() {
                    self.deliver(cargo);
                }
                continue;
            }
            for index in 0..self.hosts.len() {
                if self.hosts[index].poll_timeout().is_some_and(|at| at <= self.now) {
                    self.with(HostId(index), |host, now| host.handle_timeout(now));
                }
            }
        }
        self.now = end;
    }

    /// Datagrams sent and bytes in them.
    pub fn sent(&self) -> (u64, u64) {
        self.sent
    }
}
