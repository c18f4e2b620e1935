//! Two connections that are connected to each other from the start.

use std::sync::Arc;

use gamewire_crypto::TrustStore;
use gamewire_proto::{
    connection::Connection,
    endpoint::{ConnectionKey, Endpoint},
    handshake::{Agreement, LocalParty, PairSide, pair},
};
use gamewire_wire::{address::Address, extensions, identity::Identity};

use super::Sockets;
use crate::{
    config::{Scope, ScopeValues},
    error::PairError,
    handle::ConnectionHandle,
    io::UdpSocket,
    link::Link,
    pipe::PipeEnd,
    slot::{Machine, Slot, SlotParts},
    worker::Binding,
};

/// One side of a pair over the loopback network, before it is put together.
struct Half {
    link: Arc<Link>,
    endpoint: Endpoint,
    local_id: u32,
    options: Arc<ScopeValues>,
}

impl Sockets {
    /// Makes two connections that are connected to each other, without announcing them. Each must
    /// be closed; closing one tells the other.
    ///
    /// Without `network_loopback` messages change hands in memory: nothing is copied, encrypted,
    /// delayed or lost. With it they travel over UDP on 127.0.0.1, encrypted, through the fake
    /// network. `peers` are the identities that the first and the second connection see at the
    /// other end; `None` stands for localhost.
    ///
    /// # Errors
    /// See [`PairError`].
    #[doc(alias = "CreateSocketPair")]
    pub fn create_socket_pair(
        &self,
        network_loopback: bool,
        peers: [Option<Identity>; 2],
    ) -> Result<[ConnectionHandle; 2], PairError> {
        if network_loopback { self.loopback_pair(peers) } else { self.pipe_pair(peers) }
    }

    fn pipe_pair(&self, peers: [Option<Identity>; 2]) -> Result<[ConnectionHandle; 2], PairError> {
        let options = [(); 2].map(|()| ScopeValues::child(&self.core.interface, Scope::Connection));
        let limits = [0, 1]
            .map(|side: usize| options[side].connection_config(false).receive.max_message_bytes);
        let ends = PipeEnd::pair(limits);
        let mut slots = Vec::new();
        for ((end, peer), options) in ends.into_iter().zip(peers).zip(options) {
            options.lock();
            let slot = self.core.connections.insert(|raw| {
                Some(Slot::new(SlotParts {
                    handle: ConnectionHandle::from_raw(raw.get())?,
                    listen_socket: None,
                    link: None,
                    peer_side: None,
                    options,
                    machine: Machine::Pipe(end.clone()),
                    peer: peer.unwrap_or_else(Identity::localhost),
                }))
            });
            let slot = slot.ok_or(PairError::TooMany)?;
            end.attach(&slot);
            slots.push(slot.handle);
        }
        Ok([slots[0], slots[1]])
    }

    fn loopback_pair(
        &self,
        peers: [Option<Identity>; 2],
    ) -> Result<[ConnectionHandle; 2], PairError> {
        let halves = [self.half()?, self.half()?];
        let now = self.core.clock.now();
        let mut entropy = self.core.entropy();
        // What one connection sees of its peer is what the other one calls itself.
        let seen = peers.clone();
        let [first_peer, second_peer] = peers;
        let names = [second_peer, first_peer];
        let addresses = [0, 1].map(|side: usize| halves[side].link.socket.local_addr());
        let mut sides = halves.iter().zip(names).map(|(half, name)| {
            let mut config = half.options.connection_config(false);
            config.allow_without_auth = 2;
            config.allow_without_auth_localhost = 2;
            PairSide {
                local_id: half.local_id,
                address: half.link.socket.local_addr(),
                party: LocalParty {
                    identity: name.unwrap_or_else(Identity::localhost),
                    app_id: 0,
                    credentials: None,
                    trust: Arc::new(TrustStore::default()),
                    now_unix: crate::clock::unix_seconds(),
                    expected_identity: None,
                    features: extensions::ALL,
                },
                config,
            }
        });
        let (Some(acceptor), Some(initiator)) = (sides.next(), sides.next()) else {
            return Err(PairError::TooMany);
        };
        drop(sides);
        let mut agreements = pair(now, [acceptor, initiator], &mut entropy)?;
        for (agreement, seen) in agreements.iter_mut().zip(seen) {
            agreement.peer.identity = seen.unwrap_or_else(Identity::localhost);
        }
        let [first, second] = halves;
        let [first_agreement, second_agreement] = agreements;
        let handles = [
            self.join(first, addresses[1], first_agreement)?,
            self.join(second, addresses[0], second_agreement)?,
        ];
        Ok(handles)
    }

    fn half(&self) -> Result<Half, PairError> {
        let loopback = "127.0.0.1:0".parse().expect("a literal address");
        let link = self.core.link(UdpSocket::bind(loopback)?);
        let mut entropy = self.core.entropy();
        let endpoint = Endpoint::new(None, &mut entropy);
        let local_id = endpoint.fresh_connection_id(&mut entropy);
        let options = ScopeValues::child(&self.core.interface, Scope::Connection);
        options.lock();
        Ok(Half { link, endpoint, local_id, options })
    }

    fn join(
        &self,
        mut half: Half,
        remote: std::net::SocketAddr,
        agreement: Agreement,
    ) -> Result<ConnectionHandle, PairError> {
        let config = half.options.connection_config(false);
        let now = self.core.clock.now();
        let peer = agreement.peer.identity.clone();
        let mut entropy = self.core.entropy();
        let machine =
            Connection::established(now, half.local_id, remote, agreement, config, &mut entropy);
        let slot = self.core.connections.insert(|raw| {
            Some(Slot::new(SlotParts {
                handle: ConnectionHandle::from_raw(raw.get())?,
                listen_socket: None,
                link: Some(half.link.clone()),
                peer_side: None,
                options: half.options.clone(),
                machine: Machine::Udp(Box::new(machine)),
                peer: match peer {
                    Identity::Invalid => Identity::IpAddress(Address::from(remote)),
                    peer => peer,
                },
            }))
        });
        let slot = slot.ok_or(PairError::TooMany)?;
        let key = ConnectionKey(slot.handle.to_raw());
        half.endpoint.insert_initiator(key, half.local_id, remote);
        let Half { link, endpoint, .. } = half;
        link.worker.bind(Binding::of_endpoint(link.clone(), endpoint));
        self.core.drive(&slot, |_, _| ());
        Ok(slot.handle)
    }
}
