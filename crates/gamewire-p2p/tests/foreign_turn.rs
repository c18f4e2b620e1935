//! Our TURN client against a server that is not ours: `turn-server-proto`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // shared functions of a test are not seen as one

use std::{net::SocketAddr, time::Duration};

use gamewire_crypto::SeededEntropy;
use gamewire_p2p::{
    ice::{TurnServer, TurnTransport},
    stun::{Message, TransactionIds},
    turn::{Client, Frames, Outcome, TurnError},
};
use gamewire_proto::Time;
use turn_server_proto::{
    api::{Transmit, TurnServerApi, TurnServerPollRet},
    server::TurnServer as ForeignServer,
    stun::Instant,
    types::{prelude::DelayedTransmitBuild, stun::TransportType},
};

const SERVER: &str = "203.0.113.1:3478";
const CLIENT: &str = "198.51.100.7:5000";
const RELAYED: &str = "203.0.113.1:50000";
const PEER: &str = "198.51.100.99:7777";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The client, the server, and what went between them and the peer.
struct Pair {
    now: Time,
    client: Client,
    server: ForeignServer,
    transport: TransportType,
    frames: Frames,
    outcomes: Vec<Outcome>,
    /// What reached the peer.
    delivered: Vec<(SocketAddr, Vec<u8>)>,
    /// Data of the peer's that reached the client.
    received: Vec<(SocketAddr, Vec<u8>)>,
}

impl Pair {
    fn new(transport: TurnTransport, password: &str) -> Self {
        let foreign =
            if transport == TurnTransport::Udp { TransportType::Udp } else { TransportType::Tcp };
        let mut server = ForeignServer::new(foreign, address(SERVER), "realm".to_owned());
        server.add_user("user".to_owned(), "password".to_owned());
        let config = TurnServer {
            address: address(SERVER),
            transport,
            username: "user".to_owned(),
            password: password.to_owned(),
        };
        let ids = TransactionIds::new(&mut SeededEntropy::new(7));
        Self {
            now: Time::from_micros(1_000_000),
            client: Client::new(&config, ids),
            server,
            transport: foreign,
            frames: Frames::default(),
            outcomes: Vec::new(),
            delivered: Vec::new(),
            received: Vec::new(),
        }
    }

    fn instant(&self) -> Instant {
        Instant::from_nanos(i64::try_from(self.now.as_micros()).unwrap() * 1000)
    }

    /// Bytes reach the server.
    fn give_server(&mut self, transport: TransportType, bytes: Vec<u8>, from: &str, to: &str) {
        let transmit = Transmit::new(bytes, transport, address(from), address(to));
        let now = self.instant();
        if let Some(answer) = self.server.recv(transmit, now) {
            self.on_sent(answer.to, answer.data.build());
        }
        self.poll_server();
    }

    fn poll_server(&mut self) {
        let now = self.instant();
        while let TurnServerPollRet::AllocateSocket {
            transport,
            listen_addr,
            client_addr,
            allocation_transport,
            family,
        } = self.server.poll(now)
        {
            self.server.allocated_socket(
                transport,
                listen_addr,
                client_addr,
                allocation_transport,
                family,
                Ok(address(RELAYED)),
                now,
            );
        }
        while let Some(transmit) = self.server.poll_transmit(now) {
            self.on_sent(transmit.to, transmit.data);
        }
    }

    /// Something left the server: to the client, or to the peer.
    fn on_sent(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        if to != address(CLIENT) {
            self.delivered.push((to, bytes));
            return;
        }
        let frames = if self.transport == TransportType::Tcp {
            self.frames.push(&bytes).unwrap()
        } else {
            vec![bytes]
        };
        for frame in frames {
            if let Some(data) = self.client.data(&frame) {
                self.received.push((data.peer, frame[data.range].to_vec()));
            } else {
                let message = Message::parse(&frame).unwrap();
                self.client.handle_response(self.now, &message);
            }
        }
    }

