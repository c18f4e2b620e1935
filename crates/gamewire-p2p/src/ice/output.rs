//! What an agent has to say: datagrams, events, the trace, counters.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
};

use gamewire_proto::Time;

use super::{DropReason, IceEvent, TraceEntry, TraceStep, Transmit};

/// Most datagrams that wait for the driver; more are lost, as on the way.
pub const MAX_TRANSMITS: usize = 512;

/// Most events that wait for the driver. What a driver that drains them never reaches.
pub const MAX_EVENTS: usize = 1024;

/// Longest trace, in entries; a quarter is kept for what happens seldom. What comes later is only
/// counted.
pub const MAX_TRACE: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Output {
    transmits: VecDeque<Transmit>,
    events: VecDeque<IceEvent>,
    trace: Vec<TraceEntry>,
    omitted: u64,
    drops: BTreeMap<DropReason, u64>,
}

impl Output {
    pub(super) fn transmit(&mut self, transmit: Transmit) {
        if self.transmits.len() < MAX_TRANSMITS {
            self.transmits.push_back(transmit);
        }
    }

    pub(super) fn event(&mut self, event: IceEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        }
    }

    pub(super) fn trace(&mut self, time: Time, step: TraceStep) {
        let reserved = if is_routine(&step) { MAX_TRACE / 4 } else { 0 };
        if self.trace.len() + reserved < MAX_TRACE {
            self.trace.push(TraceEntry { time, step });
        } else {
            self.omitted += 1;
        }
    }

    /// Counts a dropped datagram; the first of a reason is in the trace.
    pub(super) fn dropped(&mut self, now: Time, reason: DropReason, from: SocketAddr) {
        let count = self.drops.entry(reason).or_default();
        *count += 1;
        if *count == 1 {
            self.trace(now, TraceStep::Dropped(reason, from));
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<IceEvent> {
        self.events.pop_front()
    }

    pub(super) fn entries(&self) -> &[TraceEntry] {
        &self.trace
    }

    pub(super) fn omitted(&self) -> u64 {
        self.omitted
    }

    pub(super) fn drops(&self, reason: DropReason) -> u64 {
        self.drops.get(&reason).copied().unwrap_or_default()
    }
}

/// What many checks make many of.
fn is_routine(step: &TraceStep) -> bool {
    matches!(
        step,
        TraceStep::CheckSent(..)
            | TraceStep::CheckAnswered(..)
            | TraceStep::CheckFailed(..)
            | TraceStep::CheckReceived(..)
            | TraceStep::ServerAsked(..)
            | TraceStep::ServerSilent(..)
    )
}
