//! Certificates: a public key bound to an identity and to scopes (wire.md §3).
//!
//! This module builds, signs and parses; whether to believe a certificate is the business of
//! [`trust`](crate::trust). Signatures are over the exact serialized bytes, so those travel along.

mod install;
mod pop;

use bytes::Bytes;
use gamewire_wire::{
    identity::Identity,
    messages::{self, CertificateSigned, certificate::KeyType},
};
use prost::Message as _;

pub use install::{InstallContext, InstallError, InstalledCertificate, install};
pub use pop::{pop_from_text, pop_to_text};

use crate::signing::{SigningKey, VerifyingKey};

/// Longest serialized certificate that is looked at, in bytes. It bounds every list in it.
pub const MAX_CERT_LEN: usize = 4096;
/// Longest certificate request, in bytes (api.md §1.4).
pub const MAX_CERT_REQUEST_LEN: usize = 512;

/// Why bytes are no certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertParseError {
    /// There are none.
    #[error("there is no certificate")]
    Missing,
    /// Longer than [`MAX_CERT_LEN`], or [`MAX_CERT_REQUEST_LEN`] for a request.
    #[error("the certificate is too long")]
    TooLong,
    /// Not a protobuf message.
    #[error("the certificate cannot be parsed")]
    Malformed,
    /// Not an Ed25519 key, not 32 bytes, or of low order.
    #[error("the certificate's key is not a usable Ed25519 key")]
    MalformedKey,
    /// The identity in it is not one.
    #[error("the certificate's identity cannot be parsed")]
    MalformedIdentity,
}

/// What a certificate says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// The key that its owner signs with.
    pub key: VerifyingKey,
    /// Who the owner is; `None` in CA certificates and in those of anonymous game servers.
    pub identity: Option<Identity>,
    /// Steam app ids that it is good for; none means not limited by this certificate.
    pub app_ids: Vec<u32>,
    /// PoPs that it is good for (`gameserver_datacenter_ids`); none means not limited by this
    /// certificate.
    pub pops: Vec<u32>,
    /// Addresses of the game server as text, if the CA noted them.
    pub ip_addresses: Vec<String>,
    /// Unix seconds.
    pub time_created: Option<u32>,
    /// Unix seconds. A signed certificate without it is refused.
    pub time_expiry: Option<u32>,
}

impl Certificate {
    /// A certificate that says nothing but the key; fill in the rest.
    pub const fn new(key: VerifyingKey) -> Self {
        Self {
            key,
            identity: None,
            app_ids: Vec::new(),
            pops: Vec::new(),
            ip_addresses: Vec::new(),
            time_created: None,
            time_expiry: None,
        }
    }

    /// What a peer without a CA presents, unsigned: its own word for identity and app.
    pub fn self_made(key: VerifyingKey, identity: &Identity, app_id: u32) -> Self {
        Self { identity: Some(identity.clone()), app_ids: vec![app_id], ..Self::new(key) }
    }

    /// The serialized bytes, fields in ascending order as Valve's library writes them.
    pub fn encode(&self) -> Bytes {
        Bytes::from(self.to_message().encode_to_vec())
    }

    fn to_message(&self) -> messages::Certificate {
        let identity = self.identity.as_ref().filter(|id| !id.is_invalid());
        let legacy_steam_id = match identity {
            Some(Identity::SteamId(id)) => Some(*id),
            _ => None,
        };
        messages::Certificate {
            key_type: Some(KeyType::Ed25519 as i32),
            key_data: Some(Bytes::copy_from_slice(self.key.as_bytes())),
            legacy_steam_id,
            gameserver_datacenter_ids: self.pops.clone(),
            time_created: self.time_created,
            time_expiry: self.time_expiry,
            app_ids: self.app_ids.clone(),
            legacy_identity_binary: identity.and_then(Identity::to_legacy_binary),
            identity_string: identity.map(ToString::to_string),
            ip_addresses: self.ip_addresses.clone(),
        }
    }

