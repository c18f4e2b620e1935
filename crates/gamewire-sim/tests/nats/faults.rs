//! What goes wrong on the way, and what must not come of it.

use std::time::Duration;

use gamewire_p2p::ice::{
    CandidateKind, CandidateTypes, FailureReason, IceEvent, RouteKind, SocketId, TraceStep,
    TurnTransport,
};
use gamewire_sim::{
    internet::{
        Dependence::{AddressAndPortDependent, EndpointIndependent},
        NatConfig, PUBLIC, Weather,
    },
    rng::PerMillion,
};

use crate::world::{Blocked, Open, PortRestricted, Public, Symmetric, World, address, config, ip};

const LIMIT: Duration = Duration::from_secs(15);

fn both(kind: RouteKind) -> [Option<RouteKind>; 2] {
    [Some(kind); 2]
}

/// Time since the data of the other last came to each.
fn silence(world: &World) -> [Duration; 2] {
    [0, 1].map(|side| {
        let (_, last) = world.peer(side).received();
        last.map_or(Duration::MAX, |last| world.internet.now().since(last))
    })
}

fn failure(world: &World, side: usize) -> Option<FailureReason> {
    world.peer(side).events().iter().find_map(|(_, event)| match event {
        IceEvent::Failed(reason) => Some(*reason),
        _ => None,
    })
}

#[test]
fn one_home_needs_no_router() {
    let mut world = World::new(1);
    let nat = NatConfig::new(AddressAndPortDependent, AddressAndPortDependent);
    let home = world.internet.add_network(PUBLIC, nat, ip("203.0.113.1"));
    for side in 0..2 {
        world.add_peer(1, side, config(side, Public));
        world.plug(side, 0, home, ip(&format!("192.168.1.{}", 10 + side)));
    }
    world.start();
    world.connect(LIMIT).expect("a route");
    world.internet.run_for(Duration::from_secs(2));
    assert_eq!(world.routes(), both(RouteKind::Local));
}

#[test]
fn neighbours_behind_one_carrier_need_its_hairpin() {
    for (hairpin, kind) in [(true, RouteKind::Direct), (false, RouteKind::Relayed)] {
        let mut world = World::new(1);
        let nat =
            NatConfig { hairpin, ..NatConfig::new(EndpointIndependent, AddressAndPortDependent) };
        let carrier = world.internet.add_network(PUBLIC, nat, ip("203.0.113.1"));
        for side in 0..2 {
            let outer = ip(&format!("100.64.0.{}", 10 + side));
            let home = world.internet.add_network(carrier, nat, outer);
            world.add_peer(1, side, config(side, Public));
            world.plug(side, 0, home, ip(&format!("192.168.{side}.2")));
        }
        world.start();
        world.connect(LIMIT).expect("a route");
        world.internet.run_for(Duration::from_secs(8));
        assert_eq!(world.routes(), both(kind), "hairpin: {hairpin}");
    }
}

#[test]
fn without_a_relay_what_is_not_direct_fails_and_says_why() {
    for (places, connects) in [
        ([PortRestricted, PortRestricted], true),
        ([PortRestricted, Symmetric], false),
        ([Blocked, Public], false),
    ] {
        let mut world = World::new(3);
        for (side, place) in places.into_iter().enumerate() {
            let mut config = config(side, place);
            config.turn_servers.clear();
            world.add_peer(3, side, config);
            world.put(side, place);
        }
        world.start();
        assert_eq!(world.connect(LIMIT).is_some(), connects, "{places:?}");
        world.internet.run_for(Duration::from_secs(10));
        let reason = if connects { None } else { Some(FailureReason::ChecksFailed) };
        assert_eq!([0, 1].map(|side| failure(&world, side)), [reason; 2], "{places:?}");
    }
}

