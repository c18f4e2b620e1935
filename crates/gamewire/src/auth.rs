//! Who we are and how we prove it: our identity, key and certificate, and whom we trust.
//!
//! There is no authority to ask yet: a certificate comes from the application
//! ([`Authentication::set_certificate`]), made from a [`Authentication::certificate_request`] or with
//! its private key inside. A source that fetches one adds its states to [`OwnCertificate`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gamewire_crypto::{
    CertificateRequest, Entropy, SigningKey, Trust, TrustStore,
    cert::{InstallContext, InstalledCertificate, install},
};
use gamewire_proto::{
    Time,
    handshake::{Credentials, LocalParty},
};
use gamewire_wire::{extensions, identity::Identity};

pub use gamewire_crypto::cert::InstallError as CertificateError;

/// Whether something that is needed can be had, with Valve's numbers (api.md §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[doc(alias = "ESteamNetworkingAvailability")]
#[repr(i32)]
pub enum Availability {
    /// Something else is missing first.
    CannotTry = -102,
    /// Tried in vain; not tried again by itself.
    Failed = -101,
    /// It was there and is no more.
    Previously = -100,
    /// Tried in vain, tried again.
    Retrying = -10,
    /// Not known.
    Unknown = 0,
    /// Nobody needed it so far.
    NeverTried = 1,
    /// Needed, but something else comes first.
    Waiting = 2,
    /// Being tried for the first time.
    Attempting = 3,
    /// There.
    Current = 100,
}

impl Availability {
    /// Valve's number.
    pub const fn to_number(self) -> i32 {
        self as i32
    }
}

/// How our authentication stands.
#[derive(Clone, PartialEq, Eq, Debug)]
#[doc(alias = "SteamNetAuthenticationStatus_t")]
pub struct AuthenticationStatus {
    /// Whether peers can verify who we are.
    pub availability: Availability,
    /// The same for people, with the reason.
    pub message: String,
}

impl AuthenticationStatus {
    fn new(availability: Availability, message: impl Into<String>) -> Self {
        Self { availability, message: message.into() }
    }
}

/// Where our certificate stands.
#[derive(Debug)]
enum OwnCertificate {
    /// Nobody asked for one.
    NotWanted,
    /// Wanted, and there is nobody to ask for it.
    NoSource,
    /// Installed.
    Installed(Installed),
}

#[derive(Debug)]
struct Installed {
    credentials: Arc<Credentials>,
    /// Unix seconds.
    expiry: Option<u64>,
    trust: Trust,
}

/// Our side of every handshake. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Authentication {
    identity: Identity,
    app_id: u32,
    trust: Arc<TrustStore>,
    /// The key of requests and of the certificate; made when first needed.
    key: Option<SigningKey>,
    certificate: OwnCertificate,
}

impl Authentication {
    pub(crate) fn new(identity: Identity, app_id: u32, trust: Arc<TrustStore>) -> Self {
        let certificate = OwnCertificate::NotWanted;
        Self { identity, app_id, trust, key: None, certificate }
    }

    /// The identity that we go by; invalid while it is unknown.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether a trusted root is configured.
    pub(crate) fn roots_configured(&self) -> bool {
        self.trust.has_roots()
    }

    /// Whether there is a certificate that an authority signed.
    pub(crate) fn has_certificate(&self) -> bool {
        match &self.certificate {
            OwnCertificate::Installed(installed) => !matches!(installed.trust, Trust::Unsigned),
            OwnCertificate::NotWanted | OwnCertificate::NoSource => false,
        }
    }

    fn credentials(&self) -> Option<&Arc<Credentials>> {
        match &self.certificate {
            OwnCertificate::Installed(installed) => Some(&installed.credentials),
            OwnCertificate::NotWanted | OwnCertificate::NoSource => None,
        }
    }

    /// Declares that a certificate will be needed, and tells how it stands.
    pub(crate) fn init_authentication(&mut self, now_unix: u64) -> AuthenticationStatus {
        match self.certificate {
            OwnCertificate::NotWanted => self.certificate = OwnCertificate::NoSource,
            OwnCertificate::NoSource | OwnCertificate::Installed(_) => {}
        }
        self.status(now_unix)
    }

    /// How our authentication stands at `now_unix` seconds since 1970.
    pub(crate) fn status(&self, now_unix: u64) -> AuthenticationStatus {
        match &self.certificate {
            OwnCertificate::NotWanted => {
                AuthenticationStatus::new(Availability::NeverTried, "No certificate was needed yet")
            }
            OwnCertificate::NoSource => AuthenticationStatus::new(
                Availability::CannotTry,
                "No certificate authority is configured; install a certificate",
            ),
            OwnCertificate::Installed(installed) => installed.status(now_unix),
        }
    }

