//! The certificate authority, over the WebSocket and over HTTP.

use gamewire_crypto::{CertificateRequest, TrustStore, VerifyContext};
use gamewire_services::{
    Hub, HubConfig, HubHandle,
    hub::{Limits, Rate},
    store::StoreConfig,
};
use gamewire_wire::{
    hub,
    messages::hub::{
        HubCertificateCall, HubCertificateResult, HubLogin, hub_certificate_result::Status,
        hub_event::Body, hub_request,
    },
};
use prost::Message as _;

use crate::common::*;

fn request(name: Option<&str>) -> Vec<u8> {
    let key = key(5).public_key();
    CertificateRequest { key, identity: name.map(identity), pops: Vec::new() }.encode()
}

fn ask(client: &mut Client, request: Vec<u8>) -> HubCertificateResult {
    client.send(hub_request::Body::Certificate(HubCertificateCall {
        request_id: Some(77),
        request: Some(request.into()),
        ..HubCertificateCall::default()
    }));
    match client.next() {
        Body::Certificate(result) => {
            assert_eq!(result.request_id, Some(77));
            result
        }
        other => panic!("{other:?}"),
    }
}

/// Whether a hub's certificate is believed by whoever has its root.
fn check(hub: &HubHandle, result: &HubCertificateResult, name: &str) {
    let mut roots = TrustStore::builder();
    roots.root(hub.authority().unwrap()).unwrap();
    let name = identity(name);
    let context = VerifyContext {
        now_unix: unix_seconds(),
        app_id: APP,
        pop: None,
        expected_identity: Some(&name),
    };
    let certificate = result.cert.as_ref().unwrap();
    let verified = roots.build().unwrap().verify_trusted(certificate, &context).unwrap();
    assert_eq!(verified.certificate.app_ids, [APP]);
    let lifetime = verified.expiry_unix.unwrap() - unix_seconds();
    assert!((47 * 3600..=48 * 3600).contains(&lifetime), "{lifetime}");
}

#[test]
fn whoever_is_logged_in_gets_one_in_his_name_and_logs_in_with_it() {
    let hub = development();
    let mut alice = Client::claim(&hub, "str:alice");
    let result = ask(&mut alice, request(Some("str:alice")));
    check(&hub, &result, "str:alice");
    let refused = ask(&mut alice, request(Some("str:bob")));
    assert_eq!((refused.status(), &refused.cert), (Status::Refused, &None));
    assert_eq!(ask(&mut alice, b"\xff".to_vec()).status(), Status::Refused);
    // And with that one the next, by proof instead of a claim.
    let mut again = Client::connect(&hub);
    again.log_in(again.signed(result.cert.unwrap(), &key(5)));
    check(&hub, &ask(&mut again, request(None)), "str:alice");
    assert_eq!(metric(&hub, "gamewire_hub_certificates_total{outcome=\"done\"}"), 2);
}

#[test]
fn not_without_end() {
    let certificates_per_identity = Rate::new(0.001, 2.0);
    let hub = development_with(Limits { certificates_per_identity, ..limits() });
    let mut alice = Client::claim(&hub, "str:alice");
    let statuses: Vec<_> = (0..3).map(|_| ask(&mut alice, request(None)).status()).collect();
    assert_eq!(statuses, [Status::Ok, Status::Ok, Status::Busy]);
    let mut bob = Client::claim(&hub, "str:bob");
    assert_eq!(ask(&mut bob, request(None)).status(), Status::Ok);
}

#[test]
fn a_hub_without_an_authority_has_none() {
    let config = HubConfig {
        authority: None,
        roots: vec![key(1).public_key()],
        ..HubConfig::production(loopback())
    };
    let hub = Hub::start(config).unwrap();
    let mut client = Client::connect(&hub);
    let good = certificate("str:alice", |_| {}).sign(&key(1));
    let result = client.log_in(client.signed(good, &key(5)));
    assert!(!result.issues_certificates());
    assert_eq!(ask(&mut client, request(None)).status(), Status::NotAvailable);
    assert_eq!(get(&hub, "/v1/roots").0, 404);
}

fn post(hub: &HubHandle, call: &HubCertificateCall) -> (u16, Option<HubCertificateResult>) {
    let (status, body) = http(hub, "POST", hub::CERTIFICATE_PATH, &call.encode_to_vec());
    (status, HubCertificateResult::decode(body.as_slice()).ok().filter(|r| r.status.is_some()))
}

#[test]
fn renewal_over_http_is_signed_for_this_request_and_now() {
    let hub = Hub::start(production()).unwrap();
    let call_at = |time_unix: u64, name: &str| {
        let request = request(None);
        let context = hub::certificate_context(&request, time_unix, name, APP);
        let login = HubLogin {
            cert: Some(certificate("str:alice", |_| {}).sign(&key(1))),
            signature: Some(key(5).sign(&context).to_vec().into()),
            hub_name: Some(name.to_owned()),
            ..login()
        };
        HubCertificateCall {
            request_id: None,
            request: Some(request.into()),
            login: Some(login),
            time_unix: Some(time_unix),
        }
    };
    let now = unix_seconds();
    let good = call_at(now, "127.0.0.1");
    let (status, result) = post(&hub, &good);
    assert_eq!(status, 200);
    check(&hub, &result.unwrap(), "str:alice");
    let other = CertificateRequest { key: key(6).public_key(), identity: None, pops: vec![] };
    let stolen = HubCertificateCall { request: Some(other.encode().into()), ..good.clone() };
    let claimed = HubCertificateCall { login: Some(claim("str:alice")), ..good.clone() };
    for (call, expected) in [
        (stolen, 401),
        (claimed, 401),
        (HubCertificateCall { time_unix: Some(now + 1), ..good }, 401),
        (call_at(now - 301, "127.0.0.1"), 401),
        (call_at(now + 400, "127.0.0.1"), 401),
        (call_at(now, "evil.example"), 401),
        (HubCertificateCall::default(), 401),
    ] {
        assert_eq!(post(&hub, &call).0, expected, "{call:?}");
    }
    assert_eq!(http(&hub, "POST", hub::CERTIFICATE_PATH, b"\xff").0, 400);
    assert_eq!(http(&hub, "POST", hub::CERTIFICATE_PATH, &[0; 20_000]).0, 413);
}

#[test]
fn in_development_the_root_is_told_and_kept_in_the_store() {
    let path = std::env::temp_dir().join(format!("gamewire-hub-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let config = || HubConfig {
        store: StoreConfig::File(path.clone()),
        ..HubConfig::development(loopback())
    };
    let hub = Hub::start(config()).unwrap();
    let (status, text) = get(&hub, "/v1/roots");
    assert_eq!(status, 200);
    let told = gamewire_crypto::text::decode_public_key(text.trim()).unwrap();
    assert_eq!(Some(told), hub.authority());
    drop(hub);
    let again = Hub::start(config()).unwrap();
    assert_eq!(again.authority(), Some(told));
    assert_ne!(development().authority(), Some(told));
    drop(again);
    std::fs::remove_file(&path).unwrap();
}
