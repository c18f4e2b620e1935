//! Connections over the real loopback network, through the public interface.

mod common;

use std::time::Instant;

use bytes::Bytes;
use common::*;
use gamewire::{
    Config, ConnectionHandle, ConnectionState, DeliveryMode, Event, Identity, LaneConfig, Message,
    Outgoing, SendError, SendFlags,
};

#[test]
fn a_connection_carries_messages_both_ways_over_ipv4_and_ipv6() {
    for ip in ["127.0.0.1", "::1"] {
        let linked = linked(ip, &[]);
        linked.client.send_message(linked.at_client, b"question", SendFlags::RELIABLE).unwrap();
        let question = receive(&linked.server, linked.at_server, 1).remove(0);
        assert_eq!(&*question, b"question");
        assert_eq!(question.peer.to_string(), "str:client");
        assert!(question.reliable);
        linked.server.send_message(linked.at_server, b"answer", SendFlags::UNRELIABLE).unwrap();
        let answer = receive(&linked.client, linked.at_client, 1).remove(0);
        assert_eq!(&*answer, b"answer");
        assert!(!answer.reliable);
    }
}

#[test]
fn messages_sent_before_the_connection_is_up_arrive() {
    let (server, client) = (sockets("str:server"), sockets("str:client"));
    let address = free_address("127.0.0.1");
    server.create_listen_socket_ip(address, &[]).unwrap();
    let connection = client.connect_by_ip_address(address, &[]).unwrap();
    client.send_message(connection, b"early", SendFlags::RELIABLE).unwrap();
    let refused = client.send_message(connection, b"now", SendFlags::UNRELIABLE_NO_DELAY);
    assert!(matches!(refused, Err(SendError::Ignored(_))), "{refused:?}");
    let asked = wait_for_state(&server, ConnectionState::Connecting);
    server.accept_connection(asked.connection).unwrap();
    assert_eq!(&*receive(&server, asked.connection, 1)[0], b"early");
}

#[test]
fn closing_tells_the_peer_why_and_kills_the_handle() {
    let linked = linked("127.0.0.1", &[]);
    assert!(linked.client.close_connection(linked.at_client, 1234, "bye", false));
    assert!(!linked.client.close_connection(linked.at_client, 1234, "bye", false));
    let change = wait_for_state(&linked.client, ConnectionState::None);
    assert_eq!(change.old_state, ConnectionState::Connected);
    assert!(linked.client.connection_info(linked.at_client).is_none());
    let change = wait_for_state(&linked.server, ConnectionState::ClosedByPeer);
    assert_eq!((change.info.end_reason, change.info.end_debug.as_str()), (1234, "bye"));
    let refused = linked.server.send_message(linked.at_server, b"x", SendFlags::RELIABLE);
    assert!(matches!(refused, Err(SendError::NoConnection(_))));
    assert!(linked.server.close_connection(linked.at_server, 0, "", false));
    assert!(linked.server.close_listen_socket(linked.listen));
}

#[test]
fn refusing_a_connection_tells_the_initiator() {
    let (server, client) = (sockets("str:server"), sockets("str:client"));
    let address = free_address("127.0.0.1");
    server.create_listen_socket_ip(address, &[]).unwrap();
    client.connect_by_ip_address(address, &[]).unwrap();
    let asked = wait_for_state(&server, ConnectionState::Connecting);
    server.close_connection(asked.connection, 1999, "full", false);
    let change = wait_for_state(&client, ConnectionState::ClosedByPeer);
    assert_eq!((change.info.end_reason, change.info.end_debug.as_str()), (1999, "full"));
}

#[test]
fn lingering_delivers_everything_first() {
    let linked = linked("127.0.0.1", &[Config::SendRateMin(8 << 20), Config::SendRateMax(8 << 20)]);
    for index in 0..100u32 {
        let payload = [index.to_le_bytes().to_vec(), vec![7; 4000]].concat();
        linked.client.send_message(linked.at_client, &payload, SendFlags::RELIABLE).unwrap();
    }
    linked.client.close_connection(linked.at_client, 0, "done", true);
    let messages = receive(&linked.server, linked.at_server, 100);
    for (index, message) in (0u32..).zip(&messages) {
        assert_eq!(message[..4], index.to_le_bytes());
    }
    let change = wait_for_state(&linked.server, ConnectionState::ClosedByPeer);
    assert_eq!(change.info.end_debug, "done");
}

