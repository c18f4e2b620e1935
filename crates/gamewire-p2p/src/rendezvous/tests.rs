//! Signals between two connections in virtual time, without a network: how far keys and states get.

use std::{sync::Arc, time::Duration};

use gamewire_crypto::{Entropy as _, SeededEntropy, TrustStore};
use gamewire_proto::{
    Time, config::ConnectionConfig, connection::CloseRequest, end::EndReason,
    event::ConnectionState, handshake::LocalParty,
};
use gamewire_wire::extensions;

use super::{
    Fate, IceOptions, PeerConfig, PeerConnection, Signal, SignalError, VirtualPorts,
    acts_as_initiator,
};

mod items;

fn party(identity: &str, expected: Option<&str>) -> LocalParty {
    LocalParty {
        identity: identity.parse().unwrap(),
        app_id: 0,
        credentials: None,
        trust: Arc::new(TrustStore::default()),
        now_unix: 1_700_000_000,
        expected_identity: expected.map(|text| text.parse().unwrap()),
        features: extensions::ALL,
    }
}

fn config(symmetric: bool) -> PeerConfig {
    PeerConfig {
        connection: ConnectionConfig::default(),
        ice: IceOptions::default(),
        ports: VirtualPorts { local: Some(7), remote: Some(7) },
        symmetric,
    }
}

/// Two ends and the channel between them.
struct Channel {
    now: Time,
    ends: [Option<PeerConnection>; 2],
    entropy: SeededEntropy,
    /// Signals on their way: arrival, to whom, bytes.
    way: Vec<(Time, usize, Vec<u8>)>,
    sent: usize,
    /// Signals lost, in percent.
    loss: u32,
    luck: SeededEntropy,
    accepts: bool,
    symmetric: bool,
}

const NAMES: [&str; 2] = ["str:anna", "str:bert"];

impl Channel {
    fn new(symmetric: bool) -> Self {
        Self {
            now: Time::from_micros(3_000_000_000_000),
            ends: [None, None],
            entropy: SeededEntropy::new(7),
            way: Vec::new(),
            sent: 0,
            loss: 0,
            luck: SeededEntropy::new(99),
            accepts: true,
            symmetric,
        }
    }

    fn connect(&mut self, end: usize, id: u32) {
        let party = party(NAMES[end], Some(NAMES[1 - end]));
        let config = config(self.symmetric);
        let peer = PeerConnection::connect(self.now, id, party, config, &mut self.entropy);
        self.ends[end] = Some(peer);
    }

    fn end(&mut self, end: usize) -> &mut PeerConnection {
        self.ends[end].as_mut().unwrap()
    }

    fn state(&self, end: usize) -> Option<ConnectionState> {
        self.ends[end].as_ref().map(|peer| peer.connection().state())
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.deliver();
            for end in 0..2 {
                let Some(peer) = &mut self.ends[end] else { continue };
                peer.handle_timeout(self.now);
                let mut out = Vec::new();
                while peer.poll_transmit(self.now, &mut out, 1).is_some() {}
                while let Some(signal) = peer.poll_signal(self.now) {
                    self.sent += 1;
                    if self.luck.next_u32() % 100 >= self.loss {
                        self.way.push((self.now + Duration::from_millis(30), 1 - end, signal));
                    }
                }
            }
            let timers = self.ends.iter().flatten().filter_map(|peer| peer.poll_timeout(self.now));
            let next = timers.chain(self.way.iter().map(|(at, ..)| *at)).min();
            match next {
                Some(at) if at <= until => {
                    self.now = at.max(self.now + Duration::from_micros(1));
                }
                _ => break,
            }
        }
        self.now = until;
    }

    fn deliver(&mut self) {
        let now = self.now;
        let (due, later) = self.way.drain(..).partition(|(at, ..)| *at <= now);
        self.way = later;
        let due: Vec<(Time, usize, Vec<u8>)> = due;
        for (_, end, bytes) in due {
            let signal = Signal::decode(&bytes).unwrap();
            if let Some(peer) = &mut self.ends[end] {
                assert_eq!(peer.handle_signal(now, &signal, &mut self.entropy), Fate::Taken);
            } else if signal.request.is_some() {
                let id = 0x0022_0000 + u32::from(end as u8) + 1;
                let (party, config) = (party(NAMES[end], None), config(self.symmetric));
                let made = PeerConnection::from_request(
                    now,
                    id,
                    &signal,
                    party,
                    config,
                    &mut self.entropy,
                );
                let mut peer = made.unwrap();
                if self.accepts {
                    peer.accept(now, &mut self.entropy).unwrap();
                }
                self.ends[end] = Some(peer);
            }
        }
    }
}

