//! Sessions between clients, over one relay and over two.

use super::*;

const ALICE: &str = "8.8.8.8:1111";
const BOB: &str = "9.9.9.9:2222";
const ALICES: u32 = 0xa11ce;
const BOBS: u32 = 0xb0b;

struct Asked<'a> {
    from: &'a str,
    connection_id: u32,
    name: &'a str,
    seed: u8,
    peer: &'a str,
}

const ASK_ALICE: Asked<'_> =
    Asked { from: ALICE, connection_id: ALICES, name: "str:alice", seed: 50, peer: "str:bob" };
const ASK_BOB: Asked<'_> =
    Asked { from: BOB, connection_id: BOBS, name: "str:bob", seed: 51, peer: "str:alice" };

fn request(
    world: &mut World,
    relay: usize,
    asked: &Asked<'_>,
    change: impl FnOnce(&mut P2pSessionRequestBody),
) -> P2pSessionRequest {
    let challenge = world.challenge(relay, address(asked.from));
    let mut body = P2pSessionRequestBody {
        challenge: Some(challenge),
        client_connection_id: Some(asked.connection_id),
        peer_identity_string: Some(asked.peer.into()),
        protocol_version: Some(13),
        ..P2pSessionRequestBody::default()
    };
    change(&mut body);
    let body = body.encode_to_vec();
    let signature = SigningKey::from_seed([asked.seed; 32]).sign(&body);
    P2pSessionRequest {
        cert: Some(cert(asked.name, asked.seed)),
        body: Some(body.into()),
        signature: Some(Bytes::copy_from_slice(&signature)),
    }
}

fn open(world: &mut World, relay: usize, asked: &Asked<'_>) -> Bytes {
    let request = request(world, relay, asked, |_| {});
    let bytes = encoded(id::P2P_SESSION_REQUEST, &request);
    let sent = world.feed(relay, Side::Front, address(asked.from), &bytes);
    let established: P2pSessionEstablished = sent[0].message(id::P2P_SESSION_ESTABLISHED);
    assert_eq!(established.connection_id, Some(asked.connection_id));
    established.relay_routing_token.unwrap()
}

fn aim(
    world: &mut World,
    relay: usize,
    asked: &Asked<'_>,
    token: &Bytes,
    revision: u32,
) -> Vec<Sent> {
    let stats = ConnectionStatsP2pClientToRouter {
        forward_target_relay_routing_token: Some(token.clone()),
        forward_target_revision: Some(revision),
        connection_id: Some(asked.connection_id),
        ..ConnectionStatsP2pClientToRouter::default()
    };
    let bytes = encoded(id::P2P_STATS_CLIENT, &stats);
    let sent = world.route(relay, Side::Front, address(asked.from), &bytes);
    let ack: ConnectionStatsP2pRouterToClient = sent[0].message(id::P2P_STATS_CLIENT);
    assert_eq!(sent[0].to, address(asked.from));
    assert_eq!(ack.ack_forward_target_revision, Some(revision));
    sent
}

/// Alice at relay 0, Bob at the last relay, each aiming at the other.
fn connected(relays: usize) -> World {
    let mut world = World::new(relays);
    let to_alice = open(&mut world, 0, &ASK_ALICE);
    let to_bob = open(&mut world, relays - 1, &ASK_BOB);
    aim(&mut world, 0, &ASK_ALICE, &to_bob, 1);
    aim(&mut world, relays - 1, &ASK_BOB, &to_alice, 1);
    world
}

