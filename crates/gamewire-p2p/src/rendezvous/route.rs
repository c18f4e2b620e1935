//! The route in use, and how a new one is put to the test.

use std::{net::SocketAddr, time::Duration};

use gamewire_proto::Time;

use crate::ice::{Path, SocketId};

/// A path that is chosen and not confirmed is probed this often.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);

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
}

impl Routes {
    /// The path that packets take.
    pub(super) fn current(&self) -> Option<Path> {
        self.confirmed
    }

    /// The agent chose a path. True: it is the one in use already.
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
    pub(super) fn on_packet(&mut self, path: Path) -> Option<Path> {
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
        let (path, at) = self.candidate.as_mut()?;
        if *at > now {
            return None;
        }
        *at = now + PROBE_INTERVAL;
        Some(*path)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.candidate.map(|(_, at)| at)
    }
}

/// What kind of route it is may be known better later; it is the same path all the same.
fn same(a: Path, b: Path) -> bool {
    (a.socket, a.remote, a.relay) == (b.socket, b.remote, b.relay)
}
