//! What a host saw, for the checkers.

use gamewire_proto::{
    Time, drops::DropCounters, end::EndInfo, event::ConnectionState, receive::ReceivedMessage,
};

use crate::content::{MessageName, Side};

/// Something that the application at one end did or met.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A message was queued.
    Sent {
        /// Its name, from which its content follows.
        name: MessageName,
        /// Its length, bytes.
        len: usize,
        /// Whether it is sent reliably.
        reliable: bool,
        /// Whether it may be dropped unsent.
        may_expire: bool,
    },
    /// A message was refused in a way that the plan does not provide for.
    Refused {
        /// Its name.
        name: MessageName,
        /// What the connection says.
        why: String,
    },
    /// A message got a number other than the next one of its lane.
    WrongNumber {
        /// The one that it should have.
        expected: MessageName,
        /// The one that it got.
        got: u64,
    },
    /// A message came.
    Received(ReceivedMessage),
    /// The state changed.
    State {
        /// State before.
        old: ConnectionState,
        /// State now.
        new: ConnectionState,
        /// How the connection ended, if it did.
        end: Option<EndInfo>,
    },
    /// The application closed the connection.
    Closed {
        /// With lingering.
        linger: bool,
    },
    /// More messages wait for the application than the configuration allows.
    OverLimit {
        /// What exceeds what.
        what: String,
    },
    /// The connection was drained and forgotten.
    Drained {
        /// What it dropped in its life.
        drops: DropCounters,
    },
    /// An accept or connect call failed.
    HandshakeFailed {
        /// What it says.
        why: String,
    },
}

/// An observation with its circumstances.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// When.
    pub at: Time,
    /// The connection, by its initiator's id.
    pub connection: u32,
    /// Who saw it.
    pub side: Side,
    /// What.
    pub what: Observation,
}
