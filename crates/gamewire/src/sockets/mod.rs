//! One instance of the library: one identity, its connections, its service threads.

mod auth;
mod config;
mod connecting;
mod groups;
mod hub;
mod hub_signals;
mod info;
mod messages;
mod pair;

pub use self::{config::ScopeObject, info::MAX_NAME_BYTES};

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use gamewire_proto::{Time, connection::CloseRequest, end::EndReason};

use crate::{
    auth::{Authentication, ExpiryWatch},
    config::{Scope, ScopeValues},
    core::Core,
    error::OpenError,
    events::{Event, EventQueue},
    handle::{HandleKind, HandleTable},
    hub::HubClient,
    io::{Clock, Poller},
    messages::SessionTable,
    options::Options,
    p2p::Directory,
    service::Services,
    signaling::SignalingMaker,
    slot::Machine,
    worker::WorkerHandle,
};

/// An instance of the library. Clones are handles to the same; the last one to go closes every
/// connection with reason 2999.
///
/// All methods may be called from any thread.
#[derive(Clone, Debug)]
#[doc(alias = "ISteamNetworkingSockets")]
pub struct Sockets {
    pub(crate) core: Arc<Core>,
    running: Arc<Running>,
}

/// Says goodbye to every peer and ends the service threads, with the last handle.
#[derive(Debug)]
struct Running {
    core: Arc<Core>,
    services: Services,
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
        let workers: Vec<Arc<WorkerHandle>> = workers;
        let clock = Clock::of_process();
        // The first worker is there: there is at least one service thread.
        let hub = workers.first().map(|first| HubClient::from_options(&options, clock, first));
        let hub = hub.transpose()?.flatten().map(Arc::new);
        let interface = ScopeValues::child(&options.global_config, Scope::Interface);
        let core = Arc::new(Core {
            clock,
            connections: HandleTable::new(options.handle_space, HandleKind::Connection),
            listen_sockets: HandleTable::new(options.handle_space, HandleKind::ListenSocket),
            poll_groups: HandleTable::new(options.handle_space, HandleKind::PollGroup),
            events: EventQueue::default(),
            global: options.global_config,
            interface,
            auth: RwLock::new(Authentication::new(
                options.identity,
                options.app_id,
                Arc::new(options.trust),
                hub.is_some(),
            )),
            expiry: ExpiryWatch::default(),
            hub,
            peers: Directory::default(),
            messages: SessionTable::default(),
            signaling_maker: RwLock::default(),
            workers,
            links: Mutex::default(),
        });
        let services = Services::start(&core, pollers, options.manual_poll, options.thread_hook)?;
        let running = Running { core: core.clone(), services };
        Ok(Self { core, running: Arc::new(running) })
    }

    /// From now on the application does the service threads' work in [`Sockets::poll`]; or, with
    /// `false`, no longer.
    #[doc(alias = "SetManualPollMode")]
    pub fn set_manual_poll(&self, manual: bool) {
        self.running.services.set_manual(manual);
    }

    /// Does the service threads' work on this thread: receives, fires timers, waits for more at most
    /// `max_wait`. Does nothing unless manual polling is on.
    #[doc(alias = "SteamNetworkingSockets_Poll")]
    pub fn poll(&self, max_wait: Duration) {
        self.running.services.poll(&self.core, max_wait);
    }

    /// Says how connections by identity are signaled for which the application gives no channel;
    /// `None`: by the hub.
    #[doc(alias = "SetGlobalCallback_CreateConnectionSignaling")]
    pub fn set_signaling_maker(&self, make: Option<SignalingMaker>) {
        *self.core.signaling_maker.write().unwrap_or_else(PoisonError::into_inner) = make;
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

    /// The library's clock: microseconds, monotonic, never small, the same for every instance in
    /// the process (api.md §2.1).
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
            if self.core.drive_machine(&slot, |machine, now| machine.close(now, goodbye)) {
                continue;
            }
            if let Machine::Pipe(pipe) = &slot.lock().machine {
                drop(pipe.clone().close(EndReason::APP_EXCEPTION_MAX, goodbye.debug));
            }
        }
    }
}
