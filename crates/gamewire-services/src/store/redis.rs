//! The store that several hubs share: Redis or Valkey. Leases are keys with an expiry, and what has
//! to reach another hub goes by publish and subscribe.
//!
//! The server is never waited for by a client's signal: what is published goes into a bounded queue.
//! While it is away, that queue is closed and everything else fails at once; it is tried again until
//! it is back, and then every subscription is made anew.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use gamewire_crypto::{Entropy as _, SystemEntropy};
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError,
    aio::{MultiplexedConnection, PubSubSink, PubSubStream},
    cmd,
};
use tokio::{
    sync::{Notify, mpsc},
    time::{interval, sleep, timeout},
};

use super::{
    Bus, BusMessage, MAX_BUS_BACKLOG, Store, StoreError, StoreFuture, StoreHealth, check_len,
};

/// Before every key and channel, so that the server can hold other things too.
const PREFIX: &str = "gamewire:";
/// How long the server may take for anything.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// A server that says nothing for so long is asked whether it is alive.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// The first pause before trying again; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// Most messages that go to the server in one round trip.
const MAX_PIPELINE: usize = 256;
/// Most subscriptions that are made in one command.
const MAX_SUBSCRIBE_AT_ONCE: usize = 1_000;
/// Length of the number that tells hubs apart.
const INSTANCE_BYTES: usize = 16;
/// Most keys that are looked at for one listing.
const MAX_SCANNED_KEYS: usize = 100_000;

/// Renews or removes a key if it still has a value. Both in one step at the server.
const RENEW: &str = "if redis.call('GET',KEYS[1])==ARGV[1] then return \
                     redis.call('PEXPIRE',KEYS[1],ARGV[2]) else return 0 end";
const RELEASE: &str = "if redis.call('GET',KEYS[1])==ARGV[1] then return \
                       redis.call('DEL',KEYS[1]) else return 0 end";

/// See the module's documentation.
pub struct RedisStore {
    link: Arc<Link>,
    publications: mpsc::Sender<Publication>,
    task: tokio::task::JoinHandle<()>,
}

struct Publication {
    topic: String,
    payload: Bytes,
}

/// What the store and its task share.
struct Link {
    client: Client,
    instance: [u8; INSTANCE_BYTES],
    /// There while the server is.
    connection: Mutex<Option<MultiplexedConnection>>,
    lost: Mutex<Option<String>>,
    is_up: AtomicBool,
    topics: Mutex<HashSet<String>>,
    topics_changed: Notify,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("health", &self.health()).finish_non_exhaustive()
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key_of(key: &str) -> String {
    format!("{PREFIX}{key}")
}

fn millis(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64)
}

impl RedisStore {
    /// Connects to a server; if it is not there, goes on without until it is.
    ///
    /// # Errors
    /// The URL makes no sense.
    pub(crate) async fn open(
        url: &str,
        messages: mpsc::Sender<BusMessage>,
    ) -> Result<Self, StoreError> {
        let client = Client::open(url).map_err(|error| StoreError::Open {
            what: "the Redis URL".to_owned(),
            error: error.to_string(),
        })?;
        let mut instance = [0; INSTANCE_BYTES];
        SystemEntropy.fill(&mut instance);
        let link = Arc::new(Link {
            client,
            instance,
            connection: Mutex::default(),
            lost: Mutex::new(Some("not connected yet".to_owned())),
            is_up: AtomicBool::new(false),
            topics: Mutex::default(),
            topics_changed: Notify::new(),
        });
        let (publications, queue) = mpsc::channel(MAX_BUS_BACKLOG);
        let first = link.connect().await;
        if let Ok(connected) = &first {
            link.up(&connected.commands);
        }
        let task = tokio::spawn(run(link.clone(), first, queue, messages));
        Ok(Self { link, publications, task })
    }

    /// Asks the server something.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let connection = guard(&self.link.connection).clone();
        let Some(mut connection) = connection else {
            let why = guard(&self.link.lost).clone().unwrap_or_default();
            return Err(StoreError::NotReachable(why));
        };
        command.query_async(&mut connection).await.map_err(|error| failed(&error))
    }

    async fn set(
        &self,
        key: &str,
        value: &[u8],
        lifetime: Option<Duration>,
        only_if_absent: bool,
    ) -> Result<bool, StoreError> {
        check_len(key, value)?;
        let mut command = cmd("SET");
        command.arg(key_of(key)).arg(value);
        if only_if_absent {
            command.arg("NX");
        }
        if let Some(lifetime) = lifetime {
            command.arg("PX").arg(millis(lifetime));
        }
        // OK, or nil where NX found a value.
        self.ask::<Option<String>>(&command).await.map(|answer| answer.is_some())
    }

    async fn scan(&self, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let pattern = format!("{}*", escaped(&key_of(prefix)));
        // The server may name a key more than once.
        let mut found = BTreeSet::new();
        let (mut cursor, mut scanned) = (0_u64, 0);
        loop {
            let mut command = cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1_000);
            let (next, keys): (u64, Vec<String>) = self.ask(&command).await?;
            scanned += 1_000;
            found.extend(keys);
            if next == 0 || found.len() >= limit || scanned >= MAX_SCANNED_KEYS {
                return Ok(found.into_iter().take(limit).collect());
            }
            cursor = next;
        }
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn failed(error: &RedisError) -> StoreError {
    if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
        StoreError::NotReachable(error.to_string())
    } else {
        StoreError::Failed(error.to_string())
    }
}

