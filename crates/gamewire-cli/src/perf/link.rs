//! A connection under test, as both sides use it.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use gamewire::{
    ConnectionHandle, ConnectionState, Event, Message, Outgoing, SendError, SendFlags, Sockets,
};

use super::control::{Control, is_control};
use crate::session;

/// How long the peer may leave us without what we wait for.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Messages taken at once.
const BATCH: usize = 4096;

/// Tells a thread that its connection has room again, where one thread takes the events of many.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<Opening>,
    changed: Condvar,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Opening {
    #[default]
    Shut,
    Open,
    /// For good: the connection has ended, for this reason.
    Ended(String),
}

impl Gate {
    /// Lets one waiter through.
    pub(super) fn open(&self) {
        self.change(Opening::Open);
    }

    /// Turns all waiters away.
    pub(super) fn end(&self, why: String) {
        self.change(Opening::Ended(why));
    }

    fn change(&self, to: Opening) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, Opening::Ended(_)) {
            *state = to;
        }
        self.changed.notify_all();
    }

    fn wait(&self, timeout: Duration) -> anyhow::Result<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let shut = |state: &mut Opening| *state == Opening::Shut;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, timeout, shut)
            .unwrap_or_else(PoisonError::into_inner);
        match &*state {
            Opening::Shut => Ok(()),
            Opening::Open => {
                *state = Opening::Shut;
                Ok(())
            }
            Opening::Ended(why) => bail!("the connection ended: {why}"),
        }
    }
}

/// Where news of room comes from.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// The instance has no other connection: its events are ours.
    Own,
    /// Somebody else takes the events.
    Gate(Arc<Gate>),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) sockets: Sockets,
    pub(super) connection: ConnectionHandle,
    news: News,
    /// Taken from the library, not yet looked at.
    unread: VecDeque<Message>,
}

impl Link {
    pub(super) fn new(sockets: Sockets, connection: ConnectionHandle, news: News) -> Self {
        Self { sockets, connection, news, unread: VecDeque::new() }
    }

    /// Blocks until there may be room in the send buffer again, at most `timeout`.
    pub(super) fn wait_room(&self, timeout: Duration) -> anyhow::Result<()> {
        match &self.news {
            News::Gate(gate) => gate.wait(timeout),
            News::Own => self.wait_own_event(timeout),
        }
    }

    fn wait_own_event(&self, timeout: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.sockets.wait_event(Some(left)) {
                None | Some(Event::Writable { .. }) => return Ok(()),
                Some(Event::ConnectionStatusChanged(change)) => match change.info.state {
                    ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                        bail!("the connection ended: {}", session::ending(&change.info));
                    }
                    ConnectionState::None
                    | ConnectionState::Connecting
                    | ConnectionState::FindingRoute
                    | ConnectionState::Connected => {}
                },
                Some(_) => {}
            }
        }
    }

    /// Sends a control message, as soon as there is room.
    pub(super) fn send_control(&self, control: &Control) -> anyhow::Result<()> {
        let flags = SendFlags::RELIABLE_NO_NAGLE;
        let mut message = Outgoing::new(self.connection, control.encode(), flags);
        let give_up = Instant::now() + PATIENCE;
        loop {
            match self.sockets.send(message) {
                Ok(_) => return Ok(()),
                Err(SendError::LimitExceeded(refused)) if Instant::now() < give_up => {
                    message = refused;
                    self.wait_room(PATIENCE)?;
                }
                Err(error) => return Err(self.explain(error)),
            }
        }
    }

    /// The error of a send, with the reason of the end if that is what it is.
    pub(super) fn explain(&self, error: SendError) -> anyhow::Error {
        let info = self.sockets.connection_info(self.connection);
        match info.filter(|info| info.state != ConnectionState::Connected) {
            Some(info) => anyhow::anyhow!("the connection ended: {}", session::ending(&info)),
            None => error.into(),
        }
    }

    /// The next message, waited for at most `timeout`.
    ///
    /// # Errors
    /// The connection has ended and everything is read.
    pub(super) fn next(&mut self, timeout: Duration) -> anyhow::Result<Option<Message>> {
        if let Some(message) = self.unread.pop_front() {
            return Ok(Some(message));
        }
        let batch = self.sockets.wait_messages(self.connection, BATCH, Some(timeout));
        self.unread.extend(batch.context("the connection is closed")?);
        if self.unread.is_empty() {
            let info = self.sockets.connection_info(self.connection);
            let info = info.context("the connection is closed")?;
            if info.state != ConnectionState::Connected {
                bail!("the connection ended: {}", session::ending(&info));
            }
        }
        Ok(self.unread.pop_front())
    }

    /// The next message if one is there already.
    pub(super) fn next_at_hand(&mut self) -> Option<Message> {
        if self.unread.is_empty() {
            self.unread.extend(self.sockets.receive_messages(self.connection, BATCH)?);
        }
        self.unread.pop_front()
    }

    /// The next control message; other messages before it are dropped.
    pub(super) fn next_control(&mut self, patience: Duration) -> anyhow::Result<Control> {
        let give_up = Instant::now() + patience;
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            match self.next(left)? {
                Some(message) if is_control(&message) => return Control::decode(&message),
                Some(_) => {}
                None => bail!(
                    "no answer for {} s; is there a `gamewire perf` at the other end?",
                    patience.as_secs()
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_one_through_and_ends_for_good() {
        let gate = Gate::default();
        gate.open();
        gate.wait(Duration::from_secs(60)).unwrap();
        // Shut again: only the timeout ends this one.
        gate.wait(Duration::ZERO).unwrap();
        gate.end("why".to_owned());
        gate.open();
        let error = gate.wait(Duration::from_secs(60)).unwrap_err();
        assert!(error.to_string().contains("why"));
    }
}
