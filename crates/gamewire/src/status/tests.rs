use std::{net::SocketAddr, sync::Arc, time::Duration};

use gamewire_crypto::{SeededEntropy, TrustStore};
use gamewire_proto::{
    Time,
    connection::{CloseRequest, Connection},
    end::EndReason,
    handshake::{LocalParty, PairSide, pair},
    lane::LaneConfig,
    send::OutgoingMessage,
};
use gamewire_wire::extensions;

use super::*;
use crate::{
    config::{Config, Scope, ScopeValues},
    handle::ConnectionHandle,
    pipe::PipeEnd,
    slot::SlotParts,
};

const START: Time = Time::from_micros(3_000_000_000_000);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn party(identity: &str) -> LocalParty {
    LocalParty {
        identity: identity.parse().unwrap(),
        app_id: 0,
        credentials: None,
        trust: Arc::new(TrustStore::default()),
        now_unix: 1_700_000_000,
        expected_identity: None,
        features: extensions::ALL,
    }
}

fn slot(machine: Machine, options: Arc<ScopeValues>, peer: Identity) -> Slot {
    Slot::new(SlotParts {
        handle: ConnectionHandle::from_raw(0x1_0007).unwrap(),
        listen_socket: ListenSocketHandle::from_raw(5),
        link: None,
        peer_side: None,
        options,
        machine,
        peer,
    })
}

fn options(values: &[Config]) -> Arc<ScopeValues> {
    let scope = ScopeValues::child(&ScopeValues::global(), Scope::Connection);
    scope.set_all(values).unwrap();
    scope
}

/// Two connected machines: the first at `remote` as seen from the second.
fn connected(remotes: [&str; 2], names: [&str; 2], options: &ScopeValues) -> [Connection; 2] {
    let mut entropy = SeededEntropy::new(7);
    let config = options.connection_config(false);
    let side = |index: usize| PairSide {
        local_id: 0x100 + index as u32,
        address: address(remotes[index]),
        party: party(names[index]),
        config: config.clone(),
    };
    let [first, second] = pair(START, [side(0), side(1)], &mut entropy).unwrap();
    [
        Connection::established(
            START,
            0x100,
            address(remotes[1]),
            first,
            config.clone(),
            &mut SeededEntropy::new(8),
        ),
        Connection::established(
            START,
            0x101,
            address(remotes[0]),
            second,
            config.clone(),
            &mut SeededEntropy::new(9),
        ),
    ]
}

fn carry(from: &mut Connection, to: &mut Connection, now: Time) {
    let mut datagrams = Vec::new();
    while let Some(batch) = from.poll_transmit(now, &mut datagrams, 8) {
        let size = batch.segment_size.unwrap_or(batch.len);
        for datagram in datagrams.chunks_mut(size) {
            to.handle_data(now, datagram);
        }
        datagrams.clear();
    }
}

fn message(lane: u16, size: usize, reliable: bool) -> OutgoingMessage {
    OutgoingMessage {
        payload: vec![1; size].into(),
        lane,
        reliable,
        no_nagle: true,
        no_delay: false,
        deadline: None,
    }
}

fn udp_slot(remote: &str, name: &str, options: &Arc<ScopeValues>) -> Slot {
    let [machine, _] = connected(["10.0.0.1:1", remote], ["str:me", name], options);
    let peer = machine.remote_identity().clone();
    slot(Machine::Udp(Box::new(machine)), options.clone(), peer)
}

