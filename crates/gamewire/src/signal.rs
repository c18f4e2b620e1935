//! Telling whoever waits that there is something to look at.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

/// Wakes threads and tasks. Costs one load while nobody waits.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    armed: AtomicBool,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    epoch: u64,
    wakers: Vec<Waker>,
}

impl Signal {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all who wait. What they wait for must be visible already.
    pub(crate) fn notify(&self) {
        if !self.armed.swap(false, Ordering::SeqCst) {
            return;
        }
        let wakers = {
            let mut waiting = self.lock();
            waiting.epoch += 1;
            std::mem::take(&mut waiting.wakers)
        };
        self.changed.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Blocks until `ready` yields something, or until the timeout is over.
    pub(crate) fn wait<T>(
        &self,
        timeout: Option<Duration>,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let epoch = self.lock().epoch;
            self.armed.store(true, Ordering::SeqCst);
            // Looked at after arming, so that nothing slips in between.
            if let Some(value) = ready() {
                return Some(value);
            }
            let waiting = self.lock();
            let asleep = |waiting: &mut Waiting| waiting.epoch == epoch;
            match deadline {
                None => drop(
                    self.changed
                        .wait_while(waiting, asleep)
                        .unwrap_or_else(PoisonError::into_inner),
                ),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    let (guard, result) = self
                        .changed
                        .wait_timeout_while(waiting, left, asleep)
                        .unwrap_or_else(PoisonError::into_inner);
                    drop(guard);
                    if result.timed_out() {
                        return ready();
                    }
                }
            }
        }
    }

    /// Registers a task to be woken at the next [`Signal::notify`]; look again afterwards.
    #[cfg(feature = "async")]
    pub(crate) fn register(&self, waker: &Waker) {
        let mut waiting = self.lock();
        if !waiting.wakers.iter().any(|known| known.will_wake(waker)) {
            waiting.wakers.push(waker.clone());
        }
        drop(waiting);
        self.armed.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU32};

    use super::*;

    #[test]
    fn a_waiting_thread_sees_what_came_before_the_notification() {
        let shared = Arc::new((Signal::default(), AtomicU32::new(0)));
        let other = shared.clone();
        let thread = std::thread::spawn(move || {
            for value in 1..=1000 {
                other.1.store(value, Ordering::SeqCst);
                other.0.notify();
            }
        });
        let seen = shared.0.wait(Some(Duration::from_secs(30)), || {
            let value = shared.1.load(Ordering::SeqCst);
            (value == 1000).then_some(value)
        });
        thread.join().unwrap();
        assert_eq!(seen, Some(1000));
    }

    #[test]
    fn a_timeout_ends_the_wait() {
        let signal = Signal::default();
        assert_eq!(signal.wait(Some(Duration::ZERO), || None::<()>), None);
    }
}
