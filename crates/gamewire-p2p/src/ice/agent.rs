//! The agent: what it holds, and what the driver calls.

use std::{net::SocketAddr, time::Duration};

use gamewire_crypto::Entropy;
use gamewire_proto::Time;

use super::{
    AgentConfig, Base, CandidateKind, CandidateTypes, Credentials, DataRange, DropReason,
    FailureReason, IceEvent, Input, Path, Role, SocketId, TraceStep, Transmit,
    candidate::{LocalCandidate, RemoteCandidate, is_usable},
    checklist::{Checklist, PairKey},
    gather::{ASK_AGAIN, Gathering},
    local::Locals,
    output::Output,
    pair::Pair,
    relays::Relays,
};
use crate::stun::{TransactionIds, is_stun};

/// Most candidates of the peer's, signaled and learnt.
pub const MAX_REMOTE_CANDIDATES: usize = 32;

/// Time without anything new after which the agent says that it has failed.
pub const FAILURE_TIME: Duration = Duration::from_secs(8);

/// See the module's documentation.
#[derive(Debug)]
pub struct Agent {
    pub(super) config: AgentConfig,
    pub(super) tie_breaker: u64,
    pub(super) ids: TransactionIds,
    pub(super) remote_password: Option<String>,
    pub(super) locals: Locals,
    pub(super) gathering: Gathering,
    pub(super) relays: Relays,
    pub(super) remotes: Vec<RemoteCandidate>,
    pub(super) checklist: Checklist,
    /// When the next new check may leave.
    pub(super) next_check: Time,
    /// The pair in use.
    pub(super) selected: Option<PairKey>,
    /// Controlling side: the pair that is nominated, or about to be.
    pub(super) nominee: Option<PairKey>,
    /// Where the peer's data come from since then, though nobody said so.
    pub(super) moved: Option<(PairKey, Time)>,
    /// When something new was learnt last: until long after, nothing has failed.
    progress: Option<Time>,
    reported: Reported,
    pub(super) output: Output,
}

/// What the driver was told once and is not told again until something changes.
#[derive(Debug, Default)]
struct Reported {
    gathering_done: bool,
    failure: Option<FailureReason>,
}

impl Agent {
    /// Most STUN servers asked, and most TURN servers.
    pub const MAX_SERVERS: usize = 8;

    /// An agent without sockets. Gathering begins with the first one.
    pub fn new(mut config: AgentConfig, entropy: &mut dyn Entropy) -> Self {
        config.stun_servers.truncate(Self::MAX_SERVERS);
        config.turn_servers.truncate(Self::MAX_SERVERS);
        Self {
            config,
            tie_breaker: entropy.next_u64(),
            ids: TransactionIds::new(entropy),
            remote_password: None,
            locals: Locals::default(),
            gathering: Gathering::default(),
            relays: Relays::default(),
            remotes: Vec::new(),
            checklist: Checklist::default(),
            next_check: Time::default(),
            selected: None,
            nominee: None,
            moved: None,
            progress: None,
            reported: Reported::default(),
            output: Output::default(),
        }
    }

    /// A UDP socket is there, bound to `local`; replaces one of the same number. One too many is
    /// left out.
    pub fn add_socket(&mut self, now: Time, socket: SocketId, local: SocketAddr) {
        let local = canonical(local);
        if self.locals.socket(socket).is_some() {
            self.remove_socket(now, socket);
        }
        if socket.is_stream() || !self.locals.add_socket(socket, local) {
            return;
        }
        self.output.trace(now, TraceStep::SocketAdded(socket, local));
        self.reported.gathering_done = false;
        let added =
            self.locals.socket(socket).and_then(|socket| socket.host_candidate(&self.config));
        if let Some(candidate) = added {
            self.add_local_candidate(now, candidate);
        }
        self.gather_from(now, socket, local);
        self.open_relays(now);
        self.pair_up(now);
        self.proceed(now);
    }

    /// How many bits of a socket's address name its subnet: 24 for IPv4 and 64 for IPv6 where nobody
    /// says. A peer in a private subnet of ours is [`super::RouteKind::Local`].
    pub fn set_prefix_len(&mut self, socket: SocketId, prefix_len: u8) {
        if let Some(socket) = self.locals.socket_mut(socket) {
            socket.prefix_len = prefix_len;
        }
    }

    /// A socket is gone, its interface perhaps.
    pub fn remove_socket(&mut self, now: Time, socket: SocketId) {
        if !self.locals.remove_socket(socket) {
            return;
        }
        self.output.trace(now, TraceStep::SocketRemoved(socket));
        self.gathering.remove_socket(socket);
        self.relays
            .of_socket(socket)
            .into_iter()
            .for_each(|relay| self.drop_relay(now, relay, ASK_AGAIN));
        self.remove_base(now, Base::Socket(socket));
        // Another socket may reach their servers.
        self.open_relays(now);
        self.proceed(now);
    }

