use std::net::{Ipv6Addr, SocketAddr};

use gamewire_crypto::SeededEntropy;
use gamewire_wire::{
    identity::Identity,
    limits::{MIN_PADDED, PROTOCOL_VERSION},
    messages::{ChallengeRequest, ConnectRequest, ConnectionClosed, NoConnection},
    udp::{self, DataHeader, Datagram},
};

use super::{AcceptLimits, ConnectionKey, Control, Endpoint, Route};
use crate::{Time, drops::DropReason};

const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 4000);
const NOW: Time = Time::from_micros(3_000_000_000_000);

fn listening(limits: AcceptLimits) -> Endpoint {
    Endpoint::new(Some(limits), &mut SeededEntropy::new(1))
}

fn challenge_request(id: u32) -> Vec<u8> {
    let message = ChallengeRequest {
        connection_id: Some(id),
        my_timestamp: Some(77),
        protocol_version: Some(PROTOCOL_VERSION),
    };
    let mut out = Vec::new();
    udp::encode_challenge_request(&message, &mut out);
    out
}

fn connect_request(id: u32, challenge: u64, identity: &str) -> Vec<u8> {
    let message = ConnectRequest {
        client_connection_id: Some(id),
        challenge: Some(challenge),
        my_timestamp: Some(99),
        identity_string: Some(identity.to_owned()),
        ..ConnectRequest::default()
    };
    let mut out = Vec::new();
    udp::encode_connect_request(&message, &mut out);
    out
}

fn challenge_for(endpoint: &mut Endpoint, remote: SocketAddr, id: u32) -> u64 {
    let mut reply = Vec::new();
    let request = challenge_request(id);
    assert!(matches!(endpoint.handle_datagram(NOW, remote, &request, &mut reply), Route::Reply));
    assert!(reply.len() <= request.len());
    let Ok(Datagram::ChallengeReply(message)) = udp::parse(&reply) else { panic!("{reply:?}") };
    assert_eq!((message.connection_id(), message.your_timestamp()), (id, 77));
    message.challenge()
}

fn dropped(route: &Route) -> DropReason {
    match route {
        Route::Dropped(reason) => *reason,
        other => panic!("{other:?}"),
    }
}

/// Takes a connection in under a key, as a driver would.
fn admit(endpoint: &mut Endpoint, remote: SocketAddr, id: u32, key: u32) -> u32 {
    let challenge = challenge_for(endpoint, remote, id);
    let request = connect_request(id, challenge, "str:someone");
    let mut reply = Vec::new();
    let route = endpoint.handle_datagram(NOW, remote, &request, &mut reply);
    let Route::Incoming(incoming) = route else { panic!("{route:?}") };
    let local_id = endpoint.fresh_connection_id(&mut SeededEntropy::new(u64::from(key)));
    let identity: Identity = "str:someone".parse().unwrap();
    endpoint.insert_acceptor(ConnectionKey(key), local_id, &incoming, identity);
    local_id
}

#[test]
fn a_challenge_is_answered_without_state_and_never_with_more_than_was_sent() {
    let mut endpoint = listening(AcceptLimits::default());
    for id in 1..200 {
        challenge_for(&mut endpoint, CLIENT, id);
    }
    assert_eq!(endpoint.connections(), 0);
}

#[test]
fn only_a_fresh_challenge_of_the_same_address_lets_a_request_in() {
    let mut endpoint = listening(AcceptLimits::default());
    let challenge = challenge_for(&mut endpoint, CLIENT, 5);
    let request = connect_request(5, challenge, "str:a");
    let elsewhere = SocketAddr::new(CLIENT.ip(), 4001);
    let late = NOW.plus_micros(6_000_000);
    let forged = connect_request(5, challenge ^ 1 << 40, "str:a");
    let reply = &mut Vec::new();
    let cases = [
        (NOW, elsewhere, &request, "another port"),
        (late, CLIENT, &request, "too late"),
        (NOW, CLIENT, &forged, "forged"),
    ];
    for (now, remote, request, what) in cases {
        let route = endpoint.handle_datagram(now, remote, request, reply);
        assert_eq!(dropped(&route), DropReason::BadChallenge, "{what}");
        assert!(reply.is_empty(), "{what}");
    }
    let route = endpoint.handle_datagram(NOW, CLIENT, &request, reply);
    assert!(matches!(route, Route::Incoming(_)), "{route:?}");
}

