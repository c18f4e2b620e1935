//! The application's own channel for finding peers by identity (api.md §2.4), and why such a
//! connection cannot be had.

use gamewire_wire::identity::Identity;

use crate::{config::ConfigError, handle::ConnectionHandle, status::ConnectionInfo};

/// A channel of the application to one peer, best effort: signals may get lost, be duplicated or
/// overtake each other. Owned by the library from the call on that hands it over, also if the call
/// fails; dropped when it is not needed any more.
///
/// The library may call it from any thread. It must be quick, and must not hold a lock that is held
/// while the library is called.
#[doc(alias = "ISteamNetworkingConnectionSignaling")]
pub trait ConnectionSignaling: Send + Sync {
    /// Sends one signal. False is fatal for the connection.
    fn send_signal(
        &self,
        connection: ConnectionHandle,
        info: &ConnectionInfo,
        signal: &[u8],
    ) -> bool;
}

/// What the application says to one signal that came in; used within the call only.
#[doc(alias = "ISteamNetworkingSignalingRecvContext")]
pub trait SignalingRecvContext {
    /// Somebody wants to connect. The channel for answers, or `None` to ignore it, which tells
    /// nobody that we are here.
    fn on_connect_request(
        &mut self,
        connection: ConnectionHandle,
        peer: &Identity,
        local_virtual_port: i32,
    ) -> Option<Box<dyn ConnectionSignaling>>;

    /// Sends one signal that refuses.
    fn send_rejection_signal(&mut self, peer: &Identity, signal: &[u8]);
}

/// Largest virtual port of a listen socket by identity (api.md §3.11).
pub const MAX_VIRTUAL_PORT: i32 = 0xffff;

/// Why a connection or listen socket by identity cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum P2pError {
    /// An option is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The peer's identity is invalid.
    #[error("the identity of the peer is invalid")]
    InvalidIdentity,
    /// We do not know who we are.
    #[error("our own identity is not known yet")]
    LocalIdentityUnknown,
    /// A virtual port is out of range.
    #[error("{0} is no virtual port: 0 to {MAX_VIRTUAL_PORT}")]
    InvalidVirtualPort(i32),
    /// Symmetric connections need to know whom they are with.
    #[error("a symmetric connection needs the identity of the peer")]
    SymmetricWithoutIdentity,
    /// This version of the library finds no routes by identity.
    #[error("connections by identity are not available in this version")]
    NotAvailable,
}