#[test]
fn data_over_one_relay_and_over_two() {
    for relays in [1, 2, 3] {
        let mut world = connected(relays);
        let (front, back) = (0, relays - 1);
        for n in 0..20u16 {
            let payload = vec![n as u8; 1280];
            let packet = data(DataKind::ClientP2p, ALICES, n, &payload);
            let sent = world.route(front, Side::Front, address(ALICE), &packet);
            assert_eq!((sent.len(), sent[0].to, sent[0].side), (1, address(BOB), Side::Front));
            let at_bob = sent[0].data();
            assert_eq!((at_bob.header.id, at_bob.header.e2e_sequence), (BOBS, n));
            assert_eq!(at_bob.payload, payload);
            let packet = data(DataKind::ClientP2p, BOBS, n, b"back");
            let sent = world.route(back, Side::Front, address(BOB), &packet);
            assert_eq!((sent[0].to, sent[0].data().payload), (address(ALICE), &b"back"[..]));
        }
        for relay in 0..relays {
            assert_eq!(world.total_drops(relay), []);
        }
    }
}

#[test]
fn no_client_sees_the_others_address() {
    let mut world = connected(2);
    let packet = data(DataKind::ClientP2p, ALICES, 1, b"payload");
    let sent = world.route(0, Side::Front, address(ALICE), &packet);
    let alice = address(ALICE).v4().unwrap().octets();
    assert!(!sent[0].bytes.windows(4).any(|four| four == alice));
    // Nor is the payload readable between relays.
    let between = world.feed(0, Side::Front, address(ALICE), &packet);
    assert_eq!(between[0].to, interior_address(1));
    assert!(!between[0].bytes.windows(7).any(|seven| seven == b"payload"));
}

#[test]
fn routes_and_goodbyes_reach_the_peer() {
    let mut world = connected(2);
    let stats = ConnectionStatsP2pClientToRouter {
        routes: Some(Bytes::from_static(b"routes")),
        ack_peer_routes_revision: Some(4),
        quality_e2e: Some(Default::default()),
        quality_relay: Some(Default::default()),
        connection_id: Some(ALICES),
        flags: Some(1),
        ..ConnectionStatsP2pClientToRouter::default()
    };
    let bytes = encoded(id::P2P_STATS_CLIENT, &stats);
    let sent = world.route(0, Side::Front, address(ALICE), &bytes);
    let at_bob = sent.iter().find(|sent| sent.to == address(BOB)).unwrap();
    let at_bob: ConnectionStatsP2pRouterToClient = at_bob.message(id::P2P_STATS_CLIENT);
    assert_eq!(at_bob.routes.as_deref(), Some(&b"routes"[..]));
    assert_eq!(at_bob.ack_peer_routes_revision, Some(4));
    assert_eq!(at_bob.connection_id, Some(BOBS));
    assert!(at_bob.quality_e2e.is_some() && at_bob.quality_relay.is_none());
    let to_alice = sent.iter().find(|sent| sent.to == address(ALICE)).unwrap();
    let to_alice: ConnectionStatsP2pRouterToClient = to_alice.message(id::P2P_STATS_CLIENT);
    assert!(to_alice.quality_relay.is_some() && to_alice.routes.is_none());

    let closed = ConnectionClosed {
        from_connection_id: Some(ALICES),
        reason_code: Some(1000),
        from_identity_string: Some("str:mallory".into()),
        ..ConnectionClosed::default()
    };
    let bytes = encoded(id::CONNECTION_CLOSED, &closed);
    let sent = world.route(0, Side::Front, address(ALICE), &bytes);
    let at_bob: ConnectionClosed = sent[0].message(id::CONNECTION_CLOSED);
    assert_eq!((sent[0].to, at_bob.reason_code), (address(BOB), Some(1000)));
    assert_eq!(at_bob.to_connection_id, Some(BOBS));
    assert_eq!(at_bob.from_identity_string, None, "nobody checked it");
}

