//! The store of a single hub that outlives its process: one file.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, backends::FileBackend,
};

use super::{Store, StoreError, StoreFuture, check_len, expiry, is_over, unix_millis};

/// Key to expiry (Unix milliseconds; 0: never) and value.
const VALUES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("values");

/// Values in a file. Each change is on the disk before it counts.
#[derive(Debug)]
pub struct FileStore {
    database: Arc<Database>,
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

impl FileStore {
    /// Opens a file, or makes one that only its owner can read: it holds keys in development.
    ///
    /// # Errors
    /// The system's; or the file is something else, or in use.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = |error: String| StoreError::Open { what: path.display().to_string(), error };
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| open(error.to_string()))?;
        let backend = FileBackend::new(file).map_err(|error| open(error.to_string()))?;
        let database = Database::builder()
            .create_with_backend(backend)
            .map_err(|error| open(error.to_string()))?;
        let store = Self { database: Arc::new(database) };
        store.prepare().map_err(|error| open(error.to_string()))?;
        Ok(store)
    }

    /// Makes the table, and forgets what has expired.
    fn prepare(&self) -> Result<(), StoreError> {
        let now = unix_millis();
        let transaction = self.database.begin_write().map_err(failed)?;
        transaction
            .open_table(VALUES)
            .map_err(failed)?
            .retain(|_, (expiry, _)| !is_over(expiry, now))
            .map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// Does something that may wait for the disk where that holds up nobody.
    fn blocking<'a, T: Send + 'static>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        let database = self.database.clone();
        Box::pin(async move {
            tokio::task::spawn_blocking(move || act(&database)).await.map_err(failed)?
        })
    }

    /// Changes one value in a transaction: `change` is told what holds now, and says what is to
    /// hold then.
    fn change<'a>(
        &self,
        key: &str,
        change: impl FnOnce(Option<&[u8]>) -> Change + Send + 'static,
    ) -> StoreFuture<'a, bool> {
        let key = key.to_owned();
        self.blocking(move |database| {
            let now = unix_millis();
            let transaction = database.begin_write().map_err(failed)?;
            let changed = {
                let mut table = transaction.open_table(VALUES).map_err(failed)?;
                let wanted = {
                    let current = table.get(key.as_str()).map_err(failed)?;
                    let current = current.as_ref().map(redb::AccessGuard::value);
                    change(current.filter(|(expiry, _)| !is_over(*expiry, now)).map(|(_, v)| v))
                };
                match wanted {
                    Change::Nothing => false,
                    Change::Remove => table.remove(key.as_str()).map_err(failed)?.is_some(),
                    Change::Set(value, lifetime) => {
                        let entry = (expiry(now, lifetime), value.as_ref());
                        table.insert(key.as_str(), entry).map_err(failed)?;
                        true
                    }
                }
            };
            transaction.commit().map_err(failed)?;
            Ok(changed)
        })
    }
}

enum Change {
    Nothing,
    Remove,
    Set(Bytes, Option<Duration>),
}

impl Store for FileStore {
    fn read<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Bytes>> {
        let key = key.to_owned();
        self.blocking(move |database| {
            let transaction = database.begin_read().map_err(failed)?;
            let table = transaction.open_table(VALUES).map_err(failed)?;
            let Some(found) = table.get(key.as_str()).map_err(failed)? else { return Ok(None) };
            let (expiry, value) = found.value();
            Ok((!is_over(expiry, unix_millis())).then(|| Bytes::copy_from_slice(value)))
        })
    }

    fn write<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            check_len(key, &value)?;
            self.change(key, move |_| Change::Set(value, lifetime)).await.map(|_| ())
        })
    }

    fn claim<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            check_len(key, &value)?;
            let claim = move |current: Option<&[u8]>| match current {
                Some(_) => Change::Nothing,
                None => Change::Set(value, lifetime),
            };
            self.change(key, claim).await
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        lifetime: Duration,
    ) -> StoreFuture<'a, bool> {
        self.change(key, move |current| match current {
            Some(held) if held == value => Change::Set(value, Some(lifetime)),
            Some(_) | None => Change::Nothing,
        })
    }

    fn release<'a>(&'a self, key: &'a str, value: Bytes) -> StoreFuture<'a, bool> {
        self.change(key, move |current| match current {
            Some(held) if held == value => Change::Remove,
            Some(_) | None => Change::Nothing,
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, limit: usize) -> StoreFuture<'a, Vec<(String, Bytes)>> {
        let prefix = prefix.to_owned();
        self.blocking(move |database| {
            let now = unix_millis();
            let transaction = database.begin_read().map_err(failed)?;
            let table = transaction.open_table(VALUES).map_err(failed)?;
            let mut found = Vec::new();
            for entry in table.range(prefix.as_str()..).map_err(failed)? {
                let (key, value) = entry.map_err(failed)?;
                if found.len() >= limit || !key.value().starts_with(&prefix) {
                    break;
                }
                let (expiry, value) = value.value();
                if !is_over(expiry, now) {
                    found.push((key.value().to_owned(), Bytes::copy_from_slice(value)));
                }
            }
            Ok(found)
        })
    }
}
