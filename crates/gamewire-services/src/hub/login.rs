//! Who somebody is, from what he sent to prove it.

use gamewire_crypto::{
    CertError, TrustStore, VerifyContext,
    trust::{CLOCK_SKEW_ALLOWANCE_S, StoreError},
};
use gamewire_wire::{
    Identity, hub,
    messages::hub::{HubLogin, hub_login_result::Status},
};

use super::{
    config::{HubConfig, HubError},
    metrics::Method,
    registry::User,
    tickets::TicketError,
};

/// Who somebody is, and until when that is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Proven {
    pub(super) user: User,
    pub(super) until_unix: u64,
    pub(super) method: Method,
}

/// Why somebody is not let in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error("log in with a certificate or a ticket")]
    AuthenticationRequired,
    #[error("this hub does not serve application {0}")]
    UnknownApp(u32),
    #[error("this hub speaks version {version} of the protocol", version = hub::PROTOCOL_VERSION)]
    UnsupportedVersion,
    #[error("the login was meant for another hub")]
    WrongHub,
    #[error("the certificate is not believed: {0}")]
    Certificate(#[from] CertError),
    #[error("the signature does not match the certificate")]
    BadSignature,
    #[error(transparent)]
    Ticket(#[from] TicketError),
    #[error("the login names no usable identity")]
    NoIdentity,
}

impl LoginError {
    pub(super) const fn status(&self) -> Status {
        match self {
            Self::AuthenticationRequired => Status::AuthenticationRequired,
            Self::UnknownApp(_) => Status::UnknownApp,
            Self::UnsupportedVersion => Status::UnsupportedVersion,
            Self::Ticket(TicketError::NotAvailable) => Status::Busy,
            Self::WrongHub
            | Self::Certificate(_)
            | Self::BadSignature
            | Self::Ticket(_)
            | Self::NoIdentity => Status::Refused,
        }
    }
}

/// How a login was tried.
pub(super) fn method(login: &HubLogin) -> Method {
    if login.cert.is_some() {
        Method::certificate
    } else if login.ticket.is_some() {
        Method::ticket
    } else if login.identity.is_some() {
        Method::claim
    } else {
        Method::nothing
    }
}

/// Whom this hub believes: the configured roots, and its own authority.
pub(super) fn trust_store(config: &HubConfig) -> Result<TrustStore, HubError> {
    let fail = |error: StoreError| HubError::Trust(error.to_string());
    let mut builder = TrustStore::builder();
    for root in &config.roots {
        builder.root(*root).map_err(fail)?;
    }
    for intermediate in &config.intermediates {
        builder.intermediate(intermediate).map_err(fail)?;
    }
    if let Some(authority) = &config.authority {
        match authority.certificate() {
            Some(certificate) => builder.intermediate(certificate).map_err(fail)?,
            None => builder.root(authority.public_key()).map_err(fail)?,
        };
    }
    for key_id in &config.revoked_keys {
        builder.revoke(*key_id).map_err(fail)?;
    }
    builder.build().map_err(fail)
}

/// What every login is judged by.
#[derive(Debug)]
pub(super) struct Gate<'a> {
    pub(super) config: &'a HubConfig,
    pub(super) trust: &'a TrustStore,
    /// The host that the client's HTTP request names, without port.
    pub(super) host: &'a str,
    pub(super) now_unix: u64,
}

impl Gate<'_> {
    /// Judges a login. `signed` makes the bytes that a certificate's key must have signed, from the
    /// name of the hub.
    pub(super) async fn judge(
        &self,
        login: &HubLogin,
        signed: impl FnOnce(&str, u32) -> Vec<u8>,
    ) -> Result<Proven, LoginError> {
        let app_id = login.app_id();
        if login.protocol_version() != hub::PROTOCOL_VERSION {
            return Err(LoginError::UnsupportedVersion);
        }
        if !self.config.app_ids.is_empty() && !self.config.app_ids.contains(&app_id) {
            return Err(LoginError::UnknownApp(app_id));
        }
        let method = method(login);
        let latest = self.now_unix.saturating_add(self.config.limits.session_lifetime.as_secs());
        let (identity, until_unix) = match method {
            Method::certificate => self.by_certificate(login, signed)?,
            Method::ticket => (self.by_ticket(login).await?, latest),
            Method::claim if self.config.is_development() => (claimed(login)?, latest),
            Method::claim | Method::nothing => return Err(LoginError::AuthenticationRequired),
        };
        if identity.is_nobody() {
            return Err(LoginError::NoIdentity);
        }
        Ok(Proven { user: User { app_id, identity }, until_unix, method })
    }

    fn by_certificate(
        &self,
        login: &HubLogin,
        signed: impl FnOnce(&str, u32) -> Vec<u8>,
    ) -> Result<(Identity, u64), LoginError> {
        let name = login.hub_name();
        if name.len() > hub::MAX_HUB_NAME_BYTES || !self.is_our_name(name) {
            return Err(LoginError::WrongHub);
        }
        let (Some(certificate), Some(signature)) = (&login.cert, &login.signature) else {
            return Err(LoginError::BadSignature);
        };
        let context = VerifyContext {
            now_unix: self.now_unix,
            app_id: login.app_id(),
            pop: None,
            expected_identity: None,
        };
        let verified = self.trust.verify_trusted(certificate, &context)?;
        verified
            .key()
            .verify(&signed(name, login.app_id()), signature)
            .map_err(|_| LoginError::BadSignature)?;
        let identity = verified.identity().cloned().ok_or(LoginError::NoIdentity)?;
        let expiry = verified.expiry_unix.unwrap_or(self.now_unix);
        Ok((identity, expiry.saturating_add(CLOCK_SKEW_ALLOWANCE_S)))
    }

    fn is_our_name(&self, name: &str) -> bool {
        let names = &self.config.names;
        if names.is_empty() || self.config.is_development() {
            return name.eq_ignore_ascii_case(self.host);
        }
        names.iter().any(|ours| ours.eq_ignore_ascii_case(name))
    }

    async fn by_ticket(&self, login: &HubLogin) -> Result<Identity, LoginError> {
        let ticket = login.ticket.as_deref().unwrap_or_default();
        if ticket.len() > hub::MAX_TICKET_BYTES {
            return Err(TicketError::Malformed.into());
        }
        let verifier = self.config.tickets.as_ref().ok_or(LoginError::AuthenticationRequired)?;
        Ok(verifier.verify(login.app_id(), ticket, self.now_unix).await?)
    }
}

fn claimed(login: &HubLogin) -> Result<Identity, LoginError> {
    let text = login.identity();
    if text.len() > hub::MAX_IDENTITY_BYTES {
        return Err(LoginError::NoIdentity);
    }
    text.parse().map_err(|_| LoginError::NoIdentity)
}
