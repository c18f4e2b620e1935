//! What is sent comes back.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::time::Instant;

use bytes::Bytes;
use common::{PATIENCE, Running};
use gamewire::{
    Config, ConnectionHandle, ConnectionState, Event, LaneConfig, Message, Options, Outgoing,
    SendError, SendFlags, Sockets,
};

/// Connects to an echo server.
fn connect(address: &str) -> (Sockets, ConnectionHandle) {
    let sockets = Sockets::new(Options::default()).unwrap();
    let options = [
        Config::SendRateMin(i32::MAX),
        Config::SendRateMax(i32::MAX),
        Config::RecvBufferSize(8 << 20),
    ];
    let connection = sockets.connect_by_ip_address(address.parse().unwrap(), &options).unwrap();
    while let Some(event) = sockets.wait_event(Some(PATIENCE)) {
        if let Event::ConnectionStatusChanged(change) = event
            && change.info.state == ConnectionState::Connected
        {
            return (sockets, connection);
        }
    }
    panic!("no connection");
}

fn receive(sockets: &Sockets, connection: ConnectionHandle, count: usize) -> Vec<Message> {
    let give_up = Instant::now() + PATIENCE;
    let mut received = Vec::new();
    while received.len() < count {
        let left = give_up.saturating_duration_since(Instant::now());
        let more = sockets.wait_messages(connection, 256, Some(left)).unwrap();
        assert!(!more.is_empty(), "{} of {count} came back", received.len());
        received.extend(more);
    }
    received
}

#[test]
fn lane_reliability_and_content_are_kept() {
    let echo = Running::start(&["echo", "--listen", "127.0.0.1:0"]);
    let (sockets, connection) = connect(&echo.address());
    echo.expect("connected");
    let lanes = [LaneConfig::default(); 9];
    sockets.configure_connection_lanes(connection, &lanes).unwrap();
    for (lane, size, flags) in [
        (0, 1, SendFlags::RELIABLE),
        (0, 0, SendFlags::RELIABLE),
        (8, 300_000, SendFlags::RELIABLE),
        (3, 1000, SendFlags::UNRELIABLE),
        (2, 524_288, SendFlags::RELIABLE),
        (0, 20, SendFlags::UNRELIABLE_NO_NAGLE),
    ] {
        let payload: Bytes = (0..size).map(|index: u32| (index % 251) as u8).collect();
        let outgoing = Outgoing { lane, ..Outgoing::new(connection, payload.clone(), flags) };
        sockets.send(outgoing).unwrap();
        let back = &receive(&sockets, connection, 1)[0];
        assert_eq!(back.payload, payload);
        assert_eq!((back.lane, back.reliable), (lane, flags.is_reliable()));
    }
    sockets.close_connection(connection, 0, "enough", false);
    let line = echo.expect("closed by the peer");
    assert!(line.contains("enough") && line.contains("6 messages"), "{line}");
}

/// The echo may send far less than it is sent, so its buffer fills up and it has to wait.
#[test]
fn back_pressure_loses_nothing() {
    const MESSAGES: u32 = 600;
    const SIZE: usize = 20_000;
    let echo = Running::start(&["echo", "--listen", "127.0.0.1:0", "--rate", "6000000"]);
    let (sockets, connection) = connect(&echo.address());
    let sender = sockets.clone();
    let sending = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            let mut payload = vec![0; SIZE];
            payload[..4].copy_from_slice(&number.to_le_bytes());
            let mut outgoing = Outgoing::new(connection, payload, SendFlags::RELIABLE);
            while let Err(error) = sender.send(outgoing) {
                assert!(matches!(error, SendError::LimitExceeded(_)), "{error}");
                outgoing = error.into_message();
                while !matches!(sender.wait_event(Some(PATIENCE)), Some(Event::Writable { .. })) {}
            }
        }
    });
    let back = receive(&sockets, connection, MESSAGES as usize);
    sending.join().unwrap();
    for (number, message) in (0..MESSAGES).zip(&back) {
        assert_eq!(message.len(), SIZE);
        assert_eq!(message[..4], number.to_le_bytes());
    }
}
