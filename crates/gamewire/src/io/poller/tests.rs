//! Waits: by waker, by deadline, by sockets.

use super::*;
use std::{net::Ipv4Addr, sync::mpsc, thread};

const TOKEN: Token = Token(7);

fn in_seconds(clock: &Clock, seconds: u64) -> Option<Time> {
    Some(clock.now() + Duration::from_secs(seconds))
}

fn wait(poller: &mut Poller, clock: &Clock, deadline: Option<Time>) -> Vec<Ready> {
    poller.wait(clock, deadline).unwrap().collect()
}

/// Waits until something is reported, for at most ten seconds.
fn wait_for_any(poller: &mut Poller, clock: &Clock) -> Vec<Ready> {
    let deadline = in_seconds(clock, 10);
    loop {
        let ready = wait(poller, clock, deadline);
        if !ready.is_empty() || Some(clock.now()) >= deadline {
            return ready;
        }
    }
}

#[test]
fn a_wake_before_the_wait_ends_it_and_is_reported_once() {
    let clock = Clock::new();
    let mut poller = Poller::new().unwrap();
    let waker = poller.waker().clone();
    waker.wake().unwrap();
    waker.wake().unwrap();
    assert_eq!(wait(&mut poller, &clock, in_seconds(&clock, 10)), [Ready::Woken]);
    assert_eq!(wait(&mut poller, &clock, Some(clock.now())), []);
}

#[test]
fn no_wake_is_lost_between_threads() {
    const ROUNDS: u32 = 2_000;
    let clock = Clock::new();
    let mut poller = Poller::new().unwrap();
    let waker = poller.waker().clone();
    let (commands, queue) = mpsc::channel();
    let (echo, echoes) = mpsc::channel();
    let sender = thread::spawn(move || {
        for round in 0..ROUNDS {
            commands.send(round).unwrap();
            waker.wake().unwrap();
            // Lock step every other round, so that wakes meet a sleeping and a busy thread.
            if round % 2 == 0 {
                while echoes.recv() != Ok(round) {}
            }
        }
    });
    let mut next = 0;
    while next < ROUNDS {
        let ready = wait_for_any(&mut poller, &clock);
        assert!(ready.contains(&Ready::Woken), "stuck before command {next}");
        for round in queue.try_iter() {
            assert_eq!(round, next);
            next += 1;
            // The other thread ends first at the last round.
            let _ = echo.send(round);
        }
    }
    sender.join().unwrap();
}

#[test]
fn deadlines_near_and_far_are_met_and_not_by_much() {
    let clock = Clock::new();
    let mut poller = Poller::new().unwrap();
    for micros in [0, 100, 700, 2_500, 25_000] {
        let deadline = clock.now().plus_micros(micros);
        let mut waits = 0;
        while clock.now() < deadline {
            assert_eq!(wait(&mut poller, &clock, Some(deadline)), []);
            waits += 1;
        }
        // Early returns are allowed, spinning is not.
        assert!(waits <= 3, "{waits} waits for {micros} µs");
    }
}

/// The plain wait would do with a millisecond; that the timer ended it shows in the events.
#[test]
#[cfg(target_os = "linux")]
fn near_deadlines_are_met_by_the_timer_also_after_a_later_one() {
    let clock = Clock::new();
    let mut poller = Poller::new().unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    poller.registrar().register(&socket, TOKEN, Interest::ReadWrite).unwrap();
    let later = clock.now().plus_micros(15_000);
    assert_eq!(wait(&mut poller, &clock, Some(later)).len(), 1, "the socket is writable");
    assert_eq!(poller.timer_at, later, "the wait was cut short, and the timer still runs");

    let near = clock.now().plus_micros(300);
    while clock.now() < near {
        assert_eq!(wait(&mut poller, &clock, Some(near)), []);
    }
    assert!(poller.events.iter().any(|event| event.token() == TIMER_TOKEN));
    assert_eq!(poller.timer_at, near);
}

#[test]
fn sockets_are_reported_by_token_and_interest() {
    let clock = Clock::new();
    let mut poller = Poller::new().unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let registrar = poller.registrar().clone();
    registrar.register(&socket, TOKEN, Interest::Read).unwrap();
    assert_eq!(wait(&mut poller, &clock, Some(clock.now())), [], "quiet at first");

    registrar.reregister(&socket, TOKEN, Interest::ReadWrite).unwrap();
    let writable = Ready::Socket { token: TOKEN, readable: false, writable: true };
    assert_eq!(wait_for_any(&mut poller, &clock), [writable], "it is writable already");

    registrar.reregister(&socket, TOKEN, Interest::Read).unwrap();
    let sender = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    sender.send_to(b"hello", socket.local_addr()).unwrap();
    let readable = Ready::Socket { token: TOKEN, readable: true, writable: false };
    assert_eq!(wait_for_any(&mut poller, &clock), [readable]);

    registrar.deregister(&socket).unwrap();
    sender.send_to(b"hello", socket.local_addr()).unwrap();
    assert_eq!(wait(&mut poller, &clock, Some(clock.now())), []);
}

#[test]
fn reserved_tokens_are_refused() {
    let poller = Poller::new().unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    for token in [WAKER_TOKEN, TIMER_TOKEN] {
        let error = poller.registrar().register(&socket, token, Interest::Read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
