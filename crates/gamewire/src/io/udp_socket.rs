//! The UDP socket.

use super::{
    clock::Clock,
    counters::{IoCounters, SocketCounters},
    os::{self, Failure},
    recv::{DatagramMeta, RECV_SYSCALLS_PER_CALL, Received, RecvBatch, RecvEnd},
    send::{DropReason, SendOutcome, Sender, Transmit},
};
use mio::{Registry, Token, event::Source};
use quinn_udp::UdpSocketState;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6},
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Send and receive buffer asked of the system, in bytes each. It may give less (on Linux at most
/// `net.core.rmem_max` and `wmem_max`).
pub const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// How long to wait between attempts to [reopen](UdpSocket::reopen) a lost socket, in microseconds.
pub const REOPEN_INTERVAL_US: u64 = 500_000;

/// Unexplained errors in a row after which a receive takes the socket for lost.
const MAX_UNEXPLAINED_RECV_ERRORS: usize = 3;

/// A UDP socket could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind UDP socket to {address}: {source}")]
pub struct BindError {
    /// The address asked for.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// Where a socket is after it was reopened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reopened {
    /// At the same address and port: peers notice nothing.
    SameAddress,
    /// At another port, since the old one was taken and none was asked for when binding.
    NewAddress(SocketAddr),
}

/// Which of several sockets at one address gets a datagram: if the first byte has a bit of
/// `first_byte_mask`, the one whose number is the byte at `offset` modulo their count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Steering {
    /// What the first byte is looked at for.
    pub first_byte_mask: u8,
    /// Where the byte is that decides, from the start of the payload.
    pub offset: u8,
}

/// A non-blocking UDP socket that batches, and that outlives what happens to it.
///
/// All methods take `&self`: any thread may send; receiving is for one thread at a time (more would
/// work, but share the datagrams). Addresses are plain: an IPv4 peer of a dual-stack socket appears
/// as IPv4, never as `::ffff:a.b.c.d`.
#[derive(Debug)]
pub struct UdpSocket {
    /// What was asked for at bind.
    requested: SocketAddr,
    sharing: Sharing,
    link: RwLock<Link>,
    counters: SocketCounters,
}

/// The socket's connection to the system. Locked for reading during one send or one system call
/// that receives; for writing only while reopening.
#[derive(Debug)]
struct Link {
    local_addr: SocketAddr,
    /// `None` after a failed attempt to reopen.
    open: Option<Open>,
}

/// One open socket of the system.
#[derive(Debug)]
struct Open {
    socket: Socket,
    state: UdpSocketState,
    family: Family,
    max_gso_segments: AtomicUsize,
}

/// Whether others are bound to the same address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sharing {
    Alone,
    /// Other sockets of this user may be.
    Shared,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Family {
    V4,
    V6,
}

