//! Connections for multiplayer games: ISteamNetworkingSockets in Rust, on the wire compatible with
//! Valve's open-source library.
//!
//! [`Sockets`] is one instance of the library: one identity, its connections, its service threads.
//! Function names are those of Steamworks in snake case, so its documentation applies.
//!
//! ```no_run
//! use gamewire::{Config, Event, Options, SendFlags, Sockets};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sockets = Sockets::new(Options::default())?;
//! let group = sockets.create_poll_group().expect("few groups");
//! let _listen = sockets.create_listen_socket_ip("[::]:27015".parse()?, &[])?;
//! let connection = sockets
//!     .connect_by_ip_address("127.0.0.1:27015".parse()?, &[Config::SendRateMax(8 << 20)])?;
//! for event in sockets.events() {
//!     if let Event::ConnectionStatusChanged(change) = event {
//!         println!("{}: {:?}", change.connection, change.info.state);
//!     }
//! }
//! sockets.send_message(connection, b"hello", SendFlags::RELIABLE)?;
//! for message in sockets.receive_messages_on_poll_group(group, 64).unwrap_or_default() {
//!     println!("{} bytes from {}", message.len(), message.peer);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Protocol and decisions live in `gamewire-proto`, which knows neither clocks nor sockets; this
//! crate owns handles, threads, sockets and configuration. Everything that touches the operating
//! system about packets is in [`io`].

#[cfg(feature = "async")]
mod asynchronous;
mod auth;
mod clock;
pub mod config;
pub mod coordinator;
mod copies;
mod core;
pub mod debug_output;
mod error;
mod events;
pub mod fake_network;
mod handle;
mod hub;
mod inbox;
pub mod io;
mod link;
mod listen;
mod message;
mod messages;
mod network_config;
mod options;
mod p2p;
mod packet_trace;
mod pipe;
mod poll_group;
mod resolve;
mod service;
mod shard;
mod signal;
mod signaling;
mod slot;
mod sockets;
pub mod status;
mod timers;
mod wheel;
mod worker;

pub use gamewire_crypto::{SigningKey, TrustStore, VerifyingKey};
pub use gamewire_proto::{
    Time,
    connection::AcceptError as MachineAcceptError,
    end::EndReason,
    event::ConnectionState,
    lane::{DeliveryMode, LaneConfig},
    send::MAX_MESSAGE_BYTES,
};
pub use gamewire_wire::{address::Address, identity::Identity};

pub use self::{
    auth::{AuthenticationStatus, Availability, CertificateError},
    config::{Config, ConfigData, ConfigError, ConfigId, ScopeValues},
    debug_output::{DebugLevel, DebugOutput, set_debug_output_function},
    error::{
        AcceptError, ConnectError, ConnectionError, LanesError, ListenError, OpenError, PairError,
        SendError,
    },
    events::{Event, StatusChanged},
    handle::{ConnectionHandle, ListenSocketHandle, PollGroupHandle},
    hub::{
        HubError, HubState, HubStatus, MAX_QUEUED_SIGNAL_BYTES, MAX_QUEUED_SIGNALS, SIGNAL_LIFETIME,
    },
    listen::AcceptFilter,
    message::{Message, Outgoing, SendFlags},
    messages::{MAX_CHANNELS, MAX_SESSIONS, SESSION_IDLE_TIMEOUT, UserMessage, UserSendError},
    network_config::{network_config, set_network_config},
    options::{HandleSpace, Options, ThreadHook},
    signaling::{
        ConnectionSignaling, MAX_VIRTUAL_PORT, P2pError, SignalingMaker, SignalingRecvContext,
    },
    sockets::{MAX_NAME_BYTES, ScopeObject, Sockets},
    status::{
        ConnectionFlags, ConnectionInfo, DetailedStatus, LaneStatus, PathEstimate, QuickStatus,
        RealTimeStatus,
    },
};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
