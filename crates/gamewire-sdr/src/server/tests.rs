//! Whom a hosted server believes. Whole sessions are tested in `tests/network.rs`.

use gamewire_crypto::SigningKey;
use gamewire_wire::messages::CertificateSigned;

use super::*;

const SECRET: u64 = 77;
const RELAY: &str = "155.133.1.1:28000";

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn now() -> Time {
    Time::from_micros(3_000_000_000_000)
}

fn server() -> HostedServer {
    let options = HostedServerOptions {
        pop: "sto".parse().unwrap(),
        app_id: 480,
        routing_secret: SECRET,
        accept_any_relay: false,
    };
    let json = br#"{"pops": {"sto": {"relays": [
        {"ipv4": "155.133.1.1", "ipv6": "2600::1", "port_range": [27015, 27015]},
        {"ipv4": "155.133.1.2", "port_range": [27015, 27015]}]}}}"#;
    let mut server = HostedServer::new(now(), options);
    server.set_config(Arc::new(NetworkConfig::parse(json).unwrap().0));
    server
}

fn cert(name: &str) -> CertificateSigned {
    let key = SigningKey::from_seed([4; 32]).public_key();
    Certificate::self_made(key, &name.parse().unwrap(), 480).unsigned()
}

fn connect_request(name: &str, session: u32, secret: Option<u64>) -> Vec<u8> {
    let request = ConnectRequest {
        connection_id: Some(5),
        gameserver_relay_session_id: Some(session),
        routing_secret: secret,
        cert: Some(cert(name)),
        ..ConnectRequest::default()
    };
    encoded(id::CONNECT_REQUEST, &request)
}

fn stats(name: &str, session: u32, secret: Option<u64>) -> Vec<u8> {
    let stats = ConnectionStatsRouterToServer {
        flags: Some(Flags::AckRequestE2e as u32),
        client_identity_string: Some(name.into()),
        relay_session_id: Some(session),
        client_connection_id: Some(5),
        routing_secret: secret,
        ..ConnectionStatsRouterToServer::default()
    };
    encoded(id::STATS, &stats)
}

fn encoded(id: u8, message: &impl prost::Message) -> Vec<u8> {
    let mut out = Vec::new();
    encode(id, message, &mut out);
    out
}

fn data(session: u32) -> Vec<u8> {
    let header = DataHeader {
        kind: DataKind::Relay,
        e2e_sequence: 1,
        relay_sequence: 1,
        id: session,
        is_session_id: true,
        time_since_previous: None,
    };
    let mut out = Vec::new();
    header.encode(None, &mut out);
    out.extend(b"sealed");
    out
}

impl HostedServer {
    fn feed(&mut self, from: &str, bytes: &[u8]) {
        self.handle_datagram(now(), 1_764_000_000, address(from), bytes);
    }
}

fn connected() -> (HostedServer, ClientId) {
    let mut server = server();
    server.feed(RELAY, &connect_request("str:alice", 9, Some(SECRET)));
    let Some(ServerEvent::ConnectRequest { client, request }) = server.poll_event() else {
        panic!();
    };
    assert_eq!(request.routing_secret, None, "for nobody else");
    (server, client)
}

#[test]
fn only_relays_with_the_secret_are_heard() {
    let mut server = server();
    let good = connect_request("str:alice", 9, Some(SECRET));
    for stranger in ["8.8.8.8:28000", "155.133.1.3:28000", "[2600::2]:1"] {
        server.feed(stranger, &good);
    }
    assert_eq!(server.drops().not_a_relay, 3);
    server.feed(RELAY, &connect_request("str:alice", 9, None));
    server.feed(RELAY, &connect_request("str:alice", 9, Some(SECRET + 1)));
    assert_eq!(server.drops().wrong_secret, 2);
    server.feed(RELAY, &data(9));
    assert_eq!(server.drops().unknown_session, 1);
    assert_eq!(server.poll_event(), None);
    assert_eq!(server.poll_transmit(), None);
    server.feed("[2600::1]:5", &good);
    assert!(server.poll_event().is_some(), "the relay's other address");
}

#[test]
fn data_and_answers_go_over_the_session_heard_last() {
    let (mut server, client) = connected();
    let second = "155.133.1.2:28000";
    server.feed(second, &stats("str:alice", 3, Some(SECRET)));
    assert_eq!(server.path_of(&client), Some((address(second), 2)));
    server.feed(RELAY, &data(9));
    assert_eq!(server.path_of(&client), Some((address(RELAY), 2)));
    while server.poll_transmit().is_some() {}
    assert!(server.send_data(&client, 4, None, b"answer"));
    assert_eq!(server.poll_transmit().unwrap().to, address(RELAY));
    // A relay that lost its session is not used any more.
    let gone =
        NoSessionRelayToPeer { from_relay_session_id: Some(9), ..NoSessionRelayToPeer::default() };
    server.feed(RELAY, &encoded(id::NO_SESSION, &gone));
    assert_eq!(server.path_of(&client), Some((address(second), 1)));
}

