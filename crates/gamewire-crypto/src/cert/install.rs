//! Taking a certificate of one's own into use (`SetCertificate`, api.md §1.4).

use gamewire_wire::{identity::Identity, messages::CertificateSigned};
use prost::Message as _;

use super::{CertParseError, Certificate, MAX_CERT_LEN};
use crate::{
    signing::SigningKey,
    trust::{CertError, Trust, TrustStore, VerifyContext},
};

/// What is known when a certificate arrives.
#[derive(Clone, Copy, Debug)]
pub struct InstallContext<'a> {
    /// Now, in Unix seconds.
    pub now_unix: u64,
    /// Our app.
    pub app_id: u32,
    /// The key that the certificate was asked for with, if there is one.
    pub key: Option<&'a SigningKey>,
    /// Our identity, if it is settled. `localhost` and invalid count as not settled.
    pub identity: Option<&'a Identity>,
}

/// A certificate ready to present to peers.
#[derive(Clone, Debug)]
pub struct InstalledCertificate {
    /// The message for handshakes; the private key that may have come with it is taken out.
    pub signed: CertificateSigned,
    /// The key that belongs to it.
    pub key: SigningKey,
    /// What it says; its identity is now ours.
    pub certificate: Certificate,
    /// How far our own roots believe it. Anything but a chain is worth a warning, no more: the
    /// peers may know roots that we do not.
    pub trust: Trust,
}

/// Why a certificate cannot be ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InstallError {
    /// Not a certificate.
    #[error(transparent)]
    Parse(#[from] CertParseError),
    /// It has neither an identity nor a PoP.
    #[error("the certificate names no identity")]
    NoIdentity,
    /// It is somebody else's.
    #[error("the certificate is for another identity")]
    IdentityMismatch,
    /// We have no private key, and none came with it.
    #[error("there is no private key for the certificate")]
    NoPrivateKey,
    /// The private key that came with it is damaged or not the one that we have.
    #[error("the private key in the certificate is not usable")]
    PrivateKeyMismatch,
    /// Its public key is not that of our private key.
    #[error("the certificate is for another key")]
    KeyMismatch,
    /// It, or the CA above it, does not cover our app.
    #[error("the certificate is not usable here: {0}")]
    Scope(CertError),
}

/// Checks a serialized `CertificateSigned` before taking it into use.
///
/// # Errors
/// [`InstallError`]. A chain that our roots do not know, or that is out of date, is no error.
pub fn install(
    bytes: &[u8],
    store: &TrustStore,
    context: &InstallContext<'_>,
) -> Result<InstalledCertificate, InstallError> {
    // Room for signature, key id and private key beside the certificate proper.
    if bytes.len() > MAX_CERT_LEN + 256 {
        return Err(CertParseError::TooLong.into());
    }
    let mut signed = CertificateSigned::decode(bytes).map_err(|_| CertParseError::Malformed)?;
    let inner = signed.cert.as_deref().ok_or(CertParseError::Missing)?;
    let certificate = Certificate::decode(inner)?;
    check_identity(&certificate, context.identity)?;
    let private = signed.private_key_data.take();
    let key = choose_key(private.as_deref(), context.key)?;
    if key.public_key() != certificate.key {
        return Err(InstallError::KeyMismatch);
    }
    let verify = VerifyContext {
        now_unix: context.now_unix,
        app_id: context.app_id,
        pop: None,
        expected_identity: None,
    };
    let trust = store.verify(&signed, &verify).map_err(InstallError::Scope)?.trust;
    Ok(InstalledCertificate { signed, key, certificate, trust })
}

fn check_identity(certificate: &Certificate, own: Option<&Identity>) -> Result<(), InstallError> {
    let own = own.filter(|own| !own.is_nobody());
    match (&certificate.identity, own) {
        (None, _) if certificate.pops.is_empty() => Err(InstallError::NoIdentity),
        (Some(theirs), Some(own)) if theirs != own => Err(InstallError::IdentityMismatch),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

/// The key that came along is taken only where there is none yet; else it must be the same.
fn choose_key(
    came_along: Option<&[u8]>,
    own: Option<&SigningKey>,
) -> Result<SigningKey, InstallError> {
    let came_along = came_along.map(parse_private_key).transpose()?;
    match (came_along, own) {
        (None, None) => Err(InstallError::NoPrivateKey),
        (Some(new), Some(own)) if new.seed() != own.seed() => Err(InstallError::PrivateKeyMismatch),
        (Some(_) | None, Some(own)) => Ok(own.clone()),
        (Some(new), None) => Ok(new),
    }
}

fn parse_private_key(data: &[u8]) -> Result<SigningKey, InstallError> {
    let seed = data.try_into().map_err(|_| InstallError::PrivateKeyMismatch)?;
    Ok(SigningKey::from_seed(seed))
}
