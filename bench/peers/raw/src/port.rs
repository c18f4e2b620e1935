//! A UDP socket: batches of 64 KiB, or one call a packet.

use std::{
    io::{ErrorKind, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::packets::PACKET_BYTES;

/// Packets in one batch: what fits into a datagram that the kernel cuts.
const BATCH_PACKETS: usize = 50;
/// Bytes of a batch.
pub(crate) const BATCH_BYTES: usize = BATCH_PACKETS * PACKET_BYTES;
/// Most packets in a batch, whatever their size: what Linux cuts.
pub(crate) const MAX_BATCH_PACKETS: usize = 64;
/// Batches received in one call.
const RECEIVE_BATCHES: usize = 4;
/// Bytes of a received batch at most.
const RECEIVE_BYTES: usize = 65_536;
/// What the socket may hold, in bytes; the kernel gives what it allows.
const BUFFER_BYTES: usize = 4 << 20;

/// How packets meet the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Offload {
    /// Segmentation offload both ways.
    Gso,
    /// One blocking call a packet.
    Single,
}

/// See the module.
pub(crate) struct Port {
    socket: UdpSocket,
    offload: Offload,
    state: UdpSocketState,
    timeout: Option<Duration>,
    buffers: Vec<Vec<u8>>,
}

impl Port {
    /// On a free port of the loopback interface.
    pub(crate) fn bind(offload: Offload) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let reference = socket2::SockRef::from(&socket);
        reference.set_recv_buffer_size(BUFFER_BYTES)?;
        reference.set_send_buffer_size(BUFFER_BYTES)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let buffers = match offload {
            Offload::Gso => vec![vec![0; RECEIVE_BYTES]; RECEIVE_BATCHES],
            Offload::Single => vec![vec![0; RECEIVE_BYTES]],
        };
        socket.set_nonblocking(offload == Offload::Gso)?;
        Ok(Self { socket, offload, state, timeout: None, buffers })
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Sends packets of `segment` bytes, of which the last may be shorter.
    pub(crate) fn send(
        &self,
        to: SocketAddr,
        contents: &[u8],
        segment: usize,
    ) -> anyhow::Result<()> {
        if self.offload == Offload::Single {
            for packet in contents.chunks(segment) {
                self.socket.send_to(packet, to)?;
            }
            return Ok(());
        }
        let segment_size = (contents.len() > segment).then_some(segment);
        let transmit =
            Transmit { destination: to, ecn: None, contents, segment_size, src_ip: None };
        loop {
            match self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(PollFlags::OUT, Duration::from_secs(1))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn wait(&self, what: PollFlags, timeout: Duration) -> anyhow::Result<bool> {
        let timeout = Timespec::try_from(timeout)?;
        let ready = poll(&mut [PollFd::new(&self.socket, what)], Some(&timeout))?;
        Ok(ready > 0)
    }

    /// Waits for packets, at most `timeout`, and hands each to `sink`.
    pub(crate) fn receive(
        &mut self,
        timeout: Duration,
        sink: impl FnMut(SocketAddr, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self.offload {
            Offload::Gso => self.receive_batches(timeout, sink),
            Offload::Single => self.receive_single(timeout, sink),
        }
    }

    fn receive_single(
        &mut self,
        timeout: Duration,
        mut sink: impl FnMut(SocketAddr, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        // Zero would mean: for ever.
        let timeout = timeout.max(Duration::from_micros(1));
        if self.timeout != Some(timeout) {
            self.socket.set_read_timeout(Some(timeout))?;
            self.timeout = Some(timeout);
        }
        match self.socket.recv_from(&mut self.buffers[0]) {
            Ok((len, from)) => sink(from, &self.buffers[0][..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn receive_batches(
        &mut self,
        timeout: Duration,
        mut sink: impl FnMut(SocketAddr, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut metas = [RecvMeta::default(); RECEIVE_BATCHES];
        let mut waited = false;
        let count = loop {
            let mut buffers = self.buffers.iter_mut();
            let mut slices: [IoSliceMut<'_>; RECEIVE_BATCHES] = std::array::from_fn(|_| {
                IoSliceMut::new(buffers.next().map_or(&mut [], Vec::as_mut_slice))
            });
            match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas) {
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if waited || !self.wait(PollFlags::IN, timeout)? {
                        return Ok(());
                    }
                    waited = true;
                }
                Err(error) => return Err(error.into()),
            }
        };
        for (meta, buffer) in metas.iter().zip(&self.buffers).take(count) {
            for packet in buffer[..meta.len].chunks(meta.stride.max(1)) {
                sink(meta.addr, packet)?;
            }
        }
        Ok(())
    }
}
