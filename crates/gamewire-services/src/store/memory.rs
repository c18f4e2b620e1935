//! The store that goes with the process.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use super::{Store, StoreError, StoreFuture, check_len, expiry, is_over, unix_millis};

/// Values in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    values: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    value: Bytes,
    /// Unix milliseconds; 0: never.
    expiry: u64,
}

type Values<'a> = MutexGuard<'a, BTreeMap<String, Entry>>;

impl MemoryStore {
    fn values(&self) -> Values<'_> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The values, without `key` if its time is over.
    fn values_at(&self, key: &str, now: u64) -> Values<'_> {
        let mut values = self.values();
        if values.get(key).is_some_and(|entry| is_over(entry.expiry, now)) {
            values.remove(key);
        }
        values
    }
}

fn ready<'a, T: Send + 'a>(result: Result<T, StoreError>) -> StoreFuture<'a, T> {
    Box::pin(std::future::ready(result))
}

impl Store for MemoryStore {
    fn read<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Bytes>> {
        let values = self.values_at(key, unix_millis());
        ready(Ok(values.get(key).map(|entry| entry.value.clone())))
    }

    fn write<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> StoreFuture<'a, ()> {
        let result = check_len(key, &value).map(|()| {
            let expiry = expiry(unix_millis(), lifetime);
            self.values().insert(key.to_owned(), Entry { value, expiry });
        });
        ready(result)
    }

    fn claim<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> StoreFuture<'a, bool> {
        let now = unix_millis();
        let result = check_len(key, &value).map(|()| {
            let mut values = self.values_at(key, now);
            let free = !values.contains_key(key);
            if free {
                values.insert(key.to_owned(), Entry { value, expiry: expiry(now, lifetime) });
            }
            free
        });
        ready(result)
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Duration,
    ) -> StoreFuture<'a, bool> {
        let now = unix_millis();
        let mut values = self.values_at(key, now);
        let held = values.get_mut(key).filter(|entry| entry.value == value);
        let renewed = held.map(|entry| entry.expiry = expiry(now, Some(lifetime))).is_some();
        ready(Ok(renewed))
    }

    fn release<'a>(&'a self, key: &'a str, value: Bytes) -> StoreFuture<'a, bool> {
        let mut values = self.values_at(key, unix_millis());
        let held = values.get(key).is_some_and(|entry| entry.value == value);
        if held {
            values.remove(key);
        }
        ready(Ok(held))
    }

    fn list<'a>(&'a self, prefix: &'a str, limit: usize) -> StoreFuture<'a, Vec<(String, Bytes)>> {
        let now = unix_millis();
        let mut values = self.values();
        values.retain(|_, entry| !is_over(entry.expiry, now));
        let found = values
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, entry)| (key.clone(), entry.value.clone()))
            .collect();
        ready(Ok(found))
    }
}
