//! One connection as the library keeps it: the machine behind a lock, and what other threads may
//! look at without it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;
use gamewire_crypto::Entropy;
use gamewire_p2p::rendezvous::PeerConnection;
use gamewire_proto::{
    Time,
    connection::{AcceptError, CloseRequest, Connection},
    event::ConnectionState,
};
use gamewire_wire::identity::Identity;

use crate::{
    config::ScopeValues,
    copies::Copies,
    handle::{ConnectionHandle, Keyed, ListenSocketHandle, PollGroupHandle},
    inbox::Inbox,
    link::Link,
    p2p::PeerSide,
    pipe::PipeEnd,
    signal::Signal,
    worker::WorkerHandle,
};

/// What moves the messages of a connection.
#[derive(Debug)]
pub(crate) enum Machine {
    /// A connection over UDP.
    Udp(Box<Connection>),
    /// A connection to a peer that is found by identity.
    Peer(Box<PeerConnection>),
    /// One end of a pair within the process.
    Pipe(PipeEnd),
}

impl Machine {
    /// The application-visible state.
    pub(crate) fn state(&self) -> ConnectionState {
        match self {
            Self::Udp(machine) => machine.state(),
            Self::Peer(peer) => peer.connection().state(),
            Self::Pipe(pipe) => pipe.state(),
        }
    }

    /// The connection proper; a pipe has none.
    pub(crate) fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Udp(machine) => Some(machine),
            Self::Peer(peer) => Some(peer.connection_mut()),
            Self::Pipe(_) => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        match self {
            Self::Udp(machine) => machine.handle_timeout(now),
            Self::Peer(peer) => peer.handle_timeout(now),
            Self::Pipe(_) => {}
        }
    }

    pub(crate) fn poll_timeout(&self, now: Time) -> Option<Time> {
        match self {
            Self::Udp(machine) => machine.poll_timeout(now),
            Self::Peer(peer) => peer.poll_timeout(now),
            Self::Pipe(_) => None,
        }
    }

    pub(crate) fn accept(
        &mut self,
        now: Time,
        entropy: &mut dyn Entropy,
    ) -> Result<(), AcceptError> {
        match self {
            Self::Udp(machine) => machine.accept(now, entropy),
            Self::Peer(peer) => peer.accept(now, entropy),
            // It is connected from the start.
            Self::Pipe(_) => Err(AcceptError::WrongState),
        }
    }

    /// False: a pipe, which is closed in another way.
    pub(crate) fn close(&mut self, now: Time, request: CloseRequest<'_>) -> bool {
        match self {
            Self::Udp(machine) => machine.close(now, request),
            Self::Peer(peer) => peer.close(now, request),
            Self::Pipe(_) => return false,
        }
        true
    }
}

/// A batch that the socket refused, to be sent before anything else.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) link: Arc<Link>,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: Vec<u8>,
    pub(crate) segment_size: Option<usize>,
}

/// What the lock of a connection guards.
#[derive(Debug)]
pub(crate) struct SlotState {
    pub(crate) machine: Machine,
    pub(crate) unsent: Option<Box<Unsent>>,
    pub(crate) group: Option<PollGroupHandle>,
    pub(crate) name: String,
    /// Payloads given as slices are copied in here, many to one allocation.
    pub(crate) copies: Copies,
}

/// What the application took since the machine was told.
#[derive(Debug, Default)]
pub(crate) struct Consumed {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    /// The machine holds back more until there is room.
    pub(crate) stalled: AtomicBool,
}

impl Consumed {
    fn add(&self, messages: usize, bytes: usize) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn take(&self) -> (usize, usize) {
        (self.messages.swap(0, Ordering::Relaxed), self.bytes.swap(0, Ordering::Relaxed))
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) handle: ConnectionHandle,
    /// The listen socket that it came in through.
    pub(crate) listen_socket: Option<ListenSocketHandle>,
    /// What it sends through, for a connection by address.
    pub(crate) link: Option<Arc<Link>>,
    /// The thread that fires its timers; none for a pipe.
    pub(crate) worker: Option<Arc<WorkerHandle>>,
    /// What a connection by identity has besides.
    pub(crate) peer_side: Option<Box<PeerSide>>,
    pub(crate) options: Arc<ScopeValues>,
    /// Its own queue of messages; in use while it is in no poll group.
    pub(crate) inbox: Arc<Inbox>,
    /// Where messages go: its own queue or its group's.
    pub(crate) destination: ArcSwap<Inbox>,
    pub(crate) peer: ArcSwap<Identity>,
    pub(crate) user_data: AtomicI64,
    /// The application closed it: its handle is dead, only the goodbye goes on.
    pub(crate) closed: AtomicBool,
    pub(crate) consumed: Consumed,
    /// Wakes who waits for room to send.
    pub(crate) writable: Signal,
    scheduled_us: AtomicU64,
    state: Mutex<SlotState>,
}

/// What a new slot is made of.
pub(crate) struct SlotParts {
    pub(crate) handle: ConnectionHandle,
    pub(crate) listen_socket: Option<ListenSocketHandle>,
    pub(crate) link: Option<Arc<Link>>,
    pub(crate) peer_side: Option<Box<PeerSide>>,
    pub(crate) options: Arc<ScopeValues>,
    pub(crate) machine: Machine,
    pub(crate) peer: Identity,
}

impl Slot {
    pub(crate) fn new(parts: SlotParts) -> Self {
        let inbox = Arc::new(Inbox::default());
        let of_link = parts.link.as_ref().map(|link| link.worker.clone());
        let of_peer = parts.peer_side.as_ref().map(|side| side.worker.clone());
        Self {
            handle: parts.handle,
            listen_socket: parts.listen_socket,
            link: parts.link,
            worker: of_link.or(of_peer),
            peer_side: parts.peer_side,
            user_data: AtomicI64::new(parts.options.connection_user_data()),
            options: parts.options,
            destination: ArcSwap::new(inbox.clone()),
            inbox,
            peer: ArcSwap::from_pointee(parts.peer),
            closed: AtomicBool::new(false),
            consumed: Consumed::default(),
            writable: Signal::default(),
            scheduled_us: AtomicU64::new(u64::MAX),
            state: Mutex::new(SlotState {
                machine: parts.machine,
                unsent: None,
                group: None,
                name: String::new(),
                copies: Copies::default(),
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a timer at `deadline` is wanted; false if an earlier or equal one is set already.
    pub(crate) fn schedule(&self, deadline: Time) -> bool {
        let micros = deadline.as_micros();
        self.scheduled_us.fetch_min(micros, Ordering::AcqRel) > micros
    }

    /// The timer fired; whoever looks after the connection now sets the next.
    pub(crate) fn unschedule(&self) {
        self.scheduled_us.store(u64::MAX, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The application took messages of this connection. True: the machine waits for the room.
    pub(crate) fn on_consumed(&self, messages: usize, bytes: usize) -> bool {
        self.consumed.add(messages, bytes);
        self.consumed.stalled.load(Ordering::Acquire)
    }
}

impl Keyed for Slot {
    fn raw_handle(&self) -> u32 {
        self.handle.to_raw()
    }
}
