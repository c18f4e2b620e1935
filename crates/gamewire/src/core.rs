//! What the handles of one instance and its service threads share.
//!
//! Lock order: a connection's state before any queue (events, inboxes, timers). No two connections
//! are locked at once.

use std::{
    cell::RefCell,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::Ordering},
};

use gamewire_crypto::SystemEntropy;
use gamewire_proto::{
    Time,
    connection::Connection,
    event::{ConnectionState, Event as MachineEvent},
    receive::ReceivedMessage,
};

use crate::{
    auth::{Authentication, Availability, ExpiryWatch},
    config::ScopeValues,
    events::{Event, EventQueue, StatusChanged},
    handle::{ConnectionHandle, HandleTable},
    hub::HubClient,
    io::{Clock, MAX_BATCH_BYTES, NO_BUFFERS_PAUSE_US, SendOutcome, SendWait, Transmit},
    link::Link,
    listen::ListenSocket,
    message::Message,
    messages::SessionTable,
    p2p::Directory,
    poll_group::PollGroup,
    signaling::SignalingMaker,
    slot::{Machine, Slot, SlotState, Unsent},
    status::ConnectionInfo,
    worker::WorkerHandle,
};

/// Batches sent for one connection before the others get their turn.
const MAX_BATCHES_PER_TURN: usize = 64;

thread_local! {
    /// Where a thread builds the datagrams that it sends.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

#[derive(Default)]
struct Scratch {
    datagrams: Vec<u8>,
    messages: Vec<Message>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) clock: Clock,
    pub(crate) connections: HandleTable<Slot>,
    pub(crate) listen_sockets: HandleTable<ListenSocket>,
    pub(crate) poll_groups: HandleTable<PollGroup>,
    pub(crate) events: EventQueue,
    pub(crate) global: Arc<ScopeValues>,
    pub(crate) interface: Arc<ScopeValues>,
    pub(crate) auth: RwLock<Authentication>,
    pub(crate) expiry: ExpiryWatch,
    /// `None`: none is configured.
    pub(crate) hub: Option<Arc<HubClient>>,
    pub(crate) peers: Directory,
    pub(crate) messages: SessionTable,
    pub(crate) signaling_maker: RwLock<Option<SignalingMaker>>,
    pub(crate) workers: Vec<Arc<WorkerHandle>>,
    pub(crate) links: Mutex<Vec<std::sync::Weak<Link>>>,
}

impl Core {
    pub(crate) fn links(&self) -> MutexGuard<'_, Vec<std::sync::Weak<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of a connection that the application may still use.
    pub(crate) fn slot(&self, connection: ConnectionHandle) -> Option<Arc<Slot>> {
        self.connections.find(connection.to_raw()).filter(|slot| !slot.is_closed())
    }

    /// Does something with the connection proper, and sees to what follows from it. `None`: a pipe.
    pub(crate) fn drive<R>(
        &self,
        slot: &Arc<Slot>,
        act: impl FnOnce(&mut Connection, Time) -> R,
    ) -> Option<R> {
        self.drive_machine(slot, |machine, now| machine.connection_mut().map(|it| act(it, now)))
    }

    /// Does something with whatever moves the messages, and sees to what follows from it.
    pub(crate) fn drive_machine<R>(
        &self,
        slot: &Arc<Slot>,
        act: impl FnOnce(&mut Machine, Time) -> R,
    ) -> R {
        let mut state = slot.lock();
        let now = self.clock.now();
        let result = act(&mut state.machine, now);
        // The application's channel is called without the lock: its other end may be here, too.
        let signals = self.take_signals(slot, &mut state, now);
        self.settle(slot, &mut state, now);
        drop(state);
        if let Some(signals) = signals {
            self.send_signals(slot, &signals);
        }
        self.release_signaling(slot);
        result
    }

