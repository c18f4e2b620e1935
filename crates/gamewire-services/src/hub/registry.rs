//! Who is connected here, and what waits to be sent to them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use gamewire_wire::Identity;
use tokio::sync::Notify;

/// An identity within an application.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct User {
    pub(super) app_id: u32,
    pub(super) identity: Identity,
}

/// What waits for one client, oldest first. Bounded: a client that does not read loses the oldest.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    changed: Notify,
    max_events: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Bytes>,
    bytes: usize,
    /// The connection is to end, because of this.
    end: Option<&'static str>,
}

/// What an outbox has for its client.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Outgoing {
    Event(Bytes),
    End(&'static str),
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outbox {
    pub(super) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self { queue: Mutex::default(), changed: Notify::new(), max_events, max_bytes }
    }

    /// Queues an event, and tells how many older ones had to go for it.
    pub(super) fn push(&self, event: Bytes) -> u64 {
        let mut dropped = 0;
        {
            let mut queue = guard(&self.queue);
            queue.bytes += event.len();
            queue.events.push_back(event);
            while queue.events.len() > self.max_events
                || (queue.bytes > self.max_bytes && queue.events.len() > 1)
            {
                let Some(oldest) = queue.events.pop_front() else { break };
                queue.bytes -= oldest.len();
                dropped += 1;
            }
        }
        self.changed.notify_one();
        dropped
    }

    /// Ends the connection.
    pub(super) fn end(&self, reason: &'static str) {
        guard(&self.queue).end.get_or_insert(reason);
        self.changed.notify_one();
    }

    /// The next thing to send, waited for.
    pub(super) async fn next(&self) -> Outgoing {
        loop {
            {
                let mut queue = guard(&self.queue);
                if let Some(event) = queue.events.pop_front() {
                    queue.bytes -= event.len();
                    return Outgoing::Event(event);
                }
                if let Some(reason) = queue.end {
                    return Outgoing::End(reason);
                }
            }
            self.changed.notified().await;
        }
    }
}

/// The connections of each user.
#[derive(Debug, Default)]
pub(super) struct Registry {
    users: Mutex<HashMap<User, Vec<Arc<Outbox>>>>,
}

impl Registry {
    /// Adds a connection; the oldest beyond `limit` is told to end. Calls `on_first` if it is the
    /// user's first: in the same order as [`Self::leave`] its function.
    pub(super) fn join(
        &self,
        user: &User,
        outbox: &Arc<Outbox>,
        limit: usize,
        on_first: impl FnOnce(),
    ) {
        let mut users = guard(&self.users);
        let connections = users.entry(user.clone()).or_default();
        connections.push(outbox.clone());
        if connections.len() > limit.max(1) {
            connections.remove(0).end("logged in again elsewhere");
        }
        if connections.len() == 1 {
            on_first();
        }
    }

    /// Removes a connection. Calls `on_last` if it was the user's last.
    pub(super) fn leave(&self, user: &User, outbox: &Arc<Outbox>, on_last: impl FnOnce()) {
        let mut users = guard(&self.users);
        let Some(connections) = users.get_mut(user) else { return };
        connections.retain(|other| !Arc::ptr_eq(other, outbox));
        if connections.is_empty() {
            users.remove(user);
            on_last();
        }
    }

    /// Queues an event for every connection of a user: for how many, and how many older events
    /// went for it.
    pub(super) fn deliver(&self, user: &User, event: &Bytes) -> (u64, u64) {
        let connections = guard(&self.users).get(user).cloned().unwrap_or_default();
        let dropped = connections.iter().map(|outbox| outbox.push(event.clone())).sum();
        (connections.len() as u64, dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> User {
        User { app_id: 1, identity: name.parse().unwrap() }
    }

    #[tokio::test]
    async fn a_slow_client_loses_the_oldest() {
        let outbox = Outbox::new(3, 10);
        assert_eq!((1..=4).map(|n| outbox.push(Bytes::from(vec![n]))).sum::<u64>(), 1);
        assert_eq!(outbox.push(Bytes::from(vec![5; 9])), 2, "bytes count too");
        outbox.end("over");
        assert_eq!(outbox.next().await, Outgoing::Event(Bytes::from(vec![4])));
        assert_eq!(outbox.next().await, Outgoing::Event(Bytes::from(vec![5; 9])));
        assert_eq!(outbox.next().await, Outgoing::End("over"));
    }

    #[tokio::test]
    async fn every_connection_gets_it_and_one_too_many_ends_the_oldest() {
        let registry = Registry::default();
        let outboxes: Vec<_> = (0..3).map(|_| Arc::new(Outbox::new(9, 99))).collect();
        let mut first = 0;
        for outbox in &outboxes {
            registry.join(&user("str:a"), outbox, 2, || first += 1);
        }
        assert_eq!(first, 1);
        assert_eq!(outboxes[0].next().await, Outgoing::End("logged in again elsewhere"));
        let event = Bytes::from_static(b"x");
        assert_eq!(registry.deliver(&user("str:a"), &event), (2, 0));
        assert_eq!(registry.deliver(&user("str:b"), &event), (0, 0));
        let other_app = User { app_id: 2, ..user("str:a") };
        assert_eq!(registry.deliver(&other_app, &event), (0, 0));
        for (outbox, expected) in outboxes.iter().zip([0, 0, 1]) {
            let mut last = 0;
            registry.leave(&user("str:a"), outbox, || last += 1);
            assert_eq!(last, expected);
        }
        assert!(guard(&registry.users).is_empty());
    }
}
