//! What every connection of a hub needs.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use gamewire_crypto::TrustStore;
use gamewire_wire::{
    Identity, hub,
    messages::CertificateSigned,
    messages::hub::{
        HubEvent, HubGoAway, HubSignal, hub_certificate_result::Status, hub_event::Body,
    },
};
use prost::Message as _;
use tokio::sync::watch;

use super::{
    authority::{IssueError, Validity},
    config::{HubConfig, Limits},
    metrics::{Drop, Metrics, Outcome},
    registry::{Registry, User},
    sources::Sources,
};
use crate::{
    buckets::Buckets,
    store::{BusMessage, Store},
};

/// Where a hub is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Takes whoever comes.
    Serving,
    /// Sends its clients elsewhere, and takes no new ones.
    Draining {
        /// Within which time they are to go.
        within_ms: u32,
    },
    /// Ends everything.
    Stopping,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: HubConfig,
    pub(super) trust: TrustStore,
    pub(super) store: Arc<dyn Store>,
    pub(super) registry: Registry,
    pub(super) metrics: Metrics,
    pub(super) sources: Sources,
    pub(super) phase: watch::Sender<Phase>,
    rates: Rates,
}

#[derive(Debug)]
struct Rates {
    identity: Mutex<Buckets<User>>,
    pair: Mutex<Buckets<(User, Identity)>>,
    source: Mutex<Buckets<Source>>,
    certificates: Mutex<Buckets<User>>,
}

/// Where somebody comes from, as limits see it: an IPv4 address, or an IPv6 /64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.into()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
        }
    }
}

/// Why a certificate is not to be had.
#[derive(Debug)]
pub(super) struct NoCertificate {
    pub(super) status: Status,
    pub(super) message: String,
}

pub(super) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds since 1970.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Waits until the hub is to stop.
pub(super) async fn stopped(phase: &mut watch::Receiver<Phase>) {
    // An error: the hub is gone altogether.
    let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await.map(|_| ());
}

/// Tells a client to go elsewhere within a time.
pub(super) fn go_away(within_ms: u32) -> Bytes {
    event(Body::GoAway(HubGoAway { reconnect_within_ms: Some(within_ms) }))
}

/// A message to a client.
pub(super) fn event(body: Body) -> Bytes {
    HubEvent { body: Some(body) }.encode_to_vec().into()
}

impl Shared {
    pub(super) fn new(config: HubConfig, trust: TrustStore, store: Arc<dyn Store>) -> Self {
        let Limits { tracked_keys: keys, .. } = config.limits;
        let limits = &config.limits;
        let rates = Rates {
            identity: Mutex::new(Buckets::new(limits.signals_per_identity, keys)),
            pair: Mutex::new(Buckets::new(limits.signals_per_pair, keys)),
            source: Mutex::new(Buckets::new(limits.signals_per_source, keys)),
            certificates: Mutex::new(Buckets::new(limits.certificates_per_identity, keys)),
        };
        let sources = Sources::new(limits);
        let (phase, _) = watch::channel(Phase::Serving);
        let (registry, metrics) = (Registry::default(), Metrics::default());
        Self { config, trust, store, registry, metrics, sources, phase, rates }
    }

    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Takes a signal of a client. False: dropped for a limit.
    ///
    /// Whether anybody gets it makes no difference to the sender: neither in the result, nor in
    /// what the rates count.
    pub(super) fn signal(&self, from: &User, source: Source, signal: HubSignal) -> bool {
        let payload = signal.payload.unwrap_or_default();
        if payload.len() > hub::MAX_SIGNAL_BYTES {
            self.metrics.drop(Drop::oversize);
            return false;
        }
        let to = signal.to_identity.unwrap_or_default();
        let parsed = (to.len() <= hub::MAX_IDENTITY_BYTES).then(|| to.parse::<Identity>());
        let Some(Ok(to)) = parsed else {
            self.metrics.drop(Drop::bad_recipient);
            return true;
        };
        let now = Instant::now();
        let within = guard(&self.rates.source).take(source, now)
            && guard(&self.rates.identity).take(from.clone(), now)
            && guard(&self.rates.pair).take((from.clone(), to.clone()), now);
        if !within {
            self.metrics.drop(Drop::signal_rate);
            return false;
        }
        self.metrics.signals.inc();
        self.route(from, User { app_id: from.app_id, identity: to }, payload);
        true
    }

    fn route(&self, from: &User, to: User, payload: Bytes) {
        let signal = HubSignal {
            to_identity: None,
            from_identity: Some(from.identity.to_string()),
            payload: Some(payload),
        };
        let event = event(Body::Signal(signal));
        let here = self.deliver(&to, &event);
        match self.store.bus() {
            // The user may be connected to others too.
            Some(bus) if bus.publish(&topic(&to), event) => {
                self.metrics.forwarded.inc();
            }
            Some(_) => self.metrics.drop(Drop::bus),
            None if here == 0 => self.metrics.drop(Drop::nobody),
            None => {}
        }
    }

    fn deliver(&self, to: &User, event: &Bytes) -> u64 {
        let (delivered, dropped) = self.registry.deliver(to, event);
        self.metrics.delivered.inc_by(delivered);
        self.metrics.drop_many(Drop::outbox_full, dropped);
        delivered
    }

    /// Takes what another hub sent.
    pub(super) fn on_bus(&self, message: &BusMessage) {
        if let Some(to) = user_of_topic(&message.topic) {
            self.metrics.from_other_hubs.inc();
            self.deliver(&to, &message.payload);
        }
    }

    /// Issues a certificate for somebody who has proven who he is; with its expiry.
    pub(super) fn issue(
        &self,
        user: &User,
        request: &[u8],
    ) -> Result<(CertificateSigned, u64), NoCertificate> {
        let refuse = |status, message: String| {
            self.metrics.certificate(Outcome::refused);
            NoCertificate { status, message }
        };
        let Some(authority) = &self.config.authority else {
            return Err(refuse(Status::NotAvailable, "this hub issues no certificates".to_owned()));
        };
        if !guard(&self.rates.certificates).take(user.clone(), Instant::now()) {
            self.metrics.drop(Drop::certificate_rate);
            return Err(refuse(Status::Busy, "too many certificates lately".to_owned()));
        }
        let validity = Validity {
            now_unix: unix_seconds(),
            lifetime: self.config.certificate_lifetime,
            is_revoked: &|key_id| self.trust.is_revoked(key_id),
        };
        let issued = authority.issue(request, &user.identity, user.app_id, validity);
        let issued =
            issued.map_err(|error: IssueError| refuse(Status::Refused, error.to_string()))?;
        self.metrics.certificate(Outcome::done);
        Ok(issued)
    }
}

/// What signals to a user are sent to between hubs.
pub(super) fn topic(user: &User) -> String {
    format!("signal/{}/{}", user.app_id, user.identity)
}

fn user_of_topic(topic: &str) -> Option<User> {
    let (app_id, identity) = topic.strip_prefix("signal/")?.split_once('/')?;
    Some(User { app_id: app_id.parse().ok()?, identity: identity.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_back() {
        let user = User { app_id: 480, identity: "str:a/b".parse().unwrap() };
        assert_eq!(user_of_topic(&topic(&user)), Some(user));
        for bad in ["", "signal/", "signal/x/str:a", "signal/1/nonsense", "other/1/str:a"] {
            assert_eq!(user_of_topic(bad), None, "{bad}");
        }
    }

    #[test]
    fn sources_are_addresses_or_networks() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }
}
