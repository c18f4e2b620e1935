//! Valve's library against itself over loopback: shows that the peer says what happens on the wire.

#![allow(missing_docs, reason = "a test")]

mod driver;

use serde_json::{Value, json};

use driver::{Pair, Peer};

/// Every lane that Valve's sender can name correctly.
const LANES: u16 = 8;

/// Messages of one reliability on one lane: 2 × 8 × 125 = 2000 in all, 1000 of each kind.
const MESSAGES: u64 = 125;

/// Unreliable messages that may be lost, of all lanes: a busy machine may overflow a socket buffer.
const TOLERATED_LOSS: u64 = 100;

/// Sizes below and above the index, one and several segments, and one of many packets.
fn sizes(reliable: bool) -> Value {
    if reliable {
        json!([1, 7, 8, 9, 100, 1100, 1200, 2500, 40_000])
    } else {
        json!([8, 9, 100, 1100, 1200, 2500, 15_000])
    }
}

fn seed(lane: u16, reliable: bool) -> u64 {
    1000 + u64::from(lane) * 2 + u64::from(reliable)
}

fn runs() -> impl Iterator<Item = (u16, bool)> {
    (0..LANES).flat_map(|lane| [(lane, true), (lane, false)])
}

/// Buffers that take everything at once, and a rate that a socket buffer on loopback bears.
fn roomy() -> Value {
    json!({
        "SendBufferSize": 8 << 20,
        "RecvBufferSize": 16 << 20,
        "RecvBufferMessages": 100_000,
        "SendRateMin": 4 << 20,
        "SendRateMax": 4 << 20,
    })
}

/// The run that gets one more message when all else has left: it arrives behind everything.
const LAST: (u16, bool) = (0, true);

fn expect_all(pair: &mut Pair) {
    let expect: Vec<Value> = runs()
        .map(|(lane, reliable)| {
            json!({
                "connection": pair.accepted, "lane": lane, "reliable": reliable,
                "seed": seed(lane, reliable), "sizes": sizes(reliable),
                "count": MESSAGES + u64::from((lane, reliable) == LAST),
            })
        })
        .collect();
    pair.server.ok(json!({"cmd": "receive_mode", "mode": "verify", "expect": expect}));
}

fn send_all(pair: &mut Pair) {
    let priorities: Vec<u16> = (0..LANES).map(|lane| lane % 3).collect();
    let weights: Vec<u16> = (1..=LANES).collect();
    pair.client.ok(json!({
        "cmd": "lanes", "connection": pair.connection,
        "priorities": priorities, "weights": weights,
    }));
    for (lane, reliable) in runs() {
        pair.client.ok(json!({
            "cmd": "send", "id": [lane, reliable], "connection": pair.connection, "lane": lane,
            "flags": if reliable { 8 } else { 0 }, "seed": seed(lane, reliable),
            "sizes": sizes(reliable), "count": MESSAGES,
        }));
    }
    for (lane, reliable) in runs() {
        let sent = pair.client.event("sent", |event| event["id"] == json!([lane, reliable]));
        assert_eq!(sent["event"], "sent", "{sent}");
        assert_eq!(sent["accepted"], MESSAGES, "{sent}");
    }
}

/// Waits until nothing waits to leave, and sends the last message of the run `LAST`.
fn send_last(pair: &mut Pair) {
    loop {
        let status = pair.client.ok(json!({"cmd": "status", "connection": pair.connection}));
        if status["real_time"]["pending_unreliable_bytes"] == 0 {
            break;
        }
        assert_eq!(status["info"]["state"], "connected", "{status}");
    }
    let (lane, reliable) = LAST;
    pair.client.ok(json!({
        "cmd": "send", "connection": pair.connection, "lane": lane, "seed": seed(lane, reliable),
        "sizes": sizes(reliable), "first": MESSAGES, "count": 1,
    }));
}

fn check_report(report: &Value) {
    assert_eq!((&report["clean"], &report["unexpected"]), (&json!(true), &json!(0)), "{report}");
    let runs = report["runs"].as_array().expect("a list");
    let missing = |reliable: bool| -> u64 {
        let of_kind = runs.iter().filter(|run| run["reliable"] == reliable);
        of_kind.map(|run| run["missing"].as_u64().expect("a count")).sum()
    };
    assert_eq!(missing(true), 0, "{report}");
    assert!(missing(false) <= TOLERATED_LOSS, "{report}");
}

