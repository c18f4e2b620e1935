//! Signals in and out.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
};

use gamewire_p2p::rendezvous::{Fate, Origin, PeerConfig, PeerConnection, Signal, VirtualPorts};
use gamewire_proto::{Time, event::ConnectionState};
use gamewire_wire::identity::Identity;

use super::{PeerSide, servers};
use crate::{
    Sockets,
    config::{Config, Scope, ScopeValues},
    core::Core,
    handle::{ConnectionHandle, ListenSocketHandle},
    messages::SESSION_VIRTUAL_PORT,
    signaling::SignalingRecvContext,
    slot::{Machine, Slot, SlotParts, SlotState},
    status::ConnectionInfo,
};

/// Requests to connect that wait for the application at once; more are ignored, and repeated by
/// their senders.
const MAX_PENDING_REQUESTS: usize = 256;

/// Signals to be sent, with what the application's channel is told about the connection.
pub(crate) type OutgoingSignals = (ConnectionInfo, Vec<Vec<u8>>);

impl Core {
    /// The signals that are due, if there is a channel for them.
    pub(crate) fn take_signals(
        &self,
        slot: &Slot,
        state: &mut SlotState,
        now: Time,
    ) -> Option<OutgoingSignals> {
        let side = slot.peer_side.as_ref()?;
        let Machine::Peer(peer) = &mut state.machine else { return None };
        side.signaling()?;
        let signals: Vec<_> = std::iter::from_fn(|| peer.poll_signal(now)).collect();
        (!signals.is_empty()).then(|| (ConnectionInfo::of(slot, state), signals))
    }

    /// Hands signals to the application's channel. Under no lock.
    pub(crate) fn send_signals(&self, slot: &Arc<Slot>, (info, signals): &OutgoingSignals) {
        let Some(signaling) = slot.peer_side.as_ref().and_then(|side| side.signaling()) else {
            return;
        };
        for signal in signals {
            if !signaling.send_signal(slot.handle, info, signal) {
                self.drive_machine(slot, |machine, now| {
                    if let Machine::Peer(peer) = machine {
                        peer.signaling_failed(now);
                    }
                });
                return;
            }
        }
    }

    /// A connection by identity is over.
    pub(crate) fn forget_peer(&self, slot: &Slot, side: &PeerSide) {
        self.peers.release(side.local_id);
        side.over.store(true, Ordering::Release);
        for (_, link) in side.links() {
            link.worker.unbind(link.token);
        }
        tracing::debug!(connection = %slot.handle, "a connection by identity is over");
    }

    /// Lets go of the application's channel once it is not needed. Under no lock.
    pub(crate) fn release_signaling(&self, slot: &Slot) {
        if let Some(side) = &slot.peer_side
            && side.over.load(Ordering::Acquire)
        {
            side.set_signaling(None);
        }
    }

    /// A signal came, from somebody for whom the channel vouches, if it does. False: it is malformed
    /// or suspicious.
    pub(crate) fn received_signal_from(
        self: &Arc<Self>,
        sender: Option<&Identity>,
        bytes: &[u8],
        context: &mut dyn SignalingRecvContext,
    ) -> bool {
        let own = self.authentication().identity().clone();
        if own.is_nobody() {
            return false;
        }
        let signal = match Signal::decode(bytes) {
            Ok(signal) => signal,
            Err(error) => {
                tracing::debug!(%error, "a signal makes no sense");
                return false;
            }
        };
        if is_fake(&signal.from) || sender.is_some_and(|sender| *sender != signal.from) {
            return false;
        }
        let matching = self.peers.matching();
        let addressee = self.addressee(&signal);
        // An answer would tell a stranger who is online.
        let is_new =
            signal.to_connection_id == 0 && signal.request.is_some() && signal.closed.is_none();
        let new = match &addressee {
            None if is_new => self.requested(&own, &signal, context),
            _ => None,
        };
        drop(matching);
        if let Some(new) = new {
            self.ask_application(&new, &signal, context);
        } else if let Some(slot) = addressee {
            let mut entropy = self.entropy();
            let fate = self.drive_machine(&slot, |machine, now| match machine {
                Machine::Peer(peer) => peer.handle_signal(now, &signal, &mut entropy),
                Machine::Udp(_) | Machine::Pipe(_) => Fate::WrongSender,
            });
            return fate == Fate::Taken;
        }
        true
    }

