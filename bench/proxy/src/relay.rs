//! The sockets: one towards the client, one towards the server.

use std::{
    io::{ErrorKind, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::direction::{Direction, Link};

/// What a socket may hold, in bytes.
const SOCKET_BYTES: usize = 4 << 20;
/// Batches received in one call, and their size.
const BATCHES: usize = 8;
const BATCH_BYTES: usize = 65_536;
/// Calls for one socket before the other has its turn.
const MOST_CALLS: usize = 16;
/// Longest sleep.
const IDLE: Duration = Duration::from_secs(1);

/// A socket that takes batches apart.
struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
}

impl Port {
    fn bind() -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let reference = socket2::SockRef::from(&socket);
        reference.set_recv_buffer_size(SOCKET_BYTES)?;
        reference.set_send_buffer_size(SOCKET_BYTES)?;
        // Makes it non-blocking, and asks for batches.
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self { socket, state })
    }

    /// Hands over what has come; true if there may be more.
    fn receive(
        &self,
        buffers: &mut [Vec<u8>],
        mut sink: impl FnMut(SocketAddr, &[u8]),
    ) -> anyhow::Result<bool> {
        let mut metas = [RecvMeta::default(); BATCHES];
        let mut each = buffers.iter_mut();
        let mut slices: [IoSliceMut<'_>; BATCHES] = std::array::from_fn(|_| {
            IoSliceMut::new(each.next().map_or(&mut [], Vec::as_mut_slice))
        });
        let count = match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas) {
            Ok(count) => count,
            // A peer that is gone is no business of the network.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        for (meta, buffer) in metas.iter().zip(buffers).take(count) {
            for packet in buffer[..meta.len].chunks(meta.stride.max(1)) {
                sink(meta.addr, packet);
            }
        }
        Ok(true)
    }
}

/// See the module.
pub(crate) struct Relay {
    server: SocketAddr,
    client: Option<SocketAddr>,
    near_client: Port,
    near_server: Port,
    to_server: Direction,
    to_client: Direction,
    buffers: Vec<Vec<u8>>,
}

impl Relay {
    pub(crate) fn new(server: SocketAddr, link: Link, seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            server,
            client: None,
            near_client: Port::bind()?,
            near_server: Port::bind()?,
            to_server: Direction::new(link, seed),
            // Other dice than those of the way there.
            to_client: Direction::new(link, !seed),
            buffers: vec![vec![0; BATCH_BYTES]; BATCHES],
        })
    }

    /// Where the client finds it.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.near_client.socket.local_addr()?)
    }

    /// Waits for something to do, and does it.
    pub(crate) fn turn(&mut self) -> anyhow::Result<()> {
        self.wait()?;
        for _ in 0..MOST_CALLS {
            let now = Instant::now();
            let Self { near_client, near_server, to_server, to_client, client, buffers, .. } = self;
            let up = near_client.receive(buffers, |from, packet| {
                *client = Some(from);
                to_server.push(now, packet);
            })?;
            let down = near_server.receive(buffers, |_, packet| to_client.push(now, packet))?;
            if !up && !down {
                break;
            }
        }
        deliver(&mut self.to_server, &self.near_server, Some(self.server));
        deliver(&mut self.to_client, &self.near_client, self.client);
        Ok(())
    }

    fn wait(&self) -> anyhow::Result<()> {
        let arrivals = [self.to_server.next_arrival(), self.to_client.next_arrival()];
        let now = Instant::now();
        let next = arrivals.into_iter().flatten().min();
        let sleep = next.map_or(IDLE, |next| next.saturating_duration_since(now));
        let sockets = [&self.near_client, &self.near_server];
        let mut sockets = sockets.map(|port| PollFd::new(&port.socket, PollFlags::IN));
        poll(&mut sockets, Some(&Timespec::try_from(sleep)?))?;
        Ok(())
    }
}

/// Sends what has arrived.
fn deliver(direction: &mut Direction, through: &Port, to: Option<SocketAddr>) {
    let now = Instant::now();
    while let Some(packet) = direction.pop(now) {
        if let Some(to) = to {
            // A full buffer loses a packet, as a router would.
            let _lost = through.socket.send_to(&packet, to);
        }
        direction.recycle(packet);
    }
}
