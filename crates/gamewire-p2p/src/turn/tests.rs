//! The client against single answers; whole conversations are in `gamewire-sim`.

use super::*;
use crate::{
    ice::{TurnServer, TurnTransport},
    stun::{Builder, Class, Message, TransactionIds, attribute, method},
};
use gamewire_crypto::{SeededEntropy, stun::long_term_key};
use gamewire_proto::Time;
use std::{net::SocketAddr, time::Duration};

const T0: Time = Time::from_micros(1_000_000);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn client(transport: TurnTransport) -> Client {
    let server = TurnServer {
        address: address("203.0.113.1:3478"),
        transport,
        username: "user".to_owned(),
        password: "pass".to_owned(),
    };
    let mut client = Client::new(&server, TransactionIds::new(&mut SeededEntropy::new(1)));
    assert_eq!(client.poll_transmit(), None);
    client.start(T0);
    client
}

/// Starts an answer to the request that was sent last.
fn to(request: &[u8], class: Class) -> Builder {
    let request = Message::parse(request).unwrap();
    Builder::new(class, request.method(), request.transaction_id())
}

fn challenge(request: &[u8], code: u16, nonce: &[u8]) -> Vec<u8> {
    let code = [0, 0, (code / 100) as u8, (code % 100) as u8];
    to(request, Class::Error)
        .attribute(attribute::ERROR_CODE, &code)
        .attribute(attribute::REALM, b"realm")
        .attribute(attribute::NONCE, nonce)
        .finish()
}

fn give(client: &mut Client, now: Time, answer: &[u8]) -> bool {
    client.handle_response(now, &Message::parse(answer).unwrap())
}

fn key() -> [u8; 16] {
    long_term_key("user", "realm", "pass")
}

/// A client with an allocation, its last request being answered.
fn allocated(transport: TurnTransport) -> Client {
    let mut client = client(transport);
    let first = client.poll_transmit().unwrap();
    assert!(give(&mut client, T0, &challenge(&first, 401, b"n1")));
    let second = client.poll_transmit().unwrap();
    let answer = to(&second, Class::Success)
        .xor_address(attribute::XOR_RELAYED_ADDRESS, address("203.0.113.1:50000"))
        .attribute(attribute::LIFETIME, &600_u32.to_be_bytes())
        .integrity(&key())
        .finish();
    assert!(give(&mut client, T0, &answer));
    let relayed = address("203.0.113.1:50000");
    let allocated = Outcome::Allocated { relayed, mapped: None };
    assert_eq!(client.poll_outcome(), Some(allocated));
    client
}

fn succeed(client: &mut Client, now: Time) -> u16 {
    let request = client.poll_transmit().unwrap();
    let parsed = Message::parse(&request).unwrap();
    assert!(parsed.verify(&key()));
    let answer = to(&request, Class::Success).integrity(&key()).finish();
    assert!(give(client, now, &answer));
    parsed.method()
}

#[test]
fn credentials_are_given_when_asked_for() {
    let mut client = client(TurnTransport::Udp);
    let request = client.poll_transmit().unwrap();
    let message = Message::parse(&request).unwrap();
    assert_eq!(message.method(), method::ALLOCATE);
    assert_eq!(message.attribute(attribute::REQUESTED_TRANSPORT), Some(&[17, 0, 0, 0][..]));
    assert_eq!(message.attribute(attribute::USERNAME), None);
    assert!(give(&mut client, T0, &challenge(&request, 401, b"nonce")));
    let request = client.poll_transmit().unwrap();
    let message = Message::parse(&request).unwrap();
    assert_eq!(message.text(attribute::USERNAME), Some("user"));
    assert_eq!(message.text(attribute::REALM), Some("realm"));
    assert_eq!(message.attribute(attribute::NONCE), Some(&b"nonce"[..]));
    assert!(message.verify(&key()));
}