    /// When the certificate that is good at `now_unix` expires, in Unix seconds.
    pub(crate) fn coming_expiry(&self, now_unix: u64) -> Option<u64> {
        match &self.certificate {
            OwnCertificate::Installed(installed) => {
                installed.expiry.filter(|&expiry| expiry > now_unix)
            }
            OwnCertificate::NotWanted | OwnCertificate::NoSource => None,
        }
    }

    /// A serialized `CMsgSteamDatagramCertificateRequest` for our key, which is made if there is
    /// none. Names our identity if it is settled.
    pub(crate) fn certificate_request(&mut self, entropy: &mut dyn Entropy) -> Vec<u8> {
        let key = self.key.get_or_insert_with(|| SigningKey::generate(entropy)).public_key();
        let identity = Some(&self.identity).filter(|id| !id.is_invalid() && !id.is_localhost());
        CertificateRequest { key, identity: identity.cloned(), pops: Vec::new() }.encode()
    }

    /// Installs a signed certificate, or a newer one in place of it. Its identity becomes ours.
    /// A chain that our own roots do not know, or one that is out of date, is worth a warning only.
    pub(crate) fn set_certificate(
        &mut self,
        bytes: &[u8],
        now_unix: u64,
    ) -> Result<(), CertificateError> {
        let context = InstallContext {
            now_unix,
            app_id: self.app_id,
            key: self.key.as_ref(),
            identity: Some(&self.identity),
        };
        let InstalledCertificate { signed, key, certificate, trust } =
            install(bytes, &self.trust, &context)?;
        if self.roots_configured() && !matches!(trust, Trust::Chain { .. }) {
            tracing::warn!(?trust, "our own roots do not vouch for the certificate");
        }
        if let Some(identity) = certificate.identity {
            self.identity = identity;
        }
        self.key = Some(key.clone());
        self.certificate = OwnCertificate::Installed(Installed {
            credentials: Arc::new(Credentials { signing: key, certificate: signed }),
            expiry: certificate.time_expiry.map(u64::from),
            trust,
        });
        Ok(())
    }

    /// Forgets key and certificate and takes another identity.
    pub(crate) fn reset_identity(&mut self, identity: Identity) {
        self.identity = identity;
        self.key = None;
        self.certificate = OwnCertificate::NotWanted;
    }

    /// What a handshake at `now_unix` needs of us. With `expected` the peer must prove that it is
    /// that one.
    pub(crate) fn local_party(&self, now_unix: u64, expected: Option<Identity>) -> LocalParty {
        LocalParty {
            identity: self.identity.clone(),
            app_id: self.app_id,
            credentials: self.credentials().cloned(),
            trust: self.trust.clone(),
            now_unix,
            expected_identity: expected,
            features: extensions::ALL,
        }
    }
}

/// Longest time between two looks at the wall clock while a certificate may expire: the clock may
/// be set, and a machine may sleep.
const MAX_LOOK_INTERVAL: Duration = Duration::from_secs(600);

/// Nothing will expire.
const NEVER: u64 = u64::MAX;

/// When our certificate expires, for service threads to look at without a lock.
#[derive(Debug)]
pub(crate) struct ExpiryWatch {
    unix_seconds: AtomicU64,
}

impl Default for ExpiryWatch {
    fn default() -> Self {
        Self { unix_seconds: AtomicU64::new(NEVER) }
    }
}

impl ExpiryWatch {
    /// Watches for another expiry, in Unix seconds; `None`: for none.
    pub(crate) fn set(&self, expiry: Option<u64>) {
        self.unix_seconds.store(expiry.unwrap_or(NEVER), Ordering::Release);
    }

    /// True once when the time has come.
    pub(crate) fn take_due(&self, now_unix: u64) -> bool {
        let expiry = self.unix_seconds.load(Ordering::Acquire);
        let (taken, otherwise) = (Ordering::AcqRel, Ordering::Acquire);
        expiry <= now_unix
            && self.unix_seconds.compare_exchange(expiry, NEVER, taken, otherwise).is_ok()
    }

    /// When to look again; `None`: nothing will expire.
    pub(crate) fn next_look(&self, now: Time, now_unix: u64) -> Option<Time> {
        let expiry = self.unix_seconds.load(Ordering::Acquire);
        let left = Duration::from_secs(expiry.saturating_sub(now_unix));
        (expiry != NEVER).then(|| now + left.min(MAX_LOOK_INTERVAL))
    }
}

impl Installed {
    fn status(&self, now_unix: u64) -> AuthenticationStatus {
        if self.expiry.is_some_and(|expiry| now_unix >= expiry) {
            return AuthenticationStatus::new(
                Availability::Previously,
                "The certificate has expired; install a newer one",
            );
        }
        let message = match &self.trust {
            Trust::Chain { .. } => "OK".to_owned(),
            Trust::Unsigned => "A certificate without a signature is installed".to_owned(),
            Trust::Untrusted(why) => format!("A certificate is installed; here {why}"),
        };
        AuthenticationStatus::new(Availability::Current, message)
    }
}

#[cfg(test)]
mod tests;
