//! Tickets and logins: what comes out comes back, and everything that must be refused is.

use bytes::Bytes;
use gamewire_crypto::{CertError, ChainError, SeededEntropy, text::encode_private_key};
use gamewire_wire::messages::{CertificateSigned, relay::SignedRelayAuthTicket};

use super::*;
use crate::{
    PopId,
    hosted::{HostedAddress, HostedAddressError, RelayKeys, ServerAddress},
};
use gamewire_crypto::KeyExchange;

const NOW: u64 = 1_764_000_000;
const APP: u32 = 480;
const ROOT: u8 = 1;
const GAME_CA: u8 = 2;
const SERVER: u8 = 3;
const PLAYER: u8 = 4;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn pop(code: &str) -> PopId {
    code.parse().unwrap()
}

fn expiry(seconds: i64) -> Option<u32> {
    Some(u32::try_from(NOW as i64 + seconds).unwrap())
}

/// The CA of one game, for `sto` only.
fn game_ca() -> CertificateSigned {
    Certificate {
        app_ids: vec![APP],
        pops: vec![pop("sto").as_u32(), pop("ams").as_u32()],
        time_expiry: expiry(90 * 86_400),
        ..Certificate::new(key(GAME_CA).public_key())
    }
    .sign(&key(ROOT))
}

fn server_cert(change: impl FnOnce(&mut Certificate)) -> CertificateSigned {
    let mut certificate = Certificate {
        identity: Some(identity("str:server")),
        app_ids: vec![APP],
        pops: vec![pop("sto").as_u32()],
        time_expiry: expiry(86_400),
        ..Certificate::new(key(SERVER).public_key())
    };
    change(&mut certificate);
    certificate.sign(&key(GAME_CA))
}

fn config() -> NetworkConfig {
    NetworkConfig {
        revision: 1,
        certs: vec![game_ca()],
        relay_public_keys: vec![relay_key().public_key()],
        ..NetworkConfig::default()
    }
}

fn relay_key() -> KeyExchange {
    KeyExchange::generate(&mut SeededEntropy::new(9))
}

fn coordinator() -> Coordinator {
    let mut coordinator = Coordinator::new(vec![key(ROOT).public_key()], false);
    assert!(coordinator.set_network_config(config().to_json().as_bytes()).unwrap().is_empty());
    let text = encode_private_key(&key(GAME_CA), "");
    assert!(coordinator.set_private_key(&text, NOW).unwrap().is_empty());
    coordinator
}

fn address() -> ServerAddress {
    ServerAddress::new("203.0.113.9:27015".parse().unwrap(), 0x1234_5678_9abc_def0)
}

fn ticket() -> Ticket {
    Ticket {
        server: identity("str:server"),
        client: identity("steamid:76561197960265729"),
        client_ip: None,
        expiry: expiry(6 * 3600).unwrap(),
        routing: HostedAddress::Plain { pop: pop("sto"), server: address() },
        app_id: APP,
        virtual_port: None,
        extra_fields: Vec::new(),
    }
}

fn signed(ticket: &Ticket) -> SignedTicket {
    let bytes = coordinator().sign_ticket(ticket, &mut SeededEntropy::new(1)).unwrap();
    SignedTicket::parse(&bytes).unwrap()
}

fn open(ticket: &SignedTicket) -> Result<ServerAddress, HostedAddressError> {
    let mut keys = RelayKeys::default();
    keys.insert(None, relay_key());
    keys.open(&ticket.ticket().routing, &ticket.blob_context())
}

#[test]
fn a_ticket_there_and_back() {
    let full = Ticket {
        client_ip: Some("198.51.100.3".parse().unwrap()),
        virtual_port: Some(0),
        extra_fields: vec![
            ExtraField { name: "mode".into(), value: ExtraValue::Text("ranked".into()) },
            ExtraField { name: "team".into(), value: ExtraValue::Int(-2) },
            ExtraField { name: "lobby".into(), value: ExtraValue::Fixed64(u64::MAX) },
        ],
        ..ticket()
    };
    let v6 = Ticket { client_ip: Some("2001:db8::3".parse().unwrap()), ..ticket() };
    for ticket in [ticket(), full, v6] {
        let signed = signed(&ticket);
        let store = coordinator();
        assert_eq!(signed.verify(store.trust_store(), NOW), Ok(()));
        assert_eq!(open(&signed), Ok(address()));
        let routing = signed.ticket().routing.clone();
        assert!(matches!(routing, HostedAddress::Encrypted { .. }));
        assert_eq!(*signed.ticket(), Ticket { routing, ..ticket.clone() });
        assert_eq!(signed.ticket().extra("mode").is_some(), !ticket.extra_fields.is_empty());
    }
}