    /// After any input: hands out messages and events, sends what is to be sent, sets the timer.
    ///
    /// That a connection is up is announced before its first message, and before the peer can learn
    /// of it; that it ended, after its last message.
    pub(crate) fn settle(&self, slot: &Arc<Slot>, state: &mut SlotState, now: Time) {
        if state.machine.state() == ConnectionState::Connected {
            self.announce(slot, state);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            self.deliver(slot, state, now, &mut scratch.messages);
            self.announce(slot, state);
            self.transmit(slot, state, now, &mut scratch.datagrams);
        });
        self.announce(slot, state);
        self.set_timer(slot, state, now);
    }

    fn deliver(&self, slot: &Slot, state: &mut SlotState, now: Time, messages: &mut Vec<Message>) {
        let Some(machine) = state.machine.connection_mut() else { return };
        let (count, bytes) = slot.consumed.take();
        if count > 0 {
            machine.messages_consumed(count, bytes);
        }
        let Some(first) = machine.poll_message() else { return };
        let peer = slot.peer.load_full();
        let user_data = slot.user_data.load(Ordering::Relaxed);
        let wrap = |message: ReceivedMessage| Message {
            payload: message.payload,
            connection: slot.handle,
            peer: peer.clone(),
            connection_user_data: user_data,
            received: now,
            number: message.number,
            reliable: message.reliable,
            lane: message.lane,
            user_data: 0,
        };
        messages.push(wrap(first));
        while let Some(message) = machine.poll_message() {
            messages.push(wrap(message));
        }
        slot.consumed.stalled.store(machine.messages_held_back(), Ordering::Release);
        let inbox = slot.destination.load();
        inbox.deliver(messages.drain(..));
        inbox.signal.notify();
    }

    fn transmit(
        &self,
        slot: &Arc<Slot>,
        state: &mut SlotState,
        now: Time,
        datagrams: &mut Vec<u8>,
    ) {
        if state.unsent.is_some() {
            // The worker goes on with it when there is room.
            return;
        }
        for _ in 0..MAX_BATCHES_PER_TURN {
            datagrams.clear();
            let Some((link, batch)) = next_batch(slot, &mut state.machine, now, datagrams) else {
                return;
            };
            let transmit = Transmit {
                destination: batch.destination,
                contents: datagrams,
                segment_size: batch.segment_size,
            };
            match link.send(now, &transmit) {
                SendOutcome::Sent | SendOutcome::Dropped(_) => {}
                SendOutcome::WouldBlock { consumed, wait } => {
                    state.unsent = Some(Box::new(Unsent {
                        link: link.clone(),
                        destination: batch.destination,
                        contents: datagrams[consumed..].to_vec(),
                        segment_size: batch.segment_size,
                    }));
                    self.await_room(slot, link, now, wait);
                    return;
                }
                SendOutcome::Lost => {
                    link.worker.reopen(link.token);
                    return;
                }
            }
        }
        // More is ready: go on soon, after everybody else.
        if let Some(worker) = slot.worker.as_ref().filter(|_| slot.schedule(now)) {
            worker.set_timer(now, slot.handle);
        }
    }

    fn await_room(&self, slot: &Arc<Slot>, link: &Link, now: Time, wait: SendWait) {
        link.block(slot.clone());
        match wait {
            SendWait::Writable => link.worker.await_writable(link.token),
            SendWait::Pause => {
                link.worker.retry_at(link.token, now.plus_micros(NO_BUFFERS_PAUSE_US));
            }
        }
    }

    /// Goes on with a batch that the socket refused before.
    pub(crate) fn resume(&self, slot: &Arc<Slot>) {
        let mut state = slot.lock();
        let now = self.clock.now();
        if let Some(unsent) = state.unsent.take() {
            let Unsent { link, destination, contents, segment_size } = *unsent;
            let transmit = Transmit { destination, contents: &contents, segment_size };
            if let SendOutcome::WouldBlock { consumed, wait } = link.send(now, &transmit) {
                self.await_room(slot, &link, now, wait);
                let contents = contents[consumed..].to_vec();
                state.unsent = Some(Box::new(Unsent { link, destination, contents, segment_size }));
                return;
            }
        }
        self.settle(slot, &mut state, now);
    }

    /// Queues the events that wait. Whoever tells the application a state does this first, under
    /// the same lock, so that no state is seen whose change is not to be had.
    pub(crate) fn announce(&self, slot: &Arc<Slot>, state: &mut SlotState) {
        loop {
            let Some(machine) = state.machine.connection_mut() else { return };
            let Some(event) = machine.poll_event() else { return };
            match event {
                MachineEvent::StateChanged { old, new } => {
                    slot.peer.store(Arc::new(machine.remote_identity().clone()));
                    if let Some(link) = &slot.link
                        && old == ConnectionState::Connecting
                    {
                        link.worker.settled(link.token, slot.handle);
                    }
                    let mut info = ConnectionInfo::of(slot, state);
                    info.state = new;
                    self.post_status(slot, info, old);
                }
                MachineEvent::Writable => {
                    slot.writable.notify();
                    self.events.push(Event::Writable { connection: slot.handle });
                }
                MachineEvent::Drained => {
                    self.connections.remove(slot.handle.to_raw());
                    if let Some(link) = &slot.link {
                        link.worker.forget(link.token, slot.handle);
                    }
                    if let Some(side) = &slot.peer_side {
                        self.forget_peer(slot, side);
                    }
                }
            }
        }
    }

    pub(crate) fn post_status(&self, slot: &Slot, info: ConnectionInfo, old: ConnectionState) {
        log_state(&info, old);
        // Wake whoever blocks on messages of a connection that has come to its end.
        slot.destination.load().signal.notify();
        slot.writable.notify();
        if self.session_changed(slot, &info) {
            return;
        }
        self.events.push(Event::ConnectionStatusChanged(Box::new(StatusChanged {
            connection: slot.handle,
            info,
            old_state: old,
            callback: slot.options.status_callback(),
        })));
    }

    fn set_timer(&self, slot: &Arc<Slot>, state: &SlotState, now: Time) {
        let Some(worker) = &slot.worker else { return };
        if state.unsent.is_some() {
            return;
        }
        if let Some(deadline) = state.machine.poll_timeout(now)
            && slot.schedule(deadline)
        {
            worker.set_timer(deadline, slot.handle);
        }
    }

    /// A connection's timer fired.
    pub(crate) fn on_timer(&self, connection: ConnectionHandle) {
        let Some(slot) = self.connections.find(connection.to_raw()) else { return };
        slot.unschedule();
        self.drive_machine(&slot, Machine::handle_timeout);
    }

    /// The application took messages: lets the machine know if it waits for their room.
    pub(crate) fn after_consuming(&self, slot: &Arc<Slot>, messages: &[Message]) {
        self.consumed(slot, messages.len(), messages.iter().map(|m| m.payload.len()).sum());
    }

    /// The same, counted.
    pub(crate) fn consumed(&self, slot: &Arc<Slot>, messages: usize, bytes: usize) {
        if slot.on_consumed(messages, bytes) {
            self.drive(slot, |_, _| ());
        }
    }

    /// Credits messages that may be of several connections.
    pub(crate) fn credit(&self, messages: &[Message]) {
        for run in messages.chunk_by(|a, b| a.connection == b.connection) {
            if let Some(slot) = self.connections.find(run[0].connection.to_raw()) {
                self.after_consuming(&slot, run);
            }
        }
    }

    /// Announces that our own certificate has expired, once it has. `None`: nothing is to come;
    /// otherwise when to look again.
    pub(crate) fn watch_expiry(&self, now: Time, now_unix: u64) -> Option<Time> {
        if self.expiry.take_due(now_unix) {
            let status = self.authentication().status(now_unix);
            // Renewed in the meantime, there is nothing to say.
            if status.availability == Availability::Previously {
                self.events.push(Event::AuthenticationStatusChanged(status));
            }
        }
        self.expiry.next_look(now, now_unix)
    }

    pub(crate) fn signaling_maker(&self) -> Option<SignalingMaker> {
        self.signaling_maker.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn entropy(&self) -> SystemEntropy {
        SystemEntropy
    }
}

