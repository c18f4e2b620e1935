//! The route in use, and how a new one is put to the test.

use std::{net::SocketAddr, time::Duration};

use gamewire_proto::Time;

use crate::ice::{Path, SocketId};

/// A path that is chosen and not confirmed is probed this often.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);

/// A path that nothing came by for so long is probed. Valve's library says goodbye over a route only
/// in answer to something, and for five seconds only.
const QUIET_PROBE_INTERVAL: Duration = Duration::from_secs(3);

/// Datagrams to be sent from one socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoutedTransmit {
    /// From where.
    pub socket: SocketId,
    /// Where to.
    pub destination: SocketAddr,
    /// Bytes appended to the output buffer.
    pub len: usize,
    /// Length of each datagram but the last, which may be shorter; `None`: one datagram.
    pub segment_size: Option<usize>,
}

/// Which path packets take, and which one is to replace it.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// A packet of the peer's came this way.
    confirmed: Option<Path>,
    /// Chosen by the agent and not yet confirmed, with the time of the next probe.
    candidate: Option<(Path, Time)>,
    /// When the path in use is probed unless something comes by it.
    quiet_at: Option<Time>,
}

impl Routes {
    /// The path that packets take.
    pub(super) fn current(&self) -> Option<Path> {
        self.confirmed
    }

    /// The agent chose a path.
    pub(super) fn on_selected(&mut self, now: Time, path: Path) {
        let known = self.confirmed.is_some_and(|confirmed| same(confirmed, path));
        if known {
            self.confirmed = Some(path);
            self.candidate = None;
        } else {
            self.candidate = Some((path, now));
        }
    }

    /// The agent chose and lost everything.
    pub(super) fn on_lost(&mut self) {
        self.candidate = None;
    }

    /// An authentic packet came this way. The path that packets take from now on, if that changed.
    pub(super) fn on_packet(&mut self, now: Time, path: Path) -> Option<Path> {
        self.quiet_at = Some(now + QUIET_PROBE_INTERVAL);
        let chosen = self.candidate.is_some_and(|(candidate, _)| same(candidate, path));
        if chosen || self.confirmed.is_none() {
            if chosen {
                self.candidate = None;
            }
            self.confirmed = Some(path);
            return Some(path);
        }
        None
    }

    /// The path to be probed now.
    pub(super) fn due_probe(&mut self, now: Time) -> Option<Path> {
        if let Some((path, at)) = &mut self.candidate
            && *at <= now
        {
            *at = now + PROBE_INTERVAL;
            return Some(*path);
        }
        if self.quiet_at.is_some_and(|at| at <= now) {
            self.quiet_at = Some(now + QUIET_PROBE_INTERVAL);
            return self.confirmed;
        }
        None
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let candidate = self.candidate.map(|(_, at)| at);
        candidate.into_iter().chain(self.quiet_at).min()
    }
}

/// What kind of route it is may be known better later; it is the same path all the same.
fn same(a: Path, b: Path) -> bool {
    (a.socket, a.remote, a.relay) == (b.socket, b.remote, b.relay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ice::RouteKind;

    const T0: Time = Time::from_micros(3_000_000_000_000);

    fn path() -> Path {
        Path {
            socket: SocketId(0),
            remote: "198.51.100.7:4000".parse().unwrap(),
            relay: None,
            kind: RouteKind::Direct,
        }
    }

    #[test]
    fn a_route_by_which_nothing_comes_is_probed() {
        let mut routes = Routes::default();
        assert_eq!(routes.deadline(), None);
        assert_eq!(routes.on_packet(T0, path()), Some(path()));
        let quiet = T0 + QUIET_PROBE_INTERVAL;
        assert_eq!(routes.deadline(), Some(quiet));
        assert_eq!(routes.due_probe(T0 + Duration::from_secs(1)), None);
        assert_eq!(routes.due_probe(quiet), Some(path()));
        assert_eq!(routes.due_probe(quiet), None);
        // What comes puts it off.
        let later = quiet + Duration::from_secs(2);
        assert_eq!(routes.on_packet(later, path()), None);
        assert_eq!(routes.due_probe(quiet + QUIET_PROBE_INTERVAL), None);
        assert_eq!(routes.due_probe(later + QUIET_PROBE_INTERVAL), Some(path()));
    }
}
