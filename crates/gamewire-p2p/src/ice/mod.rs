//! The ICE agent of one connection: finds out which pair of addresses carries datagrams.
//!
//! The dialect is Valve's (wire.md §9): credentials of five characters, component 0, the acceptor
//! controls, no error responses. The discipline is that of RFC 8445, with consent as in RFC 7675.
//!
//! The driver owns the sockets. It tells the agent which there are ([`Agent::add_socket`]), hands
//! over each datagram that they receive, sends what [`Agent::poll_transmit`] yields, and calls
//! [`Agent::handle_timeout`] at [`Agent::poll_timeout`]. After each input it drains the events.

mod agent;
mod candidate;
mod checklist;
mod checks;
mod config;
mod event;
mod gather;
mod local;
mod message;
mod output;
mod pair;
mod pairing;
mod path;
mod relaying;
mod relays;
mod selection;
mod status;
mod trace;

#[cfg(test)]
mod tests;

pub use agent::{Agent, FAILURE_TIME, MAX_REMOTE_CANDIDATES};
pub use candidate::MAX_LINE_LEN;
pub use checklist::MAX_PAIRS;
pub use checks::{RESERVE_INTERVAL, RETRY};
pub use config::{AgentConfig, CandidateTypes, Credentials, Role, TurnServer, TurnTransport};
pub use config::{random_password, ufrag_of};
pub use event::{DataRange, DropReason, FailureReason, IceEvent, Input, StreamData, Transmit};
pub use gather::{ASK_AGAIN, KEEP_ALIVE};
pub use local::{MAX_LOCAL_CANDIDATES, MAX_SOCKETS};
pub use message::MAX_USERNAME_LEN;
pub use output::{MAX_EVENTS, MAX_TRACE, MAX_TRANSMITS};
pub use pair::{MAX_CHECKS, MAX_UNANSWERED};
pub use path::{Path, RelayId, RouteKind, SocketId};
pub use relays::{AFTER_FORGETTING, MAX_RELAYS};
pub use selection::{CONSENT_INTERVAL, CONSENT_JITTER, MAX_DOUBLINGS, SHUNNED, UPGRADE_INTERVAL};
pub use trace::{CandidateKind, PairState, PairSummary, TraceEntry, TraceStep};

use path::Base;
