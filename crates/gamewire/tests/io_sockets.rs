//! Real sockets on loopback, through the public interface of the I/O layer. They need IPv4 and IPv6.

#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

use gamewire::{
    Time,
    io::{
        Clock, DropReason, Interest, Poller, RECV_SYSCALLS_PER_CALL, Ready, RecvBatch, RecvEnd,
        SendOutcome, Token, Transmit, UdpSocket,
    },
};
use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

/// For what needs a port that no other test may be given meanwhile.
const APART: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const TOKEN: Token = Token(1);
/// Only reached when a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// A socket with all that it takes to wait for datagrams.
struct Station {
    socket: Arc<UdpSocket>,
    poller: Poller,
    batch: RecvBatch,
    clock: Clock,
}

impl Station {
    fn bind(address: impl Into<SocketAddr>) -> Self {
        let socket = Arc::new(UdpSocket::bind(address.into()).unwrap());
        let poller = Poller::new().unwrap();
        poller.registrar().register(&socket, TOKEN, Interest::Read).unwrap();
        Self { socket, poller, batch: RecvBatch::new(), clock: Clock::new() }
    }

    fn v4() -> Self {
        Self::bind((Ipv4Addr::LOCALHOST, 0))
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr()
    }

    fn send(&self, destination: SocketAddr, contents: &[u8], size: Option<usize>) -> SendOutcome {
        self.socket.try_send(&Transmit { destination, contents, segment_size: size })
    }

    /// Receives `count` datagrams, or what has come when patience ends.
    fn receive(&mut self, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let deadline = self.clock.now() + PATIENCE;
        let mut seen = Vec::new();
        while seen.len() < count && self.clock.now() < deadline {
            let received = self.socket.recv(&mut self.batch, &self.clock, |remote, _, datagram| {
                seen.push((remote, datagram.to_vec()));
            });
            if received.end == RecvEnd::Drained && seen.len() < count {
                let _ = self.poller.wait(&self.clock, Some(deadline)).unwrap().count();
            }
        }
        seen
    }
}

fn numbered(count: usize, size: usize, tail: usize) -> Vec<u8> {
    (0..count * size + tail).map(|i| (i / size) as u8).collect()
}

#[test]
fn ipv4_both_ways() {
    let (mut a, mut b) = (Station::v4(), Station::v4());
    assert_eq!(a.send(b.address(), b"ping", None), SendOutcome::Sent);
    assert_eq!(b.receive(1), [(a.address(), b"ping".to_vec())]);
    assert_eq!(b.send(a.address(), b"", None), SendOutcome::Sent);
    assert_eq!(a.receive(1), [(b.address(), Vec::new())], "an empty datagram is one, too");
    let counters = a.socket.counters();
    assert_eq!((counters.sent_datagrams, counters.sent_bytes), (1, 4));
    assert_eq!((counters.received_datagrams, counters.received_bytes), (1, 0));
}

#[test]
fn ipv6_both_ways() {
    let mut a = Station::bind((Ipv6Addr::LOCALHOST, 0));
    let mut b = Station::bind((Ipv6Addr::LOCALHOST, 0));
    assert_eq!(a.send(b.address(), b"ping", None), SendOutcome::Sent);
    assert_eq!(b.receive(1), [(a.address(), b"ping".to_vec())]);
    assert_eq!(b.send(a.address(), b"pong", None), SendOutcome::Sent);
    assert_eq!(a.receive(1), [(b.address(), b"pong".to_vec())]);
}

#[test]
fn a_dual_stack_socket_speaks_both_and_shows_plain_addresses() {
    let mut server = Station::bind((Ipv6Addr::UNSPECIFIED, 0));
    let port = server.address().port();
    let mut v4 = Station::v4();
    assert_eq!(v4.send((Ipv4Addr::LOCALHOST, port).into(), b"four", None), SendOutcome::Sent);
    assert_eq!(server.receive(1), [(v4.address(), b"four".to_vec())]);
    assert_eq!(server.send(v4.address(), b"re: four", None), SendOutcome::Sent);
    let v4_server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    assert_eq!(v4.receive(1), [(v4_server, b"re: four".to_vec())]);
    // A batch too: mapped addresses must not cost the offload.
    assert_eq!(server.send(v4.address(), &numbered(3, 100, 1), Some(100)), SendOutcome::Sent);
    assert_eq!(v4.receive(4).len(), 4);

    let mut v6 = Station::bind((Ipv6Addr::LOCALHOST, 0));
    assert_eq!(v6.send((Ipv6Addr::LOCALHOST, port).into(), b"six", None), SendOutcome::Sent);
    assert_eq!(server.receive(1), [(v6.address(), b"six".to_vec())]);
    assert_eq!(server.send(v6.address(), b"re: six", None), SendOutcome::Sent);
    let v6_server = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    assert_eq!(v6.receive(1), [(v6_server, b"re: six".to_vec())]);
}

