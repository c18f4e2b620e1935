//! The established part of a connection: keys, bookkeeping, timers. Packets come in by `intake` and
//! leave by `transmit`.

use std::time::Duration;

use gamewire_crypto::{Entropy, Opener, Sealer};
use gamewire_wire::udp;

use super::{
    early::EarlyPacket,
    intake::Fatal,
    path_mtu::PathMtu,
    transmit::{Outgoing, base_mtu},
    window::ReceiveWindow,
};
use crate::{
    Time,
    acks::ReceivedPackets,
    config::{ConnectionConfig, SendConfig},
    congestion::{self, CongestionController, Pacer},
    drops::DropCounters,
    handshake::{Agreement, ConnectOkAgain},
    log::TrafficLog,
    receive::Receiver,
    recovery::{Probe, Recovery},
    send::{PeerLimits, SendQueues},
    stats::{LinkStats, SendReason, StatsAction},
};

/// What the peer can do, as it matters for packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerTraits {
    /// Protocol version, 8 at least.
    pub protocol_version: u32,
    /// Extension bits in force.
    pub features: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) remote_id: u32,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
    pub(super) traits: PeerTraits,
    /// Kept until the peer shows that it has it.
    connect_ok: Option<Box<ConnectOkAgain>>,
    pub(super) acks: ReceivedPackets,
    pub(super) recovery: Recovery,
    pub(super) controller: Box<dyn CongestionController>,
    pub(super) pacer: Pacer,
    pub(super) stats: LinkStats,
    pub(super) early: EarlyPacket,
    pub(super) early_window: Duration,
    /// The packet being processed came late, and its successor waited for it.
    pub(super) corrected: bool,
    pub(super) drops: DropCounters,
    pub(super) log: TrafficLog,
    pub(super) odd_packets: u32,
    /// Packets whose seal was right.
    pub(super) packets_opened: u64,
    pub(super) outgoing: Outgoing,
    pub(super) mtu: PathMtu,
    pub(super) window: ReceiveWindow,
}

impl Session {
    pub(super) fn new(
        now: Time,
        local_id: u32,
        agreement: Agreement,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let rtt = agreement.ping_us.map(Duration::from_micros);
        let controller = congestion::controller(&config.send, rtt);
        let mut stats = LinkStats::new(now, entropy.next_u32());
        let mut recovery = Recovery::new(agreement.first_packet_number);
        recovery.set_base_size(base_mtu(config.send.mtu));
        if let Some(rtt) = rtt {
            stats.on_ping_sample(now, rtt);
            recovery.seed_rtt(rtt);
        }
        Self {
            remote_id: agreement.remote_id,
            sealer: agreement.sealer,
            opener: agreement.opener,
            traits: PeerTraits {
                protocol_version: agreement.peer.protocol_version,
                features: agreement.peer.features,
            },
            window: ReceiveWindow::new(now, agreement.peer.receive_window, &config.receive),
            mtu: PathMtu::new(&config.send, agreement.peer.features),
            connect_ok: agreement.connect_ok.map(Box::new),
            acks: ReceivedPackets::new(agreement.first_packet_number - 1),
            recovery,
            pacer: Pacer::new(now, &*controller),
            controller,
            stats,
            early: EarlyPacket::default(),
            early_window: config.receive.out_of_order_window,
            corrected: false,
            drops: DropCounters::default(),
            log: TrafficLog { connection: local_id, levels: config.log },
            odd_packets: 0,
            packets_opened: 0,
            outgoing: Outgoing::new(now, config, agreement.peer.protocol_version),
        }
    }

    /// What the send queues must know of the peer.
    pub(super) fn peer_limits(&self) -> PeerLimits {
        let mut limits = PeerLimits { features: self.traits.features, ..PeerLimits::default() };
        if self.takes_large_packets() {
            limits.max_segment = usize::from(u16::MAX);
        }
        match self.window.remote {
            // One window for all lanes takes the place of what each may have towards Valve's.
            Some(window) => PeerLimits {
                receive_window: window,
                max_unacked_reliable_per_lane: u64::MAX,
                ..limits
            },
            None => limits,
        }
    }

