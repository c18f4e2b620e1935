//! Which signals belong to which connection.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use gamewire_crypto::Entropy;

use crate::handle::{ConnectionHandle, ListenSocketHandle};

/// Connections by identity of one instance.
const MAX_PEERS: usize = 16_384;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    tables: Mutex<Tables>,
    matching: Mutex<()>,
}

#[derive(Debug, Default)]
struct Tables {
    by_id: HashMap<u32, Option<ConnectionHandle>>,
    listeners: HashMap<u32, ListenSocketHandle>,
}

impl Directory {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps others from making connections between the question whether there is one and the making
    /// of it. Nothing of the application's is called meanwhile.
    pub(crate) fn matching(&self) -> MutexGuard<'_, ()> {
        self.matching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a connection id, random, with both halves not zero. `None`: there are too many.
    pub(crate) fn reserve(&self, entropy: &mut dyn Entropy) -> Option<u32> {
        let mut tables = self.lock();
        if tables.by_id.len() >= MAX_PEERS {
            return None;
        }
        loop {
            let id = entropy.next_u32();
            if id & 0xffff != 0 && id >> 16 != 0 && !tables.by_id.contains_key(&id) {
                tables.by_id.insert(id, None);
                return Some(id);
            }
        }
    }

    /// The connection of a reserved id is there.
    pub(crate) fn enter(&self, id: u32, connection: ConnectionHandle) {
        self.lock().by_id.insert(id, Some(connection));
    }

    /// The connection of an id is no more, or was never made.
    pub(crate) fn release(&self, id: u32) {
        self.lock().by_id.remove(&id);
    }

    pub(crate) fn connection(&self, id: u32) -> Option<ConnectionHandle> {
        *self.lock().by_id.get(&id)?
    }

    pub(crate) fn connections(&self) -> Vec<ConnectionHandle> {
        self.lock().by_id.values().copied().flatten().collect()
    }

    /// Notes who listens on a virtual port; false: somebody does already.
    pub(crate) fn listen(&self, port: u32, socket: ListenSocketHandle) -> bool {
        let mut tables = self.lock();
        if tables.listeners.contains_key(&port) {
            return false;
        }
        tables.listeners.insert(port, socket);
        true
    }

    pub(crate) fn stop_listening(&self, port: u32) {
        self.lock().listeners.remove(&port);
    }

    pub(crate) fn listener(&self, port: u32) -> Option<ListenSocketHandle> {
        self.lock().listeners.get(&port).copied()
    }
}
