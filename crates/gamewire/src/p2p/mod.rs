//! Connections by identity: who is found by which signal, and the sockets that their routes use.
//!
//! The machine is [`gamewire_p2p::rendezvous::PeerConnection`]; what decides is there. Here are the
//! tables, the calls to the application's channel (never under a connection's lock: its other end
//! may be in this process), and what touches the system.

mod connect;
mod directory;
mod gather;
mod servers;
mod signals;

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use gamewire_p2p::ice::SocketId;

pub(crate) use self::{connect::Channel, directory::Directory};
use crate::{link::Link, signaling::ConnectionSignaling, worker::WorkerHandle};

/// Most sockets that one connection ever uses, one per local address. An interface that goes leaves
/// its number unused.
pub(crate) const MAX_PEER_SOCKETS: usize = 24;

/// What a connection by identity has besides its machine.
pub(crate) struct PeerSide {
    /// Our connection id.
    pub(crate) local_id: u32,
    /// The thread that fires its timers.
    pub(crate) worker: Arc<WorkerHandle>,
    links: [OnceLock<Arc<Link>>; MAX_PEER_SOCKETS],
    signaling: Mutex<Option<Arc<dyn ConnectionSignaling>>>,
    /// The application asked for the peer that had asked for us, which accepts it.
    accepted_by_connecting: AtomicBool,
    /// Nothing more will be signaled.
    over: AtomicBool,
    /// It carries messages by identity.
    session: bool,
}

impl std::fmt::Debug for PeerSide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerSide").field("local_id", &self.local_id).finish_non_exhaustive()
    }
}

impl PeerSide {
    fn new(
        local_id: u32,
        worker: Arc<WorkerHandle>,
        signaling: Option<Arc<dyn ConnectionSignaling>>,
        session: bool,
    ) -> Self {
        Self {
            local_id,
            worker,
            links: [const { OnceLock::new() }; MAX_PEER_SOCKETS],
            signaling: Mutex::new(signaling),
            accepted_by_connecting: AtomicBool::new(false),
            over: AtomicBool::new(false),
            session,
        }
    }

    /// Whether it carries messages by identity, and is none of the application's connections.
    pub(crate) fn is_session(&self) -> bool {
        self.session
    }

    /// The socket with this number.
    pub(crate) fn link(&self, socket: SocketId) -> Option<&Arc<Link>> {
        self.links.get(usize::from(socket.0))?.get()
    }

    /// Some socket.
    pub(crate) fn any_link(&self) -> Option<&Arc<Link>> {
        self.links().next().map(|(_, link)| link)
    }

    fn links(&self) -> impl Iterator<Item = (SocketId, &Arc<Link>)> {
        let numbered = (0u8..).zip(&self.links);
        numbered.filter_map(|(number, link)| Some((SocketId(number), link.get()?)))
    }

    fn signaling(&self) -> Option<Arc<dyn ConnectionSignaling>> {
        self.signaling.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_signaling(&self, signaling: Option<Arc<dyn ConnectionSignaling>>) {
        let old = std::mem::replace(
            &mut *self.signaling.lock().unwrap_or_else(PoisonError::into_inner),
            signaling,
        );
        // The application's code runs here, without our lock.
        drop(old);
    }

    /// Whether [`crate::Sockets::accept_connection`] comes too late because connecting accepted it.
    pub(crate) fn is_accepted_by_connecting(&self) -> bool {
        self.accepted_by_connecting.load(Ordering::Acquire)
    }
}
