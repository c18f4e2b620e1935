//! Who we are.

use gamewire_proto::{Time, end::EndReason};
use gamewire_wire::{identity::Identity, messages::CertificateSigned};
use prost::Message as _;

use super::Sockets;
use crate::{
    auth::{AuthenticationStatus, Availability, CertificateError},
    core::Core,
    events::Event,
    hub::CertificateRefusal,
};

impl Sockets {
    /// The identity that we go by; `None` while it is unknown.
    #[doc(alias = "GetIdentity")]
    pub fn identity(&self) -> Option<Identity> {
        let identity = self.core.authentication().identity().clone();
        (!identity.is_invalid()).then_some(identity)
    }

    /// Says that authentication will be needed, and tells how it stands.
    #[doc(alias = "InitAuthentication")]
    pub fn init_authentication(&self) -> AuthenticationStatus {
        let now = crate::clock::unix_seconds();
        let status = self.core.change_authentication(|auth| auth.init_authentication(now));
        if let Some(hub) = &self.core.hub {
            hub.want();
        }
        status
    }

    /// How our authentication stands.
    #[doc(alias = "GetAuthenticationStatus")]
    pub fn authentication_status(&self) -> AuthenticationStatus {
        self.core.authentication().status(crate::clock::unix_seconds())
    }

    /// A request that a certificate authority can sign; makes a key pair if there is none.
    #[doc(alias = "GetCertificateRequest")]
    pub fn certificate_request(&self) -> Vec<u8> {
        let mut entropy = self.core.entropy();
        self.core.authentication_mut().certificate_request(&mut entropy)
    }

    /// Installs a signed certificate; it may be renewed at any time. Connections that exist keep
    /// theirs.
    ///
    /// # Errors
    /// The certificate is malformed, for somebody else, or for another key or application.
    #[doc(alias = "SetCertificate")]
    pub fn set_certificate(&self, certificate: &[u8]) -> Result<(), CertificateError> {
        let now = crate::clock::unix_seconds();
        self.core.change_authentication(|auth| auth.set_certificate(certificate, now))?;
        if let Some(hub) = &self.core.hub {
            hub.credentials_changed();
        }
        Ok(())
    }

    /// Closes every connection, forgets certificate and key, and takes another identity; `None`:
    /// unknown until a certificate brings one.
    #[doc(alias = "ResetIdentity")]
    pub fn reset_identity(&self, identity: Option<Identity>) {
        let debug = "The identity was reset";
        for connection in self.connections() {
            self.close_connection(connection, EndReason::APP_GENERIC.0, debug, false);
        }
        let identity = identity.unwrap_or(Identity::Invalid);
        self.core.change_authentication(|auth| auth.reset_identity(identity));
        if let Some(hub) = &self.core.hub {
            hub.identity_changed();
        }
    }
}

impl Core {
    /// Does something and announces the status if that changed it.
    pub(crate) fn change_authentication<R>(
        &self,
        change: impl FnOnce(&mut crate::auth::Authentication) -> R,
    ) -> R {
        let now = crate::clock::unix_seconds();
        let (result, before, after) = {
            let mut auth = self.authentication_mut();
            let before = auth.status(now);
            let result = change(&mut auth);
            self.expiry.set(auth.coming_expiry(now));
            (result, before, auth.status(now))
        };
        // The expiry may come sooner than anything that a service thread waits for.
        self.workers.iter().for_each(|worker| worker.wake());
        if before != after && after.availability == Availability::Current {
            self.release_peers();
        }
        if before != after {
            self.events.push(Event::AuthenticationStatusChanged(after));
        }
        result
    }

    /// The hub answered a request for a certificate.
    pub(crate) fn on_certificate_answer(
        &self,
        now: Time,
        answer: Result<CertificateSigned, CertificateRefusal>,
    ) {
        self.change_authentication(|auth| match answer {
            Ok(certificate) => {
                let bytes = certificate.encode_to_vec();
                if let Err(error) = auth.set_certificate(&bytes, crate::clock::unix_seconds()) {
                    let why = format!("the hub's certificate is not usable: {error}");
                    auth.quest_mut().on_failed(now, why, true);
                }
            }
            Err(CertificateRefusal::Final(why)) => auth.quest_mut().on_failed(now, why, true),
            Err(CertificateRefusal::ForNow(why)) => auth.quest_mut().on_failed(now, why, false),
        });
    }
}

#[cfg(test)]
mod tests {
    use gamewire_crypto::{Certificate, CertificateRequest, SigningKey};
    use prost::Message as _;

    use super::*;
    use crate::{clock::unix_seconds, options::Options};

    /// A certificate that is good for an hour.
    fn with_certificate() -> (Sockets, u64) {
        let sockets = Sockets::new(Options { app_id: 1, ..Options::default() }).unwrap();
        let request = CertificateRequest::decode(&sockets.certificate_request()).unwrap();
        let expiry = unix_seconds() + 3600;
        let certificate = Certificate {
            identity: Some("str:alice".parse().unwrap()),
            app_ids: vec![1],
            time_expiry: Some(u32::try_from(expiry).unwrap()),
            ..Certificate::new(request.key)
        };
        let signed = certificate.sign(&SigningKey::from_seed([9; 32])).encode_to_vec();
        sockets.set_certificate(&signed).unwrap();
        assert_eq!(announced(&sockets), [Availability::Current]);
        (sockets, expiry)
    }

    fn announced(sockets: &Sockets) -> Vec<Availability> {
        let statuses = sockets.events().map(|event| match event {
            Event::AuthenticationStatusChanged(status) => status.availability,
            other => panic!("{other:?}"),
        });
        statuses.collect()
    }

    #[test]
    fn a_certificate_that_expires_by_itself_is_announced_once() {
        let (sockets, expiry) = with_certificate();
        let now = sockets.local_timestamp();
        assert!(sockets.core.watch_expiry(now, expiry - 1).is_some(), "a thread looks again");
        assert_eq!(announced(&sockets), []);
        assert_eq!(sockets.core.watch_expiry(now, expiry), None);
        assert_eq!(announced(&sockets), [Availability::Previously]);
        sockets.core.watch_expiry(now, expiry + 1);
        assert_eq!(announced(&sockets), []);
    }

    #[test]
    fn a_certificate_that_was_dropped_does_not_expire() {
        let (sockets, expiry) = with_certificate();
        sockets.reset_identity(None);
        assert_eq!(announced(&sockets), [Availability::NeverTried]);
        sockets.core.watch_expiry(sockets.local_timestamp(), expiry);
        assert_eq!(announced(&sockets), []);
    }
}
