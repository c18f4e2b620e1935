//! When signals go, and the items in them that must arrive.

use std::{collections::VecDeque, time::Duration};

use gamewire_proto::Time;
use gamewire_wire::messages::{
    IceCandidate, IceRendezvous, ice_rendezvous::Auth, p2p_rendezvous::ReliableMessage,
};
use prost::Message as _;

/// A signal follows so long after there is something to say, so that more can join it.
const GATHER_FOR: Duration = Duration::from_millis(10);

/// Least time between two signals of one connection.
const MIN_SPACING: Duration = Duration::from_millis(100);

/// Reliable items go again if they were not acknowledged for so long.
const RETRANSMIT_AFTER: Duration = Duration::from_secs(1);

/// A signal takes further reliable items only below this size, in bytes: channels are often made for
/// small messages.
const SOFT_LIMIT_BYTES: usize = 800;

/// Items that wait for their acknowledgement; an agent has far fewer candidates.
const MAX_UNACKED: usize = 128;

/// Something that the peer must learn.
#[derive(Clone, PartialEq, Debug)]
struct Item {
    message: ReliableMessage,
    sent: Option<Time>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct SignalQueue {
    /// Items from number [`SignalQueue::first`] on, not yet acknowledged.
    items: VecDeque<Item>,
    /// Items acknowledged so far.
    acked: u32,
    /// The last item of the peer's that came in order.
    received: u32,
    due: Option<Time>,
    last_sent: Option<Time>,
}

impl SignalQueue {
    /// Adds the password of our agent.
    pub(super) fn push_password(&mut self, now: Time, password: String) {
        let auth = Auth { pwd_frag: Some(password) };
        self.push(now, IceRendezvous { auth: Some(auth), ..IceRendezvous::default() });
    }

    /// Adds a candidate of our agent.
    pub(super) fn push_candidate(&mut self, now: Time, line: String) {
        let candidate = IceCandidate { candidate: Some(line) };
        self.push(
            now,
            IceRendezvous { add_candidate: Some(candidate), ..IceRendezvous::default() },
        );
    }

    fn push(&mut self, now: Time, ice: IceRendezvous) {
        if self.items.len() == MAX_UNACKED {
            // Only a peer that acknowledges nothing for minutes gets here; it is lost anyway.
            return;
        }
        self.items.push_back(Item { message: ReliableMessage { ice: Some(ice) }, sent: None });
        self.schedule(now);
    }

    /// There is something to say: soon.
    pub(super) fn schedule(&mut self, now: Time) {
        self.schedule_at(now + GATHER_FOR);
    }

    /// There is something to say at this time or before.
    pub(super) fn schedule_at(&mut self, at: Time) {
        let at = self.last_sent.map_or(at, |last| at.max(last + MIN_SPACING));
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// The first signal waits for more until this time.
    pub(super) fn postpone(&mut self, at: Time) {
        self.due = Some(at);
    }

    /// The same goes again, if nothing makes another signal go before.
    pub(super) fn schedule_again(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// The first signal need not wait any longer.
    pub(super) fn hurry(&mut self, now: Time) {
        if self.due.is_some_and(|due| due > now) && self.last_sent.is_none() {
            self.due = Some(now);
        }
    }

    /// When a signal goes.
    pub(super) fn deadline(&self) -> Option<Time> {
        let again = self.items.iter().filter_map(|item| item.sent).min();
        let again = again.map(|sent| sent + RETRANSMIT_AFTER);
        self.due.into_iter().chain(again).min()
    }

    /// Whether a signal is to go now.
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// The last item of the peer's that we have.
    pub(super) fn received(&self) -> u32 {
        self.received
    }

    /// A signal of this size goes now: the number of the first item in it, and the items.
    pub(super) fn take(&mut self, now: Time, size: usize) -> (u32, Vec<ReliableMessage>) {
        self.due = None;
        self.last_sent = Some(now);
        let wanted = |item: &Item| item.sent.is_none_or(|sent| sent + RETRANSMIT_AFTER <= now);
        let Some(start) = self.items.iter().position(wanted) else { return (0, Vec::new()) };
        let mut size = size;
        let mut messages = Vec::new();
        for item in self.items.iter_mut().skip(start) {
            size += item.message.encoded_len() + 3;
            if !messages.is_empty() && size > SOFT_LIMIT_BYTES {
                break;
            }
            item.sent = Some(now);
            messages.push(item.message.clone());
        }
        if start + messages.len() < self.items.len() {
            self.schedule(now);
        }
        let first = self.acked + 1 + u32::try_from(start).unwrap_or(u32::MAX);
        (first, messages)
    }

    /// The peer has everything up to this number.
    pub(super) fn on_ack(&mut self, number: u32) {
        // What was never sent cannot have arrived.
        let sent = self.items.iter().take_while(|item| item.sent.is_some()).count();
        let acked = (number.saturating_sub(self.acked) as usize).min(sent);
        self.items.drain(..acked);
        self.acked += u32::try_from(acked).unwrap_or(0);
    }

    /// Items of the peer's came: those that are new and in order. What leaves a gap is ignored, and
    /// comes again.
    pub(super) fn on_items(
        &mut self,
        now: Time,
        first: u32,
        items: &[ReliableMessage],
    ) -> Vec<ReliableMessage> {
        if items.is_empty() {
            return Vec::new();
        }
        self.schedule(now);
        if first == 0 || first > self.received.saturating_add(1) {
            return Vec::new();
        }
        let known = (self.received + 1 - first) as usize;
        let new: Vec<_> = items.iter().skip(known).cloned().collect();
        self.received += u32::try_from(new.len()).unwrap_or(0);
        new
    }
}
