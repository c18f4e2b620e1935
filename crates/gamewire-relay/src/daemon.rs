//! The threads of a relay, and what the operator tells them.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use gamewire_crypto::{TrustStore, VerifyingKey};
use gamewire_sdr::{
    config::{MAX_CONFIG_BYTES, NetworkConfig, verify},
    hosted::RelayKeys,
    relay::{RelayDrop, RelayOptions, limits::DEFAULT_MAX_SESSIONS},
};

use crate::{
    file::{FileError, RelayFile, read_key},
    io::Socket,
    shard::{Published, Shard},
};

/// Most threads.
const MAX_THREADS: usize = 64;

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file is of no use.
    #[error(transparent)]
    File(#[from] FileError),
    /// A socket cannot be bound.
    #[error("cannot bind {address}: {error}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The network config is not believed, or cannot be read.
    #[error("network config: {0}")]
    Network(String),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// What threads are told of the network.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) config: Arc<NetworkConfig>,
    pub(crate) store: Arc<TrustStore>,
    pub(crate) keys: Arc<RelayKeys>,
}

/// What the operator wants; threads look at it ten times a second.
pub(crate) struct Control {
    stop: AtomicBool,
    /// Seconds plus one; 0 for no drain.
    drain: AtomicU64,
    generation: AtomicU64,
    network: Mutex<Network>,
}

impl Control {
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn drain_length(&self) -> Option<Duration> {
        let seconds = self.drain.load(Ordering::Relaxed);
        seconds.checked_sub(1).map(Duration::from_secs)
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The network, if it is newer than what was seen.
    pub(crate) fn newer_network(&self, seen: &mut u64) -> Option<Network> {
        let generation = self.generation.load(Ordering::Acquire);
        if *seen == generation {
            return None;
        }
        *seen = generation;
        Some(self.network().clone())
    }
}

/// Numbers of all threads of a relay together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Sessions.
    pub sessions: u64,
    /// Datagrams that came in.
    pub received: u64,
    /// Data packets passed on.
    pub forwarded: u64,
    /// Bytes of payload passed on.
    pub payload_bytes: u64,
    /// Datagrams that the system did not take.
    pub unsent: u64,
    /// Why datagrams were dropped, without those reasons that never came up.
    pub drops: Vec<(&'static str, u64)>,
}

/// A running relay. Dropping it stops the threads at once; see [`drain`](Self::drain) for the polite
/// way.
pub struct Daemon {
    file: RelayFile,
    roots: Vec<VerifyingKey>,
    control: Arc<Control>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    published: Vec<Arc<Published>>,
    front: SocketAddr,
    config_changed: Option<SystemTime>,
    drain_until: Option<Instant>,
}

impl Daemon {
    /// Binds the sockets and starts the threads.
    ///
    /// # Errors
    /// [`StartError`]
    pub fn start(file: RelayFile) -> Result<Self, StartError> {
        let roots = file.root_keys()?;
        let network = read_network(&file, &roots)?;
        let key = Arc::new(read_key(&file.key)?);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let count = match usize::from(file.threads) {
            0 => cores,
            count => count,
        }
        .min(MAX_THREADS);
        let mut daemon = Self {
            roots,
            control: Arc::new(Control {
                stop: AtomicBool::new(false),
                drain: AtomicU64::new(0),
                generation: AtomicU64::new(1),
                network: Mutex::new(network.clone()),
            }),
            threads: Vec::new(),
            published: Vec::new(),
            front: file.front,
            config_changed: modified(&file.network_config),
            drain_until: None,
            file,
        };
        let start = Instant::now();
        for shard in 0..count {
            let options = RelayOptions {
                pop: daemon.file.pop_id(Path::new("pop"))?,
                shard: u8::try_from(shard).expect("at most 64 threads"),
                key: key.clone(),
                relay_keys: network.keys.clone(),
                max_sessions: match daemon.file.max_sessions {
                    0 => DEFAULT_MAX_SESSIONS,
                    max => max,
                },
                allow_private_servers: daemon.file.allow_private_servers,
                penalty: daemon.file.penalty,
            };
            daemon.start_thread(options, start)?;
        }
        Ok(daemon)
    }

