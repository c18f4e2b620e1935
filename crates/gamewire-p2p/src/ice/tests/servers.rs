//! STUN servers: what they tell, and what happens when they do not.

use super::*;
use crate::stun::{Builder, Class, Message, TransactionId, attribute, method};
use gamewire_proto::Time;
use network::START;
use std::{net::SocketAddr, time::Duration};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn asking(servers: &[&str]) -> Agent {
    let mut config = config(Role::Controlling);
    config.stun_servers = servers.iter().map(|server| address(server)).collect();
    let mut agent = Agent::new(config, &mut SeededEntropy::new(5));
    agent.add_socket(START, SocketId(0), address("192.168.1.1:1"));
    agent
}

/// The servers that are asked now, with the ids.
fn asked(agent: &mut Agent) -> Vec<(SocketAddr, TransactionId)> {
    std::iter::from_fn(|| agent.poll_transmit())
        .map(|transmit| {
            let message = Message::parse(&transmit.payload).unwrap();
            assert_eq!((message.class(), message.method()), (Class::Request, method::BINDING));
            assert_eq!(message.attribute(attribute::USERNAME), None);
            (transmit.destination, message.transaction_id())
        })
        .collect()
}

fn tell(agent: &mut Agent, now: Time, from: &str, id: TransactionId, mapped: &str) -> Input {
    let bytes = Builder::new(Class::Success, method::BINDING, id)
        .xor_address(attribute::XOR_MAPPED_ADDRESS, address(mapped))
        .finish();
    agent.handle_datagram(now, SocketId(0), address(from), &bytes)
}

fn lines(agent: &mut Agent) -> Vec<String> {
    std::iter::from_fn(|| agent.poll_event())
        .filter_map(|event| match event {
            IceEvent::LocalCandidate(line) => Some(line),
            _ => None,
        })
        .collect()
}

#[test]
fn what_a_server_sees_is_signaled_and_kept_open() {
    let mut agent = asking(&["203.0.113.5:3478", "[2001:db8::5]:3478"]);
    assert_eq!(lines(&mut agent).len(), 1);
    // The other server is of the other family.
    let [(server, id)] = asked(&mut agent)[..] else { panic!("one server") };
    assert_eq!(server, address("203.0.113.5:3478"));
    let stranger = tell(&mut agent, START, "203.0.113.6:3478", id, "198.51.100.1:7");
    assert_eq!(stranger, Input::Dropped(DropReason::UnknownTransaction));
    tell(&mut agent, START, "203.0.113.5:3478", id, "198.51.100.1:7");
    let line = lines(&mut agent).pop().unwrap();
    assert!(line.ends_with(" 0 udp 1694498815 198.51.100.1 7 typ srflx"), "{line}");
    // The same again later, and another address when the NAT has changed its mind.
    let mut now = START;
    for (mapped, fresh) in [("198.51.100.1:7", 0), ("198.51.100.1:8", 1)] {
        now += KEEP_ALIVE;
        assert_eq!(agent.gathering.poll_timeout(), Some(now));
        agent.handle_timeout(now);
        let [(_, id)] = asked(&mut agent)[..] else { panic!("one server") };
        tell(&mut agent, now, "203.0.113.5:3478", id, mapped);
        assert_eq!(lines(&mut agent).len(), fresh);
    }
}

#[test]
fn a_silent_server_is_given_up_and_asked_again_later() {
    let mut agent = asking(&["203.0.113.5:3478"]);
    let mut done = None;
    let mut sent = asked(&mut agent).len();
    while done.is_none() {
        let now = agent.poll_timeout().unwrap();
        agent.handle_timeout(now);
        sent += asked(&mut agent).len();
        let mut events = std::iter::from_fn(|| agent.poll_event());
        done = events.find(|event| *event == IceEvent::GatheringDone).map(|_| now);
    }
    assert_eq!(sent, 5);
    assert_eq!(done.unwrap().since(START), crate::stun::RESPONSE_TIMEOUT);
    let silent = TraceStep::ServerSilent(address("203.0.113.5:3478"));
    assert!(agent.trace().iter().any(|entry| entry.step == silent));
    agent.handle_timeout(done.unwrap() + ASK_AGAIN);
    assert_eq!(asked(&mut agent).len(), 1);
}

#[test]
fn refusals_nonsense_and_no_server_end_gathering_at_once() {
    let done = |agent: &mut Agent| {
        std::iter::from_fn(|| agent.poll_event()).any(|event| event == IceEvent::GatheringDone)
    };
    assert!(done(&mut asking(&[])));
    for mapped in [None, Some("0.0.0.0:0"), Some("127.0.0.1:7")] {
        let mut agent = asking(&["203.0.113.5:3478"]);
        let [(_, id)] = asked(&mut agent)[..] else { panic!("one server") };
        assert!(!done(&mut agent));
        let from = "203.0.113.5:3478";
        if let Some(mapped) = mapped {
            tell(&mut agent, START, from, id, mapped);
        } else {
            let refusal = Builder::new(Class::Error, method::BINDING, id)
                .attribute(attribute::ERROR_CODE, &[0, 0, 4, 0])
                .finish();
            agent.handle_datagram(START, SocketId(0), address(from), &refusal);
            let refused = TraceStep::ServerRefused(address(from), 400);
            assert!(agent.trace().iter().any(|entry| entry.step == refused));
        }
        assert!(done(&mut agent), "{mapped:?}");
        assert_eq!(agent.locals.candidates().len(), 1, "{mapped:?}");
    }
}

#[test]
fn servers_are_limited() {
    let many: Vec<String> = (0..100).map(|number| format!("203.0.113.{number}:3478")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(asked(&mut asking(&many)).len(), Agent::MAX_SERVERS);
    let waited = Duration::from_secs(600);
    let mut agent = asking(&many);
    agent.handle_timeout(START + waited);
    assert!(asked(&mut agent).len() <= 2 * Agent::MAX_SERVERS);
}

#[test]
fn what_a_router_forwards_is_signaled() {
    let mut agent = asking(&[]);
    lines(&mut agent);
    agent.add_mapped_address(START, SocketId(0), address("203.0.113.77:4000"));
    agent.add_mapped_address(START, SocketId(0), address("203.0.113.77:4000"));
    agent.add_mapped_address(START, SocketId(7), address("203.0.113.78:4000"));
    agent.add_mapped_address(START, SocketId(0), address("0.0.0.0:4000"));
    let lines = lines(&mut agent);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with(" 203.0.113.77 4000 typ srflx"), "{lines:?}");
}
