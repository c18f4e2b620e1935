//! Two agents, and what lies between them.

use super::*;
use gamewire_proto::Time;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

pub(super) const START: Time = Time::from_micros(3_000_000_000_000);

/// One way.
pub(super) const DELAY: Duration = Duration::from_millis(20);

/// A datagram or a signal under way.
enum Cargo {
    Datagram { from: SocketAddr, to: SocketAddr, payload: Vec<u8> },
    Candidate(String),
    Password,
}

/// Says whether a datagram is lost: time, from, to, bytes.
type Fate = Box<dyn FnMut(Time, SocketAddr, SocketAddr, &[u8]) -> bool>;

pub(super) struct Network {
    pub(super) now: Time,
    pub(super) agents: [Agent; 2],
    /// Who has which addresses.
    addresses: BTreeMap<SocketAddr, (usize, SocketId)>,
    under_way: BTreeMap<(Time, u64), (usize, Cargo)>,
    order: u64,
    pub(super) is_lost: Fate,
    /// How long signals of each side take; none: they never arrive.
    pub(super) signal_delay: [Option<Duration>; 2],
    pub(super) events: [Vec<(Time, IceEvent)>; 2],
    pub(super) data: [Vec<(Path, Vec<u8>)>; 2],
    pub(super) sent: u64,
}

impl Network {
    /// The first agent controls. Each gets its addresses as sockets.
    pub(super) fn new(agents: [Agent; 2], addresses: [&[&str]; 2]) -> Self {
        let mut network = Self {
            now: START,
            agents,
            addresses: BTreeMap::new(),
            under_way: BTreeMap::new(),
            order: 0,
            is_lost: Box::new(|_, _, _, _| false),
            signal_delay: [Some(DELAY); 2],
            events: [Vec::new(), Vec::new()],
            data: [Vec::new(), Vec::new()],
            sent: 0,
        };
        for (side, list) in addresses.into_iter().enumerate() {
            for (number, text) in list.iter().enumerate() {
                network.add_socket(side, number as u8, text);
            }
        }
        network
    }

    pub(super) fn add_socket(&mut self, side: usize, number: u8, text: &str) {
        let address = text.parse().unwrap();
        self.addresses.retain(|_, &mut owner| owner != (side, SocketId(number)));
        self.addresses.insert(address, (side, SocketId(number)));
        self.agents[side].add_socket(self.now, SocketId(number), address);
        self.drain();
    }

    /// Both tell each other their passwords.
    pub(super) fn signal_passwords(&mut self) {
        for side in 0..2 {
            if let Some(delay) = self.signal_delay[side] {
                self.put(self.now + delay, 1 - side, Cargo::Password);
            }
        }
        self.drain();
    }

    fn put(&mut self, at: Time, side: usize, cargo: Cargo) {
        self.order += 1;
        self.under_way.insert((at, self.order), (side, cargo));
    }

    /// Takes what the agents have to say.
    pub(super) fn drain(&mut self) {
        for side in 0..2 {
            while let Some(transmit) = self.agents[side].poll_transmit() {
                let owner = (side, transmit.socket);
                let from = self.addresses.iter().find(|(_, known)| **known == owner);
                let Some((&from, _)) = from else {
                    continue;
                };
                self.send(from, transmit.destination, transmit.payload);
            }
            while let Some(event) = self.agents[side].poll_event() {
                if let (IceEvent::LocalCandidate(line), Some(delay)) =
                    (&event, self.signal_delay[side])
                {
                    self.put(self.now + delay, 1 - side, Cargo::Candidate(line.clone()));
                }
                self.events[side].push((self.now, event));
            }
        }
    }

    pub(super) fn send(&mut self, from: SocketAddr, to: SocketAddr, payload: Vec<u8>) {
        self.sent += 1;
        if !(self.is_lost)(self.now, from, to, &payload) {
            self.put(self.now + DELAY, 0, Cargo::Datagram { from, to, payload });
        }
    }

    fn deliver(&mut self, side: usize, cargo: Cargo) {
        match cargo {
            Cargo::Datagram { from, to, payload } => {
                let Some(&(side, socket)) = self.addresses.get(&to) else {
                    return;
                };
                let input = self.agents[side].handle_datagram(self.now, socket, from, &payload);
                if let Input::Data { path, range } = input {
                    let range = std::ops::Range::from(range);
                    self.data[side].push((path, payload[range].to_vec()));
                }
            }
            Cargo::Candidate(line) => {
                self.agents[side].add_remote_candidate(self.now, &line);
            }
            Cargo::Password => {
                let password = credentials()[1 - side].local_password.clone();
                self.agents[side].set_remote_password(self.now, &password);
            }
        }
    }

    /// Lets time pass.
    pub(super) fn run_for(&mut self, length: Duration) {
        let end = self.now + length;
        let mut steps = 0;
        loop {
            steps += 1;
            assert!(steps < 200_000, "somebody spins");
            self.drain();
            let arrival = self.under_way.keys().next().map(|&(at, _)| at);
            let timers = self.agents.iter().filter_map(Agent::poll_timeout).min();
            let Some(next) = [arrival, timers].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now) {
                let (_, (side, cargo)) = self.under_way.pop_first().unwrap();
                self.deliver(side, cargo);
                continue;
            }
            for agent in &mut self.agents {
                if agent.poll_timeout().is_some_and(|at| at <= self.now) {
                    agent.handle_timeout(self.now);
                }
            }
        }
        self.now = end;
    }

    /// Lets time pass until both have a route, and says after how long.
    pub(super) fn run_until_selected(&mut self, limit: Duration) -> Option<Duration> {
        let start = self.now;
        while self.now.since(start) < limit {
            self.run_for(Duration::from_millis(5));
            if self.agents.iter().all(|agent| agent.selected().is_some()) {
                return Some(self.now.since(start));
            }
        }
        None
    }

    /// The remote addresses in use.
    pub(super) fn selected(&self) -> [Option<SocketAddr>; 2] {
        [0, 1].map(|side| self.agents[side].selected().map(|path| path.remote))
    }

    pub(super) fn count(&self, side: usize, is: impl Fn(&IceEvent) -> bool) -> usize {
        self.events[side].iter().filter(|(_, event)| is(event)).count()
    }
}
