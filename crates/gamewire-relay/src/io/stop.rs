//! Being told to stop.

use std::sync::atomic::{AtomicU32, Ordering};

static REQUESTS: AtomicU32 = AtomicU32::new(0);

extern "C" fn note(_signal: libc::c_int) {
    REQUESTS.fetch_add(1, Ordering::Relaxed);
}

/// From now on SIGTERM and SIGINT are counted instead of ending the process.
pub fn watch_stop_signals() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the handler touches one atomic number, which is allowed in a handler.
        unsafe { libc::signal(signal, note as *const () as libc::sighandler_t) };
    }
}

/// How often the process was told to stop.
pub fn stop_requested() -> u32 {
    REQUESTS.load(Ordering::Relaxed)
}
