//! A TCP flow, as far as it matters to others on its path: how its window grows and shrinks.
//!
//! Every packet is acknowledged by its number, as with selective acknowledgements; bytes are not
//! ordered and never sent again, since only their number counts.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use gamewire_proto::Time;

use crate::world::{Node, Outbox};

/// Bytes of a packet on the wire, and of its ack.
const PACKET: usize = 1500;
const ACK: usize = 40;

/// Payload of a packet.
const PAYLOAD: u64 = 1448;

/// Packets newer than a missing one that make it lost.
const THRESHOLD: u64 = 3;

/// The least retransmission timeout, as in Linux.
const MIN_RTO: Duration = Duration::from_millis(200);

/// How long the receiver waits for a second packet to acknowledge.
const DELAYED_ACK: Duration = Duration::from_millis(40);

/// How the window follows on acks and losses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Law {
    /// One packet more per round trip, half at a loss (RFC 5681).
    Reno,
    /// A cubic of the time since the last loss, seven tenths at a loss (RFC 9438).
    Cubic,
}

/// The sending end; it always has more to send.
#[derive(Debug)]
pub(super) struct TcpSender {
    law: Law,
    remote: SocketAddr,
    start: Time,
    next: u64,
    flight: BTreeMap<u64, Time>,
    /// In packets.
    window: f64,
    threshold: f64,
    /// When the window last shrank: earlier packets lost tell nothing new.
    cut: Time,
    cubic: Cubic,
    rtt: Option<Duration>,
    last_progress: Time,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cubic {
    origin: f64,
    epoch: Option<Time>,
    /// Seconds from `epoch` until the window is at `origin` again.
    k: f64,
    reno: f64,
}

impl TcpSender {
    /// A flow that begins at `start`.
    pub(super) fn new(law: Law, remote: SocketAddr, start: Time) -> Self {
        Self {
            law,
            remote,
            start,
            next: 0,
            flight: BTreeMap::new(),
            window: 10.0,
            threshold: f64::MAX,
            cut: Time::default(),
            cubic: Cubic::default(),
            rtt: None,
            last_progress: start,
        }
    }

    fn rto(&self) -> Duration {
        MIN_RTO.max(self.rtt.unwrap_or_default() * 2)
    }

    fn send(&mut self, now: Time, outbox: &mut Outbox) {
        while now >= self.start && (self.flight.len() as f64) < self.window {
            let mut packet = [0; PACKET];
            packet[..8].copy_from_slice(&self.next.to_le_bytes());
            outbox.push(self.remote, &packet);
            if self.flight.is_empty() {
                self.last_progress = now;
            }
            self.flight.insert(self.next, now);
            self.next += 1;
        }
    }

    fn on_ack(&mut self, now: Time, numbers: &[u8]) {
        let mut newest = 0;
        let mut acked = 0.0;
        for number in numbers.chunks_exact(8) {
            let number = u64::from_le_bytes(number.try_into().unwrap_or_default());
            newest = newest.max(number);
            if let Some(sent) = self.flight.remove(&number) {
                acked += 1.0;
                let rtt = now.since(sent);
                self.rtt = Some(self.rtt.map_or(rtt, |smoothed| (smoothed * 7 + rtt) / 8));
            }
        }
        if acked > 0.0 {
            self.last_progress = now;
            self.grow(now, acked);
        }
        let lost_to = newest.saturating_sub(THRESHOLD);
        let kept = self.flight.split_off(&lost_to);
        let lost = std::mem::replace(&mut self.flight, kept);
        if lost.values().any(|&sent| sent > self.cut) {
            self.shrink(now);
        }
    }

    fn grow(&mut self, now: Time, acked: f64) {
        if self.window < self.threshold {
            self.window += acked;
            return;
        }
        match self.law {
            Law::Reno => self.window += acked / self.window,
            Law::Cubic => {
                let rtt = self.rtt.unwrap_or_default();
                let cubic = &mut self.cubic;
                let epoch = *cubic.epoch.get_or_insert_with(|| {
                    cubic.origin = cubic.origin.max(self.window);
                    cubic.k = ((cubic.origin - self.window) / 0.4).cbrt();
                    cubic.reno = self.window;
                    now
                });
                let time = (now.since(epoch) + rtt).as_secs_f64() - cubic.k;
                let target = cubic.origin + 0.4 * time * time * time;
                cubic.reno += 0.53 * acked / self.window;
                let target = target.clamp(self.window, 1.5 * self.window);
                self.window += (target - self.window) * acked / self.window;
                self.window = self.window.max(cubic.reno);
            }
        }
    }

    fn shrink(&mut self, now: Time) {
        self.cut = now;
        let before = self.window;
        self.window = match self.law {
            Law::Reno => before / 2.0,
            Law::Cubic => before * 0.7,
        }
        .max(2.0);
        self.threshold = self.window;
        let origin = if before < self.cubic.origin { before * 0.85 } else { before };
        self.cubic = Cubic { origin, ..Cubic::default() };
    }
}

impl Node for TcpSender {
    fn handle_datagram(
        &mut self,
        now: Time,
        _: SocketAddr,
        datagram: &mut [u8],
        outbox: &mut Outbox,
    ) {
        let count = usize::from(datagram[0]);
        let numbers = datagram.get(8..8 + 8 * count).unwrap_or_default().to_vec();
        self.on_ack(now, &numbers);
        self.send(now, outbox);
    }

    fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox) {
        if !self.flight.is_empty() && now >= self.last_progress + self.rto() {
            self.flight.clear();
            self.shrink(now);
            self.window = 2.0;
            self.last_progress = now;
        }
        self.send(now, outbox);
    }

    fn deadline(&self, _: Time) -> Option<Time> {
        if self.next == 0 { Some(self.start) } else { Some(self.last_progress + self.rto()) }
    }
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct TcpReceiver {
    remote: SocketAddr,
    unacked: Vec<u64>,
    since: Time,
    received: u64,
}

impl TcpReceiver {
    /// The end that acknowledges to `remote`.
    pub(super) fn new(remote: SocketAddr) -> Self {
        Self { remote, unacked: Vec::new(), since: Time::default(), received: 0 }
    }

    /// Payload bytes received.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    fn acknowledge(&mut self, outbox: &mut Outbox) {
        let mut ack = [0; ACK];
        ack[0] = self.unacked.len() as u8;
        for (place, number) in ack[8..].chunks_exact_mut(8).zip(self.unacked.drain(..)) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        outbox.push(self.remote, &ack);
    }
}

impl Node for TcpReceiver {
    fn handle_datagram(
        &mut self,
        now: Time,
        _: SocketAddr,
        datagram: &mut [u8],
        outbox: &mut Outbox,
    ) {
        let Some(number) = datagram.first_chunk() else { return };
        if self.unacked.is_empty() {
            self.since = now;
        }
        self.unacked.push(u64::from_le_bytes(*number));
        self.received += PAYLOAD;
        if self.unacked.len() >= 2 {
            self.acknowledge(outbox);
        }
    }

    fn handle_timeout(&mut self, now: Time, outbox: &mut Outbox) {
        if !self.unacked.is_empty() && now >= self.since + DELAYED_ACK {
            self.acknowledge(outbox);
        }
    }

    fn deadline(&self, _: Time) -> Option<Time> {
        (!self.unacked.is_empty()).then_some(self.since + DELAYED_ACK)
    }
}
