//! One session with one relay.

use bytes::Bytes;
use gamewire_proto::Time;

use super::{
    BACKUP_KEEPALIVE, Candidate, MAX_REQUESTS, MIN_PROBE_INTERVAL, PRIMARY_KEEPALIVE,
    PROBE_INTERVAL, PROBES_BEFORE_LOST, REQUEST_TIMEOUT, TOKEN_RENEWAL,
};
use std::time::Duration;

/// How long a ping may take to bring a challenge before the relay is given up.
const CHALLENGE_RETRY: Duration = Duration::from_millis(200);
/// The gap between packets of a session that is idle, in microseconds.
const IDLE_GAP_US: u32 = 1_000_000;
/// Packets that come closer than this are a steady flow, in microseconds.
const STEADY_GAP_US: u32 = 250_000;
/// So often.
const MAX_CHALLENGE_WAITS: u32 = 15;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Requests sent, waits for a challenge, and when the next request is due.
    Opening { requests: u32, waits: u32, next: Time },
    /// A fresh token is due at this time; of peer-to-peer sessions only.
    Established { renew_at: Time },
}

/// Where peer-to-peer packets of this session are to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target {
    pub(super) token: Bytes,
    pub(super) revision: u32,
    /// The relay has confirmed it.
    pub(super) is_acked: bool,
    pub(super) told_at: Time,
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) candidate: Candidate,
    pub(super) state: State,
    pub(super) last_heard: Time,
    pub(super) last_sent: Time,
    /// When the other end was last asked to acknowledge statistics.
    pub(super) last_e2e: Time,
    /// When the first packet was sent since we last heard of the relay.
    unanswered_since: Option<Time>,
    /// Between packets from the relay, smoothed, in microseconds; at most a second.
    gap_us: u32,
    /// Probes sent since we last heard of the relay.
    pub(super) missed: u32,
    last_probe: Option<Time>,
    pub(super) rtt_us: Option<u32>,
    /// When the relay stops, if it said so.
    pub(super) stops_at: Option<Time>,
    next_sequence: u16,
    /// The last packet that came in, and when; until it is acknowledged.
    pub(super) to_ack: Option<(u16, Time)>,
    /// The last statistics that asked for an acknowledgement.
    pub(super) asked: Option<(u16, Time)>,
    /// Our token at the relay.
    pub(super) token: Option<Bytes>,
    pub(super) target: Option<Target>,
    pub(super) last_revision: u32,
    /// The relay said that it has no such session.
    pub(super) is_refused: bool,
}

impl Slot {
    pub(super) fn new(candidate: Candidate, now: Time, first_sequence: u16) -> Self {
        Self {
            candidate,
            state: State::Opening { requests: 0, waits: 0, next: now },
            last_heard: now,
            last_sent: now,
            last_e2e: now,
            unanswered_since: None,
            gap_us: IDLE_GAP_US,
            missed: 0,
            last_probe: None,
            rtt_us: None,
            stops_at: None,
            next_sequence: first_sequence,
            to_ack: None,
            asked: None,
            token: None,
            target: None,
            last_revision: 0,
            is_refused: false,
        }
    }

    pub(super) const fn is_established(&self) -> bool {
        matches!(self.state, State::Established { .. })
    }

    /// Whether the relay is about to stop.
    pub(super) fn stops(&self, now: Time) -> bool {
        self.stops_at.is_some_and(|at| at > now) || self.has_stopped(now)
    }

    fn has_stopped(&self, now: Time) -> bool {
        self.stops_at.is_some_and(|at| at <= now)
    }

    pub(super) fn is_lost(&self, now: Time) -> bool {
        if self.is_refused || self.has_stopped(now) {
            return true;
        }
        match self.state {
            State::Opening { requests, waits, next } => {
                (requests >= MAX_REQUESTS && now >= next) || waits > MAX_CHALLENGE_WAITS
            }
            State::Established { .. } => {
                self.missed >= PROBES_BEFORE_LOST && self.is_probe_due(now)
            }
        }
    }