#[test]
fn a_mapped_address_to_bind_means_ipv4() {
    let socket = UdpSocket::bind("[::ffff:127.0.0.1]:0".parse().unwrap()).unwrap();
    assert_eq!(socket.local_addr().ip(), Ipv4Addr::LOCALHOST);
}

#[test]
fn a_batch_arrives_as_its_datagrams_in_order() {
    let (a, mut b) = (Station::v4(), Station::v4());
    assert_eq!(a.send(b.address(), &numbered(50, 1200, 77), Some(1200)), SendOutcome::Sent);
    let seen = b.receive(51);
    assert_eq!(seen.len(), 51);
    for (index, (remote, datagram)) in seen.iter().enumerate() {
        assert_eq!(*remote, a.address());
        let len = if index == 50 { 77 } else { 1200 };
        assert_eq!(datagram, &vec![index as u8; len], "datagram {index}");
    }
    assert_eq!(a.socket.counters().sent_datagrams, 51);
    if a.socket.max_gso_segments() >= 51 {
        assert_eq!(a.socket.counters().send_syscalls, 1);
    }
}

#[test]
fn batches_beyond_every_limit_are_split() {
    let (a, mut b) = (Station::v4(), Station::v4());
    for (count, size) in [(200, 100), (120, 1200), (3, 40_000)] {
        let contents = numbered(count, size, 0);
        assert_eq!(a.send(b.address(), &contents, Some(size)), SendOutcome::Sent);
        let seen = b.receive(count);
        let expected: Vec<_> =
            contents.chunks(size).map(|chunk| (a.address(), chunk.to_vec())).collect();
        assert!(seen == expected, "{count} datagrams of {size} bytes: {} arrived", seen.len());
    }
    assert_eq!(a.socket.counters().gso_fallbacks, 0);
}

#[test]
fn a_datagram_beyond_the_protocol_is_dropped_and_the_socket_goes_on() {
    let (a, mut b) = (Station::v4(), Station::v4());
    let outcome = a.send(b.address(), &vec![0; 65_508], None);
    assert_eq!(outcome, SendOutcome::Dropped(DropReason::TooLarge));
    assert_eq!(a.socket.counters().send_drops.too_large, 1);
    assert_eq!(a.send(b.address(), &vec![1; 65_507], None), SendOutcome::Sent);
    assert_eq!(b.receive(1)[0].1.len(), 65_507);
}

#[test]
fn a_closed_port_does_not_disturb_others() {
    let (mut a, mut b) = (Station::v4(), Station::v4());
    let closed = Station::bind((APART, 0)).address();
    for round in 0..20_u8 {
        assert_eq!(a.send(closed, b"anybody?", None), SendOutcome::Sent);
        assert_eq!(a.send(b.address(), &[round], None), SendOutcome::Sent);
        assert_eq!(b.receive(1), [(a.address(), vec![round])]);
        assert_eq!(b.send(a.address(), &[round], None), SendOutcome::Sent);
        assert_eq!(a.receive(1), [(b.address(), vec![round])]);
    }
}

/// A datagram that claims to come from port 0 invites an answer to port 0, which the system refuses
/// with the error that also means broken offload: one such packet must not slow a server for ever.
#[test]
fn impossible_destinations_are_dropped_and_leave_offload_on() {
    let (a, mut b) = (Station::v4(), Station::v4());
    let before = a.socket.max_gso_segments();
    let batch = numbered(4, 100, 0);
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let expected = SendOutcome::Dropped(DropReason::InvalidDestination);
    assert_eq!(a.send(nowhere, &batch, Some(100)), expected);
    assert_eq!(a.socket.counters().send_drops.invalid_destination, 4);
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, b.address().port()));
    assert_eq!(a.send(v6, b"x", None), SendOutcome::Dropped(DropReason::Unreachable));

    // Not dual-stack, since it is bound to one address.
    let v6_only = Station::bind((Ipv6Addr::LOCALHOST, 0));
    let expected = SendOutcome::Dropped(DropReason::Unreachable);
    assert_eq!(v6_only.send(b.address(), &batch, Some(100)), expected);
    assert_eq!(v6_only.socket.max_gso_segments(), before);
    assert_eq!(a.socket.max_gso_segments(), before);
    assert_eq!(a.send(b.address(), &batch, Some(100)), SendOutcome::Sent);
    assert_eq!(b.receive(4).len(), 4);
}