    fn peer_sends(&mut self, data: &[u8]) {
        self.give_server(TransportType::Udp, data.to_vec(), PEER, RELAYED);
    }

    fn client_sends(&mut self, data: &[u8]) {
        let mut out = Vec::new();
        self.client.encapsulate(address(PEER), data, &mut out);
        self.give_server(self.transport, out, CLIENT, SERVER);
    }

    /// Until neither has anything more to say.
    fn settle(&mut self) {
        while let Some(request) = self.client.poll_transmit() {
            self.give_server(self.transport, request, CLIENT, SERVER);
        }
        self.outcomes.extend(std::iter::from_fn(|| self.client.poll_outcome()));
    }

    fn run_for(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(next) = self.client.poll_timeout().filter(|next| *next <= end) {
            self.now = next;
            self.client.handle_timeout(next);
            self.settle();
        }
        self.now = end;
        self.poll_server();
    }

    fn connect(&mut self) {
        self.client.start(self.now);
        self.settle();
        assert!(self.client.permit(self.now, address(PEER).ip()));
        self.settle();
    }
}

#[test]
fn everything_works_with_a_foreign_server_over_datagrams_and_streams() {
    for transport in [TurnTransport::Udp, TurnTransport::Tcp] {
        let mut pair = Pair::new(transport, "password");
        pair.connect();
        assert_eq!(pair.client.relayed(), Some(address(RELAYED)));
        let permitted = Outcome::Permitted(address(PEER).ip());
        assert_eq!(pair.outcomes.len(), 2);
        assert_eq!(pair.outcomes[1], permitted);
        // Indications first, then a channel; lengths that need padding and such that do not.
        for channel in [false, true] {
            if channel {
                pair.client.bind_channel(pair.now, address(PEER));
                pair.settle();
            }
            assert_eq!(pair.client.has_channel(address(PEER)), channel);
            // This server knows nothing of the padding that RFC 8656 §12.5 wants in streams.
            let unpadded = channel && transport != TurnTransport::Udp;
            for len in [1, 4, 7, 1200].into_iter().filter(|len| !unpadded || len % 4 == 0) {
                let data = vec![0x80; len];
                pair.client_sends(&data);
                let what = format!("{transport:?}, channel: {channel}, {len} bytes");
                assert_eq!(pair.delivered.pop(), Some((address(PEER), data.clone())), "{what}");
                pair.peer_sends(&data);
                assert_eq!(pair.received.pop(), Some((address(PEER), data)), "{what}");
            }
        }
    }
}

#[test]
fn allocation_permission_channel_and_nonce_outlive_their_terms() {
    let mut pair = Pair::new(TurnTransport::Udp, "password");
    pair.connect();
    pair.client.bind_channel(pair.now, address(PEER));
    pair.settle();
    // The nonce lasts an hour there, an allocation ten minutes, a permission five.
    for _ in 0..150 {
        pair.run_for(Duration::from_secs(60));
        pair.client_sends(b"still");
        assert_eq!(pair.delivered.pop(), Some((address(PEER), b"still".to_vec())));
        pair.peer_sends(b"here");
        assert_eq!(pair.received.pop(), Some((address(PEER), b"here".to_vec())));
    }
    assert!(!pair.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Ended(_))));
}

#[test]
fn a_wrong_password_is_refused() {
    let mut pair = Pair::new(TurnTransport::Udp, "wrong");
    pair.client.start(pair.now);
    pair.settle();
    assert_eq!(pair.outcomes, [Outcome::Ended(TurnError::Refused(401))]);
}

#[test]
fn what_was_given_back_is_gone() {
    let mut pair = Pair::new(TurnTransport::Udp, "password");
    pair.connect();
    let mut late = Vec::new();
    pair.client.encapsulate(address(PEER), b"late", &mut late);
    pair.client.release(pair.now);
    pair.settle();
    pair.give_server(pair.transport, late, CLIENT, SERVER);
    pair.peer_sends(b"late");
    assert_eq!((pair.delivered, pair.received), (Vec::new(), Vec::new()));
}
