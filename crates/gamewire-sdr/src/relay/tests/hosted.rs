//! Sessions for hosted servers.

use super::*;

#[test]
fn there_and_back_through_a_relay() {
    let mut world = World::new(1);
    let ticket = world.ticket();
    let answer = world.ask(0, CLIENT, &ticket);
    let established: GameserverSessionEstablished =
        answer[0].message(id::GAMESERVER_SESSION_ESTABLISHED);
    assert_eq!(established.gameserver_identity_string.as_deref(), Some("str:server"));

    let request = connect_request("str:client", 3);
    let sent = world.feed(0, Side::Front, address(CLIENT), &request);
    assert_eq!((sent.len(), sent[0].to, sent[0].side), (1, address(SERVER), Side::Interior));
    let request: ConnectRequest = sent[0].message(id::CONNECT_REQUEST);
    assert_eq!(request.routing_secret, Some(SECRET), "the relay's, not what the client wrote");
    assert_eq!(request.virtual_port, Some(3));
    let session = request.gameserver_relay_session_id.unwrap();

    let ok = ConnectOk {
        client_connection_id: Some(CONNECTION),
        gameserver_relay_session_id: Some(session),
        ..ConnectOk::default()
    };
    let sent = world.feed(0, Side::Interior, address(SERVER), &encoded(id::CONNECT_OK, &ok));
    let ok: ConnectOk = sent[0].message(id::CONNECT_OK);
    assert_eq!((sent[0].to, sent[0].side), (address(CLIENT), Side::Front));
    assert_eq!(ok.gameserver_relay_session_id, None, "not the client's business");

    let payload = b"sealed end to end";
    let packet = data(DataKind::ClientHosted, CONNECTION, 500, payload);
    let sent = world.feed(0, Side::Front, address(CLIENT), &packet);
    let at_server = sent[0].data();
    assert_eq!((at_server.payload, at_server.header.e2e_sequence), (&payload[..], 500));
    assert_eq!((at_server.header.id, at_server.header.is_session_id), (session, true));

    let packet = data(DataKind::Server, session, 600, payload);
    let sent = world.feed(0, Side::Interior, address(SERVER), &packet);
    let at_client = sent[0].data();
    assert_eq!((at_client.payload, at_client.header.e2e_sequence), (&payload[..], 600));
    assert_eq!((at_client.header.id, at_client.header.is_session_id), (CONNECTION, false));
    assert_eq!(u32::from(at_client.header.relay_sequence), established.seq_num_r2c.unwrap());
    assert_eq!(world.total_drops(0), []);
    assert!(world.relays[0].adds_up());
}

#[test]
fn nothing_that_reaches_a_client_names_the_server() {
    let mut world = World::new(1);
    let session = world.hosted_session();
    let needles = [address(SERVER).v4().unwrap().octets(), {
        let mut octets = address(SERVER).v4().unwrap().octets();
        octets.reverse();
        octets
    }];
    let stats = ConnectionStatsServerToRouter {
        relay_session_id: Some(session),
        flags: Some(7),
        quality_e2e: Some(Default::default()),
        ..ConnectionStatsServerToRouter::default()
    };
    let closed = ConnectionClosed {
        to_relay_session_id: Some(session),
        from_relay_session_id: Some(4),
        routing_secret: Some(SECRET),
        ..ConnectionClosed::default()
    };
    let mut to_client = Vec::new();
    for bytes in [
        data(DataKind::Server, session, 1, b"x"),
        encoded(id::STATS, &stats),
        encoded(id::CONNECTION_CLOSED, &closed),
    ] {
        to_client.extend(world.feed(0, Side::Interior, address(SERVER), &bytes));
    }
    to_client.retain(|sent| sent.to == address(CLIENT));
    assert_eq!(to_client.len(), 3);
    for sent in to_client {
        assert_eq!(sent.side, Side::Front);
        for needle in needles {
            assert!(!sent.bytes.windows(4).any(|four| four == needle), "{sent:?}");
        }
        let secret = SECRET.to_le_bytes();
        assert!(!sent.bytes.windows(8).any(|eight| eight == secret));
    }
}

#[test]
fn a_lost_answer_is_repeated_and_counts_once() {
    let mut world = World::new(1);
    let ticket = world.ticket();
    let ticket = world.sign(&ticket);
    for _ in 0..3 {
        let request = world.session_request(0, address(CLIENT), ticket.clone());
        let sent = world.feed(0, Side::Front, address(CLIENT), &request);
        sent[0].message::<GameserverSessionEstablished>(id::GAMESERVER_SESSION_ESTABLISHED);
    }
    assert_eq!(world.relays[0].session_count(), 1);
}

