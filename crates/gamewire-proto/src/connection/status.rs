//! What can be said about a connection at a moment, as plain data.

use std::time::Duration;

use super::{Connection, session::Session};
use crate::{
    Time,
    congestion::Estimate,
    event::ConnectionState,
    send::Backlog,
    stats::{LinkSnapshot, RealTimeLink},
};

/// How the connection does now (api.md §3.7, `SteamNetConnectionRealTimeStatus_t`).
#[derive(Clone, PartialEq, Debug)]
pub struct ConnectionStatus {
    /// The state that the application sees.
    pub state: ConnectionState,
    /// Ping, quality, rates, jitter; nothing known and no traffic before the handshake is done.
    pub link: RealTimeLink,
    /// Bytes per second at which data may leave; `None`: no limit.
    pub send_rate: Option<u64>,
    /// Bytes on their way, of all lanes.
    pub backlog: Backlog,
    /// How long a message queued now would wait before it leaves.
    pub queue_time: Duration,
    /// What the congestion control believes about the path.
    pub estimate: Estimate,
    /// Bytes that may be in flight; `None`: no limit.
    pub window: Option<u64>,
}

/// The queue of one lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LaneStatus {
    /// Bytes on their way.
    pub backlog: Backlog,
    /// How long a message queued now on this lane would wait before it leaves.
    pub queue_time: Duration,
}

/// What the established part of a connection knows; for displays, not for every packet.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionStatus {
    /// Statistics of both ends.
    pub link: LinkSnapshot,
    /// Loss recovery.
    pub recovery: RecoveryStatus,
    /// Protocol version that the peer speaks.
    pub protocol_version: u32,
    /// Extension bits in force ([`gamewire_wire::extensions`]).
    pub features: u64,
}

/// Round-trip times and what is in flight (RFC 9002).
#[derive(Clone, PartialEq, Debug)]
pub struct RecoveryStatus {
    /// Smoothed round-trip time; a guess before the first sample.
    pub smoothed_rtt: Duration,
    /// Its mean deviation.
    pub rttvar: Duration,
    /// Shortest round-trip time seen.
    pub min_rtt: Option<Duration>,
    /// Bytes sent, counted by the congestion control, and neither acked nor lost.
    pub bytes_in_flight: u64,
    /// How many there may be; `None`: no limit.
    pub congestion_window: Option<u64>,
    /// Bytes of UDP payload that the path is known to carry in one packet.
    pub path_mtu: usize,
    /// Name of the congestion controller.
    pub controller: &'static str,
    /// What it believes about the path.
    pub estimate: Estimate,
    /// Number of the last packet sent.
    pub last_sent: u64,
    /// Number of the newest packet received.
    pub newest_received: u64,
}

/// What waits for the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiveStatus {
    /// Bytes of messages unread, unfinished or ahead of a gap.
    pub buffered_bytes: usize,
    /// Messages unread.
    pub unread_messages: usize,
}

const UNKNOWN_LINK: RealTimeLink = RealTimeLink {
    ping_ms: None,
    quality_local: None,
    quality_remote: None,
    out_packets_per_s: 0.0,
    out_bytes_per_s: 0.0,
    in_packets_per_s: 0.0,
    in_bytes_per_s: 0.0,
    max_jitter_us: None,
};

impl Connection {
    /// How it does now. Clears the jitter's high-water mark.
    pub fn real_time(&mut self, now: Time) -> ConnectionStatus {
        let send_rate = self.send_rate();
        let controller = self.session.as_ref().map(|session| &session.controller);
        let estimate = controller.map_or_else(Estimate::default, |it| it.estimate());
        let window = controller.map(|it| it.congestion_window());
        let session = self.session.as_mut();
        ConnectionStatus {
            state: self.phase.visible(),
            link: session.map_or(UNKNOWN_LINK, |session| session.stats.real_time(now)),
            send_rate,
            backlog: self.queues.backlog(),
            queue_time: self.queues.queue_time(send_rate),
            estimate,
            window: window.filter(|&window| window != u64::MAX),
        }
    }

    /// The queue of a lane; `None`: not configured.
    pub fn lane_status(&self, lane: u16) -> Option<LaneStatus> {
        Some(LaneStatus {
            backlog: self.queues.lane_backlog(lane)?,
            queue_time: self.queues.lane_queue_time(lane, self.send_rate())?,
        })
    }

    /// How many lanes are configured for sending.
    pub fn lane_count(&self) -> usize {
        self.queues.lane_count()
    }

    /// Bytes per second at which data may leave; `None`: no limit. Before the handshake is done what
    /// the configuration starts with.
    pub fn send_rate(&self) -> Option<u64> {
        match &self.session {
            Some(session) => session.controller.pacing_rate(),
            None => self.config.send.initial_rate(),
        }
    }

    /// Statistics and recovery; `None` before the handshake is done and after everything is over.
    pub fn session_status(&self, now: Time) -> Option<SessionStatus> {
        self.session.as_ref().map(|session| session.status(now))
    }

    /// What waits for the application.
    pub fn receive_status(&self) -> ReceiveStatus {
        ReceiveStatus {
            buffered_bytes: self.receiver.buffered_bytes(),
            unread_messages: self.receiver.unread_messages(),
        }
    }

    /// How long it has existed.
    pub fn age(&self, now: Time) -> Duration {
        now.since(self.created)
    }
}

impl Session {
    fn status(&self, now: Time) -> SessionStatus {
        let rtt = self.recovery.rtt();
        let window = self.controller.congestion_window();
        SessionStatus {
            link: self.stats.snapshot(now),
            recovery: RecoveryStatus {
                smoothed_rtt: rtt.smoothed_rtt(),
                rttvar: rtt.rttvar(),
                min_rtt: rtt.min_rtt(),
                bytes_in_flight: self.recovery.bytes_in_flight(),
                congestion_window: (window != u64::MAX).then_some(window),
                path_mtu: self.mtu.size(),
                controller: self.controller.name(),
                estimate: self.controller.estimate(),
                last_sent: self.recovery.last_sent(),
                newest_received: self.acks.newest(),
            },
            protocol_version: self.traits.protocol_version,
            features: self.traits.features,
        }
    }
}