#[test]
fn a_dead_token_is_reported() {
    for relays in [1, 2] {
        let mut world = connected(relays);
        let back = relays - 1;
        // Bob's session goes away.
        world.advance(SESSION_IDLE_TIMEOUT);
        let packet = data(DataKind::ClientP2p, ALICES, 1, b"keep");
        world.feed(0, Side::Front, address(ALICE), &packet);
        world.tick(back);
        let sent = world.route(0, Side::Front, address(ALICE), &packet);
        let bad: P2pBadRouteRouterToClient = sent[0].message(id::P2P_BAD_ROUTE);
        assert_eq!((sent.len(), sent[0].to), (1, address(ALICE)));
        assert_eq!(bad.connection_id, Some(ALICES));
        assert_eq!(bad.ack_forward_target_revision, Some(1));
        // A new session, a new token, and on it goes.
        let to_bob = open(&mut world, back, &ASK_BOB);
        assert_ne!(bad.failed_relay_routing_token.unwrap(), to_bob);
        aim(&mut world, 0, &ASK_ALICE, &to_bob, 2);
        let sent = world.route(0, Side::Front, address(ALICE), &packet);
        assert_eq!(sent[0].to, address(BOB));
    }
}

#[test]
fn late_targets_do_not_come_back() {
    let mut world = connected(1);
    let second = open(&mut world, 0, &ASK_BOB);
    aim(&mut world, 0, &ASK_ALICE, &second, 5);
    let stats = ConnectionStatsP2pClientToRouter {
        forward_target_relay_routing_token: Some(Bytes::from(vec![1; TOKEN_LEN])),
        forward_target_revision: Some(4),
        flags: Some(1),
        connection_id: Some(ALICES),
        ..ConnectionStatsP2pClientToRouter::default()
    };
    let sent = world.feed(0, Side::Front, address(ALICE), &encoded(id::P2P_STATS_CLIENT, &stats));
    let ack: ConnectionStatsP2pRouterToClient = sent[0].message(id::P2P_STATS_CLIENT);
    assert_eq!(ack.ack_forward_target_revision, Some(5));
}

/// A token says where; that the right one uses it, the relay of the receiver checks.
#[test]
fn somebody_elses_token_opens_nothing() {
    for relays in [1, 2] {
        let mut world = connected(relays);
        let mallory = Asked { name: "str:mallory", seed: 60, from: "7.7.7.7:7", ..ASK_ALICE };
        open(&mut world, 0, &mallory);
        let to_bob = open(&mut world, relays - 1, &ASK_BOB);
        let stats = ConnectionStatsP2pClientToRouter {
            forward_target_relay_routing_token: Some(to_bob),
            forward_target_revision: Some(1),
            connection_id: Some(ALICES),
            ..ConnectionStatsP2pClientToRouter::default()
        };
        let stats = encoded(id::P2P_STATS_CLIENT, &stats);
        world.route(0, Side::Front, address(mallory.from), &stats);
        let packet = data(DataKind::ClientP2p, ALICES, 1, b"hello bob");
        let sent = world.route(0, Side::Front, address(mallory.from), &packet);
        assert!(sent.is_empty(), "{sent:?}");
        assert_eq!(world.dropped(relays - 1, RelayDrop::WrongPeer), 1);
    }
}

#[test]
fn requests_that_prove_nothing() {
    let mut world = World::new(1);
    let good = request(&mut world, 0, &ASK_ALICE, |_| {});
    let mut refuse = |request: P2pSessionRequest, reason: RelayDrop| {
        let before = world.dropped(0, reason);
        let bytes = encoded(id::P2P_SESSION_REQUEST, &request);
        let sent = world.feed(0, Side::Front, address(ALICE), &bytes);
        assert!(sent.iter().all(|sent| sent.bytes[0] == id::NO_SESSION), "{sent:?}");
        assert_eq!(world.dropped(0, reason), before + 1, "{reason:?}");
        assert_eq!(world.relays[0].session_count(), 0);
    };
    refuse(P2pSessionRequest { cert: None, ..good.clone() }, RelayDrop::BadCert);
    refuse(P2pSessionRequest { signature: None, ..good.clone() }, RelayDrop::BadCert);
    let others = cert("str:alice", 61);
    refuse(P2pSessionRequest { cert: Some(others), ..good.clone() }, RelayDrop::BadCert);
    let mut unsigned = good.cert.clone().unwrap();
    (unsigned.ca_key_id, unsigned.ca_signature) = (None, None);
    refuse(P2pSessionRequest { cert: Some(unsigned), ..good.clone() }, RelayDrop::BadCert);
    refuse(P2pSessionRequest { body: None, ..good.clone() }, RelayDrop::Malformed);
    let stale = request(&mut World::new(1), 0, &ASK_ALICE, |body| body.challenge = Some(1));
    refuse(stale, RelayDrop::BadChallenge);
    let old = request(&mut World::new(1), 0, &ASK_ALICE, |body| body.protocol_version = Some(7));
    refuse(old, RelayDrop::BadVersion);
    let nobody =
        request(&mut World::new(1), 0, &ASK_ALICE, |body| body.peer_identity_string = None);
    refuse(nobody, RelayDrop::Malformed);
}

