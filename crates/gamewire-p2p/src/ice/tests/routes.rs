//! Which route is found, and what happens when it goes.

use super::*;
use network::DELAY;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

fn two(addresses: [&[&str]; 2]) -> Network {
    let agents = [agent(Role::Controlling, 1), agent(Role::Controlled, 2)];
    let mut network = Network::new(agents, addresses);
    network.signal_passwords();
    network
}

fn address(text: &str) -> std::net::SocketAddr {
    text.parse().unwrap()
}

#[test]
fn two_hosts_of_one_network_meet_within_few_round_trips() {
    let mut network = two([&["192.168.1.1:1000"], &["192.168.1.2:2000"]]);
    let time = network.run_until_selected(LIMIT).unwrap();
    // Signals one way, check and response, one interval, the nominating check.
    assert!(time <= DELAY * 4 + Duration::from_millis(55), "{time:?}");
    network.run_for(Duration::from_secs(1));
    assert_eq!(
        network.selected(),
        [Some(address("192.168.1.2:2000")), Some(address("192.168.1.1:1000"))]
    );
    for agent in &network.agents {
        assert_eq!(agent.selected().unwrap().kind, RouteKind::Local);
        let pairs = agent.pairs();
        assert!(pairs[0].nominated && pairs[0].state == PairState::Succeeded);
        assert_eq!(pairs[0].smoothed_rtt, Some(DELAY * 2));
    }
    for side in 0..2 {
        assert_eq!(network.count(side, |event| matches!(event, IceEvent::Selected(_))), 1);
        assert_eq!(network.count(side, |event| matches!(event, IceEvent::GatheringDone)), 1);
        assert_eq!(network.count(side, |event| matches!(event, IceEvent::LocalCandidate(_))), 1);
    }
}

#[test]
fn the_nearest_of_many_addresses_is_used() {
    let mut network = two([
        &["203.0.113.1:1", "[2001:db8::1]:1", "10.1.2.3:1", "172.16.9.9:1"],
        &["[2001:db8::2]:2", "198.51.100.2:2", "10.1.2.77:2"],
    ]);
    network.run_for(Duration::from_secs(8));
    assert_eq!(network.selected(), [Some(address("10.1.2.77:2")), Some(address("10.1.2.3:1"))]);
    assert_eq!(network.agents[0].selected().unwrap().kind, RouteKind::Local);
    // Three pairs of IPv4 for each of two addresses and one of IPv6.
    assert_eq!(network.agents[0].pairs().len(), 3 * 2 + 1);
}

#[test]
fn a_better_pair_that_works_later_takes_over() {
    let mut network = two([&["203.0.113.1:1"], &["198.51.100.2:2"]]);
    network.run_until_selected(LIMIT).unwrap();
    assert_eq!(network.agents[0].selected().unwrap().kind, RouteKind::Direct);
    network.add_socket(0, 1, "192.168.7.1:1");
    network.add_socket(1, 1, "192.168.7.2:2");
    network.run_for(Duration::from_secs(2));
    for agent in &network.agents {
        let path = agent.selected().unwrap();
        assert_eq!((path.kind, path.socket), (RouteKind::Local, SocketId(1)));
    }
}

#[test]
fn only_what_is_enabled_is_signaled_and_reached() {
    for (enable, signaled, connects) in [
        (CandidateTypes::NONE, 0, false),
        (CandidateTypes::RELAY, 0, false),
        (CandidateTypes::PRIVATE, 1, true),
        (CandidateTypes::PUBLIC, 1, true),
        (CandidateTypes::ALL, 2, true),
    ] {
        let mut restricted = config(Role::Controlling);
        restricted.enable = enable;
        let agents =
            [Agent::new(restricted, &mut SeededEntropy::new(1)), agent(Role::Controlled, 2)];
        let own: &[&str] = &["192.168.1.1:1", "203.0.113.1:1"];
        let mut network = Network::new(agents, [own, &["192.168.1.2:2", "198.51.100.2:2"]]);
        network.signal_passwords();
        network.run_for(Duration::from_secs(12));
        let lines = network.count(0, |event| matches!(event, IceEvent::LocalCandidate(_)));
        assert_eq!(lines, signaled, "{enable:?}");
        assert_eq!(network.agents[0].selected().is_some(), connects, "{enable:?}");
        assert_eq!(network.agents[1].selected().is_some(), connects, "{enable:?}");
        let reason = if connects { None } else { Some(FailureReason::NoLocalCandidates) };
        let failed = network.events[0].iter().find_map(|(_, event)| match event {
            IceEvent::Failed(reason) => Some(*reason),
            _ => None,
        });
        assert_eq!(failed, reason, "{enable:?}");
    }
}

