//! Waiting for sockets, for a deadline, or to be woken.

use super::{clock::Clock, os, udp_socket::UdpSocket};
use gamewire_proto::Time;
use mio::{Events, Poll, Registry, Token, net::TcpStream};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// Most readiness events one wait hands over; the rest waits for the next.
const EVENTS_PER_WAIT: usize = 256;
/// Waits at least this long make do with the millisecond precision of the plain wait; shorter ones
/// use the precise timer, which costs a call to set.
const COARSE_WAIT: Duration = Duration::from_millis(20);
const WAKER_TOKEN: Token = Token(usize::MAX);
const TIMER_TOKEN: Token = Token(usize::MAX - 1);

/// Waits for readiness of sockets, for a deadline, or for [`Waker::wake`].
///
/// Belongs to one service thread. Readiness is edge-triggered: an event tells that something
/// changed, so a socket that is reported readable must be read until
/// [`RecvEnd::Drained`](super::RecvEnd::Drained), or read again without waiting.
#[derive(Debug)]
pub struct Poller {
    poll: Poll,
    events: Events,
    registrar: Arc<Registrar>,
    waker: Waker,
    timer: Option<os::Timer>,
    /// When the timer expires; in the past: not armed.
    timer_at: Time,
}

/// One thing that [`Poller::wait`] reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// [`Waker::wake`] was called since the last wait returned.
    Woken,
    /// A socket changed.
    Socket {
        /// What it was registered under.
        token: Token,
        /// Datagrams or an error wait to be received.
        readable: bool,
        /// Sending may go on; ask for [`Interest::Read`] again once nothing is left to send.
        writable: bool,
    },
}

/// What a socket is watched for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Incoming datagrams: the normal state.
    Read,
    /// Also room in the send buffer, after [`SendOutcome::WouldBlock`](super::SendOutcome). Not
    /// to be left on: every datagram that leaves would wake the thread.
    ReadWrite,
}

impl From<Interest> for mio::Interest {
    fn from(interest: Interest) -> Self {
        match interest {
            Interest::Read => Self::READABLE,
            Interest::ReadWrite => Self::READABLE | Self::WRITABLE,
        }
    }
}

/// Tells a [`Poller`] what to watch; usable from any thread, also while the poller waits.
#[derive(Debug)]
pub struct Registrar {
    registry: Registry,
}

impl Registrar {
    /// Starts watching `socket`; its events carry `token`, which the two largest numbers cannot be.
    /// To be repeated after [`UdpSocket::reopen`].
    ///
    /// # Errors
    /// The system's: already registered, no socket open, out of memory; or a reserved token.
    pub fn register(&self, socket: &UdpSocket, token: Token, interest: Interest) -> io::Result<()> {
        if token.0 >= TIMER_TOKEN.0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "reserved token"));
        }
        self.registry.register(&mut &*socket, token, interest.into())
    }

    /// Changes what a registered `socket` is watched for. If it is ready already, an event follows
    /// at once: nothing is missed between a refused send and this call.
    ///
    /// # Errors
    /// The system's: not registered, no socket open.
    pub fn reregister(
        &self,
        socket: &UdpSocket,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.registry.reregister(&mut &*socket, token, interest.into())
    }

    /// Starts watching a TCP connection, for both directions from the start: a stream that was
    /// readable or writable must be read or written until it refuses.
    ///
    /// # Errors
    /// The system's: already registered, out of memory; or a reserved token.
    pub(crate) fn register_stream(&self, stream: &mut TcpStream, token: Token) -> io::Result<()> {
        if token.0 >= TIMER_TOKEN.0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "reserved token"));
        }
        let both = mio::Interest::READABLE | mio::Interest::WRITABLE;
        self.registry.register(stream, token, both)
    }

    /// Stops watching a TCP connection, which is closed next anyway.
    pub(crate) fn deregister_stream(&self, stream: &mut TcpStream) {
        let _ = self.registry.deregister(stream);
    }

    /// Stops watching `socket`. Closing or reopening it does so too.
    ///
    /// # Errors
    /// The system's: not registered, no socket open.
    pub fn deregister(&self, socket: &UdpSocket) -> io::Result<()> {
        self.registry.deregister(&mut &*socket)
    }
}