/// Mallory has a ticket of his own, and knows Alice's connection id.
#[test]
fn nobody_joins_his_session_to_anothers_connection() {
    let (mut server, alice) = connected();
    let second = "155.133.1.2:28000";
    server.feed(second, &connect_request("str:mallory", 4, Some(SECRET)));
    server.feed(second, &stats("str:mallory", 5, Some(SECRET)));
    server.feed(second, &stats("str:alice", 6, Some(SECRET + 1)));
    assert_eq!(server.path_of(&alice), Some((address(RELAY), 1)));
    server.poll_event();
    server.feed(second, &data(4));
    let Some(ServerEvent::Data { client, .. }) = server.poll_event() else { panic!() };
    assert_eq!(client.identity.to_string(), "str:mallory");
}

#[test]
fn a_client_has_so_many_sessions_and_is_missed_without_any() {
    let (mut server, client) = connected();
    for session in 100..120 {
        server.feed("155.133.1.2:28000", &stats("str:alice", session, Some(SECRET)));
    }
    assert_eq!(server.path_of(&client).unwrap().1, MAX_PATHS);
    assert!(server.drops().full > 0);
    let mut at = now() + PATH_TIMEOUT;
    server.handle_timeout(at);
    assert_eq!(server.path_of(&client), None);
    assert!(!server.send_data(&client, 4, None, b"answer"));
    at += NO_SESSION_TIMEOUT;
    server.handle_timeout(at);
    assert_eq!(server.poll_event(), Some(ServerEvent::NoSessions { client }));
}

#[test]
fn pings_are_answered_to_those_who_know_and_with_less() {
    let ping = |secret, pad: usize| {
        let body = GameserverPingRequestBody {
            routing_secret: Some(secret),
            echo: Some(Bytes::from_static(&[1; 8])),
            your_public_ip: (pad > 0).then_some(gamewire_wire::messages::relay::IpAddress {
                v4: Some(0x5db8_0701),
                v6: None,
            }),
            your_public_port: (pad > 0).then_some(27015),
            ..GameserverPingRequestBody::default()
        };
        let envelope = GameserverPingRequestEnvelope {
            signed_data: Some(body.encode_to_vec().into()),
            dummy_pad: Some(vec![0; pad].into()),
            ..GameserverPingRequestEnvelope::default()
        };
        encoded(id::GAMESERVER_PING_REQUEST, &envelope)
    };
    let mut server = server();
    server.feed(RELAY, &ping(SECRET + 1, 160));
    server.feed(RELAY, &ping(SECRET, 0));
    assert_eq!(server.poll_transmit(), None);
    let request = ping(SECRET, 160);
    server.feed(RELAY, &request);
    let reply = server.poll_transmit().unwrap();
    assert!(reply.bytes.len() <= request.len());
    assert_eq!(server.public_address(), Some(address("93.184.7.1:27015")));
}

#[test]
fn goodbyes() {
    let (mut server, client) = connected();
    server.send_closed(&client, &ConnectionClosed::default());
    let sent = server.poll_transmit().unwrap().bytes;
    let Ok(Datagram::Control { id: id::CONNECTION_CLOSED, body }) = parse(&sent) else { panic!() };
    let closed: ConnectionClosed = decode(body).unwrap();
    assert_eq!(closed.to_relay_session_id, Some(9));
    assert_eq!(server.path_of(&client), None);

    let (mut server, client) = connected();
    let closed = ConnectionClosed {
        from_relay_session_id: Some(9),
        routing_secret: Some(SECRET),
        reason_code: Some(1000),
        ..ConnectionClosed::default()
    };
    let forged = ConnectionClosed { routing_secret: None, ..closed.clone() };
    server.feed(RELAY, &encoded(id::CONNECTION_CLOSED, &forged));
    assert_eq!(server.poll_event(), None);
    server.feed(RELAY, &encoded(id::CONNECTION_CLOSED, &closed));
    let Some(ServerEvent::Closed { client: who, closed }) = server.poll_event() else { panic!() };
    assert_eq!((who, closed.reason_code), (client, Some(1000)));
}
