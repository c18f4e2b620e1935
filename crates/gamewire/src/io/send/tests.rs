//! Splitting and error handling, against a made-up system.

use super::*;
use crate::io::{IoCounters, counters::SocketCounters};
use std::collections::VecDeque;

/// A system that answers calls from a script (success at its end) and notes what it accepted.
struct Script {
    answers: VecDeque<Result<(), i32>>,
    max_segments: AtomicUsize,
    counters: SocketCounters,
    /// Bytes and segment size of each accepted call.
    accepted: Vec<(usize, Option<usize>)>,
    calls: usize,
}

impl Script {
    fn new(answers: &[Result<(), i32>]) -> Self {
        Self {
            answers: answers.iter().copied().collect(),
            max_segments: AtomicUsize::new(64),
            counters: SocketCounters::default(),
            accepted: Vec::new(),
            calls: 0,
        }
    }

    fn send(&mut self, len: usize, segment_size: Option<usize>) -> SendOutcome {
        let sender = Sender { max_segments: &self.max_segments, counters: &self.counters.send };
        let contents: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        sender.send(&contents, segment_size, |bytes, segment_size| {
            self.calls += 1;
            if let Some(Err(errno)) = self.answers.pop_front() {
                return Err(io::Error::from_raw_os_error(errno));
            }
            self.accepted.push((bytes.len(), segment_size));
            Ok(())
        })
    }

    fn counters(&self) -> IoCounters {
        self.counters.snapshot()
    }
}

const OK: Result<(), i32> = Ok(());

#[test]
fn a_batch_goes_out_in_one_call_with_a_short_tail() {
    let mut system = Script::new(&[]);
    assert_eq!(system.send(50 * 1200 + 7, Some(1200)), SendOutcome::Sent);
    assert_eq!(system.accepted, [(60_007, Some(1200))]);
    let counters = system.counters();
    assert_eq!((counters.sent_datagrams, counters.sent_bytes), (51, 60_007));
    assert_eq!(counters.send_syscalls, 1);
}

#[test]
fn batches_are_split_at_the_segment_and_the_byte_limit() {
    let mut system = Script::new(&[]);
    assert_eq!(system.send(150 * 100 + 1, Some(100)), SendOutcome::Sent);
    assert_eq!(system.accepted, [(6400, Some(100)), (6400, Some(100)), (2201, Some(100))]);

    let mut system = Script::new(&[]);
    assert_eq!(system.send(60 * 1300, Some(1300)), SendOutcome::Sent);
    assert_eq!(system.accepted, [(65_000, Some(1300)), (13_000, Some(1300))]);

    // What is left is one datagram: sent as one, not as a batch of one.
    let mut system = Script::new(&[]);
    assert_eq!(system.send(65 * 100, Some(100)), SendOutcome::Sent);
    assert_eq!(system.accepted, [(6400, Some(100)), (100, None)]);
    assert_eq!(system.counters().sent_datagrams, 65);
}

#[test]
fn single_datagrams_are_never_offloaded_and_may_be_empty() {
    for (len, segment_size) in [(0, None), (0, Some(1200)), (500, None), (500, Some(1200))] {
        let mut system = Script::new(&[]);
        assert_eq!(system.send(len, segment_size), SendOutcome::Sent);
        assert_eq!(system.accepted, [(len, None)]);
        assert_eq!(system.counters().sent_datagrams, 1);
    }
    let mut system = Script::new(&[]);
    assert_eq!(system.send(3, Some(0)), SendOutcome::Sent, "a senseless size ends nonetheless");
}

#[test]
fn would_block_tells_what_is_left_and_loses_nothing() {
    let mut system = Script::new(&[OK, Err(libc::EAGAIN)]);
    let outcome = system.send(200 * 100, Some(100));
    let expected = SendOutcome::WouldBlock { consumed: 6400, wait: SendWait::Writable };
    assert_eq!(outcome, expected);
    let counters = system.counters();
    assert_eq!((counters.sent_datagrams, counters.send_would_block), (64, 1));
    assert_eq!(counters.send_drops.total(), 0);
}

