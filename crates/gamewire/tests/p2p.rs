//! Connections by identity through the API: sockets, service threads and signals that go by post.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "common/mod.rs"]
mod common;
#[path = "common/post.rs"]
mod post;

use common::{receive, sockets, wait_for_state};
use gamewire::{
    AcceptError, Config, ConnectionFlags, ConnectionHandle, ConnectionState, P2pError, SendFlags,
    Sockets,
};
use post::{Post, Weather};

struct Meeting {
    post: Post,
    anna: Sockets,
    bert: Sockets,
}

impl Meeting {
    fn new(weather: Weather) -> Self {
        let post = Post::open(weather);
        let (anna, bert) = (sockets("str:anna"), sockets("str:bert"));
        post.join(&anna);
        post.join(&bert);
        Self { post, anna, bert }
    }

    /// Anna connects to Bert, who listens and accepts.
    fn meet(&self, options: &[Config]) -> (ConnectionHandle, ConnectionHandle) {
        let listen = self.bert.create_listen_socket_p2p(7, options).unwrap();
        let bert = "str:bert".parse().unwrap();
        let at_anna = self.anna.connect_p2p(&bert, 7, options).unwrap();
        let asked = wait_for_state(&self.bert, ConnectionState::Connecting);
        assert_eq!(asked.info.listen_socket, Some(listen));
        assert_eq!(asked.info.identity_remote.to_string(), "str:anna");
        self.bert.accept_connection(asked.connection).unwrap();
        wait_for_state(&self.bert, ConnectionState::FindingRoute);
        wait_for_state(&self.bert, ConnectionState::Connected);
        wait_for_state(&self.anna, ConnectionState::Connected);
        (at_anna, asked.connection)
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        self.post.close();
    }
}

fn exchange(a: (&Sockets, ConnectionHandle), b: (&Sockets, ConnectionHandle)) {
    for size in [1, 1000, 100_000] {
        let payload: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        for ((from, out), (to, into)) in [(a, b), (b, a)] {
            from.send_message(out, &payload, SendFlags::RELIABLE).unwrap();
            let got = receive(to, into, 1);
            assert_eq!(got[0].payload, payload);
        }
    }
}

#[test]
fn two_peers_meet_by_name_and_talk() {
    let meeting = Meeting::new(Weather::default());
    let (at_anna, at_bert) = meeting.meet(&[]);
    exchange((&meeting.anna, at_anna), (&meeting.bert, at_bert));
    let info = meeting.anna.connection_info(at_anna).unwrap();
    assert_eq!(info.identity_remote.to_string(), "str:bert");
    assert!(!info.flags.contains(ConnectionFlags::RELAYED));
    assert!(info.address_remote.is_some(), "{info:?}");
    assert!(info.description.contains("P2P str:bert vport 7"), "{}", info.description);
    assert!(meeting.anna.close_connection(at_anna, 1234, "bye", false));
    let over = wait_for_state(&meeting.bert, ConnectionState::ClosedByPeer);
    assert_eq!((over.info.end_reason, over.info.end_debug.as_str()), (1234, "bye"));
    assert!(meeting.bert.close_connection(at_bert, 0, "", false));
}

#[test]
fn signals_that_get_lost_or_doubled_only_cost_time() {
    let meeting = Meeting::new(Weather { lose_every: 3, double_every: 2 });
    let (at_anna, at_bert) = meeting.meet(&[]);
    exchange((&meeting.anna, at_anna), (&meeting.bert, at_bert));
}

#[test]
fn what_is_sent_before_the_meeting_arrives_after_it() {
    let meeting = Meeting::new(Weather::default());
    meeting.bert.create_listen_socket_p2p(7, &[]).unwrap();
    let at_anna = meeting.anna.connect_p2p(&"str:bert".parse().unwrap(), 7, &[]).unwrap();
    for number in 0..20_u8 {
        meeting.anna.send_message(at_anna, &[number], SendFlags::RELIABLE).unwrap();
    }
    let asked = wait_for_state(&meeting.bert, ConnectionState::Connecting);
    meeting.bert.accept_connection(asked.connection).unwrap();
    let got = receive(&meeting.bert, asked.connection, 20);
    let order: Vec<u8> = got.iter().map(|message| message.payload[0]).collect();
    assert_eq!(order, (0..20).collect::<Vec<_>>());
}

