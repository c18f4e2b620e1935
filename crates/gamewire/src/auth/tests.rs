use gamewire_crypto::{Certificate, CertificateRequest, SeededEntropy};
use gamewire_wire::messages::CertificateSigned;
use prost::Message as _;

use super::*;

const NOW: u64 = 1_700_000_000;
const DAY: u64 = 86_400;
const APP: u32 = 480;

fn ca() -> SigningKey {
    SigningKey::from_seed([9; 32])
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn with_root() -> Arc<TrustStore> {
    let mut builder = TrustStore::builder();
    builder.root(ca().public_key()).unwrap();
    Arc::new(builder.build().unwrap())
}

fn authentication(own: Identity, trust: Arc<TrustStore>) -> Authentication {
    Authentication::new(own, APP, trust, false)
}

/// What an authority grants for a request.
fn grant(request: &[u8], owner: &str, expiry: u64) -> Certificate {
    let request = CertificateRequest::decode(request).unwrap();
    Certificate {
        identity: Some(identity(owner)),
        app_ids: vec![APP],
        time_created: Some(NOW as u32),
        time_expiry: Some(expiry as u32),
        ..Certificate::new(request.key)
    }
}

fn request(auth: &mut Authentication) -> Vec<u8> {
    auth.certificate_request(&mut SeededEntropy::new(1))
}

#[test]
fn numbers_are_valves() {
    let table = [
        (Availability::CannotTry, -102),
        (Availability::Failed, -101),
        (Availability::Previously, -100),
        (Availability::Retrying, -10),
        (Availability::Unknown, 0),
        (Availability::NeverTried, 1),
        (Availability::Waiting, 2),
        (Availability::Attempting, 3),
        (Availability::Current, 100),
    ];
    for (availability, number) in table {
        assert_eq!(availability.to_number(), number);
    }
}

#[test]
fn from_a_request_to_a_certificate_and_beyond_its_expiry() {
    let mut auth = authentication(Identity::localhost(), with_root());
    assert_eq!(auth.status(NOW).availability, Availability::NeverTried);
    assert_eq!(auth.init_authentication(NOW).availability, Availability::CannotTry);
    assert!(!auth.has_certificate());

    let asked = request(&mut auth);
    assert_eq!(CertificateRequest::decode(&asked).unwrap().identity, None, "localhost is nobody");
    assert_eq!(request(&mut auth), asked, "the key is made once");

    let signed = grant(&asked, "str:alice", NOW + DAY).sign(&ca());
    auth.set_certificate(&signed.encode_to_vec(), NOW).unwrap();
    assert_eq!(auth.identity(), &identity("str:alice"), "adopted");
    assert!(auth.has_certificate());
    let status = auth.init_authentication(NOW);
    assert_eq!(status, AuthenticationStatus::new(Availability::Current, "OK"));
    assert_eq!(auth.status(NOW + DAY - 1).availability, Availability::Current);
    assert_eq!(auth.status(NOW + DAY).availability, Availability::Previously);

    // Renewed for the same key, which the request now names together with the identity.
    let again = CertificateRequest::decode(&request(&mut auth)).unwrap();
    assert_eq!(again.identity, Some(identity("str:alice")));
    let renewed = grant(&asked, "str:alice", NOW + 3 * DAY).sign(&ca());
    auth.set_certificate(&renewed.encode_to_vec(), NOW + 2 * DAY).unwrap();
    assert_eq!(auth.status(NOW + 2 * DAY).availability, Availability::Current);
}

#[test]
fn handshakes_get_the_certificate_with_its_key() {
    let mut auth = authentication(identity("str:alice"), with_root());
    let party = auth.local_party(NOW, None);
    assert!(party.credentials.is_none());
    assert_eq!((party.app_id, party.now_unix), (APP, NOW));
    assert_eq!((party.identity, party.features), (identity("str:alice"), extensions::ALL));

    let signed = grant(&request(&mut auth), "str:alice", NOW + DAY).sign(&ca());
    auth.set_certificate(&signed.encode_to_vec(), NOW).unwrap();
    let party = auth.local_party(NOW, Some(identity("str:bob")));
    assert_eq!(party.expected_identity, Some(identity("str:bob")));
    let credentials = party.credentials.unwrap();
    assert_eq!(credentials.certificate, signed);
    let inner = Certificate::decode(signed.cert.as_deref().unwrap()).unwrap();
    assert_eq!(credentials.signing.public_key(), inner.key);
}

#[test]
fn a_certificate_may_bring_its_private_key() {
    let key = SigningKey::from_seed([5; 32]);
    let certificate = Certificate {
        identity: Some(identity("str:server")),
        app_ids: vec![APP],
        time_expiry: Some((NOW + DAY) as u32),
        ..Certificate::new(key.public_key())
    };
    let signed = CertificateSigned {
        private_key_data: Some(bytes::Bytes::copy_from_slice(key.seed())),
        ..certificate.sign(&ca())
    };
    let mut auth = authentication(Identity::Invalid, Arc::default());
    auth.set_certificate(&signed.encode_to_vec(), NOW).unwrap();
    let credentials = auth.local_party(NOW, None).credentials.unwrap();
    assert_eq!(credentials.signing.public_key(), key.public_key());
    assert_eq!(credentials.certificate.private_key_data, None, "never shown to peers");
    let shown = format!("{auth:?}");
    assert!(!shown.contains("5, 5, 5"), "{shown}");
}

#[test]
fn certificates_that_our_roots_do_not_know_are_taken_with_a_remark() {
    let mut auth = authentication(identity("str:alice"), Arc::default());
    assert!(!auth.roots_configured());
    let signed = grant(&request(&mut auth), "str:alice", NOW + DAY).sign(&ca());
    auth.set_certificate(&signed.encode_to_vec(), NOW).unwrap();
    let status = auth.status(NOW);
    assert_eq!(status.availability, Availability::Current);
    assert_ne!(status.message, "OK");

    // One that nobody signed is taken too, and proves nothing.
    let unsigned = grant(&request(&mut auth), "str:alice", NOW + DAY).unsigned();
    auth.set_certificate(&unsigned.encode_to_vec(), NOW).unwrap();
    assert!(!auth.has_certificate());
    assert!(auth.local_party(NOW, None).credentials.is_some());
}

#[test]
fn what_is_not_ours_is_refused_and_changes_nothing() {
    let mut auth = authentication(identity("str:alice"), with_root());
    let asked = request(&mut auth);
    let good = grant(&asked, "str:alice", NOW + DAY);
    let other_key =
        Certificate { key: SigningKey::from_seed([7; 32]).public_key(), ..good.clone() };
    let other_app = Certificate { app_ids: vec![APP + 1], ..good.clone() };
    let nobody = Certificate { identity: None, ..good.clone() };
    let foreign_key = CertificateSigned {
        private_key_data: Some(bytes::Bytes::from_static(&[7; 32])),
        ..other_key.sign(&ca())
    };
    type Expected = fn(&CertificateError) -> bool;
    let table: [(Vec<u8>, Expected); 8] = [
        (Vec::new(), |e| matches!(e, CertificateError::Parse(_))),
        (vec![0xff; 40], |e| matches!(e, CertificateError::Parse(_))),
        (vec![0; 100_000], |e| matches!(e, CertificateError::Parse(_))),
        (grant(&asked, "str:bob", NOW + DAY).sign(&ca()).encode_to_vec(), |e| {
            *e == CertificateError::IdentityMismatch
        }),
        (other_key.sign(&ca()).encode_to_vec(), |e| *e == CertificateError::KeyMismatch),
        (foreign_key.encode_to_vec(), |e| *e == CertificateError::PrivateKeyMismatch),
        (other_app.sign(&ca()).encode_to_vec(), |e| matches!(e, CertificateError::Scope(_))),
        (nobody.sign(&ca()).encode_to_vec(), |e| *e == CertificateError::NoIdentity),
    ];
    for (bytes, expected) in table {
        let error = auth.set_certificate(&bytes, NOW).unwrap_err();
        assert!(expected(&error), "{error:?}");
        assert_eq!(auth.status(NOW).availability, Availability::NeverTried);
        assert_eq!(request(&mut auth), asked);
    }
    auth.set_certificate(&good.sign(&ca()).encode_to_vec(), NOW).unwrap();

    let mut keyless = authentication(Identity::Invalid, with_root());
    assert_eq!(
        keyless.set_certificate(&good.sign(&ca()).encode_to_vec(), NOW),
        Err(CertificateError::NoPrivateKey)
    );
}

#[test]
fn reset_forgets_key_and_certificate_but_not_whom_we_trust() {
    let mut auth = authentication(identity("str:alice"), with_root());
    let asked = request(&mut auth);
    let signed = grant(&asked, "str:alice", NOW + DAY).sign(&ca());
    auth.set_certificate(&signed.encode_to_vec(), NOW).unwrap();
    auth.reset_identity(Identity::Invalid);
    assert!(auth.identity().is_invalid());
    assert!(!auth.has_certificate());
    assert!(auth.roots_configured());
    assert_eq!(auth.status(NOW).availability, Availability::NeverTried);
    assert!(auth.local_party(NOW, None).credentials.is_none());
    let next = CertificateRequest::decode(&auth.certificate_request(&mut SeededEntropy::new(2)));
    assert_ne!(next.unwrap().key, CertificateRequest::decode(&asked).unwrap().key);
}

#[test]
fn an_expiry_is_due_once_and_looked_for_in_time() {
    let watch = ExpiryWatch::default();
    let now = Time::from_micros(5_000_000);
    assert!(!watch.take_due(u64::MAX - 1));
    assert_eq!(watch.next_look(now, NOW), None);
    watch.set(Some(NOW + DAY));
    assert_eq!(watch.next_look(now, NOW), Some(now + MAX_LOOK_INTERVAL));
    assert_eq!(watch.next_look(now, NOW + DAY - 7), Some(now + Duration::from_secs(7)));
    assert!(!watch.take_due(NOW + DAY - 1));
    assert!(watch.take_due(NOW + DAY));
    assert!(!watch.take_due(NOW + DAY), "once");
    assert_eq!(watch.next_look(now, NOW + DAY), None);
    watch.set(Some(NOW + DAY));
    watch.set(None);
    assert!(!watch.take_due(NOW + 2 * DAY));
}
