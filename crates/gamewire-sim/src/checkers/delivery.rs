//! Messages: what was sent, what came, and whether that is right.

use std::collections::BTreeMap;

use gamewire_proto::{lane::DeliveryMode, receive::ReceivedMessage};

use super::Violations;
use crate::{
    content::{MessageName, Side},
    host::{Observation, Observed},
};

/// What the lanes of a scenario promise.
#[derive(Clone, Debug, Default)]
pub struct DeliveryRules {
    /// Mode of each lane; lanes beyond are [`DeliveryMode::Standard`].
    pub lanes: Vec<DeliveryMode>,
    /// Whether both sides know reliable-unordered delivery; else such lanes keep the order.
    pub unordered_negotiated: bool,
}

/// Reliable messages that have not come yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outstanding {
    /// How many.
    pub messages: u64,
    /// One of them.
    pub first: Option<MessageName>,
}

/// Reliable messages come exactly once and in order, unreliable ones at most once, sequenced ones
/// never after newer ones, and all of them as they were sent.
#[derive(Debug, Default)]
pub struct DeliveryChecker {
    rules: DeliveryRules,
    /// By connection and sender.
    flows: BTreeMap<(u32, Side), Flow>,
    delivered: u64,
    outstanding: u64,
}

type Flow = BTreeMap<u16, Lane>;

#[derive(Debug, Default)]
struct Lane {
    /// Message `n` is at `n - 1`.
    sent: Vec<Sent>,
    /// Messages below this number that are reliable and may not expire came.
    ordered_through: usize,
    newest_reliable: u64,
    newest_unreliable: u64,
}

#[derive(Debug)]
struct Sent {
    len: usize,
    reliable: bool,
    may_expire: bool,
    delivered: bool,
}

impl Sent {
    fn must_come(&self) -> bool {
        self.reliable && !self.may_expire
    }
}

impl DeliveryChecker {
    /// A checker of lanes with these promises.
    pub fn new(rules: DeliveryRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Judges one observation.
    pub fn observe(&mut self, observed: &Observed, violations: &mut Violations) {
        match &observed.what {
            Observation::Sent { name, len, reliable, may_expire } => {
                let lane = self.flows.entry((name.connection, name.sender)).or_default();
                let sent = Sent {
                    len: *len,
                    reliable: *reliable,
                    may_expire: *may_expire,
                    delivered: false,
                };
                self.outstanding += u64::from(sent.must_come());
                lane.entry(name.lane).or_default().sent.push(sent);
            }
            Observation::Received(message) => {
                if let Err(what) = self.received(observed, message) {
                    let at = observed.at;
                    violations.add(
                        at,
                        format!(
                            "{} lane {} message {}: {what}",
                            who(observed),
                            message.lane,
                            message.number
                        ),
                    );
                }
            }
            Observation::Refused { .. }
            | Observation::WrongNumber { .. }
            | Observation::State { .. }
            | Observation::Closed { .. }
            | Observation::OverLimit { .. }
            | Observation::Drained { .. }
            | Observation::HandshakeFailed { .. } => {}
        }
    }

    fn received(&mut self, observed: &Observed, message: &ReceivedMessage) -> Result<(), String> {
        let sender = observed.side.other();
        let connection = observed.connection;
        let flow = self.flows.entry((connection, sender)).or_default();
        let lane = flow.entry(message.lane).or_default();
        let index = usize::try_from(message.number).ok().and_then(|number| number.checked_sub(1));
        let Some(sent) = index.and_then(|index| lane.sent.get_mut(index)) else {
            return Err("it was never sent".into());
        };
        let name = MessageName { connection, sender, lane: message.lane, number: message.number };
        if message.payload.len() != sent.len {
            return Err(format!("{} bytes were sent, {} came", sent.len, message.payload.len()));
        }
        if message.payload != name.content(sent.len) {
            return Err(format!("its {} bytes are altered", sent.len));
        }
        if message.reliable != sent.reliable {
            return Err(format!("sent with reliable {}, came otherwise", sent.reliable));
        }
        if std::mem::replace(&mut sent.delivered, true) {
            return Err("it came twice".into());
        }
        self.delivered += 1;
        self.outstanding -= u64::from(sent.must_come());
        let mode = self.rules.lanes.get(usize::from(message.lane)).copied().unwrap_or_default();
        let ordered = mode != DeliveryMode::Unordered || !self.rules.unordered_negotiated;
        lane.check_order(message, ordered, mode == DeliveryMode::Sequenced)
    }

    /// Reliable messages of a sender that have not come.
    pub fn outstanding(&self, connection: u32, sender: Side) -> Outstanding {
        let mut outstanding = Outstanding::default();
        for (&lane, flow) in self.flows.get(&(connection, sender)).into_iter().flatten() {
            for (index, sent) in flow.sent.iter().enumerate().skip(flow.ordered_through) {
                if sent.must_come() && !sent.delivered {
                    let number = index as u64 + 1;
                    let name = MessageName { connection, sender, lane, number };
                    outstanding.first.get_or_insert(name);
                    outstanding.messages += 1;
                }
            }
        }
        outstanding
    }

    /// Reliable messages that have not come, of all senders.
    pub fn outstanding_in_all(&self) -> u64 {
        self.outstanding
    }

    /// Messages that came.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Messages sent, of all senders.
    pub fn sent(&self) -> u64 {
        self.flows.values().flat_map(BTreeMap::values).map(|lane| lane.sent.len() as u64).sum()
    }

    /// Connections of which anything was seen.
    pub fn connections(&self) -> impl Iterator<Item = (u32, Side)> + '_ {
        self.flows.keys().copied()
    }
}

impl Lane {
    fn check_order(
        &mut self,
        message: &ReceivedMessage,
        ordered: bool,
        sequenced: bool,
    ) -> Result<(), String> {
        let number = message.number;
        let gap = self.sent.iter().skip(self.ordered_through);
        let whole = gap.take_while(|sent| sent.delivered || !sent.must_come()).count();
        self.ordered_through += whole;
        if message.reliable {
            let newest = self.newest_reliable;
            self.newest_reliable = newest.max(number);
            if ordered && number < newest {
                return Err(format!("it came after message {newest}"));
            }
            if ordered && (self.ordered_through as u64) < number {
                return Err(format!("message {} is missing before it", self.ordered_through + 1));
            }
        } else {
            let newest = self.newest_unreliable;
            self.newest_unreliable = newest.max(number);
            if sequenced && number < newest {
                return Err(format!("it is older than message {newest}, which came before"));
            }
        }
        Ok(())
    }
}

fn who(observed: &Observed) -> String {
    format!("connection {:08x}, at the {:?}", observed.connection, observed.side)
}

#[cfg(test)]
mod tests;