#[test]
fn tickets_that_cannot_be_signed() {
    let sign = |ticket: &Ticket| {
        coordinator().sign_ticket(ticket, &mut SeededEntropy::new(1)).unwrap_err()
    };
    let missing = |ticket: Ticket| match sign(&ticket) {
        SignTicketError::Missing(what) => what,
        other => panic!("{other}"),
    };
    assert_eq!(missing(Ticket { server: Identity::Invalid, ..ticket() }), "server identity");
    assert_eq!(missing(Ticket { client: Identity::Invalid, ..ticket() }), "client identity");
    assert_eq!(missing(Ticket { expiry: 0, ..ticket() }), "expiry");
    assert_eq!(missing(Ticket { app_id: 0, ..ticket() }), "app id");
    let field = |name: &str, text: &str| ExtraField {
        name: name.into(),
        value: ExtraValue::Text(text.into()),
    };
    for extra_fields in [
        vec![field("", "")],
        vec![field(&"n".repeat(28), "")],
        vec![field("n", &"t".repeat(128))],
        vec![field("n", ""); 17],
    ] {
        assert_eq!(sign(&Ticket { extra_fields, ..ticket() }), SignTicketError::ExtraField);
    }
    let extra_fields = vec![field("name", &"t".repeat(127)); 4];
    let long = sign(&Ticket { extra_fields, ..ticket() });
    assert!(matches!(long, SignTicketError::TooLong(513..)), "{long}");
    // An encrypted address is somebody else's.
    let routing = signed(&ticket()).ticket().routing.clone();
    let error = SignTicketError::Routing(HostedAddressError::Encrypted);
    assert_eq!(sign(&Ticket { routing, ..ticket() }), error);

    let empty = Coordinator::new(vec![], false);
    let entropy = &mut SeededEntropy::new(1);
    assert_eq!(empty.sign_ticket(&ticket(), entropy), Err(SignTicketError::NoKey));
    let mut keyed = Coordinator::new(vec![], false);
    keyed.set_private_key(&encode_private_key(&key(2), ""), NOW).unwrap();
    assert_eq!(keyed.sign_ticket(&ticket(), entropy), Err(SignTicketError::NoNetworkConfig));
    keyed.set_network_config(b"{}").unwrap();
    assert_eq!(keyed.sign_ticket(&ticket(), entropy), Err(SignTicketError::NoRelayKey));
}

#[test]
fn sixteen_extra_fields_fit() {
    let extra_fields =
        (0..16).map(|n| ExtraField { name: format!("f{n}"), value: ExtraValue::Int(n) }).collect();
    assert_eq!(signed(&Ticket { extra_fields, ..ticket() }).ticket().extra_fields.len(), 16);
}

#[test]
fn expired_foreign_and_forged_tickets() {
    let coordinator = coordinator();
    let verify = |ticket: &SignedTicket, now| ticket.verify(coordinator.trust_store(), now);
    let good = signed(&ticket());
    let expiry = good.ticket().expiry;
    assert_eq!(verify(&good, u64::from(expiry)), Ok(()));
    assert_eq!(verify(&good, u64::from(expiry) + 1), Err(TicketError::Expired(expiry)));
    let refused = |ticket: &SignedTicket| match verify(ticket, NOW) {
        Err(TicketError::Signature(error)) => error,
        other => panic!("{other:?}"),
    };
    // The game's CA vouches for its own app and PoPs alone.
    let foreign = signed(&Ticket { app_id: APP + 1, ..ticket() });
    assert_eq!(refused(&foreign), CertError::AppOutsideCa(APP + 1));
    let routing = HostedAddress::Plain { pop: pop("fra"), server: address() };
    assert_eq!(refused(&signed(&Ticket { routing, ..ticket() })), CertError::PopOutsideCa);
    // Signed by a player, in whose name ever.
    let entropy = &mut SeededEntropy::new(1);
    let own = TicketSigner::new(&key(PLAYER)).sign(&ticket(), &config(), entropy).unwrap();
    let id = key(PLAYER).public_key().key_id();
    let error = CertError::Chain(ChainError::UnknownCa(id));
    assert_eq!(refused(&SignedTicket::parse(&own).unwrap()), error);
    let mut message = SignedRelayAuthTicket::decode(own.as_slice()).unwrap();
    message.key_id = Some(key(GAME_CA).public_key().key_id());
    let error = CertError::Chain(ChainError::BadSignature);
    assert_eq!(refused(&SignedTicket::parse(&message.encode_to_vec()).unwrap()), error);
    // Revoked.
    let mut revoking = config();
    revoking.revoked_keys.push(key(GAME_CA).public_key().key_id());
    let store = revoking.trust_store(&[key(ROOT).public_key()]).unwrap();
    assert!(good.verify(&store, NOW).is_err());
}

