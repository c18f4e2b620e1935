//! The service thread: receives, fires timers, goes on where sending was refused.
//!
//! It owns the sockets' endpoints. Application threads reach it by commands and a waker; they send
//! on their own whenever they can.

use std::{
    collections::HashMap,
    net::SocketAddr,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use gamewire_proto::{
    Time,
    endpoint::{ConnectionKey, Endpoint, Incoming, Route},
};

use crate::{
    core::Core,
    fake_network::{Direction, Verdict},
    handle::ConnectionHandle,
    hub::Edge,
    io::{Interest, Poller, Ready, RecvBatch, RecvEnd, Token, Waker},
    link::Link,
    listen::ListenSocket,
    slot::{Machine, Slot},
    timers::{Target, Timers},
};

/// Receives of one socket before the others get their turn.
const MAX_RECEIVES_PER_TURN: usize = 4;

/// How often an unusable socket is opened anew until that works.
const REOPEN_INTERVAL_US: u64 = crate::io::REOPEN_INTERVAL_US;

/// A socket with its endpoint, as given to the thread.
pub(crate) struct Binding {
    pub(crate) link: Arc<Link>,
    pub(crate) endpoint: Endpoint,
    pub(crate) listener: Option<Arc<ListenSocket>>,
}

enum Command {
    Bind(Box<Binding>),
    StopListening(Token),
    Settled(Token, ConnectionHandle),
    Forget(Token, ConnectionHandle),
    AwaitWritable(Token),
    RetryAt(Token, Time),
    Reopen(Token),
}

/// How other threads reach a service thread.
pub(crate) struct WorkerHandle {
    waker: Waker,
    next_token: AtomicUsize,
    commands: Mutex<Vec<Command>>,
    timers: Mutex<Vec<(Time, Target)>>,
    /// Until when the thread sleeps, if nothing wakes it.
    asleep_until_us: AtomicU64,
    stop: AtomicBool,
}

impl std::fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerHandle").finish_non_exhaustive()
    }
}

impl WorkerHandle {
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            waker,
            next_token: AtomicUsize::new(0),
            commands: Mutex::default(),
            timers: Mutex::default(),
            asleep_until_us: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// A token for a socket of this thread.
    pub(crate) fn fresh_token(&self) -> Token {
        Token(self.next_token.fetch_add(1, Ordering::Relaxed))
    }

    fn command(&self, command: Command) {
        guard(&self.commands).push(command);
        self.wake();
    }

