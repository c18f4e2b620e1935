//! The hub: the default rendezvous service behind connections by identity.
//!
//! Clients log in over a WebSocket with a certificate, or a ticket of the game's own backend; the
//! hub carries signals between them by identity, best effort, and issues certificates. It stores no
//! signal, never tells who is online, and nothing that is connected depends on it any more: a hub
//! that goes away costs new connections, not old ones. The protocol: `docs/wire/hub.md`.

mod authority;
mod config;
mod login;
mod metrics;
mod registry;
mod routes;
mod server;
mod session;
mod shared;
mod sources;
mod stun;
mod tickets;

pub use self::{
    authority::{Authority, AuthorityError, IssueError},
    config::{Access, HubConfig, HubError, Limits, Stun, TlsIdentity},
    tickets::{SignedTickets, TicketError, TicketFuture, TicketVerifier},
};
pub use crate::buckets::Rate;

use std::{net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};

use bytes::Bytes;
use gamewire_crypto::{SigningKey, SystemEntropy, VerifyingKey};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use self::shared::{Phase, Shared};
use crate::store::{BusMessage, MAX_BUS_BACKLOG, Store};

/// Where a hub keeps the key that it made for itself in development.
const DEVELOPMENT_KEY: &str = "development/ca-key";

/// Ports that are tried where any will do.
const MAX_PORTS_TRIED: u32 = 32;

/// How long what holds up the end of a hub is waited for.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// Starts hubs; see the module's documentation.
#[derive(Debug)]
pub struct Hub;

/// Where a hub listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// HTTP and WebSocket.
    pub http: SocketAddr,
    /// Whether it is behind TLS.
    pub tls: bool,
    /// STUN over UDP, if it is answered.
    pub stun: Option<SocketAddr>,
}

impl Addresses {
    /// What clients are given as their hub, if they reach this address.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "wss" } else { "ws" }, self.http)
    }
}

/// A running hub. Dropped, it stops at once; [`HubHandle::shutdown`] takes leave first.
#[derive(Debug)]
pub struct HubHandle {
    addresses: Addresses,
    authority: Option<VerifyingKey>,
    /// How long to drain.
    stop: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
}

/// What a thread tells once its hub serves.
type Started = Result<(Addresses, Option<VerifyingKey>), HubError>;

impl Hub {
    /// Starts a hub with threads and a runtime of its own, and waits until it serves.
    ///
    /// # Errors
    /// See [`HubError`].
    pub fn start(config: HubConfig) -> Result<HubHandle, HubError> {
        let (stop, stopped) = oneshot::channel();
        let (started, starting) = std::sync::mpsc::sync_channel::<Started>(1);
        let run = move || match runtime() {
            Ok(runtime) => {
                runtime.block_on(run(config, stopped, &started));
                // Ends what is left, so that the store is closed when the thread ends.
                runtime.shutdown_timeout(LAST_MOMENT);
            }
            Err(error) => drop(started.send(Err(HubError::Thread(error)))),
        };
        let thread = std::thread::Builder::new()
            .name("gamewire-hub".to_owned())
            .spawn(run)
            .map_err(HubError::Thread)?;
        let gone = || HubError::Thread(std::io::Error::other("the hub's thread ended"));
        let (addresses, authority) = starting.recv().map_err(|_| gone())??;
        Ok(HubHandle { addresses, authority, stop: Some(stop), thread: Some(thread) })
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().thread_name("gamewire-hub").enable_all().build()
}

impl HubHandle {
    /// Where it listens.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The key that it signs certificates with, if it does.
    pub const fn authority(&self) -> Option<VerifyingKey> {
        self.authority
    }

    /// Takes no new clients, asks those that are there to go elsewhere, and ends when the last has
    /// gone or after `deadline`.
    pub fn shutdown(mut self, deadline: Duration) {
        self.stop(deadline);
    }

    fn stop(&mut self, deadline: Duration) {
        if let Some(stop) = self.stop.take() {
            // If nobody listens, it has stopped.
            let _ = stop.send(deadline);
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the hub's thread panicked");
        }
    }
}

/// Waits until the process is told to end, by SIGTERM or from the keyboard.
///
/// # Errors
/// The system's.
pub fn wait_for_termination() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminated = signal(SignalKind::terminate())?;
            tokio::select! {
                result = tokio::signal::ctrl_c() => result,
                _ = terminated.recv() => Ok(()),
            }
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await
    })
}

