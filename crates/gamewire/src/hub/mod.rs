//! The client's side of the hub: how peers find each other by identity, and where certificates come
//! from.
//!
//! [`machine`] decides, [`websocket`] and [`transport`] carry, [`edge`] runs both on the first
//! service thread, or in the application's own turns. Nothing of it is started before it is needed,
//! and no connection that exists depends on it.

mod accept_key;
mod edge;
mod machine;
mod tls;
mod transport;
mod url;
mod websocket;

pub use machine::{
    HubError, HubState, MAX_QUEUED_SIGNAL_BYTES, MAX_QUEUED_SIGNALS, SIGNAL_LIFETIME,
};

pub(crate) use self::{edge::Edge, machine::CertificateRefusal, tls::roots_from_pem};

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use gamewire_crypto::SystemEntropy;
use gamewire_proto::Time;
use gamewire_wire::Identity;
use rustls::RootCertStore;

use self::{machine::Machine, url::HubUrl};
use crate::{error::OpenError, io::Clock, options::Options, worker::WorkerHandle};

/// How the hub stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HubStatus {
    /// Where the connection stands.
    pub state: HubState,
    /// Since when, on the library's clock.
    pub since: Time,
    /// Why the last connection, or the last attempt at one, ended.
    pub last_error: Option<String>,
    /// Who we are to the hub; `None` while we are not connected.
    pub identity: Option<Identity>,
}

/// The hub of one instance, for every thread.
#[derive(Debug)]
pub(crate) struct HubClient {
    url: HubUrl,
    /// `None`: the system's.
    roots: Option<RootCertStore>,
    clock: Clock,
    worker: Arc<WorkerHandle>,
    machine: Mutex<Machine>,
    ticket: Mutex<Option<Vec<u8>>>,
    /// Somebody changed something that the edge is to look at.
    dirty: AtomicBool,
    /// Every signal that came.
    #[cfg(test)]
    seen: Mutex<Vec<(Identity, Vec<u8>)>>,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HubClient {
    /// The hub that the options name, if they do.
    pub(crate) fn from_options(
        options: &Options,
        clock: Clock,
        worker: &Arc<WorkerHandle>,
    ) -> Result<Option<Self>, OpenError> {
        let Some(text) = &options.hub else { return Ok(None) };
        let url =
            HubUrl::parse(text).map_err(|error| OpenError::Hub(format!("{text}: {error}")))?;
        let roots = options.hub_roots.as_deref().map(tls::roots_from_pem).transpose();
        let roots = roots.map_err(|error| OpenError::Hub(format!("its roots: {error}")))?;
        let machine = Machine::new(clock.now(), Box::new(SystemEntropy));
        Ok(Some(Self {
            url,
            roots,
            clock,
            worker: worker.clone(),
            machine: Mutex::new(machine),
            ticket: Mutex::new(options.hub_ticket.clone()),
            dirty: AtomicBool::new(false),
            #[cfg(test)]
            seen: Mutex::default(),
        }))
    }

    /// Does something with the machine, and has the edge see to what follows.
    fn with<R>(&self, act: impl FnOnce(&mut Machine, Time) -> R) -> R {
        let result = act(&mut guard(&self.machine), self.clock.now());
        self.touch();
        result
    }

    fn touch(&self) {
        self.dirty.store(true, Ordering::Release);
        self.worker.wake();
    }

    /// The hub is needed from now on.
    pub(crate) fn want(&self) {
        if guard(&self.machine).state() == HubState::Idle {
            self.with(Machine::want);
        }
    }

    /// Queues a signal for a peer, and connects if that was not needed before.
    ///
    /// # Errors
    /// See [`HubError`]. No error says nothing about whether the peer gets it.
    pub(crate) fn send_signal(&self, to: &Identity, signal: &[u8]) -> Result<(), HubError> {
        self.with(|machine, now| machine.send_signal(now, to, signal))
    }

    /// The next login is made with this ticket, unless there is a certificate.
    pub(crate) fn set_ticket(&self, ticket: Option<Vec<u8>>) {
        *guard(&self.ticket) = ticket;
        self.with(|machine, now| machine.credentials_changed(now, false));
    }

    /// There is another certificate.
    pub(crate) fn credentials_changed(&self) {
        self.with(|machine, now| machine.credentials_changed(now, false));
    }

    /// Our identity is another now.
    pub(crate) fn identity_changed(&self) {
        self.with(|machine, now| machine.credentials_changed(now, true));
    }

    pub(crate) fn status(&self) -> HubStatus {
        let machine = guard(&self.machine);
        HubStatus {
            state: machine.state(),
            since: machine.since(),
            last_error: machine.last_error().map(ToOwned::to_owned),
            identity: machine.identity().cloned(),
        }
    }
}

#[cfg(test)]
mod tests;
