//! Checking a peer's certificate.

use bytes::Bytes;
use gamewire_wire::{identity::Identity, messages::CertificateSigned};

use super::{
    Scope,
    store::{Authority, MAX_CHAIN_DEPTH, TrustStore},
};
use crate::{
    cert::{CertParseError, Certificate},
    signing::VerifyingKey,
};

/// Seconds by which our clock may differ from the CA's: a certificate counts that much before its
/// creation and after its expiry.
pub const CLOCK_SKEW_ALLOWANCE_S: u64 = 300;

/// What is known when a certificate arrives.
#[derive(Clone, Copy, Debug)]
pub struct VerifyContext<'a> {
    /// Now, in Unix seconds.
    pub now_unix: u64,
    /// Our app.
    pub app_id: u32,
    /// The PoP that the peer must be allowed in, if it matters.
    pub pop: Option<u32>,
    /// Who the peer must be, if that is settled.
    pub expected_identity: Option<&'a Identity>,
}

/// Why a certificate is refused whatever the policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertError {
    /// Not a certificate, or its key is none.
    #[error(transparent)]
    Parse(#[from] CertParseError),
    /// Issued to another identity than the peer's.
    #[error("the certificate was issued to another identity")]
    Identity,
    /// Signed, but neither for an identity nor for a PoP, or the peer is no anonymous game server.
    #[error("the certificate names no identity")]
    Anonymous,
    /// A certificate for an identity must name apps.
    #[error("the certificate is not bound to an app")]
    NoApp,
    /// Our app is not among the certificate's.
    #[error("the certificate is not for app {0}")]
    App(u32),
    /// The certificate covers our app, but the CA above it may not.
    #[error("the certificate's CA may not vouch for app {0}")]
    AppOutsideCa(u32),
    /// The PoP is not among the certificate's.
    #[error("the certificate is not for PoP {0:#010x}")]
    Pop(u32),
    /// The certificate covers the PoP, but the CA above it may not; or none of its PoPs is one
    /// that the CA may vouch for.
    #[error("the certificate's CA may not vouch for its PoPs")]
    PopOutsideCa,
    /// Not signed, where only a chain will do.
    #[error("the certificate is not signed")]
    Unsigned,
    /// Not believed, where only a chain will do.
    #[error(transparent)]
    Chain(ChainError),
}

/// Why a signature is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChainError {
    /// The CA is not in the store.
    #[error("CA key {0} is not known")]
    UnknownCa(u64),
    /// The CA is in the store, but no root vouches for it.
    #[error("CA key {0} is known, but no root vouches for it")]
    UntrustedCa(u64),
    /// More than [`MAX_CHAIN_DEPTH`] CA certificates to the root.
    #[error("the chain to the root is too long")]
    TooDeep,
    /// The certificate's key, or one above it, is revoked.
    #[error("key {0} is revoked")]
    Revoked(u64),
    /// The certificate, or one above it, is not valid yet.
    #[error("the certificate or its CA is not valid before {0} (Unix time)")]
    NotYetValid(u64),
    /// The certificate, or one above it, is out of date.
    #[error("the certificate or its CA expired at {0} (Unix time)")]
    Expired(u64),
    /// A signed certificate must end.
    #[error("the certificate has no expiry")]
    NoExpiry,
    /// What the CAs of the chain may vouch for has nothing in common.
    #[error("the chain excludes every app or every PoP")]
    EmptyScope,
    /// The CA has not signed these bytes.
    #[error("the CA's signature does not match")]
    BadSignature,
}

/// How far a certificate is believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// It is the peer's own word.
    Unsigned,
    /// It claims a CA, but in vain; as good as unsigned.
    Untrusted(ChainError),
    /// A root vouches for it.
    Chain {
        /// The root at the chain's top.
        root_key_id: u64,
        /// The key that signed the certificate; the root's where there is no CA between.
        ca_key_id: u64,
        /// CA certificates between root and certificate.
        depth: usize,
    },
}

/// A certificate that does not contradict its connection. How far to believe it is in
/// [`trust`](Self::trust); see [`accept`](super::accept).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedCertificate {
    /// What it says.
    pub certificate: Certificate,
    /// Its exact bytes, for the key schedule.
    pub bytes: Bytes,
    /// How far it is believed.
    pub trust: Trust,
    /// The apps and PoPs that it and its chain cover together.
    pub scope: Scope,
    /// When it or the first of its chain expires, Unix seconds; `None` unless a root vouches for
    /// it.
    pub expiry_unix: Option<u64>,
}

impl VerifiedCertificate {
    /// The key that the peer signs with.
    pub const fn key(&self) -> &VerifyingKey {
        &self.certificate.key
    }

