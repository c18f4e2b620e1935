//! What a hub keeps, and shares with other hubs: values by key, leases that expire, and a bus for
//! what has to reach a client of another hub.
//!
//! One trait with three kinds behind it: in memory, in a single file, and in Redis or Valkey. None
//! is ever asked for something that a packet, or a signal between clients of the same hub, waits
//! for.

mod file;
mod memory;
mod redis;

pub use self::{file::FileStore, memory::MemoryStore, redis::RedisStore};

use std::{
    fmt,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// Longest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 1 << 20;
/// Messages from the bus that wait to be delivered; beyond it they are dropped.
pub const MAX_BUS_BACKLOG: usize = 8_192;

/// Why a store does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened.
    #[error("cannot open {what}: {error}")]
    Open {
        /// The file, or the server without its password.
        what: String,
        /// Why.
        error: String,
    },
    /// Not reachable now.
    #[error("the store is not reachable: {0}")]
    NotReachable(String),
    /// It failed.
    #[error("the store failed: {0}")]
    Failed(String),
    /// Key or value too long.
    #[error("key or value is too long")]
    TooLong,
}

/// What an operation comes to.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Values by key. A lease is a value with a lifetime that whoever holds it renews.
pub trait Store: Send + Sync + fmt::Debug {
    /// The value of `key`, if there is one.
    fn read<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Bytes>>;

    /// Sets a value, for ever or for `lifetime`.
    fn write<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> StoreFuture<'a, ()>;

    /// Sets a value if there is none; false: there is one.
    fn claim<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> StoreFuture<'a, bool>;

    /// Gives a lease another `lifetime`, if it still has this `value`; false: it has not.
    fn renew<'a>(&'a self, key: &'a str, value: Bytes, lifetime: Duration)
    -> StoreFuture<'a, bool>;

    /// Removes a value if it is still this one; false: it is not.
    fn release<'a>(&'a self, key: &'a str, value: Bytes) -> StoreFuture<'a, bool>;

    /// Up to `limit` keys that begin with `prefix`, with their values, in no particular order.
    fn list<'a>(&'a self, prefix: &'a str, limit: usize) -> StoreFuture<'a, Vec<(String, Bytes)>>;

    /// The way to other hubs; none where there are no others.
    fn bus(&self) -> Option<&dyn Bus> {
        None
    }

    /// Whether the store can be used now.
    fn health(&self) -> StoreHealth {
        StoreHealth::Good
    }
}

/// Messages between hubs, best effort. Nothing here waits.
pub trait Bus {
    /// Sends to every hub that subscribed to `topic`, this one excepted. False: dropped.
    fn publish(&self, topic: &str, payload: Bytes) -> bool;

    /// From now on messages of `topic` come in, as soon as the store is reachable.
    fn subscribe(&self, topic: &str);

    /// No more of `topic`.
    fn unsubscribe(&self, topic: &str);
}

/// A message from another hub.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusMessage {
    /// What it was sent to.
    pub topic: String,
    /// What was sent.
    pub payload: Bytes,
}

/// Whether a store can be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreHealth {
    /// It can.
    Good,
    /// It cannot, and is tried again.
    Lost {
        /// Why.
        reason: String,
    },
}

/// Which store.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// Gone with the process.
    Memory,
    /// A single file, made if there is none.
    File(PathBuf),
    /// A Redis or Valkey server, as a `redis://` or `redis+unix://` URL.
    Redis(String),
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("Memory"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            // The URL may hold a password.
            Self::Redis(_) => f.debug_tuple("Redis").finish_non_exhaustive(),
        }
    }
}

impl StoreConfig {
    /// Opens the store; what comes over its bus goes to `messages`.
    pub(crate) async fn open(
        &self,
        messages: mpsc::Sender<BusMessage>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Memory => Ok(Arc::new(MemoryStore::default())),
            Self::File(path) => Ok(Arc::new(FileStore::open(path)?)),
            Self::Redis(url) => Ok(Arc::new(RedisStore::open(url, messages).await?)),
        }
    }
}

/// Milliseconds since 1970, which is what expiry is counted in.
fn unix_millis() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// When something that is kept for `lifetime` from `now` on ends; 0: never.
fn expiry(now: u64, lifetime: Option<Duration>) -> u64 {
    lifetime.map_or(0, |lifetime| {
        now.saturating_add(u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX)).max(1)
    })
}

fn is_over(expiry: u64, now: u64) -> bool {
    expiry != 0 && expiry <= now
}

fn check_len(key: &str, value: &[u8]) -> Result<(), StoreError> {
    let fits = key.len() <= MAX_KEY_BYTES && value.len() <= MAX_VALUE_BYTES;
    fits.then_some(()).ok_or(StoreError::TooLong)
}

#[cfg(test)]
mod tests;
