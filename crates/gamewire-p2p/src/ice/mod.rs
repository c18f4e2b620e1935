//! The ICE agent of one connection: finds out which pair of addresses carries datagrams.
//!
//! The dialect is Valve's (wire.md §9): credentials of five characters, component 0, the acceptor
//! controls, no error responses. The discipline is that of RFC 8445, with consent as in RFC 7675.
//!
//! The driver owns the sockets. It tells the agent which there are ([`Agent::add_socket`]), hands
//! over each datagram that they receive, sends what [`Agent::poll_transmit`] yields, and calls
//! [`Agent::handle_timeout`] at [`Agent::poll_timeout`]. After each input it drains the events.

mod agent;
mod config;
mod event;
mod path;
mod trace;

pub use agent::Agent;
pub use config::{AgentConfig, CandidateTypes, Credentials, Role, TurnServer, TurnTransport};
pub use config::{random_password, ufrag_of};
pub use event::{DataRange, DropReason, FailureReason, IceEvent, Input, StreamData, Transmit};
pub use path::{Path, RelayId, RouteKind, SocketId};
pub use trace::{CandidateKind, PairState, PairSummary, TraceEntry, TraceStep};