/// No bit of a ticket may change, be it of the content, the signature or the key id.
#[test]
fn every_flipped_bit_is_noticed() {
    let coordinator = coordinator();
    let bytes = coordinator.sign_ticket(&ticket(), &mut SeededEntropy::new(1)).unwrap();
    let original = SignedTicket::parse(&bytes).unwrap();
    let mut survivors = 0;
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(parsed) = SignedTicket::parse(&changed) else { continue };
        if parsed.verify(coordinator.trust_store(), NOW).is_ok() {
            // Only what carries nothing may differ, such as the number of an unknown field.
            assert_eq!(parsed, original, "bit {bit}");
            survivors += 1;
        }
    }
    assert!(survivors < 8, "{survivors}");
    for cut in 0..bytes.len() {
        assert!(SignedTicket::parse(&bytes[..cut]).is_err(), "{cut}");
    }
}

fn server_signed(cert: CertificateSigned, ticket: &Ticket) -> Result<(), TicketError> {
    let (key, certs) = (key(SERVER), [cert]);
    let signer = TicketSigner::with_certs(&key, &certs);
    let bytes = signer.sign(ticket, &config(), &mut SeededEntropy::new(1)).unwrap();
    let signed = SignedTicket::parse(&bytes).unwrap();
    assert_eq!(open(&signed), Ok(address()));
    signed.verify(coordinator().trust_store(), NOW)
}

#[test]
fn a_server_signs_for_itself_and_nobody_else() {
    assert_eq!(server_signed(server_cert(|_| {}), &ticket()), Ok(()));
    let anonymous = server_cert(|cert| cert.identity = None);
    assert_eq!(server_signed(anonymous, &ticket()), Ok(()));
    let other = Ticket { server: identity("str:other"), ..ticket() };
    assert_eq!(server_signed(server_cert(|_| {}), &other), Err(TicketError::NotServerCert));
    let elsewhere =
        Ticket { routing: HostedAddress::Plain { pop: pop("ams"), server: address() }, ..ticket() };
    let error = Err(TicketError::Signature(CertError::Pop(pop("ams").as_u32())));
    assert_eq!(server_signed(server_cert(|_| {}), &elsewhere), error);
    let expired = server_cert(|cert| cert.time_expiry = expiry(-1000));
    assert!(server_signed(expired, &ticket()).is_err());
    let self_made = CertificateSigned { ca_signature: None, ..server_cert(|_| {}) };
    let error = Err(TicketError::Signature(CertError::Unsigned));
    assert_eq!(server_signed(self_made, &ticket()), error);
}

/// A player has a certificate, too: it must not open the way to any address he likes.
#[test]
fn a_players_certificate_signs_no_ticket() {
    let unlimited_ca = Certificate {
        app_ids: vec![APP],
        time_expiry: expiry(86_400),
        ..Certificate::new(key(GAME_CA).public_key())
    };
    let player = Certificate {
        identity: Some(identity("str:server")),
        app_ids: vec![APP],
        time_expiry: expiry(86_400),
        ..Certificate::new(key(PLAYER).public_key())
    };
    let certs = [player.sign(&key(GAME_CA))];
    let mut config = config();
    config.certs = vec![unlimited_ca.sign(&key(ROOT))];
    let key = key(PLAYER);
    let signer = TicketSigner::with_certs(&key, &certs);
    let bytes = signer.sign(&ticket(), &config, &mut SeededEntropy::new(1)).unwrap();
    let store = config.trust_store(&[self::key(ROOT).public_key()]).unwrap();
    let result = SignedTicket::parse(&bytes).unwrap().verify(&store, NOW);
    assert_eq!(result, Err(TicketError::NotServerCert));
}