#[test]
fn a_full_send_buffer_gives_the_message_back_and_says_when_to_go_on() {
    let options = [
        Config::SendBufferSize(64 * 1024),
        Config::SendRateMin(4 << 20),
        Config::SendRateMax(4 << 20),
    ];
    let linked = linked("127.0.0.1", &options);
    let mut sent = 0u32;
    let refused = loop {
        let payload = [sent.to_le_bytes().to_vec(), vec![1; 8000]].concat();
        let message = Outgoing::new(linked.at_client, payload, SendFlags::RELIABLE);
        match linked.client.send(message) {
            Ok(_) => sent += 1,
            Err(SendError::LimitExceeded(message)) => break message,
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 100_000, "the limit never held");
    };
    assert_eq!(refused.payload[..4], sent.to_le_bytes());
    loop {
        match linked.client.wait_event(Some(PATIENCE)) {
            Some(Event::Writable { connection }) if connection == linked.at_client => break,
            Some(_) => {}
            None => panic!("room never came back"),
        }
    }
    linked.client.send(refused).unwrap();
    let messages = receive(&linked.server, linked.at_server, sent as usize + 1);
    for (index, message) in (0u32..).zip(&messages) {
        assert_eq!(message[..4], index.to_le_bytes());
    }
}

#[test]
fn a_poll_group_collects_the_messages_of_its_connections() {
    let linked = linked("127.0.0.1", &[]);
    let group = linked.server.create_poll_group().unwrap();
    linked.client.send_message(linked.at_client, b"before", SendFlags::RELIABLE).unwrap();
    let deadline = Instant::now() + PATIENCE;
    assert!(linked.server.set_connection_poll_group(linked.at_server, Some(group)));
    linked.client.send_message(linked.at_client, b"after", SendFlags::RELIABLE).unwrap();
    let mut messages = Vec::new();
    while messages.len() < 2 && Instant::now() < deadline {
        let more = linked.server.wait_messages_on_poll_group(group, 10, Some(PATIENCE));
        messages.extend(more.unwrap());
    }
    let texts: Vec<&[u8]> = messages.iter().map(|message| &**message).collect();
    assert_eq!(texts, [&b"before"[..], b"after"]);
    assert!(linked.server.destroy_poll_group(group));
    assert!(linked.server.receive_messages_on_poll_group(group, 1).is_none());
    assert!(!linked.server.destroy_poll_group(group));
}

#[test]
fn lanes_keep_their_own_order_and_numbers() {
    let linked = linked("127.0.0.1", &[]);
    let modes = [DeliveryMode::Standard, DeliveryMode::Sequenced, DeliveryMode::Unordered];
    let lanes: Vec<LaneConfig> =
        modes.iter().map(|&mode| LaneConfig { mode, ..LaneConfig::default() }).collect();
    linked.client.configure_connection_lanes(linked.at_client, &lanes).unwrap();
    let messages = (0..30u32).map(|index| {
        let mut message =
            Outgoing::new(linked.at_client, index.to_le_bytes().to_vec(), SendFlags::RELIABLE);
        message.lane = (index % 3) as u16;
        message
    });
    let results = linked.client.send_messages(messages);
    for (index, result) in (0u64..).zip(results) {
        assert_eq!(result.unwrap(), index / 3 + 1);
    }
    let received = receive(&linked.server, linked.at_server, 30);
    for lane in 0..2 {
        let of_lane: Vec<&Message> = received.iter().filter(|m| m.lane == lane).collect();
        assert!(of_lane.is_sorted_by_key(|message| message.number));
        assert_eq!(of_lane.len(), 10);
    }
    let wrong =
        Outgoing { lane: 3, ..Outgoing::new(linked.at_client, vec![1], SendFlags::RELIABLE) };
    assert!(matches!(linked.client.send(wrong), Err(SendError::InvalidLane(_))));
}

#[test]
fn a_lossy_network_loses_no_reliable_message() {
    let linked = linked("127.0.0.1", &[Config::SendRateMin(4 << 20), Config::SendRateMax(4 << 20)]);
    for side in [&linked.client, &linked.server] {
        for (id, value) in [
            (gamewire::ConfigId::FakePacketLossSend, 10.0),
            (gamewire::ConfigId::FakePacketReorderSend, 5.0),
            (gamewire::ConfigId::FakePacketDupSend, 5.0),
        ] {
            let value = Some(gamewire::ConfigData::Float(value));
            side.set_config_value(gamewire::ScopeObject::Global, id, value).unwrap();
        }
    }
    for index in 0..500u32 {
        let payload = [index.to_le_bytes().to_vec(), vec![3; 1000]].concat();
        let message = Outgoing::new(linked.at_client, payload, SendFlags::RELIABLE);
        linked.client.send_wait(message, Some(PATIENCE)).unwrap();
    }
    let messages = receive(&linked.server, linked.at_server, 500);
    for (index, message) in (0u32..).zip(&messages) {
        assert_eq!(message[..4], index.to_le_bytes());
    }
}

