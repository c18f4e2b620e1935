//! Goodbyes that got lost, and forged ones.

use gamewire_wire::messages::{ConnectionClosed, NoConnection};

use super::*;

/// The acceptor closes, nobody hears it, and it forgets the connection.
fn acceptor_is_gone() -> Pair {
    let mut pair = Pair::connected([fast(), fast()]);
    let now = pair.now;
    pair.connection(0).close(now, CloseRequest::default());
    pair.swallow = usize::MAX;
    pair.run(Duration::from_secs(6));
    assert!(pair.connection(0).is_drained());
    pair.hosts[0].connection = None;
    pair.hosts[0].endpoint.remove(ConnectionKey(1));
    pair.swallow = 0;
    pair
}

#[test]
fn who_missed_the_goodbye_learns_of_it_with_the_first_packet() {
    let mut pair = acceptor_is_gone();
    assert_eq!(pair.connection(1).state(), ConnectionState::Connected);
    pair.send(1, message("anybody there?", true));
    pair.run(Duration::from_millis(100));
    assert_eq!(pair.connection(1).state(), ConnectionState::ClosedByPeer);
    assert_eq!(pair.connection(1).end().unwrap().reason, EndReason::MISC_PEER_SENT_NO_CONNECTION);
}

#[test]
fn an_unsealed_end_needs_both_ids_and_the_address() {
    let mut pair = Pair::connected([fast(), fast()]);
    pair.send(0, message("so that each has heard the other", true));
    pair.send(1, message("so that each has heard the other", true));
    pair.run(Duration::from_secs(1));
    let now = pair.now;
    for side in 0..2 {
        let (ours, theirs) = (pair.connection(side).local_id(), pair.connection(side).remote_id());
        let peer = pair.hosts[1 - side].address;
        let elsewhere = SocketAddr::new(peer.ip(), 9);
        let (ours_1, theirs_1) = (ours ^ 0x10_0000, theirs ^ 0x10_0000);
        let forgeries = [
            (peer, None, Some(theirs)),
            (peer, Some(ours), None),
            (peer, Some(ours), Some(theirs_1)),
            (peer, Some(ours_1), Some(theirs)),
            (peer, None, None),
            (elsewhere, Some(ours), Some(theirs)),
        ];
        for (from, to, by) in forgeries {
            let none = NoConnection { from_connection_id: by, to_connection_id: to };
            let closed = ConnectionClosed {
                from_connection_id: by,
                to_connection_id: to,
                ..ConnectionClosed::default()
            };
            let mut datagrams = [Vec::new(), Vec::new()];
            udp::encode_no_connection(&none, &mut datagrams[0]);
            udp::encode_connection_closed(&closed, &mut datagrams[1]);
            for datagram in &mut datagrams {
                pair.hosts[side].input(now, from, datagram);
                let state = pair.connection(side).state();
                assert_eq!(state, ConnectionState::Connected, "{side} {from} {to:?} {by:?}");
            }
        }
        assert!(pair.connection(side).drops().total() > 0);
    }
}