    /// Ends the thread's wait, if it waits.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the service thread");
        }
    }

    /// Hands a socket over.
    pub(crate) fn bind(&self, binding: Binding) {
        self.command(Command::Bind(Box::new(binding)));
    }

    /// The listen socket was closed: nobody new comes in.
    pub(crate) fn stop_listening(&self, token: Token) {
        self.command(Command::StopListening(token));
    }

    /// A connection is pending no more.
    pub(crate) fn settled(&self, token: Token, connection: ConnectionHandle) {
        self.command(Command::Settled(token, connection));
    }

    /// A connection is over.
    pub(crate) fn forget(&self, token: Token, connection: ConnectionHandle) {
        self.command(Command::Forget(token, connection));
    }

    /// The socket refused datagrams.
    pub(crate) fn await_writable(&self, token: Token) {
        self.command(Command::AwaitWritable(token));
    }

    /// The system refused datagrams and will not say when it takes them again.
    pub(crate) fn retry_at(&self, token: Token, at: Time) {
        self.command(Command::RetryAt(token, at));
    }

    /// The socket does not work any more.
    pub(crate) fn reopen(&self, token: Token) {
        self.command(Command::Reopen(token));
    }

    /// Looks at a connection at `deadline`.
    pub(crate) fn set_timer(&self, deadline: Time, connection: ConnectionHandle) {
        self.push_timer(deadline, Target::Connection(connection));
    }

    /// Looks at a socket at `deadline`.
    pub(crate) fn set_socket_timer(&self, deadline: Time, token: Token) {
        self.push_timer(deadline, Target::Socket(token));
    }

    fn push_timer(&self, deadline: Time, target: Target) {
        guard(&self.timers).push((deadline, target));
        self.wake_by(deadline);
    }

    /// Makes sure that the thread is awake at `deadline`.
    pub(crate) fn wake_by(&self, deadline: Time) {
        if deadline.as_micros() < self.asleep_until_us.load(Ordering::Acquire) {
            self.wake();
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// A socket in the thread's care.
struct Bound {
    binding: Binding,
    /// Its connections, by key: the raw handle.
    slots: HashMap<ConnectionKey, Arc<Slot>>,
    retry_at: Option<Time>,
    reopen_at: Option<Time>,
}

/// The thread's own state.
pub(crate) struct Worker {
    core: Weak<Core>,
    handle: Arc<WorkerHandle>,
    poller: Poller,
    batch: RecvBatch,
    bound: HashMap<Token, Bound>,
    timers: Timers,
    /// Sockets that have more to receive than one turn takes.
    unfinished: Vec<Token>,
    /// The connection to the hub, on the thread that has it.
    hub: Option<Edge>,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    pub(crate) fn new(
        core: Weak<Core>,
        handle: Arc<WorkerHandle>,
        poller: Poller,
        hub: Option<Edge>,
    ) -> Self {
        Self {
            core,
            handle,
            poller,
            batch: RecvBatch::new(),
            bound: HashMap::new(),
            timers: Timers::new(),
            unfinished: Vec::new(),
            hub,
        }
    }

    /// One turn: does what is due, waits for more but not beyond `latest`, and does that too. Breaks
    /// once it was told to stop, the instance is gone, or the system does not let it wait.
    pub(crate) fn turn(&mut self, latest: Option<Time>) -> ControlFlow<()> {
        if self.handle.is_stopped() {
            return ControlFlow::Break(());
        }
        let Some(core) = self.core.upgrade() else { return ControlFlow::Break(()) };
        self.obey(&core);
        self.fire_timers(&core);
        if let (Some(edge), Some(hub)) = (&mut self.hub, &core.hub) {
            edge.serve(&core, hub, core.clock.now());
        }
        let deadline = self.next_deadline(&core);
        let deadline = [deadline, latest].into_iter().flatten().min();
        if let Err(error) = self.wait(&core, deadline) {
            tracing::error!(%error, "the service thread cannot wait and ends");
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    // ---- commands ------------------------------------------------------------------------------

    fn obey(&mut self, core: &Core) {
        let commands = std::mem::take(&mut *guard(&self.handle.commands));
        for command in commands {
            match command {
                Command::Bind(binding) => self.bind(*binding),
                Command::StopListening(token) => self.stop_listening(token),
                Command::Settled(token, connection) => {
                    if let Some(bound) = self.bound.get_mut(&token) {
                        bound.binding.endpoint.settled(ConnectionKey(connection.to_raw()));
                    }
                }
                Command::Forget(token, connection) => self.forget(token, connection),
                Command::AwaitWritable(token) => self.watch(token, Interest::ReadWrite),
                Command::RetryAt(token, at) => {
                    if let Some(bound) = self.bound.get_mut(&token) {
                        bound.retry_at = Some(bound.retry_at.map_or(at, |old| old.min(at)));
                        self.timers.set(at, Target::Socket(token));
                    }
                }
                Command::Reopen(token) => {
                    if let Some(bound) = self.bound.get_mut(&token) {
                        let at = *bound.reopen_at.get_or_insert(core.clock.now());
                        self.timers.set(at, Target::Socket(token));
                    }
                }
            }
        }
    }

    fn bind(&mut self, binding: Binding) {
        let token = binding.link.token;
        let registered =
            self.poller.registrar().register(&binding.link.socket, token, Interest::Read);
        if let Err(error) = registered {
            tracing::error!(%error, "cannot watch a socket: it will not receive");
        }
        let bound = Bound { binding, slots: HashMap::new(), retry_at: None, reopen_at: None };
        self.bound.insert(token, bound);
        // Whatever arrived before it was watched.
        self.unfinished.push(token);
    }

    fn stop_listening(&mut self, token: Token) {
        let Some(bound) = self.bound.get_mut(&token) else { return };
        bound.binding.endpoint.stop_listening();
        bound.binding.listener = None;
        self.unbind_if_idle(token);
    }

    fn forget(&mut self, token: Token, connection: ConnectionHandle) {
        let Some(bound) = self.bound.get_mut(&token) else { return };
        let key = ConnectionKey(connection.to_raw());
        bound.binding.endpoint.remove(key);
        bound.slots.remove(&key);
        self.unbind_if_idle(token);
    }

    fn unbind_if_idle(&mut self, token: Token) {
        let idle = self.bound.get(&token).is_some_and(|bound| {
            bound.binding.listener.is_none() && bound.binding.endpoint.connections() == 0
        });
        if idle && let Some(bound) = self.bound.remove(&token) {
            // The last datagrams may still be in the fake network; they are lost, as datagrams are.
            let _ = self.poller.registrar().deregister(&bound.binding.link.socket);
        }
    }

    fn watch(&self, token: Token, interest: Interest) {
        let Some(bound) = self.bound.get(&token) else { return };
        let watched =
            self.poller.registrar().reregister(&bound.binding.link.socket, token, interest);
        if let Err(error) = watched {
            tracing::warn!(%error, "cannot change what a socket is watched for");
        }
    }

    // ---- time ----------------------------------------------------------------------------------

    fn fire_timers(&mut self, core: &Core) {
        for (deadline, target) in guard(&self.handle.timers).drain(..) {
            self.timers.set(deadline, target);
        }
        let now = core.clock.now();
        while let Some(target) = self.timers.pop_due(now) {
            match target {
                Target::Connection(connection) => core.on_timer(connection),
                Target::Socket(token) => self.serve(core, token, now),
            }
        }
    }

    /// What a socket needs besides receiving.
    fn serve(&mut self, core: &Core, token: Token, now: Time) {
        let Some(bound) = self.bound.get_mut(&token) else { return };
        if bound.reopen_at.is_some_and(|at| at <= now) {
            self.reopen(token, now);
        }
        let Some(bound) = self.bound.get_mut(&token) else { return };
        let link = bound.binding.link.clone();
        loop {
            let ready = link.fake().poll_ready(now);
            let Some((direction, remote, mut datagram)) = ready else { break };
            match direction {
                Direction::Send => {
                    let _ = link.send_plain(remote, &datagram);
                }
                Direction::Recv => bound.receive(core, now, remote, &mut datagram),
            }
        }
        if let Some(deadline) = link.fake().poll_timeout() {
            self.timers.set(deadline, Target::Socket(token));
        }
        if bound.retry_at.is_some_and(|at| at <= now) {
            bound.retry_at = None;
            for slot in link.take_blocked() {
                core.resume(&slot);
            }
        }
    }

    fn reopen(&mut self, token: Token, now: Time) {
        let Some(bound) = self.bound.get_mut(&token) else { return };
        let socket = &bound.binding.link.socket;
        match socket.reopen() {
            Ok(reopened) => {
                tracing::info!(?reopened, "a lost socket is open again");
                bound.reopen_at = None;
                bound.retry_at = Some(now);
                self.timers.set(now, Target::Socket(token));
                let registered = self.poller.registrar().register(socket, token, Interest::Read);
                if let Err(error) = registered {
                    tracing::error!(%error, "cannot watch the reopened socket");
                }
                self.unfinished.push(token);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot open a lost socket again yet");
                let again = now.plus_micros(REOPEN_INTERVAL_US);
                bound.reopen_at = Some(again);
                self.timers.set(again, Target::Socket(token));
            }
        }
    }

    fn next_deadline(&mut self, core: &Core) -> Option<Time> {
        let now = core.clock.now();
        let expiry = core.watch_expiry(now, crate::clock::unix_seconds());
        if !self.unfinished.is_empty() {
            return Some(now);
        }
        let hub = self.hub.as_ref().zip(core.hub.as_ref());
        let hub = hub.and_then(|(edge, hub)| edge.deadline(core, hub));
        [self.timers.next_deadline(), expiry, hub].into_iter().flatten().min()
    }

    fn wait(&mut self, core: &Core, deadline: Option<Time>) -> std::io::Result<()> {
        let asleep_until = deadline.map_or(u64::MAX, Time::as_micros);
        self.handle.asleep_until_us.store(asleep_until, Ordering::Release);
        // Commands and timers that came before that store did not see it.
        let missed =
            !guard(&self.handle.timers).is_empty() || !guard(&self.handle.commands).is_empty();
        let deadline = if missed { Some(core.clock.now()) } else { deadline };
        let mut readable = std::mem::take(&mut self.unfinished);
        let mut writable = Vec::new();
        for ready in self.poller.wait(&core.clock, deadline)? {
            if let Ready::Socket { token, readable: r, writable: w } = ready {
                if let Some(edge) = self.hub.as_mut().filter(|edge| edge.token() == token) {
                    edge.on_ready();
                    continue;
                }
                if r && !readable.contains(&token) {
                    readable.push(token);
                }
                if w {
                    writable.push(token);
                }
            }
        }
        self.handle.asleep_until_us.store(0, Ordering::Release);
        for token in writable {
            self.on_writable(core, token);
        }
        self.obey(core);
        for token in readable {
            self.receive(core, token);
        }
        Ok(())
    }

    // ---- sockets -------------------------------------------------------------------------------

    fn on_writable(&mut self, core: &Core, token: Token) {
        let Some(bound) = self.bound.get(&token) else { return };
        let blocked = bound.binding.link.take_blocked();
        if blocked.is_empty() {
            return;
        }
        self.watch(token, Interest::Read);
        for slot in blocked {
            core.resume(&slot);
        }
    }

    fn receive(&mut self, core: &Core, token: Token) {
        let Some(bound) = self.bound.get_mut(&token) else { return };
        let link = bound.binding.link.clone();
        for _ in 0..MAX_RECEIVES_PER_TURN {
            let mut touched = Touched::default();
            let now = core.clock.now();
            let received = link.socket.recv(&mut self.batch, &core.clock, |remote, _, datagram| {
                link.trace_received(remote, datagram);
                if link.fakes_receiving() {
                    let verdict = link.fake().handle(now, Direction::Recv, remote, datagram);
                    if let Some(deadline) = link.fake().poll_timeout() {
                        link.worker.set_socket_timer(deadline, token);
                    }
                    if verdict != Verdict::Pass {
                        return;
                    }
                }
                bound.input(core, now, remote, datagram, &mut touched);
            });
            touched.settle(core);
            match received.end {
                RecvEnd::Drained => return,
                RecvEnd::Budget => {}
                RecvEnd::Lost => {
                    let at = *bound.reopen_at.get_or_insert(now);
                    self.timers.set(at, Target::Socket(token));
                    return;
                }
            }
        }
        self.unfinished.push(token);
    }
}

/// Connections that got datagrams in a batch and are not settled yet.
#[derive(Default)]
struct Touched {
    slots: Vec<Arc<Slot>>,
}

impl Touched {
    fn note(&mut self, slot: &Arc<Slot>) {
        // Runs of one connection are the rule, so the last one is nearly always the one.
        if !self.slots.iter().rev().any(|known| Arc::ptr_eq(known, slot)) {
            self.slots.push(slot.clone());
        }
    }

    fn settle(self, core: &Core) {
        for slot in self.slots {
            core.drive(&slot, |_, _| ());
        }
    }
}

impl Bound {
    fn receive(&mut self, core: &Core, now: Time, remote: SocketAddr, datagram: &mut [u8]) {
        let mut touched = Touched::default();
        self.input(core, now, remote, datagram, &mut touched);
        touched.settle(core);
    }

    /// One datagram that passed the fake network.
    fn input(
        &mut self,
        core: &Core,
        now: Time,
        remote: SocketAddr,
        datagram: &mut [u8],
        touched: &mut Touched,
    ) {
        let mut reply = Vec::new();
        match self.binding.endpoint.handle_datagram(now, remote, datagram, &mut reply) {
            Route::Data(key) => {
                if let Some(slot) = self.slot(core, key) {
                    if let Machine::Udp(machine) = &mut slot.lock().machine {
                        machine.handle_data(now, datagram);
                    }
                    touched.note(&slot);
                }
            }
            Route::Control(key, control) => {
                if let Some(slot) = self.slot(core, key) {
                    if let Machine::Udp(machine) = &mut slot.lock().machine {
                        machine.handle_control(now, *control, &mut core.entropy());
                    }
                    touched.note(&slot);
                }
            }
            Route::Incoming(incoming) => self.incoming(core, now, &incoming, &mut reply),
            Route::Reply | Route::Dropped(_) => {}
        }
        if !reply.is_empty() {
            let transmit =
                crate::io::Transmit { destination: remote, contents: &reply, segment_size: None };
            // An answer that does not fit now is one that the peer asks for again.
            let _ = self.binding.link.send(now, &transmit);
        }
    }

    fn slot(&mut self, core: &Core, key: ConnectionKey) -> Option<Arc<Slot>> {
        if let Some(slot) = self.slots.get(&key) {
            return Some(slot.clone());
        }
        let slot = core.connections.find(key.0)?;
        self.slots.insert(key, slot.clone());
        Some(slot)
    }

    fn incoming(&mut self, core: &Core, now: Time, incoming: &Incoming, reply: &mut Vec<u8>) {
        let Some(listener) = &self.binding.listener else { return };
        let made = listener.admit(core, now, incoming, &self.binding, reply);
        if let Some((slot, local_id, identity)) = made {
            let key = ConnectionKey(slot.handle.to_raw());
            self.binding.endpoint.insert_acceptor(key, local_id, incoming, identity);
            self.slots.insert(key, slot.clone());
            core.drive(&slot, |_, _| ());
        }
    }
}