#[test]
fn a_pair_in_memory_and_over_loopback_is_connected_from_the_start() {
    let sockets = sockets("str:both");
    for network_loopback in [false, true] {
        let names: [Identity; 2] = ["str:one".parse().unwrap(), "str:two".parse().unwrap()];
        let [first, second] =
            sockets.create_socket_pair(network_loopback, names.clone().map(Some)).unwrap();
        assert!(sockets.poll_event().is_none(), "pairs are not announced");
        assert_eq!(sockets.connection_info(first).unwrap().identity_remote, names[0]);
        assert_eq!(sockets.connection_info(second).unwrap().identity_remote, names[1]);
        sockets.send_message(first, b"there", SendFlags::RELIABLE).unwrap();
        sockets.send_message(second, b"back", SendFlags::UNRELIABLE_NO_NAGLE).unwrap();
        assert_eq!(&*receive(&sockets, second, 1)[0], b"there");
        assert_eq!(&*receive(&sockets, first, 1)[0], b"back");
        assert!(sockets.close_connection(first, 1001, "enough", false));
        let change = wait_for_state(&sockets, ConnectionState::ClosedByPeer);
        assert_eq!((change.connection, change.info.end_reason), (second, 1001));
        assert!(sockets.close_connection(second, 0, "", false));
        wait_for_state(&sockets, ConnectionState::None);
        while sockets.poll_event().is_some() {}
    }
}

#[test]
fn misuse_gets_the_documented_answers() {
    let sockets = sockets("str:a");
    let nobody = ConnectionHandle::from_raw(77).unwrap();
    assert!(sockets.create_listen_socket_ip("127.0.0.1:0".parse().unwrap(), &[]).is_err());
    assert!(sockets.connect_by_ip_address("0.0.0.0:5".parse().unwrap(), &[]).is_err());
    assert!(sockets.connect_by_ip_address("127.0.0.1:0".parse().unwrap(), &[]).is_err());
    assert!(sockets.accept_connection(nobody).is_err());
    assert!(!sockets.close_connection(nobody, 0, "", false));
    assert!(sockets.receive_messages(nobody, 5).is_none());
    assert!(sockets.connection_info(nobody).is_none());
    assert!(sockets.flush_messages(nobody).is_err());
    assert!(sockets.real_time_status(nobody, 0).is_err());
    assert!(!sockets.set_connection_user_data(nobody, 5));
    assert!(!sockets.set_connection_poll_group(nobody, None));
    let sent = sockets.send_message(nobody, b"x", SendFlags::RELIABLE);
    assert!(matches!(sent, Err(SendError::NoSuchConnection(_))));
    let linked = linked("127.0.0.1", &[]);
    assert!(linked.client.accept_connection(linked.at_client).is_err());
    let huge = vec![0; 512 * 1024 + 1];
    let sent = linked.client.send_message(linked.at_client, &huge, SendFlags::RELIABLE);
    assert!(matches!(sent, Err(SendError::TooLarge(_))));
    assert!(linked.client.real_time_status(linked.at_client, 2).is_err());
}

#[test]
fn status_names_and_user_data_can_be_read_back() {
    let linked = linked("127.0.0.1", &[Config::ConnectionUserData(41)]);
    assert_eq!(linked.client.connection_user_data(linked.at_client), Some(41));
    linked.server.send_message(linked.at_server, b"tagged", SendFlags::RELIABLE).unwrap();
    assert!(linked.client.set_connection_user_data(linked.at_client, 42));
    assert_eq!(receive(&linked.client, linked.at_client, 1)[0].connection_user_data, 42);
    assert!(linked.client.set_connection_name(linked.at_client, "main link"));
    let info = linked.client.connection_info(linked.at_client).unwrap();
    assert!(info.description.contains("main link"), "{}", info.description);
    assert_eq!(info.identity_remote.to_string(), "str:server");
    let (status, lanes) = linked.client.real_time_status(linked.at_client, 1).unwrap();
    assert_eq!((status.state, lanes.len()), (ConnectionState::Connected, 1));
    let detailed = linked.client.detailed_connection_status(linked.at_client).unwrap();
    assert!(detailed.to_string().contains("str:server"));
}

#[test]
fn instances_can_be_made_and_dropped_in_a_loop() {
    for _ in 0..20 {
        let linked = linked("127.0.0.1", &[]);
        let Linked { server, client, at_server, .. } = linked;
        drop(client);
        let change = wait_for_state(&server, ConnectionState::ClosedByPeer);
        assert_eq!((change.connection, change.info.end_reason), (at_server, 2999));
    }
}

#[test]
fn packets_grow_to_what_loopback_carries() {
    let unlimited = [Config::SendRateMin(i32::MAX), Config::SendRateMax(i32::MAX)];
    for ip in ["127.0.0.1", "::1"] {
        let linked = linked(ip, &unlimited);
        let size = || {
            let status = linked.client.detailed_connection_status(linked.at_client).unwrap();
            status.congestion.unwrap().path_mtu
        };
        assert_eq!(size(), 1300);
        let content = Bytes::from((0..200_000_u32).map(|at| (at % 251) as u8).collect::<Vec<u8>>());
        let deadline = Instant::now() + PATIENCE;
        while size() < 65_487 {
            assert!(Instant::now() < deadline, "{ip}: no more than {} bytes", size());
            let message = Outgoing::new(linked.at_client, content.clone(), SendFlags::RELIABLE);
            linked.client.send_wait(message, Some(PATIENCE)).unwrap();
            assert_eq!(receive(&linked.server, linked.at_server, 1)[0].payload, content);
        }
    }
}
