//! A bad network on purpose: loss, lag, jitter, reordering, duplicates and a rate limit, for
//! trying out an application on a good one (api.md §3.8, `FakePacket*` and `FakeRateLimit*`).
//!
//! Middleware between sockets and machines: it sees datagrams, delays, drops and repeats them, and
//! knows neither. It reads no clock and owns no socket, and the same seed, configuration and inputs
//! give the same results.

mod config;
mod link;
mod queue;
mod random;

pub use config::{FakeDirectionConfig, FakeNetworkConfig, MAX_LAG_MS};
pub use link::{FakeNetworkCounters, RATE_LIMIT_QUEUE_US};
pub use queue::{MAX_QUEUED_BYTES, MAX_QUEUED_DATAGRAMS};

use gamewire_proto::Time;
use link::{Fate, Link};
use queue::{DelayQueue, Delayed};
use random::Random;
use std::net::SocketAddr;

/// Which way a datagram goes, seen from this machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// From the library to the network.
    Send,
    /// From the network to the library.
    Recv,
}

/// What to do with a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a datagram that passes must be sent or processed by the caller"]
pub enum Verdict {
    /// Go on with it now, unmodified.
    Pass,
    /// Forget it: it was lost.
    Drop,
    /// Forget it: a copy was kept, and [`FakeNetwork::poll_ready`] will give it back.
    Queued,
}

/// The fake network of one socket, both directions.
///
/// For each datagram call [`handle`](Self::handle), if [`is_active`](Self::is_active) says so.
/// When [`poll_timeout`](Self::poll_timeout) has passed, drain [`poll_ready`](Self::poll_ready) and
/// send or process what it returns, without showing it to `handle` again. Batches are to be
/// shown datagram by datagram.
///
/// A datagram goes through these stages, as on a real path:
/// 1. **Loss**: dropped with the given chance.
/// 2. **Rate limit**: a token bucket. What exceeds it waits its turn, as in the queue before a slow
///    link, up to [`RATE_LIMIT_QUEUE_US`]; beyond that it is dropped.
/// 3. **Lag**: a constant delay. **Jitter**: with the given chance a further one, exponentially
///    distributed and capped. Neither changes the order: a datagram never leaves before one
///    that was handled earlier, so that a late one holds up those behind it and they come in a clump.
/// 4. **Reorder**: with the given chance a further constant delay, for this datagram alone: those
///    behind it overtake.
/// 5. **Duplicate**: with the given chance a second copy, uniformly up to the given time later.
#[derive(Debug)]
pub struct FakeNetwork {
    config: FakeNetworkConfig,
    send: Link,
    recv: Link,
    queue: DelayQueue,
    random: Random,
}

impl FakeNetwork {
    /// A perfect network; `seed` decides its later whims.
    pub fn new(seed: u64) -> Self {
        Self {
            config: FakeNetworkConfig::default(),
            send: Link::default(),
            recv: Link::default(),
            queue: DelayQueue::default(),
            random: Random::new(seed),
        }
    }

    /// Changes the network. Values out of range are moved to the nearest that is in range, and what
    /// is no number to zero. Datagrams that wait already keep their time, and those of the same
    /// direction handled later still leave after them.
    pub fn configure(&mut self, config: FakeNetworkConfig) {
        let config = config.sanitised();
        self.send.configure(&config.send);
        self.recv.configure(&config.recv);
        self.config = config;
    }

    /// The configuration in force.
    pub fn config(&self) -> &FakeNetworkConfig {
        &self.config
    }

    /// Whether datagrams of this direction must be shown to [`handle`](Self::handle): something is
    /// configured, or earlier datagrams still wait and must not be overtaken.
    #[inline]
    pub fn is_active(&self, direction: Direction) -> bool {
        match direction {
            Direction::Send => self.send.is_active(),
            Direction::Recv => self.recv.is_active(),
        }
    }

    /// Decides about one datagram to or from `remote`.
    pub fn handle(
        &mut self,
        now: Time,
        direction: Direction,
        remote: SocketAddr,
        datagram: &[u8],
    ) -> Verdict {
        if !self.is_active(direction) {
            return Verdict::Pass;
        }
        let (link, config) = match direction {
            Direction::Send => (&mut self.send, &self.config.send),
            Direction::Recv => (&mut self.recv, &self.config.recv),
        };
        let times = (self.config.reorder_time_ms, self.config.dup_time_max_ms);
        let fate = link.decide(now, datagram.len(), config, times, &mut self.random);
        let (leave_at, duplicate_at, in_order) = match fate {
            Fate::Drop => return Verdict::Drop,
            Fate::Leave { at, duplicate_at, in_order } => (at, duplicate_at, in_order),
        };
        let copy = |due: Time, in_order: bool| Delayed {
            due,
            direction,
            in_order,
            remote,
            datagram: datagram.to_vec(),
        };
        let verdict = if leave_at <= now && !link.has_waiting() {
            Verdict::Pass
        } else if self.queue.push_within_limits(datagram.len(), || copy(leave_at, in_order)) {
            link.queued(in_order, leave_at);
            Verdict::Queued
        } else {
            link.refused_by_queue();
            return Verdict::Drop;
        };
        if let Some(due) = duplicate_at {
            if self.queue.push_within_limits(datagram.len(), || copy(due, false)) {
                link.duplicated();
            } else {
                link.refused_by_queue();
            }
        }
        verdict
    }

    /// The next datagram whose time has come, with its direction and remote address; in the order
    /// of their times.
    pub fn poll_ready(&mut self, now: Time) -> Option<(Direction, SocketAddr, Vec<u8>)> {
        let Delayed { direction, in_order, remote, datagram, .. } = self.queue.pop_due(now)?;
        match direction {
            Direction::Send => self.send.left(in_order),
            Direction::Recv => self.recv.left(in_order),
        }
        Some((direction, remote, datagram))
    }

    /// When [`poll_ready`](Self::poll_ready) next has something; `None` if nothing waits.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.queue.next_due()
    }

    /// Datagrams that wait.
    pub fn queued_datagrams(&self) -> usize {
        self.queue.len()
    }

    /// What happened to the datagrams of a direction.
    pub fn counters(&self, direction: Direction) -> &FakeNetworkCounters {
        match direction {
            Direction::Send => self.send.counters(),
            Direction::Recv => self.recv.counters(),
        }
    }
}

#[cfg(test)]
mod tests;
