//! What a game's own back end does: certificates, tickets, logins of hosted servers, estimates
//! between ping locations (api.md §2.5).
//!
//! [`Coordinator`] is the library behind the C functions `SteamDatagram_*`: a network config, a
//! signing key, and the operations on them. The parts stand alone as well.

mod login;
mod ticket;

use gamewire_crypto::{
    Certificate, CertificateRequest, Entropy, SigningKey, TrustStore, VerifyingKey,
    cert::CertParseError,
    text::{TextError, decode_private_key},
};
use gamewire_wire::identity::Identity;
use prost::Message as _;

pub use login::{
    LoginError, MAX_APP_DATA_BYTES, MAX_LOGIN_BYTES, ServerLogin, parse_login, sign_login,
};
pub use ticket::{
    ExtraField, ExtraValue, MAX_EXTRA_FIELDS, MAX_EXTRA_NAME, MAX_EXTRA_TEXT, MAX_TICKET_BYTES,
    SignTicketError, SignedTicket, Ticket, TicketError, TicketSigner,
};

use crate::config::{ConfigError, NetworkConfig};

/// How long certificates are good that [`Coordinator::create_cert`] makes, in seconds: two days.
pub const CERT_LIFETIME_S: u32 = 48 * 3600;
/// How far before now they begin, in seconds, for clients whose clocks are slow.
const CERT_BACKDATING_S: u32 = 3600;
/// A signing key whose certificate ends within this time, in seconds, is worth a warning.
pub const KEY_EXPIRY_WARNING_S: u64 = 30 * 86_400;

/// Why a certificate was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CreateCertError {
    /// No signing key was set.
    #[error("no private key was set")]
    NoKey,
    /// The request cannot be read.
    #[error("the certificate request is damaged: {0}")]
    Request(#[from] CertParseError),
    /// A certificate must name somebody.
    #[error("the identity is not valid")]
    Identity,
    /// It must be for an app.
    #[error("the app id is not valid")]
    App,
}

/// A back end's signing key and what it knows of the network.
#[derive(Debug, Default)]
pub struct Coordinator {
    roots: Vec<VerifyingKey>,
    config: Option<NetworkConfig>,
    store: TrustStore,
    key: Option<SigningKey>,
    insecure: bool,
}

impl Coordinator {
    /// A coordinator that believes what `roots` vouch for. In the insecure mode, for development,
    /// it believes everything and says so.
    pub fn new(roots: Vec<VerifyingKey>, insecure: bool) -> Self {
        Self { roots, insecure, ..Self::default() }
    }

    /// Takes a network config into use; needed before tickets and logins. Returns its warnings.
    ///
    /// # Errors
    /// [`ConfigError`]; what was in use before stays.
    pub fn set_network_config(&mut self, json: &[u8]) -> Result<Vec<String>, ConfigError> {
        let (config, mut warnings) = NetworkConfig::parse(json)?;
        match config.trust_store(&self.roots) {
            Ok(store) => self.store = store,
            Err(error) => {
                // Without the config's CA certificates fewer are believed, never more.
                warnings.push(format!("the config's certificates are not usable: {error}"));
                self.store = TrustStore::default();
            }
        }
        self.config = Some(config);
        Ok(warnings)
    }

    /// The network config in use.
    pub const fn network_config(&self) -> Option<&NetworkConfig> {
        self.config.as_ref()
    }

    /// Whether authentication errors are only warnings.
    pub const fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// Takes a signing key from the text of an OpenSSH file. Returns what to warn about: the
    /// config knows the key as revoked, as ending soon, or not at all.
    ///
    /// The caller wipes its copy of the text.
    ///
    /// # Errors
    /// [`TextError`]
    pub fn set_private_key(&mut self, text: &str, now_unix: u64) -> Result<Vec<String>, TextError> {
        let key = decode_private_key(text)?;
        let warnings = self.key_warnings(&key.public_key(), now_unix);
        self.key = Some(key);
        Ok(warnings)
    }

    fn key_warnings(&self, key: &VerifyingKey, now_unix: u64) -> Vec<String> {
        let id = key.key_id();
        let Some(config) = &self.config else {
            return Vec::new();
        };
        let mut warnings = Vec::new();
        if config.revoked_keys.contains(&id) {
            warnings.push(format!("key {id} is revoked"));
        }
        let certs = config.certs.iter().filter_map(|signed| signed.cert.as_deref());
        let own = certs.filter_map(|cert| Certificate::decode(cert).ok());
        let expiry = own.filter(|cert| cert.key == *key).filter_map(|cert| cert.time_expiry).max();
        match expiry {
            Some(expiry) if u64::from(expiry) < now_unix + KEY_EXPIRY_WARNING_S => {
                warnings.push(format!("the certificate of key {id} ends at {expiry} (Unix time)"));
            }
            None if !self.roots.contains(key) => {
                warnings.push(format!("the network config has no certificate for key {id}"));
            }
            Some(_) | None => {}
        }
        warnings
    }

    /// Signs a ticket, its server address encrypted to the relays. Returns the serialized
    /// `SignedRelayAuthTicket`.
    ///
    /// # Errors
    /// [`SignTicketError`]
    pub fn sign_ticket(
        &self,
        ticket: &Ticket,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, SignTicketError> {
        let key = self.key.as_ref().ok_or(SignTicketError::NoKey)?;
        let config = self.config.as_ref().ok_or(SignTicketError::NoNetworkConfig)?;
        TicketSigner::new(key).sign(ticket, config, entropy)
    }

    /// Certifies the key of a request (`GetCertificateRequest`) for an identity that the caller has
    /// authenticated. What else the request asks for is not granted. Returns the serialized
    /// `CertificateSigned`.
    ///
    /// # Errors
    /// [`CreateCertError`]
    pub fn create_cert(
        &self,
        identity: &Identity,
        app_id: u32,
        request: &[u8],
        now_unix: u64,
    ) -> Result<Vec<u8>, CreateCertError> {
        let ca = self.key.as_ref().ok_or(CreateCertError::NoKey)?;
        if identity.is_nobody() {
            return Err(CreateCertError::Identity);
        }
        if app_id == 0 {
            return Err(CreateCertError::App);
        }
        let request = CertificateRequest::decode(request)?;
        let now = u32::try_from(now_unix).unwrap_or(u32::MAX);
        let certificate = Certificate {
            identity: Some(identity.clone()),
            app_ids: vec![app_id],
            time_created: Some(now.saturating_sub(CERT_BACKDATING_S)),
            time_expiry: Some(now.saturating_add(CERT_LIFETIME_S)),
            ..Certificate::new(request.key)
        };
        Ok(certificate.sign(ca).encode_to_vec())
    }

    /// Reads and checks the login of a hosted server (`GetGameCoordinatorServerLogin`). In the
    /// insecure mode a login that no root vouches for is taken; the second value says why it should
    /// not be.
    ///
    /// # Errors
    /// [`LoginError`]
    pub fn parse_login(
        &self,
        blob: &[u8],
        allow_dev: bool,
        now_unix: u64,
    ) -> Result<(ServerLogin, Option<LoginError>), LoginError> {
        if self.config.is_none() && !self.insecure {
            return Err(LoginError::NoNetworkConfig);
        }
        match parse_login(blob, &self.store, allow_dev, now_unix) {
            Ok(login) => Ok((login, None)),
            Err(error) if self.insecure => Ok((login::decode(blob)?.0, Some(error))),
            Err(error) => Err(error),
        }
    }

    /// What the config and the roots believe.
    pub const fn trust_store(&self) -> &TrustStore {
        &self.store
    }
}

#[cfg(test)]
mod tests;
