//! The service thread: receives, fires timers, goes on where sending was refused.
//!
//! It owns the sockets' endpoints. Application threads reach it by commands and a waker; they send
//! on their own whenever they can.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use gamewire_crypto::Entropy;
use gamewire_p2p::ice::SocketId;
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
    shard::Shard,
    slot::{Machine, Slot},
    timers::{Target, Timers},
};

/// Receives of one socket before the others get their turn.
const MAX_RECEIVES_PER_TURN: usize = 4;

/// How often an unusable socket is opened anew until that works.
const REOPEN_INTERVAL_US: u64 = crate::io::REOPEN_INTERVAL_US;

/// Packets that other threads hand over and that wait for their turn; more are dropped, as a full
/// socket buffer drops them.
const MAX_HANDED_OVER: usize = 1024;

/// A packet that arrived at the socket of another thread.
struct HandedOver {
    token: Token,
    remote: SocketAddr,
    datagram: Box<[u8]>,
}

/// A socket and whom its datagrams are for, as given to the thread.
pub(crate) struct Binding {
    link: Arc<Link>,
    receiver: Receiver,
}

/// Who gets the datagrams of a socket.
enum Receiver {
    /// An endpoint, which finds the connection, and perhaps somebody who takes new ones.
    Endpoint(Box<Entrance>),
    /// One connection by identity, which knows the socket by a number.
    Peer { slot: Arc<Slot>, socket: SocketId },
}

/// Where connections by address come in.
pub(crate) struct Entrance {
    pub(crate) endpoint: Endpoint,
    pub(crate) listener: Option<Arc<ListenSocket>>,
    /// Which of the listen socket's threads this is, if it has several.
    pub(crate) shard: Option<Shard>,
}

impl Entrance {
    fn settled(&mut self, key: ConnectionKey) {
        self.endpoint.settled(key);
        if let Some(shard) = &self.shard {
            shard.settled(key);
        }
    }

    fn forget(&mut self, key: ConnectionKey) {
        let remote = self.endpoint.remove(key);
        if let (Some(shard), Some(remote)) = (&self.shard, remote) {
            shard.closed(key, remote.ip());
        }
    }

    /// A connection whose packets come to this thread.
    pub(crate) fn fresh_connection_id(&self, entropy: &mut dyn Entropy) -> u32 {
        loop {
            let id = self.endpoint.fresh_connection_id(entropy);
            if self.shard.as_ref().is_none_or(|shard| shard.owns(id)) {
                return id;
            }
        }
    }

    /// Whether the listen socket's threads together have room for one more from this address.
    pub(crate) fn has_room(&self, address: IpAddr) -> bool {
        self.shard.as_ref().is_none_or(|shard| shard.check(address).is_ok())
    }
}

impl Binding {
    /// A socket of connections by address that we open.
    pub(crate) fn of_endpoint(link: Arc<Link>, endpoint: Endpoint) -> Self {
        Self::of_listener(link, Entrance { endpoint, listener: None, shard: None })
    }

    /// A listen socket, or one thread's share of it.
    pub(crate) fn of_listener(link: Arc<Link>, entrance: Entrance) -> Self {
        Self { link, receiver: Receiver::Endpoint(Box::new(entrance)) }
    }

    /// A socket of one connection by identity.
    pub(crate) fn of_peer(link: Arc<Link>, slot: Arc<Slot>, socket: SocketId) -> Self {
        Self { link, receiver: Receiver::Peer { slot, socket } }
    }
}

enum Command {
    Bind(Box<Binding>),
    StopListening(Token),
    Unbind(Token),
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
    handed_over: Mutex<Vec<HandedOver>>,
    /// Packets that came to the wrong thread; none should, but after a socket was reopened.
    misdirected: AtomicU64,
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
            handed_over: Mutex::default(),
            misdirected: AtomicU64::new(0),
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