    /// Who the peer says it is; proven only if [`is_authenticated`](Self::is_authenticated).
    pub const fn identity(&self) -> Option<&Identity> {
        self.certificate.identity.as_ref()
    }

    /// Whether a root vouches for it.
    pub const fn is_authenticated(&self) -> bool {
        matches!(self.trust, Trust::Chain { .. })
    }
}

impl TrustStore {
    /// Checks a certificate against the connection it came on and against the roots.
    ///
    /// `Ok` does not mean trusted: see [`VerifiedCertificate::trust`]. Where only a chain will do,
    /// use [`verify_trusted`](Self::verify_trusted).
    ///
    /// # Errors
    /// [`CertError`] where the certificate is unusable whatever the policy; end the connection
    /// with reason 4003.
    pub fn verify(
        &self,
        signed: &CertificateSigned,
        context: &VerifyContext<'_>,
    ) -> Result<VerifiedCertificate, CertError> {
        let bytes = signed.cert.clone().ok_or(CertParseError::Missing)?;
        let certificate = Certificate::decode(&bytes)?;
        let is_signed = signed.ca_signature.is_some();
        let own_scope = Scope::from_lists(&certificate.app_ids, &certificate.pops);
        check_identity(&certificate, is_signed, context)?;
        check_own_scope(&own_scope, context)?;
        let (trust, scope, expiry_unix) = if !is_signed {
            (Trust::Unsigned, own_scope, None)
        } else {
            match self.find_authority(signed, &certificate, &own_scope, context) {
                Err(reason) => (Trust::Untrusted(reason), own_scope, None),
                Ok(authority) => {
                    let scope = authority.scope.intersection(&own_scope);
                    check_chain_scope(&scope, context)?;
                    let own_expiry = certificate.time_expiry.map_or(u64::MAX, u64::from);
                    let expiry = authority.expiry.min(own_expiry);
                    (chain_of(authority), scope, Some(expiry))
                }
            }
        };
        Ok(VerifiedCertificate { certificate, bytes, trust, scope, expiry_unix })
    }

    /// Like [`verify`](Self::verify), but a root must vouch for the certificate.
    ///
    /// # Errors
    /// [`CertError`], `Unsigned` and `Chain` included.
    pub fn verify_trusted(
        &self,
        signed: &CertificateSigned,
        context: &VerifyContext<'_>,
    ) -> Result<VerifiedCertificate, CertError> {
        let verified = self.verify(signed, context)?;
        match verified.trust {
            Trust::Chain { .. } => Ok(verified),
            Trust::Unsigned => Err(CertError::Unsigned),
            Trust::Untrusted(reason) => Err(CertError::Chain(reason)),
        }
    }

    /// Checks what a CA itself signed, such as a ticket, against the chains to it that hold now.
    ///
    /// Of the context app and PoP count. A certificate's own key is no CA: its signature over
    /// anything but its own messages fails here.
    ///
    /// # Errors
    /// [`CertError`]: `Chain`, `AppOutsideCa` or `PopOutsideCa`.
    pub fn verify_ca_signature(
        &self,
        ca_key_id: u64,
        message: &[u8],
        signature: &[u8],
        context: &VerifyContext<'_>,
    ) -> Result<(), CertError> {
        let authority = self
            .usable_authority(ca_key_id, &Scope::UNLIMITED, context)
            .map_err(CertError::Chain)?;
        check_chain_scope(&authority.scope, context)?;
        let verified = authority.key.verify(message, signature);
        verified.map_err(|_| CertError::Chain(ChainError::BadSignature))
    }

    /// The signer of a certificate, by a chain that holds now.
    fn find_authority(
        &self,
        signed: &CertificateSigned,
        certificate: &Certificate,
        own_scope: &Scope,
        context: &VerifyContext<'_>,
    ) -> Result<&Authority, ChainError> {
        let key_id = certificate.key.key_id();
        if self.is_revoked(key_id) {
            return Err(ChainError::Revoked(key_id));
        }
        check_times(certificate, context.now_unix)?;
        let ca_key_id = signed.ca_key_id.unwrap_or_default();
        let authority = self.usable_authority(ca_key_id, own_scope, context)?;
        let bytes = signed.cert.as_deref().unwrap_or_default();
        let signature = signed.ca_signature.as_deref().unwrap_or_default();
        match authority.key.verify(bytes, signature) {
            Ok(()) => Ok(authority),
            Err(_) => Err(ChainError::BadSignature),
        }
    }

