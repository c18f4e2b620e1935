//! Who we are and how we prove it: our identity, key and certificate, and whom we trust.
//!
//! A certificate comes from the application ([`Authentication::set_certificate`]), made from a
//! [`Authentication::certificate_request`] or with its private key inside; or, once it is wanted, from
//! the hub, as the [`Quest`] decides.

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

mod quest;

pub(crate) use self::quest::Quest;
pub use gamewire_crypto::cert::InstallError as CertificateError;

use self::quest::renewal_time;

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

#[derive(Debug)]
struct Installed {
    credentials: Arc<Credentials>,
    /// Unix seconds.
    expiry: Option<u64>,
    /// When to ask for the next one; Unix seconds.
    renew_at: Option<u64>,
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
    certificate: Option<Installed>,
    quest: Quest,
}

impl Authentication {
    /// With `has_source` there is a hub to ask for certificates.
    pub(crate) fn new(
        identity: Identity,
        app_id: u32,
        trust: Arc<TrustStore>,
        has_source: bool,
    ) -> Self {
        let quest = Quest::new(has_source);
        Self { identity, app_id, trust, key: None, certificate: None, quest }
    }

    /// The application that we are.
    pub(crate) const fn app_id(&self) -> u32 {
        self.app_id
    }

    /// How the search for a certificate stands.
    pub(crate) const fn quest(&self) -> &Quest {
        &self.quest
    }

    /// The same, to be told what happened.
    pub(crate) const fn quest_mut(&mut self) -> &mut Quest {
        &mut self.quest
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
        self.certificate.as_ref().is_some_and(Installed::is_signed)
    }

    /// What proves to a hub who we are, while it is good.
    pub(crate) fn signed_credentials(&self, now_unix: u64) -> Option<&Arc<Credentials>> {
        let installed = self.certificate.as_ref().filter(|installed| installed.is_signed())?;
        (!installed.is_over(now_unix)).then_some(&installed.credentials)
    }

    fn credentials(&self) -> Option<&Arc<Credentials>> {
        self.certificate.as_ref().map(|installed| &installed.credentials)
    }

    /// Declares that a certificate will be needed, and tells how it stands.
    pub(crate) fn init_authentication(&mut self, now_unix: u64) -> AuthenticationStatus {
        self.quest.want(self.certificate.as_ref().and_then(|installed| installed.renew_at));
        self.status(now_unix)
    }

    /// How our authentication stands at `now_unix` seconds since 1970.
    pub(crate) fn status(&self, now_unix: u64) -> AuthenticationStatus {
        match &self.certificate {
            Some(installed) if !installed.is_over(now_unix) => installed.status(),
            Some(_) if self.quest.is_active() => self.quest.status(),
            Some(_) => AuthenticationStatus::new(
                Availability::Previously,
                "The certificate has expired; install a newer one",
            ),
            None => self.quest.status(),
        }
    }

    /// When the certificate that is good at `now_unix` expires, in Unix seconds.
    pub(crate) fn coming_expiry(&self, now_unix: u64) -> Option<u64> {
        let expiry = self.certificate.as_ref()?.expiry?;
        (expiry > now_unix).then_some(expiry)
    }

    /// A serialized `CMsgSteamDatagramCertificateRequest` for our key, which is made if there is
    /// none. Names our identity if it is settled.
    pub(crate) fn certificate_request(&mut self, entropy: &mut dyn Entropy) -> Vec<u8> {
        let key = self.key.get_or_insert_with(|| SigningKey::generate(entropy)).public_key();
        let identity = Some(&self.identity).filter(|id| !id.is_nobody());
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
        let expiry = certificate.time_expiry.map(u64::from);
        let renew_at = expiry.map(|expiry| renewal_time(now_unix, expiry));
        self.certificate = Some(Installed {
            credentials: Arc::new(Credentials { signing: key, certificate: signed }),
            expiry,
            renew_at,
            trust,
        });
        self.quest.on_installed(renew_at);
        Ok(())
    }

    /// Forgets key and certificate and takes another identity.
    pub(crate) fn reset_identity(&mut self, identity: Identity) {
        self.identity = identity;
        self.key = None;
        self.certificate = None;
        self.quest.reset();
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
    fn is_signed(&self) -> bool {
        !matches!(self.trust, Trust::Unsigned)
    }

    fn is_over(&self, now_unix: u64) -> bool {
        self.expiry.is_some_and(|expiry| now_unix >= expiry)
    }

    fn status(&self) -> AuthenticationStatus {
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
