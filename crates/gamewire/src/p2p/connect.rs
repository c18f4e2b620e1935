//! Listening and connecting by identity.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gamewire_p2p::rendezvous::{Origin, PeerConfig, PeerConnection, VirtualPorts};
use gamewire_proto::send::INTERNAL_HEADER_BYTES;
use gamewire_wire::identity::Identity;

use super::servers;
use crate::{
    Sockets,
    config::{Config, ConfigId, Scope, ScopeValues},
    core::Core,
    handle::{ConnectionHandle, ListenSocketHandle},
    listen::{ListenSocket, Listens},
    messages::SESSION_VIRTUAL_PORT,
    signaling::{ConnectionSignaling, MAX_VIRTUAL_PORT, P2pError},
    slot::{Machine, Slot},
};

impl Sockets {
    /// Listens for connections by identity on a virtual port. Whoever connects is announced as
    /// `Connecting` and waits for [`Sockets::accept_connection`].
    ///
    /// # Errors
    /// See [`P2pError`].
    #[doc(alias = "CreateListenSocketP2P")]
    pub fn create_listen_socket_p2p(
        &self,
        local_virtual_port: i32,
        options: &[Config],
    ) -> Result<ListenSocketHandle, P2pError> {
        let port = check_virtual_port(local_virtual_port)?;
        let scope = ScopeValues::child(&self.core.interface, Scope::ListenSocket);
        scope.set_all(options)?;
        let socket = self.core.listen_sockets.insert(|raw| {
            Some(ListenSocket {
                handle: ListenSocketHandle::from_raw(raw.get())?,
                listens: Listens::VirtualPort(port),
                options: scope.clone(),
                filter: None,
                closed: AtomicBool::new(false),
            })
        });
        let socket = socket.ok_or(P2pError::TooMany)?;
        if !self.core.peers.listen(port, socket.handle) {
            self.core.listen_sockets.remove(socket.handle.to_raw());
            return Err(P2pError::VirtualPortInUse(local_virtual_port));
        }
        tracing::info!(socket = %socket.handle, port, "listening on a virtual port");
        if !self.core.may_go_without_certificate(&scope) {
            self.core.want_certificate();
        }
        // Nobody finds us before the hub knows us.
        self.connect_hub();
        Ok(socket.handle)
    }

    /// Connects to a peer by its identity, by way of the rendezvous service.
    ///
    /// # Errors
    /// See [`P2pError`].
    #[doc(alias = "ConnectP2P")]
    pub fn connect_p2p(
        &self,
        peer: &Identity,
        remote_virtual_port: i32,
        options: &[Config],
    ) -> Result<ConnectionHandle, P2pError> {
        let port = check_virtual_port(remote_virtual_port)?;
        if peer.is_invalid() {
            return Err(P2pError::InvalidIdentity);
        }
        self.core.connect_peer(Channel::Default, Some(peer), Some(port), options)
    }

    /// Connects to a peer by way of the application's own channel. With −1 as virtual port the
    /// application routes by itself. The channel may be called before this returns, and from any
    /// thread.
    ///
    /// # Errors
    /// See [`P2pError`]; the channel is dropped then.
    #[doc(alias = "ConnectP2PCustomSignaling")]
    pub fn connect_p2p_custom_signaling(
        &self,
        signaling: Box<dyn ConnectionSignaling>,
        peer: Option<&Identity>,
        remote_virtual_port: i32,
        options: &[Config],
    ) -> Result<ConnectionHandle, P2pError> {
        let port = match remote_virtual_port {
            -1 => None,
            port => Some(check_virtual_port(port)?),
        };
        self.core.connect_peer(Channel::Given(signaling), peer, port, options)
    }
}

/// How the peer is reached with signals.
pub(crate) enum Channel {
    /// By what the application installed for that, or by the hub.
    Default,
    /// By what it gave for this connection.
    Given(Box<dyn ConnectionSignaling>),
}

