//! A client or a server, and its ticks.

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant, SystemTime},
};

use anyhow::bail;
use bytes::Bytes;
use renet::{ClientId, RenetClient, RenetServer, ServerEvent};
use renet_netcode::{
    ClientAuthentication, NetcodeClientTransport, NetcodeServerTransport, ServerAuthentication,
    ServerConfig,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::settings;

/// Both sides name the same.
const PROTOCOL_ID: u64 = 0x6265_6e63_6800;

/// The socket, and when the last tick was.
struct Beat {
    /// The library owns the socket; this is another handle to wait on.
    socket: UdpSocket,
    last: Instant,
}

impl Beat {
    fn bind() -> anyhow::Result<(Self, UdpSocket)> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let reference = socket2::SockRef::from(&socket);
        reference.set_recv_buffer_size(settings::SOCKET_BYTES)?;
        reference.set_send_buffer_size(settings::SOCKET_BYTES)?;
        let beat = Self { socket: socket.try_clone()?, last: Instant::now() };
        Ok((beat, socket))
    }

    /// Waits for a packet.
    fn wait(&self, timeout: Duration) -> anyhow::Result<()> {
        let timeout = Timespec::try_from(timeout)?;
        poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout))?;
        Ok(())
    }

    fn elapsed(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.last, now)
    }
}

fn unix_time() -> anyhow::Result<Duration> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?)
}

/// A client with its one connection.
pub(crate) struct Client {
    beat: Beat,
    client: RenetClient,
    transport: NetcodeClientTransport,
}

impl Client {
    pub(crate) fn new(server: SocketAddr, client_id: ClientId) -> anyhow::Result<Self> {
        let (beat, socket) = Beat::bind()?;
        let authentication = ClientAuthentication::Unsecure {
            protocol_id: PROTOCOL_ID,
            client_id,
            server_addr: server,
            user_data: None,
        };
        let transport = NetcodeClientTransport::new(unix_time()?, authentication, socket)?;
        Ok(Self {
            beat,
            client: RenetClient::new(settings::connection(settings::CLIENT_BYTES)),
            transport,
        })
    }

    pub(crate) fn wait(&self, timeout: Duration) -> anyhow::Result<()> {
        self.beat.wait(timeout)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    /// Takes in what came.
    pub(crate) fn update(&mut self) -> anyhow::Result<()> {
        let elapsed = self.beat.elapsed();
        self.client.update(elapsed);
        Ok(self.transport.update(elapsed, &mut self.client)?)
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        if self.is_connected() {
            self.transport.send_packets(&mut self.client)?;
        }
        Ok(())
    }

    pub(crate) fn has_room(&self, channel: u8, bytes: usize) -> bool {
        self.client.can_send_message(channel, bytes)
    }

    pub(crate) fn send(&mut self, channel: u8, message: Bytes) {
        self.client.send_message(channel, message);
    }

    pub(crate) fn receive(&mut self, channel: u8) -> Option<Bytes> {
        self.client.receive_message(channel)
    }
}

/// A server with any number of connections.
pub(crate) struct Server {
    beat: Beat,
    server: RenetServer,
    transport: NetcodeServerTransport,
    /// In the order in which they connected.
    clients: Vec<ClientId>,
}

impl Server {
    pub(crate) fn new(connections: usize) -> anyhow::Result<Self> {
        let (beat, socket) = Beat::bind()?;
        let config = ServerConfig {
            current_time: unix_time()?,
            max_clients: connections,
            protocol_id: PROTOCOL_ID,
            public_addresses: vec![socket.local_addr()?],
            authentication: ServerAuthentication::Unsecure,
        };
        let transport = NetcodeServerTransport::new(config, socket)?;
        let server = RenetServer::new(settings::connection(settings::SERVER_BYTES));
        Ok(Self { beat, server, transport, clients: Vec::new() })
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.beat.socket.local_addr()?)
    }

    pub(crate) fn wait(&self, timeout: Duration) -> anyhow::Result<()> {
        self.beat.wait(timeout)
    }

    pub(crate) fn connected(&self) -> usize {
        self.clients.len()
    }

    /// Takes in what came.
    pub(crate) fn update(&mut self) -> anyhow::Result<()> {
        let elapsed = self.beat.elapsed();
        self.server.update(elapsed);
        self.transport.update(elapsed, &mut self.server)?;
        while let Some(event) = self.server.get_event() {
            match event {
                ServerEvent::ClientConnected { client_id } => self.clients.push(client_id),
                ServerEvent::ClientDisconnected { reason, .. } => bail!("disconnected: {reason}"),
            }
        }
        Ok(())
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self) {
        self.transport.send_packets(&mut self.server);
    }

    pub(crate) fn has_room(&self, index: usize, channel: u8, bytes: usize) -> bool {
        self.server.can_send_message(self.clients[index], channel, bytes)
    }

    pub(crate) fn send(&mut self, index: usize, channel: u8, message: Bytes) {
        self.server.send_message(self.clients[index], channel, message);
    }

    pub(crate) fn receive(&mut self, index: usize, channel: u8) -> Option<Bytes> {
        self.server.receive_message(self.clients[index], channel)
    }
}