/// Everything arrives once, intact, and the reliable part in order; then a close is seen as such.
fn content_order_count_and_close(host: &str) {
    let mut pair = Pair::connect(host, roomy());
    expect_all(&mut pair);
    send_all(&mut pair);
    send_last(&mut pair);
    for _ in 0..LANES {
        pair.server.event("a verified run", |event| {
            event["event"] == "verified" && event["run"]["reliable"] == true
        });
    }
    check_report(&pair.server.ok(json!({"cmd": "verify_report"})));

    pair.client.ok(json!({
        "cmd": "close", "connection": pair.connection,
        "reason": 1234, "debug": "so long", "linger": false,
    }));
    let closed = pair.server.state("closed_by_peer");
    assert_eq!(closed["connection"], pair.accepted);
    assert_eq!((&closed["end_reason"], &closed["end_debug"]), (&json!(1234), &json!("so long")));
    pair.server.ok(json!({"cmd": "close", "connection": pair.accepted}));
    pair.quit();
}

#[test]
fn ipv4_content_order_count_and_close() {
    content_order_count_and_close("127.0.0.1");
}

#[test]
fn ipv6_content_order_count_and_close() {
    content_order_count_and_close("[::1]");
}

#[test]
fn a_small_send_buffer_delays_and_loses_nothing() {
    let options = json!({
        "SendBufferSize": 64 << 10, "SendRateMin": 16 << 20, "SendRateMax": 16 << 20,
    });
    let mut pair = Pair::connect("127.0.0.1", options);
    let expect = json!([{"seed": 5, "size": 20_000, "count": 500}]);
    pair.server.ok(json!({"cmd": "receive_mode", "mode": "verify", "expect": expect}));
    pair.client.ok(json!({
        "cmd": "bulk_send", "connection": pair.connection,
        "bytes": 10_000_000, "message_size": 20_000, "seed": 5,
    }));
    // The close comes long before the buffer has taken everything, and lingers.
    let close = pair.client.ok(json!({
        "cmd": "close", "id": "later", "connection": pair.connection,
        "reason": 1500, "debug": "all of it", "linger": true,
    }));
    assert_eq!(close["deferred"], true, "{close}");
    let refused = pair.client.ask(json!({"cmd": "send", "connection": pair.connection, "size": 1}));
    assert_eq!(refused["ok"], false, "{refused}");
    assert_eq!(pair.client.named("sent")["accepted"], 500);
    assert_eq!(pair.client.named("closed")["id"], "later");
    let run = pair.server.named("verified")["run"].clone();
    assert_eq!((&run["clean"], &run["bytes"]), (&json!(true), &json!(10_000_000)), "{run}");
    let closed = pair.server.state("closed_by_peer");
    assert_eq!((&closed["end_reason"], &closed["end_debug"]), (&json!(1500), &json!("all of it")));
    pair.quit();
}

#[test]
fn echo_comes_back_on_its_lane_with_its_reliability() {
    let mut pair = Pair::connect("127.0.0.1", json!({}));
    pair.server.ok(json!({"cmd": "receive_mode", "mode": "echo"}));
    let priorities = [0; 3];
    pair.client
        .ok(json!({"cmd": "lanes", "connection": pair.connection, "priorities": priorities}));
    for (lane, flags, data) in [(2, 9, "00ff10"), (1, 1, "abcd"), (0, 9, "")] {
        pair.client.ok(json!({
            "cmd": "send_hex", "connection": pair.connection,
            "lane": lane, "flags": flags, "data": data,
        }));
        pair.client.ok(json!({"cmd": "flush", "connection": pair.connection}));
        let echo = pair.client.named("message");
        assert_eq!(echo["head"], data, "{echo}");
        assert_eq!((&echo["lane"], &echo["reliable"]), (&json!(lane), &json!(flags & 8 != 0)));
        assert_eq!((&echo["number"], &echo["size"]), (&json!(1), &json!(data.len() / 2)));
    }
    pair.quit();
}

