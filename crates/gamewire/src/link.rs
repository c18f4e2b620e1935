//! A UDP socket together with what stands between it and the connections: the fake network, and
//! the thread that receives for it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use gamewire_proto::Time;

use crate::{
    fake_network::{Direction, FakeNetwork, FakeNetworkConfig, Verdict},
    io::{SendOutcome, Token, Transmit, UdpSocket},
    packet_trace::PacketTrace,
    slot::Slot,
    worker::WorkerHandle,
};

/// See the module's documentation. Any thread may send through it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) socket: UdpSocket,
    pub(crate) token: Token,
    pub(crate) worker: Arc<WorkerHandle>,
    fake_send: AtomicBool,
    fake_receive: AtomicBool,
    trace: PacketTrace,
    /// Made when it is first used; what its whims begin with.
    fake: OnceLock<Box<Mutex<FakeNetwork>>>,
    fake_seed: u64,
    /// Connections whose datagrams the socket refused; the worker goes on with them.
    blocked: Mutex<Vec<Arc<Slot>>>,
}

impl Link {
    pub(crate) fn new(
        socket: UdpSocket,
        token: Token,
        worker: Arc<WorkerHandle>,
        fake: &FakeNetworkConfig,
        seed: u64,
    ) -> Self {
        let link = Self {
            socket,
            token,
            worker,
            fake_send: AtomicBool::new(false),
            fake_receive: AtomicBool::new(false),
            trace: PacketTrace::default(),
            fake: OnceLock::new(),
            fake_seed: seed,
            blocked: Mutex::default(),
        };
        link.configure_fake(fake);
        link
    }

    /// The fake network, if it was ever used.
    pub(crate) fn fake_in_use(&self) -> Option<MutexGuard<'_, FakeNetwork>> {
        self.fake.get().map(|fake| fake.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn fake(&self) -> MutexGuard<'_, FakeNetwork> {
        let make = || Box::new(Mutex::new(FakeNetwork::new(self.fake_seed)));
        self.fake.get_or_init(make).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how bad the network pretends to be.
    pub(crate) fn configure_fake(&self, config: &FakeNetworkConfig) {
        if self.fake.get().is_none() && *config == FakeNetworkConfig::default() {
            return;
        }
        let mut fake = self.fake();
        fake.configure(*config);
        self.fake_send.store(fake.is_active(Direction::Send), Ordering::Relaxed);
        self.fake_receive.store(fake.is_active(Direction::Recv), Ordering::Relaxed);
    }

    /// Changes how much of each datagram is logged; negative: nothing.
    pub(crate) fn configure_trace(&self, max_bytes: i32) {
        self.trace.configure(max_bytes);
    }

    /// Logs a datagram that came in, if datagrams are to be logged.
    #[inline]
    pub(crate) fn trace_received(&self, remote: SocketAddr, datagram: &[u8]) {
        self.trace.datagrams(Direction::Recv, remote, datagram, datagram.len());
    }

    /// Whether received datagrams must pass the fake network.
    pub(crate) fn fakes_receiving(&self) -> bool {
        self.fake_receive.load(Ordering::Relaxed)
    }

    /// Sends a batch, through the fake network where that is on.
    pub(crate) fn send(&self, now: Time, transmit: &Transmit<'_>) -> SendOutcome {
        if !self.fake_send.load(Ordering::Relaxed) {
            let outcome = self.socket.try_send(transmit);
            self.trace.sent(transmit, outcome);
            return outcome;
        }
        self.trace.sent(transmit, SendOutcome::Sent);
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        let mut earliest = None;
        for datagram in transmit.contents.chunks(size) {
            let verdict = {
                let mut fake = self.fake();
                let verdict = fake.handle(now, Direction::Send, transmit.destination, datagram);
                earliest = fake.poll_timeout();
                verdict
            };
            if verdict == Verdict::Pass {
                // The fake network is lossy by purpose: one more refusal changes nothing.
                let _ = self.send_plain(transmit.destination, datagram);
            }
        }
        if let Some(deadline) = earliest {
            self.worker.set_socket_timer(deadline, self.token);
        }
        SendOutcome::Sent
    }

    /// Sends one datagram past the fake network.
    pub(crate) fn send_plain(&self, destination: SocketAddr, contents: &[u8]) -> SendOutcome {
        self.socket.try_send(&Transmit { destination, contents, segment_size: None })
    }

    /// Notes a connection that has datagrams waiting for room in the socket.
    pub(crate) fn block(&self, slot: Arc<Slot>) {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }

    /// Takes the connections that wait for room.
    pub(crate) fn take_blocked(&self) -> Vec<Arc<Slot>> {
        std::mem::take(&mut *self.blocked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
