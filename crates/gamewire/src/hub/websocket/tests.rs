use gamewire_crypto::SeededEntropy;

use super::*;

fn url() -> HubUrl {
    HubUrl::parse("ws://hub.example:8080/base").unwrap()
}

fn upgrading() -> (WebSocket, String) {
    let mut socket = WebSocket::connect(&url(), &mut SeededEntropy::new(1));
    let request = String::from_utf8(socket.outgoing().to_vec()).unwrap();
    let key = request.split("Sec-WebSocket-Key: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\
         sec-websocket-accept: {}\r\nsec-websocket-protocol: gamewire-hub-1\r\n\r\n",
        accept_key(key)
    );
    socket.sent(request.len());
    (socket, answer)
}

fn open() -> WebSocket {
    let (mut socket, answer) = upgrading();
    feed(&mut socket, answer.as_bytes()).unwrap();
    assert_eq!(socket.poll_event(), Some(WebSocketEvent::Open));
    socket
}

fn feed(socket: &mut WebSocket, bytes: &[u8]) -> Result<(), WebSocketError> {
    socket.handle_bytes(bytes, &mut SeededEntropy::new(2))
}

#[test]
fn the_request_names_path_host_and_protocol() {
    let socket = WebSocket::connect(&url(), &mut SeededEntropy::new(1));
    let request = String::from_utf8(socket.outgoing().to_vec()).unwrap();
    assert!(request.starts_with("GET /base/v1/hub HTTP/1.1\r\nHost: hub.example:8080\r\n"));
    assert!(request.contains("\r\nSec-WebSocket-Protocol: gamewire-hub-1\r\n"));
    assert!(request.ends_with("\r\n\r\n"));
}

#[test]
fn the_answer_may_come_byte_by_byte_with_a_frame_behind_it() {
    let (mut socket, answer) = upgrading();
    let mut bytes = answer.into_bytes();
    bytes.extend_from_slice(&[0x82, 2, 7, 8]);
    for byte in bytes {
        feed(&mut socket, &[byte]).unwrap();
    }
    assert_eq!(socket.poll_event(), Some(WebSocketEvent::Open));
    assert_eq!(socket.poll_event(), Some(WebSocketEvent::Message(vec![7, 8])));
    assert_eq!(socket.poll_event(), None);
}

#[test]
fn answers_that_open_nothing() {
    let (_, good) = upgrading();
    for (from, to, expected) in [
        ("101 Switching", "503 Busy", WebSocketError::Status(503)),
        ("HTTP/1.1", "SSH-2.0-", WebSocketError::NotWebSocket),
        ("sec-websocket-accept: ", "sec-websocket-accept: x", WebSocketError::NotWebSocket),
        ("upgrade: WebSocket", "upgrade: h2c", WebSocketError::NotWebSocket),
        ("keep-alive, Upgrade", "close", WebSocketError::NotWebSocket),
        ("gamewire-hub-1", "chat", WebSocketError::NotWebSocket),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n", WebSocketError::NotWebSocket),
    ] {
        let (mut socket, _) = upgrading();
        assert_eq!(feed(&mut socket, good.replacen(from, to, 1).as_bytes()), Err(expected));
        assert_eq!(feed(&mut socket, &[0x82, 0]), Ok(()), "deaf from then on");
        assert_eq!(socket.poll_event(), None);
    }
    let (mut socket, _) = upgrading();
    assert_eq!(feed(&mut socket, &[b'x'; MAX_HEAD_BYTES + 1]), Err(WebSocketError::NotWebSocket));
}

#[test]
fn what_is_sent_is_masked_and_comes_back_the_same() {
    let mut socket = open();
    for length in [0, 1, 125, 126, 5000] {
        let message: Vec<u8> = (0..length).map(|i| i as u8).collect();
        socket.send(&message, &mut SeededEntropy::new(9));
        let frame = socket.outgoing().to_vec();
        socket.sent(frame.len());
        assert_eq!((frame[0], frame[1] & 0x80), (0x82, 0x80));
        let header = if length < 126 { 2 } else { 4 };
        let (mask, payload) = frame[header..].split_at(4);
        let unmasked: Vec<u8> =
            payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(unmasked, message);
    }
}

#[test]
fn messages_in_pieces_with_a_ping_between() {
    let mut socket = open();
    feed(&mut socket, &[0x02, 1, 1, 0x89, 1, 42, 0x00, 1, 2, 0x80, 1, 3]).unwrap();
    assert_eq!(socket.poll_event(), Some(WebSocketEvent::Alive));
    assert_eq!(socket.poll_event(), Some(WebSocketEvent::Message(vec![1, 2, 3])));
    assert_eq!(socket.outgoing()[..2], [0x8a, 0x81], "a pong with one byte");
}

#[test]
fn a_flood_of_pings_does_not_grow_the_output() {
    let mut socket = open();
    (0..1000).for_each(|_| feed(&mut socket, &[0x89, 0]).unwrap());
    assert_eq!(socket.outgoing().len(), MAX_QUEUED_PONGS * 6);
}

#[test]
fn breaches_end_it() {
    let long = [&[0x82, 126, 0x40, 0x01][..], &[0; 16_385]].concat();
    let half = [&[0x02, 126, 0x30, 0x00][..], &[0; 0x3000]].concat();
    let in_pieces = [&half[..], &[0x80, 126, 0x30, 0x00], &[0; 0x3000]].concat();
    for bytes in [
        &[0x82, 0x81, 0, 0, 0, 0, 0][..],
        &[0xc2, 0],
        &[0x81, 0],
        &[0x83, 0],
        &[0x80, 0],
        &[0x02, 0, 0x82, 0],
        &[0x09, 0],
        &[0x89, 126, 0, 200],
        &[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0],
        &long,
        &in_pieces,
    ] {
        let result = feed(&mut open(), bytes);
        assert!(matches!(result, Err(WebSocketError::Protocol(_))), "{:?}", &bytes[..2]);
    }
}

#[test]
fn a_close_says_why() {
    let closed = |bytes: &[u8]| feed(&mut open(), bytes).unwrap_err();
    let reason = |code, reason: &str| WebSocketError::Closed { code, reason: reason.to_owned() };
    assert_eq!(closed(&[0x88, 5, 0x03, 0xe9, b'b', b'y', b'e']), reason(1001, "bye"));
    assert_eq!(closed(&[0x88, 0]), reason(1005, ""));
    assert_eq!(closed(&[0x88, 4, 0x03, 0xe9, 0xff, b'\n']), reason(1001, "\u{fffd}"));
}

/// Whatever comes, in whatever pieces: no panic, and nothing grows beyond its limit.
#[test]
fn random_bytes_do_no_harm() {
    let mut entropy = SeededEntropy::new(7);
    for _ in 0..2000 {
        let mut socket = open();
        for _ in 0..20 {
            let mut bytes = vec![0; (entropy.next_u32() % 64) as usize];
            entropy.fill(&mut bytes);
            if let Some(first) = bytes.first_mut() {
                *first &= 0x8f;
            }
            if feed(&mut socket, &bytes).is_err() {
                break;
            }
            assert!(socket.incoming.len() <= hub::MAX_MESSAGE_BYTES + 4);
            assert!(socket.partial.as_ref().is_none_or(|p| p.len() <= hub::MAX_MESSAGE_BYTES));
        }
    }
}
