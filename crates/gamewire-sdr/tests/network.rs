//! Relays, clients and hosted servers in virtual time: the machines of this crate, joined by a
//! network with distances, losses, and relays that die.

#![allow(clippy::unwrap_used)]

#[allow(unreachable_pub)]
mod world;

use std::time::Duration;

use world::{City, Traffic, World};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn a_client_finds_the_nearest_relays_and_knows_where_it_is() {
    let mut world = World::new(1, &City::ALL, 2);
    let client = world.add_client("str:a", City::STOCKHOLM);
    world.measure(client);
    let client = world.client(client);
    let direct = |code: &str| client.measurement.direct_ping(code.parse().unwrap());
    assert!(direct("sto").unwrap() <= 8, "{:?}", direct("sto"));
    assert!(direct("syd").unwrap() > 200);
    let (location, _) = client.measurement.location().unwrap();
    assert_eq!(location.ways()[0].pop.to_string(), "sto");
    let text = location.to_string();
    assert_eq!(text.parse::<gamewire_sdr::location::PingLocation>().unwrap().to_string(), text);
    assert_eq!(client.measurement.public_address(), Some(client.address));
}

#[test]
fn by_ticket_through_a_relay_to_a_hosted_server() {
    let mut world = World::new(2, &City::ALL, 2);
    let server = world.add_server("str:server", City::FRANKFURT);
    let client = world.add_client("str:a", City::STOCKHOLM);
    world.connect_hosted(client, server);
    world.exchange(client, MS(2000), Traffic::BOTH);
    let report = world.report(client);
    assert_eq!(report.lost_to_server, 0);
    assert_eq!(report.lost_to_client, 0);
    assert!(report.received_by_server > 100 && report.received_by_client > 100);
    let status: Vec<_> = world.client(client).sessions.as_ref().unwrap().sessions().collect();
    assert_eq!(status.len(), 3, "a primary and two backups");
    let mut pops: Vec<_> = status.iter().map(|session| session.candidate.pop).collect();
    pops.dedup();
    assert_eq!(pops.len(), 3, "in different PoPs");
    world.check_secrecy();
}

#[test]
fn a_relay_dies_while_traffic_flows() {
    for (seed, traffic) in [(3, Traffic::BOTH), (4, Traffic::TO_CLIENT), (5, Traffic::TO_SERVER)] {
        let mut world = World::new(seed, &City::ALL, 2);
        let server = world.add_server("str:server", City::FRANKFURT);
        let client = world.add_client("str:a", City::STOCKHOLM);
        world.connect_hosted(client, server);
        world.exchange(client, MS(3000), traffic);
        let before = world.client(client).primary();
        world.kill_relay(before);
        world.exchange(client, MS(5000), traffic);
        assert_ne!(world.client(client).primary(), before);
        let gap = world.report(client).longest_gap;
        // Detection by two probes, and the way over the backup.
        assert!(gap < MS(700), "{traffic:?}: {gap:?}");
        // Nothing is lost any more afterwards, and there are two backups again.
        world.exchange(client, MS(3000), traffic);
        world.clear_report(client);
        world.exchange(client, MS(3000), traffic);
        let report = world.report(client);
        assert_eq!((report.lost_to_server, report.lost_to_client), (0, 0));
        assert_eq!(world.client(client).sessions.as_ref().unwrap().sessions().count(), 3);
        world.check_secrecy();
    }
}

#[test]
fn a_whole_pop_dies() {
    let mut world = World::new(6, &City::ALL, 2);
    let server = world.add_server("str:server", City::FRANKFURT);
    let client = world.add_client("str:a", City::STOCKHOLM);
    world.connect_hosted(client, server);
    world.exchange(client, MS(3000), Traffic::BOTH);
    let pop = world.pop_of(world.client(client).primary());
    for relay in world.relays_of(pop) {
        world.kill_relay(relay);
    }
    world.exchange(client, MS(5000), Traffic::BOTH);
    assert_ne!(world.pop_of(world.client(client).primary()), pop);
    assert!(world.report(client).longest_gap < MS(700));
}