#[test]
fn a_repeated_request_goes_to_the_connection_that_it_made() {
    let mut endpoint = listening(AcceptLimits::default());
    admit(&mut endpoint, CLIENT, 5, 1);
    let mut reply = Vec::new();
    let route = endpoint.handle_datagram(NOW, CLIENT, &challenge_request(5), &mut reply);
    let Route::Control(key, control) = route else { panic!("{route:?}") };
    assert_eq!(key, ConnectionKey(1));
    let expected = Control::ConnectRepeated { timestamp: None, answer_limit: MIN_PADDED };
    assert_eq!(*control, expected);
    assert!(reply.is_empty());
}

#[test]
fn the_same_client_from_another_address_is_refused() {
    let mut endpoint = listening(AcceptLimits::default());
    admit(&mut endpoint, CLIENT, 5, 1);
    let elsewhere = SocketAddr::new(CLIENT.ip(), 4001);
    let challenge = challenge_for(&mut endpoint, elsewhere, 5);
    let mut reply = Vec::new();
    let request = connect_request(5, challenge, "str:someone");
    // The identity that counts is the one in the table.
    let route = endpoint.handle_datagram(NOW, elsewhere, &request, &mut reply);
    assert!(matches!(route, Route::Reply), "{route:?}");
    let Ok(Datagram::ConnectionClosed(closed)) = udp::parse(&reply) else { panic!() };
    assert_eq!((closed.to_connection_id(), closed.reason_code()), (5, 5001));
    let other = connect_request(5, challenge, "str:other");
    let route = endpoint.handle_datagram(NOW, elsewhere, &other, &mut reply);
    assert!(matches!(route, Route::Incoming(_)), "another identity may have the same id");
}

#[test]
fn limits_of_pending_connections_and_per_address_hold() {
    let limits = AcceptLimits { max_pending: 2, max_per_address: 3, max_connections: 100 };
    let mut endpoint = listening(limits);
    admit(&mut endpoint, CLIENT, 1, 1);
    admit(&mut endpoint, CLIENT, 2, 2);
    let attempt = |endpoint: &mut Endpoint, id| {
        let challenge = challenge_for(endpoint, CLIENT, id);
        let request = connect_request(id, challenge, "str:x");
        endpoint.handle_datagram(NOW, CLIENT, &request, &mut Vec::new())
    };
    assert_eq!(dropped(&attempt(&mut endpoint, 3)), DropReason::PendingFull);
    endpoint.settled(ConnectionKey(1));
    admit(&mut endpoint, CLIENT, 3, 3);
    endpoint.settled(ConnectionKey(2));
    assert_eq!(dropped(&attempt(&mut endpoint, 4)), DropReason::AddressFull);
    endpoint.remove(ConnectionKey(2));
    assert!(matches!(attempt(&mut endpoint, 4), Route::Incoming(_)));
}

#[test]
fn data_is_routed_by_id_and_address() {
    let mut endpoint = listening(AcceptLimits::default());
    let local_id = admit(&mut endpoint, CLIENT, 5, 9);
    let header =
        DataHeader { to_connection_id: local_id, packet_number_low: 2, time_since_previous: None };
    let mut packet = Vec::new();
    udp::encode_data_header(&header, None, &mut packet);
    packet.extend([0; 40]);
    let reply = &mut Vec::new();
    let route = endpoint.handle_datagram(NOW, CLIENT, &packet, reply);
    assert!(matches!(route, Route::Data(ConnectionKey(9))), "{route:?}");
    let elsewhere = SocketAddr::new(CLIENT.ip(), 4001);
    let route = endpoint.handle_datagram(NOW, elsewhere, &packet, reply);
    assert_eq!(dropped(&route), DropReason::WrongPeer);
    endpoint.remove(ConnectionKey(9));
    let route = endpoint.handle_datagram(NOW, CLIENT, &packet, reply);
    assert!(matches!(route, Route::Reply), "{route:?}");
    assert!(reply.len() <= packet.len());
    let Ok(Datagram::NoConnection(message)) = udp::parse(reply) else { panic!() };
    // Both ids, or the peer would take it for forged.
    let expected = NoConnection { from_connection_id: Some(local_id), to_connection_id: Some(5) };
    assert_eq!(message, expected);
    reply.clear();
    let later = NOW.plus_micros(1_000_000);
    let route = endpoint.handle_datagram(later, elsewhere, &packet, reply);
    assert!(matches!(route, Route::Reply), "{route:?}");
    let Ok(Datagram::NoConnection(message)) = udp::parse(reply) else { panic!() };
    assert_eq!(message.to_connection_id, None, "not for others to know");
}

