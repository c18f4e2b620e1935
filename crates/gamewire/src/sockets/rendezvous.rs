//! Connections by identity. Arguments are checked as they will be; there is no route finding yet, so
//! what passes the checks is [`P2pError::NotAvailable`].

use gamewire_wire::{
    identity::Identity,
    messages::{P2pRendezvous, p2p_rendezvous::ConnectRequest},
};
use prost::Message as _;

use super::Sockets;
use crate::{
    config::{Config, ConfigId, Scope, ScopeValues},
    handle::{ConnectionHandle, ListenSocketHandle},
    signaling::{ConnectionSignaling, MAX_VIRTUAL_PORT, P2pError, SignalingRecvContext},
};

/// Longest signal that is looked at, in bytes; Valve's own stay near 800.
const MAX_SIGNAL_BYTES: usize = 16 * 1024;

impl Sockets {
    /// Listens for connections by identity on a virtual port.
    ///
    /// # Errors
    /// See [`P2pError`].
    #[doc(alias = "CreateListenSocketP2P")]
    pub fn create_listen_socket_p2p(
        &self,
        local_virtual_port: i32,
        options: &[Config],
    ) -> Result<ListenSocketHandle, P2pError> {
        check_virtual_port(local_virtual_port)?;
        ScopeValues::child(&self.core.interface, Scope::ListenSocket).set_all(options)?;
        Err(P2pError::NotAvailable)
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
        check_virtual_port(remote_virtual_port)?;
        if peer.is_invalid() {
            return Err(P2pError::InvalidIdentity);
        }
        self.check_p2p(Some(peer), options)
    }

    /// Connects to a peer by way of the application's own channel. With −1 as virtual port the
    /// application routes by itself.
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
        if remote_virtual_port != -1 {
            check_virtual_port(remote_virtual_port)?;
        }
        let result = self.check_p2p(peer, options);
        drop(signaling);
        result
    }

    /// Takes one signal from the application's channel. True: it makes sense. A request to connect
    /// is ignored, which reveals nothing.
    #[doc(alias = "ReceivedP2PCustomSignal")]
    pub fn received_p2p_custom_signal(
        &self,
        signal: &[u8],
        _context: &mut dyn SignalingRecvContext,
    ) -> bool {
        if signal.len() > MAX_SIGNAL_BYTES || self.identity().is_none() {
            return false;
        }
        let Ok(signal) = P2pRendezvous::decode(signal) else { return false };
        let Ok(_from) = signal.from_identity().parse::<Identity>() else { return false };
        let complete = |request: &ConnectRequest| request.cert.is_some() && request.crypt.is_some();
        signal.from_connection_id() != 0 && signal.connect_request.as_ref().is_none_or(complete)
    }

    fn check_p2p(
        &self,
        peer: Option<&Identity>,
        options: &[Config],
    ) -> Result<ConnectionHandle, P2pError> {
        if self.identity().is_none() {
            return Err(P2pError::LocalIdentityUnknown);
        }
        let scope = ScopeValues::child(&self.core.interface, Scope::Connection);
        scope.set_all(options)?;
        if scope.int32(ConfigId::SymmetricConnect) != 0 && peer.is_none() {
            return Err(P2pError::SymmetricWithoutIdentity);
        }
        Err(P2pError::NotAvailable)
    }
}

fn check_virtual_port(port: i32) -> Result<(), P2pError> {
    let known = (0..=MAX_VIRTUAL_PORT).contains(&port);
    known.then_some(()).ok_or(P2pError::InvalidVirtualPort(port))
}