#[test]
fn loopback_is_no_candidate_unless_allowed() {
    for allowed in [false, true] {
        let agents = [Role::Controlling, Role::Controlled].map(|role| {
            let mut config = config(role);
            config.allow_loopback = allowed;
            Agent::new(config, &mut SeededEntropy::new(3))
        });
        let mut network = Network::new(agents, [&["127.0.0.1:1"], &["127.0.0.1:2"]]);
        network.signal_passwords();
        assert_eq!(network.run_until_selected(LIMIT).is_some(), allowed);
    }
}

#[test]
fn data_come_with_the_path_that_they_took() {
    let mut network = two([&["192.168.1.1:1000"], &["192.168.1.2:2000"]]);
    network.run_until_selected(LIMIT).unwrap();
    let path = network.agents[0].selected().unwrap();
    let mut out = Vec::new();
    let to = network.agents[0].encapsulate(path, b"\x80data", &mut out).unwrap();
    network.send(address("192.168.1.1:1000"), to, out);
    network.run_for(DELAY);
    let expected = network.agents[1].selected().unwrap();
    assert_eq!(network.data[1], [(expected, b"\x80data".to_vec())]);
}

/// Both have two networks between them; the better one stops carrying anything.
fn outage(seconds: u64) -> (Network, Duration) {
    let mut network = two([&["192.168.1.1:1", "10.0.0.1:1"], &["192.168.1.2:2", "10.0.0.2:2"]]);
    network.run_for(Duration::from_secs(seconds));
    assert_eq!(network.agents[0].selected().unwrap().socket, SocketId(0));
    let cut = network.now;
    network.is_lost = Box::new(|_, from, _, _| from.ip().to_string().starts_with("192"));
    let mut gone = Duration::ZERO;
    while network.agents.iter().any(|agent| agent.selected().unwrap().socket == SocketId(0)) {
        network.run_for(Duration::from_millis(10));
        gone = network.now.since(cut);
        assert!(gone < Duration::from_secs(20), "nobody leaves the dead path");
    }
    (network, gone)
}

#[test]
fn a_silent_path_is_left_for_one_in_reserve() {
    let (network, gone) = outage(10);
    // The next check is at most six seconds away, and the third sending a second later.
    assert!(gone <= Duration::from_millis(7200), "{gone:?}");
    for side in 0..2 {
        assert_eq!(network.count(side, |event| matches!(event, IceEvent::RouteLost)), 0);
    }
}

#[test]
fn whoever_hears_nothing_may_ask_at_once() {
    let mut network = two([&["192.168.1.1:1", "10.0.0.1:1"], &["192.168.1.2:2", "10.0.0.2:2"]]);
    network.run_for(Duration::from_secs(10));
    network.is_lost = Box::new(|_, from, _, _| from.ip().to_string().starts_with("192"));
    for agent in &mut network.agents {
        agent.check_now(network.now);
    }
    network.run_for(Duration::from_millis(1100));
    for agent in &network.agents {
        assert_eq!(agent.selected().unwrap().socket, SocketId(1));
    }
}

#[test]
fn the_better_path_is_used_again_when_it_is_back() {
    let (mut network, _) = outage(10);
    network.is_lost = Box::new(|_, _, _, _| false);
    network.run_for(Duration::from_secs(30));
    for agent in &network.agents {
        assert_eq!(agent.selected().unwrap().socket, SocketId(0));
    }
}