#[test]
fn endless_challenges_end() {
    let mut client = client(TurnTransport::Udp);
    for nonce in [b"1", b"2", b"3", b"4"] {
        let request = client.poll_transmit().unwrap();
        assert!(give(&mut client, T0, &challenge(&request, 438, nonce)));
    }
    assert_eq!(client.poll_transmit(), None);
    assert_eq!(client.poll_outcome(), Some(Outcome::Ended(TurnError::Refused(438))));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn without_a_credential_a_challenge_is_a_refusal() {
    let server = TurnServer {
        address: address("203.0.113.1:3478"),
        transport: TurnTransport::Udp,
        username: String::new(),
        password: String::new(),
    };
    let mut client = Client::new(&server, TransactionIds::new(&mut SeededEntropy::new(1)));
    client.start(T0);
    let request = client.poll_transmit().unwrap();
    assert!(give(&mut client, T0, &challenge(&request, 401, b"n")));
    assert_eq!(client.poll_outcome(), Some(Outcome::Ended(TurnError::Refused(401))));
}

#[test]
fn an_answer_that_is_not_the_servers_counts_for_nothing() {
    let mut client = client(TurnTransport::Udp);
    let first = client.poll_transmit().unwrap();
    assert!(give(&mut client, T0, &challenge(&first, 401, b"n1")));
    let second = client.poll_transmit().unwrap();
    let forged = to(&second, Class::Success)
        .xor_address(attribute::XOR_RELAYED_ADDRESS, address("6.6.6.6:6"))
        .finish();
    assert!(!give(&mut client, T0, &forged));
    let forged = to(&second, Class::Error).attribute(attribute::ERROR_CODE, &[0, 0, 4, 3]).finish();
    assert!(!give(&mut client, T0, &forged));
    // Neither does one to a request that is answered.
    assert!(!give(&mut client, T0, &challenge(&first, 401, b"n2")));
    assert_eq!((client.relayed(), client.poll_outcome()), (None, None));
}

#[test]
fn a_silent_server_is_asked_five_times_over_datagrams_and_once_over_a_stream() {
    for (transport, requests) in [(TurnTransport::Udp, 5), (TurnTransport::Tcp, 1)] {
        let mut client = client(transport);
        let mut sent = 0;
        while let Some(now) = client.poll_timeout() {
            sent += std::iter::from_fn(|| client.poll_transmit()).count();
            client.handle_timeout(now);
        }
        assert_eq!(sent, requests);
        assert_eq!(client.poll_outcome(), Some(Outcome::Ended(TurnError::Silent)));
    }
}

#[test]
fn another_server_is_followed_but_not_for_ever() {
    let mut client = client(TurnTransport::Udp);
    for number in 0..3 {
        let request = client.poll_transmit().unwrap();
        let other = SocketAddr::new([203, 0, 113, 50 + number].into(), 3478);
        let answer = to(&request, Class::Error)
            .attribute(attribute::ERROR_CODE, &[0, 0, 3, 0])
            .address(attribute::ALTERNATE_SERVER, other)
            .finish();
        assert!(give(&mut client, T0, &answer));
    }
    assert_eq!(client.server(), address("203.0.113.51:3478"));
    assert_eq!(client.poll_outcome(), Some(Outcome::Ended(TurnError::Refused(300))));
}

#[test]
fn what_was_left_from_before_is_given_back_once() {
    let mut client = client(TurnTransport::Udp);
    let first = client.poll_transmit().unwrap();
    assert!(give(&mut client, T0, &challenge(&first, 401, b"n1")));
    let mismatch = |request: &[u8]| {
        to(request, Class::Error)
            .attribute(attribute::ERROR_CODE, &[0, 0, 4, 37])
            .integrity(&key())
            .finish()
    };
    let allocate = client.poll_transmit().unwrap();
    assert!(give(&mut client, T0, &mismatch(&allocate)));
    assert_eq!(succeed(&mut client, T0), method::REFRESH);
    let allocate = client.poll_transmit().unwrap();
    assert_eq!(Message::parse(&allocate).unwrap().method(), method::ALLOCATE);
    assert!(give(&mut client, T0, &mismatch(&allocate)));
    assert_eq!(client.poll_outcome(), Some(Outcome::Ended(TurnError::Refused(437))));
}

#[test]
fn data_go_in_indications_until_there_is_a_channel() {
    for (transport, padding) in [(TurnTransport::Udp, 0), (TurnTransport::Tls, 3)] {
        let mut client = allocated(transport);
        let peer = address("198.51.100.9:7");
        assert!(client.permit(T0, peer.ip()));
        assert!(!client.is_permitted(peer.ip()));
        assert_eq!(succeed(&mut client, T0), method::CREATE_PERMISSION);
        assert!(client.is_permitted(peer.ip()));
        assert_eq!(client.poll_outcome(), Some(Outcome::Permitted(peer.ip())));
        let mut out = Vec::new();
        client.encapsulate(peer, b"hello", &mut out);
        let message = Message::parse(&out).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Indication, method::SEND));
        assert_eq!(message.xor_address(attribute::XOR_PEER_ADDRESS), Some(peer));
        assert_eq!(message.attribute(attribute::DATA), Some(&b"hello"[..]));

        client.bind_channel(T0, peer);
        assert_eq!(succeed(&mut client, T0), method::CHANNEL_BIND);
        out.clear();
        client.encapsulate(peer, b"hello", &mut out);
        assert_eq!(out[..9], *b"\x40\x00\x00\x05hello");
        assert_eq!(out.len(), 9 + padding);
        let data = client.data(&out).unwrap();
        assert_eq!((data.peer, &out[data.range]), (peer, &b"hello"[..]));
    }
}

