//! Which pair is used: nomination, consent, and what happens when it falls silent.

use std::time::Duration;

use gamewire_proto::Time;

use super::{
    Agent, Base, IceEvent, PairState, Role, RouteKind, TraceStep,
    checklist::PairKey,
    checks::RESERVE_INTERVAL,
    pair::{Nomination, Pair},
};
use crate::stun::TransactionId;

/// Shortest time between checks of the pair in use, which renew the peer's consent (RFC 7675 §5.1).
pub const CONSENT_INTERVAL: Duration = Duration::from_secs(4);

/// What chance adds to it at most.
pub const CONSENT_JITTER: Duration = Duration::from_secs(2);

/// From so many unanswered sendings on, pairs in reserve are asked whether they still work.
const SENDS_UNTIL_DOUBT: u32 = 2;

/// From so many on, one in reserve that has answered since takes over.
const SENDS_UNTIL_SWITCH: u32 = 3;

/// When a pair that failed is tried again while a relay is in use; then after twice that time, and so
/// on, [`MAX_DOUBLINGS`] times.
pub const UPGRADE_INTERVAL: Duration = Duration::from_secs(5);

/// See [`UPGRADE_INTERVAL`].
pub const MAX_DOUBLINGS: u32 = 5;

/// How long a pair that fell silent is used only where no other works.
pub const SHUNNED: Duration = Duration::from_secs(10);

impl Agent {
    /// When a pair wants something by itself: one that works its next check, one that failed its next
    /// try. While there is a route, only what would be better than a relay is tried, ever less often.
    pub(super) fn next_of(&self, pair: &Pair) -> Option<Time> {
        let selected = self.selected.and_then(|key| self.checklist.pair(key));
        let next = match (pair.state, selected) {
            (PairState::Succeeded, _) => (!pair.is_checking()).then_some(pair.next),
            (PairState::Failed, None) => Some(pair.next),
            (PairState::Failed, Some(selected)) => {
                let doublings = pair.unanswered.clamp(1, MAX_DOUBLINGS) - 1;
                let better = selected.route == RouteKind::Relayed && pair.route_rank() > 0;
                better.then_some(pair.next + UPGRADE_INTERVAL * (1 << doublings))
            }
            (PairState::Waiting | PairState::InProgress, _) => None,
        };
        next.filter(|_| self.is_ready(pair.key()))
    }

    /// A pair was answered: when it is checked again.
    pub(super) fn schedule(&mut self, now: Time, key: PairKey, id: TransactionId) {
        let selected = self.selected == Some(key);
        if let Some(pair) = self.checklist.pair_mut(key) {
            pair.next = now + if selected { consent_interval(id) } else { RESERVE_INTERVAL };
        }
    }

    /// Checks pairs that work and were not checked for some time, and tries failed ones again.
    pub(super) fn keep_alive(&mut self, now: Time) {
        let due = |pair: &&Pair| self.next_of(pair).is_some_and(|next| next <= now);
        let keys: Vec<_> =
            self.checklist.iter().filter(due).map(|pair| (pair.key(), pair.is_valid())).collect();
        for (key, valid) in keys {
            if valid {
                self.send_check(now, key);
            } else if let Some(pair) = self.checklist.pair_mut(key) {
                pair.state = PairState::Waiting;
            }
        }
    }

    /// Everything that failed is tried again.
    pub(super) fn retry_failed(&mut self, now: Time) {
        for pair in self.checklist.iter_mut().filter(|pair| pair.state == PairState::Failed) {
            pair.state = PairState::Waiting;
            pair.next = now;
        }
    }

    /// A check of ours was answered.
    pub(super) fn on_valid(&mut self, now: Time, key: PairKey, nominated: bool) {
        match self.config.role {
            Role::Controlling => {
                if nominated && self.nominee == Some(key) {
                    self.agree(now, key);
                }
            }
            Role::Controlled => {
                let asked = |pair: &Pair| pair.nomination == Nomination::Asked;
                if self.checklist.pair(key).is_some_and(asked) {
                    self.agree(now, key);
                }
            }
        }
        self.consider(now);
        self.follow(now, key);
        self.leave_silent(now);
    }

    /// The peer's data came from a new address, which now is checked: if nothing came from the old
    /// one since, the peer, or a NAT before it, has moved.
    fn follow(&mut self, now: Time, key: PairKey) {
        let Some((_, since)) = self.moved.take_if(|(to, _)| *to == key) else {
            return;
        };
        let former = self.selected.filter(|&former| former != key);
        let Some(pair) = former.and_then(|former| self.checklist.pair_mut(former)) else {
            return;
        };
        if pair.heard.is_none_or(|heard| heard < since) {
            pair.shunned_until = Some(now + SHUNNED);
            self.fall_back(now, key);
        }
    }

    /// A check of the peer's asks for this pair. The same check again asks for nothing new, so that
    /// a late one cannot bring back an older choice.
    pub(super) fn on_nominated(&mut self, now: Time, key: PairKey, id: TransactionId) {
        if self.config.role == Role::Controlling {
            return;
        }
        let Some(pair) = self.checklist.pair_mut(key) else {
            return;
        };
        if pair.nominated_by.replace(id) == Some(id) {
            return;
        }
        if pair.is_valid() {
            self.agree(now, key);
            return;
        }
        for pair in self.checklist.iter_mut() {
            let this = pair.key() == key;
            if this || pair.nomination == Nomination::Asked {
                pair.nomination = if this { Nomination::Asked } else { Nomination::None };
            }
        }
    }

