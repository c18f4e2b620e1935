//! Inheritance, locking, and what the machines are told.

use std::{sync::Arc, time::Duration};

use gamewire_proto::{
    config::{ConnectionConfig, UNLIMITED_RATE},
    endpoint::AcceptLimits,
};

use crate::{
    config::{Config, ConfigData, ConfigError, ConfigId, Scope, ScopeValues},
    fake_network::FakeNetworkConfig,
};

/// Global, interface, listen socket, connection.
fn scopes() -> [Arc<ScopeValues>; 4] {
    let global = ScopeValues::global();
    let interface = ScopeValues::child(&global, Scope::Interface);
    let listen = ScopeValues::child(&interface, Scope::ListenSocket);
    let connection = ScopeValues::child(&listen, Scope::Connection);
    [global, interface, listen, connection]
}

fn set(scope: &ScopeValues, id: ConfigId, number: i32) {
    scope.set(id, Some(ConfigData::Int32(number))).unwrap();
}

fn reading(number: i32, inherited: bool) -> (ConfigData, bool) {
    (ConfigData::Int32(number), inherited)
}

#[test]
fn the_nearest_scope_that_sets_a_value_wins() {
    let all = scopes();
    let [global, interface, listen, connection] = &all;
    let id = ConfigId::NagleTime;
    assert_eq!(global.get(id), Ok(reading(5000, false)), "the default is the global scope's own");
    assert_eq!(connection.get(id), Ok(reading(5000, true)));
    for (depth, scope) in all.iter().enumerate() {
        set(scope, id, depth as i32);
        for (below, scope) in all.iter().enumerate() {
            assert_eq!(scope.int32(id), if below < depth { below } else { depth } as i32);
        }
        assert_eq!(scope.get(id), Ok(reading(depth as i32, false)));
    }
    connection.set(id, None).unwrap();
    assert_eq!(connection.get(id), Ok(reading(2, true)));
    listen.set(id, None).unwrap();
    interface.set(id, None).unwrap();
    assert_eq!(connection.get(id), Ok(reading(0, true)));
    global.set(id, None).unwrap();
    assert_eq!(
        connection.get(id),
        Ok(reading(5000, true)),
        "clearing the global scope restores the default"
    );
    // To set the default expressly is not the same as not to set it.
    set(connection, id, 5000);
    set(global, id, 1);
    assert_eq!(connection.get(id), Ok(reading(5000, false)));
}

#[test]
fn siblings_do_not_see_each_other() {
    let [_, _, listen, first] = scopes();
    let second = ScopeValues::child(&listen, Scope::Connection);
    set(&first, ConfigId::SendRateMax, 4096);
    assert_eq!(second.int32(ConfigId::SendRateMax), i32::MAX);
}

#[test]
fn values_do_not_exist_in_narrower_scopes() {
    let all = scopes();
    for &id in ConfigId::ALL {
        for scope in &all {
            let exists = scope.scope() <= id.info().scope;
            assert_eq!(scope.get(id).is_ok(), exists, "{id} in {:?}", scope.scope());
            let cleared = scope.set(id, None);
            let settable = exists && id != ConfigId::MtuDataSize;
            assert_eq!(cleared.is_ok(), settable, "{id} in {:?}", scope.scope());
        }
    }
    let [_, interface, ..] = &all;
    assert_eq!(
        interface.set(ConfigId::FakePacketLagSend, Some(ConfigData::Int32(1))),
        Err(ConfigError::WrongScope { id: ConfigId::FakePacketLagSend, given: Scope::Interface })
    );
}

