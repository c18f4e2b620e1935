//! The certificate authority: short-lived certificates for those who are logged in.

use std::time::Duration;

use gamewire_crypto::{
    Certificate, CertificateRequest, SigningKey, VerifyingKey,
    cert::{CertParseError, MAX_CERT_LEN},
};
use gamewire_wire::{Identity, messages::CertificateSigned};

/// What signs certificates: a root's key, or that of a CA below a root.
#[derive(Clone, Debug)]
pub struct Authority {
    key: SigningKey,
    /// The certificate that a root gave to the key, as far as it limits what we may sign.
    own: Option<(Certificate, CertificateSigned)>,
}

/// Why a key and a certificate are no authority together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Not a certificate.
    #[error(transparent)]
    Parse(#[from] CertParseError),
    /// For another key.
    #[error("the CA certificate is for another key")]
    KeyMismatch,
    /// Issued to somebody.
    #[error("the certificate belongs to an identity, so it is no CA certificate")]
    NotCa,
}

/// Why a certificate is not issued.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IssueError {
    /// The request cannot be read.
    #[error("the request cannot be read: {0}")]
    Malformed(#[from] CertParseError),
    /// For somebody else.
    #[error("the request is for another identity than the one that logged in")]
    IdentityMismatch,
    /// For a PoP, which identities do not get.
    #[error("certificates for PoPs are not issued here")]
    Pops,
    /// The key is revoked.
    #[error("the key is revoked")]
    Revoked,
    /// The authority itself may not vouch for the application, or not any more.
    #[error("this authority cannot vouch for application {0} now")]
    OutOfScope(u32),
}

impl Authority {
    /// A root.
    pub const fn root(key: SigningKey) -> Self {
        Self { key, own: None }
    }

    /// A CA below a root.
    ///
    /// # Errors
    /// The certificate is malformed, somebody's own, or for another key.
    pub fn intermediate(
        key: SigningKey,
        certificate: CertificateSigned,
    ) -> Result<Self, AuthorityError> {
        let bytes = certificate.cert.as_deref().ok_or(CertParseError::Missing)?;
        let parsed = Certificate::decode(bytes)?;
        if parsed.key != key.public_key() {
            return Err(AuthorityError::KeyMismatch);
        }
        if parsed.identity.is_some() {
            return Err(AuthorityError::NotCa);
        }
        Ok(Self { key, own: Some((parsed, certificate)) })
    }

    /// The public half of the key.
    pub const fn public_key(&self) -> VerifyingKey {
        self.key.public_key()
    }

    /// The CA certificate, unless this is a root.
    pub fn certificate(&self) -> Option<&CertificateSigned> {
        self.own.as_ref().map(|(_, signed)| signed)
    }

    /// A certificate for `identity`, `app_id` and the key of `request`, and for nothing else that
    /// the request may name.
    pub(super) fn issue(
        &self,
        request: &[u8],
        identity: &Identity,
        app_id: u32,
        validity: Validity<'_>,
    ) -> Result<(CertificateSigned, u64), IssueError> {
        let request = CertificateRequest::decode(request)?;
        if request.identity.as_ref().is_some_and(|asked| asked != identity) {
            return Err(IssueError::IdentityMismatch);
        }
        if !request.pops.is_empty() {
            return Err(IssueError::Pops);
        }
        if (validity.is_revoked)(request.key.key_id()) {
            return Err(IssueError::Revoked);
        }
        let expiry = self.expiry(app_id, &validity).ok_or(IssueError::OutOfScope(app_id))?;
        let seconds = |unix: u64| u32::try_from(unix).unwrap_or(u32::MAX);
        let certificate = Certificate {
            identity: Some(identity.clone()),
            app_ids: vec![app_id],
            time_created: Some(seconds(validity.now_unix)),
            time_expiry: Some(seconds(expiry)),
            ..Certificate::new(request.key)
        };
        debug_assert!(certificate.encode().len() <= MAX_CERT_LEN);
        Ok((certificate.sign(&self.key), expiry))
    }