#[test]
fn a_relay_that_refuses_or_is_silent_is_told() {
    let mut world = World::new(4);
    for side in 0..2 {
        let mut config = config(side, Symmetric);
        config.turn_servers[0].password = "wrong".to_owned();
        world.add_peer(4, side, config);
        world.put(side, Symmetric);
    }
    world.start();
    assert_eq!(world.connect(LIMIT), None);
    let refused = TraceStep::ServerRefused(address(crate::world::TURN), 401);
    assert!(world.peer(0).agent().trace().iter().any(|entry| entry.step == refused));

    let mut world = World::of(4, [Symmetric, Symmetric]);
    world.turn_server(|server| server.off = true);
    world.start();
    assert_eq!(world.connect(LIMIT), None);
    let silent = TraceStep::ServerSilent(address(crate::world::TURN));
    assert!(world.peer(0).agent().trace().iter().any(|entry| entry.step == silent));
    // It is asked again later, and then there is a route.
    world.turn_server(|server| server.off = false);
    assert!(world.connect(Duration::from_secs(60)).is_some(), "{}", world.explain());
}

#[test]
fn bad_weather_delays_and_no_more() {
    let weather = Weather {
        delay: Duration::from_millis(40),
        jitter: Duration::from_millis(60),
        loss: PerMillion::percent(20),
        duplicated: PerMillion::percent(10),
    };
    for (places, kind) in [
        ([PortRestricted, PortRestricted], RouteKind::Direct),
        ([Symmetric, PortRestricted], RouteKind::Relayed),
        ([Symmetric, Open], RouteKind::Direct),
    ] {
        for seed in 0..40 {
            let mut world = World::of(seed, places);
            world.internet.weather = weather;
            world.start();
            assert!(world.connect(LIMIT).is_some(), "{places:?} {seed}\n{}", world.explain());
            world.internet.run_for(Duration::from_secs(20));
            assert_eq!(world.routes(), both(kind), "{places:?} {seed}\n{}", world.explain());
        }
    }
}

#[test]
fn routes_stay_open_for_as_long_as_they_are_wanted() {
    for places in [[PortRestricted, PortRestricted], [Symmetric, Symmetric]] {
        let mut world = World::of(5, places);
        world.start();
        world.connect(LIMIT).expect("a route");
        // Longer than any permission, channel, nonce or allocation lasts.
        for _ in 0..40 {
            world.internet.run_for(Duration::from_secs(60));
            assert!(silence(&world).into_iter().max() < Some(Duration::from_secs(1)));
        }
        for side in 0..2 {
            let lost = |event: &IceEvent| *event == IceEvent::RouteLost;
            assert!(!world.peer(side).events().iter().any(|(_, event)| lost(event)));
        }
    }
}

#[test]
fn channels_carry_the_data_where_the_server_grants_them() {
    for granted in [true, false] {
        let mut world = World::new(6);
        world.turn_server(|server| server.set_channels(granted));
        for side in 0..2 {
            world.add_peer(6, side, config(side, Symmetric));
            world.put(side, Symmetric);
        }
        world.start();
        world.connect(LIMIT).expect("a route");
        world.internet.run_for(Duration::from_secs(20));
        let (channels, indications) = world.turn_server(|server| server.relayed);
        assert_eq!(channels > indications, granted, "{channels} {indications}");
        assert!(silence(&world).into_iter().max() < Some(Duration::from_secs(1)));
    }
}

#[test]
fn a_nonce_that_runs_out_is_replaced() {
    let mut world = World::new(7);
    world.turn_server(|server| server.set_nonce_lifetime(Duration::from_secs(45)));
    for side in 0..2 {
        world.add_peer(7, side, config(side, Symmetric));
        world.put(side, Symmetric);
    }
    world.start();
    world.connect(LIMIT).expect("a route");
    world.internet.run_for(Duration::from_secs(1500));
    assert!(silence(&world).into_iter().max() < Some(Duration::from_secs(1)));
}

#[test]
fn lent_addresses_are_given_back() {
    let mut world = World::of(8, [Symmetric, Blocked]);
    world.start();
    world.connect(LIMIT).expect("a route");
    let now = world.internet.now();
    assert_eq!(world.turn_server(|server| server.allocations(now)), 2);
    for id in world.peers {
        world.internet.with(id, |machine, now| machine.peer_mut().unwrap().close(now));
    }
    world.internet.run_for(Duration::from_millis(200));
    let now = world.internet.now();
    assert_eq!(world.turn_server(|server| server.allocations(now)), 0);
}

