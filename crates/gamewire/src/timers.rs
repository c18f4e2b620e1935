//! The timers of a service thread: one at most for each connection, and those of its sockets.

use gamewire_proto::Time;
use mio::Token;

use crate::{
    handle::ConnectionHandle,
    wheel::{TimerId, TimerWheel},
};

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Connection(ConnectionHandle),
    Socket(Token),
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Timers {
    wheel: TimerWheel<Target>,
    /// The timer of each connection that has one, by [`ConnectionHandle::index`]: as long as the
    /// largest index so far.
    connections: Vec<Option<(ConnectionHandle, TimerId)>>,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self { wheel: TimerWheel::new(), connections: Vec::new() }
    }

    /// Sets a timer. A connection's timer that is set already is brought forward instead, or left
    /// as it is if it is no later.
    pub(crate) fn set(&mut self, deadline: Time, target: Target) {
        let Target::Connection(connection) = target else {
            self.wheel.insert(deadline, target);
            return;
        };
        let index = connection.index();
        if self.connections.len() <= index {
            self.connections.resize(index + 1, None);
        }
        match self.connections[index] {
            Some((owner, timer)) if owner == connection => {
                self.wheel.bring_forward(timer, deadline);
            }
            // What a connection left behind that is gone fires for nobody.
            Some(_) | None => {
                let timer = self.wheel.insert(deadline, target);
                self.connections[index] = Some((connection, timer));
            }
        }
    }

    /// When to look next.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.wheel.next_deadline()
    }

    /// Takes out a timer that is due, the earliest first.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Target> {
        let (_, target) = self.wheel.pop_due(now)?;
        if let Target::Connection(connection) = target {
            let timer = &mut self.connections[connection.index()];
            if timer.is_some_and(|(owner, _)| owner == connection) {
                *timer = None;
            }
        }
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(raw: u32) -> Target {
        Target::Connection(ConnectionHandle::from_raw(raw).unwrap())
    }

    fn at(micros: u64) -> Time {
        Time::from_micros(micros)
    }

    #[test]
    fn a_connection_has_one_timer_the_earliest() {
        let mut timers = Timers::new();
        for deadline in [500, 70, 9_000] {
            timers.set(at(deadline), connection(0x2000_0005));
        }
        assert_eq!(timers.next_deadline(), Some(at(70)));
        assert_eq!(timers.pop_due(at(10_000)), Some(connection(0x2000_0005)));
        assert_eq!(timers.pop_due(at(10_000)), None);
        timers.set(at(20_000), connection(0x2000_0005));
        assert_eq!(timers.pop_due(at(20_000)), Some(connection(0x2000_0005)));
    }

    #[test]
    fn the_next_connection_of_a_handles_slot_has_a_timer_of_its_own() {
        let mut timers = Timers::new();
        timers.set(at(100), connection(0x2000_0005));
        timers.set(at(200), connection(0x2001_0005));
        assert_eq!(timers.pop_due(at(300)), Some(connection(0x2000_0005)));
        timers.set(at(150), connection(0x2001_0005));
        assert_eq!(timers.next_deadline(), Some(at(150)));
        assert_eq!(timers.pop_due(at(300)), Some(connection(0x2001_0005)));
        assert_eq!(timers.pop_due(at(300)), None);
    }

    #[test]
    fn sockets_have_as_many_as_are_set() {
        let mut timers = Timers::new();
        timers.set(at(1), Target::Socket(Token(3)));
        timers.set(at(2), Target::Socket(Token(3)));
        assert_eq!(timers.pop_due(at(2)), Some(Target::Socket(Token(3))));
        assert_eq!(timers.pop_due(at(2)), Some(Target::Socket(Token(3))));
        assert_eq!(timers.pop_due(at(2)), None);
    }
}