#[test]
fn an_unauthenticated_connection_says_so() {
    let slot =
        udp_slot("[::ffff:10.0.0.2]:2", "str:peer", &options(&[Config::ConnectionUserData(-5)]));
    slot.lock().name = "the name".to_owned();
    let info = ConnectionInfo::of(&slot, &slot.lock());
    assert_eq!(info.identity_remote, "str:peer".parse().unwrap());
    assert_eq!(info.user_data, -5);
    assert_eq!(info.listen_socket.map(ListenSocketHandle::to_raw), Some(5));
    assert_eq!(
        (info.state, info.end_reason, info.end_debug.as_str()),
        (ConnectionState::Connected, 0, "")
    );
    assert_eq!(info.flags, ConnectionFlags::UNAUTHENTICATED);
    assert_eq!(info.description, "#256 UDP str:peer@10.0.0.2:2 'the name'");
    assert_eq!((info.pop_remote, info.pop_relay), (0, 0));
}

#[test]
fn flags_and_descriptions_follow_the_peer() {
    let clear = options(&[Config::Unencrypted(3)]);
    let slot = udp_slot("127.0.0.1:2", "ip:::1", &clear);
    let info = ConnectionInfo::of(&slot, &slot.lock());
    let expected =
        ConnectionFlags::UNAUTHENTICATED | ConnectionFlags::UNENCRYPTED | ConnectionFlags::FAST;
    assert_eq!(info.flags, expected);
    assert_eq!(info.flags.to_string(), "unauthenticated, unencrypted, fast");
    assert_eq!(info.description, "#256 UDP 127.0.0.1:2", "an address is named once");

    let long = format!("unknown:{}é", "é".repeat(55));
    let slot = udp_slot("10.0.0.2:2", &long, &options(&[]));
    let info = ConnectionInfo::of(&slot, &slot.lock());
    assert!(info.description.len() <= MAX_DESCRIPTION_BYTES, "{}", info.description.len());
}

#[test]
fn flag_numbers_are_valves() {
    let all = [
        (ConnectionFlags::UNAUTHENTICATED, 1),
        (ConnectionFlags::UNENCRYPTED, 2),
        (ConnectionFlags::LOOPBACK_BUFFERS, 4),
        (ConnectionFlags::FAST, 8),
        (ConnectionFlags::RELAYED, 16),
    ];
    for (flag, bits) in all {
        assert_eq!(flag.bits(), bits);
        assert_eq!(flag.names().count(), 1);
        assert!(!ConnectionFlags::default().contains(flag));
    }
}

#[test]
fn an_ended_connection_tells_why() {
    let [mut machine, mut other] =
        connected(["10.0.0.1:1", "10.0.0.2:2"], ["str:a", "str:b"], &options(&[]));
    let request = CloseRequest { reason: 1234, debug: "good\nbye", linger: false };
    other.close(START, request);
    let mut bytes = Vec::new();
    other.poll_transmit(START, &mut bytes, 1).unwrap();
    let Ok(gamewire_wire::udp::Datagram::ConnectionClosed(closed)) =
        gamewire_wire::udp::parse(&bytes)
    else {
        panic!("no goodbye");
    };
    let control = gamewire_proto::endpoint::Control::Closed(closed);
    machine.handle_control(START, control, &mut SeededEntropy::new(1));
    let options = options(&[]);
    let slot = slot(Machine::Udp(Box::new(machine)), options, "str:b".parse().unwrap());
    let mut state = slot.lock();
    let info = ConnectionInfo::of(&slot, &state);
    assert_eq!(info.state, ConnectionState::ClosedByPeer);
    assert_eq!((info.end_reason, info.end_debug.as_str()), (1234, "good\nbye"));
    let text = DetailedStatus::of(&slot, &mut state, START).to_string();
    assert!(text.contains("Ended: 1234 good\\nbye"), "{text}");
    let (status, _) = RealTimeStatus::of(&mut state, START, 0).unwrap();
    assert_eq!(QuickStatus::from_real_time(status), None);
}

