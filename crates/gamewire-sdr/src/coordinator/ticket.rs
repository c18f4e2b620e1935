//! Relay auth tickets: permission for one client to reach one server through relays.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use gamewire_crypto::{CertError, Entropy, SigningKey, TrustStore, VerifyContext};
use gamewire_wire::{
    identity::Identity,
    messages::{
        CertificateSigned, IdentityLegacyBinary,
        relay::{RelayAuthTicket, SignedRelayAuthTicket, relay_auth_ticket},
    },
};
use prost::Message as _;

use crate::{
    config::NetworkConfig,
    hosted::{BlobContext, HostedAddress, HostedAddressError},
};

/// Longest signed ticket in bytes.
pub const MAX_TICKET_BYTES: usize = 512;
/// Most extra fields of a ticket.
pub const MAX_EXTRA_FIELDS: usize = 16;
/// Longest name of an extra field in bytes.
pub const MAX_EXTRA_NAME: usize = 27;
/// Longest text of an extra field in bytes.
pub const MAX_EXTRA_TEXT: usize = 127;
/// Most certificates inside a ticket; 512 bytes hold no more.
const MAX_INLINE_CERTS: usize = 4;

/// A value that goes along with a session, for analytics or to ask relays for something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtraField {
    /// Its name, 1 to 27 bytes.
    pub name: String,
    /// Its value.
    pub value: ExtraValue,
}

/// The value of an [`ExtraField`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExtraValue {
    /// At most 127 bytes.
    Text(String),
    /// A number that is small as a rule.
    Int(i64),
    /// A number that is large as a rule, such as a SteamID.
    Fixed64(u64),
}

/// What a ticket says.
#[doc(alias = "SteamDatagramRelayAuthTicket")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// The server.
    pub server: Identity,
    /// The client.
    pub client: Identity,
    /// The client's public address, if it must be this one. Rarely wise: addresses change.
    pub client_ip: Option<IpAddr>,
    /// Unix seconds.
    pub expiry: u32,
    /// Where the server is; encrypted once the ticket is signed.
    pub routing: HostedAddress,
    /// The client's app.
    pub app_id: u32,
    /// The only virtual port that it is good for, if it is limited.
    pub virtual_port: Option<u32>,
    /// At most [`MAX_EXTRA_FIELDS`].
    pub extra_fields: Vec<ExtraField>,
}

