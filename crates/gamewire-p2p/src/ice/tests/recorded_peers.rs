//! Our agent in the place of Valve's, with the recorded peer before it.

use super::*;
use crate::{
    recorded::{self, Recorded},
    stun::{Class, Message, attribute},
};
use gamewire_proto::Time;
use network::START;

/// Ours is the initiator of p2p-connect.json; what the acceptor sent is handed over in order.
#[test]
fn the_recorded_acceptor_gets_the_recorded_answers_and_its_choice_is_followed() {
    let [record, _] = recorded::all();
    let own = "192.168.77.1:34622".parse().unwrap();
    let peer = "192.168.77.1:49824".parse().unwrap();
    let credentials = Credentials {
        local_ufrag: ufrag_of(0x7fea_9fb8),
        local_password: "kcueh".to_owned(),
        remote_ufrag: ufrag_of(0xa049_b8bf),
    };
    let config = AgentConfig::new(Role::Controlled, credentials.clone());
    let mut agent = Agent::new(config, &mut SeededEntropy::new(1));
    agent.add_socket(START, SocketId(0), own);
    let line = std::iter::from_fn(|| agent.poll_event()).find_map(|event| match event {
        IceEvent::LocalCandidate(line) => Some(line),
        _ => None,
    });
    assert!(line.unwrap().ends_with(" 0 udp 2130706431 192.168.77.1 34622 typ host"));

    let datagrams: Vec<&Recorded> = record.stun().collect();
    let (mut answers, mut now) = (0, START);
    for (index, datagram) in datagrams.iter().enumerate() {
        let message = Message::parse(&datagram.bytes).unwrap();
        now = Time::from_micros(now.as_micros() + 50_000);
        if datagram.from != peer || message.class() != Class::Request {
            continue;
        }
        let input = agent.handle_datagram(now, SocketId(0), datagram.from, &datagram.bytes);
        assert_eq!(input, Input::Handled);
        let answer = agent.poll_transmit().unwrap();
        assert_eq!((answer.destination, &answer.payload), (peer, &datagrams[index + 1].bytes));
        answers += 1;
    }
    assert_eq!(answers, 2);

    // The acceptor has nominated before its password came. With it our own check leaves.
    assert_eq!(agent.selected(), None);
    let candidate = "candidate:47825569 0 udp 2130706431 192.168.77.1 49824 typ host";
    assert!(agent.add_remote_candidate(now, candidate));
    agent.set_remote_password(now, "kSbqo");
    let check = agent.poll_transmit().unwrap();
    let request = Message::parse(&check.payload).unwrap();
    assert!(request.verify(b"kSbqo"));
    assert_eq!(request.text(attribute::USERNAME), Some("gSbi/:/6p+4"));
    let acceptor = Credentials {
        local_ufrag: credentials.remote_ufrag,
        local_password: "kSbqo".to_owned(),
        remote_ufrag: credentials.local_ufrag,
    };
    let name = message::response_name(b"", &acceptor);
    let id = request.transaction_id();
    let answer = message::response(id, own, &name, &acceptor.local_password);
    assert_eq!(agent.handle_datagram(now, SocketId(0), peer, &answer), Input::Handled);
    let path = agent.selected().unwrap();
    assert_eq!((path.remote, path.kind), (peer, RouteKind::Local));

    // And the data that followed are data.
    for datagram in record.data().filter(|datagram| datagram.from == peer) {
        let input = agent.handle_datagram(now, SocketId(0), datagram.from, &datagram.bytes);
        let range = DataRange { start: 0, end: datagram.bytes.len() };
        assert_eq!(input, Input::Data { path, range });
    }
}

/// After the restart of p2p-symmetric.json: what the new acceptor, once the initiator, is sent.
#[test]
fn the_symmetric_restart_is_followed_from_its_new_credentials_on() {
    let [_, record] = recorded::all();
    let credentials = Credentials {
        local_ufrag: "/myr6".to_owned(),
        local_password: "cjV3Z".to_owned(),
        remote_ufrag: "7mpm7".to_owned(),
    };
    let renewed = Credentials { local_password: "f+v6n".to_owned(), ..credentials.clone() };
    let config = AgentConfig::new(Role::Controlled, credentials);
    let mut agent = Agent::new(config, &mut SeededEntropy::new(1));
    agent.add_socket(START, SocketId(0), "192.168.77.1:57804".parse().unwrap());
    let checks = record.stun().filter(|datagram| {
        let request = Message::parse(&datagram.bytes).unwrap().class() == Class::Request;
        request && datagram.from.port() == 40023
    });
    let checks: Vec<&Recorded> = checks.collect();
    assert_eq!(checks.len(), 6);
    for datagram in &checks {
        let input = agent.handle_datagram(START, SocketId(0), datagram.from, &datagram.bytes);
        assert_eq!(input, Input::Dropped(DropReason::Integrity), "the old password");
    }
    agent.restart(START, renewed, Role::Controlling);
    for datagram in checks {
        let input = agent.handle_datagram(START, SocketId(0), datagram.from, &datagram.bytes);
        assert_eq!(input, Input::Handled);
    }
    assert_eq!(agent.role(), Role::Controlling);
}