#[test]
fn no_buffers_is_would_block_with_a_pause() {
    for errno in [libc::ENOBUFS, libc::ENOMEM] {
        let mut system = Script::new(&[Err(errno)]);
        let expected = SendOutcome::WouldBlock { consumed: 0, wait: SendWait::Pause };
        assert_eq!(system.send(100, None), expected);
        assert_eq!(system.counters().send_drops.total(), 0);
    }
}

#[test]
fn icmp_errors_of_the_past_cost_one_more_call_and_no_datagram() {
    for errno in [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ENETUNREACH] {
        let mut system = Script::new(&[Err(errno)]);
        assert_eq!(system.send(3 * 100, Some(100)), SendOutcome::Sent);
        assert_eq!(system.accepted, [(300, Some(100))]);
        assert_eq!(system.calls, 2);
    }
    // For ever refused: given up after a bounded number of calls.
    let mut system = Script::new(&[Err(libc::ECONNREFUSED); 10]);
    assert_eq!(system.send(100, None), SendOutcome::Dropped(DropReason::Refused));
    assert_eq!(system.calls, ATTEMPTS);
}

#[test]
fn failed_offload_falls_back_to_single_sends_and_is_remembered() {
    for errno in [libc::EIO, libc::EINVAL] {
        let mut system = Script::new(&[Err(errno)]);
        assert_eq!(system.send(2 * 1200 + 5, Some(1200)), SendOutcome::Sent);
        assert_eq!(system.accepted, [(1200, None), (1200, None), (5, None)]);
        let counters = system.counters();
        assert_eq!((counters.sent_datagrams, counters.gso_fallbacks), (3, 1));
        assert_eq!(system.send(2 * 1200, Some(1200)), SendOutcome::Sent);
        assert_eq!(system.calls, 4 + 2, "not tried a second time");
    }
}

#[test]
fn an_impossible_destination_does_not_turn_offload_off() {
    let mut system = Script::new(&[Err(libc::EINVAL); 4]);
    let expected = SendOutcome::Dropped(DropReason::InvalidDestination);
    assert_eq!(system.send(3 * 1200, Some(1200)), expected);
    assert_eq!(system.max_segments.load(Ordering::Relaxed), 64);
    assert_eq!(system.counters().send_drops.invalid_destination, 3);
}

#[test]
fn segments_too_large_for_the_path_do_not_turn_offload_off() {
    // Kernels answer EINVAL to a batch whose segments exceed the MTU; the short tail gets through.
    let big = Err(libc::EMSGSIZE);
    let mut system = Script::new(&[Err(libc::EINVAL), big, big, OK]);
    let outcome = system.send(2 * 1400 + 9, Some(1400));
    assert_eq!(outcome, SendOutcome::Dropped(DropReason::TooLarge));
    assert_eq!(system.accepted, [(9, None)]);
    assert_eq!(system.max_segments.load(Ordering::Relaxed), 64);
    let counters = system.counters();
    assert_eq!((counters.send_drops.too_large, counters.sent_datagrams), (2, 1));
}

#[test]
fn would_block_within_a_fallback_counts_the_segments_sent() {
    let mut system = Script::new(&[Err(libc::EIO), OK, OK, Err(libc::EAGAIN)]);
    let expected = SendOutcome::WouldBlock { consumed: 2400, wait: SendWait::Writable };
    assert_eq!(system.send(4 * 1200, Some(1200)), expected);
}

#[test]
fn drops_are_counted_by_datagram_and_reason_and_the_rest_goes_on() {
    let table = [
        (libc::EMSGSIZE, DropReason::TooLarge),
        (libc::EPERM, DropReason::Forbidden),
        (libc::EACCES, DropReason::Forbidden),
        (libc::EDOM, DropReason::Other),
    ];
    for (errno, reason) in table {
        let mut system = Script::new(&[Err(errno), OK]);
        assert_eq!(system.send(65 * 100, Some(100)), SendOutcome::Dropped(reason));
        assert_eq!(system.accepted, [(100, None)], "the second part of the batch was sent");
        assert_eq!(system.counters().send_drops.total(), 64);
    }
}

#[test]
fn only_a_dead_socket_is_lost() {
    for errno in [libc::EBADF, libc::ENODEV, libc::EPIPE] {
        let mut system = Script::new(&[Err(errno)]);
        assert_eq!(system.send(65 * 100, Some(100)), SendOutcome::Lost);
        assert_eq!(system.calls, 1);
    }
}