    /// Of the chains to a CA that hold now, the first that covers this connection, else the first.
    fn usable_authority(
        &self,
        ca_key_id: u64,
        own_scope: &Scope,
        context: &VerifyContext<'_>,
    ) -> Result<&Authority, ChainError> {
        let unknown = if self.is_revoked(ca_key_id) {
            ChainError::Revoked(ca_key_id)
        } else if self.ca_key_ids.contains(&ca_key_id) {
            ChainError::UntrustedCa(ca_key_id)
        } else {
            ChainError::UnknownCa(ca_key_id)
        };
        let mut result = Err(unknown);
        for authority in self.authorities.get(&ca_key_id).into_iter().flatten() {
            match self.check_authority(authority, context.now_unix) {
                Ok(()) => {
                    let scope = authority.scope.intersection(own_scope);
                    if check_chain_scope(&scope, context).is_ok() {
                        return Ok(authority);
                    }
                    result = result.or(Ok(authority));
                }
                Err(reason) if matches!(result, Err(earlier) if earlier == unknown) => {
                    result = Err(reason)
                }
                Err(_) => {}
            }
        }
        result
    }

    fn check_authority(&self, authority: &Authority, now: u64) -> Result<(), ChainError> {
        if authority.depth() > MAX_CHAIN_DEPTH {
            return Err(ChainError::TooDeep);
        }
        if let Some(&revoked) = authority.path.iter().find(|&&id| self.is_revoked(id)) {
            return Err(ChainError::Revoked(revoked));
        }
        if authority.scope.apps.is_empty() || authority.scope.pops.is_empty() {
            return Err(ChainError::EmptyScope);
        }
        check_period(authority.not_before, authority.expiry, now)
    }
}

fn chain_of(authority: &Authority) -> Trust {
    let ca_key_id = authority.key.key_id();
    Trust::Chain {
        root_key_id: authority.path.first().copied().unwrap_or(ca_key_id),
        ca_key_id,
        depth: authority.depth(),
    }
}

fn check_times(certificate: &Certificate, now: u64) -> Result<(), ChainError> {
    let expiry = certificate.time_expiry.ok_or(ChainError::NoExpiry)?;
    let not_before = certificate.time_created.map_or(0, u64::from);
    check_period(not_before, u64::from(expiry), now)
}

fn check_period(not_before: u64, expiry: u64, now: u64) -> Result<(), ChainError> {
    if now > expiry.saturating_add(CLOCK_SKEW_ALLOWANCE_S) {
        return Err(ChainError::Expired(expiry));
    }
    if now < not_before.saturating_sub(CLOCK_SKEW_ALLOWANCE_S) {
        return Err(ChainError::NotYetValid(not_before));
    }
    Ok(())
}

/// The identity rules of wire.md §3.
fn check_identity(
    certificate: &Certificate,
    is_signed: bool,
    context: &VerifyContext<'_>,
) -> Result<(), CertError> {
    let expected = context.expected_identity;
    match certificate.real_identity() {
        Some(identity) if expected.is_some_and(|expected| expected != identity) => {
            Err(CertError::Identity)
        }
        Some(_) if certificate.app_ids.is_empty() => Err(CertError::NoApp),
        Some(_) => Ok(()),
        // Whoever signs nothing may claim anything; the policy knows what that is worth.
        None if !is_signed => Ok(()),
        None if certificate.pops.is_empty() => Err(CertError::Anonymous),
        None if expected.is_some_and(|id| !is_anonymous_server(id)) => Err(CertError::Anonymous),
        None => Ok(()),
    }
}

/// SteamIDs carry the account type in bits 52 to 55; 4 is a game server that has not logged in.
fn is_anonymous_server(identity: &Identity) -> bool {
    const ANONYMOUS_GAME_SERVER: u64 = 4;
    matches!(identity, Identity::SteamId(id) if (id >> 52) & 0xf == ANONYMOUS_GAME_SERVER)
}

fn check_own_scope(scope: &Scope, context: &VerifyContext<'_>) -> Result<(), CertError> {
    if !scope.apps.contains(context.app_id) {
        return Err(CertError::App(context.app_id));
    }
    match context.pop {
        Some(pop) if !scope.pops.contains(pop) => Err(CertError::Pop(pop)),
        Some(_) | None => Ok(()),
    }
}

fn check_chain_scope(scope: &Scope, context: &VerifyContext<'_>) -> Result<(), CertError> {
    if !scope.apps.contains(context.app_id) {
        return Err(CertError::AppOutsideCa(context.app_id));
    }
    let pop_is_outside = context.pop.is_some_and(|pop| !scope.pops.contains(pop));
    if pop_is_outside || scope.pops.is_empty() {
        return Err(CertError::PopOutsideCa);
    }
    Ok(())
}
