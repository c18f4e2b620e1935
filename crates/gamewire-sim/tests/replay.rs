//! The same seed gives the same run, datagram for datagram.

use gamewire_sim::scenario::{fixed, generate};

#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 17, 40, 99] {
        let (one, two) = (generate(seed).run(), generate(seed).run());
        assert_eq!(one.trace_hash, two.trace_hash, "seed {seed}");
        assert_eq!(one.datagrams, two.datagrams);
        assert_eq!(one.settled_after, two.settled_after);
        assert!(one.datagrams > 0);
    }
}

#[test]
fn another_seed_gives_another_run() {
    let run = |seed| fixed("lossy", seed).expect("a fixed scenario").run().trace_hash;
    assert_ne!(run(1), run(2));
}

#[test]
fn the_checkers_read_what_passes() {
    let plain = fixed("plain", 5).expect("a fixed scenario").run();
    assert!(plain.passed());
    assert!(plain.packets_read > 500, "{plain:?}");
    assert_eq!(plain.packets_read, plain.data_packets);
    assert!(plain.messages_delivered > 600, "{plain:?}");
    let sealed = fixed("lossy", 5).expect("a fixed scenario").run();
    assert_eq!(sealed.packets_read, 0);
}
