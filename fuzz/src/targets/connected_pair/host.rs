//! One of the two hosts: a socket's endpoint and its connection.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use gamewire_crypto::{SeededEntropy, TrustStore};
use gamewire_proto::{
    Time,
    config::{ConnectionConfig, ReceiveLimits, SendConfig, UNLIMITED_RATE},
    connection::Connection,
    endpoint::{ConnectionKey, Endpoint, Route},
    handshake::{self, LocalParty, PairSide},
    lane::{DeliveryMode, LaneConfig},
    receive::MAX_PARTIAL_SEGMENTS,
    send::OutgoingMessage,
};
use gamewire_wire::{Identity, extensions, limits::MAX_UDP_PAYLOAD};

use super::{
    journal::{Journal, Sent, content},
    network::{Network, Packet},
};
use crate::input::Input;

/// Largest packet that is tried, in bytes.
const LARGE_PACKET: usize = 9000;

const KEY: ConnectionKey = ConnectionKey(1);
/// Bytes that the instructions may send in one message.
const MAX_MESSAGE: usize = 20_000;
/// Rounds of timers and batches at one moment; more would be a busy loop. A full send buffer in small
/// packets without a rate limit is about 600 batches, and may go twice.
const MAX_ROUNDS: usize = 2000;
/// Events that wait while the driver drains them after every input.
const MAX_EVENTS: usize = 16;
const LANES: usize = 4;

/// What the input chose for the whole run.
pub(super) struct Options {
    pub(super) encrypted: bool,
    features: u64,
    receive: ReceiveLimits,
    mtu: usize,
    fast: bool,
    tell_gap: bool,
}

impl Options {
    pub(super) fn read(input: &mut Input<'_>) -> Self {
        let bits = input.byte();
        let small = bits & 4 != 0;
        let receive = ReceiveLimits {
            buffer_bytes: if small { 2048 + usize::from(input.u16()) } else { 1 << 20 },
            window_bytes: None,
            buffer_messages: if small { 1 + input.below(64) } else { 1000 },
            window_messages: None,
            max_message_bytes: MAX_MESSAGE,
            max_segments_per_packet: if small { 8 } else { 1300 },
            out_of_order_window: Duration::from_micros(if bits & 8 == 0 { 1000 } else { 0 }),
        };
        Self {
            encrypted: bits & 1 == 0,
            features: if bits & 2 == 0 { extensions::ALL } else { 0 },
            receive,
            mtu: if bits & 16 == 0 { MAX_UDP_PAYLOAD } else { 300 },
            fast: bits & 32 != 0,
            tell_gap: bits & 64 != 0,
        }
    }

    fn config(&self) -> ConnectionConfig {
        let rate = if self.fast { UNLIMITED_RATE } else { 4 << 20 };
        ConnectionConfig {
            send: SendConfig {
                rate_min: rate,
                rate_max: rate,
                mtu: self.mtu,
                mtu_limit: if self.mtu == MAX_UDP_PAYLOAD { LARGE_PACKET } else { self.mtu },
                ..SendConfig::default()
            },
            receive: self.receive.clone(),
            unencrypted: if self.encrypted { 0 } else { 3 },
            send_time_since_previous: self.tell_gap,
            ..ConnectionConfig::default()
        }
    }
}

pub(super) struct Host {
    index: usize,
    endpoint: Endpoint,
    pub(super) connection: Connection,
    entropy: SeededEntropy,
    lanes: Vec<LaneConfig>,
    out: Vec<u8>,
}

fn address(index: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4000 + index as u16))
}

/// Two hosts whose connections are up.
pub(super) fn pair(now: Time, options: &Options) -> [Host; 2] {
    let mut entropy = SeededEntropy::new(1);
    let trust = Arc::new(TrustStore::empty());
    let side = |index: usize| PairSide {
        local_id: 0x1234_0001 + index as u32,
        address: address(index),
        party: LocalParty {
            identity: Identity::localhost(),
            app_id: 480,
            credentials: None,
            trust: Arc::clone(&trust),
            now_unix: 1_700_000_000,
            expected_identity: None,
            features: options.features,
        },
        config: options.config(),
    };
    let [first, second] = handshake::pair(now, [side(0), side(1)], &mut entropy)
        .expect("both sides have the same configuration");
    let mut host = |index: usize, agreement| {
        let (local, remote) = (side(index), address(1 - index));
        let mut endpoint = Endpoint::new(None, &mut entropy);
        endpoint.insert_initiator(KEY, local.local_id, remote);
        let id = local.local_id;
        let connection =
            Connection::established(now, id, remote, agreement, local.config, &mut entropy);
        Host {
            index,
            endpoint,
            connection,
            entropy: SeededEntropy::new(index as u64),
            lanes: vec![LaneConfig::default()],
            out: Vec::new(),
        }
    };
    [host(0, first), host(1, second)]
}

