//! A host with an ICE agent, that signals to another one over a bad channel and talks to it.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use gamewire_crypto::SeededEntropy;
use gamewire_p2p::ice::{Agent, AgentConfig, IceEvent, Input, Path, SocketId};
use gamewire_proto::Time;

use super::{Host, HostId, Outgoing, StreamKey};
use crate::rng::{PerMillion, Rng, mix};

/// How often everything is signaled again while it is news.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(400);

/// For how long something is news.
const NEWS: Duration = Duration::from_secs(5);

/// How often data are sent on the route.
const DATA_INTERVAL: Duration = Duration::from_millis(200);

/// What the signaling channel does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalWeather {
    /// Least time on the way.
    pub delay: Duration,
    /// Most time on top of it: signals overtake each other.
    pub jitter: Duration,
    /// How many are lost.
    pub loss: PerMillion,
    /// How many come twice.
    pub duplicated: PerMillion,
}

impl Default for SignalWeather {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(30),
            jitter: Duration::ZERO,
            loss: PerMillion::default(),
            duplicated: PerMillion::default(),
        }
    }
}

/// See the module's documentation.
pub struct Peer {
    agent: Agent,
    password: String,
    other: Option<HostId>,
    sockets: BTreeMap<SocketId, SocketAddr>,
    streams: BTreeMap<SocketId, SocketAddr>,
    /// Whether streams to servers can be opened.
    pub tcp: bool,
    lines: Vec<String>,
    news_until: Time,
    next_signal: Option<Time>,
    next_data: Option<Time>,
    channel: SignalWeather,
    rng: Rng,
    outgoing: VecDeque<Outgoing>,
    events: Vec<(Time, IceEvent)>,
    received: u64,
    last_data: Option<Time>,
}

impl Peer {
    /// A host without sockets.
    pub fn new(config: AgentConfig, channel: SignalWeather, seed: u64) -> Self {
        let password = config.credentials.local_password.clone();
        Self {
            agent: Agent::new(config, &mut SeededEntropy::new(mix(seed, 0x6963_6500))),
            password,
            other: None,
            sockets: BTreeMap::new(),
            streams: BTreeMap::new(),
            tcp: true,
            lines: Vec::new(),
            news_until: Time::default(),
            next_signal: None,
            next_data: None,
            channel,
            rng: Rng::new(mix(seed, 0x7369_676e)),
            outgoing: VecDeque::new(),
            events: Vec::new(),
            received: 0,
            last_data: None,
        }
    }

    /// Begins to signal to the other one, and to look for a way.
    pub fn start(&mut self, now: Time, other: HostId) {
        self.other = Some(other);
        self.news(now);
        self.after(now);
    }

    /// Opens a socket.
    pub fn add_socket(&mut self, now: Time, number: u8, address: SocketAddr) {
        self.sockets.insert(SocketId(number), address);
        self.agent.add_socket(now, SocketId(number), address);
        self.after(now);
    }

    /// Closes a socket, as its interface is gone.
    pub fn remove_socket(&mut self, now: Time, number: u8) {
        self.sockets.remove(&SocketId(number));
        self.agent.remove_socket(now, SocketId(number));
        self.after(now);
    }

    /// The connection is over.
    pub fn close(&mut self, now: Time) {
        self.agent.close(now);
        self.next_data = None;
        self.after(now);
    }

    /// The agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// What the agent told.
    pub fn events(&self) -> &[(Time, IceEvent)] {
        &self.events
    }

    /// Datagrams of the other's data that came, and when the last one did.
    pub fn received(&self) -> (u64, Option<Time>) {
        (self.received, self.last_data)
    }

    fn news(&mut self, now: Time) {
        self.news_until = now + NEWS;
        self.next_signal = Some(now);
    }

    /// What follows from any input.
    fn after(&mut self, now: Time) {
        self.transmit();
        while let Some(event) = self.agent.poll_event() {
            match &event {
                IceEvent::LocalCandidate(line) => {
                    self.lines.push(line.clone());
                    self.news(now);
                }
                IceEvent::Selected(_) => {
                    self.next_data.get_or_insert(now);
                }
                IceEvent::OpenStream { socket, address, .. } => {
                    if self.tcp {
                        self.streams.insert(*socket, *address);
                        self.agent.stream_connected(now, *socket);
                    } else {
                        self.agent.stream_closed(now, *socket);
                    }
                }
                IceEvent::CloseStream(socket) => {
                    self.streams.remove(socket);
                }
                IceEvent::GatheringDone | IceEvent::RouteLost | IceEvent::Failed(_) => {}
            }
            self.events.push((now, event));
        }
        self.transmit();
    }

