//! Which connection a datagram belongs to.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    net::SocketAddr,
};

use gamewire_wire::identity::Identity;
use smallvec::SmallVec;

use super::ConnectionKey;

/// Ended connections whose ids are remembered, so that a peer that missed the goodbye can be told
/// in words that it believes. The oldest give way.
pub(super) const MAX_ENDED: usize = 1024;

/// One connection as the table sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: ConnectionKey,
    pub(super) remote: SocketAddr,
}

#[derive(Debug)]
struct Client {
    key: ConnectionKey,
    remote: SocketAddr,
    identity: Identity,
}

#[derive(Debug, Clone, Copy)]
struct Names {
    local_id: u32,
    client_id: Option<u32>,
}

/// Local ids are random and ours, so nobody can aim at a bucket: the id is its own hash.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u32(&mut self, value: u32) {
        // Spread over the high bits too: the table takes its control bytes from there.
        self.0 = u64::from(value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Bounded by the number of connections that the driver registers.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_id: HashMap<u32, Entry, BuildHasherDefault<IdHasher>>,
    /// By the id that the initiator chose: the default hasher is seeded, as a peer picks the key.
    by_client: HashMap<u32, SmallVec<[Client; 1]>>,
    names: HashMap<ConnectionKey, Names>,
    ended: VecDeque<Ended>,
}

/// A connection that came in and is over.
#[derive(Debug, Clone, Copy)]
struct Ended {
    local_id: u32,
    client_id: u32,
    remote: SocketAddr,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn by_id(&self, id: u32) -> Option<&Entry> {
        self.by_id.get(&id)
    }

    /// The peer's id of an ended connection, if that connection was with this address.
    pub(super) fn ended(&self, local_id: u32, remote: SocketAddr) -> Option<u32> {
        let newest_first = self.ended.iter().rev();
        let mut same = newest_first.filter(|e| e.local_id == local_id && e.remote == remote);
        same.next().map(|ended| ended.client_id)
    }

    pub(super) fn by_client(&self, remote: SocketAddr, client_id: u32) -> Option<ConnectionKey> {
        let clients = self.by_client.get(&client_id)?;
        clients.iter().find(|client| client.remote == remote).map(|client| client.key)
    }

    pub(super) fn has_client(&self, client_id: u32, identity: &Identity) -> bool {
        self.by_client
            .get(&client_id)
            .is_some_and(|clients| clients.iter().any(|client| client.identity == *identity))
    }

    pub(super) fn insert(
        &mut self,
        key: ConnectionKey,
        local_id: u32,
        remote: SocketAddr,
        client: Option<(u32, Identity)>,
    ) {
        self.by_id.insert(local_id, Entry { key, remote });
        let client_id = client.as_ref().map(|(id, _)| *id);
        if let Some((id, identity)) = client {
            self.by_client.entry(id).or_default().push(Client { key, remote, identity });
        }
        self.names.insert(key, Names { local_id, client_id });
    }

    /// Forgets a connection and returns its address.
    pub(super) fn remove(&mut self, key: ConnectionKey) -> Option<SocketAddr> {
        let names = self.names.remove(&key)?;
        let entry = self.by_id.remove(&names.local_id);
        if let (Some(client_id), Some(entry)) = (names.client_id, &entry) {
            if self.ended.len() == MAX_ENDED {
                self.ended.pop_front();
            }
            let (local_id, remote) = (names.local_id, entry.remote);
            self.ended.push_back(Ended { local_id, client_id, remote });
        }
        if let Some(client_id) = names.client_id
            && let Some(clients) = self.by_client.get_mut(&client_id)
        {
            clients.retain(|client| client.key != key);
            if clients.is_empty() {
                self.by_client.remove(&client_id);
            }
        }
        entry.map(|entry| entry.remote)
    }
}
