//! What those want who have no right to it: forged tickets, open proxies, amplification, floods.

use proptest::prelude::*;

use super::*;

/// Asks with a ticket and expects that nothing comes of it.
fn refused(world: &mut World, ticket: Bytes, reason: RelayDrop) {
    let request = world.session_request(0, address(CLIENT), ticket);
    let before = world.dropped(0, reason);
    let sent = world.feed(0, Side::Front, address(CLIENT), &request);
    assert!(sent.is_empty(), "{sent:?}");
    assert_eq!(world.dropped(0, reason), before + 1, "{reason:?} {:?}", world.total_drops(0));
    assert_eq!(world.relays[0].session_count(), 0);
}

fn expiring(world: &World, seconds: i64) -> Ticket {
    Ticket { expiry: (world.unix as i64 + seconds) as u32, ..world.ticket() }
}

#[test]
fn tickets_that_are_no_good() {
    let mut world = World::new(1);
    let sign = |world: &mut World, ticket: &Ticket| world.sign(ticket);
    let ticket = expiring(&world, -1);
    let expired = sign(&mut world, &ticket);
    refused(&mut world, expired, RelayDrop::BadTicket);
    let ticket = expiring(&world, 26 * 3600);
    let too_long = sign(&mut world, &ticket);
    refused(&mut world, too_long, RelayDrop::BadTicket);
    let ticket = Ticket { client_ip: Some([1, 2, 3, 4].into()), ..world.ticket() };
    let elsewhere = sign(&mut world, &ticket);
    refused(&mut world, elsewhere, RelayDrop::WrongClientAddress);
    refused(&mut world, Bytes::new(), RelayDrop::BadTicket);
    refused(&mut world, Bytes::from_static(&[0xff; 300]), RelayDrop::BadTicket);
    // Signed by nobody whom we know.
    let mallory = SigningKey::from_seed([66; 32]);
    let (ticket, config) = (world.ticket(), world.config.clone());
    let forged = TicketSigner::new(&mallory).sign(&ticket, &config, &mut world.entropy).unwrap();
    refused(&mut world, forged.into(), RelayDrop::BadTicket);
    // Encrypted to a key that the relays do not have.
    let mut other = config;
    other.relay_public_keys = vec![static_key(5).public_key()];
    let root = root();
    let sealed = TicketSigner::new(&root).sign(&ticket, &other, &mut world.entropy).unwrap();
    refused(&mut world, sealed.into(), RelayDrop::BadAddress);
}

#[test]
fn a_ticket_of_another_games_authority() {
    let mut world = World::new(1);
    let ca = SigningKey::from_seed([5; 32]);
    let scoped = Certificate {
        app_ids: vec![APP + 1],
        time_expiry: Some(UNIX as u32 + 86_400),
        ..Certificate::new(ca.public_key())
    };
    world.config.certs.push(scoped.sign(&root()));
    world.publish();
    let (foreign, config) = (world.ticket(), world.config.clone());
    let bytes = TicketSigner::new(&ca).sign(&foreign, &config, &mut world.entropy).unwrap();
    refused(&mut world, bytes.into(), RelayDrop::BadTicket);
    let own = Ticket { app_id: APP + 1, ..foreign };
    let bytes = TicketSigner::new(&ca).sign(&own, &config, &mut world.entropy).unwrap();
    let request = world.session_request(0, address(CLIENT), bytes.into());
    assert_eq!(world.feed(0, Side::Front, address(CLIENT), &request).len(), 1);
}

#[test]
fn a_stolen_blob_in_another_ticket() {
    let mut world = World::new(1);
    let ticket = world.ticket();
    let genuine = world.sign(&ticket);
    // Mallory has a ticket of his own, signed by the same authority, with the other's blob in it:
    // the authority never signs a blob that it has not encrypted itself, but suppose it did.
    let message = SignedRelayAuthTicket::decode(genuine).unwrap();
    let mut inner = RelayAuthTicket::decode(message.ticket.clone().unwrap()).unwrap();
    inner.authorized_client_identity_string = Some("str:mallory".into());
    let inner = inner.encode_to_vec();
    let moved = SignedRelayAuthTicket {
        signature: Some(Bytes::copy_from_slice(&root().sign(&inner))),
        ticket: Some(inner.into()),
        ..message
    };
    refused(&mut world, moved.encode_to_vec().into(), RelayDrop::BadAddress);
}

