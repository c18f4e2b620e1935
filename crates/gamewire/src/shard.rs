//! One listen socket on several service threads: each has a socket of its own at the same address,
//! and every connection stays with one of them.
//!
//! The system steers data packets by their connection id, which we choose so that it names the
//! thread, and everything else by its addresses; so a connection is made where its handshake
//! arrived, and stays there even when the peer's address changes. Where the system errs, as after a
//! socket was reopened, the thread that got the packet hands it over.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gamewire_proto::{
    drops::DropReason,
    endpoint::{AcceptLimits, Admission, ConnectionKey},
};

use crate::{io::Steering, link::Link};

/// Most service threads that share a listen socket: a byte of the connection id names them.
pub(crate) const MAX_SHARDS: usize = 64;

/// Data packets have the topmost bit set, and their connection id from the second byte on, lowest
/// byte first (wire.md §1).
pub(crate) const STEERING: Steering = Steering { first_byte_mask: 0x80, offset: 1 };

/// What the shards of a listen socket have in common.
#[derive(Debug)]
struct Common {
    /// By number. All stay open as long as one is in use: the system counts them.
    links: Box<[Arc<Link>]>,
    admission: Mutex<Admission>,
}

/// One thread's share of a listen socket.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    number: usize,
    common: Arc<Common>,
}

impl Shard {
    /// The shards of a listen socket that has these links. None if it has but one: its endpoint
    /// keeps the limits then.
    pub(crate) fn all(links: &[Arc<Link>], limits: AcceptLimits) -> Vec<Option<Self>> {
        if links.len() < 2 {
            return vec![None; links.len()];
        }
        let admission = Mutex::new(Admission::new(limits));
        let common = Arc::new(Common { links: links.into(), admission });
        (0..links.len()).map(|number| Some(Self { number, common: common.clone() })).collect()
    }

    fn number_of(&self, connection_id: u32) -> usize {
        usize::from(connection_id.to_le_bytes()[0]) % self.common.links.len()
    }

    /// Whether packets with this connection id come here.
    pub(crate) fn owns(&self, connection_id: u32) -> bool {
        self.number_of(connection_id) == self.number
    }

    /// Hands a data packet of another thread over to it. False: it is for this one.
    pub(crate) fn hand_over(&self, remote: SocketAddr, datagram: &[u8]) -> bool {
        let Some(id) = gamewire_wire::udp::peek_connection_id(datagram) else { return false };
        let number = self.number_of(id);
        if number == self.number {
            return false;
        }
        let link = &self.common.links[number];
        link.worker.hand_over(link.token, remote, datagram);
        true
    }

    fn admission(&self) -> MutexGuard<'_, Admission> {
        self.common.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the limits of the listen socket leave room for one more from this address.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), DropReason> {
        self.admission().check(address)
    }

    /// A connection comes in, unless others took the last room since [`Shard::check`].
    pub(crate) fn try_open(&self, key: ConnectionKey, address: IpAddr) -> Result<(), DropReason> {
        self.admission().try_open(key, address)
    }

    /// A connection is pending no more.
    pub(crate) fn settled(&self, key: ConnectionKey) {
        self.admission().settled(key);
    }

    /// A connection is over.
    pub(crate) fn closed(&self, key: ConnectionKey, address: IpAddr) {
        self.admission().closed(key, address);
    }
}

#[cfg(test)]
mod tests;
