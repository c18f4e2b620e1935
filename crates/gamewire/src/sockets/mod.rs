//! One instance of the library: one identity, its connections, its service threads.

mod auth;
mod config;
mod connecting;
mod groups;
mod info;
mod messages;
mod pair;

pub use self::{config::ScopeObject, info::MAX_NAME_BYTES};

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread::JoinHandle,
    time::Duration,
};

use gamewire_proto::{Time, connection::CloseRequest, end::EndReason};

use crate::{
    auth::{Authentication, ExpiryWatch},
    config::{Scope, ScopeValues},
    core::Core,
    error::OpenError,
    events::{Event, EventQueue},
    handle::HandleTable,
    io::{Clock, Poller},
    options::Options,
    slot::Machine,
    worker::{Worker, WorkerHandle},
};

/// An instance of the library. Clones are handles to the same; the last one to go closes every
/// connection with reason 2999.
///
/// All methods may be called from any thread.
#[derive(Clone, Debug)]
#[doc(alias = "ISteamNetworkingSockets")]
pub struct Sockets {
    pub(crate) core: Arc<Core>,
    _running: Arc<Running>,
}

/// Ends the service threads with the last handle.
#[derive(Debug)]
struct Running {
    core: Arc<Core>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Sockets {
    /// Starts an instance.
    ///
    /// # Errors
    /// The system gives no thread or poller.
    pub fn new(options: Options) -> Result<Self, OpenError> {
        let pollers = (0..options.service_threads.max(1))
            .map(|_| Poller::new())
            .collect::<Result<Vec<_>, _>>()?;
        let workers =
            pollers.iter().map(|p| Arc::new(WorkerHandle::new(p.waker().clone()))).collect();
        let interface = ScopeValues::child(&options.global_config, Scope::Interface);
        let core = Arc::new(Core {
            clock: Clock::new(),
            connections: HandleTable::new(),
            listen_sockets: HandleTable::new(),
            poll_groups: HandleTable::new(),
            events: EventQueue::default(),
            global: options.global_config,
            interface,
            auth: RwLock::new(Authentication::new(
                options.identity,
                options.app_id,
                Arc::new(options.trust),
            )),
            expiry: ExpiryWatch::default(),
            workers,
            links: Mutex::default(),
        });
        let mut threads = Vec::new();
        for (poller, handle) in pollers.into_iter().zip(&core.workers) {
            let worker = Worker::new(Arc::downgrade(&core), handle.clone(), poller);
            let thread = std::thread::Builder::new()
                .name("gamewire".to_owned())
                .spawn(move || worker.run())?;
            threads.push(thread);
        }
        let running = Running { core: core.clone(), threads: Mutex::new(threads) };
        Ok(Self { core, _running: Arc::new(running) })
    }

    /// The next event, if one waits.
    pub fn poll_event(&self) -> Option<Event> {
        self.core.events.pop()
    }

    /// The events that wait, oldest first. The iterator ends when none is left.
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        std::iter::from_fn(|| self.poll_event())
    }

    /// The next event, waited for at most `timeout`; `None` as timeout waits for ever.
    pub fn wait_event(&self, timeout: Option<Duration>) -> Option<Event> {
        self.core.events.signal.wait(timeout, || self.poll_event())
    }

    /// Hands each event that waits to `callback`, on this thread.
    #[doc(alias = "RunCallbacks")]
    pub fn run_callbacks(&self, mut callback: impl FnMut(&Self, Event)) {
        for event in self.events() {
            callback(self, event);
        }
    }

    /// The library's clock: microseconds, monotonic, never small (api.md §2.1).
    #[doc(alias = "GetLocalTimestamp")]
    pub fn local_timestamp(&self) -> Time {
        self.core.clock.now()
    }
}

impl Core {
    pub(crate) fn authentication(&self) -> RwLockReadGuard<'_, Authentication> {
        self.auth.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn authentication_mut(&self) -> RwLockWriteGuard<'_, Authentication> {
        self.auth.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for slot in self.core.connections.all() {
            let goodbye = CloseRequest {
                reason: EndReason::APP_EXCEPTION_MAX.0,
                debug: "The library was shut down",
                linger: false,
            };
            let pipe = match &slot.lock().machine {
                Machine::Pipe(pipe) => Some(pipe.clone()),
                Machine::Udp(_) => None,
            };
            match pipe {
                Some(pipe) => drop(pipe.close(EndReason::APP_EXCEPTION_MAX, goodbye.debug)),
                None => drop(self.core.drive(&slot, |machine, now| machine.close(now, goodbye))),
            }
        }
        for worker in &self.core.workers {
            worker.stop();
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // The last handle may go on a service thread, which cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a service thread panicked");
            }
        }
    }
}
