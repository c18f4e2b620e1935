//! Who runs the service threads' work: threads of our own, or the application in
//! [`crate::Sockets::poll`].

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    core::Core,
    io::Poller,
    options::ThreadHook,
    signal::Signal,
    worker::{Worker, WorkerHandle},
};

/// Whether the application does the work.
#[derive(Debug, Default)]
pub(crate) struct PollMode {
    manual: AtomicBool,
    changed: Signal,
}

impl PollMode {
    pub(crate) fn new(manual: bool) -> Self {
        Self { manual: AtomicBool::new(manual), changed: Signal::default() }
    }

    fn is_manual(&self) -> bool {
        self.manual.load(Ordering::Acquire)
    }
}

/// One service thread's work, and the right to do it.
struct Service {
    worker: Mutex<Worker>,
    handle: Arc<WorkerHandle>,
    mode: Arc<PollMode>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Service {
    fn worker(&self) -> MutexGuard<'_, Worker> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread of our own does: all turns, but for the time in which the application takes
    /// them.
    fn run(&self) {
        loop {
            let idle = || (self.handle.is_stopped() || !self.mode.is_manual()).then_some(());
            let _ = self.mode.changed.wait(None, idle);
            let mut worker = self.worker();
            while !self.mode.is_manual() {
                if worker.turn(None).is_break() {
                    return;
                }
            }
            if self.handle.is_stopped() {
                return;
            }
        }
    }
}

/// All service threads of an instance; ends them when it goes.
#[derive(Debug)]
pub(crate) struct Services {
    services: Vec<Arc<Service>>,
    mode: Arc<PollMode>,
    threads: Vec<JoinHandle<()>>,
}

impl Services {
    /// Starts one thread for each poller.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        core: &Arc<Core>,
        pollers: Vec<Poller>,
        manual: bool,
        hook: Option<&ThreadHook>,
    ) -> std::io::Result<Self> {
        let mode = Arc::new(PollMode::new(manual));
        let mut started = Self { services: Vec::new(), mode: mode.clone(), threads: Vec::new() };
        for (poller, handle) in pollers.into_iter().zip(&core.workers) {
            let worker = Mutex::new(Worker::new(Arc::downgrade(core), handle.clone(), poller));
            let service = Arc::new(Service { worker, handle: handle.clone(), mode: mode.clone() });
            started.services.push(service.clone());
            let hook = hook.cloned();
            let run = move || {
                if let Some(hook) = hook {
                    hook.call();
                }
                service.run();
            };
            started
                .threads
                .push(std::thread::Builder::new().name("gamewire".to_owned()).spawn(run)?);
        }
        Ok(started)
    }

    /// From now on the application does the work, or no longer does.
    pub(crate) fn set_manual(&self, manual: bool) {
        self.mode.manual.store(manual, Ordering::Release);
        self.mode.changed.notify();
        for service in &self.services {
            service.handle.wake();
        }
    }

    /// One turn of each service, each until `latest` at most. Does nothing unless the application
    /// has taken over the work.
    pub(crate) fn poll(&self, core: &Core, max_wait: Duration) {
        if !self.mode.is_manual() {
            return;
        }
        let share = max_wait / u32::try_from(self.services.len()).unwrap_or(u32::MAX).max(1);
        for service in &self.services {
            let share_us = u64::try_from(share.as_micros()).unwrap_or(u64::MAX);
            let latest = core.clock.now().plus_micros(share_us);
            if let ControlFlow::Break(()) = service.worker().turn(Some(latest)) {
                return;
            }
        }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for service in &self.services {
            service.handle.stop();
        }
        self.mode.changed.notify();
        for thread in std::mem::take(&mut self.threads) {
            // The last handle may go on a service thread, which cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a service thread panicked");
            }
        }
    }
}
