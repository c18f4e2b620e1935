//! Health, metrics, draining and STUN.

use std::{net::UdpSocket, time::Duration};

use gamewire_services::{
    Hub, HubConfig,
    hub::{HubError, Limits, Rate, Stun},
};
use gamewire_wire::messages::hub::hub_event::Body;

use crate::common::*;

#[test]
fn health_readiness_and_metrics() {
    let hub = development();
    assert_eq!(get(&hub, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&hub, "/readyz"), (200, "ready\n".to_owned()));
    let client = Client::claim(&hub, "str:alice");
    assert_eq!(metric(&hub, "gamewire_hub_sessions"), 1);
    let logins = "gamewire_hub_logins_total{method=\"claim\",outcome=\"done\"}";
    assert_eq!(metric(&hub, logins), 1);
    assert_eq!(metric(&hub, "gamewire_hub_store_good"), 1);
    drop(client);
    wait("the session's end", || metric(&hub, "gamewire_hub_sessions") == 0);
    // The one that asks.
    wait("the places", || metric(&hub, "gamewire_hub_connections") == 1);
    assert_eq!(get(&hub, "/nothing").0, 404);
    assert_eq!(get(&hub, "/v1/hub").0, 400, "no upgrade asked for");
}

#[test]
fn a_draining_hub_says_so_and_ends_when_the_last_has_gone() {
    let hub = development();
    let address = hub.addresses().http;
    let mut client = Client::claim(&hub, "str:alice");
    let ended = std::thread::spawn(move || hub.shutdown(Duration::from_secs(600)));
    match client.next() {
        Body::GoAway(go_away) => assert_eq!(go_away.reconnect_within_ms(), 300_000),
        other => panic!("{other:?}"),
    }
    client.signal("str:alice", b"still served");
    assert_eq!(client.next_signal().1, b"still served");
    let ask = |path: &str| {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8(answer[9..].to_vec()).unwrap()
    };
    assert_eq!(ask("/healthz"), "200", "it is alive");
    assert_eq!(ask("/readyz"), "503");
    assert_eq!(ask("/v1/hub"), "503");
    drop(client);
    ended.join().unwrap();
}

#[test]
fn a_deadline_ends_those_who_stay() {
    let hub = development();
    let mut client = Client::claim(&hub, "str:alice");
    hub.shutdown(Duration::from_millis(100));
    assert!(matches!(client.next(), Body::GoAway(_)));
    assert_eq!(client.close_code(), Some(1001));
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let hub = development();
    let error = Hub::start(HubConfig::development(hub.addresses().http)).unwrap_err();
    assert!(matches!(error, HubError::Bind { .. }), "{error}");
}

/// Binding request with room for an answer.
fn stun_request() -> Vec<u8> {
    let mut request = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    request.extend_from_slice(&[9; 12]);
    request.extend_from_slice(&[0, 1, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0]);
    request
}

fn stun_client(hub: &gamewire_services::HubHandle) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(hub.addresses().stun.unwrap()).unwrap();
    socket
}

#[test]
fn stun_tells_our_address_on_the_same_port() {
    let hub = development();
    assert_eq!(hub.addresses().stun, Some(hub.addresses().http));
    let socket = stun_client(&hub);
    socket.send(b"nonsense").unwrap();
    socket.send(&stun_request()).unwrap();
    let mut answer = [0; 100];
    let length = socket.recv(&mut answer).unwrap();
    let port = socket.local_addr().unwrap().port() ^ 0x2112;
    let [high, low] = port.to_be_bytes();
    let expected = [0, 0x20, 0, 8, 0, 1, high, low, 127 ^ 0x21, 0x12, 0xa4, 1 ^ 0x42];
    assert_eq!(answer[20..length], expected);
    assert_eq!(metric(&hub, "gamewire_hub_drops_total{reason=\"stun_malformed\"}"), 1);
}

#[test]
fn stun_has_its_rate() {
    let limits = Limits { stun_per_source: Rate::new(0.001, 3.0), ..limits() };
    let hub = development_with(limits);
    let socket = stun_client(&hub);
    for _ in 0..8 {
        socket.send(&stun_request()).unwrap();
    }
    wait("the drops", || metric(&hub, "gamewire_hub_drops_total{reason=\"stun_rate\"}") == 5);
    assert_eq!(metric(&hub, "gamewire_hub_stun_answers_total"), 3);
}

#[test]
fn stun_may_be_elsewhere_or_nowhere() {
    let with = |stun| Hub::start(HubConfig { stun, ..HubConfig::development(loopback()) }).unwrap();
    assert_eq!(with(Stun::Off).addresses().stun, None);
    let elsewhere = with(Stun::At(loopback()));
    let socket = stun_client(&elsewhere);
    socket.send(&stun_request()).unwrap();
    assert!(socket.recv(&mut [0; 100]).is_ok());
}
