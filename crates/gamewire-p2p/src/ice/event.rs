//! What comes out of an agent.

use std::{net::SocketAddr, ops::Range};

use super::{Path, SocketId};

/// Bytes to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// From where; a stream is written to in order.
    pub socket: SocketId,
    /// To whom; for a stream the server at its other end.
    pub destination: SocketAddr,
    /// One datagram, or a piece of the stream.
    pub payload: Vec<u8>,
}

/// What became of a received datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// It was meant for the agent and is done with.
    Handled,
    /// It carries data of the connection.
    Data {
        /// How it came, also where no check has validated that: authentic data are worth
        /// [`super::Agent::handle_authenticated`].
        path: Path,
        /// Where in the datagram the data are.
        range: DataRange,
    },
    /// It was dropped and counted.
    Dropped(DropReason),
}

/// Where data are in a datagram, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataRange {
    /// The first byte.
    pub start: usize,
    /// Behind the last.
    pub end: usize,
}

impl From<DataRange> for Range<usize> {
    fn from(range: DataRange) -> Self {
        range.start..range.end
    }
}

/// A datagram that came through a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamData {
    /// How it came.
    pub path: Path,
    /// The data of the connection.
    pub payload: Vec<u8>,
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DropReason {
    /// The socket is unknown or gone.
    UnknownSocket,
    /// Empty.
    Empty,
    /// It looks like STUN and cannot be parsed.
    Malformed,
    /// The check value FINGERPRINT is wrong or missing.
    Fingerprint,
    /// USERNAME is missing or names another connection.
    UserName,
    /// MESSAGE-INTEGRITY is missing or wrong.
    Integrity,
    /// A response to nothing that we asked, or from somebody else.
    UnknownTransaction,
    /// STUN of a kind that is never answered here.
    Unexpected,
    /// Some list is full.
    Limit,
}

/// Why there is no route.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FailureReason {
    /// Neither a socket nor a server gave a candidate.
    NoLocalCandidates,
    /// The peer named no candidate, and none of its checks came.
    NoRemoteCandidates,
    /// Every check failed.
    ChecksFailed,
}

/// Something that the rest of the connection should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IceEvent {
    /// A candidate to be signaled to the peer, as one line.
    LocalCandidate(String),
    /// No further local candidates will come, unless a socket is added.
    GatheringDone,
    /// This path is to be used from now on.
    Selected(Path),
    /// The selected path no longer carries anything, and no other is known yet. Checks go on.
    RouteLost,
    /// No pair works and nothing is left to try. A new candidate starts the checks again.
    Failed(FailureReason),
    /// A stream to a TURN server is wanted: connect, then [`super::Agent::stream_connected`].
    OpenStream {
        /// The number it is to have.
        socket: SocketId,
        /// The server.
        address: SocketAddr,
        /// Whether TLS is spoken on it.
        tls: bool,
    },
    /// The stream is needed no longer.
    CloseStream(SocketId),
}