impl Ticket {
    /// The value of an extra field.
    pub fn extra(&self, name: &str) -> Option<&ExtraValue> {
        self.extra_fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    fn to_message(&self, routing: Vec<u8>) -> RelayAuthTicket {
        let (ipv4, ipv6) = match self.client_ip {
            None => (None, None),
            Some(IpAddr::V4(ip)) => (Some(ip.to_bits()), None),
            Some(IpAddr::V6(ip)) => (None, Some(Bytes::copy_from_slice(&ip.octets()))),
        };
        RelayAuthTicket {
            time_expiry: Some(self.expiry),
            authorized_client_identity_string: Some(self.client.to_string()),
            gameserver_identity_string: Some(self.server.to_string()),
            authorized_public_ip: ipv4,
            authorized_public_ipv6: ipv6,
            gameserver_address: Some(routing.into()),
            app_id: Some(self.app_id),
            virtual_port: self.virtual_port,
            extra_fields: self.extra_fields.iter().map(extra_to_message).collect(),
            ..RelayAuthTicket::default()
        }
    }

    fn from_message(message: RelayAuthTicket) -> Result<Self, TicketError> {
        let client = identity(
            message.authorized_client_identity_string.as_deref(),
            message.legacy_authorized_client_identity_binary.as_deref(),
            message.legacy_authorized_steam_id,
        );
        let server = identity(
            message.gameserver_identity_string.as_deref(),
            message.legacy_gameserver_identity_binary.as_deref(),
            message.legacy_gameserver_steam_id,
        );
        if message.extra_fields.len() > MAX_EXTRA_FIELDS {
            return Err(TicketError::Malformed);
        }
        let client_ip = match (message.authorized_public_ipv6, message.authorized_public_ip) {
            (Some(octets), _) => {
                let octets = <[u8; 16]>::try_from(octets.as_ref());
                Some(IpAddr::V6(Ipv6Addr::from(octets.map_err(|_| TicketError::Malformed)?)))
            }
            (None, None | Some(0)) => None,
            (None, Some(bits)) => Some(IpAddr::V4(Ipv4Addr::from_bits(bits))),
        };
        let routing = message.gameserver_address.ok_or(TicketError::Missing("server address"))?;
        let fields = message.extra_fields.into_iter().map(extra_from_message);
        Ok(Self {
            client: client.ok_or(TicketError::Missing("client identity"))?,
            server: server.ok_or(TicketError::Missing("server identity"))?,
            client_ip,
            expiry: message.time_expiry.ok_or(TicketError::Missing("expiry"))?,
            routing: HostedAddress::decode(&routing)?,
            app_id: message.app_id.ok_or(TicketError::Missing("app id"))?,
            virtual_port: message.virtual_port,
            extra_fields: fields.collect::<Option<_>>().ok_or(TicketError::Malformed)?,
        })
    }
}

/// The text wins, then the binary form, then the bare SteamID, as in certificates.
fn identity(text: Option<&str>, binary: Option<&[u8]>, steam_id: Option<u64>) -> Option<Identity> {
    let identity = if let Some(text) = text {
        text.parse().ok()
    } else if let Some(binary) = binary {
        let binary = IdentityLegacyBinary::decode(binary).ok()?;
        Identity::from_legacy_binary(&binary)
    } else {
        steam_id.and_then(Identity::from_legacy_steam_id)
    };
    identity.filter(|identity| !identity.is_invalid())
}

fn extra_to_message(field: &ExtraField) -> relay_auth_ticket::ExtraField {
    let mut message = relay_auth_ticket::ExtraField {
        name: Some(field.name.clone()),
        ..relay_auth_ticket::ExtraField::default()
    };
    match &field.value {
        ExtraValue::Text(text) => message.string_value = Some(text.clone()),
        ExtraValue::Int(number) => message.int64_value = Some(*number),
        ExtraValue::Fixed64(number) => message.fixed64_value = Some(*number),
    }
    message
}

fn extra_from_message(message: relay_auth_ticket::ExtraField) -> Option<ExtraField> {
    let value = if let Some(text) = message.string_value {
        ExtraValue::Text(text)
    } else if let Some(number) = message.int64_value {
        ExtraValue::Int(number)
    } else {
        ExtraValue::Fixed64(message.fixed64_value?)
    };
    let field = ExtraField { name: message.name?, value };
    is_valid_extra(&field).then_some(field)
}

fn is_valid_extra(field: &ExtraField) -> bool {
    let text_fits = match &field.value {
        ExtraValue::Text(text) => text.len() <= MAX_EXTRA_TEXT,
        ExtraValue::Int(_) | ExtraValue::Fixed64(_) => true,
    };
    text_fits && (1..=MAX_EXTRA_NAME).contains(&field.name.len())
}

/// Why a ticket was not signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignTicketError {
    /// No signing key was set.
    #[error("no private key was set")]
    NoKey,
    /// No network config was set.
    #[error("no network config was set")]
    NoNetworkConfig,
    /// The config has no key of the relays for the server's PoP.
    #[error("the network config has no relay key for the server's PoP")]
    NoRelayKey,
    /// Something that every ticket must have is missing.
    #[error("the ticket's {0} is missing or not valid")]
    Missing(&'static str),
    /// An extra field is too long or has no name, or there are more than 16.
    #[error("an extra field of the ticket is not valid, or there are too many")]
    ExtraField,
    /// The server address cannot be put in a ticket.
    #[error(transparent)]
    Routing(#[from] HostedAddressError),
    /// Longer than 512 bytes.
    #[error("the ticket has {0} bytes, more than 512")]
    TooLong(usize),
}

/// Signs tickets.
#[derive(Clone, Copy, Debug)]
pub struct TicketSigner<'a> {
    key: &'a SigningKey,
    certs: &'a [CertificateSigned],
}

impl<'a> TicketSigner<'a> {
    /// Signs with a CA's key, which the network config names.
    pub const fn new(key: &'a SigningKey) -> Self {
        Self { key, certs: &[] }
    }

    /// Signs with the key of the first of `certs`, which go inside the ticket: how a hosted server
    /// lets clients in that its own certificate covers.
    pub const fn with_certs(key: &'a SigningKey, certs: &'a [CertificateSigned]) -> Self {
        Self { key, certs }
    }

    /// The id by which the ticket names its signer; 0 where the certificates are inside.
    fn key_id(&self) -> u64 {
        if self.certs.is_empty() { self.key.public_key().key_id() } else { 0 }
    }

