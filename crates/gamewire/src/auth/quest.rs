//! Getting a certificate from the hub, and the next one before it expires. Sans-IO: time is given.

use std::time::Duration;

use gamewire_proto::Time;

use super::{AuthenticationStatus, Availability, MAX_LOOK_INTERVAL};

/// So long before a certificate expires the next is asked for (relay-network.md §4.9); at half of
/// its life if that is later.
const RENEWAL_MARGIN_S: u64 = 2 * 3600;
/// How long after a failure the hub is asked again.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// When a certificate that was installed at `now_unix` is to be renewed; Unix seconds.
pub(super) const fn renewal_time(now_unix: u64, expiry: u64) -> u64 {
    let lifetime = expiry.saturating_sub(now_unix);
    let half = lifetime / 2;
    let margin = if half < RENEWAL_MARGIN_S { half } else { RENEWAL_MARGIN_S };
    expiry - margin
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Phase {
    /// Nobody needs a certificate.
    NotWanted,
    /// To be asked for once the hub is there; why it has not been so far.
    Waiting { why: Option<String> },
    /// Asked for.
    Attempting,
    /// Failed for now.
    Retrying { at: Time, why: String },
    /// Failed for good, until it is wanted anew.
    Failed { why: String },
    /// There is one, to be renewed at this Unix second.
    Holding { renew_at: Option<u64> },
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Quest {
    has_source: bool,
    phase: Phase,
}

impl Quest {
    pub(super) const fn new(has_source: bool) -> Self {
        Self { has_source, phase: Phase::NotWanted }
    }

    /// A certificate is needed. `held`: there is one that is to be renewed then.
    pub(super) fn want(&mut self, held: Option<u64>) {
        match (&self.phase, held) {
            (Phase::NotWanted, Some(_)) => self.phase = Phase::Holding { renew_at: held },
            (Phase::NotWanted | Phase::Failed { .. }, _) => {
                self.phase = Phase::Waiting { why: None };
            }
            (
                Phase::Waiting { .. }
                | Phase::Attempting
                | Phase::Retrying { .. }
                | Phase::Holding { .. },
                _,
            ) => {}
        }
    }

    /// Nobody needs a certificate any more.
    pub(super) fn reset(&mut self) {
        self.phase = Phase::NotWanted;
    }

    /// A certificate was installed, to be renewed at `renew_at` in Unix seconds.
    pub(super) fn on_installed(&mut self, renew_at: Option<u64>) {
        if self.phase != Phase::NotWanted {
            self.phase = Phase::Holding { renew_at };
        }
    }

    /// The hub let us in. `stale`: it does not believe the certificate that we have.
    pub(crate) fn on_login(&mut self, now: Time, issues_certificates: bool, stale: bool) {
        match &self.phase {
            Phase::NotWanted | Phase::Failed { .. } => {}
            Phase::Holding { .. } if !stale || !issues_certificates => {}
            _ if !issues_certificates => {
                self.phase = Phase::Failed { why: "The hub issues no certificates".to_owned() };
            }
            Phase::Waiting { .. }
            | Phase::Attempting
            | Phase::Retrying { .. }
            | Phase::Holding { .. } => {
                self.phase = Phase::Retrying { at: now, why: "asked for anew".to_owned() };
            }
        }
    }

    /// The hub is not to be had.
    pub(crate) fn on_hub_lost(&mut self, why: &str) {
        match &mut self.phase {
            Phase::Waiting { why: reason } => *reason = Some(why.to_owned()),
            Phase::Attempting => self.phase = Phase::Waiting { why: Some(why.to_owned()) },
            Phase::NotWanted
            | Phase::Retrying { .. }
            | Phase::Failed { .. }
            | Phase::Holding { .. } => {}
        }
    }

    /// The question was asked.
    pub(crate) fn on_asked(&mut self) {
        self.phase = Phase::Attempting;
    }

    /// No certificate this time.
    pub(crate) fn on_failed(&mut self, now: Time, why: String, for_good: bool) {
        if self.phase != Phase::NotWanted {
            self.phase = if for_good {
                Phase::Failed { why }
            } else {
                Phase::Retrying { at: now + RETRY_INTERVAL, why }
            };
        }
    }

    /// Whether to ask now.
    pub(crate) fn is_due(&self, now: Time, now_unix: u64, connected: bool) -> bool {
        let due = match &self.phase {
            Phase::NotWanted | Phase::Attempting | Phase::Failed { .. } => false,
            Phase::Waiting { .. } => true,
            Phase::Retrying { at, .. } => *at <= now,
            Phase::Holding { renew_at } => renew_at.is_some_and(|at| at <= now_unix),
        };
        self.has_source && connected && due
    }

    /// Whether the hub is needed, now or later.
    pub(crate) fn needs_hub(&self) -> bool {
        self.has_source && !matches!(self.phase, Phase::NotWanted | Phase::Failed { .. })
    }

    /// When to ask [`Quest::is_due`] again, if nothing happens before. Renewal goes by the time of
    /// day, which may jump, so it is looked at from time to time.
    pub(crate) fn deadline(&self, now: Time, now_unix: u64) -> Option<Time> {
        match &self.phase {
            Phase::Retrying { at, .. } if *at > now => Some(*at),
            Phase::Holding { renew_at: Some(at) } if self.has_source && *at > now_unix => {
                Some(now + Duration::from_secs(at - now_unix).min(MAX_LOOK_INTERVAL))
            }
            // Asked as soon as the hub is there.
            Phase::NotWanted
            | Phase::Waiting { .. }
            | Phase::Attempting
            | Phase::Retrying { .. }
            | Phase::Failed { .. }
            | Phase::Holding { .. } => None,
        }
    }

    /// Whether there is any hope for another certificate.
    pub(super) fn is_active(&self) -> bool {
        self.needs_hub()
    }

    /// How it stands while there is no good certificate.
    pub(super) fn status(&self) -> AuthenticationStatus {
        let (availability, message) = match &self.phase {
            Phase::NotWanted => (Availability::NeverTried, "No certificate was needed yet"),
            _ if !self.has_source => (
                Availability::CannotTry,
                "No certificate authority is configured; install a certificate",
            ),
            Phase::Waiting { why: None } => (Availability::Waiting, "Waiting for the hub"),
            Phase::Waiting { why: Some(why) } => (Availability::Retrying, why.as_str()),
            Phase::Attempting => (Availability::Attempting, "Asked the hub for a certificate"),
            Phase::Retrying { why, .. } => (Availability::Retrying, why.as_str()),
            Phase::Failed { why } => (Availability::Failed, why.as_str()),
            Phase::Holding { .. } => {
                (Availability::Retrying, "The certificate has expired; asking for another")
            }
        };
        AuthenticationStatus::new(availability, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn availability(quest: &Quest) -> Availability {
        quest.status().availability
    }

    #[test]
    fn from_nothing_to_a_certificate_and_its_renewal() {
        let mut quest = Quest::new(true);
        assert_eq!(availability(&quest), Availability::NeverTried);
        quest.on_login(at(0), true, false);
        assert!(!quest.is_due(at(0), NOW, true), "not wanted");
        quest.want(None);
        assert_eq!(availability(&quest), Availability::Waiting);
        assert!(!quest.is_due(at(0), NOW, false), "no hub yet");
        quest.on_hub_lost("no route");
        assert_eq!(availability(&quest), Availability::Retrying);
        assert!(quest.is_due(at(0), NOW, true));
        quest.on_asked();
        assert_eq!(availability(&quest), Availability::Attempting);
        assert!(!quest.is_due(at(9), NOW, true));
        let renew_at = renewal_time(NOW, NOW + 48 * 3600);
        assert_eq!(renew_at, NOW + 46 * 3600);
        quest.on_installed(Some(renew_at));
        assert!(!quest.is_due(at(9), renew_at - 1, true));
        assert!(quest.is_due(at(9), renew_at, true));
        assert_eq!(quest.deadline(at(9), NOW), Some(at(9) + MAX_LOOK_INTERVAL));
        assert_eq!(quest.deadline(at(9), renew_at - 5), Some(at(14)));
        quest.on_asked();
        quest.on_failed(at(10), "busy".to_owned(), false);
        assert!(!quest.is_due(at(39), renew_at, true));
        assert!(quest.is_due(at(40), renew_at, true));
    }

    #[test]
    fn short_lives_are_renewed_at_half_time() {
        assert_eq!(renewal_time(NOW, NOW + 60), NOW + 30);
        assert_eq!(renewal_time(NOW, NOW + 4 * 3600), NOW + 2 * 3600);
        assert_eq!(renewal_time(NOW, NOW - 5), NOW - 5);
    }

    #[test]
    fn what_failed_for_good_is_tried_again_only_when_wanted_anew() {
        let mut quest = Quest::new(true);
        quest.want(None);
        quest.on_login(at(0), false, false);
        assert_eq!(availability(&quest), Availability::Failed);
        quest.on_login(at(1), true, false);
        assert!(!quest.is_due(at(1), NOW, true));
        assert_eq!(quest.deadline(at(1), NOW), None);
        quest.want(None);
        assert!(quest.is_due(at(1), NOW, true));
        quest.on_failed(at(1), "refused".to_owned(), true);
        assert_eq!(availability(&quest), Availability::Failed);
    }

    #[test]
    fn a_certificate_that_the_hub_does_not_believe_is_replaced() {
        let mut quest = Quest::new(true);
        quest.want(Some(NOW + 99));
        quest.on_login(at(0), true, false);
        assert!(!quest.is_due(at(0), NOW, true));
        quest.on_login(at(0), true, true);
        assert!(quest.is_due(at(0), NOW, true));
    }

    #[test]
    fn without_a_hub_there_is_nobody_to_ask() {
        let mut quest = Quest::new(false);
        quest.want(None);
        assert_eq!(availability(&quest), Availability::CannotTry);
        assert!(!quest.is_due(at(0), NOW, true) && !quest.needs_hub());
    }
}