#[test]
fn somebody_else_with_the_ticket() {
    let mut world = World::new(1);
    let ticket = Ticket { virtual_port: Some(3), ..world.ticket() };
    world.ask(0, CLIENT, &ticket);
    for (name, port, reason) in
        [("str:mallory", 3, RelayDrop::WrongClient), ("str:client", 4, RelayDrop::WrongPort)]
    {
        let request = connect_request(name, port);
        assert!(world.feed(0, Side::Front, address(CLIENT), &request).is_empty());
        assert_eq!(world.dropped(0, reason), 1);
    }
    let no_cert = ConnectRequest {
        connection_id: Some(CONNECTION),
        virtual_port: Some(3),
        ..ConnectRequest::default()
    };
    let no_cert = encoded(id::CONNECT_REQUEST, &no_cert);
    assert!(world.feed(0, Side::Front, address(CLIENT), &no_cert).is_empty());
    let good = connect_request("str:client", 3);
    assert_eq!(world.feed(0, Side::Front, address(CLIENT), &good).len(), 1);
}

#[test]
fn a_relay_is_no_open_proxy() {
    let mut world = World::new(1);
    for target in [
        "127.0.0.1:27015",
        "10.0.0.1:27015",
        "192.168.1.1:27015",
        "169.254.169.254:8080",
        "[::1]:27015",
        "[fe80::1]:27015",
        "8.8.8.8:53",
        "8.8.8.8:123",
        "224.0.0.1:27015",
        "155.133.1.1:28000",
    ] {
        let server = ServerAddress::new(address(target), SECRET);
        let routing = HostedAddress::Plain { pop: pop("sto"), server };
        let ticket = Ticket { routing, ..world.ticket() };
        let bytes = world.sign(&ticket);
        refused(&mut world, bytes, RelayDrop::ForbiddenAddress);
        world.advance(Duration::from_secs(1));
    }
    world.config.pops[0].service_address_ranges = vec!["155.133.9.0/24".parse().unwrap()];
    world.publish();
    let server = ServerAddress::new(address("155.133.10.1:27015"), SECRET);
    let ticket =
        Ticket { routing: HostedAddress::Plain { pop: pop("sto"), server }, ..world.ticket() };
    let bytes = world.sign(&ticket);
    refused(&mut world, bytes, RelayDrop::ForbiddenAddress);
}

/// A ticket for a victim that is no server: next to nothing reaches it.
#[test]
fn a_server_that_never_answers_is_left_alone() {
    let mut world = World::new(1);
    let ticket = world.ticket();
    let ticket = world.sign(&ticket);
    for n in 0..8 {
        let from = address(&format!("8.8.{n}.8:9"));
        let request = world.session_request(0, from, ticket.clone());
        assert_eq!(world.feed(0, Side::Front, from, &request).len(), 1);
    }
    let mut reached = 0;
    for second in 0..10 {
        for n in 0..2000u16 {
            let packet = data(DataKind::ClientHosted, CONNECTION, n, &[0; 1200]);
            let from = address(&format!("8.8.{}.8:9", n % 8));
            reached += world.feed(0, Side::Front, from, &packet).len();
        }
        assert!(reached <= 20 + 10 * second, "{reached} packets in {second} s");
        world.advance(Duration::from_secs(1));
    }
}

#[test]
fn a_ticket_has_so_many_sessions() {
    let mut world = World::new(1);
    let ticket = world.ticket();
    let ticket = world.sign(&ticket);
    let mut opened = 0;
    for n in 0..12 {
        let from = address(&format!("8.8.{n}.8:9"));
        let request = world.session_request(0, from, ticket.clone());
        opened += world.feed(0, Side::Front, from, &request).len();
    }
    assert_eq!(opened, 8);
    assert_eq!(world.dropped(0, RelayDrop::SessionsFull), 4);
    assert!(world.relays[0].adds_up());
}

#[test]
fn floods_from_one_source() {
    let mut world = World::new(1);
    let ticket = world.ticket();
    let ticket = world.sign(&ticket);
    let request = world.session_request(0, address(CLIENT), ticket);
    for port in 1..1000u16 {
        world.feed(0, Side::Front, address("8.8.8.8:1").with_port(port), &request);
    }
    // 20 at once; those from other ports fail the challenge, and are told so ten times a second.
    assert_eq!(world.dropped(0, RelayDrop::SourceLimit), 999 - 20);
    let mut pings = Vec::new();
    gamewire_wire::relay::PingRequest::new(address("155.133.1.1:27015"), 1, 2).encode(&mut pings);
    let from = address("8.8.4.4:1");
    let answered = (0..1000).map(|_| world.feed(0, Side::Front, from, &pings).len()).sum::<usize>();
    assert_eq!(answered, 50);
}

#[test]
fn signature_checks_are_bounded() {
    let mut world = World::new(1);
    let mallory = SigningKey::from_seed([66; 32]);
    let (ticket, config) = (world.ticket(), world.config.clone());
    let forged = TicketSigner::new(&mallory).sign(&ticket, &config, &mut world.entropy).unwrap();
    let forged = Bytes::from(forged);
    for n in 0..1200u32 {
        let from = address(&format!("8.{}.{}.8:9", n / 200, n % 200));
        let request = world.session_request(0, from, forged.clone());
        world.feed(0, Side::Front, from, &request);
    }
    assert_eq!(world.dropped(0, RelayDrop::BadTicket), 1000);
    assert_eq!(world.dropped(0, RelayDrop::SignatureLimit), 200);
}

