//! One signal as values.

use bytes::Bytes;
use gamewire_proto::handshake::{HandshakeHalf, RemoteHalf};
use gamewire_wire::{
    identity::Identity,
    messages::{P2pRendezvous, p2p_rendezvous as wire},
};
use prost::Message as _;

/// Longest signal that is looked at, in bytes; Valve's own stay near 800.
pub const MAX_SIGNAL_BYTES: usize = 8 * 1024;

/// Reason in a signal that says that its sender knows no such connection; not to be answered.
pub const CLOSED_NO_CONNECTION: u32 = 9999;

/// Why a signal makes no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignalError {
    /// Longer than [`MAX_SIGNAL_BYTES`].
    #[error("the signal is too long")]
    TooLong,
    /// Not a message of this kind.
    #[error("the signal does not parse")]
    Malformed,
    /// Who sent it is missing or is nobody.
    #[error("the signal does not say who sent it")]
    NoSender,
    /// The sender's connection id is missing.
    #[error("the signal does not say for which connection it is")]
    NoConnectionId,
    /// A request to connect without keys.
    #[error("the request lacks a certificate or a key exchange")]
    IncompleteRequest,
}

/// A request to connect.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// The sender's half of the key exchange.
    pub half: HandshakeHalf,
    /// The virtual port that is asked for; `None`: the application routes by itself.
    pub to_virtual_port: Option<u32>,
    /// The sender's own virtual port.
    pub from_virtual_port: Option<u32>,
    /// The sender's FakeIP, as text.
    pub from_fake_ip: Option<String>,
}

/// The sender ended the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    /// Why (api.md §3.4), or [`CLOSED_NO_CONNECTION`].
    pub reason: u32,
    /// The same for people.
    pub debug: String,
}

/// One signal, parsed; nothing of it is verified.
#[derive(Clone, PartialEq, Debug)]
pub struct Signal {
    /// Who says it sent it.
    pub from: Identity,
    /// The sender's connection id.
    pub from_connection_id: u32,
    /// Whom it is for, if it says so.
    pub to: Option<Identity>,
    /// The receiver's connection id; 0 in the first request.
    pub to_connection_id: u32,
    /// Asks to connect.
    pub request: Option<Request>,
    /// Answers such a request.
    pub answer: Option<HandshakeHalf>,
    /// Ends the connection.
    pub closed: Option<Closed>,
    /// Whether the sender would use ICE.
    pub ice_enabled: bool,
    /// The last reliable item that the sender has.
    pub ack_reliable: u32,
    /// Number of the first of [`Signal::reliable`].
    pub first_reliable: u32,
    /// Items that are repeated until acknowledged.
    pub reliable: Vec<wire::ReliableMessage>,
    /// Relays of the sender, serialized.
    pub sdr_routes: Option<Bytes>,
    /// The last revision of our relays that the sender knows.
    pub ack_routes_revision: Option<u32>,
    /// A ticket to the hosted server that sent it.
    pub hosted_server_ticket: Option<Bytes>,
    /// Messages of the application that do not wait for a route.
    pub application_messages: Vec<wire::ApplicationMessage>,
}

impl Signal {
    /// Reads a signal.
    ///
    /// # Errors
    /// See [`SignalError`]: malformed or suspicious.
    pub fn decode(bytes: &[u8]) -> Result<Self, SignalError> {
        if bytes.len() > MAX_SIGNAL_BYTES {
            return Err(SignalError::TooLong);
        }
        let message = P2pRendezvous::decode(bytes).map_err(|_| SignalError::Malformed)?;
        let from: Identity = message.from_identity().parse().map_err(|_| SignalError::NoSender)?;
        if from.is_invalid() {
            return Err(SignalError::NoSender);
        }
        if message.from_connection_id() == 0 {
            return Err(SignalError::NoConnectionId);
        }
        let request = message.connect_request.as_ref().map(read_request).transpose()?;
        Ok(Self {
            from,
            from_connection_id: message.from_connection_id(),
            to: message.to_identity.as_deref().and_then(|text| text.parse().ok()),
            to_connection_id: message.to_connection_id(),
            request,
            answer: message
                .connect_ok
                .map(|ok| HandshakeHalf { crypt: ok.crypt, certificate: ok.cert }),
            closed: message.connection_closed.map(|closed| Closed {
                reason: closed.reason_code(),
                debug: closed.debug().to_owned(),
            }),
            ice_enabled: message.ice_enabled.unwrap_or(false),
            ack_reliable: message.ack_reliable_msg.unwrap_or(0),
            first_reliable: message.first_reliable_msg.unwrap_or(0),
            reliable: message.reliable_messages,
            sdr_routes: message.sdr_routes,
            ack_routes_revision: message.ack_peer_routes_revision,
            hosted_server_ticket: message.hosted_server_ticket,
            application_messages: message.application_messages,
        })
    }

    /// The sender's half of the key exchange in its request.
    pub fn requesting_half(&self) -> Option<RemoteHalf> {
        self.request.as_ref().map(|request| self.remote_half(request.half.clone()))
    }

    /// The sender's half of the key exchange in its answer.
    pub fn answering_half(&self) -> Option<RemoteHalf> {
        self.answer.clone().map(|half| self.remote_half(half))
    }

    pub(super) fn remote_half(&self, half: HandshakeHalf) -> RemoteHalf {
        RemoteHalf { connection_id: self.from_connection_id, identity: self.from.clone(), half }
    }

    /// The signal that refuses its sender's request, from the connection id that it would have had.
    pub fn refusal_reply(
        &self,
        local: &Identity,
        connection_id: u32,
        reason: u32,
        debug: &str,
    ) -> Vec<u8> {
        let closed =
            wire::ConnectionClosed { reason_code: Some(reason), debug: Some(debug.to_owned()) };
        let message = P2pRendezvous {
            from_identity: Some(local.to_string()),
            from_connection_id: Some(connection_id),
            to_identity: Some(self.from.to_string()),
            to_connection_id: Some(self.from_connection_id),
            connection_closed: Some(closed),
            ..P2pRendezvous::default()
        };
        message.encode_to_vec()
    }
}

fn read_request(request: &wire::ConnectRequest) -> Result<Request, SignalError> {
    if request.cert.is_none() || request.crypt.is_none() {
        return Err(SignalError::IncompleteRequest);
    }
    Ok(Request {
        half: HandshakeHalf { crypt: request.crypt.clone(), certificate: request.cert.clone() },
        to_virtual_port: request.to_virtual_port,
        from_virtual_port: request.from_virtual_port,
        from_fake_ip: request.from_fakeip.clone(),
    })
}