#[test]
fn the_challenge_comes_first() {
    let mut world = World::new(1);
    let ticket = world.ticket();
    let ticket = world.sign(&ticket);
    let good = world.session_request(0, address(CLIENT), ticket);
    // The same bytes from elsewhere: a spoofed or replayed request.
    let sent = world.feed(0, Side::Front, address("8.8.4.4:50000"), &good);
    let no_session: NoSessionRelayToClient = sent[0].message(id::NO_SESSION);
    assert!(no_session.challenge.is_some());
    assert_eq!(no_session.connection_id, Some(CONNECTION));
    assert_eq!(world.relays[0].session_count(), 0);
    assert_eq!(world.dropped(0, RelayDrop::BadChallenge), 1);
    // Half a minute later it is still good; after more than a minute it is not.
    world.advance(Duration::from_secs(30));
    assert_eq!(world.feed(0, Side::Front, address(CLIENT), &good)[0].bytes[0], 6);
    world.advance(Duration::from_secs(45));
    let sent = world.feed(0, Side::Front, address(CLIENT), &good);
    assert_eq!(sent[0].bytes[0], id::NO_SESSION);
}

#[test]
fn statistics_of_each_leg() {
    let mut world = World::new(1);
    let session = world.hosted_session();
    let stats = ConnectionStatsClientToRouter {
        quality_relay: Some(Default::default()),
        quality_e2e: Some(Default::default()),
        flags: Some(1 | 2),
        client_connection_id: Some(CONNECTION),
        seq_num_c2r: Some(9),
        seq_num_e2e: Some(1000),
        ..ConnectionStatsClientToRouter::default()
    };
    let sent = world.feed(0, Side::Front, address(CLIENT), &encoded(id::STATS, &stats));
    assert_eq!(sent.len(), 2);
    let at_server: ConnectionStatsRouterToServer = sent[0].message(id::STATS);
    assert!(at_server.quality_e2e.is_some() && at_server.quality_relay.is_none());
    assert_eq!(at_server.relay_session_id, Some(session));
    assert_eq!(at_server.client_identity_string.as_deref(), Some("str:client"));
    assert_eq!(at_server.routing_secret, Some(SECRET));
    assert_eq!((at_server.flags, at_server.seq_num_e2e), (Some(2), Some(1000)));
    let answer: ConnectionStatsRouterToClient = sent[1].message(id::STATS);
    assert!(answer.quality_relay.is_some());
    assert_eq!(answer.ack_relay, [9 << 16]);

    let stats = ConnectionStatsServerToRouter {
        quality_e2e: Some(Default::default()),
        flags: Some(1),
        relay_session_id: Some(session),
        seq_num_s2r: Some(5),
        ..ConnectionStatsServerToRouter::default()
    };
    let sent = world.feed(0, Side::Interior, address(SERVER), &encoded(id::STATS, &stats));
    let at_client: ConnectionStatsRouterToClient = sent[0].message(id::STATS);
    assert!(at_client.quality_e2e.is_some());
    let at_server: ConnectionStatsRouterToServer = sent[1].message(id::STATS);
    assert_eq!(at_server.ack_relay, [5 << 16]);

    // Inline, in a data packet.
    let inline = ConnectionStatsClientToRouter { flags: Some(1), ..Default::default() };
    let header = DataHeader {
        kind: DataKind::ClientHosted,
        e2e_sequence: 1,
        relay_sequence: 10,
        id: CONNECTION,
        is_session_id: false,
        time_since_previous: None,
    };
    let mut packet = Vec::new();
    header.encode(Some(&inline.encode_to_vec()), &mut packet);
    packet.extend(b"payload");
    let sent = world.feed(0, Side::Front, address(CLIENT), &packet);
    assert_eq!(sent[0].data().payload, b"payload");
    assert_eq!(sent[0].data().stats, None, "the client's own, not for the server");
    let answer: ConnectionStatsRouterToClient = sent[1].message(id::STATS);
    assert_eq!(answer.ack_relay, [10 << 16]);
}