#[test]
fn ended_connections_are_remembered_up_to_a_limit() {
    let limits = AcceptLimits { max_per_address: 1 << 20, ..AcceptLimits::default() };
    let mut endpoint = listening(limits);
    for key in 0..super::table::MAX_ENDED as u32 + 50 {
        let local_id = admit(&mut endpoint, CLIENT, 77 + key, key);
        endpoint.remove(ConnectionKey(key));
        assert_eq!(endpoint.table.ended(local_id, CLIENT), Some(77 + key));
    }
    let first = endpoint.fresh_connection_id(&mut SeededEntropy::new(0));
    assert_eq!(endpoint.table.ended(first, CLIENT), None, "the oldest gave way");
}

#[test]
fn hints_about_unknown_connections_are_rare_and_short() {
    let mut endpoint = listening(AcceptLimits::default());
    let header = DataHeader {
        to_connection_id: 0x7070_7070,
        packet_number_low: 2,
        time_since_previous: None,
    };
    let mut packet = Vec::new();
    udp::encode_data_header(&header, None, &mut packet);
    let mut answers = 0;
    for len in packet.len()..packet.len() + 100 {
        packet.resize(len, 0);
        let mut reply = Vec::new();
        endpoint.handle_datagram(NOW, CLIENT, &packet, &mut reply);
        assert!(reply.len() <= packet.len());
        answers += usize::from(!reply.is_empty());
    }
    assert_eq!(answers, 1);
}

#[test]
fn a_close_for_nobody_is_answered_and_that_answer_is_not() {
    let mut endpoint = listening(AcceptLimits::default());
    let closed = ConnectionClosed {
        to_connection_id: Some(11),
        from_connection_id: Some(22),
        reason_code: Some(1000),
        debug: None,
    };
    let mut datagram = Vec::new();
    udp::encode_connection_closed(&closed, &mut datagram);
    let mut reply = Vec::new();
    assert!(matches!(endpoint.handle_datagram(NOW, CLIENT, &datagram, &mut reply), Route::Reply));
    let Ok(Datagram::NoConnection(message)) = udp::parse(&reply) else { panic!() };
    let expected = NoConnection { from_connection_id: Some(11), to_connection_id: Some(22) };
    assert_eq!(message, expected);
    let mut nothing = Vec::new();
    let route = endpoint.handle_datagram(NOW, CLIENT, &reply, &mut nothing);
    assert_eq!(dropped(&route), DropReason::UnknownConnection);
    assert!(nothing.is_empty());
}

#[test]
fn nothing_of_any_length_panics_or_is_amplified() {
    let mut endpoint = listening(AcceptLimits::default());
    admit(&mut endpoint, CLIENT, 5, 1);
    for lead in 0..=255u8 {
        for len in [0, 1, 4, 5, 7, 20, 511, 512, 513, 1300, 1301, 65_535] {
            let mut datagram = vec![0; len];
            if let Some(first) = datagram.first_mut() {
                *first = lead;
            }
            let mut reply = Vec::new();
            endpoint.handle_datagram(NOW, CLIENT, &datagram, &mut reply);
            assert!(reply.len() <= len, "lead {lead:#x} length {len}");
        }
    }
}

#[test]
fn old_versions_and_deaf_sockets_get_no_answer() {
    let mut endpoint = listening(AcceptLimits::default());
    let message =
        ChallengeRequest { connection_id: Some(1), my_timestamp: None, protocol_version: Some(7) };
    let mut old = Vec::new();
    udp::encode_challenge_request(&message, &mut old);
    let mut reply = Vec::new();
    let route = endpoint.handle_datagram(NOW, CLIENT, &old, &mut reply);
    assert_eq!(dropped(&route), DropReason::BadVersion);
    endpoint.stop_listening();
    let route = endpoint.handle_datagram(NOW, CLIENT, &challenge_request(1), &mut reply);
    assert_eq!(dropped(&route), DropReason::NotListening);
    assert!(reply.is_empty());
    assert_eq!(endpoint.drops().total(), 2);
}