/// A key in which no character is a pattern.
fn escaped(key: &str) -> String {
    let mut pattern = String::with_capacity(key.len());
    for character in key.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

impl Store for RedisStore {
    fn read<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Bytes>> {
        Box::pin(async move {
            let mut command = cmd("GET");
            command.arg(key_of(key));
            Ok(self.ask::<Option<Vec<u8>>>(&command).await?.map(Bytes::from))
        })
    }

    fn write<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move { self.set(key, &value, lifetime, false).await.map(|_| ()) })
    }

    fn claim<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move { self.set(key, &value, lifetime, true).await })
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Duration,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut command = cmd("EVAL");
            command.arg(RENEW).arg(1).arg(key_of(key)).arg(value.as_ref()).arg(millis(lifetime));
            self.ask::<i64>(&command).await.map(|done| done == 1)
        })
    }

    fn release<'a>(&'a self, key: &'a str, value: Bytes) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut command = cmd("EVAL");
            command.arg(RELEASE).arg(1).arg(key_of(key)).arg(value.as_ref());
            self.ask::<i64>(&command).await.map(|done| done == 1)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, limit: usize) -> StoreFuture<'a, Vec<(String, Bytes)>> {
        Box::pin(async move {
            let keys = self.scan(prefix, limit).await?;
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let mut command = cmd("MGET");
            command.arg(&keys);
            let values: Vec<Option<Vec<u8>>> = self.ask(&command).await?;
            let named = keys.into_iter().zip(values);
            let listed = named.filter_map(|(key, value)| {
                // A value may have expired since its key was seen.
                Some((key.strip_prefix(PREFIX)?.to_owned(), Bytes::from(value?)))
            });
            Ok(listed.collect())
        })
    }

    fn bus(&self) -> Option<&dyn Bus> {
        Some(self)
    }

    fn health(&self) -> StoreHealth {
        match guard(&self.link.lost).clone() {
            None => StoreHealth::Good,
            Some(reason) => StoreHealth::Lost { reason },
        }
    }
}

impl Bus for RedisStore {
    fn publish(&self, topic: &str, payload: Bytes) -> bool {
        // What cannot go now is of no use later.
        self.link.is_up.load(Ordering::Acquire)
            && self.publications.try_send(Publication { topic: topic.to_owned(), payload }).is_ok()
    }

    fn subscribe(&self, topic: &str) {
        guard(&self.link.topics).insert(topic.to_owned());
        self.link.topics_changed.notify_one();
    }

    fn unsubscribe(&self, topic: &str) {
        guard(&self.link.topics).remove(topic);
        self.link.topics_changed.notify_one();
    }
}

// ---- the task ----------------------------------------------------------------------------------

/// Both connections to a server: one to ask and publish, one for what comes.
struct Connected {
    commands: MultiplexedConnection,
    sink: PubSubSink,
    stream: PubSubStream,
}

impl Link {
    async fn connect(&self) -> Result<Connected, String> {
        let connect = async {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(RESPONSE_TIMEOUT))
                .set_response_timeout(Some(RESPONSE_TIMEOUT));
            let client = &self.client;
            let commands = client.get_multiplexed_async_connection_with_config(&config).await?;
            let (sink, stream) = client.get_async_pubsub().await?.split();
            Ok::<_, RedisError>(Connected { commands, sink, stream })
        };
        match timeout(RESPONSE_TIMEOUT, connect).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    }

    fn up(&self, connection: &MultiplexedConnection) {
        *guard(&self.connection) = Some(connection.clone());
        *guard(&self.lost) = None;
        self.is_up.store(true, Ordering::Release);
    }

    fn down(&self, reason: &str) {
        self.is_up.store(false, Ordering::Release);
        *guard(&self.connection) = None;
        *guard(&self.lost) = Some(reason.to_owned());
    }
}