#[test]
fn goodbyes_and_silence() {
    let mut world = World::new(1);
    let session = world.hosted_session();
    let closed = ConnectionClosed {
        to_connection_id: Some(99),
        from_connection_id: Some(CONNECTION),
        reason_code: Some(1000),
        debug: Some("ä".repeat(300)),
        quality_relay: Some(Default::default()),
        ..ConnectionClosed::default()
    };
    let closed = encoded(id::CONNECTION_CLOSED, &closed);
    for _ in 0..2 {
        let sent = world.feed(0, Side::Front, address(CLIENT), &closed);
        let at_server: ConnectionClosed = sent[0].message(id::CONNECTION_CLOSED);
        assert_eq!(at_server.reason_code, Some(1000));
        assert_eq!(at_server.from_relay_session_id, Some(session));
        assert_eq!(at_server.from_identity_string.as_deref(), Some("str:client"));
        assert!(at_server.debug.unwrap().len() <= 127 && at_server.quality_relay.is_none());
    }
    let late = data(DataKind::ClientHosted, CONNECTION, 1, b"late");
    assert!(world.feed(0, Side::Front, address(CLIENT), &late).is_empty());
    world.advance(CLOSE_WAIT);
    assert!(world.tick(0).iter().all(|sent| sent.bytes[0] != id::NO_SESSION));
    assert_eq!(world.relays[0].session_count(), 0);

    // A client that just vanishes: both ends hear of it.
    let session = world.hosted_session();
    world.advance(SESSION_IDLE_TIMEOUT);
    let sent = world.tick(0);
    let to_server: Vec<&Sent> =
        sent.iter().filter(|s| s.to == address(SERVER) && s.bytes[0] == id::NO_SESSION).collect();
    let gone: NoSessionRelayToPeer = to_server[0].message(id::NO_SESSION);
    assert_eq!(gone.from_relay_session_id, Some(session));
    assert!(sent.iter().any(|s| s.to == address(CLIENT) && s.bytes[0] == id::NO_SESSION));
    assert!(world.relays[0].adds_up());
    assert_eq!(world.relays[0].session_count(), 0);
}

#[test]
fn draining() {
    let mut world = World::new(1);
    world.hosted_session();
    let other = address("155.133.1.2:27015");
    let at = world.at();
    world.relays[0].drain(at, Duration::from_secs(30), Some(other));
    world.advance(SWEEP_INTERVAL);
    let sent = world.tick(0);
    let stats = sent.iter().find(|sent| sent.bytes[0] == id::STATS).unwrap();
    let told: ConnectionStatsRouterToClient = stats.message(id::STATS);
    assert_eq!(told.seconds_until_shutdown, Some(30));
    assert_eq!(told.migrate_request_ip, Some(0x9b85_0102));
    assert_eq!(told.migrate_request_port, Some(27015));
    world.advance(SWEEP_INTERVAL);
    assert!(!world.tick(0).iter().any(|sent| sent.bytes[0] == id::STATS), "not again at once");
    // Traffic goes on; new sessions do not come in.
    let packet = data(DataKind::ClientHosted, CONNECTION, 1, b"still here");
    assert_eq!(world.feed(0, Side::Front, address(CLIENT), &packet).len(), 1);
    let ticket = world.ticket();
    let refused = world.ask(0, "8.8.4.4:1", &ticket);
    let refused: NoSessionRelayToClient = refused[0].message(id::NO_SESSION);
    assert!(refused.seconds_until_shutdown.unwrap() > 0);
    assert_eq!(world.dropped(0, RelayDrop::Draining), 1);
    world.advance(Duration::from_secs(30));
    let ended = world.tick(0);
    assert!(ended.iter().any(|sent| sent.to == address(CLIENT) && sent.bytes[0] == id::NO_SESSION));
    assert_eq!(world.relays[0].session_count(), 0);
}

#[test]
fn a_ticket_may_grant_more() {
    use crate::coordinator::{ExtraField, ExtraValue};
    let count = |extra: Option<(&str, i64)>| {
        let mut world = World::new(1);
        let fields = extra
            .map(|(name, value)| ExtraField { name: name.into(), value: ExtraValue::Int(value) });
        let ticket = Ticket { extra_fields: fields.into_iter().collect(), ..world.ticket() };
        world.ask(0, CLIENT, &ticket);
        let sent = world.feed(0, Side::Front, address(CLIENT), &connect_request("str:client", 0));
        let request: ConnectRequest = sent[0].message(id::CONNECT_REQUEST);
        let session = request.gameserver_relay_session_id.unwrap();
        let hello = data(DataKind::Server, session, 1, b"hello");
        world.feed(0, Side::Interior, address(SERVER), &hello);
        let mut passed = 0;
        for n in 0..10_000u16 {
            let packet = data(DataKind::ClientHosted, CONNECTION, n, b"x");
            passed += world.feed(0, Side::Front, address(CLIENT), &packet).len();
        }
        passed
    };
    assert_eq!(count(None), 499, "the connect request was the first");
    assert_eq!(count(Some((EXTRA_PACKETS_PER_SECOND, 8000))), 1999);
    assert_eq!(count(Some((EXTRA_PACKETS_PER_SECOND, i64::MAX))), 499);
    assert_eq!(count(Some((EXTRA_PACKETS_PER_SECOND, 1_000_000))), 4999);
    assert_eq!(count(Some((EXTRA_PACKETS_PER_SECOND, -5))), 499);
}