#[test]
fn data_of_strangers_and_broken_data_are_none() {
    let mut client = allocated(TurnTransport::Udp);
    let peer = address("198.51.100.9:7");
    client.permit(T0, peer.ip());
    succeed(&mut client, T0);
    client.bind_channel(T0, peer);
    succeed(&mut client, T0);
    let indication = |from: &str, data: &[u8]| {
        let id = TransactionIds::new(&mut SeededEntropy::new(9)).generate();
        Builder::new(Class::Indication, method::DATA, id)
            .xor_address(attribute::XOR_PEER_ADDRESS, address(from))
            .attribute(attribute::DATA, data)
            .finish()
    };
    // Permissions are by address alone.
    assert!(client.data(&indication("198.51.100.9:9", b"x")).is_some());
    for bytes in [
        &indication("198.51.100.8:7", b"x")[..],
        b"",
        b"\x40",
        b"\x40\x00\x00\x05hell",
        b"\x40\x01\x00\x01x",
        b"\x7f\xff\xff\xffx",
        b"\x80data",
    ] {
        assert_eq!(client.data(bytes), None, "{bytes:?}");
    }
}

#[test]
fn everything_is_renewed_in_time() {
    let mut client = allocated(TurnTransport::Udp);
    let peer = address("198.51.100.9:7");
    client.permit(T0, peer.ip());
    succeed(&mut client, T0);
    client.bind_channel(T0, peer);
    succeed(&mut client, T0);
    let mut renewed = Vec::new();
    while let Some(now) = client.poll_timeout().filter(|at| at.since(T0).as_secs() <= 900) {
        client.handle_timeout(now);
        while client.poll_timeout() == Some(now) {
            client.handle_timeout(now);
        }
        let mut asked = Vec::new();
        while let Some(request) = client.poll_transmit() {
            asked.push(request);
        }
        for request in asked {
            let name = Message::parse(&request).unwrap().method();
            renewed.push((name, now.since(T0).as_secs()));
            let answer = to(&request, Class::Success).integrity(&key()).finish();
            assert!(give(&mut client, now, &answer));
        }
    }
    let times = |name| -> Vec<u64> {
        renewed.iter().filter(|(known, _)| *known == name).map(|(_, at)| *at).collect()
    };
    assert_eq!(times(method::REFRESH), [300, 600, 900]);
    assert_eq!(times(method::CREATE_PERMISSION), [200, 400, 600, 800]);
    assert_eq!(times(method::CHANNEL_BIND), [200, 400, 600, 800]);
}