    /// Parses the serialized bytes; believes nothing.
    ///
    /// # Errors
    /// [`CertParseError`]
    pub fn decode(bytes: &[u8]) -> Result<Self, CertParseError> {
        if bytes.len() > MAX_CERT_LEN {
            return Err(CertParseError::TooLong);
        }
        let message =
            messages::Certificate::decode(bytes).map_err(|_| CertParseError::Malformed)?;
        Self::from_message(message)
    }

    fn from_message(message: messages::Certificate) -> Result<Self, CertParseError> {
        if message.key_type != Some(KeyType::Ed25519 as i32) {
            return Err(CertParseError::MalformedKey);
        }
        let key_data = message.key_data.as_deref().unwrap_or_default();
        let key_data: [u8; 32] = key_data.try_into().map_err(|_| CertParseError::MalformedKey)?;
        let key = VerifyingKey::from_bytes(key_data).map_err(|_| CertParseError::MalformedKey)?;
        Ok(Self {
            key,
            identity: identity_of(&message)?,
            app_ids: message.app_ids,
            pops: message.gameserver_datacenter_ids,
            ip_addresses: message.ip_addresses,
            time_created: message.time_created,
            time_expiry: message.time_expiry,
        })
    }

    /// The message that a peer without a CA presents.
    pub fn unsigned(&self) -> CertificateSigned {
        CertificateSigned { cert: Some(self.encode()), ..CertificateSigned::default() }
    }

    /// The certificate signed by `ca`.
    pub fn sign(&self, ca: &SigningKey) -> CertificateSigned {
        let cert = self.encode();
        let signature = ca.sign(&cert);
        CertificateSigned {
            private_key_data: None,
            ca_key_id: Some(ca.public_key().key_id()),
            ca_signature: Some(Bytes::copy_from_slice(&signature)),
            cert: Some(cert),
        }
    }

    /// The identity unless it is only `localhost`, which anyone may claim.
    pub fn real_identity(&self) -> Option<&Identity> {
        self.identity.as_ref().filter(|id| !id.is_localhost())
    }
}

/// The text form wins, then the binary one, then the bare SteamID (wire.md §3).
fn identity_of(message: &messages::Certificate) -> Result<Option<Identity>, CertParseError> {
    let identity = if let Some(text) = &message.identity_string {
        text.parse().ok()
    } else if let Some(binary) = &message.legacy_identity_binary {
        Identity::from_legacy_binary(binary)
    } else if let Some(id) = message.legacy_steam_id {
        Identity::from_legacy_steam_id(id)
    } else {
        return Ok(None);
    };
    match identity {
        Some(identity) if !identity.is_invalid() => Ok(Some(identity)),
        Some(_) | None => Err(CertParseError::MalformedIdentity),
    }
}

/// What somebody asks a CA to sign; the CA decides what of it to grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateRequest {
    /// The key to certify.
    pub key: VerifyingKey,
    /// Who is asking, if known.
    pub identity: Option<Identity>,
    /// The PoP of a hosted game server.
    pub pops: Vec<u32>,
}

impl CertificateRequest {
    /// The serialized `CertificateRequest`.
    pub fn encode(&self) -> Vec<u8> {
        let certificate = Certificate {
            identity: self.identity.clone(),
            pops: self.pops.clone(),
            ..Certificate::new(self.key)
        };
        // Requests name the identity by its text alone (api.md §1.4).
        let cert = messages::Certificate {
            legacy_identity_binary: None,
            legacy_steam_id: None,
            ..certificate.to_message()
        };
        messages::CertificateRequest { cert: Some(cert) }.encode_to_vec()
    }

    /// Parses a serialized request. Whatever else it asks for is dropped, never signed.
    ///
    /// # Errors
    /// [`CertParseError`]
    pub fn decode(bytes: &[u8]) -> Result<Self, CertParseError> {
        if bytes.len() > MAX_CERT_REQUEST_LEN {
            return Err(CertParseError::TooLong);
        }
        let message =
            messages::CertificateRequest::decode(bytes).map_err(|_| CertParseError::Malformed)?;
        let certificate = Certificate::from_message(message.cert.ok_or(CertParseError::Missing)?)?;
        Ok(Self { key: certificate.key, identity: certificate.identity, pops: certificate.pops })
    }
}

#[cfg(test)]
mod tests;
