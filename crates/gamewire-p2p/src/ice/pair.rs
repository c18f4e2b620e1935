//! A pair of addresses and its checks.

use std::{net::SocketAddr, time::Duration};

use gamewire_proto::Time;

use super::{Base, CandidateKind, PairState, RouteKind};
use crate::stun::{Retransmission, TransactionId};

/// Most checks of a pair whose responses are still awaited; late responses to older ones are lost.
pub const MAX_CHECKS: usize = 4;

/// Most whole checks in a row without an answer though the peer is heard: after one more it seems that
/// the path leads one way only.
pub const MAX_UNANSWERED: u32 = 2;

/// A check under way, or one whose response may still come.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) id: TransactionId,
    pub(super) nominates: bool,
    started: Time,
    /// Whether it was sent once only, so that the response tells the round trip.
    sent_once: bool,
    retransmission: Retransmission,
    /// Sent again while true. One that was replaced or has failed only waits for a late response.
    active: bool,
}

/// How sure a nomination is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nomination {
    /// Nobody asked for it.
    None,
    /// The controlling side asked, and the pair is not valid yet or its response has not come.
    Asked,
    /// Both know.
    Agreed,
}

/// What a response told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub(super) nominates: bool,
    /// Since the check was sent; none if it was sent several times, as it is unclear then which one
    /// was answered.
    pub(super) rtt: Option<Duration>,
}

/// What became of a check whose time had come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    SendAgain(TransactionId, bool),
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) base: Base,
    pub(super) remote: SocketAddr,
    pub(super) remote_kind: CandidateKind,
    pub(super) route: RouteKind,
    pub(super) priority: u64,
    pub(super) state: PairState,
    pub(super) nomination: Nomination,
    pub(super) smoothed_rtt: Option<Duration>,
    checks: Vec<Check>,
    /// When something authenticated came last.
    pub(super) heard: Option<Time>,
    /// When a response came last.
    pub(super) answered: Option<Time>,
    /// When a pair that works is checked next, or one that failed tried again.
    pub(super) next: Time,
    /// Until when other pairs are preferred, because this one fell silent while selected.
    pub(super) shunned_until: Option<Time>,
    /// The nominating check seen last, so that its repetitions are no new nominations.
    pub(super) nominated_by: Option<TransactionId>,
    /// Whole checks without an answer since the last one.
    pub(super) unanswered: u32,
    /// Whether it ever failed: then nothing is left to hope for.
    pub(super) tried: bool,
}

impl Pair {
    pub(super) fn new(base: Base, remote: SocketAddr, now: Time) -> Self {
        Self {
            base,
            remote,
            remote_kind: CandidateKind::PeerReflexive,
            route: RouteKind::Direct,
            priority: 0,
            state: PairState::Waiting,
            nomination: Nomination::None,
            smoothed_rtt: None,
            checks: Vec::new(),
            heard: None,
            answered: None,
            next: now,
            shunned_until: None,
            nominated_by: None,
            unanswered: 0,
            tried: false,
        }
    }

    /// What names it.
    pub(super) fn key(&self) -> (Base, SocketAddr) {
        (self.base, self.remote)
    }

    pub(super) fn is_valid(&self) -> bool {
        self.state == PairState::Succeeded
    }

    /// Which of two pairs is better: local before direct before relayed, then the priority
    /// (wire.md §9). A shunned one is the worst of all.
    pub(super) fn rank(&self, now: Time) -> (bool, u8, u64) {
        (!self.is_shunned(now), self.route_rank(), self.priority)
    }

    /// Whether it is used only where no other works.
    pub(super) fn is_shunned(&self, now: Time) -> bool {
        self.shunned_until.is_some_and(|until| now < until)
    }

    /// The higher the nearer.
    pub(super) fn route_rank(&self) -> u8 {
        match self.route {
            RouteKind::Local => 2,
            RouteKind::Direct => 1,
            RouteKind::Relayed => 0,
        }
    }

    /// A new check leaves. The one before is not sent again, but its response still counts.
    pub(super) fn start_check(&mut self, now: Time, id: TransactionId, nominates: bool) {
        self.checks.iter_mut().for_each(|check| check.active = false);
        if self.checks.len() >= MAX_CHECKS {
            self.checks.remove(0);
        }
        let retransmission = Retransmission::start(now);
        let check =
            Check { id, nominates, started: now, sent_once: true, retransmission, active: true };
        self.checks.push(check);
        if self.state != PairState::Succeeded {
            self.state = PairState::InProgress;
        }
    }

    /// When the check under way is due.
    pub(super) fn due(&self) -> Option<Time> {
        self.active().map(|check| check.retransmission.due())
    }