    fn start_thread(&mut self, options: RelayOptions, start: Instant) -> Result<(), StartError> {
        let bind = |address: SocketAddr, shared| {
            Socket::bind(address, shared).map_err(|error| StartError::Bind { address, error })
        };
        let front = bind(self.front, true)?;
        // With port 0 the first thread finds a free one for all.
        if let Ok(bound) = front.local_address() {
            self.front = bound.to_socket_addr();
        }
        let mut interior = self.file.interior;
        if interior.port() != 0 {
            interior.set_port(interior.port().saturating_add(options.shard.into()));
        }
        let interior = bind(interior, false)?;
        let published = Arc::new(Published::default());
        let name = format!("relay-{}", options.shard);
        let shard = Shard {
            front,
            interior,
            options,
            control: self.control.clone(),
            published: published.clone(),
            start,
        };
        let thread = thread::Builder::new().name(name).spawn(move || shard.run());
        self.threads.push(thread.map_err(StartError::Thread)?);
        self.published.push(published);
        Ok(())
    }

    /// Where clients knock.
    pub const fn front(&self) -> SocketAddr {
        self.front
    }

    /// Reads network config and keys again if the config's file has changed. What is damaged or not
    /// signed is left alone: the relay goes on with what it has. True if something new is in use.
    ///
    /// # Errors
    /// [`StartError`]: why the new file is not used.
    pub fn reload(&mut self) -> Result<bool, StartError> {
        let changed = modified(&self.file.network_config);
        if changed == self.config_changed {
            return Ok(false);
        }
        self.config_changed = changed;
        let network = read_network(&self.file, &self.roots)?;
        let mut current = self.control.network();
        if network.config.revision < current.config.revision {
            return Err(StartError::Network("it is older than the one in use".to_owned()));
        }
        *current = network;
        drop(current);
        self.control.generation.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// Tells clients to be gone within the time that the description says, and takes no new ones.
    pub fn drain(&mut self) {
        if self.drain_until.is_none() {
            let seconds = self.file.drain_seconds;
            self.control.drain.store(seconds + 1, Ordering::Relaxed);
            self.drain_until = Some(Instant::now() + Duration::from_secs(seconds));
        }
    }

    /// Whether it was drained and nothing is left, or the time is over.
    pub fn is_drained(&self) -> bool {
        let is_empty = self.snapshot().sessions == 0;
        // Threads hear of it within a tenth of a second; a moment more, so that they have.
        self.drain_until.is_some_and(|until| {
            let begun = until - Duration::from_secs(self.file.drain_seconds);
            Instant::now() >= until || (is_empty && begun.elapsed() > Duration::from_millis(500))
        })
    }

    /// Whether a thread has ended that should not have.
    pub fn has_failed(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// What all threads have done so far, a tenth of a second ago at most.
    pub fn snapshot(&self) -> Snapshot {
        let sum = |number: fn(&Published) -> &AtomicU64| {
            self.published.iter().map(|one| number(one).load(Ordering::Relaxed)).sum()
        };
        let drops = RelayDrop::ALL.iter().enumerate().map(|(index, reason)| {
            let counts = self.published.iter().map(|one| one.drops[index].load(Ordering::Relaxed));
            (reason.name(), counts.sum())
        });
        Snapshot {
            sessions: sum(|one| &one.sessions),
            received: sum(|one| &one.received),
            forwarded: sum(|one| &one.forwarded),
            payload_bytes: sum(|one| &one.payload_bytes),
            unsent: sum(|one| &one.unsent),
            drops: drops.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.control.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("a thread failed: {error}"),
                Err(_) => tracing::error!("a thread panicked"),
            }
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn read_network(file: &RelayFile, roots: &[VerifyingKey]) -> Result<Network, StartError> {
    let path = &file.network_config;
    let io = |error| FileError::Io { path: path.clone(), error };
    if fs::metadata(path).map_err(io)?.len() > MAX_CONFIG_BYTES as u64 {
        return Err(StartError::Network("it is too long".to_owned()));
    }
    let json = fs::read(path).map_err(io)?;
    if let Some(path) = &file.network_config_signature {
        let io = |error| FileError::Io { path: path.clone(), error };
        let signature = fs::read_to_string(path).map_err(io)?;
        verify(&json, &signature, roots).map_err(|error| StartError::Network(error.to_string()))?;
    }
    let network = |error: &dyn std::fmt::Display| StartError::Network(error.to_string());
    let (config, warnings) = NetworkConfig::parse(&json).map_err(|error| network(&error))?;
    for warning in warnings {
        tracing::warn!("network config: {warning}");
    }
    let store = config.trust_store(roots).map_err(|error| network(&error))?;
    let keys = file.relay_keys()?;
    Ok(Network { config: Arc::new(config), store: Arc::new(store), keys: Arc::new(keys) })
}
