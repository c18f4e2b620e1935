//! What happened, in the order in which it happened.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use gamewire_proto::event::ConnectionState;
use gamewire_wire::identity::Identity;

use crate::{
    auth::AuthenticationStatus, handle::ConnectionHandle, signal::Signal, status::ConnectionInfo,
};

/// Most events that wait; beyond it the oldest are dropped with a warning. Every object causes only
/// a handful, so only an application that never looks gets here.
pub(crate) const MAX_EVENTS: usize = 262_144;

/// A connection's state changed.
#[derive(Clone, Debug)]
#[doc(alias = "SteamNetConnectionStatusChangedCallback_t")]
pub struct StatusChanged {
    /// Which connection.
    pub connection: ConnectionHandle,
    /// Everything about it at that moment, its new state included.
    pub info: ConnectionInfo,
    /// The state before.
    pub old_state: ConnectionState,
    /// The pointer that `Callback_ConnectionStatusChanged` held at that moment; 0: none. For the C
    /// interface, which dispatches by it.
    pub callback: usize,
}

/// Something that the application may want to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection appeared, changed its state or went away.
    ConnectionStatusChanged(Box<StatusChanged>),
    /// There is room again in a connection that refused a message.
    Writable {
        /// Which connection.
        connection: ConnectionHandle,
    },
    /// Our own authentication changed.
    AuthenticationStatusChanged(AuthenticationStatus),
    /// A peer sent a message and there is no session with it:
    /// [`crate::Sockets::accept_session_with_user`], or it is ignored and asks again.
    #[doc(alias = "SteamNetworkingMessagesSessionRequest_t")]
    MessagesSessionRequest {
        /// Who asks.
        peer: Identity,
    },
    /// A session broke; [`ConnectionInfo::end_reason`] says why. Never for one that the peer closed
    /// or that was idle.
    #[doc(alias = "SteamNetworkingMessagesSessionFailed_t")]
    MessagesSessionFailed(Box<ConnectionInfo>),
}

/// Events that wait for the application.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    queue: Mutex<VecDeque<Event>>,
    pub(crate) signal: Signal,
}

impl EventQueue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: Event) {
        {
            let mut queue = self.lock();
            if queue.len() >= MAX_EVENTS {
                tracing::warn!("nobody takes the events: the oldest is dropped");
                queue.pop_front();
            }
            queue.push_back(event);
        }
        self.signal.notify();
    }

    pub(crate) fn pop(&self) -> Option<Event> {
        self.lock().pop_front()
    }
}
