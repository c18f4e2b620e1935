//! What broke others (lessons.md 5.3), and what strangers send.

use super::*;
use crate::stun::{Builder, Class, Message, TransactionId, attribute, method};
use gamewire_crypto::Entropy;
use message::CheckRequest;
use network::{DELAY, START};
use std::{net::SocketAddr, time::Duration};

fn host(number: u8) -> SocketAddr {
    SocketAddr::new([192, 168, 1, number].into(), 1000 + u16::from(number))
}

/// A check of the controlling peer to the controlled agent.
fn check(id: u8, nominates: bool) -> Vec<u8> {
    let request = CheckRequest {
        id: TransactionId([id; 12]),
        priority: 77,
        role: Role::Controlling,
        tie_breaker: 1,
        nominates,
    };
    request.write(&credentials()[0], "other")
}

/// The response of a peer with these credentials to a check of the controlled agent's.
fn response(id: TransactionId, from: SocketAddr, names: &Credentials) -> Vec<u8> {
    let name = message::response_name(b"", names);
    message::response(id, from, &name, &names.local_password)
}

/// The controlled agent with one socket.
fn controlled() -> Agent {
    let mut agent = agent(Role::Controlled, 7);
    agent.add_socket(START, SocketId(0), host(2));
    agent
}

/// The id of the check that leaves next.
fn next_check(agent: &mut Agent) -> Option<(TransactionId, SocketAddr)> {
    while let Some(transmit) = agent.poll_transmit() {
        let message = Message::parse(&transmit.payload).unwrap();
        if message.class() == Class::Request {
            return Some((message.transaction_id(), transmit.destination));
        }
    }
    None
}

fn answer(agent: &mut Agent, now: gamewire_proto::Time, id: TransactionId, from: SocketAddr) {
    let bytes = response(id, host(2), &credentials()[0]);
    assert_eq!(agent.handle_datagram(now, SocketId(0), from, &bytes), Input::Handled);
}

#[test]
fn a_check_before_password_and_candidate_is_answered_and_not_forgotten() {
    let mut agent = controlled();
    let input = agent.handle_datagram(START, SocketId(0), host(1), &check(1, true));
    assert_eq!(input, Input::Handled);
    let transmit = agent.poll_transmit().unwrap();
    assert_eq!(Message::parse(&transmit.payload).unwrap().class(), Class::Success);
    assert_eq!(agent.poll_transmit(), None);
    // The password comes: our check leaves at once, and its answer makes the nomination good.
    agent.set_remote_password(START, "first");
    let (id, to) = next_check(&mut agent).unwrap();
    assert_eq!(to, host(1));
    assert_eq!(agent.selected(), None);
    answer(&mut agent, START, id, host(1));
    assert_eq!(agent.selected().unwrap().remote, host(1));
}

#[test]
fn a_reply_to_a_request_that_was_replaced_still_counts() {
    let mut agent = controlled();
    agent.set_remote_password(START, "first");
    agent.handle_datagram(START, SocketId(0), host(1), &check(1, false));
    let (first, _) = next_check(&mut agent).unwrap();
    // The whole check fails, another leaves, and only then the first is answered.
    let (now, second) = loop {
        let now = agent.poll_timeout().unwrap();
        agent.handle_timeout(now);
        match next_check(&mut agent) {
            Some((id, _)) if id != first => break (now, id),
            _ => {}
        }
    };
    assert_ne!(first, second);
    answer(&mut agent, now, first, host(1));
    assert_eq!(agent.pairs()[0].state, PairState::Succeeded);
}

#[test]
fn a_reply_from_somebody_else_proves_nothing() {
    let mut agent = controlled();
    agent.set_remote_password(START, "first");
    agent.handle_datagram(START, SocketId(0), host(1), &check(1, false));
    let (id, _) = next_check(&mut agent).unwrap();
    let bytes = response(id, host(2), &credentials()[0]);
    let input = agent.handle_datagram(START, SocketId(0), host(9), &bytes);
    assert_eq!(input, Input::Dropped(DropReason::UnknownTransaction));
    // Nor does one that is signed by nobody, or with another password.
    let mut forger = credentials()[0].clone();
    forger.local_password = "wrong".to_owned();
    let bytes = response(id, host(2), &forger);
    let input = agent.handle_datagram(START, SocketId(0), host(1), &bytes);
    assert_eq!(input, Input::Dropped(DropReason::Integrity));
    let bare = Builder::new(Class::Success, method::BINDING, id).fingerprint();
    let input = agent.handle_datagram(START, SocketId(0), host(1), &bare);
    assert_eq!(input, Input::Dropped(DropReason::Integrity));
    assert_eq!(agent.pairs()[0].state, PairState::InProgress);
    assert_eq!(agent.dropped(DropReason::Integrity), 2);
}