    /// The peer's password was signaled. The checks can begin; those of the peer's that came before
    /// are answered with checks of ours.
    pub fn set_remote_password(&mut self, now: Time, password: &str) {
        if self.remote_password.as_deref() == Some(password) {
            return;
        }
        if self.remote_password.replace(password.to_owned()).is_some() {
            // The peer began anew: what was found so far was for its old credentials.
            self.forget_pairs();
        }
        self.output.trace(now, TraceStep::RemotePassword);
        self.made_progress(now);
        self.proceed(now);
    }

    /// The peer's user name fragment is known now, or is another. Until it is not empty no checks leave.
    pub fn set_remote_ufrag(&mut self, now: Time, ufrag: String) {
        self.config.credentials.remote_ufrag = ufrag;
        self.proceed(now);
    }

    /// Another STUN server is known, its name resolved perhaps. One too many is left out.
    pub fn add_stun_server(&mut self, now: Time, server: SocketAddr) {
        let servers = &mut self.config.stun_servers;
        if servers.len() >= Self::MAX_SERVERS || servers.contains(&server) {
            return;
        }
        servers.push(server);
        let sockets: Vec<_> =
            self.locals.sockets().iter().map(|socket| (socket.id, socket.address)).collect();
        for (socket, local) in sockets {
            self.ask_server(now, server, socket, local);
        }
        self.gather(now);
        self.proceed(now);
    }

    fn forget_pairs(&mut self) {
        self.remotes.clear();
        self.checklist.clear();
        self.selected = None;
        self.nominee = None;
        self.moved = None;
    }

    /// A router forwards its address `external` to a socket: as good as what a STUN server sees.
    pub fn add_mapped_address(&mut self, now: Time, socket: SocketId, external: SocketAddr) {
        let external = canonical(external);
        let enabled = self.config.enable.contains(CandidateTypes::PUBLIC);
        if let Some(socket) = self.locals.socket(socket).filter(|_| enabled)
            && is_usable(external, self.config.allow_loopback)
        {
            let kind = CandidateKind::ServerReflexive;
            let candidate = socket.reflexive_candidate(kind, external, external.ip());
            self.add_local_candidate(now, candidate);
        }
        self.proceed(now);
    }

    /// A candidate line was signaled. False: it cannot be used, or there are too many.
    pub fn add_remote_candidate(&mut self, now: Time, line: &str) -> bool {
        let candidate = RemoteCandidate::parse(line, self.config.allow_loopback);
        let added = candidate.is_some_and(|candidate| self.add_remote(now, candidate));
        if added {
            self.pair_up(now);
            self.proceed(now);
        } else {
            let shown = line.chars().take(80).collect();
            self.output.trace(now, TraceStep::RemoteCandidateRefused(shown));
        }
        added
    }

    /// Begins anew: other credentials, perhaps the other role. Sockets and what servers gave stay;
    /// local candidates are signaled again, remote ones and pairs are forgotten.
    pub fn restart(&mut self, now: Time, credentials: Credentials, role: Role) {
        self.config.credentials = credentials;
        self.config.role = role;
        self.remote_password = None;
        self.forget_pairs();
        self.output.trace(now, TraceStep::Restarted);
        self.made_progress(now);
        for candidate in self.locals.candidates() {
            if candidate.kind != CandidateKind::PeerReflexive {
                self.output.event(IceEvent::LocalCandidate(candidate.to_string()));
            }
        }
        self.reported.gathering_done = false;
        self.proceed(now);
    }

    /// A datagram came on a UDP socket.
    pub fn handle_datagram(
        &mut self,
        now: Time,
        socket: SocketId,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Input {
        let from = canonical(from);
        let input = if self.locals.socket(socket).is_none() {
            Input::Dropped(DropReason::UnknownSocket)
        } else if datagram.is_empty() {
            Input::Dropped(DropReason::Empty)
        } else {
            self.handle_from(now, socket, from, datagram)
        };
        if let Input::Dropped(reason) = input {
            self.output.dropped(now, reason, from);
        }
        self.proceed(now);
        input
    }

    /// The same once it is clear whether it came through a relay.
    fn handle_from(
        &mut self,
        now: Time,
        socket: SocketId,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Input {
        // A STUN server may be at the same address: what the relay does not know is looked at again.
        if let Some(id) = self.relays.at(socket, from).map(|relay| relay.id) {
            let input = self.handle_from_server(now, id, datagram);
            if input != Input::Dropped(DropReason::UnknownTransaction) {
                return input;
            }
        }
        let base = Base::Socket(socket);
        if is_stun(datagram) {
            return self.handle_stun(now, base, from, datagram);
        }
        let path = self.path((base, from));
        Input::Data { path, range: DataRange { start: 0, end: datagram.len() } }
    }

    /// Data that came along `path` were authentic: the connection opened the packet. So the peer is
    /// there, also where no check has said so yet; an address that is new is checked at once.
    pub fn handle_authenticated(&mut self, now: Time, path: Path) {
        let base = Base::of(path);
        let key = (base, path.remote);
        if let Some(pair) = self.checklist.pair_mut(key) {
            pair.heard = Some(now);
            return;
        }
        if self.learn_remote(now, path.remote, self.prflx_priority(base)) {
            self.pair_up(now);
            self.moved = Some((key, now));
            self.checklist.trigger_first(key);
            self.proceed(now);
        }
    }

    /// The connection hears nothing, or the network changed: everything that works is checked at
    /// once, and what failed is tried again.
    pub fn check_now(&mut self, now: Time) {
        let silent = |pair: &Pair| pair.is_valid() && !pair.is_checking();
        let keys: Vec<PairKey> =
            self.checklist.iter().filter(|pair| silent(pair)).map(|pair| pair.key()).collect();
        keys.into_iter().for_each(|key| self.send_check(now, key));
        self.retry_failed(now);
        self.proceed(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.gather(now);
        self.relays.handle_timeout(now);
        self.tell(now);
        self.retransmit(now);
        self.keep_alive(now);
        self.proceed(now);
    }

    /// When [`Agent::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let pairs = self.checklist.iter().flat_map(|pair| {
            let next = self.next_of(pair);
            [pair.due(), next]
        });
        let paced = self.has_next().then_some(self.next_check);
        let verdict = self.progress.filter(|_| self.may_fail()).map(|at| at + FAILURE_TIME);
        let servers = [self.gathering.poll_timeout(), self.relays.poll_timeout()];
        pairs.chain(servers).chain([paced, verdict]).flatten().min()
    }