impl UdpSocket {
    /// Binds a socket. `[::]:port` takes IPv4 and IPv6, and falls back to `0.0.0.0:port` on a
    /// machine without IPv6; port 0 lets the system choose.
    ///
    /// # Errors
    /// The system's, mostly: address in use, address not of this machine, port not permitted.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::bind_as(address, Sharing::Alone)
    }

    fn bind_as(address: SocketAddr, sharing: Sharing) -> Result<Self, BindError> {
        let requested = normalised(address);
        let (open, local_addr) =
            open_or_fall_back(requested, |address| Open::new(address, sharing))
                .map_err(|source| BindError { address: requested, source })?;
        let link = RwLock::new(Link { local_addr, open: Some(open) });
        Ok(Self { requested, sharing, link, counters: SocketCounters::default() })
    }

    /// Binds up to `count` sockets to one address, among which the system spreads what arrives: a
    /// datagram that `steering` applies to goes to the socket that it names, any other to one that
    /// depends on the addresses alone. Returns one socket where the system cannot do it.
    ///
    /// Like one socket, they share the address with nobody who came before; a process of the same
    /// user that asks for it may join later. A socket that is reopened comes last in the order from
    /// then on, so who receives a datagram must look whether it is his.
    ///
    /// # Errors
    /// As [`UdpSocket::bind`].
    pub fn bind_shards(
        address: SocketAddr,
        count: usize,
        steering: Steering,
    ) -> Result<Vec<Self>, BindError> {
        let mut first = Self::bind(address)?;
        if count < 2 || !os::SHARES_PORTS {
            return Ok(vec![first]);
        }
        let address = first.local_addr();
        let failed = |source| BindError { address, source };
        // Only now: so it is bound for itself, or not at all.
        first.with_socket(os::share_port).map_err(failed)?;
        first.sharing = Sharing::Shared;
        let mut shards = vec![first];
        for _ in 1..count {
            shards.push(Self::bind_as(address, Sharing::Shared)?);
        }
        shards[0].with_socket(|socket| os::steer(socket, steering, count)).map_err(failed)?;
        Ok(shards)
    }

    /// The bound address: `[::]` for a dual-stack socket, and the real port if 0 was asked for.
    /// While the socket is lost, the address it last had.
    pub fn local_addr(&self) -> SocketAddr {
        self.link().local_addr
    }

    /// Most segments that one system call takes at present; 1 if there is no segmentation offload
    /// or it has proved not to work. Larger batches are split, so it is a hint for building them.
    pub fn max_gso_segments(&self) -> usize {
        let link = self.link();
        link.open.as_ref().map_or(1, |open| open.max_gso_segments.load(Ordering::Relaxed))
    }

    /// The socket's send and receive buffer in bytes, as the system accounts for them; zeros while
    /// the socket is lost.
    pub fn buffer_bytes(&self) -> (usize, usize) {
        let link = self.link();
        let Some(Open { socket, .. }) = &link.open else {
            return (0, 0);
        };
        let send = socket.send_buffer_size().unwrap_or_default();
        (send, socket.recv_buffer_size().unwrap_or_default())
    }

    /// What the socket has done so far.
    pub fn counters(&self) -> IoCounters {
        self.counters.snapshot()
    }

    /// Sends datagrams without blocking; see [`SendOutcome`] for what may become of them.
    ///
    /// Errors that the network can cause (ICMP, no route, firewall, full buffers) never make the
    /// socket unusable: at worst the datagrams are dropped and counted.
    pub fn try_send(&self, transmit: &Transmit<'_>) -> SendOutcome {
        let link = self.link();
        let Some(open) = &link.open else {
            return SendOutcome::Lost;
        };
        let Some(destination) = open.sendable(transmit.destination) else {
            let reason = match transmit.destination.port() {
                0 => DropReason::InvalidDestination,
                _ => DropReason::Unreachable,
            };
            self.counters.send.dropped(reason, segment_count(transmit));
            return SendOutcome::Dropped(reason);
        };
        let sender = Sender { max_segments: &open.max_gso_segments, counters: &self.counters.send };
        sender.send(transmit.contents, transmit.segment_size, |contents, segment_size| {
            let transmit = quinn_udp::Transmit {
                destination,
                ecn: None,
                contents,
                segment_size,
                src_ip: None,
            };
            open.state.try_send((&open.socket).into(), &transmit)
        })
    }

    /// Receives without blocking what has arrived, up to a limit, and hands it to `sink` datagram
    /// by datagram: the remote address, what else is known, and the content, which may be changed
    /// in place and is gone after the call. `sink` may send on this socket.
    pub fn recv(
        &self,
        batch: &mut RecvBatch,
        clock: &Clock,
        mut sink: impl FnMut(SocketAddr, DatagramMeta, &mut [u8]),
    ) -> Received {
        let mut received = Received { datagrams: 0, bytes: 0, syscalls: 0, end: RecvEnd::Budget };
        let mut unexplained = 0;
        while received.syscalls < RECV_SYSCALLS_PER_CALL {
            received.syscalls += 1;
            match self.fill(batch) {
                Ok(filled) => {
                    let (datagrams, bytes) = batch.drain(filled, clock, &mut sink);
                    self.counters.recv.received(datagrams, bytes);
                    received.datagrams += datagrams;
                    received.bytes += bytes;
                    if os::SHORT_RECV_MEANS_DRAINED && filled < batch.slots() {
                        received.end = RecvEnd::Drained;
                        break;
                    }
                }
                Err(Failure::WouldBlock) => {
                    received.end = RecvEnd::Drained;
                    break;
                }
                Err(Failure::Lost) => {
                    received.end = RecvEnd::Lost;
                    break;
                }
                // Errors of earlier sends, reported here; datagrams may wait behind them.
                Err(
                    Failure::Refused
                    | Failure::Unreachable
                    | Failure::TooLarge
                    | Failure::Forbidden
                    | Failure::NoBuffers,
                ) => self.counters.recv.error(),
                Err(Failure::Invalid | Failure::Other) => {
                    self.counters.recv.error();
                    unexplained += 1;
                    if unexplained >= MAX_UNEXPLAINED_RECV_ERRORS {
                        received.end = RecvEnd::Lost;
                        break;
                    }
                }
            }
        }
        received
    }

    /// Closes the socket and binds it anew, at the same port if at all possible: what to do after
    /// [`SendOutcome::Lost`] or [`RecvEnd::Lost`]. Other threads may go on sending meanwhile.
    ///
    /// Register it with the poller again afterwards. Only the thread that owns the socket should
    /// call this, and no more often than each [`REOPEN_INTERVAL_US`].
    ///
    /// # Errors
    /// As [`UdpSocket::bind`]. The socket stays lost then, and keeps its address for the next
    /// attempt: an explicitly chosen port is never exchanged for another.
    pub fn reopen(&self) -> Result<Reopened, BindError> {
        let mut link = self.link_mut();
        let address = link.local_addr;
        // Before the new one is bound, since the port is free only then.
        link.open = None;
        let open = |address| Open::new(address, self.sharing);
        let opened = open(address).or_else(|error| match self.requested.port() {
            0 => open_or_fall_back(self.requested, open),
            _ => Err(error),
        });
        let (open, local_addr) = opened.map_err(|source| BindError { address, source })?;
        *link = Link { local_addr, open: Some(open) };
        self.counters.reopened();
        if local_addr == address {
            Ok(Reopened::SameAddress)
        } else {
            Ok(Reopened::NewAddress(local_addr))
        }
    }

    /// One system call that receives. The lock is released before anybody looks at the result, so
    /// that the receiver of the datagrams may send.
    fn fill(&self, batch: &mut RecvBatch) -> Result<usize, Failure> {
        let link = self.link();
        let Some(open) = &link.open else {
            return Err(Failure::Lost);
        };
        self.counters.recv.syscall();
        batch
            .fill(|buffers, metas| open.state.recv((&open.socket).into(), buffers, metas))
            .map_err(|error| os::classify(&error))
    }

    /// The link has no invariant that a panic could break, so a poisoned lock is as good as new.
    fn link(&self) -> RwLockReadGuard<'_, Link> {
        self.link.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn link_mut(&self) -> RwLockWriteGuard<'_, Link> {
        self.link.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_socket<T>(&self, f: impl FnOnce(&Socket) -> io::Result<T>) -> io::Result<T> {
        match &self.link().open {
            Some(open) => f(&open.socket),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Source for &UdpSocket {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        self.with_socket(|socket| os::register(registry, socket, token, interests))
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        self.with_socket(|socket| os::reregister(registry, socket, token, interests))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.with_socket(|socket| os::deregister(registry, socket))
    }
}

impl Open {
    /// Opens a socket at `address`; dual-stack if that is `[::]`. Also returns the bound address.
    fn new(address: SocketAddr, sharing: Sharing) -> io::Result<(Self, SocketAddr)> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        let family = if address.is_ipv6() { Family::V6 } else { Family::V4 };
        if family == Family::V6 {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        raise_buffer(|bytes| socket.set_send_buffer_size(bytes));
        raise_buffer(|bytes| socket.set_recv_buffer_size(bytes));
        if sharing == Sharing::Shared {
            os::share_port(&socket)?;
        }
        socket.bind(&address.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        let local_addr = socket
            .local_addr()?
            .as_socket()
            .map(normalised)
            .ok_or_else(|| io::Error::other("the socket has no internet address"))?;
        let max_gso_segments = AtomicUsize::new(state.max_gso_segments());
        Ok((Self { socket, state, family, max_gso_segments }, local_addr))
    }

    /// The form in which this socket can send to `destination`; `None` if it cannot.
    fn sendable(&self, destination: SocketAddr) -> Option<SocketAddr> {
        match (self.family, normalised(destination)) {
            // The system would refuse it with the error that also means broken offload.
            (_, plain) if plain.port() == 0 => None,
            (Family::V4, plain @ SocketAddr::V4(_)) | (Family::V6, plain @ SocketAddr::V6(_)) => {
                Some(plain)
            }
            (Family::V6, SocketAddr::V4(plain)) => {
                Some(SocketAddrV6::new(plain.ip().to_ipv6_mapped(), plain.port(), 0, 0).into())
            }
            (Family::V4, SocketAddr::V6(_)) => None,
        }
    }
}

/// Opens a socket at `address` by `open`; if that is `[::]` and there is no IPv6, at `0.0.0.0`.
fn open_or_fall_back<T>(
    address: SocketAddr,
    open: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    open(address).or_else(|error| {
        if address.is_ipv6() && address.ip().is_unspecified() && os::no_ipv6(&error) {
            open((IpAddr::from(Ipv4Addr::UNSPECIFIED), address.port()).into())
        } else {
            Err(error)
        }
    })
}

/// Sets a socket buffer as large as the system gives. Some clamp a request that is too large, some
/// refuse it. The default will do if all are refused.
fn raise_buffer(set: impl Fn(usize) -> io::Result<()>) {
    let mut bytes = SOCKET_BUFFER_BYTES;
    while bytes > 1 << 16 && set(bytes).is_err() {
        bytes /= 2;
    }
}

/// IPv4 as IPv4 even if it came mapped into IPv6, and without the flow label, which is no part of
/// who somebody is.
pub(super) fn normalised(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => (v4, v6.port()).into(),
            None => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
        },
    }
}

fn segment_count(transmit: &Transmit<'_>) -> usize {
    let segment_size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
    transmit.contents.len().div_ceil(segment_size).max(1)
}

#[cfg(test)]
mod tests;
