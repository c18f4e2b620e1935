//! Futures for tasks, bound to no runtime: whoever polls them is woken by the service threads.

use std::{future::poll_fn, task::Poll};

use gamewire_proto::event::ConnectionState;

use crate::{
    error::{ConnectionError, SendError},
    events::Event,
    handle::{ConnectionHandle, PollGroupHandle},
    message::{Message, Outgoing},
    sockets::Sockets,
};

impl Sockets {
    /// The next event. Whoever takes events this way competes with every other taker.
    pub async fn next_event(&self) -> Event {
        poll_fn(|context| {
            // Registered first: what comes after the look below wakes us.
            self.core.events.signal.register(context.waker());
            self.poll_event().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Waits until the handshake is over.
    ///
    /// # Errors
    /// No such connection, or it ended; [`Sockets::connection_info`] says why.
    pub async fn connected(&self, connection: ConnectionHandle) -> Result<(), ConnectionError> {
        poll_fn(|context| {
            let Some(slot) = self.core.slot(connection) else {
                return Poll::Ready(Err(ConnectionError::NoSuchConnection));
            };
            slot.destination.load().signal.register(context.waker());
            match self.state(connection) {
                Some(ConnectionState::Connected) => Poll::Ready(Ok(())),
                Some(ConnectionState::Connecting | ConnectionState::FindingRoute) => Poll::Pending,
                Some(
                    ConnectionState::ClosedByPeer
                    | ConnectionState::ProblemDetectedLocally
                    | ConnectionState::None,
                ) => Poll::Ready(Err(ConnectionError::Ended)),
                None => Poll::Ready(Err(ConnectionError::NoSuchConnection)),
            }
        })
        .await
    }

    /// Sends a message as soon as there is room for it. Returns its number.
    ///
    /// # Errors
    /// As [`Sockets::send`], but never for want of room.
    pub async fn send_when_writable(&self, message: Outgoing) -> Result<u64, SendError> {
        let mut waiting = Some(message);
        poll_fn(move |context| {
            let message = waiting.take().expect("not polled again after it was ready");
            if let Some(slot) = self.core.slot(message.connection) {
                slot.writable.register(context.waker());
            }
            match self.send(message) {
                Err(SendError::LimitExceeded(message)) => {
                    waiting = Some(message);
                    Poll::Pending
                }
                result => Poll::Ready(result),
            }
        })
        .await
    }

    /// Takes up to `max` messages of a connection, waiting for the first. `None`: no such
    /// connection. Empty: it has ended.
    pub async fn receive(&self, connection: ConnectionHandle, max: usize) -> Option<Vec<Message>> {
        poll_fn(|context| {
            let Some(slot) = self.core.slot(connection) else { return Poll::Ready(None) };
            slot.destination.load().signal.register(context.waker());
            match self.receive_messages(connection, max) {
                Some(messages) if messages.is_empty() => match self.state(connection) {
                    Some(
                        ConnectionState::Connecting
                        | ConnectionState::FindingRoute
                        | ConnectionState::Connected,
                    ) => Poll::Pending,
                    Some(
                        ConnectionState::ClosedByPeer
                        | ConnectionState::ProblemDetectedLocally
                        | ConnectionState::None,
                    ) => Poll::Ready(Some(messages)),
                    None => Poll::Ready(None),
                },
                messages => Poll::Ready(messages),
            }
        })
        .await
    }

    /// Takes up to `max` messages of a poll group, waiting for the first. `None`: no such group.
    pub async fn receive_on_poll_group(
        &self,
        group: PollGroupHandle,
        max: usize,
    ) -> Option<Vec<Message>> {
        poll_fn(|context| {
            let Some(found) = self.core.poll_groups.find(group.to_raw()) else {
                return Poll::Ready(None);
            };
            found.inbox.signal.register(context.waker());
            match self.receive_messages_on_poll_group(group, max) {
                Some(messages) if messages.is_empty() => Poll::Pending,
                messages => Poll::Ready(messages),
            }
        })
        .await
    }
}
