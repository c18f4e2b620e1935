//! Logins of hosted servers to a coordinator.

use bytes::Bytes;
use gamewire_crypto::{CertError, Certificate, SigningKey, TrustStore, VerifyContext};
use gamewire_wire::{
    identity::Identity,
    messages::{
        CertificateSigned,
        relay::{GameCoordinatorServerLogin, SignedGameCoordinatorServerLogin},
    },
};
use prost::Message as _;

use crate::{
    PopId,
    hosted::{HostedAddress, HostedAddressError},
};

/// Longest signed login in bytes.
pub const MAX_LOGIN_BYTES: usize = 4096;
/// Longest data of the application in a login, in bytes.
pub const MAX_APP_DATA_BYTES: usize = 2048;

/// What a hosted server tells its coordinator.
#[doc(alias = "SteamDatagramGameCoordinatorServerLogin")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerLogin {
    /// Who it is.
    pub identity: Identity,
    /// Where relays reach it; for tickets.
    pub routing: HostedAddress,
    /// Its app.
    pub app_id: u32,
    /// When it wrote this, Unix seconds. The coordinator decides how old is too old.
    pub time: u32,
    /// What the application put in, at most [`MAX_APP_DATA_BYTES`].
    pub app_data: Vec<u8>,
}

/// Why a login is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoginError {
    /// No network config was set, so nobody is known to be believed.
    #[error("no network config was set")]
    NoNetworkConfig,
    /// Longer than 4096 bytes.
    #[error("the login is longer than 4096 bytes")]
    TooLong,
    /// Not a login, or something in it is missing.
    #[error("the login cannot be parsed")]
    Malformed,
    /// The routing blob is none.
    #[error(transparent)]
    Routing(#[from] HostedAddressError),
    /// The certificate is not believed for this app, PoP and identity.
    #[error("the login's certificate is not believed: {0}")]
    Cert(#[from] CertError),
    /// A certificate that names no PoP is a player's.
    #[error("the login's certificate is not that of a hosted server")]
    NotServerCert,
    /// The certificate's key has not signed the login.
    #[error("the login's signature does not match")]
    Signature,
    /// Unsigned, as servers in `dev` are, which is not allowed here.
    #[error("logins of servers in the PoP dev are not allowed")]
    DevNotAllowed,
}

/// A login, signed if the server has a certificate. Without one only servers in `dev` are believed,
/// by those who choose to.
///
/// # Errors
/// `TooLong`, or `Routing` where the address has no form on the wire.
pub fn sign_login(
    login: &ServerLogin,
    credentials: Option<(&CertificateSigned, &SigningKey)>,
) -> Result<Vec<u8>, LoginError> {
    if login.app_data.len() > MAX_APP_DATA_BYTES {
        return Err(LoginError::TooLong);
    }
    let routing = login.routing.encode().ok_or(HostedAddressError::Malformed)?;
    let message = GameCoordinatorServerLogin {
        time_generated: Some(login.time),
        appid: Some(login.app_id),
        routing: Some(routing.into()),
        appdata: (!login.app_data.is_empty()).then(|| Bytes::copy_from_slice(&login.app_data)),
        identity_string: Some(login.identity.to_string()),
        ..GameCoordinatorServerLogin::default()
    };
    let bytes = message.encode_to_vec();
    let signed = SignedGameCoordinatorServerLogin {
        cert: credentials.map(|(cert, _)| cert.clone()),
        signature: credentials.map(|(_, key)| Bytes::copy_from_slice(&key.sign(&bytes))),
        login: Some(bytes.into()),
    };
    let blob = signed.encode_to_vec();
    if blob.len() > MAX_LOGIN_BYTES { Err(LoginError::TooLong) } else { Ok(blob) }
}

/// What a login says, and the signed message around it; believes nothing.
pub(super) fn decode(
    blob: &[u8],
) -> Result<(ServerLogin, SignedGameCoordinatorServerLogin), LoginError> {
    if blob.len() > MAX_LOGIN_BYTES {
        return Err(LoginError::TooLong);
    }
    let signed =
        SignedGameCoordinatorServerLogin::decode(blob).map_err(|_| LoginError::Malformed)?;
    let bytes = signed.login.as_deref().ok_or(LoginError::Malformed)?;
    let message = GameCoordinatorServerLogin::decode(bytes).map_err(|_| LoginError::Malformed)?;
    let identity = message.identity_string.as_deref().and_then(|text| text.parse().ok());
    let app_data = message.appdata.unwrap_or_default();
    if app_data.len() > MAX_APP_DATA_BYTES {
        return Err(LoginError::Malformed);
    }
    let login = ServerLogin {
        identity: identity.ok_or(LoginError::Malformed)?,
        routing: HostedAddress::decode(message.routing.as_deref().ok_or(LoginError::Malformed)?)?,
        app_id: message.appid.ok_or(LoginError::Malformed)?,
        time: message.time_generated.unwrap_or(0),
        app_data: app_data.into(),
    };
    Ok((login, signed))
}

/// Reads a login and checks certificate, app, PoP, identity and signature. With `allow_dev` a
/// server in the PoP `dev` may come without a certificate: never in production.
///
/// # Errors
/// [`LoginError`]
pub fn parse_login(
    blob: &[u8],
    store: &TrustStore,
    allow_dev: bool,
    now_unix: u64,
) -> Result<ServerLogin, LoginError> {
    let (login, signed) = decode(blob)?;
    // The address of a server in its own login is never encrypted.
    login.routing.server()?;
    let pop = login.routing.pop();
    let Some(cert) = &signed.cert else {
        return match (pop, allow_dev) {
            (PopId::DEV, true) => Ok(login),
            (PopId::DEV, false) => Err(LoginError::DevNotAllowed),
            _ => Err(CertError::Unsigned.into()),
        };
    };
    let context = VerifyContext {
        now_unix,
        app_id: login.app_id,
        pop: Some(pop.as_u32()),
        expected_identity: None,
    };
    let verified = store.verify_trusted(cert, &context)?;
    if verified.certificate.pops.is_empty() {
        return Err(LoginError::NotServerCert);
    }
    check_identity(&verified.certificate, &login.identity)?;
    let bytes = signed.login.as_deref().unwrap_or_default();
    let signature = signed.signature.as_deref().unwrap_or_default();
    verified.key().verify(bytes, signature).map_err(|_| LoginError::Signature)?;
    Ok(login)
}

/// A certificate without an identity is for any server of its PoP.
fn check_identity(certificate: &Certificate, identity: &Identity) -> Result<(), LoginError> {
    match &certificate.identity {
        Some(own) if own != identity => Err(CertError::Identity.into()),
        Some(_) | None => Ok(()),
    }
}