/// The next datagrams that a connection wants to send, and what they go through.
fn next_batch<'a>(
    slot: &'a Slot,
    machine: &mut Machine,
    now: Time,
    datagrams: &mut Vec<u8>,
) -> Option<(&'a Arc<Link>, Batch)> {
    match machine {
        Machine::Udp(machine) => {
            let link = slot.link.as_ref()?;
            let max = max_datagrams(link, machine);
            let batch = machine.poll_transmit(now, datagrams, max)?;
            let (destination, segment_size) = (batch.destination, batch.segment_size);
            Some((link, Batch { destination, segment_size }))
        }
        Machine::Peer(peer) => {
            let side = slot.peer_side.as_ref()?;
            let max = side.any_link().map_or(1, |link| max_datagrams(link, peer.connection()));
            loop {
                let batch = peer.poll_transmit(now, datagrams, max)?;
                if let Some(link) = side.link(batch.socket) {
                    let (destination, segment_size) = (batch.destination, batch.segment_size);
                    return Some((link, Batch { destination, segment_size }));
                }
                // The socket could not be bound, or is gone: as lost as datagrams get.
                datagrams.clear();
            }
        }
        Machine::Pipe(_) => None,
    }
}

/// Where a batch goes, and how it is cut.
struct Batch {
    destination: SocketAddr,
    segment_size: Option<usize>,
}

fn max_datagrams(link: &Link, machine: &Connection) -> usize {
    let size_limit = MAX_BATCH_BYTES / machine.packet_size().max(1);
    link.socket.max_gso_segments().max(1).min(size_limit)
}

fn log_state(info: &ConnectionInfo, old: ConnectionState) {
    let ConnectionInfo { description, state, end_reason, end_debug, .. } = info;
    match state {
        ConnectionState::ProblemDetectedLocally => {
            tracing::warn!(%description, ?old, end_reason, %end_debug, "a connection broke");
        }
        ConnectionState::ClosedByPeer | ConnectionState::None => {
            tracing::info!(%description, ?old, ?state, end_reason, %end_debug, "a connection ended");
        }
        ConnectionState::Connecting
        | ConnectionState::FindingRoute
        | ConnectionState::Connected => {
            tracing::info!(%description, ?old, ?state, "a connection changed")
        }
    }
}