#[test]
fn a_refused_connection_learns_reason_and_text() {
    let mut server = Peer::start(None);
    let mut client = Peer::start(Some("gen:0a0b0c"));
    server.ok(json!({"cmd": "auto_accept", "mode": "reject", "reason": 2001, "debug": "full"}));
    let address = server.listen("127.0.0.1", json!({}));
    client.ok(json!({"cmd": "connect", "address": address}));
    assert_eq!(server.state("connecting")["identity"], "gen:0a0b0c");
    let closed = client.state("closed_by_peer");
    assert_eq!((&closed["end_reason"], &closed["end_debug"]), (&json!(2001), &json!("full")));
    client.quit();
    server.quit();
}

#[test]
fn an_explicit_accept_a_status_and_fake_loss() {
    let mut server = Peer::start(Some("steamid:76561197960287930"));
    let mut client = Peer::start(Some("str:lossy"));
    server.ok(json!({"cmd": "auto_accept", "mode": "ignore"}));
    client.ok(json!({"cmd": "config", "scope": "global", "name": 2, "value": 10.0}));
    client.ok(
        json!({"cmd": "config", "scope": "global", "name": "FakePacketLoss_Recv", "value": 10}),
    );
    let address = server.listen("127.0.0.1", json!({}));
    let connection = client.ok(json!({"cmd": "connect", "address": address}))["connection"].clone();
    let incoming = server.state("connecting")["connection"].clone();
    server.ok(json!({"cmd": "accept", "connection": incoming}));
    assert_eq!(client.state("connected")["identity"], "steamid:76561197960287930");
    server.ok(json!({
        "cmd": "receive_mode", "mode": "verify",
        "expect": [{"seed": 9, "size": 900, "count": 200}],
    }));
    client.ok(json!({
        "cmd": "send", "connection": connection, "seed": 9, "size": 900, "count": 200,
    }));
    assert_eq!(server.named("verified")["run"]["clean"], true);
    let status = client.ok(json!({"cmd": "status", "connection": connection}));
    assert_eq!(status["info"]["state"], "connected", "{status}");
    assert_eq!(status["info"]["flag_names"], json!(["unauthenticated", "fast"]), "{status}");
    assert_eq!(status["real_time"]["lanes"].as_array().map(Vec::len), Some(1), "{status}");
    let text = client.ok(json!({"cmd": "detailed", "connection": connection}))["text"].clone();
    assert!(
        text.as_str().is_some_and(|text| text.contains("End-to-end connection: connected")),
        "{text}"
    );
    client.quit();
    server.quit();
}

#[test]
fn what_the_driver_gets_wrong_is_told_and_ends_nothing() {
    let mut peer = Peer::spawn();
    peer.write_line("{not json");
    assert_eq!(peer.reply("the refusal of garbage")["reply"], Value::Null);
    let early = peer.ask(json!({"cmd": "listen", "address": "127.0.0.1:1", "id": 3}));
    assert_eq!((&early["ok"], &early["id"]), (&json!(false), &json!(3)));
    assert_eq!(peer.ask(json!({"cmd": "init", "identity": "steamid:nobody"}))["ok"], false);
    let identity = peer.ok(json!({"cmd": "init", "identity": "str:me"}))["identity"].clone();
    assert_eq!(identity, "str:me");
    let wrong = [
        json!({"cmd": "init", "identity": "str:again"}),
        json!({"cmd": "listen", "address": "127.0.0.1:0"}),
        json!({"cmd": "listen", "address": "nowhere"}),
        json!({"cmd": "connect", "address": "127.0.0.1:9", "options": {"NoSuchOption": 1}}),
        json!({"cmd": "accept", "connection": 77}),
        json!({"cmd": "close", "connection": 77}),
        json!({"cmd": "flush", "connection": 77}),
        json!({"cmd": "lanes", "connection": 77, "priorities": [0, 1], "weights": [1]}),
        json!({"cmd": "send", "connection": 77, "size": 5}),
        json!({"cmd": "status", "connection": 77}),
        json!({"cmd": "detailed", "connection": 77}),
        json!({"cmd": "verify_report"}),
        json!({"cmd": "config", "scope": "global", "name": "SendRateMax", "value": "fast"}),
        json!({"cmd": "set_certificate", "data": "00"}),
    ];
    for command in wrong {
        assert_eq!(peer.ask(command.clone())["ok"], false, "{command}");
    }
    let request = peer.ok(json!({"cmd": "certificate_request"}))["data"].clone();
    assert!(request.as_str().is_some_and(|data| data.contains("7374723a6d65")), "{request}");
    peer.hang_up();
}