#[test]
fn queues_are_told_in_all_and_per_lane() {
    let options = options(&[]);
    let [mut machine, _] = connected(["10.0.0.1:1", "10.0.0.2:2"], ["str:a", "str:b"], &options);
    machine.configure_lanes(&[LaneConfig::default(); 3]).unwrap();
    machine.send(START, message(0, 1000, true)).unwrap();
    machine.send(START, message(2, 700, false)).unwrap();
    let slot = slot(Machine::Udp(Box::new(machine)), options, "str:b".parse().unwrap());
    let mut state = slot.lock();
    let (status, lanes) = RealTimeStatus::of(&mut state, START, 3).unwrap();
    assert!(status.pending_reliable >= 1000 && status.pending_unreliable >= 700, "{status:?}");
    assert_eq!(status.send_rate_bytes_per_s, Some(262_144));
    assert!(status.queue_time_us >= 1700 * 1_000_000 / 262_144);
    assert_eq!(lanes.len(), 3);
    assert!(lanes[0].pending_reliable >= 1000 && lanes[0].pending_unreliable == 0);
    assert_eq!(lanes[1].pending_reliable + lanes[1].pending_unreliable, 0);
    assert!(lanes[2].pending_unreliable >= 700 && lanes[2].pending_reliable == 0);
    assert_eq!(RealTimeStatus::of(&mut state, START, 4), None);
    assert_eq!(RealTimeStatus::of(&mut state, START, usize::MAX), None);
    let (_, first) = RealTimeStatus::of(&mut state, START, 1).unwrap();
    assert_eq!(first, lanes[..1]);
    let detailed = DetailedStatus::of(&slot, &mut state, START);
    assert_eq!(detailed.lanes, lanes);
}

#[test]
fn traffic_shows_in_the_statistics() {
    let options = options(&[Config::NagleTime(0), Config::P2pTurnPassList("hush".into())]);
    let [mut a, mut b] = connected(["10.0.0.1:1", "10.0.0.2:2"], ["str:a", "str:b"], &options);
    let mut now = START;
    for _ in 0..200 {
        a.send(now, message(0, 200, true)).unwrap();
        for machine in [&mut a, &mut b] {
            machine.handle_timeout(now);
        }
        carry(&mut a, &mut b, now);
        now += Duration::from_millis(20);
        carry(&mut b, &mut a, now);
        while let Some(message) = b.poll_message() {
            b.messages_consumed(1, message.payload.len());
        }
    }
    // Packet number 1 again: the handshake counted as that one.
    let mut again = [0; 60];
    (again[0], again[5]) = (0x80, 1);
    a.handle_data(now, &mut again);
    let slot = slot(Machine::Udp(Box::new(a)), options, "str:b".parse().unwrap());
    let mut state = slot.lock();
    let detailed = DetailedStatus::of(&slot, &mut state, now);
    let link = detailed.link.as_ref().unwrap();
    let whole_time = link.local.whole_time.as_ref().unwrap();
    assert!(whole_time.packets_sent >= 200, "{whole_time:?}");
    assert_eq!(detailed.age_us, Some(4_000_000));
    let protocol = detailed.protocol.as_ref().unwrap();
    assert_eq!((protocol.local_connection_id, protocol.remote_connection_id), (0x100, 0x101));
    assert!(protocol.version >= 8 && protocol.last_sent_packet > 200);
    assert_eq!(protocol.features, extensions::ALL);
    assert_eq!(
        detailed.drops.iter().map(|drop| drop.count).sum::<u64>(),
        1,
        "{:?}",
        detailed.drops
    );
    let text = detailed.to_string();
    for part in [
        "Connection #256 UDP str:b@10.0.0.2:2",
        "State: connected",
        "Flags: unauthenticated",
        "Age: 4.0 s",
        "Send rate: 262144 B/s",
        "Lane 0:",
        "Statistics seen from here",
        "Dropped datagrams",
        "NagleTime: 0",
        "P2P_TURN_PassList: (set)",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("hush"), "{text}");
    assert!(text.lines().all(|line| line.len() < 200 && !line.contains(char::is_control)));
    let (status, _) = RealTimeStatus::of(&mut state, now, 1).unwrap();
    assert!(status.out_packets_per_s > 10.0 && status.ping_ms.is_some(), "{status:?}");
    let quick = QuickStatus::from_real_time(status.clone()).unwrap();
    assert_eq!((quick.ping_ms, quick.out_bytes_per_s), (status.ping_ms, status.out_bytes_per_s));
}