#[test]
fn two_ends_agree_on_keys_whatever_gets_lost() {
    for loss in [0, 20, 40, 60] {
        let mut channel = Channel::new(false);
        channel.loss = loss;
        channel.connect(0, 0x0011_0001);
        channel.run(Duration::from_secs(8));
        let states = [channel.state(0), channel.state(1)];
        assert_eq!(states, [Some(ConnectionState::FindingRoute); 2], "{loss}");
        let (a, b) = (channel.ends[0].as_ref().unwrap(), channel.ends[1].as_ref().unwrap());
        assert_eq!(a.connection().remote_id(), b.connection().local_id());
        assert_eq!(a.connection().remote_identity().to_string(), "str:bert");
        assert_eq!(b.connection().remote_identity().to_string(), "str:anna");
    }
}

#[test]
fn without_a_route_the_connection_says_so_in_time() {
    let mut channel = Channel::new(false);
    channel.connect(0, 0x0011_0001);
    channel.run(Duration::from_secs(25));
    for end in 0..2 {
        let reason = channel.end(end).connection().end().unwrap().reason;
        let expected = EndReason::MISC_P2P_NAT_FIREWALL;
        assert!(reason == expected, "{end}: {reason:?}");
    }
}

#[test]
fn who_gets_no_answer_learns_that_the_rendezvous_failed() {
    let mut channel = Channel::new(false);
    channel.loss = 100;
    channel.connect(0, 0x0011_0001);
    channel.run(Duration::from_secs(12));
    assert_eq!(channel.end(0).connection().end().unwrap().reason, EndReason::MISC_P2P_RENDEZVOUS);
    assert!(!channel.end(0).heard_from_peer());
}

#[test]
fn both_asking_at_once_is_one_connection() {
    for ids in [[0x0011_0001, 0x0033_0002], [0x0011_0001, 0x0033_0003], [0x7011_0004, 0x0033_0002]]
    {
        for loss in [0, 30] {
            let mut channel = Channel::new(true);
            channel.loss = loss;
            channel.connect(0, ids[0]);
            channel.connect(1, ids[1]);
            channel.run(Duration::from_secs(5));
            let states = [channel.state(0), channel.state(1)];
            assert_eq!(states, [Some(ConnectionState::FindingRoute); 2], "{ids:x?} {loss}");
            let asks = acts_as_initiator(ids[0], ids[1]);
            assert_ne!(asks, acts_as_initiator(ids[1], ids[0]));
        }
    }
}

#[test]
fn a_goodbye_is_repeated_until_it_is_answered() {
    let mut channel = Channel::new(false);
    channel.connect(0, 0x0011_0001);
    channel.run(Duration::from_secs(1));
    channel.loss = 40;
    let now = channel.now;
    let request = CloseRequest { reason: 1234, debug: "enough", linger: false };
    channel.end(0).close(now, request);
    channel.run(Duration::from_secs(4));
    let end = channel.end(1).connection().end().unwrap().clone();
    assert_eq!((end.reason, end.debug.as_str()), (EndReason(1234), "enough"));
    let before = channel.sent;
    channel.run(Duration::from_secs(20));
    assert!(channel.sent <= before + 2, "silence after the answer");
    assert_eq!(channel.state(0), Some(ConnectionState::None));
}

#[test]
fn a_request_that_is_not_accepted_is_refused_or_times_out() {
    let mut channel = Channel::new(false);
    channel.accepts = false;
    channel.connect(0, 0x0011_0001);
    channel.run(Duration::from_millis(300));
    assert_eq!(channel.state(1), Some(ConnectionState::Connecting));
    let now = channel.now;
    let refusal = CloseRequest { reason: 1999, debug: "no", linger: false };
    channel.end(1).close(now, refusal);
    channel.run(Duration::from_secs(2));
    assert_eq!(channel.state(0), Some(ConnectionState::ClosedByPeer));
}

