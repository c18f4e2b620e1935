//! Errors, one type per operation.

use gamewire_proto::{connection::AcceptError as MachineAcceptError, lane::MAX_LANES};

use crate::{config::ConfigError, io::BindError, message::Outgoing};

/// Why an instance cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system gives no thread or poller.
    #[error("cannot start a service thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A variable of the environment makes no sense.
    #[error("{0}")]
    Environment(String),
    /// The hub's URL, or the roots for it, make no sense.
    #[error("the hub: {0}")]
    Hub(String),
}

/// Why a listen socket cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A listen socket needs a port.
    #[error("a listen socket needs a port other than 0")]
    NoPort,
    /// The address is taken, not ours, or not permitted.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// An option is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `IP_AllowWithoutAuth` is 0 and we have no certificate to show.
    #[error("unauthenticated connections are not allowed and there is no certificate")]
    NoCertificate,
    /// There are 65,536 of them already.
    #[error("too many listen sockets")]
    TooMany,
}

/// Why a connection cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is no destination: unspecified, or port 0.
    #[error("{0} is no address to connect to")]
    BadAddress(std::net::SocketAddr),
    /// No socket could be made.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// An option is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `IP_AllowWithoutAuth` is 0 and we have no certificate to show.
    #[error("unauthenticated connections are not allowed and there is no certificate")]
    NoCertificate,
    /// There are 65,536 of them already.
    #[error("too many connections")]
    TooMany,
}

/// Why a connection cannot be accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// No such connection.
    #[error("no such connection")]
    NoSuchConnection,
    /// Connecting to a symmetric peer that had asked accepted it already.
    #[error("the connection was accepted by connecting to the same peer")]
    Duplicate,
    /// See there.
    #[error(transparent)]
    Refused(#[from] MachineAcceptError),
}

/// Why a message was not taken. Those that may succeed later give it back.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No such connection.
    #[error("no such connection")]
    NoSuchConnection(Outgoing),
    /// The connection has ended.
    #[error("the connection has ended")]
    NoConnection(Outgoing),
    /// Larger than [`gamewire_proto::send::MAX_MESSAGE_BYTES`], or than the peer of a pipe takes; or
    /// too large to be unreliable where `RefuseLargeUnreliable` is set.
    #[error("the message is too large")]
    TooLarge(Outgoing),
    /// The lane was not configured.
    #[error("the lane is not configured")]
    InvalidLane(Outgoing),
    /// A no-delay message that would have had to wait.
    #[error("the message may not wait and would have to")]
    Ignored(Outgoing),
    /// `SendBufferSize` is used up. [`crate::Event::Writable`] says when to go on.
    #[error("the send buffer is full")]
    LimitExceeded(Outgoing),
    /// An earlier message for the same connection failed in the same call: not tried.
    #[error("an earlier message for the connection failed")]
    NotTried(Outgoing),
}

impl SendError {
    /// The message.
    pub fn into_message(self) -> Outgoing {
        match self {
            Self::NoSuchConnection(message)
            | Self::NoConnection(message)
            | Self::TooLarge(message)
            | Self::InvalidLane(message)
            | Self::Ignored(message)
            | Self::LimitExceeded(message)
            | Self::NotTried(message) => message,
        }
    }

    /// The number that Steamworks has for it (api.md §3.10).
    pub fn to_result_code(&self) -> i32 {
        match self {
            Self::NoSuchConnection(_) | Self::TooLarge(_) | Self::InvalidLane(_) => 8,
            Self::NoConnection(_) => 3,
            Self::Ignored(_) => 41,
            Self::LimitExceeded(_) => 25,
            Self::NotTried(_) => 0,
        }
    }
}

/// Why lanes cannot be configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LanesError {
    /// No such connection.
    #[error("no such connection")]
    NoSuchConnection,
    /// The connection has ended.
    #[error("the connection has ended")]
    Ended,
    /// None, too many, fewer than before, or a weight of 0.
    #[error("1 to {MAX_LANES} lanes, never fewer than before, with weights from 1 on")]
    Invalid,
}

/// Why a call on a connection does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectionError {
    /// No such connection.
    #[error("no such connection")]
    NoSuchConnection,
    /// Not connected yet.
    #[error("not connected yet")]
    NotConnected,
    /// The connection has ended.
    #[error("the connection has ended")]
    Ended,
    /// More lanes asked for than are configured.
    #[error("more lanes than are configured")]
    InvalidLanes,
}

/// Why a pair of connections cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// No socket could be made.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The two sides cannot agree, which only contradictory configuration can cause.
    #[error(transparent)]
    Handshake(#[from] gamewire_proto::handshake::Refusal),
    /// There are 65,536 connections already.
    #[error("too many connections")]
    TooMany,
}