    /// The peer sent something sealed, which it cannot without our answer.
    pub(super) fn connect_ok_arrived(&mut self) {
        self.connect_ok = None;
    }

    pub(super) fn connect_ok_again(&self, timestamp: Option<u64>, limit: usize) -> Option<Vec<u8>> {
        self.connect_ok.as_ref()?.encode(timestamp, limit)
    }

    /// Whether a datagram is sealed by our peer; for states that use nothing else of it.
    pub(super) fn authenticate(&self, datagram: &mut [u8]) -> bool {
        let Ok(udp::Datagram::Data(packet)) = udp::parse(datagram) else {
            return false;
        };
        let number = self.acks.expand(packet.header.packet_number_low);
        let offset = packet.payload_offset;
        self.opener.open(number, &mut datagram[offset..]).is_ok()
    }

    /// Time has passed.
    pub(super) fn handle_timeout(
        &mut self,
        now: Time,
        queues: &mut SendQueues,
        receiver: &mut Receiver,
    ) -> Result<(), Fatal> {
        if self.early.deadline().is_some_and(|deadline| now >= deadline) {
            self.release_early(now, queues, receiver)?;
        }
        if self.recovery.deadline().is_some_and(|deadline| now >= deadline) {
            if let Some(probe) = self.recovery.on_timeout(now, queues, &mut *self.controller) {
                self.outgoing.probe(probe);
            }
            let (packets, bytes) = self.recovery.take_timer_losses();
            self.log.lost(packets, bytes);
        }
        self.judge_sizes(now);
        if self.window_question(queues).is_some_and(|at| now >= at) {
            self.window.asked(now);
            self.outgoing.probe(Probe { packets: 1 });
        }
        queues.drop_expired(now);
        match self.stats.on_timeout(now) {
            StatsAction::Nothing => {}
            StatsAction::Send(reason) => {
                if reason == SendReason::KeepAlive {
                    self.release_idle(receiver);
                }
                self.outgoing.send_stats();
            }
        }
        Ok(())
    }

    /// Nothing was to be said for long: gives back the memory of what was said before.
    pub(super) fn release_idle(&mut self, receiver: &mut Receiver) {
        receiver.release_idle();
        self.recovery.release_idle();
    }

    /// The next moment at which something happens by itself.
    pub(super) fn deadline(
        &self,
        now: Time,
        queues: &SendQueues,
        timeout: Duration,
    ) -> Option<Time> {
        [
            self.early.deadline(),
            self.acks.deadline(),
            self.recovery.deadline(),
            self.stats.deadline(),
            self.stats.timeout_deadline(timeout),
            self.next_send(now, queues),
            queues.expiry_deadline(),
            self.window_question(queues),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When to ask a peer whether it still has no room. Its word that it has may be lost, and where
    /// nothing of ours is on its way, nothing else would find that out.
    fn window_question(&self, queues: &SendQueues) -> Option<Time> {
        let waits = queues.peer_is_full() && self.recovery.bytes_in_flight() == 0;
        waits.then(|| self.window.next_question(self.recovery.pto()))
    }

    /// The configured rates changed.
    pub(super) fn reconfigure(&mut self, config: &SendConfig) {
        self.mtu.reconfigure(config, self.traits.features);
        self.outgoing.reconfigure(config);
        self.recovery.set_base_size(base_mtu(config.mtu));
        if config.is_fixed_rate() == self.controller.estimate().state.is_none() {
            self.controller.set_config(config);
        } else {
            // Whether the rate is fixed has changed, and with it who decides.
            let rtt = self.recovery.rtt();
            let measured = rtt.is_measured().then(|| rtt.smoothed_rtt());
            self.controller = congestion::controller(config, measured);
        }
    }

    /// Whether the peer has been silent for too long.
    pub(super) fn timed_out(&self, now: Time, timeout: Duration) -> bool {
        self.stats.timed_out(now, timeout)
    }
}
