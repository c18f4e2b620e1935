//! Every pair of places.

use std::time::Duration;

use gamewire_p2p::ice::RouteKind;

use crate::world::{
    Blocked, Open, PLACES, PerAddress, Place, Public, Restricted, Symmetric, World,
};

/// What theory says: direct where one side's address is the same for all, and the other side's
/// datagrams come from where it was expected, or are let in from anywhere they may come from.
fn expected(one: Place, other: Place) -> RouteKind {
    let changes = |place| matches!(place, PerAddress | Symmetric);
    let lets_changed_in = |place| matches!(place, Public | Open | Restricted);
    let direct = match (changes(one), changes(other)) {
        _ if one == Blocked || other == Blocked => false,
        (false, false) => true,
        (true, false) => lets_changed_in(other),
        (false, true) => lets_changed_in(one),
        (true, true) => false,
    };
    if direct { RouteKind::Direct } else { RouteKind::Relayed }
}

const SEEDS: u64 = 25;

/// Longest time to the first route: the signaling channel loses three in ten.
const LIMIT: Duration = Duration::from_secs(12);

#[test]
fn every_pair_of_nats_connects_as_directly_as_theory_allows() {
    let mut table = String::from("\n                ");
    PLACES.iter().for_each(|place| table.push_str(&format!("{:>16}", format!("{place:?}"))));
    let mut slowest = Duration::ZERO;
    let mut wrong = Vec::new();
    for one in PLACES {
        table.push_str(&format!("\n{:<16}", format!("{one:?}")));
        for other in PLACES {
            let mut worst = Duration::ZERO;
            let mut found = None;
            for seed in 0..SEEDS {
                let mut world = World::of(seed, [one, other]);
                world.start();
                let Some(time) = world.connect(LIMIT) else {
                    panic!("{one:?} {other:?}, seed {seed}: no route\n{}", world.explain());
                };
                worst = worst.max(time);
                // Upgrades come later.
                world.internet.run_for(Duration::from_secs(6));
                let kinds = world.routes();
                found = kinds[0];
                if kinds != [Some(expected(one, other)); 2] {
                    wrong.push(format!("{one:?} {other:?}, seed {seed}: {kinds:?}"));
                }
                let fresh = world.internet.now();
                for side in 0..2 {
                    let (_, last) = world.peer(side).received();
                    let silence = fresh.since(last.unwrap());
                    assert!(silence < Duration::from_secs(1), "{one:?} {other:?} {seed}");
                }
            }
            slowest = slowest.max(worst);
            let kind = found.map_or("none".to_owned(), |kind| format!("{kind:?}"));
            table.push_str(&format!("{:>16}", format!("{kind} {:.1}s", worst.as_secs_f64())));
        }
    }
    println!(
        "{table}\n\nroute, and the longest time to it over {SEEDS} seeds; slowest {slowest:?}"
    );
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}