impl Drop for HubHandle {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

async fn run(
    config: HubConfig,
    stop: oneshot::Receiver<Duration>,
    started: &std::sync::mpsc::SyncSender<Started>,
) {
    match prepare(config).await {
        Ok(mut hub) => {
            let authority = hub.shared.config.authority.as_ref().map(Authority::public_key);
            let _ = started.send(Ok((hub.addresses.clone(), authority)));
            // An error: the handle was dropped without a word.
            let deadline = stop.await.unwrap_or(Duration::ZERO);
            hub.drain(deadline).await;
        }
        Err(error) => drop(started.send(Err(error))),
    }
}

/// A hub with everything bound, and its tasks.
struct Running {
    shared: Arc<Shared>,
    addresses: Addresses,
    tasks: JoinSet<()>,
}

async fn prepare(mut config: HubConfig) -> Result<Running, HubError> {
    check_exposure(&config)?;
    let tls = config.tls.as_ref().map(server::tls_acceptor).transpose()?;
    let (bus, messages) = mpsc::channel(MAX_BUS_BACKLOG);
    let store = config.store.open(bus).await?;
    if config.is_development() && config.authority.is_none() {
        config.authority = Some(Authority::root(development_key(&*store).await?));
    }
    let trust = login::trust_store(&config)?;
    if !config.is_development() && !trust.has_roots() && config.tickets.is_none() {
        return Err(HubError::NoWayIn);
    }
    let (listener, stun) = bind(&config).await?;
    let addresses = Addresses {
        http: local_address(config.listen, listener.local_addr())?,
        tls: tls.is_some(),
        stun: stun.as_ref().and_then(|socket| socket.local_addr().ok()),
    };
    let shared = Arc::new(Shared::new(config, trust, store));
    let mut tasks = JoinSet::new();
    let router = routes::router(shared.clone());
    tasks.spawn(server::accept(shared.clone(), listener, tls, router));
    tasks.spawn(take_bus(shared.clone(), messages));
    if let Some(socket) = stun {
        tasks.spawn(stun::respond(shared.clone(), socket));
    }
    Ok(Running { shared, addresses, tasks })
}

/// In development anybody may be anybody, so only this machine may come in.
fn check_exposure(config: &HubConfig) -> Result<(), HubError> {
    let exposed = !config.listen.ip().to_canonical().is_loopback();
    match config.access {
        Access::Development { allow_remote: false } if exposed => {
            Err(HubError::DevelopmentExposed(config.listen))
        }
        Access::Development { .. } | Access::Authenticated => Ok(()),
    }
}

/// Both sockets. Where any port will do, one is looked for that is free for both.
async fn bind(config: &HubConfig) -> Result<(TcpListener, Option<UdpSocket>), HubError> {
    let mut attempts = if config.listen.port() == 0 { MAX_PORTS_TRIED } else { 1 };
    loop {
        attempts -= 1;
        let bound = bind_once(config).await;
        if bound.is_ok() || attempts == 0 {
            return bound;
        }
    }
}

async fn bind_once(config: &HubConfig) -> Result<(TcpListener, Option<UdpSocket>), HubError> {
    let fail = |address| move |error| HubError::Bind { address, error };
    let listener = TcpListener::bind(config.listen).await.map_err(fail(config.listen))?;
    let http = local_address(config.listen, listener.local_addr())?;
    let stun = match config.stun {
        Stun::SamePort => Some(http),
        Stun::At(address) => Some(address),
        Stun::Off => None,
    };
    let stun = match stun {
        Some(address) => Some(UdpSocket::bind(address).await.map_err(fail(address))?),
        None => None,
    };
    Ok((listener, stun))
}

fn local_address(
    wanted: SocketAddr,
    bound: std::io::Result<SocketAddr>,
) -> Result<SocketAddr, HubError> {
    bound.map_err(|error| HubError::Bind { address: wanted, error })
}

/// The key that hubs in development share through their store; made if there is none.
async fn development_key(store: &dyn Store) -> Result<SigningKey, HubError> {
    let fresh = SigningKey::generate(&mut SystemEntropy);
    let seed = Bytes::copy_from_slice(fresh.seed());
    if store.claim(DEVELOPMENT_KEY, seed, None).await? {
        return Ok(fresh);
    }
    let kept = store.read(DEVELOPMENT_KEY).await?.unwrap_or_default();
    let seed: [u8; 32] = kept
        .as_ref()
        .try_into()
        .map_err(|_| HubError::Trust("the store's development key is damaged".to_owned()))?;
    Ok(SigningKey::from_seed(seed))
}

async fn take_bus(shared: Arc<Shared>, mut messages: mpsc::Receiver<BusMessage>) {
    while let Some(message) = messages.recv().await {
        shared.on_bus(&message);
    }
}

impl Running {
    /// Sends everybody away, waits for them, and ends.
    async fn drain(&mut self, deadline: Duration) {
        if !deadline.is_zero() {
            // Spread over half of the time, so that those who take over are not run down.
            let within_ms = u32::try_from(deadline.as_millis() / 2).unwrap_or(u32::MAX);
            self.shared.phase.send_replace(Phase::Draining { within_ms });
            let _ = tokio::time::timeout(deadline, self.everybody_gone()).await;
        }
        self.shared.phase.send_replace(Phase::Stopping);
        let farewells = Duration::from_millis(500);
        let _ = tokio::time::timeout(farewells, self.everybody_gone()).await;
        self.tasks.abort_all();
    }

    async fn everybody_gone(&self) {
        while self.shared.metrics.sessions.get() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
