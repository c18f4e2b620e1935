//! Where a hosted server is: plain between server and coordinator, encrypted in tickets
//! (relay-network.md §4.9).
//!
//! A blob is at most 128 bytes and begins with the PoP's code. Clients carry it without being able
//! to read it; it opens only together with the identities and the signer that its ticket names, so
//! that it cannot be moved into another ticket.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use bytes::Bytes;
use gamewire_crypto::{Entropy, KeyExchange, MessageKey};
use gamewire_wire::{
    address::Address, identity::Identity, limits::PROTOCOL_VERSION,
    messages::relay::HostedServerAddressPlaintext,
};
use prost::Message as _;

use crate::PopId;

/// Longest blob in bytes (`SteamDatagramHostedAddress`).
pub const MAX_BLOB_BYTES: usize = 128;
/// Most keys of a [`RelayKeys`]; bounds what opening a blob may cost.
pub const MAX_RELAY_KEYS: usize = 256;

const KIND_DEV: [u8; 2] = [1, 1];
const KIND_ENCRYPTED: u8 = 2;
const KIND_PLAIN: u8 = 3;
const CODE_LEN: usize = 4;

/// Why a blob is of no use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostedAddressError {
    /// Not a blob: length, PoP or kind are wrong, or its protobuf.
    #[error("the server address cannot be parsed")]
    Malformed,
    /// Names no IP address or no port.
    #[error("the server address names no address")]
    NoAddress,
    /// Encrypted, where a plain one is needed.
    #[error("the server address is encrypted")]
    Encrypted,
    /// Not encrypted, where only an encrypted one is safe.
    #[error("the server address is not encrypted")]
    NotEncrypted,
    /// Encrypted to a key that is not held here.
    #[error("the server address is encrypted to another relay key")]
    UnknownKey,
    /// Made for other identities or another signer, or damaged.
    #[error("the server address does not belong to this ticket")]
    BadSeal,
    /// The relay key is of low order.
    #[error("the relay key is not usable")]
    BadRelayKey,
}

/// Where relays reach a server, and what it knows them by.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// Its IP address and port.
    pub address: Address,
    /// What it recognises relays by that may talk to it; 0 only in the PoP `dev`.
    pub routing_secret: u64,
    /// Its protocol version, 0 if not told.
    pub protocol_version: u32,
}

impl fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerAddress").field("address", &self.address).finish_non_exhaustive()
    }
}

impl ServerAddress {
    /// A server that speaks this version of the protocol.
    pub const fn new(address: Address, routing_secret: u64) -> Self {
        Self { address, routing_secret, protocol_version: PROTOCOL_VERSION }
    }

    fn encode(&self) -> Vec<u8> {
        let (ipv4, ipv6) = match self.address.ip() {
            IpAddr::V4(ip) => (Some(ip.to_bits()), None),
            IpAddr::V6(ip) => (None, Some(Bytes::copy_from_slice(&ip.octets()))),
        };
        HostedServerAddressPlaintext {
            ipv4,
            ipv6,
            port: Some(self.address.port().into()),
            routing_secret: (self.routing_secret != 0).then_some(self.routing_secret),
            protocol_version: Some(self.protocol_version),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, HostedAddressError> {
        let message = HostedServerAddressPlaintext::decode(bytes)
            .map_err(|_| HostedAddressError::Malformed)?;
        let ip = match (message.ipv4, &message.ipv6) {
            (_, Some(octets)) => {
                let octets = <[u8; 16]>::try_from(octets.as_ref());
                IpAddr::V6(Ipv6Addr::from(octets.map_err(|_| HostedAddressError::Malformed)?))
            }
            (Some(bits), None) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            (None, None) => return Err(HostedAddressError::NoAddress),
        };
        let port = message.port.and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0);
        Ok(Self {
            address: Address::new(ip, port.ok_or(HostedAddressError::NoAddress)?),
            routing_secret: message.routing_secret.unwrap_or(0),
            protocol_version: message.protocol_version.unwrap_or(0),
        })
    }
}

/// Whom an encrypted blob is for: all of it must be the same to open it again.
#[derive(Clone, Copy, Debug)]
pub struct BlobContext<'a> {
    /// The client that the ticket authorises.
    pub client: &'a Identity,
    /// The server that the ticket names.
    pub server: &'a Identity,
    /// The key that the ticket is signed with, 0 if its certificates are inside.
    pub signer_key_id: u64,
}