    fn active(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.active)
    }

    /// Whether a check is under way.
    pub(super) fn is_checking(&self) -> bool {
        self.active().is_some()
    }

    /// How often the check under way was sent without an answer, and since when.
    pub(super) fn silence(&self) -> Option<(u32, Time)> {
        self.active().map(|check| (check.retransmission.sends(), check.started))
    }

    /// Nominations of this pair are void; what is under way is not sent again as one.
    pub(super) fn forget_nomination(&mut self) {
        self.nomination = Nomination::None;
        for check in self.checks.iter_mut().filter(|check| check.nominates) {
            check.active = false;
            check.nominates = false;
        }
        if self.state == PairState::InProgress && !self.is_checking() {
            self.state = PairState::Waiting;
        }
    }

    /// Whether the peer was heard since the check that failed began, so that loss explains it.
    pub(super) fn is_worth_another_check(&self) -> bool {
        let since = self.checks.last().map(|check| check.started);
        self.unanswered <= MAX_UNANSWERED
            && self.heard.zip(since).is_some_and(|(at, since)| at > since)
    }

    /// The check under way is due.
    pub(super) fn on_due(&mut self, now: Time) -> Option<Due> {
        let check = self.checks.iter_mut().find(|check| check.active)?;
        if check.retransmission.due() > now {
            return None;
        }
        if check.retransmission.on_due(now) {
            check.sent_once = false;
            return Some(Due::SendAgain(check.id, check.nominates));
        }
        check.active = false;
        self.unanswered += 1;
        Some(Due::Failed)
    }

    /// Whether a response with this id is awaited.
    pub(super) fn awaits(&self, id: TransactionId) -> bool {
        self.checks.iter().any(|check| check.id == id)
    }

    /// A good response came. Checks sent before the answered one have done their work too.
    pub(super) fn on_answer(&mut self, now: Time, id: TransactionId) -> Option<Answer> {
        let index = self.checks.iter().position(|check| check.id == id)?;
        let check = self.checks.drain(..=index).next_back()?;
        // Nothing is left to be found out, unless it nominates.
        self.checks.iter_mut().for_each(|other| other.active &= other.nominates);
        let rtt = check.sent_once.then(|| now.since(check.started));
        if let Some(sample) = rtt {
            // As RFC 9002 §5.3 smooths.
            let smoothed = self.smoothed_rtt.map_or(sample, |old| (old * 7 + sample) / 8);
            self.smoothed_rtt = Some(smoothed);
        }
        self.state = PairState::Succeeded;
        self.answered = Some(now);
        self.heard = Some(now);
        self.unanswered = 0;
        Some(Answer { nominates: check.nominates, rtt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ice::SocketId, stun::RESPONSE_TIMEOUT};

    const T0: Time = Time::from_micros(1_000_000);

    fn pair() -> Pair {
        let remote = "10.0.0.2:2".parse().unwrap();
        Pair::new(Base::Socket(SocketId(0)), remote, T0)
    }

    fn id(number: u8) -> TransactionId {
        TransactionId([number; 12])
    }

    #[test]
    fn a_replaced_check_is_still_answered_but_not_sent_again() {
        let mut pair = pair();
        pair.start_check(T0, id(1), false);
        pair.start_check(T0, id(2), true);
        let later = T0 + Duration::from_millis(400);
        assert_eq!(pair.on_due(later), Some(Due::SendAgain(id(2), true)));
        assert_eq!(pair.on_due(later), None);
        let answer = pair.on_answer(later, id(1)).unwrap();
        assert_eq!(answer, Answer { nominates: false, rtt: Some(later.since(T0)) });
        assert!(pair.is_valid() && pair.is_checking());
        // Sent twice: no sample.
        assert_eq!(pair.on_answer(later, id(2)), Some(Answer { nominates: true, rtt: None }));
        assert_eq!(pair.on_answer(later, id(2)), None);
        assert!(!pair.is_checking());
    }

    #[test]
    fn the_answer_to_a_later_check_makes_earlier_ones_void() {
        let mut pair = pair();
        pair.start_check(T0, id(1), false);
        pair.start_check(T0, id(2), false);
        assert!(pair.on_answer(T0, id(2)).is_some());
        assert!(!pair.awaits(id(1)));
    }

    #[test]
    fn a_check_fails_after_five_sends_and_a_late_answer_revives_it() {
        let mut pair = pair();
        pair.start_check(T0, id(1), false);
        let mut sends = 1;
        let now = loop {
            let now = pair.due().unwrap();
            match pair.on_due(now).unwrap() {
                Due::SendAgain(..) => sends += 1,
                Due::Failed => break now,
            }
        };
        assert_eq!((sends, now.since(T0)), (5, RESPONSE_TIMEOUT));
        pair.state = PairState::Failed;
        assert_eq!(pair.due(), None);
        assert!(pair.on_answer(now, id(1)).is_some());
        assert!(pair.is_valid());
    }

    #[test]
    fn few_checks_are_remembered() {
        let mut pair = pair();
        for number in 0..10 {
            pair.start_check(T0, id(number), false);
        }
        assert_eq!(pair.checks.len(), MAX_CHECKS);
        assert!(!pair.awaits(id(5)) && pair.awaits(id(6)));
    }

    #[test]
    fn a_nomination_taken_back_is_not_sent_again() {
        let mut pair = pair();
        pair.start_check(T0, id(1), true);
        pair.forget_nomination();
        assert_eq!(pair.due(), None);
        assert_eq!(pair.state, PairState::Waiting);
        assert_eq!(pair.on_answer(T0, id(1)).map(|answer| answer.nominates), Some(false));
    }
}