impl Core {
    /// Opens a connection by identity, or takes the one that the peer opened at the same time.
    pub(crate) fn connect_peer(
        self: &Arc<Self>,
        channel: Channel,
        peer: Option<&Identity>,
        remote_port: Option<u32>,
        options: &[Config],
    ) -> Result<ConnectionHandle, P2pError> {
        let own = self.authentication().identity().clone();
        if own.is_nobody() {
            return Err(P2pError::LocalIdentityUnknown);
        }
        let scope = ScopeValues::child(&self.interface, Scope::Connection);
        scope.set_all(options)?;
        let local_port = u32::try_from(scope.int32(ConfigId::LocalVirtualPort)).ok();
        let ports = VirtualPorts { local: local_port.or(remote_port), remote: remote_port };
        let symmetric = scope.int32(ConfigId::SymmetricConnect) != 0;
        if scope.int32(ConfigId::P2pTransportIceEnable) == 0 {
            return Err(P2pError::NoRoute);
        }
        if symmetric && peer.is_none() {
            return Err(P2pError::SymmetricWithoutIdentity);
        }
        let symmetric_peer = peer.filter(|_| symmetric);
        let certified = self.may_go_without_certificate(&scope);
        if !certified && !self.want_certificate() {
            return Err(P2pError::NoCertificate);
        }
        let existing = symmetric_peer.and_then(|peer| self.find_symmetric(peer, ports));
        if let Some(slot) = existing {
            return self.join_symmetric(&slot);
        }
        let signaling = match channel {
            Channel::Given(signaling) => Arc::from(signaling),
            Channel::Default => {
                self.default_signaling(peer.unwrap_or(&own), ports).ok_or(P2pError::NoSignaling)?
            }
        };
        scope.lock();
        let (config, named) = self.config_of_peer(&scope, ports);
        let matching = self.peers.matching();
        // The peer may have asked while the application made the channel.
        let existing = symmetric_peer.and_then(|peer| self.find_symmetric(peer, ports));
        if let Some(slot) = existing {
            drop(matching);
            return self.join_symmetric(&slot);
        }
        let mut entropy = self.entropy();
        let local_id = self.peers.reserve(&mut entropy).ok_or(P2pError::TooMany)?;
        let party = self.authentication().local_party(crate::clock::unix_seconds(), peer.cloned());
        let now = self.clock.now();
        let mut machine = PeerConnection::connect(now, local_id, party, config, &mut entropy);
        if !certified {
            machine.hold();
        }
        let slot = self.insert_peer(machine, (local_id, Some(signaling)), None, scope);
        drop(matching);
        let Some(slot) = slot else {
            self.peers.release(local_id);
            return Err(P2pError::TooMany);
        };
        self.gather(&slot);
        servers::resolve(self, &slot, named);
        if !certified && self.authentication().has_certificate() {
            // It came in the meantime.
            self.release_peers();
        }
        Ok(slot.handle)
    }

    /// A certificate is there: connections that waited for it ask their peers.
    pub(crate) fn release_peers(&self) {
        let party = self.authentication().local_party(crate::clock::unix_seconds(), None);
        let slots = self.peers.connections().into_iter();
        for slot in slots.filter_map(|it| self.connections.find(it.to_raw())) {
            let mut entropy = self.entropy();
            self.drive_machine(&slot, |machine, now| {
                if let Machine::Peer(peer) = machine {
                    peer.release(now, &party, &mut entropy);
                }
            });
        }
    }

    /// Has a certificate fetched if there is somebody to ask. False: there is nobody.
    pub(super) fn want_certificate(&self) -> bool {
        let Some(hub) = &self.hub else { return false };
        let now = crate::clock::unix_seconds();
        self.change_authentication(|auth| auth.init_authentication(now));
        hub.want();
        true
    }

    /// The connection that a symmetric one would be.
    fn find_symmetric(&self, whom: &Identity, ports: VirtualPorts) -> Option<Arc<Slot>> {
        self.find_peer(|peer| {
            peer.connection().state().is_alive()
                && peer.is_symmetric()
                && peer.ports() == ports
                && peer.remote_identity() == Some(whom)
        })
    }

    /// The peer's request is accepted by asking for the same.
    fn join_symmetric(&self, slot: &Arc<Slot>) -> Result<ConnectionHandle, P2pError> {
        let mut entropy = self.entropy();
        let accepted = self.drive_machine(slot, |machine, now| match machine {
            Machine::Peer(peer) if peer.origin() == Origin::Remote => {
                peer.accept(now, &mut entropy).is_ok()
            }
            Machine::Peer(_) | Machine::Udp(_) | Machine::Pipe(_) => false,
        });
        let Some(side) = slot.peer_side.as_ref().filter(|_| accepted) else {
            return Err(P2pError::AlreadyConnected);
        };
        side.accepted_by_connecting.store(true, Ordering::Release);
        Ok(slot.handle)
    }

    /// A channel for a connection for which the application gave none.
    fn default_signaling(
        self: &Arc<Self>,
        peer: &Identity,
        ports: VirtualPorts,
    ) -> Option<Arc<dyn ConnectionSignaling>> {
        let number = |port: Option<u32>| port.and_then(|port| i32::try_from(port).ok());
        let (local, remote) = (number(ports.local), number(ports.remote));
        let make = self.signaling_maker();
        let made = make.and_then(|make| make.call(peer, local.unwrap_or(-1), remote.unwrap_or(-1)));
        made.map(Arc::from).or_else(|| self.hub_signaling(peer))
    }

    /// What a machine is made with.
    pub(super) fn config_of_peer(
        &self,
        scope: &ScopeValues,
        ports: VirtualPorts,
    ) -> (PeerConfig, Vec<servers::NamedServer>) {
        let roots = self.authentication().roots_configured();
        let (ice, named) = servers::ice_options(scope);
        let mut connection = scope.connection_config(roots);
        if ports.local == Some(SESSION_VIRTUAL_PORT) {
            // The largest message has a header.
            connection.receive.max_message_bytes += INTERNAL_HEADER_BYTES;
        }
        let config = PeerConfig {
            connection,
            ice,
            ports,
            symmetric: scope.int32(ConfigId::SymmetricConnect) != 0,
        };
        (config, named)
    }
}

fn check_virtual_port(port: i32) -> Result<u32, P2pError> {
    let known = (0..=MAX_VIRTUAL_PORT).contains(&port);
    let port_number = u32::try_from(port).ok().filter(|_| known);
    port_number.ok_or(P2pError::InvalidVirtualPort(port))
}
