use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use gamewire_crypto::{Certificate, SeededEntropy, SigningKey, TrustStore};
use gamewire_wire::{
    extensions,
    identity::Identity,
    messages::{ChallengeReply, ConnectRequest, SessionCryptInfo},
    udp::{self, Datagram},
};
use prost::Message as _;

use super::{Acceptor, Credentials, Initiator, LocalParty, PairSide, Refusal, identity, pair};
use crate::{Time, config::ConnectionConfig, endpoint::Incoming};

const NOW: Time = Time::from_micros(3_000_000_000_000);
const NOW_UNIX: u64 = 1_700_000_000;

fn remote() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5000))
}

fn party(identity: &str) -> LocalParty {
    LocalParty {
        identity: identity.parse().unwrap(),
        app_id: 480,
        credentials: None,
        trust: Arc::new(TrustStore::default()),
        now_unix: NOW_UNIX,
        expected_identity: None,
        features: extensions::ALL,
    }
}

fn side(identity: &str, id: u32) -> PairSide {
    let address = SocketAddr::from(([192, 0, 2, 1], id as u16));
    PairSide { local_id: id, address, party: party(identity), config: ConnectionConfig::default() }
}

/// A party whose certificate a root signed, and that trusts that root.
fn certified(identity: &str, root: &SigningKey, seed: u64) -> LocalParty {
    let signing = SigningKey::generate(&mut SeededEntropy::new(seed));
    let certificate = Certificate {
        identity: Some(identity.parse().unwrap()),
        app_ids: vec![480],
        time_created: Some(NOW_UNIX as u32 - 60),
        time_expiry: Some(NOW_UNIX as u32 + 3600),
        ..Certificate::new(signing.public_key())
    };
    let certificate = certificate.sign(root);
    let mut builder = TrustStore::builder();
    builder.root(root.public_key()).unwrap();
    LocalParty {
        credentials: Some(Arc::new(Credentials { signing, certificate })),
        trust: Arc::new(builder.build().unwrap()),
        ..party(identity)
    }
}

fn root() -> SigningKey {
    SigningKey::generate(&mut SeededEntropy::new(99))
}