#[test]
fn a_server_speaks_for_its_own_sessions_only() {
    let mut world = World::new(1);
    let session = world.hosted_session();
    let packet = data(DataKind::Server, session, 1, b"x");
    for from in ["155.133.9.9:27016", "155.133.9.10:27015", CLIENT] {
        assert!(world.feed(0, Side::Interior, address(from), &packet).is_empty());
    }
    assert_eq!(world.dropped(0, RelayDrop::WrongServer), 3);
    // Through the public port nobody is a server.
    assert!(world.feed(0, Side::Front, address(SERVER), &packet).is_empty());
    // Neither is a client one that speaks as a relay.
    let packet = data(DataKind::Relay, CONNECTION, 1, b"x");
    assert!(world.feed(0, Side::Front, address(CLIENT), &packet).is_empty());
    assert!(world.feed(0, Side::Interior, address(SERVER), &packet).is_empty());
}

/// Everything that a relay sends to whom it holds no session with is no longer than what it answers.
fn check_amplification(
    world: &mut World,
    from: Address,
    bytes: &[u8],
) -> Result<(), TestCaseError> {
    for side in [Side::Front, Side::Interior] {
        let sent = world.feed(0, side, from, bytes);
        let total: usize = sent.iter().map(|sent| sent.bytes.len()).sum();
        prop_assert!(total <= bytes.len(), "{} bytes made {total}", bytes.len());
        prop_assert!(sent.iter().all(|sent| sent.to == from), "{:?}", sent);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_answered_with_less(
        first in 0u8..=255,
        rest in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut world = World::new(1);
        let mut bytes = vec![first];
        bytes.extend(rest);
        check_amplification(&mut world, address("[2600::1]:5"), &bytes)?;
        // The same with a session beside it.
        world.hosted_session();
        check_amplification(&mut world, address("[2600::1]:5"), &bytes)?;
    }
}

/// Every message that a stranger may send, as short as it gets.
#[test]
fn the_shortest_of_every_message_is_answered_with_less() {
    let connection_id = Some(u32::MAX);
    let messages = [
        encoded(
            id::GAMESERVER_SESSION_REQUEST,
            &GameserverSessionRequest {
                client_connection_id: connection_id,
                protocol_version: Some(13),
                ..Default::default()
            },
        ),
        encoded(
            id::P2P_SESSION_REQUEST,
            &P2pSessionRequest {
                body: Some(
                    P2pSessionRequestBody {
                        client_connection_id: connection_id,
                        protocol_version: Some(13),
                        ..Default::default()
                    }
                    .encode_to_vec()
                    .into(),
                ),
                ..Default::default()
            },
        ),
        encoded(id::CONNECT_REQUEST, &ConnectRequest { connection_id, ..Default::default() }),
        encoded(
            id::STATS,
            &ConnectionStatsClientToRouter {
                client_connection_id: connection_id,
                flags: Some(7),
                ..Default::default()
            },
        ),
        encoded(
            id::P2P_STATS_CLIENT,
            &ConnectionStatsP2pClientToRouter {
                connection_id,
                flags: Some(7),
                ..Default::default()
            },
        ),
        encoded(
            id::CONNECTION_CLOSED,
            &ConnectionClosed { from_connection_id: connection_id, ..Default::default() },
        ),
        encoded(
            id::NO_CONNECTION,
            &NoConnection { from_connection_id: connection_id, ..Default::default() },
        ),
        // Of a server without a session: its id and flags, or nothing at all.
        vec![id::STATS, 0x50, 7],
        vec![id::CONNECTION_CLOSED, 0x30, 7],
        data(DataKind::ClientHosted, 1, 1, b""),
        data(DataKind::ClientP2p, 1, 1, b""),
        data(DataKind::Server, 1, 1, b""),
        data(DataKind::ClientHosted, 1, 1, &[0; 1200]),
    ];
    for bytes in messages {
        let mut world = World::new(1);
        check_amplification(&mut world, address("[2600::1]:5"), &bytes).unwrap();
        assert_eq!(world.relays[0].session_count(), 0);
    }
}

/// What a client with a session sends is never multiplied either: one datagram makes at most two,
/// one for each end, and none of them more than a statistic longer.
#[test]
fn a_session_multiplies_nothing() {
    let mut world = World::new(1);
    world.hosted_session();
    let stats = ConnectionStatsClientToRouter {
        quality_e2e: Some(Default::default()),
        quality_relay: Some(Default::default()),
        flags: Some(7),
        client_connection_id: Some(CONNECTION),
        ..Default::default()
    };
    let sent = world.feed(0, Side::Front, address(CLIENT), &encoded(id::STATS, &stats));
    assert_eq!(sent.len(), 2);
    assert_eq!(sent.iter().filter(|sent| sent.to == address(SERVER)).count(), 1);
}
