//! Pings of clients, and what the relay measures itself.

use gamewire_wire::relay::PingRequest;

use super::*;

fn ping(world: &mut World, minimal: bool, from: &str) -> Vec<Sent> {
    let request = PingRequest { minimal, ..PingRequest::new(address("155.133.1.1:27015"), 11, 22) };
    let mut bytes = Vec::new();
    request.encode(&mut bytes);
    world.feed(0, Side::Front, address(from), &bytes)
}

#[test]
fn a_ping_is_answered_with_what_the_client_needs() {
    let mut world = World::new(3);
    world.config.typical_pings.insert((pop("fra"), pop("sto")), 23);
    world.publish();
    let sent = ping(&mut world, false, CLIENT);
    assert_eq!((sent.len(), sent[0].to, sent[0].side), (1, address(CLIENT), Side::Front));
    let reply: RouterPingReply = sent[0].message(id::ROUTER_PING_REPLY);
    assert_eq!((reply.client_timestamp, reply.client_cookie), (Some(11), Some(22)));
    assert_eq!(reply.your_public_ip, Some(0x0808_0808));
    assert_eq!(reply.your_public_port, Some(50000));
    assert_eq!(reply.server_time, Some(UNIX as u32));
    assert_eq!(reply.seconds_until_shutdown, None);
    let p2p: Vec<(u32, u32)> =
        reply.latency_datacenter_ids_p2p.into_iter().zip(reply.latency_ping_ms_p2p).collect();
    // Of ams nothing is known.
    assert_eq!(p2p, [(pop("fra").as_u32(), 23), (pop("sto").as_u32(), 0)]);
    let minimal = ping(&mut world, true, "[2600::1]:9");
    assert!(minimal[0].bytes.len() <= 100);
    let reply: RouterPingReply = minimal[0].message(id::ROUTER_PING_REPLY);
    assert_eq!(reply.flags, Some(1));
    assert_eq!(reply.your_public_ipv6.unwrap().len(), 16);
    assert!(reply.latency_datacenter_ids.is_empty());
}

#[test]
fn the_largest_config_makes_no_reply_longer_than_its_request() {
    let mut world = World::new(1);
    let letter = |n: usize| (b'a' + (n % 26) as u8) as char;
    for n in 0..500usize {
        let code: String = [letter(n / 26), letter(n), 'x', 'y'].into_iter().collect();
        let id: PopId = code.parse().unwrap();
        let relays = world.config.pops[0].relays.clone();
        world.config.typical_pings.insert((pop("sto").min(id), pop("sto").max(id)), 9999);
        world.config.pops.push(Pop { id, relays, ..Pop::default() });
    }
    world.config.pops.sort_by_key(|pop| pop.id);
    world.publish();
    let at = world.at();
    world.relays[0].drain(at, Duration::from_secs(100_000), None);
    for (minimal, from) in [(false, "[2600::1]:9"), (true, "[2600::1]:9"), (false, CLIENT)] {
        let sent = ping(&mut world, minimal, from);
        assert!(sent[0].bytes.len() <= if minimal { 100 } else { 1300 }, "{}", sent[0].bytes.len());
        let reply: RouterPingReply = sent[0].message(id::ROUTER_PING_REPLY);
        assert_eq!(reply.seconds_until_shutdown, Some(100_000));
    }
}

#[test]
fn relays_measure_each_other() {
    let mut world = World::new(2);
    world.advance(Duration::from_secs(10));
    let sent = world.tick(0);
    assert_eq!((sent.len(), sent[0].to), (1, interior_address(1)));
    world.advance(Duration::from_millis(7));
    let pong = world.feed(1, Side::Interior, interior_address(0), &sent[0].bytes);
    assert_eq!(pong[0].to, interior_address(0));
    world.advance(Duration::from_millis(8));
    assert!(world.feed(0, Side::Interior, interior_address(1), &pong[0].bytes).is_empty());
    let reply: RouterPingReply = ping(&mut world, false, CLIENT)[0].message(id::ROUTER_PING_REPLY);
    let fra = reply.latency_datacenter_ids_p2p.iter().position(|&id| id == pop("fra").as_u32());
    assert_eq!(reply.latency_ping_ms_p2p[fra.unwrap()], 15);
    assert_eq!(world.total_drops(0), []);
}

#[test]
fn relays_measure_servers() {
    let mut world = World::new(1);
    world.hosted_session();
    world.advance(Duration::from_secs(10));
    let sent = world.tick(0);
    let envelope: GameserverPingRequestEnvelope = sent[0].message(id::GAMESERVER_PING_REQUEST);
    assert_eq!(sent[0].to, address(SERVER));
    let body: GameserverPingRequestBody = decode(&envelope.signed_data.unwrap()).unwrap();
    assert_eq!(body.routing_secret, Some(SECRET));
    world.advance(Duration::from_millis(9));
    let reply = |echo: Option<Bytes>| {
        let data = GameserverPingReplyData { echo, ..GameserverPingReplyData::default() };
        let signed = SignedMessageGeneric {
            signed_data: Some(data.encode_to_vec().into()),
            ..SignedMessageGeneric::default()
        };
        encoded(id::GAMESERVER_PING_REPLY, &signed)
    };
    for (from, echo) in [
        (SERVER, None),
        (SERVER, Some(Bytes::from_static(&[1; 8]))),
        ("155.133.9.10:27015", body.echo.clone()),
    ] {
        assert!(world.feed(0, Side::Interior, address(from), &reply(echo)).is_empty());
    }
    assert!(world.relays[0].server_pings.is_empty(), "none of these counts");
    let good = reply(body.echo);
    world.feed(0, Side::Interior, address(SERVER), &good);
    assert_eq!(world.relays[0].server_pings[&pop("sto")], 9);
    let answer: RouterPingReply = ping(&mut world, false, CLIENT)[0].message(id::ROUTER_PING_REPLY);
    assert_eq!(answer.latency_ping_ms, [9]);
}
