//! What a hub counts. Labels are words of this program alone, so the series cannot grow.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// How somebody logged in, or tried to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelValue)]
#[allow(non_camel_case_types)]
pub(super) enum Method {
    certificate,
    ticket,
    claim,
    nothing,
}

/// How it went.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelValue)]
#[allow(non_camel_case_types)]
pub(super) enum Outcome {
    done,
    refused,
}

/// Why something was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelValue)]
#[allow(non_camel_case_types)]
pub(super) enum Drop {
    /// Too many connections in all, from one source, or waiting for their login. Raise the limits,
    /// or look for who floods.
    connection_limit,
    /// A source came too often.
    source_rate,
    /// Nobody logged in in time.
    login_timeout,
    /// A connection went silent.
    idle,
    /// A client does not read; the connection was closed.
    write_timeout,
    /// A client reads too slowly; its oldest event went.
    outbox_full,
    /// Not a message of the protocol.
    malformed,
    /// A signal or message longer than allowed.
    oversize,
    /// A signal beyond its rates.
    signal_rate,
    /// A signal to what is no identity.
    bad_recipient,
    /// A signal that is for nobody here, where there are no other hubs.
    nobody,
    /// A message to other hubs that the bus did not take.
    bus,
    /// A certificate asked for too often.
    certificate_rate,
    /// A STUN packet that is none, or that the answer would be longer than.
    stun_malformed,
    /// A STUN packet beyond its rate.
    stun_rate,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Login {
    method: Method,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Dropped {
    reason: Drop,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Certificates {
    outcome: Outcome,
}

/// Every series of a hub.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    logins: Family<Login, Counter>,
    drops: Family<Dropped, Counter>,
    certificates: Family<Certificates, Counter>,
    pub(super) connections: Gauge,
    pub(super) sessions: Gauge,
    pub(super) signals: Counter,
    pub(super) delivered: Counter,
    pub(super) forwarded: Counter,
    pub(super) from_other_hubs: Counter,
    pub(super) stun_answers: Counter,
    pub(super) store_good: Gauge,
    pub(super) draining: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("gamewire_hub");
        let metrics = Self {
            registry: Registry::default(),
            logins: Family::default(),
            drops: Family::default(),
            certificates: Family::default(),
            connections: Gauge::default(),
            sessions: Gauge::default(),
            signals: Counter::default(),
            delivered: Counter::default(),
            forwarded: Counter::default(),
            from_other_hubs: Counter::default(),
            stun_answers: Counter::default(),
            store_good: Gauge::default(),
            draining: Gauge::default(),
        };
        let m = &metrics;
        registry.register("logins", "Logins tried", m.logins.clone());
        registry.register("drops", "What was dropped, by reason", m.drops.clone());
        registry.register("certificates", "Certificates asked for", m.certificates.clone());
        registry.register("connections", "Connections open now", m.connections.clone());
        registry.register("sessions", "Clients logged in now", m.sessions.clone());
        registry.register("signals", "Signals taken from clients", m.signals.clone());
        registry.register("delivered", "Signals handed to a connection", m.delivered.clone());
        registry.register("forwarded", "Signals handed to the bus", m.forwarded.clone());
        registry.register("from_other_hubs", "Signals from the bus", m.from_other_hubs.clone());
        registry.register("stun_answers", "STUN requests answered", m.stun_answers.clone());
        registry.register("store_good", "1: the store can be used", m.store_good.clone());
        registry.register("draining", "1: no new sessions are taken", m.draining.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    pub(super) fn login(&self, method: Method, outcome: Outcome) {
        self.logins.get_or_create(&Login { method, outcome }).inc();
    }

    pub(super) fn drop(&self, reason: Drop) {
        self.drop_many(reason, 1);
    }

    pub(super) fn drop_many(&self, reason: Drop, count: u64) {
        if count > 0 {
            self.drops.get_or_create(&Dropped { reason }).inc_by(count);
        }
    }

    pub(super) fn certificate(&self, outcome: Outcome) {
        self.certificates.get_or_create(&Certificates { outcome }).inc();
    }

    /// The text that Prometheus reads.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("the metrics cannot be written");
        }
        text
    }
}