    /// When a certificate made now expires: never after our own does.
    fn expiry(&self, app_id: u32, validity: &Validity<'_>) -> Option<u64> {
        let wanted = validity.now_unix.saturating_add(validity.lifetime.as_secs());
        let Some((own, _)) = &self.own else { return Some(wanted) };
        let covered = own.app_ids.is_empty() || own.app_ids.contains(&app_id);
        let expiry = own.time_expiry.map_or(wanted, |expiry| wanted.min(u64::from(expiry)));
        (covered && expiry > validity.now_unix).then_some(expiry)
    }
}

/// When, for how long, and which keys not.
#[derive(Clone, Copy)]
pub(super) struct Validity<'a> {
    pub(super) now_unix: u64,
    pub(super) lifetime: Duration,
    pub(super) is_revoked: &'a dyn Fn(u64) -> bool,
}

#[cfg(test)]
mod tests {
    use gamewire_crypto::{TrustStore, VerifyContext};

    use super::*;

    const NOW: u64 = 1_700_000_000;
    const DAY: Duration = Duration::from_secs(86_400);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32])
    }

    fn request(identity: Option<&str>, pops: Vec<u32>) -> Vec<u8> {
        let identity = identity.map(|text| text.parse().unwrap());
        CertificateRequest { key: key(5).public_key(), identity, pops }.encode()
    }

    fn alice() -> Identity {
        "str:alice".parse().unwrap()
    }

    fn validity() -> Validity<'static> {
        Validity { now_unix: NOW, lifetime: DAY, is_revoked: &|_| false }
    }

    #[test]
    fn what_it_issues_is_believed_and_names_identity_app_and_times() {
        let authority = Authority::root(key(1));
        let (signed, expiry) =
            authority.issue(&request(None, vec![]), &alice(), 480, validity()).unwrap();
        assert_eq!(expiry, NOW + 86_400);
        let mut roots = TrustStore::builder();
        roots.root(key(1).public_key()).unwrap();
        let context =
            VerifyContext { now_unix: NOW, app_id: 480, pop: None, expected_identity: None };
        let verified = roots.build().unwrap().verify_trusted(&signed, &context).unwrap();
        assert_eq!(verified.identity(), Some(&alice()));
        assert_eq!(verified.certificate.app_ids, [480]);
        assert_eq!(verified.certificate.time_created, Some(1_700_000_000));
        assert_eq!(verified.expiry_unix, Some(NOW + 86_400));
    }

    #[test]
    fn nothing_is_signed_that_is_not_the_users() {
        let authority = Authority::root(key(1));
        let issue = |request: &[u8], validity| {
            authority.issue(request, &alice(), 480, validity).map(|_| ()).unwrap_err()
        };
        assert_eq!(
            issue(&request(Some("str:bob"), vec![]), validity()),
            IssueError::IdentityMismatch
        );
        assert_eq!(issue(&request(None, vec![7]), validity()), IssueError::Pops);
        assert!(matches!(issue(b"\xff", validity()), IssueError::Malformed(_)));
        let revoked = key(5).public_key().key_id();
        let is_revoked = move |id| id == revoked;
        let validity = Validity { is_revoked: &is_revoked, ..validity() };
        assert_eq!(issue(&request(None, vec![]), validity), IssueError::Revoked);
    }

    #[test]
    fn a_ca_stays_within_its_own_certificate() {
        let own = Certificate {
            app_ids: vec![480],
            time_expiry: Some(1_700_000_060),
            ..Certificate::new(key(2).public_key())
        };
        let authority = Authority::intermediate(key(2), own.sign(&key(1))).unwrap();
        let request = request(Some("str:alice"), vec![]);
        let (_, expiry) = authority.issue(&request, &alice(), 480, validity()).unwrap();
        assert_eq!(expiry, NOW + 60);
        let outside = authority.issue(&request, &alice(), 481, validity()).unwrap_err();
        assert_eq!(outside, IssueError::OutOfScope(481));
        let late = Validity { now_unix: NOW + 60, ..validity() };
        assert!(authority.issue(&request, &alice(), 480, late).is_err());
        let wrong = Authority::intermediate(key(3), own.sign(&key(1))).map(|_| ());
        assert_eq!(wrong, Err(AuthorityError::KeyMismatch));
        let somebody = Certificate { identity: Some(alice()), ..own };
        let wrong = Authority::intermediate(key(2), somebody.sign(&key(1))).map(|_| ());
        assert_eq!(wrong, Err(AuthorityError::NotCa));
    }
}