#[test]
fn what_is_locked_refuses_changes_and_stops_following() {
    let [global, _, listen, connection] = scopes();
    set(&listen, ConfigId::Unencrypted, 1);
    connection.lock();
    for number in [23, 34, 37, 52, 104, 110] {
        let id = ConfigId::from_number(number).unwrap();
        assert_eq!(connection.set(id, Some(ConfigData::Int32(1))), Err(ConfigError::Locked(id)));
        assert_eq!(connection.set(id, None), Err(ConfigError::Locked(id)));
    }
    set(&listen, ConfigId::Unencrypted, 3);
    set(&global, ConfigId::IpAllowWithoutAuth, 1);
    assert_eq!(connection.int32(ConfigId::Unencrypted), 1);
    assert_eq!(connection.int32(ConfigId::IpAllowWithoutAuth), 2, "the default of that time");
    // The rest goes on as before.
    set(&global, ConfigId::NagleTime, 9);
    assert_eq!(connection.int32(ConfigId::NagleTime), 9);
    set(&connection, ConfigId::NagleTime, 8);
    assert_eq!(connection.int32(ConfigId::NagleTime), 8);
    // Wider scopes are free, and a second lock changes nothing.
    connection.lock();
    assert_eq!(connection.int32(ConfigId::Unencrypted), 1);
}

#[test]
fn user_data_is_bound_when_a_connection_is_made() {
    let [global, _, listen, first] = scopes();
    listen.set(ConfigId::ConnectionUserData, Some(ConfigData::Int64(5))).unwrap();
    assert_eq!(first.connection_user_data(), -1);
    let second = ScopeValues::child(&listen, Scope::Connection);
    global.set(ConfigId::ConnectionUserData, Some(ConfigData::Int64(6))).unwrap();
    listen.set(ConfigId::ConnectionUserData, None).unwrap();
    assert_eq!(second.connection_user_data(), 5);
    assert_eq!(listen.connection_user_data(), 6);
    second.lock();
    second.set(ConfigId::ConnectionUserData, Some(ConfigData::Int64(7))).unwrap();
    assert_eq!(second.connection_user_data(), 7);
}

#[test]
fn the_defaults_are_those_of_the_machines() {
    let [global, _, listen, connection] = scopes();
    let mut expected = ConnectionConfig::default();
    // Peers that keep to a window may fill a larger one, unless the application chose.
    expected.send.mtu_limit = 65_507;
    expected.receive.window_bytes = Some(4 << 20);
    expected.receive.window_messages = Some(32 << 10);
    assert_eq!(connection.connection_config(false), expected);
    set(&connection, ConfigId::RecvBufferSize, 2 << 20);
    assert_eq!(connection.connection_config(false).receive.window(), 2 << 20);
    connection.set(ConfigId::RecvBufferSize, None).unwrap();
    set(&connection, ConfigId::RecvBufferMessages, 50);
    assert_eq!(connection.connection_config(false).receive.with_window().buffer_messages, 50);
    connection.set(ConfigId::RecvBufferMessages, None).unwrap();
    set(&connection, ConfigId::MtuPacketSize, 1300);
    assert_eq!(connection.connection_config(false).send.mtu_limit, 1300, "chosen");
    connection.set(ConfigId::MtuPacketSize, None).unwrap();
    assert_eq!(listen.accept_limits(), AcceptLimits::default());
    assert_eq!(global.fake_network_config(), FakeNetworkConfig::default());
    assert_eq!(connection.status_callback(), 0);
}

#[test]
fn unauthenticated_peers_are_refused_by_default_once_a_root_is_configured() {
    let [_, interface, _, connection] = scopes();
    let config = connection.connection_config(true);
    assert_eq!((config.allow_without_auth, config.allow_without_auth_localhost), (0, 0));
    connection.lock();
    assert_eq!(connection.connection_config(true).allow_without_auth, 0, "locked at the default");
    // An explicit value wins, even if it equals the default of those without a root.
    set(&interface, ConfigId::IpAllowWithoutAuth, 2);
    let other = ScopeValues::child(&interface, Scope::Connection);
    let config = other.connection_config(true);
    assert_eq!((config.allow_without_auth, config.allow_without_auth_localhost), (2, 0));
}