#[test]
fn before_the_handshake_is_done_nothing_is_known() {
    let options = options(&[]);
    let config = options.connection_config(false);
    let remote = address("10.0.0.2:2");
    let machine =
        Connection::initiate(START, 9, remote, party("str:me"), config, &mut SeededEntropy::new(1));
    let peer = machine.remote_identity().clone();
    let slot = slot(Machine::Udp(Box::new(machine)), options, peer);
    let mut state = slot.lock();
    let info = ConnectionInfo::of(&slot, &state);
    assert_eq!(info.state, ConnectionState::Connecting);
    assert!(info.flags.contains(ConnectionFlags::UNAUTHENTICATED));
    assert_eq!(info.address_remote, Some(remote));
    let (status, _) = RealTimeStatus::of(&mut state, START, 1).unwrap();
    assert_eq!((status.ping_ms, status.quality_local, status.max_jitter_us), (None, None, None));
    assert!(QuickStatus::from_real_time(status).is_some());
    let detailed = DetailedStatus::of(&slot, &mut state, START);
    assert!(detailed.link.is_none() && detailed.congestion.is_none());
    assert!(detailed.to_string().contains("State: connecting"));
}

#[test]
fn within_the_process_nothing_takes_time() {
    let [end, other] = PipeEnd::pair([1000, 1000]);
    assert!(end.configure_lanes(2));
    let slot = slot(Machine::Pipe(end), options(&[]), Identity::localhost());
    let mut state = slot.lock();
    let info = ConnectionInfo::of(&slot, &state);
    assert_eq!(info.flags, ConnectionFlags::LOOPBACK_BUFFERS | ConnectionFlags::FAST);
    assert_eq!((info.address_remote, info.state), (None, ConnectionState::Connected));
    assert!(info.description.contains("pipe"), "{}", info.description);
    let (status, lanes) = RealTimeStatus::of(&mut state, START, 2).unwrap();
    assert_eq!((status.ping_ms, status.quality_local), (Some(0), Some(1.0)));
    assert_eq!(lanes, [LaneStatus::default(); 2]);
    assert_eq!(RealTimeStatus::of(&mut state, START, 3), None);
    let text = DetailedStatus::of(&slot, &mut state, START).to_string();
    assert!(text.contains("in this process") && text.contains("Send rate: no limit"), "{text}");
    other.close(EndReason(1111), "enough");
    let info = ConnectionInfo::of(&slot, &state);
    assert_eq!((info.state, info.end_reason), (ConnectionState::ClosedByPeer, 1111));
    assert_eq!(info.end_debug, "enough");
}

#[cfg(feature = "serde")]
#[test]
fn statuses_serialise_with_text_for_names() {
    let slot = udp_slot("10.0.0.2:2", "str:peer", &options(&[]));
    let mut state = slot.lock();
    let detailed = DetailedStatus::of(&slot, &mut state, START);
    let json = serde_json::to_value(&detailed).unwrap();
    assert_eq!(json["info"]["identity_remote"], "str:peer");
    assert_eq!(json["info"]["address_remote"], "10.0.0.2:2");
    assert_eq!(json["info"]["state"], "connected");
    assert_eq!(json["info"]["listen_socket"], 5);
    assert_eq!(json["info"]["flags"], serde_json::json!(["unauthenticated"]));
    assert_eq!(json["lanes"].as_array().unwrap().len(), 1);
    assert_eq!(json["link"]["local"]["whole_time"]["packets_sent"], 0);
    let (status, _) = RealTimeStatus::of(&mut state, START, 0).unwrap();
    assert_eq!(serde_json::to_value(&status).unwrap()["send_rate_bytes_per_s"], 262_144);
}
