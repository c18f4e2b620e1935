//! Listen sockets and who gets in through them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gamewire_proto::{Time, connection::Connection, endpoint::Incoming};
use gamewire_wire::identity::Identity;

use crate::{
    config::{Scope, ScopeValues},
    core::Core,
    handle::{ConnectionHandle, Keyed, ListenSocketHandle},
    link::Link,
    slot::{Machine, Slot, SlotParts},
    worker::Entrance,
};

/// Decides about an address before anything is known or kept of it: `false` drops the request
/// without an answer. Called on the service thread for each request with a valid challenge; it must
/// be quick and must not call back into the library.
pub type AcceptFilter = Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>;

/// Where a listen socket listens.
pub(crate) enum Listens {
    /// At an address, with a socket for each service thread that shares the work.
    Address(Vec<Arc<Link>>),
    /// On a virtual port, by identity.
    VirtualPort(u32),
}

/// A listen socket as the library keeps it.
pub(crate) struct ListenSocket {
    pub(crate) handle: ListenSocketHandle,
    pub(crate) listens: Listens,
    pub(crate) options: Arc<ScopeValues>,
    pub(crate) filter: Option<AcceptFilter>,
    pub(crate) closed: AtomicBool,
}

impl std::fmt::Debug for ListenSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenSocket").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl Keyed for ListenSocket {
    fn raw_handle(&self) -> u32 {
        self.handle.to_raw()
    }
}

impl ListenSocket {
    /// Makes a connection of a request, or answers why not. Returns its slot, its local id and the
    /// identity it claims.
    pub(crate) fn admit(
        &self,
        core: &Core,
        now: Time,
        incoming: &Incoming,
        (link, entrance): (&Arc<Link>, &Entrance),
        reply: &mut Vec<u8>,
    ) -> Option<(Arc<Slot>, u32, Identity)> {
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        if self.filter.as_ref().is_some_and(|filter| !filter(incoming.remote)) {
            return None;
        }
        if !entrance.has_room(incoming.remote.ip()) {
            return None;
        }
        let mut entropy = core.entropy();
        let local_id = entrance.fresh_connection_id(&mut entropy);
        let options = ScopeValues::child(&self.options, Scope::Connection);
        let auth = core.authentication();
        let config = options.connection_config(auth.roots_configured());
        let party = auth.local_party(crate::clock::unix_seconds(), None);
        drop(auth);
        let made = Connection::from_incoming(now, local_id, incoming, party, config, &mut entropy);
        let connection = match made {
            Ok(connection) => connection,
            Err(refusal) => {
                tracing::info!(remote = %incoming.remote, %refusal, "refused a connection");
                refusal.encode(incoming.request.client_connection_id(), reply);
                return None;
            }
        };
        let identity = connection.remote_identity().clone();
        let slot = core.connections.insert(|raw| {
            Some(Slot::new(SlotParts {
                handle: ConnectionHandle::from_raw(raw.get())?,
                listen_socket: Some(self.handle),
                link: Some(link.clone()),
                peer_side: None,
                options,
                peer: identity.clone(),
                machine: Machine::Udp(Box::new(connection)),
            }))
        })?;
        Some((slot, local_id, identity))
    }
}