    fn transmit(&mut self) {
        while let Some(transmit) = self.agent.poll_transmit() {
            self.send(transmit.socket, transmit.destination, transmit.payload);
        }
    }

    fn send(&mut self, socket: SocketId, to: SocketAddr, payload: Vec<u8>) {
        if socket.is_stream() {
            // In pieces, as a stream has no borders.
            let Some(&server) = self.streams.get(&socket) else {
                return;
            };
            for piece in payload.chunks(37) {
                let payload = piece.to_vec();
                self.outgoing.push_back(Outgoing::ToServer { stream: socket.0, server, payload });
            }
        } else if let Some(&from) = self.sockets.get(&socket) {
            self.outgoing.push_back(Outgoing::Datagram { from, to, payload });
        }
    }

    /// Everything that the other must know, in one signal.
    fn signal(&mut self, now: Time) {
        self.next_signal = Some(now + SIGNAL_INTERVAL).filter(|next| *next < self.news_until);
        let Some(to) = self.other else {
            return;
        };
        let mut text = format!("password {}\n", self.password);
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        let copies = 1 + u32::from(self.rng.chance(self.channel.duplicated));
        for _ in 0..copies {
            if !self.rng.chance(self.channel.loss) {
                let after = self.channel.delay + self.rng.up_to(self.channel.jitter);
                let payload = text.clone().into_bytes();
                self.outgoing.push_back(Outgoing::Signal { to, after, payload });
            }
        }
    }

    fn send_data(&mut self, now: Time) {
        self.next_data = Some(now + DATA_INTERVAL);
        if let Some(path) = self.agent.selected() {
            let mut out = Vec::new();
            // The first bit says that it is a data packet.
            if let Some(to) = self.agent.encapsulate(path, b"\x80data of the peer", &mut out) {
                self.send(path.socket, to, out);
            }
        }
    }

    fn on_data(&mut self, now: Time, path: Path, data: &[u8]) {
        if data == b"\x80data of the peer" {
            self.received += 1;
            self.last_data = Some(now);
            self.agent.handle_authenticated(now, path);
        }
    }
}

impl Host for Peer {
    fn handle_datagram(&mut self, now: Time, to: SocketAddr, from: SocketAddr, datagram: &[u8]) {
        let socket = self.sockets.iter().find(|(_, address)| **address == to);
        let Some((&socket, _)) = socket else {
            return;
        };
        if let Input::Data { path, range } = self.agent.handle_datagram(now, socket, from, datagram)
        {
            self.on_data(now, path, &datagram[range.start..range.end]);
        }
        self.after(now);
    }

    fn handle_stream(&mut self, now: Time, (_, number): StreamKey, bytes: &[u8]) {
        for data in self.agent.handle_stream(now, SocketId(number), bytes) {
            self.on_data(now, data.path, &data.payload);
        }
        self.after(now);
    }

    fn handle_signal(&mut self, now: Time, signal: &[u8]) {
        let Ok(text) = std::str::from_utf8(signal) else {
            return;
        };
        for line in text.lines() {
            if let Some(password) = line.strip_prefix("password ") {
                self.agent.set_remote_password(now, password);
            } else {
                self.agent.add_remote_candidate(now, line);
            }
        }
        self.after(now);
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.agent.poll_timeout().is_some_and(|at| at <= now) {
            self.agent.handle_timeout(now);
        }
        if self.next_signal.is_some_and(|at| at <= now) {
            self.signal(now);
        }
        if self.next_data.is_some_and(|at| at <= now) {
            self.send_data(now);
        }
        self.after(now);
    }

    fn poll_timeout(&self) -> Option<Time> {
        [self.agent.poll_timeout(), self.next_signal, self.next_data].into_iter().flatten().min()
    }

    fn poll_outgoing(&mut self) -> Option<Outgoing> {
        self.outgoing.pop_front()
    }
}