    /// Signs a ticket; its address is encrypted to the relays of `config`. Returns the serialized
    /// `SignedRelayAuthTicket`.
    ///
    /// # Errors
    /// [`SignTicketError`]
    pub fn sign(
        &self,
        ticket: &Ticket,
        config: &NetworkConfig,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, SignTicketError> {
        check_complete(ticket)?;
        let server = ticket.routing.server()?;
        let pop = ticket.routing.pop();
        let key = config.address_keys(pop).first().ok_or(SignTicketError::NoRelayKey)?;
        let context = BlobContext {
            client: &ticket.client,
            server: &ticket.server,
            signer_key_id: self.key_id(),
        };
        let routing = HostedAddress::encrypt(pop, &server, key, &context, entropy)?;
        let routing = routing.encode().ok_or(SignTicketError::Missing("PoP"))?;
        let bytes = ticket.to_message(routing).encode_to_vec();
        let signature = self.key.sign(&bytes);
        let signed = SignedRelayAuthTicket {
            key_id: self.certs.is_empty().then(|| self.key_id()),
            ticket: Some(bytes.into()),
            signature: Some(Bytes::copy_from_slice(&signature)),
            certs: self.certs.to_vec(),
            reserved_do_not_use: None,
        }
        .encode_to_vec();
        if signed.len() > MAX_TICKET_BYTES {
            return Err(SignTicketError::TooLong(signed.len()));
        }
        Ok(signed)
    }
}

fn check_complete(ticket: &Ticket) -> Result<(), SignTicketError> {
    let missing = [
        (ticket.server.is_invalid(), "server identity"),
        (ticket.client.is_invalid(), "client identity"),
        (ticket.expiry == 0, "expiry"),
        (ticket.app_id == 0, "app id"),
    ];
    if let Some((_, what)) = missing.iter().find(|(missing, _)| *missing) {
        return Err(SignTicketError::Missing(what));
    }
    let fields = &ticket.extra_fields;
    if fields.len() > MAX_EXTRA_FIELDS || !fields.iter().all(is_valid_extra) {
        return Err(SignTicketError::ExtraField);
    }
    Ok(())
}

/// Why a ticket is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TicketError {
    /// Longer than 512 bytes.
    #[error("the ticket is longer than 512 bytes")]
    TooLong,
    /// Not a ticket.
    #[error("the ticket cannot be parsed")]
    Malformed,
    /// Something that every ticket must have is missing or not valid.
    #[error("the ticket has no valid {0}")]
    Missing(&'static str),
    /// Its server address is none.
    #[error(transparent)]
    Routing(#[from] HostedAddressError),
    /// It is over.
    #[error("the ticket expired at {0} (Unix time)")]
    Expired(u32),
    /// No root vouches for the signer, or not for this app and PoP, or it did not sign this.
    #[error("the ticket's signature is not believed: {0}")]
    Signature(CertError),
    /// The certificate inside is not that of a hosted server in the ticket's PoP, or of another one.
    #[error("the certificate in the ticket does not allow to sign it")]
    NotServerCert,
}

/// A ticket as it travels: parsed, and nothing of it believed until [`verify`](Self::verify).
#[derive(Clone, PartialEq, Debug)]
pub struct SignedTicket {
    ticket: Ticket,
    bytes: Bytes,
    signature: Bytes,
    key_id: u64,
    certs: Vec<CertificateSigned>,
}

impl SignedTicket {
    /// Parses a serialized `SignedRelayAuthTicket`.
    ///
    /// # Errors
    /// [`TicketError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, TicketError> {
        if bytes.len() > MAX_TICKET_BYTES {
            return Err(TicketError::TooLong);
        }
        let signed = SignedRelayAuthTicket::decode(bytes).map_err(|_| TicketError::Malformed)?;
        let ticket = signed.ticket.ok_or(TicketError::Missing("content"))?;
        let message =
            RelayAuthTicket::decode(ticket.as_ref()).map_err(|_| TicketError::Malformed)?;
        if signed.certs.len() > MAX_INLINE_CERTS {
            return Err(TicketError::Malformed);
        }
        Ok(Self {
            ticket: Ticket::from_message(message)?,
            bytes: ticket,
            signature: signed.signature.ok_or(TicketError::Missing("signature"))?,
            key_id: signed.key_id.unwrap_or(0),
            certs: signed.certs,
        })
    }

    /// What it says.
    pub const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// What it says, without the wrapping.
    pub fn into_ticket(self) -> Ticket {
        self.ticket
    }

    /// What its address blob is bound to.
    pub const fn blob_context(&self) -> BlobContext<'_> {
        let (client, server) = (&self.ticket.client, &self.ticket.server);
        BlobContext { client, server, signer_key_id: self.key_id }
    }

    /// Whether the ticket is in force and signed by somebody who may: a CA for its app and PoP, or
    /// the server itself with a certificate for that PoP.
    ///
    /// Who presents it, and from where, is not looked at here.
    ///
    /// # Errors
    /// [`TicketError`]
    pub fn verify(&self, store: &TrustStore, now_unix: u64) -> Result<(), TicketError> {
        if now_unix > u64::from(self.ticket.expiry) {
            return Err(TicketError::Expired(self.ticket.expiry));
        }
        let context = VerifyContext {
            now_unix,
            app_id: self.ticket.app_id,
            pop: Some(self.ticket.routing.pop().as_u32()),
            expected_identity: None,
        };
        let Some(cert) = self.certs.first() else {
            return store
                .verify_ca_signature(self.key_id, &self.bytes, &self.signature, &context)
                .map_err(TicketError::Signature);
        };
        // A key id beside certificates would let the address blob be bound to the wrong signer.
        if self.key_id != 0 {
            return Err(TicketError::Malformed);
        }
        let verified = store.verify_trusted(cert, &context).map_err(TicketError::Signature)?;
        let is_server = !verified.certificate.pops.is_empty();
        let is_same = verified.identity().is_none_or(|identity| *identity == self.ticket.server);
        if !is_server || !is_same {
            return Err(TicketError::NotServerCert);
        }
        verified.key().verify(&self.bytes, &self.signature).map_err(|_| {
            TicketError::Signature(CertError::Chain(gamewire_crypto::ChainError::BadSignature))
        })
    }
}