#[test]
fn a_key_id_beside_certificates_is_refused() {
    let (key, certs) = (key(SERVER), [server_cert(|_| {})]);
    let signer = TicketSigner::with_certs(&key, &certs);
    let bytes = signer.sign(&ticket(), &config(), &mut SeededEntropy::new(1)).unwrap();
    let mut message = SignedRelayAuthTicket::decode(bytes.as_slice()).unwrap();
    message.key_id = Some(5);
    let signed = SignedTicket::parse(&message.encode_to_vec()).unwrap();
    let result = signed.verify(coordinator().trust_store(), NOW);
    assert_eq!(result, Err(TicketError::Malformed));
}

#[test]
fn hostile_tickets_do_not_parse() {
    let parse = |change: &dyn Fn(&mut SignedRelayAuthTicket)| {
        let bytes = coordinator().sign_ticket(&ticket(), &mut SeededEntropy::new(1)).unwrap();
        let mut message = SignedRelayAuthTicket::decode(bytes.as_slice()).unwrap();
        change(&mut message);
        SignedTicket::parse(&message.encode_to_vec())
    };
    assert!(parse(&|_| {}).is_ok());
    assert_eq!(parse(&|m| m.ticket = None), Err(TicketError::Missing("content")));
    assert_eq!(parse(&|m| m.signature = None), Err(TicketError::Missing("signature")));
    assert_eq!(
        parse(&|m| m.ticket = Some(Bytes::from_static(&[0xff]))),
        Err(TicketError::Malformed)
    );
    let many = parse(&|m| m.certs = vec![CertificateSigned::default(); 5]);
    assert_eq!(many, Err(TicketError::Malformed));
    let long = parse(&|m| m.signature = Some(vec![0; 500].into()));
    assert_eq!(long, Err(TicketError::TooLong));
    assert_eq!(SignedTicket::parse(&[]), Err(TicketError::Missing("content")));
}

fn login() -> ServerLogin {
    ServerLogin {
        identity: identity("str:server"),
        routing: HostedAddress::Plain { pop: pop("sto"), server: address() },
        app_id: APP,
        time: NOW as u32,
        app_data: b"map=dust".to_vec(),
    }
}

fn parsed(login: &ServerLogin, cert: &CertificateSigned) -> Result<ServerLogin, LoginError> {
    let blob = sign_login(login, Some((cert, &key(SERVER)))).unwrap();
    coordinator().parse_login(&blob, false, NOW).map(|(login, warning)| {
        assert_eq!(warning, None);
        login
    })
}

#[test]
fn logins() {
    assert_eq!(parsed(&login(), &server_cert(|_| {})), Ok(login()));
    let anonymous = server_cert(|cert| cert.identity = None);
    assert_eq!(parsed(&login(), &anonymous), Ok(login()));
    let other = ServerLogin { identity: identity("str:other"), ..login() };
    assert_eq!(parsed(&other, &server_cert(|_| {})), Err(CertError::Identity.into()));
    let foreign = ServerLogin { app_id: APP + 1, ..login() };
    assert_eq!(parsed(&foreign, &server_cert(|_| {})), Err(CertError::App(APP + 1).into()));
    let routing = HostedAddress::Plain { pop: pop("ams"), server: address() };
    let elsewhere = ServerLogin { routing, ..login() };
    let error = Err(CertError::Pop(pop("ams").as_u32()).into());
    assert_eq!(parsed(&elsewhere, &server_cert(|_| {})), error);
    let wrong_key = server_cert(|cert| cert.key = key(PLAYER).public_key());
    assert_eq!(parsed(&login(), &wrong_key), Err(LoginError::Signature));
    let too_wide = server_cert(|cert| cert.pops = vec![pop("fra").as_u32(), pop("sto").as_u32()]);
    let routing = HostedAddress::Plain { pop: pop("fra"), server: address() };
    let beyond_ca = ServerLogin { routing, ..login() };
    assert_eq!(parsed(&beyond_ca, &too_wide), Err(CertError::PopOutsideCa.into()));
    let big = ServerLogin { app_data: vec![0; 2049], ..login() };
    assert_eq!(sign_login(&big, None), Err(LoginError::TooLong));
    assert_eq!(coordinator().parse_login(&[], false, NOW), Err(LoginError::Malformed));
    assert_eq!(coordinator().parse_login(&[0; 4097], false, NOW), Err(LoginError::TooLong));
}