#[test]
fn draining_one_relay_after_the_other_loses_nothing() {
    let mut world = World::new(7, &City::ALL, 2);
    let server = world.add_server("str:server", City::FRANKFURT);
    let client = world.add_client("str:a", City::STOCKHOLM);
    world.connect_hosted(client, server);
    for _ in 0..4 {
        let primary = world.client(client).primary();
        world.drain_relay(primary, Duration::from_secs(20));
        world.exchange(client, MS(8000), Traffic::BOTH);
        assert_ne!(world.client(client).primary(), primary, "it moved in time");
        world.exchange(client, MS(14_000), Traffic::BOTH);
        assert_eq!(world.sessions_at(primary), 0);
        world.restart_relay(primary);
    }
    let report = world.report(client);
    assert_eq!((report.lost_to_server, report.lost_to_client), (0, 0));
    assert!(report.received_by_server > 1000);
}

#[test]
fn a_lossy_way_costs_packets_but_no_session() {
    let mut world = World::new(8, &City::ALL, 2);
    world.loss_percent = 10;
    let server = world.add_server("str:server", City::FRANKFURT);
    let client = world.add_client("str:a", City::STOCKHOLM);
    world.connect_hosted(client, server);
    world.exchange(client, MS(20_000), Traffic::BOTH);
    let report = world.report(client);
    let received = report.received_by_server as f64;
    let rate = received / (received + report.lost_to_server as f64);
    assert!(rate > 0.75, "{rate}");
    assert!(report.longest_gap < MS(700));
}

#[test]
fn two_clients_over_two_relays() {
    let mut world = World::new(9, &City::ALL, 2);
    let alice = world.add_client("str:alice", City::STOCKHOLM);
    let bob = world.add_client("str:bob", City::SYDNEY);
    world.connect_p2p(alice, bob);
    world.exchange_p2p(alice, bob, MS(3000));
    for client in [alice, bob] {
        let report = world.report(client);
        assert!(report.received_by_client > 100, "{report:?}");
        assert_eq!(report.lost_to_client, 0);
    }
    assert_ne!(
        world.pop_of(world.client(alice).primary()),
        world.pop_of(world.client(bob).primary()),
        "each at a relay near itself"
    );
    world.check_secrecy();
    // One of the two dies.
    let relay = world.client(alice).primary();
    world.kill_relay(relay);
    world.exchange_p2p(alice, bob, MS(6000));
    for client in [alice, bob] {
        let gap = world.report(client).longest_gap;
        assert!(gap < MS(2500), "{gap:?}");
        world.clear_report(client);
    }
    world.exchange_p2p(alice, bob, MS(3000));
    for client in [alice, bob] {
        assert_eq!(world.report(client).lost_to_client, 0);
    }
    world.check_secrecy();
}

#[test]
fn routes_are_nearly_the_best_there_are() {
    let mut world = World::new(10, &City::ALL, 2);
    let server = world.add_server("str:server", City::FRANKFURT);
    let mut excess = Vec::new();
    for (index, city) in City::ALL.iter().enumerate() {
        let client = world.add_client(&format!("str:c{index}"), *city);
        world.connect_hosted(client, server);
        world.exchange(client, MS(15_000), Traffic::BOTH);
        let (actual, best) = world.route_quality(client, server);
        excess.push(actual / best);
    }
    excess.sort_by(f64::total_cmp);
    let p95 = excess[excess.len() * 95 / 100];
    assert!(p95 <= 1.10, "{excess:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| {
        let mut world = World::new(seed, &City::ALL, 2);
        let server = world.add_server("str:server", City::FRANKFURT);
        let client = world.add_client("str:a", City::STOCKHOLM);
        world.loss_percent = 5;
        world.connect_hosted(client, server);
        world.exchange(client, MS(3000), Traffic::BOTH);
        world.digest()
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}

/// The checkers must be able to fail.
#[test]
fn a_canary_that_leaks_is_seen() {
    let mut world = World::new(13, &City::ALL, 1);
    let server = world.add_server("str:server", City::FRANKFURT);
    let client = world.add_client("str:a", City::STOCKHOLM);
    world.connect_hosted(client, server);
    world.leak_server_address_to(client, server);
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.check_secrecy()));
    assert!(seen.is_err());
}
