//! Whether the peer is there: replies that are owed, keep-alives, urgent pings, the end (wire.md §6).

use std::time::Duration;

use crate::Time;

use super::{AckRequest, PingTracker};

/// Silence after which a ping is sent though nothing is wrong.
pub const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(10);
/// Spacing of pings while the peer does not answer.
pub const URGENT_PING_EVERY: Duration = Duration::from_millis(200);
/// Longest wait for a reply.
pub const MAX_REPLY_TIMEOUT: Duration = Duration::from_millis(1250);
/// Wait for a reply beyond twice the worst recent ping.
const REPLY_TIMEOUT_EXTRA: Duration = Duration::from_millis(250);
/// Further wait where the peer may delay its ack.
pub const DELAYED_REPLY_EXTRA: Duration = Duration::from_millis(200);
/// Replies in a row that must be missing before the peer counts as gone.
pub const MIN_REPLY_TIMEOUTS: u32 = 4;

/// How long a reply may take: twice the worst recent ping plus 250 ms, at most 1.25 s, which also
/// holds before any ping is known.
pub(super) fn reply_timeout(ping: &PingTracker) -> Duration {
    ping.worst_recent().map_or(MAX_REPLY_TIMEOUT, |worst| {
        (worst.saturating_mul(2).saturating_add(REPLY_TIMEOUT_EXTRA)).min(MAX_REPLY_TIMEOUT)
    })
}

/// Replies that the peer owes and whether it still gives them.
#[derive(Clone, Debug)]
pub(super) struct Liveness {
    last_received: Time,
    /// One wait at a time, so that timeouts add up with the ping, not with the packet rate.
    reply_deadline: Option<Time>,
    silence: Option<Silence>,
    last_immediate_request: Option<Time>,
}

/// The peer owes replies and is late.
#[derive(Clone, Copy, Debug)]
struct Silence {
    /// When the first reply failed to come; later than the last packet, since an idle peer owes none.
    since: Time,
    reply_timeouts: u32,
}

impl Liveness {
    pub(super) fn new(now: Time) -> Self {
        Self {
            last_received: now,
            reply_deadline: None,
            silence: None,
            last_immediate_request: None,
        }
    }

    #[inline]
    pub(super) fn on_received(&mut self, now: Time) {
        self.last_received = now;
        self.reply_deadline = None;
        self.silence = None;
    }

    /// A packet went out that the peer answers.
    pub(super) fn expect_reply(&mut self, now: Time, asked: AckRequest, ping: &PingTracker) {
        let mut wait = reply_timeout(ping);
        match asked {
            AckRequest::None => return,
            AckRequest::Delayed => wait += DELAYED_REPLY_EXTRA,
            AckRequest::Immediate => self.last_immediate_request = Some(now),
        }
        let deadline = now + wait;
        self.reply_deadline = Some(self.reply_deadline.map_or(deadline, |old| old.min(deadline)));
    }

    pub(super) fn on_timeout(&mut self, now: Time) {
        if self.reply_deadline.is_none_or(|at| now < at) {
            return;
        }
        self.reply_deadline = None;
        let silence = self.silence.get_or_insert(Silence { since: now, reply_timeouts: 0 });
        silence.reply_timeouts = silence.reply_timeouts.saturating_add(1);
    }

    /// Whether the peer owes a reply that is late.
    pub(super) fn silent(&self) -> bool {
        self.silence.is_some()
    }

    pub(super) fn urgent_ping_due(&self, now: Time) -> bool {
        self.next_urgent_ping().is_some_and(|at| at <= now)
    }

    pub(super) fn keep_alive_due(&self, now: Time) -> bool {
        self.next_keep_alive().is_some_and(|at| at <= now)
    }

    fn next_urgent_ping(&self) -> Option<Time> {
        let since = self.silence?.since;
        Some(self.last_immediate_request.map_or(since, |at| since.max(at + URGENT_PING_EVERY)))
    }

    fn next_keep_alive(&self) -> Option<Time> {
        if self.reply_deadline.is_some() || self.silence.is_some() {
            return None;
        }
        Some(self.last_received + KEEP_ALIVE_AFTER)
    }

    /// When a ping must go for liveness' sake.
    pub(super) fn next_send(&self) -> Option<Time> {
        self.next_urgent_ping().or_else(|| self.next_keep_alive())
    }

    pub(super) fn reply_deadline(&self) -> Option<Time> {
        self.reply_deadline
    }

    pub(super) fn last_received(&self) -> Time {
        self.last_received
    }

    pub(super) fn reply_timeouts(&self) -> u32 {
        self.silence.map_or(0, |silence| silence.reply_timeouts)
    }

    pub(super) fn timeout_deadline(&self, timeout: Duration) -> Option<Time> {
        let silence = self.silence?;
        (silence.reply_timeouts >= MIN_REPLY_TIMEOUTS)
            .then(|| silence.since.max(self.last_received) + timeout)
    }
}
