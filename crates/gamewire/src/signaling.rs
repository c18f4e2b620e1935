//! The application's own channel for finding peers by identity (api.md §2.4), and why such a
//! connection cannot be had.

use std::{fmt, sync::Arc};

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

    /// Whether requests count only if somebody listens on the virtual port that they ask for.
    fn needs_listener(&self) -> bool {
        false
    }
}

/// Makes channels for connections for which the application gives none
/// (`Callback_CreateConnectionSignaling`): called with the peer, our virtual port and its; −1 stands
/// for none.
#[derive(Clone)]
#[doc(alias = "FnSteamNetworkingSocketsCreateConnectionSignaling")]
pub struct SignalingMaker(Arc<MakeSignaling>);

type MakeSignaling =
    dyn Fn(&Identity, i32, i32) -> Option<Box<dyn ConnectionSignaling>> + Send + Sync;

impl SignalingMaker {
    /// Wraps a function.
    pub fn new(
        make: impl Fn(&Identity, i32, i32) -> Option<Box<dyn ConnectionSignaling>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(make))
    }

    pub(crate) fn call(
        &self,
        peer: &Identity,
        local_virtual_port: i32,
        remote_virtual_port: i32,
    ) -> Option<Box<dyn ConnectionSignaling>> {
        (self.0)(peer, local_virtual_port, remote_virtual_port)
    }
}

impl fmt::Debug for SignalingMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalingMaker").finish_non_exhaustive()
    }
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
    /// Somebody listens on the virtual port already.
    #[error("virtual port {0} is in use")]
    VirtualPortInUse(i32),
    /// There is no way to signal: neither a hub nor a channel of the application's.
    #[error("neither a hub nor signaling of the application's is configured")]
    NoSignaling,
    /// `P2P_Transport_ICE_Enable` leaves no way for packets.
    #[error("every kind of route is switched off")]
    NoRoute,
    /// Such a connection to the peer exists already.
    #[error("a symmetric connection to the peer exists already")]
    AlreadyConnected,
    /// Peers must be certified, and we have no certificate.
    #[error("a certificate is needed and there is none")]
    NoCertificate,
    /// There are as many connections or listen sockets as there can be.
    #[error("too many connections by identity")]
    TooMany,
}