#[test]
fn permissions_and_channels_are_limited() {
    let mut client = allocated(TurnTransport::Udp);
    for number in 0..100_u8 {
        let ip = [198, 51, 100, number].into();
        assert_eq!(client.permit(T0, ip), usize::from(number) < MAX_PERMISSIONS);
        client.bind_channel(T0, SocketAddr::new(ip, 7));
    }
    let requests = std::iter::from_fn(|| client.poll_transmit()).count();
    assert_eq!(requests, MAX_PERMISSIONS + MAX_CHANNELS);
}

#[test]
fn a_refused_permission_and_channel_are_told_and_survived() {
    let mut client = allocated(TurnTransport::Udp);
    let peer = address("198.51.100.9:7");
    client.permit(T0, peer.ip());
    client.bind_channel(T0, peer);
    for _ in 0..2 {
        let request = client.poll_transmit().unwrap();
        let answer = to(&request, Class::Error)
            .attribute(attribute::ERROR_CODE, &[0, 0, 4, 3])
            .integrity(&key())
            .finish();
        assert!(give(&mut client, T0, &answer));
    }
    let forbidden = Outcome::Forbidden(peer.ip(), TurnError::Refused(403));
    assert_eq!(client.poll_outcome(), Some(forbidden));
    assert_eq!(client.poll_outcome(), None);
    assert!(!client.has_channel(peer) && client.relayed().is_some());
}

#[test]
fn an_address_given_back_is_gone_at_once() {
    let mut client = allocated(TurnTransport::Udp);
    client.release(T0);
    let request = client.poll_transmit().unwrap();
    let message = Message::parse(&request).unwrap();
    assert_eq!((message.method(), message.u32(attribute::LIFETIME)), (method::REFRESH, Some(0)));
    assert_eq!((client.relayed(), client.poll_timeout()), (None, None));
}

#[test]
fn a_stream_is_taken_apart_wherever_it_is_cut() {
    let stun = Builder::new(
        Class::Request,
        method::ALLOCATE,
        TransactionIds::new(&mut SeededEntropy::new(1)).generate(),
    )
    .attribute(attribute::DATA, b"abc")
    .finish();
    let channel = b"\x40\x00\x00\x05hello".to_vec();
    let mut stream = stun.clone();
    stream.extend_from_slice(&channel);
    stream.extend_from_slice(&[0; 3]);
    stream.extend_from_slice(&stun);
    for size in 1..stream.len() {
        let mut frames = Frames::default();
        let mut whole = Vec::new();
        for piece in stream.chunks(size) {
            whole.extend(frames.push(piece).unwrap());
        }
        assert_eq!(whole, [stun.clone(), channel.clone(), stun.clone()], "{size}");
    }
    for bad in [&[0x80, 0, 0, 0][..], &[0xff; 4], &[0x40, 0, 0xff, 0xff], &[0, 1, 0xff, 0xfc]] {
        assert_eq!(Frames::default().push(bad), Err(FrameError), "{bad:?}");
    }
}

#[test]
fn a_lifetime_is_believed_within_reason() {
    for (told, refresh) in [(0_u32, 10), (1, 10), (600, 300), (u32::MAX, 1800)] {
        let mut client = client(TurnTransport::Udp);
        let request = client.poll_transmit().unwrap();
        let answer = to(&request, Class::Success)
            .xor_address(attribute::XOR_RELAYED_ADDRESS, address("203.0.113.1:50000"))
            .attribute(attribute::LIFETIME, &told.to_be_bytes())
            .finish();
        assert!(give(&mut client, T0, &answer));
        assert_eq!(client.poll_timeout(), Some(T0 + Duration::from_secs(refresh)), "{told}");
    }
}
