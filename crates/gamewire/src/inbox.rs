//! Where messages wait for the application: one queue per poll group, and one per connection that
//! is in none.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{handle::ConnectionHandle, message::Message, signal::Signal};

/// A queue of messages and whoever waits for one.
///
/// Bounded by the receive limits of the connections that deliver into it.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<VecDeque<Message>>,
    pub(crate) signal: Signal,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends messages; tell those who wait by [`Signal::notify`] afterwards.
    pub(crate) fn deliver(&self, messages: impl IntoIterator<Item = Message>) {
        self.lock().extend(messages);
    }

    /// Takes up to `max` messages, oldest first.
    pub(crate) fn take(&self, max: usize) -> Vec<Message> {
        let mut queue = self.lock();
        let count = queue.len().min(max);
        queue.drain(..count).collect()
    }

    /// Takes up to `max` messages of one connection, oldest first.
    pub(crate) fn take_of(&self, connection: ConnectionHandle, max: usize) -> Vec<Message> {
        let mut queue = self.lock();
        let mut taken = Vec::new();
        queue.retain(|message| {
            let wanted = message.connection == connection && taken.len() < max;
            if wanted {
                taken.push(message.clone());
            }
            !wanted
        });
        taken
    }

    /// Merges messages in by the time at which they were received.
    pub(crate) fn merge(&self, messages: Vec<Message>) {
        if messages.is_empty() {
            return;
        }
        let mut queue = self.lock();
        queue.extend(messages);
        // Stable, so the order within a connection stays.
        queue.make_contiguous().sort_by_key(|message| message.received);
    }

    /// Throws away what one connection delivered.
    pub(crate) fn forget(&self, connection: ConnectionHandle) {
        self.lock().retain(|message| message.connection != connection);
    }

    /// Sets the user data of messages that one connection delivered already.
    pub(crate) fn set_user_data(&self, connection: ConnectionHandle, user_data: i64) {
        for message in self.lock().iter_mut().filter(|m| m.connection == connection) {
            message.connection_user_data = user_data;
        }
    }
}