#[test]
fn an_encrypted_peer_name() {
    let mut world = World::new(1);
    let own = KeyExchange::generate(&mut SeededEntropy::new(3));
    let relay = address_key().public_key();
    let name =
        p2p_session_request_body::EncryptedData { peer_identity_string: Some("str:bob".into()) };
    let mut sealed = name.encode_to_vec();
    let key = super::super::p2p::peer_name_key(&own.agree(&relay).unwrap());
    key.seal([0; 12], &mut sealed, 0);
    let asked = request(&mut world, 0, &ASK_ALICE, |body| {
        body.peer_identity_string = None;
        body.encrypted_data = Some(sealed.clone().into());
        body.encryption_your_public_key_lead_byte = Some(relay[0].into());
        body.encryption_my_ephemeral_public_key = Some(Bytes::copy_from_slice(&own.public_key()));
    });
    let bytes = encoded(id::P2P_SESSION_REQUEST, &asked);
    let sent = world.feed(0, Side::Front, address(ALICE), &bytes);
    sent[0].message::<P2pSessionEstablished>(id::P2P_SESSION_ESTABLISHED);
    // Bob's data comes in, Mallory's does not: see `somebody_elses_token_opens_nothing`.
    let to_alice = open(&mut world, 0, &ASK_ALICE);
    open(&mut world, 0, &ASK_BOB);
    aim(&mut world, 0, &ASK_BOB, &to_alice, 1);
    let packet = data(DataKind::ClientP2p, BOBS, 1, b"hi");
    assert_eq!(world.feed(0, Side::Front, address(BOB), &packet)[0].to, address(ALICE));
}

#[test]
fn an_identity_has_so_many_sessions() {
    let mut world = World::new(1);
    let mut opened = 0;
    for n in 0..80u32 {
        let from = format!("8.8.{n}.8:5");
        let asked = Asked { from: &from, connection_id: n + 1, ..ASK_ALICE };
        let request = request(&mut world, 0, &asked, |_| {});
        let bytes = encoded(id::P2P_SESSION_REQUEST, &request);
        opened += world.feed(0, Side::Front, address(&from), &bytes).len();
    }
    assert_eq!(opened, 64);
    assert_eq!(world.dropped(0, RelayDrop::SessionsFull), 16);
    assert!(world.relays[0].adds_up());
}

#[test]
fn a_relay_that_left_the_network_is_not_heard() {
    let mut world = connected(2);
    let packet = data(DataKind::ClientP2p, ALICES, 1, b"payload");
    let between = world.feed(0, Side::Front, address(ALICE), &packet);
    world.config.pops.retain(|entry| entry.id != pop("sto"));
    world.publish();
    let sent = world.feed(1, Side::Interior, interior_address(0), &between[0].bytes);
    assert!(sent.is_empty());
    assert_eq!(world.dropped(1, RelayDrop::BadInterior), 1);
    // And nobody sends there any more.
    let packet = data(DataKind::ClientP2p, BOBS, 1, b"payload");
    let sent = world.route(1, Side::Front, address(BOB), &packet);
    assert_eq!(sent[0].bytes[0], id::P2P_BAD_ROUTE);
}