/// Keeps the connections, until the store is dropped.
async fn run(
    link: Arc<Link>,
    mut attempt: Result<Connected, String>,
    mut publications: mpsc::Receiver<Publication>,
    messages: mpsc::Sender<BusMessage>,
) {
    let mut failures = 0;
    loop {
        let reason = match attempt {
            Ok(Connected { commands, mut sink, mut stream }) => {
                link.up(&commands);
                failures = 0;
                tracing::info!("connected to Redis");
                let reason = tokio::select! {
                    reason = subscribe(&link, &mut sink) => reason,
                    () = receive(&link, &mut stream, &messages) => "it hung up".to_owned(),
                    reason = publish(&link, commands.clone(), &mut publications) => reason,
                    reason = watch(commands) => reason,
                };
                tracing::warn!(%reason, "lost Redis; what is connected here is served on");
                reason
            }
            Err(reason) => reason,
        };
        link.down(&reason);
        // What waited goes nowhere any more.
        while publications.try_recv().is_ok() {}
        sleep(pause(failures)).await;
        failures += 1;
        attempt = link.connect().await;
    }
}

/// Between half and all of a pause that doubles: hubs must not all come back at once.
fn pause(failures: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(MAX_PAUSE);
    let share = f64::from(SystemEntropy.next_u32()) / f64::from(u32::MAX);
    longest.mul_f64(0.5 + share / 2.0)
}

/// Keeps the subscriptions as they are wanted; ends with the reason why that is over.
async fn subscribe(link: &Link, sink: &mut PubSubSink) -> String {
    let mut subscribed: HashSet<String> = HashSet::new();
    loop {
        let (new, old) = {
            let topics = guard(&link.topics);
            let new: Vec<String> = topics.difference(&subscribed).cloned().collect();
            let old: Vec<String> = subscribed.difference(&topics).cloned().collect();
            (new, old)
        };
        for some in new.chunks(MAX_SUBSCRIBE_AT_ONCE) {
            let channels: Vec<String> = some.iter().map(|topic| key_of(topic)).collect();
            if let Some(reason) = failure(sink.subscribe(channels)).await {
                return reason;
            }
        }
        for some in old.chunks(MAX_SUBSCRIBE_AT_ONCE) {
            let channels: Vec<String> = some.iter().map(|topic| key_of(topic)).collect();
            if let Some(reason) = failure(sink.unsubscribe(channels)).await {
                return reason;
            }
        }
        subscribed.retain(|topic| !old.contains(topic));
        subscribed.extend(new);
        let quiet = timeout(PING_INTERVAL, link.topics_changed.notified()).await.is_err();
        if quiet && let Some(reason) = failure(sink.ping::<redis::Value>()).await {
            return reason;
        }
    }
}

/// Why something that the server is asked did not work.
async fn failure<T>(question: impl Future<Output = Result<T, RedisError>>) -> Option<String> {
    match timeout(RESPONSE_TIMEOUT, question).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer".to_owned()),
    }
}

async fn receive(link: &Link, stream: &mut PubSubStream, messages: &mpsc::Sender<BusMessage>) {
    while let Some(message) = stream.next().await {
        let payload = Bytes::copy_from_slice(message.get_payload_bytes());
        let Some((origin, payload)) = split_origin(&payload) else { continue };
        let topic = message.get_channel_name().strip_prefix(PREFIX).map(ToOwned::to_owned);
        if let Some(topic) = topic
            && origin != link.instance
            // Full: they come faster than they can be delivered.
            && messages.try_send(BusMessage { topic, payload }).is_err()
        {
            tracing::debug!("a message of another hub was dropped");
        }
    }
}

fn split_origin(payload: &Bytes) -> Option<([u8; INSTANCE_BYTES], Bytes)> {
    let origin = payload.first_chunk::<INSTANCE_BYTES>()?;
    Some((*origin, payload.slice(INSTANCE_BYTES..)))
}

async fn publish(
    link: &Link,
    mut connection: MultiplexedConnection,
    queue: &mut mpsc::Receiver<Publication>,
) -> String {
    let mut batch = Vec::with_capacity(MAX_PIPELINE);
    loop {
        if queue.recv_many(&mut batch, MAX_PIPELINE).await == 0 {
            // The store is gone; so is whoever would read a reason.
            return "closed".to_owned();
        }
        let mut pipeline = redis::pipe();
        for Publication { topic, payload } in batch.drain(..) {
            let mut framed = BytesMut::with_capacity(INSTANCE_BYTES + payload.len());
            framed.put_slice(&link.instance);
            framed.put_slice(&payload);
            pipeline.cmd("PUBLISH").arg(key_of(&topic)).arg(framed.as_ref()).ignore();
        }
        if let Some(reason) = failure(pipeline.exec_async(&mut connection)).await {
            return reason;
        }
    }
}

/// Asks now and then whether the server is alive; ends when it is not.
async fn watch(mut connection: MultiplexedConnection) -> String {
    let mut ticks = interval(PING_INTERVAL);
    loop {
        ticks.tick().await;
        let ping = cmd("PING");
        if let Some(reason) = failure(ping.query_async::<redis::Value>(&mut connection)).await {
            return reason;
        }
    }
}