/// The connect request of an initiator, parsed, to be tampered with.
fn request_of(party: LocalParty) -> ConnectRequest {
    let config = ConnectionConfig::default();
    let mut entropy = SeededEntropy::new(4);
    let mut initiator = Initiator::new(NOW, 7, remote(), party, &config, &mut entropy);
    let challenge = ChallengeReply {
        connection_id: Some(7),
        challenge: Some(1),
        your_timestamp: Some(NOW.as_micros()),
        protocol_version: Some(13),
    };
    let datagram = initiator.on_challenge_reply(NOW, &challenge).unwrap();
    match udp::parse(&datagram) {
        Ok(Datagram::ConnectRequest(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn answer(
    request: ConnectRequest,
    own: LocalParty,
    config: &ConnectionConfig,
) -> Result<Identity, Refusal> {
    let incoming = Incoming { remote: remote(), received: NOW, request };
    let mut entropy = SeededEntropy::new(5);
    let (_, peer) = Acceptor::new(NOW, 8, &incoming, own, config, &mut entropy)?;
    Ok(peer.identity)
}

fn strict() -> ConnectionConfig {
    ConnectionConfig {
        allow_without_auth: 0,
        allow_without_auth_localhost: 0,
        ..ConnectionConfig::default()
    }
}

#[test]
fn both_sides_of_a_pair_can_talk() {
    let mut entropy = SeededEntropy::new(1);
    let [first, second] = pair(NOW, [side("str:a", 10), side("str:b", 11)], &mut entropy).unwrap();
    assert_eq!((first.remote_id, second.remote_id), (11, 10));
    assert_eq!(first.peer.identity.to_string(), "str:b");
    let mut packet = b"hello".to_vec();
    first.sealer.seal(2, &mut packet, 0);
    assert_eq!(second.opener.open(2, &mut packet).unwrap(), b"hello");
}

#[test]
fn a_chain_to_a_root_authenticates_and_its_absence_is_refused_where_it_matters() {
    let root = root();
    let config = strict();
    let ours = certified("str:server", &root, 1);
    let request = request_of(certified("str:player", &root, 2));
    assert_eq!(answer(request, ours.clone(), &config).unwrap().to_string(), "str:player");
    let unsigned = answer(request_of(party("str:player")), ours.clone(), &config);
    assert_eq!(unsigned.unwrap_err().reason.0, 4003);
    let stranger = SigningKey::generate(&mut SeededEntropy::new(5));
    let forged = answer(request_of(certified("str:player", &stranger, 3)), ours.clone(), &config);
    assert_eq!(forged.unwrap_err().reason.0, 4003);
    let lenient = answer(
        request_of(certified("str:player", &stranger, 3)),
        ours,
        &ConnectionConfig::default(),
    );
    assert!(lenient.is_ok());
}

#[test]
fn another_app_or_an_expired_certificate_is_refused() {
    let root = root();
    let ours = certified("str:server", &root, 1);
    let other_app = LocalParty { app_id: 481, ..ours.clone() };
    let refused = answer(request_of(certified("str:player", &root, 2)), other_app, &strict());
    assert_eq!(refused.unwrap_err().reason.0, 4003);
    let later = LocalParty { now_unix: NOW_UNIX + 100_000, ..ours };
    let refused = answer(request_of(certified("str:player", &root, 2)), later, &strict());
    assert_eq!(refused.unwrap_err().reason.0, 4003);
}

#[test]
fn missing_tampered_and_useless_crypt_infos_are_refused() {
    let good = request_of(party("str:player"));
    let crypt = good.crypt.clone().unwrap();
    let with_info = |change: &dyn Fn(&mut SessionCryptInfo)| {
        let mut info = SessionCryptInfo::decode(crypt.info.clone().unwrap()).unwrap();
        change(&mut info);
        let mut request = good.clone();
        request.crypt.as_mut().unwrap().info = Some(Bytes::from(info.encode_to_vec()));
        request
    };
    let requests = [
        ConnectRequest { crypt: None, ..good.clone() },
        with_info(&|info| info.nonce = Some(0)),
        with_info(&|info| info.key_data = Some(Bytes::from_static(&[0; 32]))),
        with_info(&|info| info.key_data = Some(Bytes::from_static(&[0; 5]))),
    ];
    for request in requests {
        let refused = answer(request, party("str:server"), &ConnectionConfig::default());
        assert_eq!(refused.unwrap_err().reason.0, 4002);
    }
    let refused = answer(
        ConnectRequest { cert: None, ..good },
        party("str:server"),
        &ConnectionConfig::default(),
    );
    assert_eq!(refused.unwrap_err().reason.0, 4003);
}

/// 384adb6: a properly signed all-zero key must be refused at the latest when it is used.
#[test]
fn a_signed_all_zero_key_is_refused_without_a_panic() {
    let signing = SigningKey::generate(&mut SeededEntropy::new(6));
    let identity: Identity = "str:player".parse().unwrap();
    let mut request = request_of(party("str:player"));
    let certificate = Certificate::self_made(signing.public_key(), &identity, 480);
    request.cert = Some(certificate.unsigned());
    let crypt = request.crypt.as_mut().unwrap();
    let mut info = SessionCryptInfo::decode(crypt.info.clone().unwrap()).unwrap();
    info.key_data = Some(Bytes::from_static(&[0; 32]));
    let bytes = Bytes::from(info.encode_to_vec());
    crypt.signature = Some(Bytes::copy_from_slice(&signing.sign(&bytes)));
    crypt.info = Some(bytes);
    let incoming = Incoming { remote: remote(), received: NOW, request };
    let config = ConnectionConfig::default();
    let mut entropy = SeededEntropy::new(5);
    let own = party("str:server");
    let result = Acceptor::new(NOW, 8, &incoming, own, &config, &mut entropy)
        .and_then(|(acceptor, _)| acceptor.accept(NOW, &config, &mut entropy).map(drop));
    assert_eq!(result.unwrap_err().reason.0, 4002);
}

#[test]
fn versions_that_are_too_old_end_the_attempt() {
    let config = ConnectionConfig::default();
    let mut entropy = SeededEntropy::new(4);
    let mut initiator = Initiator::new(NOW, 7, remote(), party("str:a"), &config, &mut entropy);
    let challenge = ChallengeReply { protocol_version: Some(7), ..ChallengeReply::default() };
    let refused = initiator.on_challenge_reply(NOW, &challenge);
    assert_eq!(refused.unwrap_err().reason.0, 4006);
}

#[test]
fn identities_resolve_as_documented() {
    let text = |text: &str| -> Identity { text.parse().unwrap() };
    let seen = || text("ip:192.0.2.1:5000");
    let cases = [
        (Some(text("str:a")), Some(text("str:b")), Some(text("str:a"))),
        (Some(Identity::localhost()), None, Some(seen())),
        (None, None, Some(seen())),
        (None, Some(Identity::localhost()), Some(seen())),
        (None, Some(text("str:b")), Some(text("str:b"))),
        (None, Some(text("ip:198.51.100.1")), None),
        (Some(text("ip:198.51.100.1")), None, Some(text("ip:198.51.100.1"))),
    ];
    for (in_certificate, claimed, expected) in cases {
        let what = format!("{in_certificate:?} and {claimed:?}");
        let resolved = identity::resolve(in_certificate.as_ref(), claimed, remote());
        assert_eq!(resolved.ok(), expected, "{what}");
    }
}

#[test]
fn an_expected_identity_must_be_the_one_in_the_certificate() {
    let own = LocalParty {
        expected_identity: Some("str:friend".parse().unwrap()),
        ..party("str:server")
    };
    let config = ConnectionConfig::default();
    assert!(answer(request_of(party("str:friend")), own.clone(), &config).is_ok());
    let refused = answer(request_of(party("str:stranger")), own, &config);
    assert_eq!(refused.unwrap_err().reason.0, 4003);
}
