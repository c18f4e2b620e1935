//! How a route to a peer by identity was looked for, and what came of it.

use std::fmt;

use gamewire_p2p::{
    ice::{Agent, CandidateKind, PairState, PairSummary, Path, RouteKind, TraceStep},
    rendezvous::PeerConnection,
};
use gamewire_proto::Time;

use super::text::{OneLine, micros};

/// See the module's documentation.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RouteStatus {
    /// Our virtual port; `None`: the application routes by itself.
    pub local_virtual_port: Option<u32>,
    /// The peer's.
    pub remote_virtual_port: Option<u32>,
    /// Whether the peer ever answered to a signal.
    pub heard_from_peer: bool,
    /// The kind of route in use: `local`, `direct` or `relayed`; `None`: none yet.
    pub kind: Option<&'static str>,
    /// Why the search has come to an end without a route, if it has.
    pub failure: Option<String>,
    /// The pairs of addresses that were tried, best first.
    pub pairs: Vec<PairStatus>,
    /// What happened, oldest first; of limited length.
    pub steps: Vec<RouteStep>,
}

/// A pair of addresses that was tried.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PairStatus {
    /// Kind of our candidate.
    pub local_kind: &'static str,
    /// Its address.
    pub local: String,
    /// Kind of the peer's candidate.
    pub remote_kind: &'static str,
    /// Its address.
    pub remote: String,
    /// How far its checks are.
    pub state: &'static str,
    /// Whether it is nominated.
    pub nominated: bool,
    /// Round trip of its checks.
    pub rtt_us: Option<u64>,
}

/// One step of the search.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RouteStep {
    /// When, in microseconds of [`crate::Sockets::local_timestamp`].
    pub time_us: u64,
    /// What, for people.
    pub what: String,
}

impl RouteStatus {
    pub(super) fn of(peer: &PeerConnection) -> Self {
        let agent = peer.agent();
        let step = |time: Time, step: &TraceStep| RouteStep {
            time_us: time.as_micros(),
            what: describe(step),
        };
        Self {
            local_virtual_port: peer.ports().local,
            remote_virtual_port: peer.ports().remote,
            heard_from_peer: peer.heard_from_peer(),
            kind: peer.route().map(|path| kind_name(path.kind)),
            failure: peer.failure().map(|failure| format!("{failure:?}")),
            pairs: agent.map(Agent::pairs).unwrap_or_default().iter().map(Into::into).collect(),
            steps: agent
                .map(|agent| agent.trace().iter().map(|it| step(it.time, &it.step)).collect())
                .unwrap_or_default(),
        }
    }
}

pub(super) fn kind_name(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Local => "local",
        RouteKind::Direct => "direct",
        RouteKind::Relayed => "relayed",
    }
}

fn candidate_name(kind: CandidateKind) -> &'static str {
    match kind {
        CandidateKind::Host => "host",
        CandidateKind::ServerReflexive => "server-reflexive",
        CandidateKind::PeerReflexive => "peer-reflexive",
        CandidateKind::Relayed => "relayed",
    }
}

impl From<&PairSummary> for PairStatus {
    fn from(pair: &PairSummary) -> Self {
        Self {
            local_kind: candidate_name(pair.local.0),
            local: pair.local.1.to_string(),
            remote_kind: candidate_name(pair.remote),
            remote: pair.path.remote.to_string(),
            state: match pair.state {
                PairState::Waiting => "waiting",
                PairState::InProgress => "in progress",
                PairState::Succeeded => "succeeded",
                PairState::Failed => "failed",
            },
            nominated: pair.nominated,
            rtt_us: pair.smoothed_rtt.map(micros),
        }
    }
}

fn describe(step: &TraceStep) -> String {
    let path = |path: &Path| format!("{} ({})", path.remote, kind_name(path.kind));
    let pair = |path: &Path| match path.relay {
        None => format!("from socket {} with {}", path.socket.0, path.remote),
        Some(relay) => format!("through relay {} with {}", relay.0, path.remote),
    };
    match step {
        TraceStep::SocketAdded(socket, address) => format!("socket {} at {address}", socket.0),
        TraceStep::SocketRemoved(socket) => format!("socket {} is gone", socket.0),
        TraceStep::LocalCandidate(kind, address) => {
            format!("own candidate, {}: {address}", candidate_name(*kind))
        }
        TraceStep::RemoteCandidate(kind, address) => {
            format!("candidate of the peer, {}: {address}", candidate_name(*kind))
        }
        TraceStep::RemoteCandidateRefused(line) => format!("candidate refused: {line}"),
        TraceStep::RemotePassword => "the peer's password".to_owned(),
        TraceStep::ServerAsked(server, socket) => {
            format!("asked server {server} from socket {}", socket.0)
        }
        TraceStep::ServerAnswered(server, address) => {
            format!("server {server} gives {address}")
        }
        TraceStep::ServerRefused(server, code) => format!("server {server} refused: {code}"),
        TraceStep::ServerSilent(server) => format!("server {server} does not answer"),
        TraceStep::PeerPermitted(ip) => format!("relay lets {ip} through"),
        TraceStep::PeerForbidden(ip, code) => format!("relay does not let {ip} through: {code}"),
        TraceStep::CheckSent(along) => format!("check {}", pair(along)),
        TraceStep::CheckAnswered(along, time) => {
            format!("check {} answered in {time:?}", pair(along))
        }
        TraceStep::CheckFailed(along) => format!("check {} failed", pair(along)),
        TraceStep::CheckReceived(along) => format!("check of the peer, {}", pair(along)),
        TraceStep::RoleConflict(role) => format!("both sides wanted to be {role:?}"),
        TraceStep::Nominating(along) => format!("nominating: {}", pair(along)),
        TraceStep::Nominated(along) => format!("nominated: {}", pair(along)),
        TraceStep::Selected(selected) => format!("selected: {}", path(selected)),
        TraceStep::RouteLost(lost) => format!("lost: {}", path(lost)),
        TraceStep::Failed(reason) => format!("no route: {reason:?}"),
        TraceStep::Restarted => "began anew".to_owned(),
        TraceStep::Dropped(reason, address) => {
            format!("dropped a datagram of {address}: {reason:?}")
        }
    }
}

impl fmt::Display for RouteStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  Route: {}", self.kind.unwrap_or("none"))?;
        if let Some(failure) = &self.failure {
            writeln!(f, "    No route: {failure}")?;
        }
        if !self.heard_from_peer {
            writeln!(f, "    The peer has answered to no signal")?;
        }
        for pair in &self.pairs {
            let PairStatus { local_kind, local, remote_kind, remote, state, .. } = pair;
            let nominated = if pair.nominated { ", nominated" } else { "" };
            writeln!(f, "    {local_kind} {local} - {remote_kind} {remote}: {state}{nominated}")?;
        }
        let first = self.steps.first().map_or(0, |step| step.time_us);
        for step in &self.steps {
            let after_ms = (step.time_us - first) / 1000;
            writeln!(f, "    {after_ms:>6} ms  {}", OneLine(&step.what))?;
        }
        Ok(())
    }
}
