//! Certificates, certificate requests, and taking a certificate into use.

use gamewire_crypto::{
    Certificate, CertificateRequest, SigningKey, TrustStore,
    cert::{InstallContext, MAX_CERT_LEN, MAX_CERT_REQUEST_LEN, install},
};
use gamewire_wire::Identity;

use crate::input::Input;

/// The key that requests were made with.
pub(crate) const OWN_SEED: [u8; 32] = [7; 32];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let bytes = input.rest();
    match choice % 3 {
        0 => certificate(bytes),
        1 => request(bytes),
        _ => take_into_use(choice, bytes),
    }
}

fn certificate(bytes: &[u8]) {
    let Ok(certificate) = Certificate::decode(bytes) else { return };
    assert!(bytes.len() <= MAX_CERT_LEN);
    let again = certificate.encode();
    if writable(certificate.identity.as_ref()) && again.len() <= MAX_CERT_LEN {
        assert_eq!(Certificate::decode(&again), Ok(certificate));
    }
}

/// The old forms carry SteamIDs that may not be written as text.
fn writable(identity: Option<&Identity>) -> bool {
    identity.is_none_or(|identity| identity.to_string().parse().as_ref() == Ok(identity))
}

fn request(bytes: &[u8]) {
    let Ok(request) = CertificateRequest::decode(bytes) else { return };
    assert!(bytes.len() <= MAX_CERT_REQUEST_LEN);
    let again = request.encode();
    if writable(request.identity.as_ref()) && again.len() <= MAX_CERT_REQUEST_LEN {
        assert_eq!(CertificateRequest::decode(&again), Ok(request));
    }
}

fn take_into_use(choice: u8, bytes: &[u8]) {
    let key = SigningKey::from_seed(OWN_SEED);
    let identity = Identity::generic_string("fuzz").expect("short");
    let context = InstallContext {
        now_unix: 1_700_000_000,
        app_id: 480,
        key: (choice & 0x80 != 0).then_some(&key),
        identity: (choice & 0x40 != 0).then_some(&identity),
    };
    let Ok(installed) = install(bytes, &TrustStore::empty(), &context) else { return };
    assert_eq!(installed.signed.private_key_data, None, "a private key would go to peers");
    assert_eq!(installed.key.public_key(), installed.certificate.key);
    if context.key.is_some() {
        assert_eq!(installed.key.public_key(), key.public_key());
    }
    if let Some(theirs) = &installed.certificate.identity
        && context.identity.is_some()
    {
        assert_eq!(*theirs, identity);
    }
}
