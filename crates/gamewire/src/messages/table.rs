//! The sessions of an instance and the messages that came through them.
//!
//! Lock order: the table after a connection, never before one.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use gamewire_proto::{Time, event::ConnectionState};
use gamewire_wire::identity::Identity;

use super::{HEADER_BYTES, UserMessage, channel_of};
use crate::{handle::ConnectionHandle, inbox::Inbox, message::Message, status::ConnectionInfo};

/// A session that nobody used for so long ends, without a word to the application.
pub const SESSION_IDLE_TIMEOUT: Duration = Duration::from_secs(180);

/// How long it is remembered how a session ended.
const REMEMBER_FOR: Duration = Duration::from_secs(60);

/// Sessions at once, ended ones that are remembered included. Beyond it, the oldest of those goes,
/// and if there is none no new session is made.
pub const MAX_SESSIONS: usize = 4096;

/// Channels with messages that wait; messages on further ones are dropped.
pub const MAX_CHANNELS: usize = 1024;

/// How far a session is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// The peer asked; the application has not answered.
    Requested,
    /// Ours, or accepted.
    Open,
    /// Broken or closed; its end is remembered.
    Over,
}

/// A session with one peer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) stage: Stage,
    pub(super) connection: Option<ConnectionHandle>,
    /// Channels that the application used since the session was opened.
    pub(super) channels: HashSet<i32>,
    /// The state at the end.
    pub(super) last: Option<ConnectionInfo>,
    pub(super) used: Time,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct SessionTable {
    sessions: Mutex<Tables>,
    /// Where the connections of all sessions deliver.
    pub(super) inbox: Arc<Inbox>,
    /// Somebody uses messages by identity: requests for sessions are looked at.
    in_use: AtomicBool,
    /// When to look for idle sessions, microseconds.
    look_at_us: AtomicU64,
}

#[derive(Debug, Default)]
struct Tables {
    by_peer: HashMap<Identity, Session>,
    by_connection: HashMap<ConnectionHandle, Identity>,
    channels: HashMap<i32, VecDeque<UserMessage>>,
    /// Connections of sessions that are over, to be closed under no lock: the reason, and the text.
    to_close: Vec<(ConnectionHandle, i32, &'static str)>,
}

impl Default for SessionTable {
    fn default() -> Self {
        Self {
            sessions: Mutex::default(),
            inbox: Arc::default(),
            in_use: AtomicBool::new(false),
            look_at_us: AtomicU64::new(u64::MAX),
        }
    }
}

impl SessionTable {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn use_messages(&self) {
        self.in_use.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_in_use(&self) -> bool {
        self.in_use.load(Ordering::Relaxed)
    }

    /// What is known about the session with a peer.
    pub(super) fn find<R>(
        &self,
        peer: &Identity,
        look: impl FnOnce(&mut Session) -> R,
    ) -> Option<R> {
        self.lock().by_peer.get_mut(peer).map(look)
    }

    /// Opens a session through a connection; replaces one that is over.
    pub(super) fn open(
        &self,
        now: Time,
        peer: &Identity,
        connection: ConnectionHandle,
        stage: Stage,
    ) -> bool {
        let mut tables = self.lock();
        if tables.by_peer.len() >= MAX_SESSIONS && !tables.forget_oldest_end() {
            return false;
        }
        let session = Session {
            stage,
            connection: Some(connection),
            channels: HashSet::new(),
            last: None,
            used: now,
        };
        tables.by_peer.insert(peer.clone(), session);
        tables.by_connection.insert(connection, peer.clone());
        self.look_by(now + SESSION_IDLE_TIMEOUT);
        true
    }

    /// Ends the session with a peer on the application's wish: the connection that is to be closed.
    pub(super) fn close(&self, peer: &Identity) -> Option<Option<ConnectionHandle>> {
        let mut tables = self.lock();
        let session = tables.by_peer.remove(peer)?;
        if let Some(connection) = session.connection {
            tables.by_connection.remove(&connection);
        }
        // What it delivered and nobody took goes with it.
        for queue in tables.channels.values_mut() {
            queue.retain(|message| *message.peer().as_ref() != *peer);
        }
        Some(session.connection)
    }

    /// Closes a channel; true: it was the last one of its session.
    pub(super) fn close_channel(&self, peer: &Identity, channel: i32) -> Option<bool> {
        let mut tables = self.lock();
        let session = tables.by_peer.get_mut(peer)?;
        let known = session.channels.remove(&channel);
        let last = known && session.channels.is_empty();
        if let Some(queue) = tables.channels.get_mut(&channel) {
            queue.retain(|message| *message.peer().as_ref() != *peer);
        }
        Some(last)
    }

    /// Takes up to `max` messages of a channel.
    pub(super) fn take(&self, channel: i32, max: usize) -> Vec<UserMessage> {
        let arrived = self.inbox.take(usize::MAX);
        let mut tables = self.lock();
        arrived.into_iter().for_each(|message| tables.sort_in(message));
        let Some(queue) = tables.channels.get_mut(&channel) else { return Vec::new() };
        let count = queue.len().min(max);
        let taken: Vec<_> = queue.drain(..count).collect();
        if queue.is_empty() {
            tables.channels.remove(&channel);
        }
        taken
    }