impl Host {
    /// Sends a message, if the connection takes it.
    pub(super) fn send(&mut self, now: Time, input: &mut Input<'_>, journal: &mut Journal) {
        let choice = input.byte();
        let len = match choice >> 6 {
            0 | 1 => usize::from(input.byte()),
            2 => usize::from(input.byte()) * 16,
            _ => usize::from(input.u16()) % MAX_MESSAGE,
        };
        let reliable = choice & 1 != 0;
        let message = OutgoingMessage {
            payload: content(journal.next_content(), len),
            lane: u16::from(choice >> 1 & 3),
            reliable,
            no_nagle: choice & 8 != 0,
            no_delay: choice & 16 != 0,
            deadline: (!reliable && choice & 32 != 0).then(|| now.plus_micros(5000)),
        };
        let (lane, payload) = (message.lane, message.payload.clone());
        let has_deadline = message.deadline.is_some();
        match self.connection.send(now, message) {
            Ok(report) => {
                let reliable = reliable || report.promoted;
                let sent = Sent { payload, reliable, has_deadline };
                journal.sent(lane, report.message_number, sent);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }

    pub(super) fn configure_lanes(&mut self, input: &mut Input<'_>, journal: &mut Journal) {
        let modes = [DeliveryMode::Standard, DeliveryMode::Sequenced, DeliveryMode::Unordered];
        let lanes: Vec<LaneConfig> = (0..input.below(LANES + 1))
            .map(|_| LaneConfig {
                priority: i32::from(input.byte() & 3),
                weight: u16::from(input.byte()),
                mode: modes[input.below(3)],
            })
            .collect();
        if self.connection.configure_lanes(&lanes).is_ok() {
            journal.lanes(&lanes);
            self.lanes = lanes;
        }
        assert_eq!(self.connection.lane_count(), self.lanes.len());
    }

    /// The application takes messages out.
    pub(super) fn receive(&mut self, most: usize, journal: &mut Journal) {
        for _ in 0..most {
            let Some(message) = self.connection.poll_message() else { return };
            self.connection.messages_consumed(1, message.payload.len());
            journal.got(message);
        }
    }

    /// A datagram from the other host's address.
    pub(super) fn handle(&mut self, now: Time, bytes: &[u8], network: &mut Network) {
        let mut reply = Vec::new();
        let remote = self.connection.remote();
        match self.endpoint.handle_datagram(now, remote, bytes, &mut reply) {
            Route::Data(_) => {
                self.connection.handle_data(now, &mut bytes.to_vec());
            }
            Route::Control(_, control) => {
                self.connection.handle_control(now, *control, &mut self.entropy);
            }
            Route::Reply => {
                assert!(reply.len() <= bytes.len(), "a reply longer than its request");
                network.send(Packet { to: 1 - self.index, bytes: reply });
            }
            Route::Incoming(_) => panic!("nobody listens"),
            Route::Dropped(_) => {}
        }
        self.drain(now, network);
    }

    /// Serves timers and sends what is due; neither may go on for ever at one moment.
    pub(super) fn run_timers(&mut self, now: Time, network: &mut Network) {
        for _ in 0..MAX_ROUNDS {
            let due = |host: &Self| host.connection.poll_timeout(now).is_some_and(|at| at <= now);
            if !due(self) {
                return;
            }
            self.connection.handle_timeout(now);
            self.drain(now, network);
        }
        panic!("a timer spins in state {:?}", self.connection.state());
    }

    fn drain(&mut self, now: Time, network: &mut Network) {
        for _ in 0..MAX_ROUNDS {
            self.out.clear();
            let Some(transmit) = self.connection.poll_transmit(now, &mut self.out, 4) else {
                self.drain_events();
                return;
            };
            assert_eq!(transmit.len, self.out.len());
            assert_eq!(transmit.destination, self.connection.remote());
            let size = transmit.segment_size.unwrap_or(transmit.len).max(1);
            for datagram in self.out.chunks(size) {
                assert!(datagram.len() <= LARGE_PACKET);
                network.send(Packet { to: 1 - self.index, bytes: datagram.to_vec() });
            }
        }
        panic!("it never stops sending");
    }

    fn drain_events(&mut self) {
        for _ in 0..MAX_EVENTS {
            if self.connection.poll_event().is_none() {
                return;
            }
        }
        panic!("events without end");
    }

    /// What a peer can make the connection hold (see `gamewire_proto::receive`).
    pub(super) fn check_limits(&self, options: &Options) {
        let limits = &options.receive;
        let held = self.connection.receive_status();
        let most = 2 * limits.buffer_bytes
            + limits.max_message_bytes
            + (8 + MAX_PARTIAL_SEGMENTS) * MAX_UDP_PAYLOAD;
        assert!(held.buffered_bytes <= most, "{} bytes held", held.buffered_bytes);
        assert!(held.unread_messages <= limits.buffer_messages + 1);
        assert_eq!(self.endpoint.connections(), 1);
    }
}
