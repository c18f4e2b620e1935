//! Names to addresses, on a thread of their own: the system's resolver blocks.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

pub(crate) type Answer = Result<Vec<SocketAddr>, String>;

/// A name that is being looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolution(Arc<Mutex<Option<Answer>>>);

impl Resolution {
    /// Looks a host up, and calls `done` on some thread when that is over.
    pub(crate) fn start(host: &str, port: u16, done: impl FnOnce() + Send + 'static) -> Self {
        let resolution = Self::default();
        if let Ok(address) = host.parse::<IpAddr>() {
            resolution.answer(Ok(vec![SocketAddr::new(address, port)]));
            done();
            return resolution;
        }
        let (host, answer) = (host.to_owned(), resolution.clone());
        let look_up = move || {
            answer.answer(look_up(&host, port));
            done();
        };
        let spawned = thread::Builder::new().name("gamewire-resolve".to_owned()).spawn(look_up);
        if let Err(error) = spawned {
            resolution.answer(Err(error.to_string()));
        }
        resolution
    }

    fn lock(&self) -> MutexGuard<'_, Option<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, answer: Answer) {
        *self.lock() = Some(answer);
    }

    /// The answer, once.
    pub(crate) fn take(&self) -> Option<Answer> {
        self.lock().take()
    }
}

/// The addresses of a host, or why there are none. Blocks.
pub(crate) fn look_up(host: &str, port: u16) -> Answer {
    let found = (host, port).to_socket_addrs();
    let found: Vec<SocketAddr> =
        found.map_err(|error| format!("{host}: {error}"))?.take(MAX_ADDRESSES).collect();
    if found.is_empty() { Err(format!("{host}: no address")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn an_address_needs_no_thread_and_a_name_gets_one() {
        let (done, waited) = mpsc::channel();
        let started = done.clone();
        let resolution = Resolution::start("::1", 7, move || started.send(()).unwrap());
        assert_eq!(resolution.take(), Some(Ok(vec!["[::1]:7".parse().unwrap()])));
        waited.recv().unwrap();
        // Refused by every resolver before it asks anybody.
        let resolution = Resolution::start("not a name", 7, move || done.send(()).unwrap());
        waited.recv().unwrap();
        assert!(resolution.take().unwrap().is_err());
        assert_eq!(resolution.take(), None);
    }
}