#[test]
fn who_asks_both_at_once_gets_one_connection() {
    for _ in 0..4 {
        let meeting = Meeting::new(Weather::default());
        let symmetric = [Config::SymmetricConnect(1)];
        for side in [&meeting.anna, &meeting.bert] {
            side.create_listen_socket_p2p(9, &symmetric).unwrap();
        }
        let connect = |from: &Sockets, to: &str| {
            from.connect_p2p(&to.parse().unwrap(), 9, &symmetric).unwrap()
        };
        let at_anna = connect(&meeting.anna, "str:bert");
        let at_bert = connect(&meeting.bert, "str:anna");
        let again = meeting.anna.connect_p2p(&"str:bert".parse().unwrap(), 9, &symmetric);
        assert_eq!(again, Err(P2pError::AlreadyConnected));
        for (side, connection) in [(&meeting.anna, at_anna), (&meeting.bert, at_bert)] {
            let change = wait_for_state(side, ConnectionState::Connected);
            assert_eq!(change.connection, connection);
        }
        exchange((&meeting.anna, at_anna), (&meeting.bert, at_bert));
    }
}

#[test]
fn asking_who_has_asked_accepts_them() {
    let meeting = Meeting::new(Weather::default());
    let symmetric = [Config::SymmetricConnect(1)];
    meeting.bert.create_listen_socket_p2p(9, &symmetric).unwrap();
    let bert = "str:bert".parse().unwrap();
    let at_anna = meeting.anna.connect_p2p(&bert, 9, &symmetric).unwrap();
    let asked = wait_for_state(&meeting.bert, ConnectionState::Connecting);
    let at_bert = meeting.bert.connect_p2p(&"str:anna".parse().unwrap(), 9, &symmetric).unwrap();
    assert_eq!(at_bert, asked.connection);
    assert!(matches!(meeting.bert.accept_connection(at_bert), Err(AcceptError::Duplicate)));
    wait_for_state(&meeting.anna, ConnectionState::Connected);
    exchange((&meeting.anna, at_anna), (&meeting.bert, at_bert));
}

#[test]
fn what_lingers_arrives_before_the_goodbye_does() {
    // The goodbye goes by signal too, which may be faster than a second's worth of messages.
    let meeting = Meeting::new(Weather::default());
    let rate = [Config::SendRateMin(262_144), Config::SendRateMax(262_144)];
    let (at_anna, at_bert) = meeting.meet(&rate);
    let payload = vec![7; 16_384];
    for _ in 0..12 {
        meeting.anna.send_message(at_anna, &payload, SendFlags::RELIABLE).unwrap();
    }
    assert!(meeting.anna.close_connection(at_anna, 1500, "that was all", true));
    let got = receive(&meeting.bert, at_bert, 12);
    assert!(got.iter().all(|message| message.payload == payload));
    let over = wait_for_state(&meeting.bert, ConnectionState::ClosedByPeer);
    assert_eq!(over.info.end_reason, 1500);
}

#[test]
fn nobody_at_home_ends_as_a_failed_rendezvous() {
    let meeting = Meeting::new(Weather::default());
    let nobody = "str:nobody".parse().unwrap();
    let options = [Config::TimeoutInitial(600)];
    meeting.anna.connect_p2p(&nobody, 7, &options).unwrap();
    let failed = wait_for_state(&meeting.anna, ConnectionState::ProblemDetectedLocally);
    assert_eq!(failed.info.end_reason, 5008);
}

#[test]
fn a_refusal_reaches_who_asked() {
    let meeting = Meeting::new(Weather::default());
    meeting.bert.create_listen_socket_p2p(7, &[]).unwrap();
    meeting.anna.connect_p2p(&"str:bert".parse().unwrap(), 7, &[]).unwrap();
    let asked = wait_for_state(&meeting.bert, ConnectionState::Connecting);
    assert!(meeting.bert.close_connection(asked.connection, 2222, "not now", false));
    let refused = wait_for_state(&meeting.anna, ConnectionState::ClosedByPeer);
    assert_eq!((refused.info.end_reason, refused.info.end_debug.as_str()), (2222, "not now"));
}