#[test]
fn a_nomination_sent_again_late_does_not_bring_back_an_older_choice() {
    let mut agent = controlled();
    agent.set_remote_password(START, "first");
    let mut now = START;
    for (number, id) in [(1, 1), (3, 2)] {
        now += Duration::from_millis(60);
        agent.handle_datagram(now, SocketId(0), host(number), &check(id, true));
        let (check, to) = next_check(&mut agent).unwrap();
        answer(&mut agent, now, check, to);
        assert_eq!(agent.selected().unwrap().remote, host(number));
    }
    agent.handle_datagram(now, SocketId(0), host(1), &check(1, true));
    assert_eq!(agent.selected().unwrap().remote, host(3));
    // A new one does.
    agent.handle_datagram(now, SocketId(0), host(1), &check(9, true));
    assert_eq!(agent.selected().unwrap().remote, host(1));
}

#[test]
fn strangers_get_no_answer_and_change_nothing() {
    let mut agent = controlled();
    agent.set_remote_password(START, "first");
    let before = format!("{:?}", agent.pairs());
    let good = check(1, true);
    let mut wrong_crc = good.clone();
    *wrong_crc.last_mut().unwrap() ^= 1;
    let username = |name: &str, password: &str| {
        Builder::new(Class::Request, method::BINDING, TransactionId([5; 12]))
            .attribute(attribute::USERNAME, name.as_bytes())
            .integrity(password.as_bytes())
            .fingerprint()
    };
    let right = format!("{}:{}", ufrag_of(2), ufrag_of(1));
    let nameless = Builder::new(Class::Request, method::BINDING, TransactionId([5; 12]));
    let allocate = Builder::new(Class::Request, method::ALLOCATE, TransactionId([5; 12]));
    for (bytes, reason) in [
        (wrong_crc, DropReason::Fingerprint),
        (username(&right, "wrong"), DropReason::Integrity),
        (username(&format!("{}:{}", ufrag_of(1), ufrag_of(2)), "other"), DropReason::UserName),
        (username(&"x".repeat(600), "other"), DropReason::UserName),
        (nameless.fingerprint(), DropReason::UserName),
        (allocate.fingerprint(), DropReason::Unexpected),
        (
            response(TransactionId([1; 12]), host(2), &credentials()[0]),
            DropReason::UnknownTransaction,
        ),
        (vec![], DropReason::Empty),
    ] {
        let input = agent.handle_datagram(START, SocketId(0), host(66), &bytes);
        assert_eq!(input, Input::Dropped(reason));
        assert_eq!(agent.poll_transmit(), None, "{reason:?}");
        assert_eq!(
            agent.dropped(reason),
            1 + u64::from(reason == DropReason::UserName) * (agent.dropped(reason) - 1)
        );
    }
    assert_eq!(
        agent.handle_datagram(START, SocketId(9), host(1), &good),
        Input::Dropped(DropReason::UnknownSocket)
    );
    assert_eq!(format!("{:?}", agent.pairs()), before);
    // A single byte is no STUN.
    assert!(matches!(
        agent.handle_datagram(START, SocketId(0), host(66), &[0]),
        Input::Data { .. }
    ));
}

#[test]
fn a_longer_user_name_is_taken_and_no_answer_is_longer_than_the_check() {
    let mut agent = controlled();
    let name = format!("{}:{}{}", ufrag_of(2), ufrag_of(1), "x".repeat(480));
    let bytes = Builder::new(Class::Request, method::BINDING, TransactionId([5; 12]))
        .attribute(attribute::USERNAME, name.as_bytes())
        .integrity(b"other")
        .fingerprint();
    assert_eq!(agent.handle_datagram(START, SocketId(0), host(1), &bytes), Input::Handled);
    assert!(agent.poll_transmit().unwrap().payload.len() <= bytes.len());
    agent.handle_datagram(START, SocketId(0), host(1), &check(1, false));
    assert!(agent.poll_transmit().unwrap().payload.len() <= check(1, false).len());
}