    /// The connection that a signal is for.
    fn addressee(&self, signal: &Signal) -> Option<Arc<Slot>> {
        if signal.to_connection_id != 0 {
            let connection = self.peers.connection(signal.to_connection_id)?;
            return self.connections.find(connection.to_raw());
        }
        let request = signal.request.as_ref()?;
        let asked =
            VirtualPorts { local: request.to_virtual_port, remote: request.from_virtual_port };
        let is_meant = |peer: &PeerConnection| {
            let repeated = peer.connection().remote_id() == signal.from_connection_id;
            let rival = peer.is_symmetric()
                && peer.origin() == Origin::Local
                && peer.ports() == asked
                && peer.connection().connect_request().is_some();
            peer.remote_identity() == Some(&signal.from) && (repeated || rival)
        };
        self.find_peer(is_meant)
    }

    /// The first connection by identity of which something is true.
    pub(super) fn find_peer(&self, is_it: impl Fn(&PeerConnection) -> bool) -> Option<Arc<Slot>> {
        self.peers.connections().into_iter().find_map(|connection| {
            let slot = self.connections.find(connection.to_raw())?;
            let found = matches!(&slot.lock().machine, Machine::Peer(peer) if is_it(peer));
            found.then_some(slot)
        })
    }

    /// Somebody new asks to connect: what came of it, if anything.
    fn requested(
        &self,
        own: &Identity,
        signal: &Signal,
        context: &dyn SignalingRecvContext,
    ) -> Option<Asked> {
        let request = signal.request.as_ref()?;
        let meant_for_us = signal.to.as_ref().is_none_or(|to| to == own);
        let waiting = self.pending_requests();
        if !meant_for_us || waiting >= MAX_PENDING_REQUESTS {
            tracing::debug!(from = %signal.from, waiting, "a request to connect is ignored");
            return None;
        }
        let listener = request
            .to_virtual_port
            .and_then(|port| self.peers.listener(port))
            .and_then(|socket| self.listen_sockets.find(socket.to_raw()));
        let outer = listener.as_ref().map_or(&self.interface, |listener| &listener.options);
        if !self.may_go_without_certificate(outer) {
            // The request comes again, and perhaps the certificate has come by then.
            self.want_certificate();
            return None;
        }
        let session = request.to_virtual_port == Some(SESSION_VIRTUAL_PORT);
        let heard = if session {
            self.messages.is_in_use()
        } else {
            listener.is_some() || !context.needs_listener()
        };
        if !heard {
            return None;
        }
        let options = ScopeValues::child(outer, Scope::Connection);
        if session {
            // Both ends may send the first message.
            let symmetric = Config::SymmetricConnect(1);
            options.set_all(&[symmetric]).ok()?;
        }
        let socket = listener.as_ref().map(|listener| listener.handle);
        self.make_requested(signal, socket, options)
    }

    /// Asks the application whether it will answer. Under no lock.
    fn ask_application(
        self: &Arc<Self>,
        asked: &Asked,
        signal: &Signal,
        context: &mut dyn SignalingRecvContext,
    ) {
        let (slot, named) = match asked {
            Asked::Refused(reply) => {
                context.send_rejection_signal(&signal.from, reply);
                return;
            }
            Asked::Made(slot, named) => (slot, named),
        };
        let port = signal.request.as_ref().and_then(|request| request.to_virtual_port);
        let port = port.and_then(|port| i32::try_from(port).ok()).unwrap_or(-1);
        let channel = context.on_connect_request(slot.handle, &signal.from, port);
        let Some(side) = &slot.peer_side else { return };
        match channel {
            Some(channel) => {
                side.set_signaling(Some(Arc::from(channel)));
                if side.is_session() {
                    self.session_requested(slot, &signal.from);
                }
                self.gather(slot);
                servers::resolve(self, slot, named.clone());
            }
            None if slot.is_closed() => self.refuse_actively(slot, signal, context),
            None => {
                // Nobody learns that we are here, nor that anything happened.
                self.forget_peer(slot, side);
                self.connections.remove(slot.handle.to_raw());
            }
        }
    }

    fn pending_requests(&self) -> usize {
        let waits = |peer: &PeerConnection| {
            peer.origin() == Origin::Remote
                && peer.connection().state() == ConnectionState::Connecting
        };
        let connections = self.peers.connections();
        if connections.len() < MAX_PENDING_REQUESTS {
            return 0;
        }
        let slots = connections.into_iter().filter_map(|it| self.connections.find(it.to_raw()));
        slots
            .filter(|slot| matches!(&slot.lock().machine, Machine::Peer(peer) if waits(peer)))
            .count()
    }

