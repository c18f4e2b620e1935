//! One thread: a shard of the relay and its two sockets.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use gamewire_crypto::{SystemEntropy, TrustStore};
use gamewire_proto::Time;
use gamewire_sdr::{
    config::NetworkConfig,
    hosted::RelayKeys,
    relay::{Moment, Relay, RelayDrop, RelayOptions, Side},
};

use crate::{
    daemon::{Control, Network},
    io::{BATCH, Receiver, Sender, Socket, wait},
};

/// How often a thread looks for what the operator wants, at the latest.
const CONTROL_INTERVAL: Duration = Duration::from_millis(100);
/// Batches that are taken from one socket before the other one's turn.
const BATCHES_PER_TURN: usize = 4;

/// What a thread tells of itself, for others to read at any time.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) sessions: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) forwarded: AtomicU64,
    pub(crate) payload_bytes: AtomicU64,
    pub(crate) unsent: AtomicU64,
    pub(crate) drops: [AtomicU64; RelayDrop::ALL.len()],
}

pub(crate) struct Shard {
    pub(crate) front: Socket,
    pub(crate) interior: Socket,
    pub(crate) options: RelayOptions,
    pub(crate) control: Arc<Control>,
    pub(crate) published: Arc<Published>,
    /// What all threads count their time from.
    pub(crate) start: Instant,
}

/// The clock of the machines starts here, as everywhere in Gamewire.
const ORIGIN_US: u64 = 3_000_000_000_000;

impl Shard {
    fn moment(&self) -> Moment {
        let elapsed = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Moment { now: Time::from_micros(ORIGIN_US.saturating_add(elapsed)), unix }
    }

    /// Serves until the daemon stops.
    pub(crate) fn run(self) -> io::Result<()> {
        let at = self.moment();
        let mut relay = Relay::new(at, self.options.clone(), Box::new(SystemEntropy));
        let (mut receiver, mut sender) = (Receiver::new(), Sender::new());
        let mut seen = Seen::default();
        let mut next_control = Instant::now();
        loop {
            if Instant::now() >= next_control {
                next_control = Instant::now() + CONTROL_INTERVAL;
                if self.control.is_stopped() {
                    return Ok(());
                }
                self.obey(&mut relay, &mut seen);
                self.publish(&relay);
            }
            let at = self.moment();
            if relay.poll_timeout() <= at.now {
                relay.handle_timeout(at);
                self.flush(&mut relay, &mut sender);
            }
            let timeout = (relay.poll_timeout() - at.now).min(CONTROL_INTERVAL);
            let ready = wait([&self.front, &self.interior], timeout)?;
            let sides = [(Side::Front, &self.front), (Side::Interior, &self.interior)];
            for ((side, socket), _) in sides.into_iter().zip(ready).filter(|(_, ready)| *ready) {
                for _ in 0..BATCHES_PER_TURN {
                    let at = self.moment();
                    let count = receiver.receive(socket)?;
                    for index in 0..count {
                        let (from, datagram) = receiver.datagram(index);
                        relay.handle_datagram(at, side, from, datagram);
                    }
                    self.flush(&mut relay, &mut sender);
                    if count < BATCH {
                        break;
                    }
                }
            }
        }
    }

    fn flush(&self, relay: &mut Relay, sender: &mut Sender) {
        let batch = relay.batch();
        if batch.is_empty() {
            return;
        }
        let mut unsent = 0;
        for (side, socket) in [(Side::Front, &self.front), (Side::Interior, &self.interior)] {
            let own = batch.iter().filter(|(to, ..)| *to == side);
            unsent += sender.send_all(socket, own.map(|(_, to, bytes)| (to, bytes)));
        }
        batch.clear();
        if unsent > 0 {
            self.published.unsent.fetch_add(unsent, Ordering::Relaxed);
        }
    }

    fn obey(&self, relay: &mut Relay, seen: &mut Seen) {
        if let Some(network) = self.control.newer_network(&mut seen.network) {
            let Network { config, store, keys } = network;
            relay.set_network(
                Arc::<NetworkConfig>::clone(&config),
                Arc::<TrustStore>::clone(&store),
            );
            relay.set_relay_keys(Arc::<RelayKeys>::clone(&keys));
        }
        if let (Some(length), false) = (self.control.drain_length(), seen.drain) {
            seen.drain = true;
            relay.drain(self.moment(), length, None);
        }
    }

    fn publish(&self, relay: &Relay) {
        let (own, counters) = (&self.published, relay.counters());
        let forwarded = counters.to_servers + counters.to_clients + counters.to_relays;
        // Closed ones linger; nobody waits for them when the relay stops.
        let sessions = match self.control.drain_length() {
            Some(_) => relay.open_session_count(),
            None => relay.session_count(),
        };
        own.sessions.store(sessions as u64, Ordering::Relaxed);
        own.received.store(counters.received, Ordering::Relaxed);
        own.forwarded.store(forwarded, Ordering::Relaxed);
        own.payload_bytes.store(counters.payload_bytes, Ordering::Relaxed);
        for ((_, count), place) in relay.drops().iter().zip(&own.drops) {
            place.store(count, Ordering::Relaxed);
        }
    }
}

/// What of the operator's wishes a thread has seen.
#[derive(Default)]
struct Seen {
    network: u64,
    drain: bool,
}