    /// What is to be sent next.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.output.poll_transmit()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<IceEvent> {
        self.output.poll_event()
    }

    /// Writes into `out` what must be sent for `datagram` to go along `path`, and says where to:
    /// `path.remote` or the TURN server. `None`: the path's relay is gone.
    pub fn encapsulate(
        &self,
        path: Path,
        datagram: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<SocketAddr> {
        out.clear();
        let Some(id) = path.relay else {
            out.extend_from_slice(datagram);
            return Some(path.remote);
        };
        let client = &self.relays.relay(id)?.client;
        client.relayed()?;
        client.encapsulate(path.remote, datagram, out);
        Some(client.server())
    }

    /// Keeps a local candidate and has it signaled, unless it is what the peer itself saw.
    pub(super) fn add_local_candidate(&mut self, now: Time, candidate: LocalCandidate) {
        let (kind, address) = (candidate.kind, candidate.address);
        let line = candidate.to_string();
        if !self.locals.add_candidate(candidate) {
            return;
        }
        self.output.trace(now, TraceStep::LocalCandidate(kind, address));
        if kind != CandidateKind::PeerReflexive {
            self.made_progress(now);
            self.output.event(IceEvent::LocalCandidate(line));
        }
    }

    /// Something is new, so that there is hope again.
    pub(super) fn made_progress(&mut self, now: Time) {
        self.progress = Some(now);
        self.reported.failure = None;
    }

    /// A base is gone with all its pairs.
    pub(super) fn remove_base(&mut self, now: Time, base: Base) {
        self.locals.remove_base(base);
        self.checklist.retain(|pair| pair.base != base);
        if self.nominee.is_some_and(|(of, _)| of == base) {
            self.nominee = None;
        }
        if let Some(key) = self.selected.filter(|&(of, _)| of == base) {
            self.lost(now, key);
        }
        self.consider(now);
    }

    /// What every input ends with: checks that may leave now, and what the driver must be told.
    pub(super) fn proceed(&mut self, now: Time) {
        self.tell(now);
        self.pace(now);
        let gathered = self.is_gathered() && !self.locals.sockets().is_empty();
        if gathered && !self.reported.gathering_done {
            self.reported.gathering_done = true;
            self.output.event(IceEvent::GatheringDone);
        }
        let over = self.progress.is_some_and(|at| now >= at + FAILURE_TIME);
        if let Some(reason) = self.failure().filter(|_| over && self.may_fail()) {
            self.reported.failure = Some(reason);
            self.output.trace(now, TraceStep::Failed(reason));
            self.output.event(IceEvent::Failed(reason));
        }
    }

    fn is_gathered(&self) -> bool {
        self.gathering.is_done() && self.relays.is_done()
    }

    fn may_fail(&self) -> bool {
        self.reported.failure.is_none() && self.failure().is_some()
    }

    /// Why there is no route, if there is no hope for one by what is known.
    fn failure(&self) -> Option<FailureReason> {
        if self.selected.is_some() || !self.is_gathered() {
            return None;
        }
        if self.locals.candidates().is_empty() {
            return Some(FailureReason::NoLocalCandidates);
        }
        if self.remotes.is_empty() {
            return Some(FailureReason::NoRemoteCandidates);
        }
        let hopeless = |pair: &Pair| pair.tried && !pair.is_valid();
        self.checklist.iter().all(hopeless).then_some(FailureReason::ChecksFailed)
    }
}

/// IPv4 addresses as such, also where a socket for both families saw them.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