    /// Both sides know that this pair is to be used.
    fn agree(&mut self, now: Time, key: PairKey) {
        for pair in self.checklist.iter_mut() {
            pair.nomination = if pair.key() == key { Nomination::Agreed } else { Nomination::None };
        }
        if self.selected == Some(key) {
            return;
        }
        self.output.trace(now, TraceStep::Nominated(self.path(key)));
        // The peer hears us there, or it would not ask; but we do not hear it.
        let shunned = self.checklist.pair(key).is_some_and(|pair| pair.is_shunned(now));
        if self.selected.is_none() || !shunned {
            self.select(now, key);
        }
    }

    fn select(&mut self, now: Time, key: PairKey) {
        if self.selected == Some(key) {
            return;
        }
        self.selected = Some(key);
        self.announce(now, key);
        if let Base::Relay(id) = key.0
            && let Some(relay) = self.relays.relay_mut(id)
        {
            relay.client.bind_channel(now, key.1);
        }
        if let Some(pair) = self.checklist.pair_mut(key) {
            pair.next = now + CONSENT_INTERVAL;
        }
    }

    /// Tells the driver which path is in use.
    pub(super) fn announce(&mut self, now: Time, key: PairKey) {
        let path = self.path(key);
        self.output.trace(now, TraceStep::Selected(path));
        self.output.event(IceEvent::Selected(path));
    }

    /// Controlling side: nominates the first pair that works, and later each that is better.
    pub(super) fn consider(&mut self, now: Time) {
        if self.config.role == Role::Controlled {
            return;
        }
        let Some(best) = self.checklist.best_valid(now) else {
            return;
        };
        let (key, rank) = (best.key(), best.rank(now));
        let current = self.nominee.and_then(|key| self.checklist.pair(key));
        if current.is_some_and(|current| current.key() == key || current.rank(now) >= rank) {
            return;
        }
        self.nominate(now, key);
    }

    fn nominate(&mut self, now: Time, key: PairKey) {
        if let Some(former) = self.nominee.and_then(|former| self.checklist.pair_mut(former)) {
            former.forget_nomination();
        }
        self.nominee = Some(key);
        if let Some(pair) = self.checklist.pair_mut(key) {
            pair.nomination = Nomination::Asked;
        }
        self.output.trace(now, TraceStep::Nominating(self.path(key)));
        self.checklist.trigger_first(key);
        // It works both ways, so nothing is gained by waiting until the peer agrees
        // (RFC 8445 §12.1); a better one is waited for, since there is one in use.
        if self.selected.is_none() {
            self.select(now, key);
        }
    }

    /// A check had to be sent again. If it was of the pair in use, those in reserve are asked.
    pub(super) fn on_silence(&mut self, now: Time, key: PairKey) {
        if self.selected != Some(key) {
            return;
        }
        let silence = self.checklist.pair(key).and_then(Pair::silence);
        if silence.is_some_and(|(sends, _)| sends == SENDS_UNTIL_DOUBT) {
            let reserve =
                |pair: &&Pair| pair.is_valid() && !pair.is_checking() && pair.key() != key;
            let keys: Vec<_> = self.checklist.iter().filter(reserve).map(Pair::key).collect();
            keys.into_iter().for_each(|key| self.send_check(now, key));
            self.relays.probe(now);
        }
        self.leave_silent(now);
    }

    /// If the pair in use is silent and another has answered since, that one is used.
    fn leave_silent(&mut self, now: Time) {
        let Some(key) = self.selected else {
            return;
        };
        let Some(pair) = self.checklist.pair(key) else {
            return;
        };
        let Some((sends, since)) = pair.silence() else {
            return;
        };
        let heard = pair.heard.is_some_and(|heard| heard > since);
        if sends < SENDS_UNTIL_SWITCH || heard {
            return;
        }
        let answered = |pair: &&Pair| {
            pair.is_valid() && pair.key() != key && pair.answered.is_some_and(|at| at >= since)
        };
        let better = self.checklist.iter().filter(answered).max_by_key(|pair| pair.rank(now));
        if let Some(other) = better.map(Pair::key) {
            if let Some(pair) = self.checklist.pair_mut(key) {
                pair.shunned_until = Some(now + SHUNNED);
            }
            self.fall_back(now, other);
        }
    }

    /// Uses another pair at once. The controlling side makes it official.
    fn fall_back(&mut self, now: Time, key: PairKey) {
        self.select(now, key);
        if self.config.role == Role::Controlling && self.nominee != Some(key) {
            self.nominate(now, key);
        }
    }

    /// The pair in use failed or is gone.
    pub(super) fn lost(&mut self, now: Time, key: PairKey) {
        let path = self.path(key);
        self.selected = None;
        self.output.trace(now, TraceStep::RouteLost(path));
        self.made_progress(now);
        // What was asked meanwhile and did not answer is no way out.
        let silent =
            |pair: &Pair| pair.silence().is_some_and(|(sends, _)| sends >= SENDS_UNTIL_SWITCH);
        let others = self.checklist.iter().filter(|pair| pair.is_valid() && !silent(pair));
        if let Some(other) = others.max_by_key(|pair| pair.rank(now)).map(Pair::key) {
            self.fall_back(now, other);
            return;
        }
        self.output.event(IceEvent::RouteLost);
        self.relays.probe(now);
        self.retry_failed(now);
    }
}

/// Between four and six seconds, by chance (RFC 7675 §5.1).
fn consent_interval(id: TransactionId) -> Duration {
    CONSENT_INTERVAL + CONSENT_JITTER * u32::from(id.0[0]) / 256
}
