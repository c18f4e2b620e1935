//! Listening, connecting, accepting, closing.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use gamewire_crypto::Entropy as _;
use gamewire_proto::{
    connection::{CloseRequest, Connection},
    end::EndReason,
    endpoint::{ConnectionKey, Endpoint},
    event::ConnectionState,
};
use gamewire_wire::{address::Address, identity::Identity};

use super::Sockets;
use crate::{
    config::{Config, ConfigId, Scope, ScopeValues},
    core::Core,
    error::{AcceptError, ConnectError, ListenError},
    handle::{ConnectionHandle, ListenSocketHandle},
    io::UdpSocket,
    link::Link,
    listen::{AcceptFilter, ListenSocket, Listens},
    shard::{MAX_SHARDS, STEERING, Shard},
    slot::{Machine, Slot, SlotParts},
    status::ConnectionInfo,
    worker::{Binding, Entrance, WorkerHandle},
};

/// Spreads sockets over service threads in turn.
static NEXT_WORKER: AtomicUsize = AtomicUsize::new(0);

impl Sockets {
    /// Listens on an address. `[::]` takes IPv4 and IPv6. Whoever connects is announced as
    /// `Connecting` and waits for [`Sockets::accept_connection`]. The options hold before the first
    /// packet can arrive.
    ///
    /// # Errors
    /// See [`ListenError`].
    #[doc(alias = "CreateListenSocketIP")]
    pub fn create_listen_socket_ip(
        &self,
        address: SocketAddr,
        options: &[Config],
    ) -> Result<ListenSocketHandle, ListenError> {
        self.create_listen_socket_filtered(address, options, None)
    }

    /// [`Sockets::create_listen_socket_ip`] with a say about each address before any state is made.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn create_listen_socket_filtered(
        &self,
        address: SocketAddr,
        options: &[Config],
        filter: Option<AcceptFilter>,
    ) -> Result<ListenSocketHandle, ListenError> {
        if address.port() == 0 {
            return Err(ListenError::NoPort);
        }
        let scope = ScopeValues::child(&self.core.interface, Scope::ListenSocket);
        scope.set_all(options)?;
        if scope.int32(ConfigId::SymmetricConnect) != 0 {
            tracing::warn!(%address, "SymmetricConnect has no effect on connections by address");
        }
        if !self.core.may_go_without_certificate(&scope) {
            return Err(ListenError::NoCertificate);
        }
        let shards = self.core.workers.len().min(MAX_SHARDS);
        let sockets = UdpSocket::bind_shards(address, shards, STEERING)?;
        let links: Vec<_> = if sockets.len() == 1 {
            sockets.into_iter().map(|socket| self.core.link(socket)).collect()
        } else {
            let tie = |(socket, worker)| self.core.link_to(socket, worker);
            sockets.into_iter().zip(&self.core.workers).map(tie).collect()
        };
        let socket = self.core.listen_sockets.insert(|raw| {
            Some(ListenSocket {
                handle: ListenSocketHandle::from_raw(raw.get())?,
                listens: Listens::Address(links.clone()),
                options: scope.clone(),
                filter,
                closed: AtomicBool::new(false),
            })
        });
        let socket = socket.ok_or(ListenError::TooMany)?;
        let address = links[0].socket.local_addr();
        tracing::info!(socket = %socket.handle, %address, threads = links.len(), "listening");
        let limits = scope.accept_limits();
        for (link, shard) in links.iter().zip(Shard::all(&links, limits)) {
            let endpoint = Endpoint::new(Some(limits), &mut self.core.entropy());
            let entrance = Entrance { endpoint, listener: Some(socket.clone()), shard };
            link.worker.bind(Binding::of_listener(link.clone(), entrance));
        }
        Ok(socket.handle)
    }

    /// Opens a connection to an address. It is announced as `Connecting` at once, and as
    /// `Connected` or failed later.
    ///
    /// # Errors
    /// See [`ConnectError`].
    #[doc(alias = "ConnectByIPAddress")]
    pub fn connect_by_ip_address(
        &self,
        address: SocketAddr,
        options: &[Config],
    ) -> Result<ConnectionHandle, ConnectError> {
        if address.port() == 0 || address.ip().is_unspecified() {
            return Err(ConnectError::BadAddress(address));
        }
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let scope = ScopeValues::child(&self.core.interface, Scope::Connection);
        scope.set_all(options)?;
        if !self.core.may_go_without_certificate(&scope) {
            return Err(ConnectError::NoCertificate);
        }
        scope.lock();
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let local = any.parse().expect("a literal address");
        let link = self.core.link(UdpSocket::bind(local)?);
        let mut entropy = self.core.entropy();
        let mut endpoint = Endpoint::new(None, &mut entropy);
        let local_id = endpoint.fresh_connection_id(&mut entropy);
        let slot = self.core.connections.insert(|raw| {
            let auth = self.core.authentication();
            let config = scope.connection_config(auth.roots_configured());
            let party = auth.local_party(crate::clock::unix_seconds(), None);
            let now = self.core.clock.now();
            let machine = Connection::initiate(now, local_id, address, party, config, &mut entropy);
            Some(Slot::new(SlotParts {
                handle: ConnectionHandle::from_raw(raw.get())?,
                listen_socket: None,
                link: Some(link.clone()),
                peer_side: None,
                options: scope.clone(),
                machine: Machine::Udp(Box::new(machine)),
                peer: Identity::IpAddress(Address::from(address)),
            }))
        });
        let slot = slot.ok_or(ConnectError::TooMany)?;
        endpoint.insert_initiator(ConnectionKey(slot.handle.to_raw()), local_id, address);
        link.worker.bind(Binding::of_endpoint(link.clone(), endpoint));
        self.core.drive(&slot, |_, _| ());
        Ok(slot.handle)
    }

    /// Accepts a connection that came in and is `Connecting`.
    ///
    /// # Errors
    /// See [`AcceptError`].
    #[doc(alias = "AcceptConnection")]
    pub fn accept_connection(&self, connection: ConnectionHandle) -> Result<(), AcceptError> {
        let slot = self.core.slot(connection).ok_or(AcceptError::NoSuchConnection)?;
        if slot.peer_side.as_ref().is_some_and(|side| side.is_accepted_by_connecting()) {
            return Err(AcceptError::Duplicate);
        }
        let mut entropy = self.core.entropy();
        // Options set until now still count: the cipher is chosen here.
        let config = slot.options.connection_config(self.core.authentication().roots_configured());
        slot.options.lock();
        let accepted = self.core.drive_machine(&slot, |machine, now| {
            if let Some(connection) = machine.connection_mut() {
                connection.set_handshake_config(&config);
            }
            machine.accept(now, &mut entropy)
        });
        Ok(accepted?)
    }

    /// Ends a connection and kills its handle. `reason` is 1000–2999 (0: 1000; anything else
    /// becomes 1999); `debug` reaches the peer, cut to 127 bytes. With `linger` reliable messages
    /// that wait are delivered first, in the background. False: no such connection.
    #[doc(alias = "CloseConnection")]
    pub fn close_connection(
        &self,
        connection: ConnectionHandle,
        reason: i32,
        debug: &str,
        linger: bool,
    ) -> bool {
        let Some(slot) = self.core.slot(connection) else { return false };
        if slot.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.core.close(&slot, CloseRequest { reason, debug, linger });
        true
    }

    /// Ends a listen socket and every connection that came in through it. False: no such socket.
    #[doc(alias = "CloseListenSocket")]
    pub fn close_listen_socket(&self, socket: ListenSocketHandle) -> bool {
        let Some(listener) = self.core.listen_sockets.remove(socket.to_raw()) else {
            return false;
        };
        listener.closed.store(true, Ordering::Release);
        let request = CloseRequest {
            reason: EndReason::APP_GENERIC.0,
            debug: "The listen socket was closed",
            linger: false,
        };
        for slot in self.core.connections.all() {
            if slot.listen_socket == Some(socket) && !slot.closed.swap(true, Ordering::AcqRel) {
                self.core.close(&slot, request);
            }
        }
        match &listener.listens {
            Listens::Address(links) => {
                links.iter().for_each(|link| link.worker.stop_listening(link.token));
            }
            Listens::VirtualPort(port) => self.core.peers.stop_listening(*port),
        }
        true
    }

    /// The address that a listen socket is bound to: `[::]` for IPv4 and IPv6 together. `None`: no
    /// such socket, or one on a virtual port.
    #[doc(alias = "GetListenSocketAddress")]
    pub fn listen_socket_address(&self, socket: ListenSocketHandle) -> Option<SocketAddr> {
        let listener = self.core.listen_sockets.find(socket.to_raw())?;
        match &listener.listens {
            Listens::Address(links) => links.first().map(|link| link.socket.local_addr()),
            Listens::VirtualPort(_) => None,
        }
    }
}

