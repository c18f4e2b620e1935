//! The agent itself.

use std::{collections::VecDeque, net::SocketAddr};

use gamewire_crypto::Entropy;
use gamewire_proto::Time;

use super::{
    AgentConfig, Credentials, DropReason, IceEvent, Input, PairSummary, Path, Role, SocketId,
    StreamData, TraceEntry, Transmit,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    remote_password: Option<String>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<IceEvent>,
    trace: Vec<TraceEntry>,
}

impl Agent {
    /// Most STUN servers asked, and most TURN servers.
    pub const MAX_SERVERS: usize = 8;

    /// An agent without sockets. Gathering begins with the first one.
    pub fn new(config: AgentConfig, entropy: &mut dyn Entropy) -> Self {
        let _ = entropy;
        Self {
            config,
            remote_password: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            trace: Vec::new(),
        }
    }

    /// A UDP socket is there, bound to `local`; replaces one of the same number.
    pub fn add_socket(&mut self, _now: Time, _socket: SocketId, _local: SocketAddr) {}

    /// A socket is gone, its interface perhaps.
    pub fn remove_socket(&mut self, _now: Time, _socket: SocketId) {}

    /// The peer's password was signaled. The checks can begin.
    pub fn set_remote_password(&mut self, _now: Time, password: &str) {
        self.remote_password = Some(password.to_owned());
    }

    /// A candidate line was signaled. False: it cannot be used, or there are too many.
    pub fn add_remote_candidate(&mut self, _now: Time, _line: &str) -> bool {
        false
    }

    /// Begins anew: other credentials, perhaps the other role. Sockets and allocations stay;
    /// local candidates are signaled again, remote ones and pairs are forgotten.
    pub fn restart(&mut self, _now: Time, credentials: Credentials, role: Role) {
        self.config.credentials = credentials;
        self.config.role = role;
        self.remote_password = None;
    }

    /// A datagram came on a UDP socket.
    pub fn handle_datagram(
        &mut self,
        _now: Time,
        _socket: SocketId,
        _from: SocketAddr,
        _datagram: &[u8],
    ) -> Input {
        Input::Dropped(DropReason::UnknownSocket)
    }

    /// The stream asked for by [`IceEvent::OpenStream`] is open; `local` is our address on it.
    pub fn stream_connected(&mut self, _now: Time, _socket: SocketId, _local: SocketAddr) {}

    /// Bytes came on a stream. Yields the data in them.
    pub fn handle_stream(
        &mut self,
        _now: Time,
        _socket: SocketId,
        _bytes: &[u8],
    ) -> Vec<StreamData> {
        Vec::new()
    }

    /// The stream could not be opened, or ended.
    pub fn stream_closed(&mut self, _now: Time, _socket: SocketId) {}

    /// Time has passed.
    pub fn handle_timeout(&mut self, _now: Time) {}

    /// When [`Agent::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        None
    }

    /// What is to be sent next.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<IceEvent> {
        self.events.pop_front()
    }

    /// The path in use.
    pub fn selected(&self) -> Option<Path> {
        None
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
        out.extend_from_slice(datagram);
        path.relay.is_none().then_some(path.remote)
    }

    /// What happened so far, oldest first, of limited length.
    pub fn trace(&self) -> &[TraceEntry] {
        &self.trace
    }

    /// All pairs, best first.
    pub fn pairs(&self) -> Vec<PairSummary> {
        Vec::new()
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.config.role
    }
}
