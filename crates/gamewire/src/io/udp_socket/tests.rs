//! What needs a look inside; everything else is tested from outside with real sockets.

use super::*;
use crate::io::{Interest, Poller};
use std::net::Ipv6Addr;

/// For what needs a port that no other test may be given meanwhile.
const APART: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);

fn errno(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

#[test]
fn dual_stack_falls_back_to_ipv4_where_there_is_no_ipv6() {
    let any_v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 27015));
    let only_v4 = |address: SocketAddr| match address {
        SocketAddr::V4(_) => Ok(address),
        SocketAddr::V6(_) => Err(errno(libc::EAFNOSUPPORT)),
    };
    let any_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 27015));
    assert_eq!(open_or_fall_back(any_v6, only_v4).unwrap(), any_v4);
    // Not for an address that was asked for by name, and not for other errors.
    let loopback = SocketAddr::from((Ipv6Addr::LOCALHOST, 27015));
    assert!(open_or_fall_back(loopback, only_v4).is_err());
    let taken = |_| -> io::Result<()> { Err(errno(libc::EADDRINUSE)) };
    let error = open_or_fall_back(any_v6, taken).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
}

#[test]
fn addresses_are_normalised() {
    let table = [
        ("1.2.3.4:5", "1.2.3.4:5"),
        ("[::ffff:1.2.3.4]:5", "1.2.3.4:5"),
        ("[::1]:5", "[::1]:5"),
        ("[fe80::1%3]:5", "[fe80::1%3]:5"),
    ];
    for (given, expected) in table {
        assert_eq!(normalised(given.parse().unwrap()), expected.parse().unwrap(), "{given}");
    }
    let labelled = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 5, 77, 0);
    assert_eq!(normalised(labelled.into()), "[::1]:5".parse().unwrap());
}

#[test]
fn buffers_are_raised_as_far_as_the_system_gives() {
    let given = AtomicUsize::new(0);
    let set = |bytes: usize| {
        if bytes > 1 << 20 {
            return Err(errno(libc::ENOBUFS));
        }
        given.store(bytes, Ordering::Relaxed);
        Ok(())
    };
    raise_buffer(set);
    assert_eq!(given.load(Ordering::Relaxed), 1 << 20);
    raise_buffer(|_| Err(errno(libc::ENOBUFS)));
}

/// Sends to a closed port until the ICMP error lies with the socket.
fn provoke_icmp_error(socket: &UdpSocket, poller: &mut Poller, clock: &Clock) {
    let closed = std::net::UdpSocket::bind((APART, 0)).unwrap();
    let destination = closed.local_addr().unwrap();
    drop(closed);
    let transmit = Transmit { destination, contents: b"anybody?", segment_size: None };
    assert_eq!(socket.try_send(&transmit), SendOutcome::Sent);
    let deadline = Some(clock.now().plus_micros(10_000_000));
    while poller.wait(clock, deadline).unwrap().next().is_none() {
        assert!(Some(clock.now()) < deadline, "no ICMP error arrived");
    }
}

/// By default Linux hides ICMP errors from unconnected sockets; here they are asked for, so that
/// the socket sees what it would see on other systems.
#[test]
fn icmp_errors_stop_neither_sending_nor_receiving() {
    let clock = Clock::new();
    let mut poller = Poller::new().unwrap();
    let mut batch = RecvBatch::with_slots(4);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    {
        let link = socket.link();
        let open = link.open.as_ref().unwrap();
        open.state.enable_transport_errors((&open.socket).into()).unwrap();
    }
    poller.registrar().register(&socket, Token(0), Interest::Read).unwrap();

    provoke_icmp_error(&socket, &mut poller, &clock);
    let before = socket.counters();
    let to_peer =
        Transmit { destination: peer.local_addr(), contents: b"go on", segment_size: None };
    assert_eq!(socket.try_send(&to_peer), SendOutcome::Sent);
    let syscalls = socket.counters().send_syscalls - before.send_syscalls;
    assert_eq!(syscalls, 2, "the first attempt met the ICMP error");
    let mut arrived = Vec::new();
    let _ = peer.recv(&mut batch, &clock, |_, _, datagram| arrived.push(datagram.to_vec()));
    assert_eq!(arrived, [b"go on"]);

    provoke_icmp_error(&socket, &mut poller, &clock);
    let to_socket =
        Transmit { destination: socket.local_addr(), contents: b"behind", segment_size: None };
    assert_eq!(peer.try_send(&to_socket), SendOutcome::Sent);
    arrived.clear();
    let received =
        socket.recv(&mut batch, &clock, |_, _, datagram| arrived.push(datagram.to_vec()));
    assert_eq!(arrived, [b"behind"], "the datagram behind the error was received");
    assert_eq!(received.end, RecvEnd::Drained);
    assert_eq!(socket.counters().recv_errors, 1);
}

#[test]
fn a_dead_descriptor_is_reported_and_reopened_at_the_same_port() {
    let clock = Clock::new();
    let mut batch = RecvBatch::with_slots(1);
    let socket = UdpSocket::bind((APART, 0).into()).unwrap();
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr();
    let transmit =
        Transmit { destination: peer.local_addr(), contents: b"hello", segment_size: None };
    socket.link_mut().open = None;

    assert_eq!(socket.try_send(&transmit), SendOutcome::Lost);
    assert_eq!(socket.recv(&mut batch, &clock, |_, _, _| {}).end, RecvEnd::Lost);
    assert_eq!(socket.local_addr(), address);
    let poller = Poller::new().unwrap();
    assert!(poller.registrar().register(&socket, Token(0), Interest::Read).is_err());

    assert_eq!(socket.reopen().unwrap(), Reopened::SameAddress);
    poller.registrar().register(&socket, Token(0), Interest::Read).unwrap();
    assert_eq!(socket.local_addr(), address);
    assert_eq!(socket.try_send(&transmit), SendOutcome::Sent);
    let mut from = None;
    let _ = peer.recv(&mut batch, &clock, |remote, _, _| from = Some(remote));
    assert_eq!(from, Some(address));
    assert_eq!(socket.counters().reopened, 1);
}

#[test]
fn a_chosen_port_is_never_exchanged_and_any_port_may_be() {
    let chosen_for_it = UdpSocket::bind((APART, 0).into()).unwrap();
    let address = chosen_for_it.local_addr();
    chosen_for_it.link_mut().open = None;
    let chosen = UdpSocket::bind(address).unwrap();
    match chosen_for_it.reopen().unwrap() {
        Reopened::NewAddress(new) => assert_ne!(new, address),
        Reopened::SameAddress => panic!("two sockets at one port"),
    }

    chosen.link_mut().open = None;
    let thief = std::net::UdpSocket::bind(address).unwrap();
    let error = chosen.reopen().unwrap_err();
    assert_eq!((error.address, error.source.kind()), (address, io::ErrorKind::AddrInUse));
    assert_eq!(chosen.local_addr(), address);
    drop(thief);
    assert_eq!(chosen.reopen().unwrap(), Reopened::SameAddress);
}
