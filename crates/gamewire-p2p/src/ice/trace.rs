//! What happened, for whoever wants to know why it did not work.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use gamewire_proto::Time;

use super::{DropReason, FailureReason, Path, Role, SocketId};

/// Where a candidate comes from (RFC 8445 §4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CandidateKind {
    /// An address of the machine.
    Host,
    /// What a STUN server saw.
    ServerReflexive,
    /// What the peer saw.
    PeerReflexive,
    /// Of a TURN server.
    Relayed,
}

/// One line of the trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceEntry {
    /// When.
    pub time: Time,
    /// What.
    pub step: TraceStep,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TraceStep {
    /// A socket was added.
    SocketAdded(SocketId, SocketAddr),
    /// A socket is gone.
    SocketRemoved(SocketId),
    /// A local candidate, and whether it is signaled.
    LocalCandidate(CandidateKind, SocketAddr),
    /// A remote candidate was signaled or learnt.
    RemoteCandidate(CandidateKind, SocketAddr),
    /// A signaled candidate line was refused.
    RemoteCandidateRefused(String),
    /// The peer's password is known.
    RemotePassword,
    /// A STUN or TURN server was asked from a socket.
    ServerAsked(SocketAddr, SocketId),
    /// It answered with this address of ours.
    ServerAnswered(SocketAddr, SocketAddr),
    /// It refused, with this error code.
    ServerRefused(SocketAddr, u16),
    /// It did not answer.
    ServerSilent(SocketAddr),
    /// A relay lets the peer's datagrams from there through.
    PeerPermitted(IpAddr),
    /// It does not, with this error code; 0: it did not answer.
    PeerForbidden(IpAddr, u16),
    /// A check left.
    CheckSent(Path),
    /// A check of ours was answered after so long.
    CheckAnswered(Path, Duration),
    /// A check of ours had no answer.
    CheckFailed(Path),
    /// A check of the peer's came.
    CheckReceived(Path),
    /// Both had the same role; this is ours now.
    RoleConflict(Role),
    /// We ask the peer to use this pair.
    Nominating(Path),
    /// The pair was nominated, by us or by the peer.
    Nominated(Path),
    /// The path is used from now on.
    Selected(Path),
    /// It carries nothing any longer.
    RouteLost(Path),
    /// Nothing is left to try.
    Failed(FailureReason),
    /// ICE began anew with other credentials.
    Restarted,
    /// The first datagram dropped for this reason.
    Dropped(DropReason, SocketAddr),
}

/// How far the checks of a pair are (RFC 8445 §6.1.2.6). Nothing is ever frozen: there is one stream
/// with one component.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PairState {
    /// Waits for its turn.
    Waiting,
    /// A check is under way.
    InProgress,
    /// A check was answered.
    Succeeded,
    /// None was.
    Failed,
}

/// A pair, for status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PairSummary {
    /// The path that it would be.
    pub path: Path,
    /// Our candidate's kind and address.
    pub local: (CandidateKind, SocketAddr),
    /// The peer's candidate's kind.
    pub remote: CandidateKind,
    /// How far it is.
    pub state: PairState,
    /// Whether it is nominated.
    pub nominated: bool,
    /// Round trip of its checks, smoothed; `None` before the first answer.
    pub smoothed_rtt: Option<Duration>,
}
