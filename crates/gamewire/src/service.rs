//! Who runs the service threads' work: threads of our own, or the application in
//! [`crate::Sockets::poll`].

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    core::Core,
    hub::Edge,
    io::Poller,
    options::ThreadHook,
    worker::{Worker, WorkerHandle},
};

/// One service thread's work, and the right to do it.
struct Service {
    worker: Mutex<Worker>,
    handle: Arc<WorkerHandle>,
    /// The application does it, and a thread of ours has to go.
    manual: AtomicBool,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("manual", &self.manual).finish_non_exhaustive()
    }
}

impl Service {
    fn worker(&self) -> MutexGuard<'_, Worker> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_manual(&self) -> bool {
        self.manual.load(Ordering::Acquire)
    }

    /// What a thread of our own does.
    fn run(&self) {
        let mut worker = self.worker();
        while !self.is_manual() && worker.turn(None).is_continue() {}
    }
}

/// All service threads of an instance; ends them when it goes.
#[derive(Debug)]
pub(crate) struct Services {
    services: Vec<Arc<Service>>,
    hook: Option<ThreadHook>,
    /// Empty while the application does the work.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Services {
    /// One service for each poller, with a thread each unless the application does the work.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        core: &Arc<Core>,
        pollers: Vec<Poller>,
        manual: bool,
        hook: Option<ThreadHook>,
    ) -> std::io::Result<Self> {
        // The first of them looks after the hub too.
        let mut wants_hub = core.hub.is_some();
        let service = |(poller, handle): (Poller, &Arc<WorkerHandle>)| {
            let edge = std::mem::take(&mut wants_hub)
                .then(|| Edge::new(handle.fresh_token(), poller.registrar().clone()));
            let worker = Worker::new(Arc::downgrade(core), handle.clone(), poller, edge);
            let worker = Mutex::new(worker);
            Arc::new(Service { worker, handle: handle.clone(), manual: AtomicBool::new(manual) })
        };
        let services = pollers.into_iter().zip(&core.workers).map(service).collect();
        let services = Self { services, hook, threads: Mutex::default() };
        if !manual {
            services.spawn(&mut services.threads())?;
        }
        Ok(services)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, threads: &mut Vec<JoinHandle<()>>) -> std::io::Result<()> {
        for service in &self.services {
            let (service, hook) = (service.clone(), self.hook.clone());
            let run = move || {
                if let Some(hook) = hook {
                    hook.call();
                }
                service.run();
            };
            threads.push(std::thread::Builder::new().name("gamewire".to_owned()).spawn(run)?);
        }
        Ok(())
    }

    /// From now on the application does the work, or no longer does.
    pub(crate) fn set_manual(&self, manual: bool) {
        let mut threads = self.threads();
        for service in &self.services {
            service.manual.store(manual, Ordering::Release);
            service.handle.wake();
        }
        if manual {
            join(&mut threads);
        } else if threads.is_empty()
            && let Err(error) = self.spawn(&mut threads)
        {
            tracing::error!(%error, "cannot start a service thread again");
        }
    }

    /// One turn of each service, each for its share of the time at most. Does nothing unless the
    /// application has taken over the work.
    pub(crate) fn poll(&self, core: &Core, max_wait: Duration) {
        let share = max_wait / u32::try_from(self.services.len()).unwrap_or(u32::MAX).max(1);
        let share_us = u64::try_from(share.as_micros()).unwrap_or(u64::MAX);
        for service in self.services.iter().filter(|service| service.is_manual()) {
            let latest = core.clock.now().plus_micros(share_us);
            if service.worker().turn(Some(latest)).is_break() {
                return;
            }
        }
    }
}

fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        // A service thread may be the one that does this, and cannot wait for itself.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("a service thread panicked");
        }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for service in &self.services {
            service.handle.stop();
        }
        join(&mut self.threads());
    }
}