    fn make_requested(
        &self,
        signal: &Signal,
        listen_socket: Option<ListenSocketHandle>,
        options: Arc<ScopeValues>,
    ) -> Option<Asked> {
        let mut entropy = self.entropy();
        let local_id = self.peers.reserve(&mut entropy)?;
        let (config, named) = self.peer_config(&options, signal);
        let party = self.authentication().local_party(crate::clock::unix_seconds(), None);
        let own = party.identity.clone();
        let now = self.clock.now();
        let made = PeerConnection::from_request(now, local_id, signal, party, config, &mut entropy);
        let peer = match made {
            Ok(peer) => peer,
            Err(refusal) => {
                tracing::info!(from = %signal.from, %refusal, "refused a connection by identity");
                self.peers.release(local_id);
                let reason = refusal.reason.0.unsigned_abs();
                let reply = signal.refusal_reply(&own, local_id, reason, &refusal.debug);
                return Some(Asked::Refused(reply));
            }
        };
        let slot = self.insert_peer(peer, (local_id, None), listen_socket, options);
        if slot.is_none() {
            self.peers.release(local_id);
        }
        Some(Asked::Made(slot?, named))
    }

    fn peer_config(
        &self,
        options: &ScopeValues,
        signal: &Signal,
    ) -> (PeerConfig, Vec<servers::NamedServer>) {
        let request = signal.request.as_ref();
        let ports = VirtualPorts {
            local: request.and_then(|request| request.to_virtual_port),
            remote: request.and_then(|request| request.from_virtual_port),
        };
        self.config_of_peer(options, ports)
    }

    /// Puts a machine into the tables.
    pub(super) fn insert_peer(
        &self,
        peer: PeerConnection,
        (local_id, signaling): (u32, Option<Arc<dyn crate::ConnectionSignaling>>),
        listen_socket: Option<ListenSocketHandle>,
        options: Arc<ScopeValues>,
    ) -> Option<Arc<Slot>> {
        let session = peer.ports().local == Some(SESSION_VIRTUAL_PORT);
        let side = PeerSide::new(local_id, self.next_worker().clone(), signaling, session);
        let slot = self.connections.insert(|raw| {
            Some(Slot::new(SlotParts {
                handle: ConnectionHandle::from_raw(raw.get())?,
                listen_socket,
                link: None,
                peer_side: Some(Box::new(side)),
                options,
                peer: peer.remote_identity().cloned().unwrap_or_default(),
                machine: Machine::Peer(Box::new(peer)),
            }))
        })?;
        self.peers.enter(local_id, slot.handle);
        Some(slot)
    }

    /// The application closed the connection while it was asked about it: the peer is told.
    fn refuse_actively(
        &self,
        slot: &Arc<Slot>,
        signal: &Signal,
        context: &mut dyn SignalingRecvContext,
    ) {
        let goodbye = self.drive_machine(slot, |machine, now| match machine {
            Machine::Peer(peer) => peer.poll_signal(now),
            Machine::Udp(_) | Machine::Pipe(_) => None,
        });
        if let Some(goodbye) = goodbye {
            context.send_rejection_signal(&signal.from, &goodbye);
        }
    }
}

/// What came of a request to connect.
enum Asked {
    /// A connection that waits for the application.
    Made(Arc<Slot>, Vec<servers::NamedServer>),
    /// The signal that says why not.
    Refused(Vec<u8>),
}

/// FakeIPs stand for peers towards applications, and name nobody towards peers (api.md §3.5).
fn is_fake(identity: &Identity) -> bool {
    match identity {
        Identity::IpAddress(address) => match address.ip().to_canonical() {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(_) => false,
        },
        _ => false,
    }
}

impl Sockets {
    /// Takes one signal from the application's channel. True: it makes sense. What is for nobody
    /// here is ignored, which reveals nothing.
    #[doc(alias = "ReceivedP2PCustomSignal")]
    pub fn received_p2p_custom_signal(
        &self,
        signal: &[u8],
        context: &mut dyn SignalingRecvContext,
    ) -> bool {
        self.core.received_signal_from(None, signal, context)
    }
}
