//! What measurements believe, and what is pretended. Whole sessions are tested in
//! `tests/network.rs`.

use std::{sync::Arc, time::Duration};

use gamewire_crypto::SeededEntropy;
use gamewire_proto::Time;
use gamewire_wire::{
    address::Address,
    messages::relay::RouterPingReply,
    relay::{Datagram, PingRequest, parse},
};

use super::*;
use crate::{PopId, config::NetworkConfig};

fn now() -> Time {
    Time::from_micros(3_000_000_000_000)
}

fn pop(code: &str) -> PopId {
    code.parse().unwrap()
}

fn measurement(options: MeasurementOptions) -> Measurement {
    let json = br#"{"pops": {
        "sto": {"relays": [{"ipv4": "155.133.1.1", "port_range": [27015, 27018]}]},
        "fra": {"relays": [{"ipv4": "155.133.1.2", "port_range": [27015, 27015]}]},
        "dc1": {}}, "typical_pings": [["sto", "dc1", 10], ["fra", "dc1", 20]]}"#;
    let mut measurement = Measurement::new(options, Box::new(SeededEntropy::new(1)));
    assert_eq!(measurement.status(), MeasurementStatus::NoConfig);
    measurement.set_config(Arc::new(NetworkConfig::parse(json).unwrap().0));
    measurement
}

fn request(sent: &ToRelay) -> PingRequest {
    let Ok(Datagram::Ping(request)) = parse(&sent.bytes) else { panic!() };
    request
}

fn reply(request: &PingRequest) -> RouterPingReply {
    RouterPingReply {
        client_cookie: Some(request.cookie),
        challenge: Some(9),
        ..RouterPingReply::default()
    }
}

/// Runs a measurement; `rtt_ms` answers for a relay or not at all. Returns when it is over.
fn run(measurement: &mut Measurement, rtt_ms: impl Fn(Address) -> Option<u64>) -> Time {
    let mut now = now();
    measurement.start(now);
    let mut answers: Vec<(Time, Address, RouterPingReply)> = Vec::new();
    for _ in 0..10_000 {
        while let Some(sent) = measurement.poll_transmit() {
            assert!(request(&sent).is_for(sent.to));
            if let Some(ms) = rtt_ms(sent.to) {
                answers.push((now + Duration::from_millis(ms), sent.to, reply(&request(&sent))));
            }
        }
        if measurement.status() != MeasurementStatus::Measuring {
            return now;
        }
        now += Duration::from_millis(1);
        let due: Vec<_> = answers.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, from, reply) in due {
            assert!(measurement.handle_reply(now, from, &reply));
        }
        measurement.handle_timeout(now);
    }
    panic!("the measurement does not end");
}

#[test]
fn a_measurement() {
    let mut measurement = measurement(MeasurementOptions::default());
    assert!(!measurement.check_up_to_date(now(), Duration::from_secs(1000)));
    assert_eq!(measurement.status(), MeasurementStatus::Measuring);
    let end = run(&mut measurement, |relay| match relay.v4().unwrap().octets()[3] {
        1 => Some(30),
        _ => Some(12),
    });
    assert!(end - now() < Duration::from_secs(3));
    assert_eq!(measurement.direct_ping(pop("sto")), Some(30));
    assert_eq!(measurement.direct_ping(pop("fra")), Some(12));
    assert_eq!(measurement.direct_ping(pop("dc1")), None);
    assert_eq!(measurement.ping_to_data_center(pop("dc1")), Some((32, pop("fra"))));
    let (location, at) = measurement.location().unwrap();
    assert_eq!((location.to_string().as_str(), at), ("fra=12+1,sto=30+3", end));
    assert!(measurement.check_up_to_date(end, Duration::from_secs(1)));
    let challenge = measurement.pop(pop("sto")).unwrap().challenge(end);
    assert_eq!(challenge, Some((9, 0)));
    assert_eq!(measurement.pop(pop("sto")).unwrap().challenge(end + Duration::from_secs(60)), None);
    // Later the best are measured again, without being asked.
    let refresh = measurement.poll_timeout().unwrap();
    assert!((300..=600).contains(&(refresh - end).as_secs()));
    measurement.handle_timeout(refresh);
    assert!(measurement.poll_transmit().is_some());
}

#[test]
fn answers_that_nobody_asked_for() {
    let mut measurement = measurement(MeasurementOptions::default());
    measurement.start(now());
    let later = now() + Duration::from_secs(1);
    measurement.handle_timeout(later);
    let sent = measurement.poll_transmit().unwrap();
    let good = reply(&request(&sent));
    let elsewhere: Address = "8.8.8.8:27015".parse().unwrap();
    assert!(!measurement.handle_reply(later, elsewhere, &good), "from another address");
    let guessed = RouterPingReply { client_cookie: Some(1), ..good.clone() };
    assert!(!measurement.handle_reply(later, sent.to, &guessed));
    assert!(!measurement.handle_reply(later, sent.to, &RouterPingReply::default()));
    assert!(measurement.handle_reply(later, sent.to, &good));
    assert!(!measurement.handle_reply(later, sent.to, &good), "once");
}

#[test]
fn silent_ports_are_left_for_others() {
    let mut measurement = measurement(MeasurementOptions::default());
    run(&mut measurement, |relay| match relay.port() {
        27017 => Some(30),
        _ => None,
    });
    assert_eq!(measurement.direct_ping(pop("sto")), Some(30), "found at its third port");
    let mut nothing = self::measurement(MeasurementOptions::default());
    run(&mut nothing, |_| None);
    assert_eq!(nothing.status(), MeasurementStatus::NoRelay);
    assert_eq!(nothing.location(), None);
    assert!(nothing.poll_timeout().is_some(), "it tries again some time");
}

#[test]
fn pretended_and_forced() {
    let fake_pings = [(pop("sto"), 200)].into_iter().collect();
    let mut faked = measurement(MeasurementOptions { fake_pings, ..Default::default() });
    run(&mut faked, |_| Some(10));
    assert_eq!(faked.direct_ping(pop("sto")), Some(200));
    assert_eq!(faked.direct_ping(pop("fra")), Some(10));
    let forced_pop = Some(pop("sto"));
    let mut forced = measurement(MeasurementOptions { forced_pop, ..Default::default() });
    run(&mut forced, |_| Some(10));
    assert_eq!(forced.pops().count(), 1);
    assert_eq!(forced.direct_ping(pop("fra")), None);
}