    /// The socket is needed no longer.
    pub(crate) fn unbind(&self, token: Token) {
        self.command(Command::Unbind(token));
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

    /// Takes over a packet that another thread received.
    pub(crate) fn hand_over(&self, token: Token, remote: SocketAddr, datagram: &[u8]) {
        self.misdirected.fetch_add(1, Ordering::Relaxed);
        let mut handed_over = guard(&self.handed_over);
        if handed_over.len() < MAX_HANDED_OVER {
            handed_over.push(HandedOver { token, remote, datagram: datagram.into() });
            drop(handed_over);
            self.wake();
        }
    }

    #[cfg(test)]
    pub(crate) fn misdirected(&self) -> u64 {
        self.misdirected.load(Ordering::Relaxed)
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
    /// Empty between receives; kept for its memory.
    touched: Touched,
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
            touched: Touched::default(),
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
        self.take_over(&core);
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
                Command::Unbind(token) => self.unbind(token),
                Command::Settled(token, connection) => {
                    if let Some(bound) = self.bound.get_mut(&token)
                        && let Receiver::Endpoint(entrance) = &mut bound.binding.receiver
                    {
                        entrance.settled(ConnectionKey(connection.to_raw()));
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

    /// Looks at packets that arrived at sockets of other threads.
    fn take_over(&mut self, core: &Core) {
        let handed_over = std::mem::take(&mut *guard(&self.handle.handed_over));
        if handed_over.is_empty() {
            return;
        }
        let now = core.clock.now();
        for HandedOver { token, remote, mut datagram } in handed_over {
            if let Some(bound) = self.bound.get_mut(&token) {
                bound.receive(core, now, remote, &mut datagram);
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
        if let Receiver::Endpoint(entrance) = &mut bound.binding.receiver {
            entrance.endpoint.stop_listening();
            entrance.listener = None;
        }
        self.unbind_if_idle(token);
    }

    fn forget(&mut self, token: Token, connection: ConnectionHandle) {
        let Some(bound) = self.bound.get_mut(&token) else { return };
        let key = ConnectionKey(connection.to_raw());
        if let Receiver::Endpoint(entrance) = &mut bound.binding.receiver {
            entrance.forget(key);
        }
        bound.slots.remove(&key);
        self.unbind_if_idle(token);
    }

    fn unbind_if_idle(&mut self, token: Token) {
        let idle = self.bound.get(&token).is_some_and(|bound| match &bound.binding.receiver {
            Receiver::Endpoint(entrance) => {
                entrance.listener.is_none() && entrance.endpoint.connections() == 0
            }
            Receiver::Peer { .. } => false,
        });
        if idle {
            self.unbind(token);
        }
    }

    fn unbind(&mut self, token: Token) {
        if let Some(bound) = self.bound.remove(&token) {
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
            let ready = link.fake_in_use().and_then(|mut fake| fake.poll_ready(now));
            let Some((direction, remote, mut datagram)) = ready else { break };
            match direction {
                Direction::Send => {
                    let _ = link.send_plain(remote, &datagram);
                }
                Direction::Recv => bound.receive(core, now, remote, &mut datagram),
            }
        }
        if let Some(deadline) = link.fake_in_use().and_then(|fake| fake.poll_timeout()) {
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
        let sessions = core.watch_sessions(now);
        if !self.unfinished.is_empty() {
            return Some(now);
        }
        let hub = self.hub.as_ref().zip(core.hub.as_ref());
        let hub = hub.and_then(|(edge, hub)| edge.deadline(core, hub));
        [self.timers.next_deadline(), expiry, sessions, hub].into_iter().flatten().min()
    }

    fn wait(&mut self, core: &Core, deadline: Option<Time>) -> std::io::Result<()> {
        let asleep_until = deadline.map_or(u64::MAX, Time::as_micros);
        self.handle.asleep_until_us.store(asleep_until, Ordering::Release);
        // Commands and timers that came before that store did not see it.
        let missed = !guard(&self.handle.timers).is_empty()
            || !guard(&self.handle.commands).is_empty()
            || !guard(&self.handle.handed_over).is_empty();
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
        for &token in &readable {
            self.receive(core, token);
        }
        if self.unfinished.is_empty() {
            // Its memory serves again.
            readable.clear();
            self.unfinished = readable;
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
            let touched = &mut self.touched;
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
                bound.input(core, now, remote, datagram, touched);
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

    fn settle(&mut self, core: &Core) {
        for slot in self.slots.drain(..) {
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
        let route = match &mut self.binding.receiver {
            Receiver::Endpoint(entrance) => {
                if let Some(shard) = &entrance.shard
                    && shard.hand_over(remote, datagram)
                {
                    return;
                }
                entrance.endpoint.handle_datagram(now, remote, datagram, &mut reply)
            }
            Receiver::Peer { slot, socket } => {
                if let Machine::Peer(peer) = &mut slot.lock().machine {
                    peer.handle_datagram(now, *socket, remote, datagram, &mut core.entropy());
                }
                touched.note(slot);
                return;
            }
        };
        match route {
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
        let Binding { link, receiver: Receiver::Endpoint(entrance) } = &mut self.binding else {
            return;
        };
        let Some(listener) = &entrance.listener else { return };
        let made = listener.admit(core, now, incoming, (link, entrance), reply);
        if let Some((slot, local_id, identity)) = made {
            let key = ConnectionKey(slot.handle.to_raw());
            // Checking keys takes a while, and another thread may have let in the last one meanwhile.
            let address = incoming.remote.ip();
            if entrance.shard.as_ref().is_some_and(|shard| shard.try_open(key, address).is_err()) {
                core.connections.remove(slot.handle.to_raw());
                return;
            }
            entrance.endpoint.insert_acceptor(key, local_id, incoming, identity);
            self.slots.insert(key, slot.clone());
            core.drive(&slot, |_, _| ());
        }
    }
}
