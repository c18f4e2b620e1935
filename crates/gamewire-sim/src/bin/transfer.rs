//! One fixed transfer between two machines, without network, clock or cipher: what it costs is the
//! library's own work, and the same each time. `cargo xtask instructions` counts it.
#![forbid(unsafe_code)]

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use bytes::Bytes;
use gamewire_crypto::{SeededEntropy, TrustStore};
use gamewire_proto::{
    Time,
    config::{ConnectionConfig, UNLIMITED_RATE},
    connection::Connection,
    handshake::{LocalParty, PairSide, pair},
    send::OutgoingMessage,
};
use gamewire_wire::{extensions, limits::MAX_LARGE_UDP_PAYLOAD};

/// Time between two turns, in microseconds: a round trip takes two.
const TURN_US: u64 = 100;

/// Datagrams of one batch.
const MAX_BATCH: usize = 44;

/// One kind of transfer.
struct Transfer {
    name: &'static str,
    message_bytes: usize,
    reliable: bool,
    messages: usize,
    /// Messages queued in one turn.
    burst: usize,
    mtu_limit: usize,
}

const TRANSFERS: [Transfer; 4] = [
    Transfer {
        name: "bulk",
        message_bytes: 64 * 1024,
        reliable: true,
        messages: 160,
        burst: 4,
        mtu_limit: 1300,
    },
    Transfer {
        name: "bulk-large-packets",
        message_bytes: 64 * 1024,
        reliable: true,
        messages: 640,
        burst: 4,
        mtu_limit: MAX_LARGE_UDP_PAYLOAD,
    },
    Transfer {
        name: "small-reliable",
        message_bytes: 100,
        reliable: true,
        messages: 60_000,
        burst: 640,
        mtu_limit: 1300,
    },
    Transfer {
        name: "small-unreliable",
        message_bytes: 100,
        reliable: false,
        messages: 60_000,
        burst: 640,
        mtu_limit: 1300,
    },
];

/// Two machines, the sender first.
struct World {
    now: Time,
    sides: [Connection; 2],
    datagrams: Vec<u8>,
    packets: usize,
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(transfer) = TRANSFERS.iter().find(|transfer| transfer.name == name) else {
        let names: Vec<&str> = TRANSFERS.iter().map(|transfer| transfer.name).collect();
        eprintln!("usage: transfer {}", names.join("|"));
        return ExitCode::from(2);
    };
    let mut world = World::new(transfer);
    let received = world.run(transfer);
    println!("{received} messages in {} packets", world.packets);
    if received == transfer.messages { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl World {
    fn new(transfer: &Transfer) -> Self {
        let mut config = ConnectionConfig { unencrypted: 3, ..ConnectionConfig::default() };
        (config.send.rate_min, config.send.rate_max) = (UNLIMITED_RATE, UNLIMITED_RATE);
        config.send.mtu_limit = transfer.mtu_limit;
        config.receive.window_bytes = Some(4 << 20);
        config.receive.window_messages = Some(32 << 10);
        let now = Time::from_micros(1_000_000_000);
        let mut entropy = SeededEntropy::new(7);
        let addresses = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let side = |index: usize| PairSide {
            local_id: index as u32 + 1,
            address: addresses[index],
            party: LocalParty {
                identity: format!("str:side{index}").parse().expect("a literal identity"),
                app_id: 0,
                credentials: None,
                trust: Arc::new(TrustStore::default()),
                now_unix: 1_700_000_000,
                expected_identity: None,
                features: extensions::ALL,
            },
            config: config.clone(),
        };
        let mut agreements = pair(now, [side(0), side(1)], &mut entropy)
            .expect("two sides configured alike agree")
            .into_iter();
        let sides = [0usize, 1].map(|index| {
            let (id, remote) = (index as u32 + 1, addresses[1 - index]);
            let agreement = agreements.next().expect("one for each side");
            Connection::established(now, id, remote, agreement, config.clone(), &mut entropy)
        });
        Self { now, sides, datagrams: Vec::new(), packets: 0 }
    }

    /// Sends all and takes all; how many messages arrived.
    fn run(&mut self, transfer: &Transfer) -> usize {
        let payload = Bytes::from(vec![0x5a; transfer.message_bytes]);
        let (mut sent, mut received) = (0, 0);
        // An unreliable one that was lost would be missing for ever: nothing loses any here.
        while received < transfer.messages {
            for _ in 0..transfer.burst.min(transfer.messages - sent) {
                let message = OutgoingMessage {
                    payload: payload.clone(),
                    reliable: transfer.reliable,
                    ..OutgoingMessage::default()
                };
                if self.sides[0].send(self.now, message).is_err() {
                    break;
                }
                sent += 1;
            }
            for side in [0, 1] {
                received += self.turn(side);
            }
            self.now = self.now.plus_micros(TURN_US);
        }
        received
    }

    /// A side's timers, and what it sends to the other; messages that the other got.
    fn turn(&mut self, side: usize) -> usize {
        let [first, second] = &mut self.sides;
        let (from, to) = if side == 0 { (first, second) } else { (second, first) };
        if from.poll_timeout(self.now).is_some_and(|at| at <= self.now) {
            from.handle_timeout(self.now);
        }
        while from.poll_event().is_some() {}
        let (mut messages, mut bytes) = (0, 0);
        self.datagrams.clear();
        while let Some(batch) = from.poll_transmit(self.now, &mut self.datagrams, MAX_BATCH) {
            let size = batch.segment_size.unwrap_or(batch.len).max(1);
            for datagram in self.datagrams.chunks_mut(size) {
                self.packets += 1;
                to.handle_data(self.now, datagram);
            }
            while let Some(message) = to.poll_message() {
                messages += 1;
                bytes += message.payload.len();
            }
            self.datagrams.clear();
        }
        to.messages_consumed(messages, bytes);
        messages
    }
}