#[test]
fn a_relay_that_forgets_is_asked_anew() {
    let mut world = World::of(9, [Symmetric, Symmetric]);
    world.start();
    world.connect(LIMIT).expect("a route");
    world.turn_server(gamewire_sim::internet::TurnServer::forget);
    world.internet.run_for(Duration::from_secs(1));
    assert!(silence(&world).into_iter().min() > Some(Duration::from_millis(500)));
    // The next check is not answered, so the server is asked whether it still knows us.
    world.internet.run_for(Duration::from_secs(14));
    assert!(
        silence(&world).into_iter().max() < Some(Duration::from_secs(1)),
        "{:?}\n{}",
        silence(&world),
        world.explain()
    );
}

#[test]
fn a_router_that_restarts_costs_seconds() {
    for seed in 0..20 {
        let mut world = World::of(seed, [PortRestricted, PortRestricted]);
        world.start();
        world.connect(LIMIT).expect("a route");
        world.internet.run_for(Duration::from_secs(20));
        world.reset_nat(0);
        world.internet.run_for(Duration::from_secs(12));
        assert!(
            silence(&world).into_iter().max() < Some(Duration::from_secs(1)),
            "{seed} {:?}\n{}",
            silence(&world),
            world.explain()
        );
    }
}

#[test]
fn a_change_of_network_costs_seconds() {
    for seed in 0..20 {
        let mut world = World::of(seed, [PortRestricted, PortRestricted]);
        world.start();
        world.connect(LIMIT).expect("a route");
        world.internet.run_for(Duration::from_secs(5));
        // From the home to a public address, as from Wi-Fi to a mobile network.
        let id = world.peers[0];
        world.internet.disconnect(id, ip("192.168.1.2"));
        world.internet.with(id, |machine, now| {
            machine.peer_mut().unwrap().remove_socket(now, 0);
        });
        world.plug(0, 1, PUBLIC, ip("203.0.113.77"));
        world.internet.run_for(Duration::from_secs(3));
        assert_eq!(world.routes(), both(RouteKind::Direct), "{seed}\n{}", world.explain());
        assert!(silence(&world).into_iter().max() < Some(Duration::from_secs(1)), "{seed}");
        let socket = world.peer(0).agent().selected().unwrap().socket;
        assert_eq!(socket, SocketId(1));
    }
}

#[test]
fn only_relays_are_used_where_only_they_are_enabled() {
    let mut world = World::new(10);
    for side in 0..2 {
        let mut config = config(side, Public);
        if side == 0 {
            config.enable = CandidateTypes::RELAY;
        }
        world.add_peer(10, side, config);
        world.put(side, Public);
    }
    world.start();
    world.connect(LIMIT).expect("a route");
    world.internet.run_for(Duration::from_secs(8));
    assert_eq!(world.routes(), both(RouteKind::Relayed));
    // The other one never learns an address of its own.
    for (kind, address) in world.peer(1).agent().remote_candidates() {
        assert_eq!((kind, address.ip()), (CandidateKind::Relayed, ip("198.51.100.20")));
    }
}

#[test]
fn tls_streams_serve_as_well() {
    let mut world = World::new(11);
    for side in 0..2 {
        let mut config = config(side, Blocked);
        config.turn_servers[0].transport = TurnTransport::Tls;
        world.add_peer(11, side, config);
        world.put(side, Blocked);
    }
    world.start();
    world.connect(LIMIT).expect("a route");
    assert_eq!(world.routes(), both(RouteKind::Relayed));
    let opened = |event: &IceEvent| matches!(event, IceEvent::OpenStream { tls: true, .. });
    assert!(world.peer(0).events().iter().any(|(_, event)| opened(event)));
}

#[test]
fn ipv6_connects_directly_where_both_have_it() {
    let mut world = World::of(12, [Symmetric, Symmetric]);
    for side in 0..2 {
        world.plug(side, 1, PUBLIC, ip(&format!("2001:db8::{}", 1 + side)));
    }
    world.start();
    world.connect(LIMIT).expect("a route");
    world.internet.run_for(Duration::from_secs(3));
    assert_eq!(world.routes(), both(RouteKind::Direct));
    assert!(world.peer(0).agent().selected().unwrap().remote.is_ipv6());
}

#[test]
fn a_seed_decides_everything() {
    let run = |seed| {
        let mut world = World::of(seed, [PortRestricted, Symmetric]);
        world.internet.weather.loss = PerMillion::percent(20);
        world.start();
        world.internet.run_for(Duration::from_secs(60));
        (world.internet.sent(), world.explain())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