impl BlobContext<'_> {
    fn key(&self, own: &KeyExchange, other: &[u8; 32]) -> Result<MessageKey, HostedAddressError> {
        let secret = own.agree(other).map_err(|_| HostedAddressError::BadRelayKey)?;
        let (client, server) = (self.client.to_string(), self.server.to_string());
        Ok(MessageKey::from_hash(&secret, &[client.as_bytes(), server.as_bytes()]))
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.signer_key_id.to_le_bytes());
        nonce
    }
}

/// A blob: the routing information of a server or a ticket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostedAddress {
    /// From server to coordinator.
    Plain {
        /// Where it is hosted.
        pop: PopId,
        /// The server.
        server: ServerAddress,
    },
    /// A server without a data centre around it.
    Dev {
        /// As a rule [`PopId::DEV`].
        pop: PopId,
        /// Its IPv4 address and port.
        address: Address,
    },
    /// In tickets.
    Encrypted {
        /// Where it is hosted.
        pop: PopId,
        /// First byte of the relays' public key.
        lead: u8,
        /// The encrypter's public key, made for this blob.
        ephemeral: [u8; 32],
        /// Ciphertext and tag.
        sealed: Bytes,
    },
}

impl HostedAddress {
    /// The PoP that the blob names.
    #[doc(alias = "GetPopID")]
    pub const fn pop(&self) -> PopId {
        match self {
            Self::Plain { pop, .. } | Self::Dev { pop, .. } | Self::Encrypted { pop, .. } => *pop,
        }
    }

    /// The blob; `None` where the PoP has no code or the address does not fit the form.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut blob = self.pop().to_code()?.to_vec();
        match self {
            Self::Plain { server, .. } => {
                blob.push(KIND_PLAIN);
                blob.extend_from_slice(&server.encode());
            }
            Self::Dev { address, .. } => {
                blob.extend_from_slice(&KIND_DEV);
                blob.extend_from_slice(&address.port().to_le_bytes());
                blob.extend_from_slice(&address.v4()?.to_bits().to_le_bytes());
            }
            Self::Encrypted { lead, ephemeral, sealed, .. } => {
                blob.extend_from_slice(&[KIND_ENCRYPTED, *lead]);
                blob.extend_from_slice(ephemeral);
                blob.extend_from_slice(sealed);
            }
        }
        (blob.len() <= MAX_BLOB_BYTES).then_some(blob)
    }

    /// Takes a blob apart.
    ///
    /// # Errors
    /// [`HostedAddressError`]
    pub fn decode(blob: &[u8]) -> Result<Self, HostedAddressError> {
        const MALFORMED: HostedAddressError = HostedAddressError::Malformed;
        if blob.len() > MAX_BLOB_BYTES {
            return Err(MALFORMED);
        }
        let (code, rest) = blob.split_first_chunk::<CODE_LEN>().ok_or(MALFORMED)?;
        let pop = PopId::from_code(*code).ok_or(MALFORMED)?;
        let (&kind, rest) = rest.split_first().ok_or(MALFORMED)?;
        match kind {
            KIND_PLAIN => Ok(Self::Plain { pop, server: ServerAddress::decode(rest)? }),
            KIND_ENCRYPTED => {
                let (&lead, rest) = rest.split_first().ok_or(MALFORMED)?;
                let (ephemeral, sealed) = rest.split_first_chunk::<32>().ok_or(MALFORMED)?;
                let sealed = Bytes::copy_from_slice(sealed);
                Ok(Self::Encrypted { pop, lead, ephemeral: *ephemeral, sealed })
            }
            1 => {
                let Ok([1, p0, p1, ip @ ..]) = <[u8; 7]>::try_from(rest) else {
                    return Err(MALFORMED);
                };
                let port = u16::from_le_bytes([p0, p1]);
                let ip = Ipv4Addr::from_bits(u32::from_le_bytes(ip));
                Ok(Self::Dev { pop, address: Address::from_v4(ip, port) })
            }
            _ => Err(MALFORMED),
        }
    }

    /// The server, if the blob is not encrypted.
    ///
    /// # Errors
    /// `Encrypted`, `NoAddress`
    pub fn server(&self) -> Result<ServerAddress, HostedAddressError> {
        match self {
            Self::Plain { server, .. } => Ok(server.clone()),
            Self::Dev { address, .. } if address.port() == 0 => Err(HostedAddressError::NoAddress),
            Self::Dev { address, .. } => {
                Ok(ServerAddress { address: *address, routing_secret: 0, protocol_version: 0 })
            }
            Self::Encrypted { .. } => Err(HostedAddressError::Encrypted),
        }
    }

    /// The blob for a ticket, readable by who holds the private half of `relay_key` alone.
    ///
    /// # Errors
    /// `BadRelayKey`
    pub fn encrypt(
        pop: PopId,
        server: &ServerAddress,
        relay_key: &[u8; 32],
        context: &BlobContext<'_>,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, HostedAddressError> {
        let own = KeyExchange::generate(entropy);
        let key = context.key(&own, relay_key)?;
        let mut sealed = server.encode();
        key.seal(context.nonce(), &mut sealed, 0);
        Ok(Self::Encrypted {
            pop,
            lead: relay_key[0],
            ephemeral: own.public_key(),
            sealed: sealed.into(),
        })
    }
}