impl Core {
    /// The service thread whose turn it is to get something to do.
    pub(crate) fn next_worker(&self) -> &Arc<WorkerHandle> {
        &self.workers[NEXT_WORKER.fetch_add(1, Ordering::Relaxed) % self.workers.len()]
    }

    /// Picks the next service thread and ties the socket to it.
    pub(crate) fn link(&self, socket: UdpSocket) -> Arc<Link> {
        self.link_to(socket, self.next_worker())
    }

    /// Ties a socket to a service thread.
    pub(crate) fn link_to(&self, socket: UdpSocket, worker: &Arc<WorkerHandle>) -> Arc<Link> {
        let fake = self.global.fake_network_config();
        let seed = self.entropy().next_u64();
        let link = Arc::new(Link::new(socket, worker.fresh_token(), worker.clone(), &fake, seed));
        link.configure_trace(self.global.int32(ConfigId::PacketTraceMaxBytes));
        let mut links = self.links();
        if links.len() == links.capacity() {
            links.retain(|link| link.strong_count() > 0);
        }
        links.push(Arc::downgrade(&link));
        link
    }

    pub(crate) fn may_go_without_certificate(&self, scope: &ScopeValues) -> bool {
        let auth = self.authentication();
        let config = scope.connection_config(auth.roots_configured());
        let allowed = config.allow_without_auth.max(config.allow_without_auth_localhost);
        allowed > 0 || auth.has_certificate()
    }

    /// Closes a connection whose handle is dead already.
    pub(crate) fn close(&self, slot: &Arc<Slot>, request: CloseRequest<'_>) {
        let inbox = slot.destination.load_full();
        inbox.forget(slot.handle);
        if self.drive_machine(slot, |machine, now| machine.close(now, request)) {
            return;
        }
        let pipe = match &slot.lock().machine {
            Machine::Pipe(pipe) => pipe.clone(),
            Machine::Udp(_) | Machine::Peer(_) => return,
        };
        let old = pipe.state();
        let (reason, known) = EndReason::from_application(request.reason);
        let debug = if known { request.debug } else { "Invalid numeric reason code" };
        if let Some(other) = pipe.close(reason, debug) {
            let info = ConnectionInfo::of(&other, &other.lock());
            self.post_status(&other, info, ConnectionState::Connected);
        }
        let info = ConnectionInfo::of(slot, &slot.lock());
        self.post_status(slot, info, old);
        self.connections.remove(slot.handle.to_raw());
    }
}