    /// The state of a session's connection changed. True: the session failed, and the application is
    /// to know.
    pub(crate) fn on_state(&self, now: Time, info: &ConnectionInfo, of: ConnectionHandle) -> bool {
        let mut tables = self.lock();
        let Some(peer) = tables.by_connection.get(&of).cloned() else { return false };
        let Some(session) = tables.by_peer.get_mut(&peer) else { return false };
        let failed = info.state == ConnectionState::ProblemDetectedLocally;
        match info.state {
            ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {}
            ConnectionState::Connected => {
                session.used = now;
                return false;
            }
            ConnectionState::None | ConnectionState::Connecting | ConnectionState::FindingRoute => {
                return false;
            }
        }
        // A request that nobody answered is not a failure of anything.
        let unanswered = session.stage == Stage::Requested;
        session.stage = Stage::Over;
        session.connection = None;
        session.last = Some(info.clone());
        session.used = now;
        if unanswered {
            tables.by_peer.remove(&peer);
        }
        tables.by_connection.remove(&of);
        tables.to_close.push((of, 0, ""));
        self.look_by(now);
        failed && !unanswered
    }

    fn look_by(&self, at: Time) {
        self.look_at_us.fetch_min(at.as_micros(), Ordering::AcqRel);
    }

    /// When [`SessionTable::idle`] is to be called.
    pub(crate) fn next_look(&self) -> Option<Time> {
        let at = self.look_at_us.load(Ordering::Acquire);
        (at != u64::MAX).then(|| Time::from_micros(at))
    }

    /// Ends sessions that nobody uses and forgets those that are long over. The connections to be
    /// closed, with the reason and the text.
    pub(crate) fn idle(&self, now: Time) -> Vec<(ConnectionHandle, i32, &'static str)> {
        self.look_at_us.store(u64::MAX, Ordering::Release);
        let arrived = self.inbox.take(usize::MAX);
        let mut tables = self.lock();
        arrived.into_iter().for_each(|message| tables.sort_in(message));
        let mut closing = std::mem::take(&mut tables.to_close);
        let mut ended = Vec::new();
        let mut next: Option<Time> = None;
        tables.by_peer.retain(|_, session| {
            let over = session.stage == Stage::Over;
            let limit = if over { REMEMBER_FOR } else { SESSION_IDLE_TIMEOUT };
            let at = session.used + limit;
            if at > now {
                next = Some(next.map_or(at, |next| next.min(at)));
                return true;
            }
            ended.extend(session.connection);
            false
        });
        for connection in ended {
            tables.by_connection.remove(&connection);
            closing.push((connection, super::api::REASON_IDLE, "The session was idle"));
        }
        if let Some(next) = next {
            self.look_by(next);
        }
        closing
    }

    /// The application used a session.
    pub(super) fn used(&self, now: Time, peer: &Identity, channel: i32) {
        if let Some(session) = self.lock().by_peer.get_mut(peer) {
            session.used = now;
            session.channels.insert(channel);
        }
    }
}

impl Tables {
    /// Puts a message into the queue of its channel, without the header.
    fn sort_in(&mut self, mut message: Message) {
        let Some(channel) = channel_of(&message.payload) else {
            tracing::debug!(peer = %message.peer, "a message without a channel is dropped");
            return;
        };
        if let Some(session) = self.by_peer.get_mut(message.peer.as_ref()) {
            session.used = session.used.max(message.received);
            session.channels.insert(channel);
        }
        let known = self.channels.contains_key(&channel);
        if !known && self.channels.len() >= MAX_CHANNELS {
            tracing::debug!(peer = %message.peer, channel, "too many channels");
            return;
        }
        message.payload = message.payload.slice(HEADER_BYTES..);
        self.channels.entry(channel).or_default().push_back(UserMessage { message, channel });
    }

    fn forget_oldest_end(&mut self) -> bool {
        let over = self.by_peer.iter().filter(|(_, session)| session.stage == Stage::Over);
        let oldest = over.min_by_key(|(_, session)| session.used).map(|(peer, _)| peer.clone());
        oldest.is_some_and(|peer| self.by_peer.remove(&peer).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn handle(raw: u32) -> ConnectionHandle {
        ConnectionHandle::from_raw(raw).unwrap()
    }

    #[test]
    fn idle_sessions_end_and_used_ones_do_not() {
        let table = SessionTable::default();
        let [anna, bert]: [Identity; 2] = ["str:anna", "str:bert"].map(|it| it.parse().unwrap());
        assert!(table.next_look().is_none());
        assert!(table.open(at(0), &anna, handle(1), Stage::Open));
        assert!(table.open(at(0), &bert, handle(2), Stage::Open));
        table.used(at(100), &bert, 0);
        assert_eq!(table.next_look(), Some(at(180)));
        assert_eq!(table.idle(at(179)), []);
        assert_eq!(table.next_look(), Some(at(180)));
        let ended: Vec<_> = table.idle(at(180)).into_iter().map(|(it, ..)| it).collect();
        assert_eq!(ended, [handle(1)]);
        assert!(table.find(&anna, |_| ()).is_none());
        assert!(table.find(&bert, |_| ()).is_some());
        assert_eq!(table.next_look(), Some(at(280)));
    }

    #[test]
    fn there_are_no_more_sessions_than_the_limit() {
        let table = SessionTable::default();
        for number in 0..MAX_SESSIONS {
            let peer: Identity = format!("str:{number}").parse().unwrap();
            let raw = u32::try_from(number).unwrap() + 1;
            assert!(table.open(at(0), &peer, handle(raw), Stage::Open));
        }
        let one_more: Identity = "str:more".parse().unwrap();
        assert!(!table.open(at(0), &one_more, handle(70_000), Stage::Open));
        let first: Identity = "str:0".parse().unwrap();
        table.find(&first, |session| session.stage = Stage::Over);
        assert!(table.open(at(0), &one_more, handle(70_000), Stage::Open));
        assert!(table.find(&first, |_| ()).is_none());
    }
}