/// The private keys with which a relay reads the addresses in tickets.
///
/// A key is good for the servers of one PoP or of all. Where relays hold the keys of the PoPs they
/// serve only, a stolen one gives away no more than those. Old keys stay while tickets name them.
#[derive(Default)]
pub struct RelayKeys(Vec<(Option<PopId>, KeyExchange)>);

impl RelayKeys {
    /// Adds a key, for one PoP or for all. False if [`MAX_RELAY_KEYS`] are held already.
    pub fn insert(&mut self, pop: Option<PopId>, key: KeyExchange) -> bool {
        let room = self.0.len() < MAX_RELAY_KEYS;
        if room {
            self.0.push((pop, key));
        }
        room
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key with a lead byte for messages that are encrypted to this network's relays.
    pub(crate) fn by_lead(
        &self,
        pop: Option<PopId>,
        lead: u8,
    ) -> impl Iterator<Item = &KeyExchange> {
        let fits = move |of: Option<PopId>| of.is_none() || of == pop;
        let keys = self.0.iter().filter(move |(of, key)| fits(*of) && key.public_key()[0] == lead);
        keys.map(|(_, key)| key)
    }

    /// Reads an encrypted blob.
    ///
    /// # Errors
    /// `NotEncrypted`, `UnknownKey`, `BadSeal`, and what is wrong with the content.
    pub fn open(
        &self,
        blob: &HostedAddress,
        context: &BlobContext<'_>,
    ) -> Result<ServerAddress, HostedAddressError> {
        let HostedAddress::Encrypted { pop, lead, ephemeral, sealed } = blob else {
            return Err(HostedAddressError::NotEncrypted);
        };
        let mut result = Err(HostedAddressError::UnknownKey);
        // Two keys may share their first byte.
        for own in self.by_lead(Some(*pop), *lead) {
            let key = context.key(own, ephemeral)?;
            let mut buffer = sealed.to_vec();
            match key.open(context.nonce(), &mut buffer) {
                Ok(plain) => return ServerAddress::decode(plain),
                Err(_) => result = Err(HostedAddressError::BadSeal),
            }
        }
        result
    }
}

impl fmt::Debug for RelayKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests;