#[test]
fn one_receive_is_bounded_and_says_so() {
    let (a, mut b) = (Station::v4(), Station::v4());
    b.batch = RecvBatch::with_slots(1);
    let count = RECV_SYSCALLS_PER_CALL + 2;
    for index in 0..count {
        assert_eq!(a.send(b.address(), &[index as u8], None), SendOutcome::Sent);
    }
    let first = b.socket.recv(&mut b.batch, &b.clock, |_, _, _| {});
    assert_eq!(first.end, RecvEnd::Budget);
    assert_eq!((first.syscalls, first.datagrams), (RECV_SYSCALLS_PER_CALL, RECV_SYSCALLS_PER_CALL));
    let second = b.socket.recv(&mut b.batch, &b.clock, |_, _, _| {});
    assert_eq!((second.end, second.datagrams), (RecvEnd::Drained, 2));
    let counters = b.socket.counters();
    assert_eq!(counters.received_datagrams, count as u64);
}

#[test]
fn datagrams_may_be_changed_in_place_and_answered_from_within() {
    let (mut a, mut b) = (Station::v4(), Station::v4());
    assert_eq!(a.send(b.address(), b"echo me", None), SendOutcome::Sent);
    let deadline = b.clock.now() + PATIENCE;
    let mut answered = 0;
    while answered == 0 && b.clock.now() < deadline {
        let _ = b.poller.wait(&b.clock, Some(deadline)).unwrap().count();
        let socket = &b.socket;
        let _ = socket.recv(&mut b.batch, &b.clock, |destination, _, datagram| {
            datagram.make_ascii_uppercase();
            let answer = Transmit { destination, contents: datagram, segment_size: None };
            assert_eq!(socket.try_send(&answer), SendOutcome::Sent);
            answered += 1;
        });
    }
    assert_eq!(a.receive(1), [(b.address(), b"ECHO ME".to_vec())]);
}

#[test]
fn arrival_times_lie_between_sending_and_receiving() {
    let (a, mut b) = (Station::v4(), Station::v4());
    let before = b.clock.now();
    assert_eq!(a.send(b.address(), b"when?", None), SendOutcome::Sent);
    let _ = b.poller.wait(&b.clock, Some(before + PATIENCE)).unwrap().count();
    let mut at = Time::default();
    let _ = b.socket.recv(&mut b.batch, &b.clock, |_, meta, _| at = meta.received_at);
    // The wall clock, which the kernel's timestamps use, may be slewed against the monotonic one.
    let tolerance = Duration::from_millis(5);
    assert!(at + tolerance >= before && at <= b.clock.now(), "{at:?} not after {before:?}");
}

#[test]
fn any_thread_may_send() {
    const THREADS: usize = 4;
    const EACH: usize = 100;
    let a = Station::v4();
    let mut b = Station::v4();
    let destination = b.address();
    let senders: Vec<_> = (0..THREADS)
        .map(|thread| {
            let socket = Arc::clone(&a.socket);
            thread::spawn(move || {
                for index in 0..EACH {
                    let contents = [thread as u8, index as u8];
                    let transmit =
                        Transmit { destination, contents: &contents, segment_size: None };
                    assert_eq!(socket.try_send(&transmit), SendOutcome::Sent);
                }
            })
        })
        .collect();
    let mut seen: Vec<_> =
        b.receive(THREADS * EACH).into_iter().map(|(_, datagram)| datagram).collect();
    for sender in senders {
        sender.join().unwrap();
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), THREADS * EACH);
}

#[test]
fn a_reopened_socket_keeps_its_port_and_is_heard_again() {
    let (mut a, mut b) = (Station::v4(), Station::bind((APART, 0)));
    let address = b.address();
    b.socket.reopen().unwrap();
    assert_eq!(b.address(), address);
    b.poller.registrar().register(&b.socket, TOKEN, Interest::Read).unwrap();
    assert_eq!(a.send(address, b"still there?", None), SendOutcome::Sent);
    let mut readable = false;
    let deadline = b.clock.now() + PATIENCE;
    while !readable && b.clock.now() < deadline {
        let ready = b.poller.wait(&b.clock, Some(deadline)).unwrap();
        readable = ready.into_iter().any(
            |ready| matches!(ready, Ready::Socket { token, readable: true, .. } if token == TOKEN),
        );
    }
    assert!(readable);
    assert_eq!(b.receive(1), [(a.address(), b"still there?".to_vec())]);
    assert_eq!(b.send(a.address(), b"yes", None), SendOutcome::Sent);
    assert_eq!(a.receive(1), [(address, b"yes".to_vec())]);
}

#[test]
fn buffers_are_larger_than_the_default() {
    let plain = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    let (send, recv) = Station::v4().socket.buffer_bytes();
    assert!(send >= plain.send_buffer_size().unwrap());
    assert!(recv >= plain.recv_buffer_size().unwrap());
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = Station::v4();
    let error = UdpSocket::bind(taken.address()).unwrap_err();
    assert_eq!(error.address, taken.address());
    assert!(error.to_string().contains(&taken.address().to_string()), "{error}");
}