/// What the thread behind a poller is doing, as far as wakers care.
mod phase {
    /// Busy; it will look at `NOTIFIED` before it waits again.
    pub(super) const AWAKE: u8 = 0;
    /// Waiting; to be woken through the system.
    pub(super) const WAITING: u8 = 1;
    /// Told to look at its queues, and not yet back from or in a wait.
    pub(super) const NOTIFIED: u8 = 2;
}

/// Ends the current or next [`Poller::wait`] from any thread; clones are handles to the same.
///
/// Costs a call into the system only while the thread really waits.
#[derive(Clone, Debug)]
pub struct Waker(Arc<WakerState>);

#[derive(Debug)]
struct WakerState {
    waker: mio::Waker,
    phase: AtomicU8,
}

impl Waker {
    /// Makes the poller's thread report [`Ready::Woken`]. Whatever was queued before this call is
    /// visible to it then. Several calls may be reported as one.
    ///
    /// # Errors
    /// The system's; the thread learns of the wake at its next wait nonetheless.
    pub fn wake(&self) -> io::Result<()> {
        match self.0.phase.swap(phase::NOTIFIED, Ordering::AcqRel) {
            phase::WAITING => self.0.waker.wake(),
            _ => Ok(()),
        }
    }

    /// Announces a wait; false if a wake came first, so that the wait must not block.
    fn begin_wait(&self) -> bool {
        let (awake, waiting) = (phase::AWAKE, phase::WAITING);
        self.0.phase.compare_exchange(awake, waiting, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Ends a wait; true if a wake came since the last.
    fn end_wait(&self) -> bool {
        self.0.phase.swap(phase::AWAKE, Ordering::AcqRel) == phase::NOTIFIED
    }
}

impl Poller {
    /// A poller that watches nothing yet.
    ///
    /// # Errors
    /// The system's: out of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, WAKER_TOKEN)?;
        let state = WakerState { waker, phase: AtomicU8::new(phase::AWAKE) };
        let timer = os::Timer::new(&registry, TIMER_TOKEN)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_WAIT),
            registrar: Arc::new(Registrar { registry }),
            waker: Waker(Arc::new(state)),
            timer,
            timer_at: Time::default(),
        })
    }

    /// What this poller watches; to be cloned for other threads.
    pub fn registrar(&self) -> &Arc<Registrar> {
        &self.registrar
    }

    /// What ends a wait; to be cloned for other threads.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Waits until a socket is ready, `deadline` is reached (`None`: never) or the waker is called,
    /// and reports what happened: nothing, if the deadline or a signal ended the wait.
    ///
    /// May return a little before the deadline with nothing to report, so the deadline is to be
    /// checked against the clock. It ends some tens of microseconds after a near deadline, and up
    /// to a millisecond after one that was 20 ms or more away.
    ///
    /// # Errors
    /// The system's; none is expected of a poller that was made successfully.
    pub fn wait(
        &mut self,
        clock: &Clock,
        deadline: Option<Time>,
    ) -> io::Result<impl Iterator<Item = Ready> + '_> {
        let timeout = if self.waker.begin_wait() {
            self.timeout(clock, deadline)
        } else {
            Some(Duration::ZERO)
        };
        let result = self.poll.poll(&mut self.events, timeout);
        let woken = self.waker.end_wait();
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Err(error),
        }
        let sockets = self.events.iter().filter_map(|event| match event.token() {
            WAKER_TOKEN | TIMER_TOKEN => None,
            token => Some(Ready::Socket {
                token,
                // An error is taken off the socket by receiving.
                readable: event.is_readable() || event.is_error() || event.is_read_closed(),
                writable: event.is_writable(),
            }),
        });
        Ok(woken.then_some(Ready::Woken).into_iter().chain(sockets))
    }

    /// How long the plain wait may take. If that is too coarse, arms the timer to end it earlier.
    fn timeout(&mut self, clock: &Clock, deadline: Option<Time>) -> Option<Duration> {
        let deadline = deadline?;
        let now = clock.now();
        let left = deadline.since(now);
        if left.is_zero() || left >= COARSE_WAIT {
            return Some(left);
        }
        // A timer that expires earlier is left alone. Deadlines are pushed back far more often than
        // they are met, and one early return is cheaper than setting the timer each time.
        let armed_in_time = now < self.timer_at && self.timer_at <= deadline;
        if let Some(timer) = &self.timer
            && !armed_in_time
            && timer.arm(left).is_ok()
        {
            self.timer_at = deadline;
        }
        Some(left)
    }
}

#[cfg(test)]
mod tests;