#[test]
fn values_reach_the_machines() {
    let [global, _, listen, connection] = scopes();
    connection
        .set_all(&[
            Config::TimeoutInitial(1500),
            Config::TimeoutConnected(2500),
            Config::SendBufferSize(8192),
            Config::SendRateMin(2048),
            Config::SendRateMax(i32::MAX),
            Config::NagleTime(0),
            Config::MtuPacketSize(500),
            Config::RecvBufferSize(4096),
            Config::RecvBufferMessages(3),
            Config::RecvMaxMessageSize(100_000),
            Config::RecvMaxSegmentsPerPacket(4),
            Config::Unencrypted(3),
            Config::IpAllowWithoutAuth(1),
            Config::SendTimeSincePreviousPacket(1),
            Config::CallbackConnectionStatusChanged(0xabc),
        ])
        .unwrap();
    set(&global, ConfigId::OutOfOrderCorrectionWindowMicroseconds, 77);
    let config = connection.connection_config(false);
    assert_eq!(config.timeout_initial, Duration::from_millis(1500));
    assert_eq!(config.timeout_connected, Duration::from_millis(2500));
    assert_eq!(config.send.buffer_bytes, 8192);
    assert_eq!((config.send.rate_min, config.send.rate_max), (2048, UNLIMITED_RATE));
    assert_eq!((config.send.nagle_time, config.send.mtu), (Duration::ZERO, 500));
    assert_eq!(config.receive.max_message_bytes, 100_000);
    assert_eq!(config.receive.buffer_bytes, 100_000, "never smaller than the largest message");
    assert_eq!((config.receive.buffer_messages, config.receive.max_segments_per_packet), (3, 4));
    assert_eq!(config.receive.out_of_order_window, Duration::from_micros(77));
    assert_eq!((config.unencrypted, config.allow_without_auth), (3, 1));
    assert!(config.send_time_since_previous);
    assert_eq!(connection.status_callback(), 0xabc);
    assert_eq!(connection.get(ConfigId::MtuDataSize), Ok(reading(400, false)));
    assert_eq!(listen.get(ConfigId::MtuDataSize), Ok(reading(1200, true)));
    let limits = [
        Config::AcceptMaxPending(5),
        Config::AcceptMaxPerAddress(6),
        Config::AcceptMaxConnections(7),
    ];
    listen.set_all(&limits).unwrap();
    let expected = AcceptLimits { max_pending: 5, max_per_address: 6, max_connections: 7 };
    assert_eq!(listen.accept_limits(), expected);
}

#[test]
fn every_value_of_the_fake_network_has_its_own_place() {
    let rows = ConfigId::ALL.iter().filter(|id| id.name().starts_with("Fake"));
    let mut seen = vec![FakeNetworkConfig::default()];
    for &id in rows {
        let global = ScopeValues::global();
        set(&global, id, 42);
        let config = global.fake_network_config();
        assert!(!seen.contains(&config), "{id} has no effect of its own");
        seen.push(config);
    }
    assert_eq!(seen.len(), 1 + 20);
}

#[test]
fn a_list_of_options_stops_at_the_first_error() {
    let [.., connection] = scopes();
    let options = [Config::NagleTime(1), Config::MtuDataSize(1), Config::SendBufferSize(5000)];
    assert_eq!(connection.set_all(&options), Err(ConfigError::ReadOnly(ConfigId::MtuDataSize)));
    assert_eq!(connection.int32(ConfigId::NagleTime), 1);
    assert_eq!(connection.int32(ConfigId::SendBufferSize), 524_288);
}

#[test]
fn threads_may_read_while_others_write() {
    let [global, _, _, connection] = scopes();
    std::thread::scope(|threads| {
        threads.spawn(|| (0..1000).for_each(|number| set(&global, ConfigId::NagleTime, number)));
        threads.spawn(|| (0..1000).for_each(|_| connection.lock()));
        let mut last = -1;
        for _ in 0..1000 {
            let number = connection.int32(ConfigId::NagleTime);
            assert!(number == 5000 || number >= last, "values never go back");
            if number != 5000 {
                last = number;
            }
        }
    });
}