#[test]
fn a_server_on_a_desk() {
    let dev = HostedAddress::Dev { pop: PopId::DEV, address: "192.0.2.1:27015".parse().unwrap() };
    let login = ServerLogin { routing: dev, ..login() };
    let blob = sign_login(&login, None).unwrap();
    let parse = |allow| coordinator().parse_login(&blob, allow, NOW).map(|(login, _)| login);
    assert_eq!(parse(true), Ok(login));
    assert_eq!(parse(false), Err(LoginError::DevNotAllowed));
    // Only in `dev`.
    let blob = sign_login(&self::login(), None).unwrap();
    let unsigned = coordinator().parse_login(&blob, true, NOW);
    assert_eq!(unsigned, Err(CertError::Unsigned.into()));
    // The insecure mode takes it and says why not to.
    let insecure = Coordinator::new(vec![], true);
    let (login, warning) = insecure.parse_login(&blob, false, NOW).unwrap();
    assert_eq!(login, self::login());
    assert_eq!(warning, Some(CertError::Unsigned.into()));
    let secure = Coordinator::new(vec![], false);
    assert_eq!(secure.parse_login(&blob, false, NOW), Err(LoginError::NoNetworkConfig));
}

#[test]
fn certificates() {
    let coordinator = coordinator();
    let request = CertificateRequest {
        key: key(PLAYER).public_key(),
        identity: Some(identity("str:mallory")),
        pops: vec![pop("sto").as_u32()],
    };
    let player = identity("steamid:76561197960265729");
    let make =
        |identity: &Identity, app| coordinator.create_cert(identity, app, &request.encode(), NOW);
    let bytes = make(&player, APP).unwrap();
    let signed = CertificateSigned::decode(bytes.as_slice()).unwrap();
    let certificate = Certificate::decode(signed.cert.as_deref().unwrap()).unwrap();
    assert_eq!(certificate.identity, Some(player.clone()), "not the one that was asked for");
    assert!(certificate.pops.is_empty(), "nor its PoPs");
    assert_eq!(certificate.app_ids, [APP]);
    assert_eq!(u64::from(certificate.time_expiry.unwrap()), NOW + 48 * 3600);
    assert_eq!(make(&Identity::Invalid, APP), Err(CreateCertError::Identity));
    assert_eq!(make(&Identity::localhost(), APP), Err(CreateCertError::Identity));
    assert_eq!(make(&player, 0), Err(CreateCertError::App));
    let garbage = coordinator.create_cert(&player, APP, &[0xff], NOW);
    assert_eq!(garbage, Err(CreateCertError::Request(CertParseError::Malformed)));
    let keyless = Coordinator::new(vec![], false);
    assert_eq!(keyless.create_cert(&player, APP, &[], NOW), Err(CreateCertError::NoKey));
}

#[test]
fn warnings_about_the_key() {
    let warn = |change: &dyn Fn(&mut NetworkConfig), now: u64| {
        let mut config = config();
        change(&mut config);
        let mut coordinator = Coordinator::new(vec![key(ROOT).public_key()], false);
        coordinator.set_network_config(config.to_json().as_bytes()).unwrap();
        coordinator.set_private_key(&encode_private_key(&key(GAME_CA), ""), now).unwrap().join(";")
    };
    assert_eq!(warn(&|_| {}, NOW), "");
    assert!(warn(&|_| {}, NOW + 80 * 86_400).contains("ends at"));
    let revoke = |config: &mut NetworkConfig| {
        config.revoked_keys.push(key(GAME_CA).public_key().key_id());
    };
    assert!(warn(&revoke, NOW).contains("is revoked"));
    assert!(warn(&|config| config.certs.clear(), NOW).contains("no certificate"));
    let mut coordinator = Coordinator::new(vec![], false);
    assert!(coordinator.set_private_key("nonsense", NOW).is_err());
}
