//! Against servers that answer as they are told.

use super::*;
use gamewire_crypto::SeededEntropy;
use std::time::Duration;

const T0: Time = Time::from_micros(1_000_000);
const LOCAL: &str = "192.168.1.2:5";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A NAT and servers: for a destination, whether a CHANGE-REQUEST was asked for, what comes back and
/// from where.
type World<'a> = &'a dyn Fn(SocketAddr, Option<u8>) -> Option<(&'static str, &'static str)>;

fn run(servers: &[&str], other: Option<&str>, world: World<'_>) -> (Report, Duration) {
    let servers: Vec<SocketAddr> = servers.iter().map(|text| address(text)).collect();
    let mut machine = Classification::new(&servers, &[], &mut SeededEntropy::new(1));
    assert_eq!(machine.report(), None);
    machine.add_socket(T0, SocketId(0), address(LOCAL));
    machine.add_socket(T0, SocketId(1), address("192.168.1.2:6"));
    let mut now = T0;
    loop {
        while let Some(transmit) = machine.poll_transmit() {
            let request = Message::parse(&transmit.payload).unwrap();
            let change = request.attribute(attribute::CHANGE_REQUEST).map(|value| value[3]);
            let Some((from, mapped)) = world(transmit.destination, change) else {
                continue;
            };
            if from == "hairpin" {
                let payload = transmit.payload.clone();
                machine.handle_datagram(now, SocketId(0), transmit.destination, &payload);
                continue;
            }
            let id = request.transaction_id();
            let mut answer = Builder::new(Class::Success, method::BINDING, id)
                .xor_address(attribute::XOR_MAPPED_ADDRESS, address(mapped));
            if let Some(other) = other {
                answer = answer.address(attribute::OTHER_ADDRESS, address(other));
            }
            machine.handle_datagram(now, transmit.socket, address(from), &answer.finish());
        }
        if let Some(report) = machine.report() {
            return (report, now.since(T0));
        }
        now = machine.poll_timeout().expect("something is open");
        machine.handle_timeout(now);
    }
}

#[test]
fn an_open_network_is_told_at_once() {
    let (report, time) = run(&["1.1.1.1:1", "2.2.2.2:2"], None, &|to, _| {
        Some((if to == address("1.1.1.1:1") { "1.1.1.1:1" } else { "2.2.2.2:2" }, LOCAL))
    });
    assert_eq!(report.ipv4.mapping, Mapping::None);
    assert_eq!(report.ipv4.outlook(), Outlook::Direct);
    assert_eq!((report.ipv4.hairpin, time), (None, Duration::ZERO));
    assert_eq!(report.ipv6.outlook(), Outlook::Unknown);
    assert_eq!(report.stun.len(), 2);
}

#[test]
fn blocked_udp_is_told_after_a_few_tries() {
    let (report, time) = run(&["1.1.1.1:1", "2.2.2.2:2"], None, &|_, _| None);
    assert_eq!((report.ipv4.udp, report.ipv4.outlook()), (Some(false), Outlook::Blocked));
    assert!(report.stun.iter().all(|server| server.answer == Answer::Silent));
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[test]
fn hairpinning_is_found_out_with_a_second_socket() {
    for hairpins in [true, false] {
        let (report, _) = run(&["1.1.1.1:1", "2.2.2.2:2"], None, &|to, _| match (
            to.to_string().as_str(),
            hairpins,
        ) {
            ("1.1.1.1:1", _) => Some(("1.1.1.1:1", "9.9.9.9:9")),
            ("2.2.2.2:2", _) => Some(("2.2.2.2:2", "9.9.9.9:9")),
            ("9.9.9.9:9", true) => Some(("hairpin", "")),
            _ => None,
        });
        assert_eq!(report.ipv4.hairpin, Some(hairpins));
        assert_eq!(report.ipv4.mapping, Mapping::EndpointIndependent);
    }
}

#[test]
fn one_server_with_two_addresses_tells_mapping_and_filtering() {
    for (lets_address_in, lets_port_in, filtering) in [
        (true, true, Filtering::EndpointIndependent),
        (false, true, Filtering::AddressDependent),
        (false, false, Filtering::AddressAndPortDependent),
    ] {
        for (mapped, mapping) in [
            (["9.9.9.9:9", "9.9.9.9:9"], Mapping::EndpointIndependent),
            (["9.9.9.9:8", "9.9.9.9:8"], Mapping::AddressDependent),
            (["9.9.9.9:8", "9.9.9.9:7"], Mapping::AddressAndPortDependent),
        ] {
            let (report, _) = run(&["1.1.1.1:1"], Some("2.2.2.2:2"), &|to, change| match (
                to.to_string().as_str(),
                change,
            ) {
                ("1.1.1.1:1", None) => Some(("1.1.1.1:1", "9.9.9.9:9")),
                ("1.1.1.1:1", Some(6)) => lets_address_in.then_some(("2.2.2.2:2", "9.9.9.9:9")),
                ("1.1.1.1:1", Some(2)) => lets_port_in.then_some(("1.1.1.1:2", "9.9.9.9:9")),
                ("2.2.2.2:1", None) => Some(("2.2.2.2:1", mapped[0])),
                ("2.2.2.2:2", None) => Some(("2.2.2.2:2", mapped[1])),
                _ => None,
            });
            assert_eq!((report.ipv4.mapping, report.ipv4.filtering), (mapping, filtering));
        }
    }
}

#[test]
fn answers_of_others_count_for_nothing() {
    let (report, _) = run(&["1.1.1.1:1"], None, &|_, _| Some(("6.6.6.6:1", "9.9.9.9:9")));
    assert_eq!(report.ipv4.udp, Some(false));
}

#[test]
fn turn_servers_are_tried_and_given_back_what_they_gave() {
    let server = TurnServer {
        address: address("3.3.3.3:3478"),
        transport: TurnTransport::Udp,
        username: String::new(),
        password: String::new(),
    };
    let mut machine = Classification::new(&[], &[server], &mut SeededEntropy::new(1));
    machine.add_socket(T0, SocketId(0), address(LOCAL));
    let request = machine.poll_transmit().unwrap();
    let id = Message::parse(&request.payload).unwrap().transaction_id();
    let answer = Builder::new(Class::Success, method::ALLOCATE, id)
        .xor_address(attribute::XOR_RELAYED_ADDRESS, address("3.3.3.3:50000"))
        .finish();
    machine.handle_datagram(T0, SocketId(0), address("3.3.3.3:3478"), &answer);
    let given_back = machine.poll_transmit().unwrap();
    let message = Message::parse(&given_back.payload).unwrap();
    assert_eq!((message.method(), message.u32(attribute::LIFETIME)), (method::REFRESH, Some(0)));
    let relays = TurnReport::Relays(address("3.3.3.3:50000"));
    assert_eq!(machine.report().unwrap().turn, [(address("3.3.3.3:3478"), relays)]);
}
