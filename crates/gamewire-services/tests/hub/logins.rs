//! Who gets in, and who does not.

use std::{sync::Arc, time::Duration};

use crate::common::*;
use gamewire_crypto::SigningKey;
use gamewire_services::{
    Hub, HubConfig,
    hub::{Access, Authority, HubError, Limits, Rate, SignedTickets},
};
use gamewire_wire::{
    hub,
    messages::hub::{HubLogin, hub_event::Body, hub_login_result::Status, hub_request},
};
use tungstenite::Message;

#[test]
fn a_certificate_lets_in_and_nothing_less_does() {
    let hub = Hub::start(production()).unwrap();
    let mut client = Client::connect(&hub);
    let good = certificate("str:alice", |_| {}).sign(&key(1));
    let result = client.log_in(client.signed(good.clone(), &key(5)));
    assert_eq!((result.status(), result.identity()), (Status::Ok, "str:alice"));
    assert!(result.issues_certificates());

    let past = u32::try_from(unix_seconds() - 3600).unwrap();
    let expired = certificate("str:alice", |cert| cert.time_expiry = Some(past)).sign(&key(1));
    let endless = certificate("str:alice", |cert| cert.time_expiry = None).sign(&key(1));
    let foreign = certificate("str:alice", |_| {}).sign(&key(2));
    let other_app = certificate("str:alice", |cert| cert.app_ids = vec![APP + 1]).sign(&key(1));
    let unsigned = certificate("str:alice", |_| {}).unsigned();
    let nobody = certificate("str:alice", |cert| {
        cert.identity = None;
        cert.pops = vec![1];
    });
    for (why, certificate) in [
        ("expired", expired),
        ("without expiry", endless),
        ("of another root", foreign),
        ("for another app", other_app),
        ("unsigned", unsigned),
        ("without an identity", nobody.sign(&key(1))),
    ] {
        let mut client = Client::connect(&hub);
        let result = client.log_in(client.signed(certificate, &key(5)));
        assert_eq!(result.status(), Status::Refused, "{why}");
        assert_eq!(client.close_code(), Some(1008), "{why}");
    }
}

#[test]
fn the_signature_is_for_this_challenge_this_hub_and_this_key() {
    let hub = Hub::start(production()).unwrap();
    let good = certificate("str:alice", |_| {}).sign(&key(1));
    let earlier = Client::connect(&hub);
    let replayed = earlier.signed(good.clone(), &key(5));
    type Attempt<'a> = (&'static str, &'a dyn Fn(&Client) -> HubLogin);
    let attempts: [Attempt<'_>; 5] = [
        ("the answer to another challenge", &|_| replayed.clone()),
        ("another key", &|client| client.signed(good.clone(), &key(6))),
        ("no signature", &|client| HubLogin {
            signature: None,
            ..client.signed(good.clone(), &key(5))
        }),
        ("for another hub", &|client| {
            let context = hub::login_context(&client.nonce, "evil.example", APP);
            HubLogin {
                signature: Some(key(5).sign(&context).to_vec().into()),
                hub_name: Some("evil.example".to_owned()),
                ..client.signed(good.clone(), &key(5))
            }
        }),
        ("for another hub under our name", &|client| {
            let context = hub::login_context(&client.nonce, "evil.example", APP);
            HubLogin {
                signature: Some(key(5).sign(&context).to_vec().into()),
                ..client.signed(good.clone(), &key(5))
            }
        }),
    ];
    for (what, login) in attempts {
        let mut client = Client::connect(&hub);
        let result = client.log_in(login(&client));
        assert_eq!(result.status(), Status::Refused, "{what}");
    }
}

#[test]
fn a_hub_with_names_answers_to_them_alone() {
    let names = vec!["hub.example".to_owned()];
    let hub = Hub::start(HubConfig { names, ..production() }).unwrap();
    for (name, expected) in [("hub.example", Status::Ok), ("127.0.0.1", Status::Refused)] {
        let mut client = Client::connect(&hub);
        let context = hub::login_context(&client.nonce, name, APP);
        let good = certificate("str:alice", |_| {}).sign(&key(1));
        let login = HubLogin {
            signature: Some(key(5).sign(&context).to_vec().into()),
            hub_name: Some(name.to_owned()),
            ..client.signed(good, &key(5))
        };
        assert_eq!(client.log_in(login).status(), expected, "{name}");
    }
}

#[test]
fn a_revoked_key_lets_in_nobody() {
    let revoked_keys = vec![key(5).public_key().key_id()];
    let hub = Hub::start(HubConfig { revoked_keys, ..production() }).unwrap();
    let mut client = Client::connect(&hub);
    let good = certificate("str:alice", |_| {}).sign(&key(1));
    assert_eq!(client.log_in(client.signed(good, &key(5))).status(), Status::Refused);
}

#[test]
fn claims_count_in_development_alone() {
    let hub = Hub::start(production()).unwrap();
    for login in [claim("str:alice"), login()] {
        let result = Client::connect(&hub).log_in(login);
        assert_eq!(result.status(), Status::AuthenticationRequired);
    }
    let hub = development();
    for name in ["nonsense", "", "ip:::1", "invalid"] {
        let result = Client::connect(&hub).log_in(claim(name));
        assert_eq!(result.status(), Status::Refused, "{name:?}");
    }
    let result = Client::connect(&hub).log_in(HubLogin { protocol_version: Some(9), ..login() });
    assert_eq!(result.status(), Status::UnsupportedVersion);
}

