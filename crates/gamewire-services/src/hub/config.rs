//! What a hub is made with.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use gamewire_crypto::VerifyingKey;
use gamewire_wire::messages::CertificateSigned;

use super::{authority::Authority, tickets::TicketVerifier};
use crate::{buckets::Rate, store::StoreConfig};

/// How a [`super::Hub`] is made.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Where HTTP and WebSocket are served; with port 0 on a free port.
    pub listen: SocketAddr,
    /// The host names that clients know this hub by. A client signs the name it dialed; with none
    /// given, the name must only be the one that its HTTP request names, which a hub that lures
    /// clients could forge. Ignored in development.
    pub names: Vec<String>,
    /// Certificate and key for TLS; none: plain `ws://`, for loopback or behind a proxy that ends
    /// TLS.
    pub tls: Option<TlsIdentity>,
    /// Who gets in how.
    pub access: Access,
    /// The applications served; empty: every one.
    pub app_ids: Vec<u32>,
    /// Roots whose certificates let in, beside the hub's own authority.
    pub roots: Vec<VerifyingKey>,
    /// CA certificates between these roots and the certificates of clients.
    pub intermediates: Vec<CertificateSigned>,
    /// Keys that let in nobody any more, nor what they signed.
    pub revoked_keys: Vec<u64>,
    /// What signs certificates; none: the hub issues none (in development: a key of its own).
    pub authority: Option<Authority>,
    /// How long certificates are good for. Default 48 h.
    pub certificate_lifetime: Duration,
    /// Who says what a ticket is worth; none: tickets let in nobody.
    pub tickets: Option<Arc<dyn TicketVerifier>>,
    /// What is kept, and shared with other hubs.
    pub store: StoreConfig,
    /// Where STUN is answered.
    pub stun: Stun,
    /// How much of everything.
    pub limits: Limits,
}

impl HubConfig {
    /// A hub for development on a loopback address: anybody may be anybody, certificates come from
    /// a key that is made on the spot.
    pub fn development(listen: SocketAddr) -> Self {
        Self { access: Access::Development { allow_remote: false }, ..Self::production(listen) }
    }

    /// A hub that believes certificates and tickets alone, with nobody to vouch for them yet.
    pub fn production(listen: SocketAddr) -> Self {
        Self {
            listen,
            names: Vec::new(),
            tls: None,
            access: Access::Authenticated,
            app_ids: Vec::new(),
            roots: Vec::new(),
            intermediates: Vec::new(),
            revoked_keys: Vec::new(),
            authority: None,
            certificate_lifetime: Duration::from_secs(48 * 3600),
            tickets: None,
            store: StoreConfig::Memory,
            stun: Stun::SamePort,
            limits: Limits::default(),
        }
    }

    pub(super) fn is_development(&self) -> bool {
        matches!(self.access, Access::Development { .. })
    }
}

/// Who gets in how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// By certificate or ticket.
    Authenticated,
    /// By mere claim too.
    Development {
        /// Also beyond loopback. Whoever reaches the port may then be anybody.
        allow_remote: bool,
    },
}

/// A server's certificate chain and private key, PEM.
#[derive(Clone)]
pub struct TlsIdentity {
    /// The chain, the server's own certificate first.
    pub certificates_pem: Vec<u8>,
    /// The key: PKCS #8, SEC 1 or PKCS #1.
    pub key_pem: Vec<u8>,
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsIdentity").finish_non_exhaustive()
    }
}

/// Where STUN is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stun {
    /// On the UDP port of the same number, at the same address.
    SamePort,
    /// Elsewhere.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

/// How much of everything a hub takes. Beyond it, requests are dropped and counted.
#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// Connections at a time, in all.
    pub connections: usize,
    /// Connections at a time from one source: an IPv4 address or an IPv6 /64.
    pub connections_per_source: usize,
    /// Connections at a time that have not logged in yet.
    pub pending_logins: usize,
    /// Connections at a time of one identity. One more ends the oldest.
    pub connections_per_identity: usize,
    /// New connections and HTTP requests of one source.
    pub source_rate: Rate,
    /// Signals of one identity, in all its connections.
    pub signals_per_identity: Rate,
    /// Signals of one identity to one other.
    pub signals_per_pair: Rate,
    /// Signals of one source, whatever its identities.
    pub signals_per_source: Rate,
    /// Certificates for one identity.
    pub certificates_per_identity: Rate,
    /// STUN requests of one source.
    pub stun_per_source: Rate,
    /// Keys that each of these rates is kept for; beyond it newcomers share one allowance.
    pub tracked_keys: usize,
    /// Events that wait for a client that does not read; beyond it the oldest are dropped.
    pub outbox_events: usize,
    /// The same in bytes.
    pub outbox_bytes: usize,
    /// From the first byte to the end of TLS and HTTP, and from there to the login.
    pub login_timeout: Duration,
    /// Connections on which nothing came for so long end; pings are sent at a third of it.
    pub idle_timeout: Duration,
    /// How long one write may take before its client counts as gone.
    pub write_timeout: Duration,
    /// Longest time that a login by ticket is believed; a certificate is until it expires.
    pub session_lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 50_000,
            connections_per_source: 256,
            pending_logins: 2_000,
            connections_per_identity: 8,
            source_rate: Rate::new(10.0, 100.0),
            signals_per_identity: Rate::new(50.0, 400.0),
            signals_per_pair: Rate::new(20.0, 150.0),
            signals_per_source: Rate::new(400.0, 3_000.0),
            certificates_per_identity: Rate::new(0.05, 10.0),
            stun_per_source: Rate::new(20.0, 100.0),
            tracked_keys: 100_000,
            outbox_events: 512,
            outbox_bytes: 512 * 1024,
            login_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(10),
            session_lifetime: Duration::from_secs(48 * 3600),
        }
    }
}

/// Why a hub cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The system gives no thread, runtime or socket.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// No thread or runtime.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// Development mode on an address that others reach.
    #[error(
        "in development anybody may be anybody: {0} is not a loopback address; allow it explicitly if that is meant"
    )]
    DevelopmentExposed(SocketAddr),
    /// Neither certificates nor tickets would let anybody in.
    #[error("nobody could log in: configure an authority, roots or a ticket key")]
    NoWayIn,
    /// The TLS certificate or key.
    #[error("TLS: {0}")]
    Tls(String),
    /// A root, CA certificate or revoked key.
    #[error("trust: {0}")]
    Trust(String),
    /// The store.
    #[error("store: {0}")]
    Store(#[from] crate::store::StoreError),
}
