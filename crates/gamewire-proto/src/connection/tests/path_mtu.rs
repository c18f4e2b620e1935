//! Packets as large as the path carries, between peers that negotiated it.

use super::*;

fn searching() -> ConnectionConfig {
    let mut config = fast();
    config.send.mtu_limit = 65_507;
    config.send.buffer_bytes = 4 << 20;
    config.receive.buffer_bytes = 4 << 20;
    config
}

/// Sends so many bytes and waits for them; the largest datagram that carried some, and how many
/// datagrams there were.
fn bulk(pair: &mut Pair, bytes: usize) -> (usize, usize) {
    let before = pair.hosts[0].messages.len();
    let payload: Bytes = (0..bytes).map(|at| (at * 31) as u8).collect::<Vec<u8>>().into();
    let messages = payload.chunks(400_000).map(|part| payload.slice_ref(part));
    let messages: Vec<Bytes> = messages.collect();
    pair.launched[0].clear();
    for part in &messages {
        pair.send(1, message(part.clone(), true));
    }
    pair.run(Duration::from_secs(3));
    let received = pair.hosts[0].messages[before..].iter().map(|message| &message.payload);
    assert!(received.eq(&messages), "everything arrives, in order");
    let lens = &pair.launched[0];
    (lens.iter().copied().filter(|&len| len <= pair.mtu).max().unwrap(), lens.len())
}

fn size_in_use(pair: &mut Pair) -> usize {
    pair.connection(1).packet_size()
}

#[test]
fn packets_grow_to_what_the_path_carries() {
    for (mtu, found) in [(1300, 1300), (1452, 1452), (1480, 1472), (9000, 8952), (65_507, 65_487)] {
        let mut pair = Pair::connected([searching(), searching()]);
        pair.mtu = mtu;
        assert_eq!(size_in_use(&mut pair), 1300);
        for _ in 0..12 {
            bulk(&mut pair, 100_000);
        }
        assert_eq!(size_in_use(&mut pair), found, "{mtu}");
        let (largest, count) = bulk(&mut pair, 1_000_000);
        assert!(largest <= found && largest + 100 > found, "{largest} of {found}");
        assert!(count <= 1_000_000 / (found - 80) + 20, "{count} of {found}");
    }
}

#[test]
fn a_lone_message_makes_no_search() {
    let mut pair = Pair::connected([searching(), searching()]);
    pair.launched[0].clear();
    for _ in 0..100 {
        pair.send(1, message(vec![1; 100], true));
        pair.run(Duration::from_millis(20));
    }
    assert!(pair.launched[0].iter().all(|&len| len < 400));
    assert_eq!(size_in_use(&mut pair), 1300);
}

#[test]
fn lost_probes_are_no_loss_to_the_congestion_control() {
    let mut config = searching();
    (config.send.rate_min, config.send.rate_max) = (1024, UNLIMITED_RATE);
    let mut pair = Pair::connected([searching(), config]);
    pair.mtu = 1300;
    for _ in 0..10 {
        bulk(&mut pair, 100_000);
    }
    let now = pair.now;
    let oversized = pair.launched[0].iter().filter(|&&len| len > 1300).count();
    assert_eq!(oversized, 0, "the search is over");
    let estimate = pair.connection(1).real_time(now).estimate;
    assert_eq!(estimate.usual_loss_ppm, 0);
    let session = pair.connection(1).session.as_ref().unwrap();
    assert_eq!(session.recovery.bytes_in_flight(), 0);
}

#[test]
fn a_path_that_begins_to_swallow_large_packets_is_noticed() {
    for reliable in [true, false] {
        let mut pair = Pair::connected([searching(), searching()]);
        for _ in 0..12 {
            bulk(&mut pair, 100_000);
        }
        assert_eq!(size_in_use(&mut pair), 65_487);
        pair.mtu = 2000;
        if reliable {
            bulk(&mut pair, 1_000_000);
        } else {
            let before = pair.hosts[0].messages.len();
            for _ in 0..400 {
                pair.send(1, message(vec![7; 9000], false));
                pair.run(Duration::from_millis(10));
            }
            let arrived = pair.hosts[0].messages.len() - before;
            assert!(arrived > 300, "{arrived}");
        }
        for _ in 0..10 {
            bulk(&mut pair, 100_000);
        }
        assert_eq!(size_in_use(&mut pair), 1472, "reliable: {reliable}");
    }
}

#[test]
fn a_chosen_size_and_a_peer_of_valves_make_no_search() {
    let mut chosen = searching();
    chosen.send.mtu_limit = chosen.send.mtu;
    let identities = ["str:server", "str:client"];
    let pairs = [
        Pair::connected([searching(), chosen]),
        Pair::with_features([searching(), searching()], identities, 0).until_connected(),
    ];
    for mut pair in pairs {
        for _ in 0..5 {
            assert!(bulk(&mut pair, 100_000).0 <= 1300);
        }
        assert!(pair.launched[0].iter().all(|&len| len <= 1300));
    }
}

#[test]
fn random_loss_leaves_the_size_alone() {
    let mut pair = Pair::connected([searching(), searching()]);
    for _ in 0..12 {
        bulk(&mut pair, 100_000);
    }
    for _ in 0..20 {
        pair.swallow = 2;
        bulk(&mut pair, 1_000_000);
        assert_eq!(size_in_use(&mut pair), 65_487);
    }
}