    pub(super) fn wait_for_challenge(&mut self, now: Time) {
        if let State::Opening { waits, next, .. } = &mut self.state {
            *waits += 1;
            *next = now + CHALLENGE_RETRY;
        }
    }

    pub(super) fn on_request(&mut self, now: Time) {
        self.last_sent = now;
        if let State::Opening { requests, next, .. } = &mut self.state {
            *requests += 1;
            *next = now + REQUEST_TIMEOUT;
        }
    }

    /// The session is there, or renewed. True if it is new.
    pub(super) fn on_established(&mut self, now: Time) -> bool {
        let is_new = !self.is_established();
        self.state = State::Established { renew_at: now + TOKEN_RENEWAL };
        self.on_heard(now);
        is_new
    }

    pub(super) fn on_heard(&mut self, now: Time) {
        let gap = now.micros_since(self.last_heard).min(u64::from(IDLE_GAP_US)) as u32;
        self.gap_us = self.gap_us - self.gap_us / 8 + gap / 8;
        self.last_heard = now;
        self.missed = 0;
        self.last_probe = None;
        self.unanswered_since = None;
    }

    /// Takes a sequence number for a packet.
    pub(super) fn on_sent(&mut self, now: Time) -> u16 {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        self.last_sent = now;
        self.unanswered_since.get_or_insert(now);
        sequence
    }

    pub(super) fn on_probe(&mut self, now: Time, sequence: u16) {
        self.last_probe = Some(now);
        self.asked = Some((sequence, now));
    }

    /// Takes the relay's acknowledgement of a packet that asked for it.
    pub(super) fn on_ack(&mut self, now: Time, ack: u32) {
        let Some((sequence, sent)) = self.asked else { return };
        if sequence != (ack >> 16) as u16 {
            return;
        }
        self.asked = None;
        let delay_us = u64::from(ack & 0xffff) * 64;
        let sample = now.micros_since(sent).saturating_sub(delay_us);
        let sample = u32::try_from(sample).unwrap_or(u32::MAX);
        self.rtt_us = Some(match self.rtt_us {
            None => sample,
            Some(old) => old - old / 8 + sample / 8,
        });
    }

    fn probe_interval(&self) -> Duration {
        let rtt_us = self.rtt_us.unwrap_or(self.candidate.front_ms.saturating_mul(1000));
        let twice = Duration::from_micros(u64::from(rtt_us) * 2);
        twice.clamp(MIN_PROBE_INTERVAL, PROBE_INTERVAL)
    }

    /// Whether something was sent that should have been heard of, and it is time to ask (again).
    pub(super) fn is_probe_due(&self, now: Time) -> bool {
        self.probe_due_at().is_some_and(|due| now >= due)
    }

    fn probe_due_at(&self) -> Option<Time> {
        match self.last_probe {
            // Asked, and nothing came since: over far ways an answer takes its time.
            Some(at) => {
                let rtt = self.candidate.front_ms.saturating_mul(1000);
                let rtt = Duration::from_micros(u64::from(self.rtt_us.unwrap_or(rtt)));
                Some(at + self.probe_interval().max(rtt + MIN_PROBE_INTERVAL))
            }
            None => {
                let asked = self.unanswered_since.map(|since| since + self.probe_interval());
                // A steady flow that stops: the other end has no way to tell us.
                let stopped = (self.gap_us < STEADY_GAP_US).then(|| {
                    let silence = Duration::from_micros(u64::from(self.gap_us) * 4);
                    self.last_heard + silence.max(MIN_PROBE_INTERVAL)
                });
                asked.into_iter().chain(stopped).min()
            }
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self, is_primary: bool) -> Time {
        let keepalive = if is_primary { PRIMARY_KEEPALIVE } else { BACKUP_KEEPALIVE };
        let due = match self.state {
            State::Opening { next, .. } => next,
            State::Established { renew_at } => (self.last_sent + keepalive)
                .min(self.probe_due_at().unwrap_or(Time::FAR_FUTURE))
                .min(renew_at),
        };
        due.min(self.stops_at.unwrap_or(Time::FAR_FUTURE))
    }
}