#[test]
fn candidates_pairs_and_sockets_are_limited() {
    let mut agent = controlled();
    agent.set_remote_password(START, "first");
    let mut taken = 0;
    for number in 0..200 {
        let line = format!("candidate:1 0 udp 7 10.9.{number}.1 9 typ host");
        taken += usize::from(agent.add_remote_candidate(START, &line));
    }
    assert_eq!(taken, MAX_REMOTE_CANDIDATES);
    let input = agent.handle_datagram(START, SocketId(0), host(1), &check(1, false));
    assert_eq!(input, Input::Dropped(DropReason::Limit));
    for number in 1..200 {
        let local = SocketAddr::new([10, 8, number, 1].into(), 5);
        agent.add_socket(START, SocketId(number % 128), local);
    }
    assert!(agent.pairs().len() <= MAX_PAIRS);
    assert!(agent.locals.sockets().len() <= MAX_SOCKETS);
    // One new check in fifty milliseconds, however many pairs there are.
    while agent.poll_transmit().is_some() {}
    agent.handle_timeout(START + Duration::from_millis(50));
    let mut fresh = 0;
    while next_check(&mut agent).is_some() {
        fresh += 1;
    }
    assert_eq!(fresh, 1);
}

#[test]
fn equal_roles_are_settled_without_a_word() {
    for role in [Role::Controlling, Role::Controlled] {
        let agents = [(0, 1), (1, 2)].map(|(side, seed)| {
            let config = AgentConfig::new(role, credentials()[side].clone());
            Agent::new(config, &mut SeededEntropy::new(seed))
        });
        let addresses: [&[&str]; 2] = [&["192.168.1.1:1"], &["192.168.1.2:2"]];
        let mut network = Network::new(agents, addresses);
        network.signal_passwords();
        assert!(network.run_until_selected(Duration::from_secs(3)).is_some(), "{role:?}");
        let [first, second] = &network.agents;
        assert_ne!(first.role(), second.role());
    }
}

#[test]
fn loss_while_nominating_delays_and_no_more() {
    let mut slowest = Duration::ZERO;
    for seed in 0..200 {
        let agents = [agent(Role::Controlling, seed), agent(Role::Controlled, seed + 1000)];
        let mut network = Network::new(agents, [&["192.168.1.1:1"], &["192.168.1.2:2"]]);
        let mut chance = SeededEntropy::new(seed);
        network.is_lost = Box::new(move |_, _, _, _| chance.next_u32() % 10 < 3);
        network.signal_passwords();
        let time = network.run_until_selected(Duration::from_secs(20));
        slowest = slowest.max(time.unwrap_or_else(|| panic!("seed {seed}")));
        // Both use the same pair in the end.
        assert_eq!(network.selected(), [Some(host_of(2)), Some(host_of(1))], "seed {seed}");
    }
    // One in a hundred takes longer than five seconds: all five sendings of a check were lost.
    assert!(slowest < Duration::from_secs(8), "{slowest:?}");
}

fn host_of(number: u8) -> SocketAddr {
    SocketAddr::new([192, 168, 1, number].into(), u16::from(number))
}

#[test]
fn one_side_without_the_candidates_of_the_other_suffices() {
    for silent in 0..2 {
        let agents = [agent(Role::Controlling, 1), agent(Role::Controlled, 2)];
        let mut network = Network::new(agents, [&["192.168.1.1:1"], &["192.168.1.2:2"]]);
        network.signal_passwords();
        network.drain();
        network.signal_delay[silent] = None;
        assert!(network.run_until_selected(Duration::from_secs(3)).is_some());
    }
}

#[test]
fn whatever_bytes_come_nothing_breaks() {
    let mut entropy = SeededEntropy::new(11);
    let mut agent = controlled();
    agent.set_remote_password(START, "first");
    let seeds = [
        check(1, true),
        check(2, false),
        response(TransactionId([1; 12]), host(2), &credentials()[0]),
    ];
    for round in 0..20_000_u32 {
        let mut bytes = seeds[round as usize % seeds.len()].clone();
        for _ in 0..=entropy.next_u32() % 4 {
            let index = entropy.next_u32() as usize % bytes.len();
            bytes[index] = entropy.next_u32() as u8;
        }
        bytes.truncate(entropy.next_u32() as usize % (bytes.len() + 20));
        let _ = agent.handle_datagram(START + DELAY * round, SocketId(0), host(1), &bytes);
        while agent.poll_transmit().is_some() {}
        while agent.poll_event().is_some() {}
    }
    assert!(agent.trace().len() <= MAX_TRACE);
}