#[test]
fn a_lost_route_is_told_and_found_again() {
    let mut network = two([&["192.168.1.1:1"], &["192.168.1.2:2"]]);
    network.run_until_selected(LIMIT).unwrap();
    network.is_lost = Box::new(|_, _, _, _| true);
    network.run_for(Duration::from_secs(12));
    for (side, agent) in network.agents.iter().enumerate() {
        assert_eq!(agent.selected(), None);
        let lost = network.events[side].iter().filter(|(_, e)| *e == IceEvent::RouteLost);
        assert_eq!(lost.count(), 1);
    }
    network.is_lost = Box::new(|_, _, _, _| false);
    assert!(network.run_until_selected(Duration::from_secs(7)).is_some());
}

#[test]
fn an_interface_that_goes_takes_its_pairs_along() {
    let mut network = two([&["192.168.1.1:1", "10.0.0.1:1"], &["192.168.1.2:2", "10.0.0.2:2"]]);
    network.run_for(Duration::from_secs(3));
    let now = network.now;
    network.agents[0].remove_socket(now, SocketId(0));
    assert_eq!(network.agents[0].selected().unwrap().socket, SocketId(1));
    network.run_for(Duration::from_secs(1));
    // The other side follows the nomination.
    assert_eq!(network.agents[1].selected().unwrap().socket, SocketId(1));
    network.agents[0].remove_socket(network.now, SocketId(1));
    assert_eq!(network.agents[0].selected(), None);
    network.add_socket(0, 2, "192.168.1.9:9");
    network.run_for(Duration::from_secs(1));
    assert_eq!(network.agents[1].selected().unwrap().remote, address("192.168.1.9:9"));
}

#[test]
fn a_peer_that_moved_is_followed_once_its_data_are_known_to_be_its() {
    let mut network = two([&["203.0.113.1:1"], &["198.51.100.2:2"]]);
    network.run_for(Duration::from_secs(3));
    // A NAT before the second peer gives it another address; the agents know nothing of it.
    let (old, new) = (address("198.51.100.2:2"), address("198.51.100.2:7777"));
    let from_new = b"\x80sealed";
    let now = network.now;
    let input = network.agents[0].handle_datagram(now, SocketId(0), new, from_new);
    let Input::Data { path, .. } = input else {
        panic!("{input:?}");
    };
    assert_eq!((path.remote, path.kind), (new, RouteKind::Direct));
    network.agents[0].handle_authenticated(now, path);
    // The check goes there at once, and the answer makes it the path in use.
    let check = network.agents[0].poll_transmit().unwrap();
    assert_eq!(check.destination, new);
    let input = network.agents[1].handle_datagram(
        now,
        SocketId(0),
        address("203.0.113.1:1"),
        &check.payload,
    );
    assert_eq!(input, Input::Handled);
    let answer = network.agents[1].poll_transmit().unwrap();
    network.agents[0].handle_datagram(now, SocketId(0), new, &answer.payload);
    assert_eq!(network.agents[0].selected().unwrap().remote, new);
    assert_ne!(old, new);
}

#[test]
fn ice_begins_anew_with_roles_turned() {
    let mut network = two([&["192.168.1.1:1"], &["192.168.1.2:2"]]);
    network.run_until_selected(LIMIT).unwrap();
    let [first, second] = credentials();
    let now = network.now;
    network.agents[0].restart(now, first, Role::Controlled);
    network.agents[1].restart(now, second, Role::Controlling);
    assert_eq!(network.agents[0].selected(), None);
    network.signal_passwords();
    assert!(network.run_until_selected(LIMIT).is_some());
    assert_eq!(network.agents[1].role(), Role::Controlling);
}

#[test]
fn a_seed_decides_every_datagram() {
    let run = || {
        let mut network = two([&["192.168.1.1:1", "10.0.0.1:1"], &["192.168.1.2:2"]]);
        network.run_for(Duration::from_secs(30));
        (network.sent, network.agents.map(|agent| agent.trace().to_vec()))
    };
    assert_eq!(run(), run());
}
