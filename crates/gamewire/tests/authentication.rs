//! Certificates, from the request to a connection that trusts them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::*;
use gamewire::{
    ConnectError, ConnectionFlags, ConnectionState, Event, ListenError, Options, SigningKey,
    Sockets, TrustStore,
};
use gamewire_crypto::{Certificate, CertificateRequest, SystemEntropy};
use prost::Message as _;

const APP: u32 = 480;

/// An instance that trusts `root`, without a certificate of its own.
fn trusting(identity: &str, root: &SigningKey) -> Sockets {
    let mut trust = TrustStore::builder();
    trust.root(root.public_key()).unwrap();
    let trust = trust.build().unwrap();
    let identity = identity.parse().unwrap();
    Sockets::new(Options { identity, app_id: APP, trust, ..Options::default() }).unwrap()
}

/// What an authority answers to an instance's request.
fn signed(sockets: &Sockets, identity: &str, authority: &SigningKey, lifetime: i64) -> Vec<u8> {
    let request = CertificateRequest::decode(&sockets.certificate_request()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let certificate = Certificate {
        identity: Some(identity.parse().unwrap()),
        app_ids: vec![APP],
        time_created: Some((now - 7200) as u32),
        time_expiry: Some((now + lifetime) as u32),
        ..Certificate::new(request.key)
    };
    certificate.sign(authority).encode_to_vec()
}

#[test]
fn signed_certificates_authenticate_both_sides() {
    let root = SigningKey::generate(&mut SystemEntropy);
    let (server, client) = (trusting("str:server", &root), trusting("str:client", &root));
    for (sockets, identity) in [(&server, "str:server"), (&client, "str:client")] {
        let certificate = signed(sockets, identity, &root, 3600);
        sockets.set_certificate(&certificate).unwrap();
        assert!(matches!(sockets.poll_event(), Some(Event::AuthenticationStatusChanged(_))));
    }
    let address = free_address("127.0.0.1");
    server.create_listen_socket_ip(address, &[]).unwrap();
    client.connect_by_ip_address(address, &[]).unwrap();
    let asked = wait_for_state(&server, ConnectionState::Connecting);
    assert_eq!(asked.info.identity_remote.to_string(), "str:client");
    server.accept_connection(asked.connection).unwrap();
    let connected = wait_for_state(&client, ConnectionState::Connected);
    assert_eq!(connected.info.identity_remote.to_string(), "str:server");
    assert!(!connected.info.flags.contains(ConnectionFlags::UNAUTHENTICATED));
    server.reset_identity(None);
    assert!(server.identity().is_none());
    wait_for_state(&client, ConnectionState::ClosedByPeer);
}

#[test]
fn without_a_certificate_nothing_goes_where_a_root_is_configured() {
    let root = SigningKey::generate(&mut SystemEntropy);
    let sockets = trusting("str:nobody", &root);
    let address = free_address("127.0.0.1");
    let listen = sockets.create_listen_socket_ip(address, &[]);
    assert!(matches!(listen, Err(ListenError::NoCertificate)));
    let connect = sockets.connect_by_ip_address(address, &[]);
    assert!(matches!(connect, Err(ConnectError::NoCertificate)));
}

#[test]
fn strangers_and_expired_certificates_are_refused_with_a_reason() {
    let root = SigningKey::generate(&mut SystemEntropy);
    let server = trusting("str:server", &root);
    server.set_certificate(&signed(&server, "str:server", &root, 3600)).unwrap();
    let address = free_address("127.0.0.1");
    server.create_listen_socket_ip(address, &[]).unwrap();
    let unsigned = sockets("str:stranger");
    unsigned.connect_by_ip_address(address, &[]).unwrap();
    let change = wait_for_state(&unsigned, ConnectionState::ClosedByPeer);
    assert_eq!(change.info.end_reason, 4003);
    let expired = sockets_of_app("str:late");
    let _ = expired.set_certificate(&signed(&expired, "str:late", &root, -3600));
    expired.connect_by_ip_address(address, &[]).unwrap();
    let change = wait_for_state(&expired, ConnectionState::ClosedByPeer);
    assert_eq!(change.info.end_reason, 4003);
}

/// An instance that trusts nobody and therefore asks for no certificates.
fn sockets_of_app(identity: &str) -> Sockets {
    let identity = identity.parse().unwrap();
    Sockets::new(Options { identity, app_id: APP, ..Options::default() }).unwrap()
}

#[test]
fn a_certificate_for_somebody_else_or_another_key_is_not_installed() {
    let root = SigningKey::generate(&mut SystemEntropy);
    let (one, other) = (sockets_of_app("str:one"), sockets_of_app("str:other"));
    let for_other_key = signed(&other, "str:one", &root, 3600);
    let _ = one.certificate_request();
    assert!(one.set_certificate(&for_other_key).is_err());
    let for_other_name = signed(&one, "str:other", &root, 3600);
    assert!(one.set_certificate(&for_other_name).is_err());
    assert!(one.set_certificate(b"nonsense").is_err());
    assert!(one.set_certificate(&signed(&one, "str:one", &root, 3600)).is_ok());
}