#[test]
fn tickets_of_a_known_key_let_in() {
    let tickets = Arc::new(SignedTickets::new(vec![key(7).public_key()]));
    let hub = Hub::start(HubConfig { tickets: Some(tickets), ..production() }).unwrap();
    let log_in = |key: &SigningKey, app_id, expiry| {
        let ticket = SignedTickets::issue(key, &identity("str:bob"), app_id, expiry);
        let login = HubLogin { ticket: Some(ticket.into()), ..login() };
        Client::connect(&hub).log_in(login)
    };
    let soon = unix_seconds() + 60;
    let result = log_in(&key(7), APP, soon);
    assert_eq!((result.status(), result.identity()), (Status::Ok, "str:bob"));
    assert_eq!(log_in(&key(8), APP, soon).status(), Status::Refused);
    assert_eq!(log_in(&key(7), APP + 1, soon).status(), Status::Refused);
    assert_eq!(log_in(&key(7), APP, unix_seconds() - 1).status(), Status::Refused);
}

#[test]
fn only_some_applications() {
    let app_ids = vec![APP + 1];
    let hub = Hub::start(HubConfig { app_ids, ..HubConfig::development(loopback()) }).unwrap();
    let mut client = Client::connect(&hub);
    assert_eq!(client.log_in(claim("str:alice")).status(), Status::UnknownApp);
}

#[test]
fn development_stays_on_this_machine_unless_told_otherwise() {
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let error = Hub::start(HubConfig::development(everywhere)).unwrap_err();
    assert!(matches!(error, HubError::DevelopmentExposed(_)), "{error}");
    let access = Access::Development { allow_remote: true };
    let config = HubConfig { access, ..HubConfig::development(everywhere) };
    assert!(Hub::start(config).is_ok());
}

#[test]
fn a_hub_that_would_let_in_nobody_does_not_start() {
    let error = Hub::start(HubConfig::production(loopback())).unwrap_err();
    assert!(matches!(error, HubError::NoWayIn), "{error}");
}

#[test]
fn an_authority_below_a_root_is_believed_only_with_the_root() {
    let ca = certificate("str:x", |cert| {
        cert.identity = None;
        cert.key = key(2).public_key();
    });
    let authority = Authority::intermediate(key(2), ca.sign(&key(1))).unwrap();
    let with = |roots| HubConfig {
        authority: Some(authority.clone()),
        roots,
        ..HubConfig::production(loopback())
    };
    let error = Hub::start(with(vec![])).unwrap_err();
    assert!(matches!(error, HubError::NoWayIn), "{error}");
    let hub = Hub::start(with(vec![key(1).public_key()])).unwrap();
    let mut client = Client::connect(&hub);
    let good = certificate("str:alice", |_| {}).sign(&key(2));
    assert_eq!(client.log_in(client.signed(good, &key(5))).status(), Status::Ok);
}

#[test]
fn whoever_does_not_log_in_is_shown_out() {
    let login_timeout = Duration::from_millis(200);
    let hub = development_with(Limits { login_timeout, ..limits() });
    let mut silent = Client::connect(&hub);
    assert_eq!(silent.close_code(), Some(1008));
    let mut early = Client::connect(&hub);
    early.signal("str:bob", b"hi");
    assert_eq!(early.close_code(), Some(1008));
    let mut chatty = Client::connect(&hub);
    chatty.socket.send(Message::Text("hello".into())).unwrap();
    assert_eq!(chatty.close_code(), Some(1003));
    let mut wild = Client::connect(&hub);
    wild.socket.send(Message::Binary(vec![0xff; 9].into())).unwrap();
    assert_eq!(wild.close_code(), Some(1002));
    // One that never even speaks HTTP.
    let mut mute = std::net::TcpStream::connect(hub.addresses().http).unwrap();
    mute.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut mute, &mut rest).unwrap();
    wait("the counters", || {
        metric(&hub, "gamewire_hub_drops_total{reason=\"login_timeout\"}") == 1
    });
    assert_eq!(metric(&hub, "gamewire_hub_drops_total{reason=\"malformed\"}"), 3);
}

#[test]
fn a_second_login_ends_the_connection() {
    let hub = development();
    let mut client = Client::claim(&hub, "str:alice");
    client.send(hub_request::Body::Login(claim("str:bob")));
    assert_eq!(client.close_code(), Some(1002));
}

#[test]
fn connections_are_counted_and_given_back() {
    let limits = Limits { connections_per_source: 2, ..limits() };
    let hub = development_with(limits);
    let (first, second) = (Client::claim(&hub, "str:a"), Client::claim(&hub, "str:b"));
    assert!(Client::try_connect(&hub).is_none());
    drop(first);
    wait("the place", || Client::try_connect(&hub).is_some());
    drop(second);
}

#[test]
fn a_source_that_comes_too_often_is_not_answered() {
    let source_rate = Rate::new(0.001, 3.0);
    let hub = development_with(Limits { source_rate, ..limits() });
    let let_in = (0..5).filter(|_| Client::try_connect(&hub).is_some()).count();
    assert_eq!(let_in, 3);
}

#[test]
fn pending_logins_are_limited() {
    let hub = development_with(Limits { pending_logins: 1, ..limits() });
    let mut first = Client::connect(&hub);
    assert!(Client::try_connect(&hub).is_none());
    first.log_in(claim("str:alice"));
    assert!(Client::try_connect(&hub).is_some(), "whoever is in waits no more");
    first.signal("str:alice", b"x");
    assert!(matches!(first.next(), Body::Signal(_)));
}