#[test]
fn strangers_are_not_listened_to() {
    let mut channel = Channel::new(false);
    channel.connect(0, 0x0011_0001);
    channel.run(Duration::from_millis(400));
    let now = channel.now;
    let mut entropy = SeededEntropy::new(1);
    let mut forged = Signal {
        from: "str:mallory".parse().unwrap(),
        from_connection_id: channel.end(0).connection().remote_id(),
        to: None,
        to_connection_id: 0x0011_0001,
        request: None,
        answer: None,
        closed: Some(super::Closed { reason: 1000, debug: String::new() }),
        ice_enabled: true,
        ack_reliable: 0,
        first_reliable: 0,
        reliable: Vec::new(),
        sdr_routes: None,
        ack_routes_revision: None,
        hosted_server_ticket: None,
        application_messages: Vec::new(),
    };
    assert_eq!(channel.end(0).handle_signal(now, &forged, &mut entropy), Fate::WrongSender);
    forged.from = "str:bert".parse().unwrap();
    forged.from_connection_id += 1;
    assert_eq!(channel.end(0).handle_signal(now, &forged, &mut entropy), Fate::WrongSender);
    assert_eq!(channel.state(0), Some(ConnectionState::FindingRoute));
}

fn recorded(name: &str) -> Vec<Signal> {
    let path = format!("{}/../../testdata/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let recording: serde_json::Value = serde_json::from_str(&text).unwrap();
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    };
    let signals = recording["signals"].as_array().unwrap();
    signals
        .iter()
        .map(|signal| Signal::decode(&bytes(signal["hex"].as_str().unwrap())).unwrap())
        .collect()
}

#[test]
fn the_recorded_signals_are_understood() {
    let signals = recorded("p2p-connect");
    let [request, answer, ack] = &signals[..] else { panic!("three signals") };
    assert_eq!(request.from.to_string(), "str:peer_client");
    let asked = request.request.as_ref().unwrap();
    assert_eq!((asked.to_virtual_port, asked.from_virtual_port), (Some(0), Some(0)));
    assert_eq!((request.first_reliable, request.reliable.len()), (1, 2));
    assert!(answer.answer.is_some() && answer.ack_reliable == 2);
    assert_eq!(answer.to_connection_id, request.from_connection_id);
    assert!(ack.request.is_none() && ack.answer.is_none() && ack.ack_reliable == 2);
}

#[test]
fn a_recorded_request_is_answered_as_valve_s_peer_did() {
    let signals = recorded("p2p-connect");
    let mut entropy = SeededEntropy::new(3);
    let now = Time::from_micros(3_000_000_000_000);
    let made = PeerConnection::from_request(
        now,
        0xa049_b8bf,
        &signals[0],
        party("str:peer_server", None),
        config(false),
        &mut entropy,
    );
    let mut peer = made.unwrap();
    peer.accept(now, &mut entropy).unwrap();
    let later = now + Duration::from_millis(50);
    peer.handle_timeout(later);
    let ours = Signal::decode(&peer.poll_signal(later).unwrap()).unwrap();
    let theirs = &signals[1];
    assert_eq!(ours.from, theirs.from);
    assert_eq!(ours.to, theirs.to);
    assert_eq!(ours.from_connection_id, theirs.from_connection_id);
    assert_eq!(ours.to_connection_id, theirs.to_connection_id);
    assert_eq!(ours.ack_reliable, theirs.ack_reliable);
    assert_eq!(ours.first_reliable, theirs.first_reliable);
    assert_eq!(ours.ice_enabled, theirs.ice_enabled);
    assert!(ours.answer.is_some() && ours.request.is_none());
}

#[test]
fn the_recorded_symmetric_peers_took_the_roles_that_we_would() {
    let signals = recorded("p2p-symmetric");
    let ids = [signals[0].from_connection_id, signals[1].from_connection_id];
    assert!(signals[0].request.is_some() && signals[1].request.is_some());
    // The first peer's second signal answers: it gave way.
    assert!(signals[2].answer.is_some());
    assert_eq!(signals[2].from_connection_id, ids[0]);
    assert!(!acts_as_initiator(ids[0], ids[1]));
    assert!(acts_as_initiator(ids[1], ids[0]));
}

#[test]
fn what_makes_no_sense_is_said_to() {
    assert_eq!(Signal::decode(&[0xff; 20]), Err(SignalError::Malformed));
    assert_eq!(Signal::decode(&[]), Err(SignalError::NoSender));
    assert_eq!(Signal::decode(&vec![0; super::MAX_SIGNAL_BYTES + 1]), Err(SignalError::TooLong));
}
