//! How connections end, and whether that is how they may.

use std::collections::BTreeMap;

use gamewire_proto::{
    end::{EndInfo, EndReason},
    event::ConnectionState,
};

use super::{Expectation, Scenario};
use crate::{
    checkers::{DeliveryChecker, Violations},
    content::Side,
    host::{CLOSE_REASON, CLOSE_TEXT, Observation, Observed},
};

/// The life of one connection as one side saw it.
#[derive(Debug, Default)]
struct Life {
    /// A connection was made, not only asked for.
    began: bool,
    connected: bool,
    /// The application closed it before it ended, with or without lingering.
    closed_first: Option<bool>,
    end: Option<EndInfo>,
    drained: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Ends {
    lives: BTreeMap<(u32, Side), Life>,
}

impl Ends {
    pub(super) fn observe(
        &mut self,
        scenario: &Scenario,
        closing: bool,
        observed: &Observed,
        violations: &mut Violations,
    ) {
        let life = self.lives.entry((observed.connection, observed.side)).or_default();
        let mut complain = |what: String| {
            let who = format!("connection {:08x}, {:?}", observed.connection, observed.side);
            violations.add(observed.at, format!("{who}: {what}"));
        };
        life.began |= matches!(observed.what, Observation::State { .. });
        match &observed.what {
            Observation::State { new, end, .. } => match new {
                ConnectionState::Connected => life.connected = true,
                ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                    life.end = end.clone();
                    let reason = end.as_ref().map_or(EndReason::INVALID, |end| end.reason);
                    if !may_end(scenario, closing, reason) {
                        complain(format!("an honest connection died: {end:?}"));
                    }
                    let text = end.as_ref().map(|end| end.debug.as_str());
                    if reason.0 == CLOSE_REASON && text != Some(CLOSE_TEXT) {
                        complain(format!("the reason came, its text did not: {text:?}"));
                    }
                }
                ConnectionState::None
                | ConnectionState::Connecting
                | ConnectionState::FindingRoute => {}
            },
            Observation::Closed { linger } => {
                if life.end.is_none() {
                    life.closed_first = Some(*linger);
                }
            }
            Observation::Drained { .. } => life.drained = true,
            Observation::OverLimit { what } => complain(format!("over a limit: {what}")),
            Observation::Refused { name, why } => complain(format!("{name:?} refused: {why}")),
            Observation::WrongNumber { expected, got } => {
                complain(format!("{expected:?} got number {got}"));
            }
            Observation::HandshakeFailed { why } => {
                if scenario.expect != Expectation::SafetyOnly {
                    complain(format!("the handshake failed: {why}"));
                }
            }
            Observation::Sent { .. } | Observation::Received(_) => {}
        }
    }

    /// Connections that both sides see as connected, now or once.
    pub(super) fn established(&self) -> usize {
        let both = |&&(id, side): &&(u32, Side)| {
            side == Side::Initiator
                && Side::BOTH
                    .iter()
                    .all(|&side| self.lives.get(&(id, side)).is_some_and(|life| life.connected))
        };
        self.lives.keys().filter(both).count()
    }

    /// What must hold when all is over.
    pub(super) fn judge(&self, scenario: &Scenario, delivery: &DeliveryChecker) -> Vec<String> {
        let mut found = Vec::new();
        for (&(id, side), life) in self.lives.iter().filter(|(_, life)| life.began) {
            let who = format!("connection {id:08x}, {side:?}");
            if !life.drained {
                found.push(format!("{who}: never drained"));
            }
            match scenario.expect {
                Expectation::Delivery | Expectation::Closure => {
                    if life.closed_first.is_none() && life.end.is_none() {
                        found.push(format!("{who}: ended without a reason"));
                    }
                }
                Expectation::Timeout => {
                    let reason = life.end.as_ref().map(|end| end.reason);
                    if reason != Some(EndReason::MISC_TIMEOUT) {
                        found.push(format!("{who}: ended with {reason:?}, not by timeout"));
                    }
                }
                Expectation::SafetyOnly => {}
            }
            let missing = delivery.outstanding(id, side);
            if self.owes_delivery(scenario, id, side) && missing.messages > 0 {
                found.push(format!("{who} lingered, but {missing:?} did not arrive"));
            }
        }
        found
    }

    /// Whether what `side` sent must have arrived though it closed the connection early.
    fn owes_delivery(&self, scenario: &Scenario, id: u32, side: Side) -> bool {
        let lingered =
            self.lives.get(&(id, side)).is_some_and(|life| life.closed_first == Some(true));
        let peer_stayed = self.lives.get(&(id, side.other())).is_some_and(|peer| {
            peer.closed_first.is_none()
                && peer.end.as_ref().is_some_and(|end| end.reason.0 == CLOSE_REASON)
        });
        scenario.expect == Expectation::Closure
            && lingered
            && peer_stayed
            && !scenario.may_time_out()
    }
}

fn may_end(scenario: &Scenario, closing: bool, reason: EndReason) -> bool {
    let closed = reason.0 == CLOSE_REASON;
    // A goodbye that was lost leaves the other side to find out by itself.
    let lost_goodbye = scenario.is_lossy()
        && (reason == EndReason::MISC_TIMEOUT || reason == EndReason::MISC_PEER_SENT_NO_CONNECTION);
    match scenario.expect {
        Expectation::Delivery => closing && (closed || lost_goodbye),
        Expectation::Closure => closed || lost_goodbye,
        Expectation::Timeout => reason == EndReason::MISC_TIMEOUT,
        Expectation::SafetyOnly => true,
    }
}
