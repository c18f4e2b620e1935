//! How a connection does at this moment.

use gamewire_proto::{
    Time,
    congestion::Estimate,
    connection::{ConnectionStatus, LaneStatus as MachineLane},
    event::ConnectionState,
    send::Backlog,
};

use crate::slot::{Machine, SlotState};

/// Ping, quality, rates and queues (api.md §3.7). `None` stands for Valve's −1: not known.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[doc(alias = "SteamNetConnectionRealTimeStatus_t")]
pub struct RealTimeStatus {
    /// Where the connection stands.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::text::serialize_state"))]
    pub state: ConnectionState,
    /// Smoothed round-trip time.
    pub ping_ms: Option<u32>,
    /// Share of the peer's packets that arrive in sequence, 0 to 1.
    pub quality_local: Option<f32>,
    /// Share of our packets that arrive in sequence, as the peer reports it, 0 to 1.
    pub quality_remote: Option<f32>,
    /// Packets sent per second.
    pub out_packets_per_s: f32,
    /// Bytes sent per second.
    pub out_bytes_per_s: f32,
    /// Packets received per second.
    pub in_packets_per_s: f32,
    /// Bytes received per second.
    pub in_bytes_per_s: f32,
    /// Bytes per second at which data may leave; `None`: no limit.
    pub send_rate_bytes_per_s: Option<u64>,
    /// Unreliable bytes not sent yet.
    pub pending_unreliable: u64,
    /// Reliable bytes not sent yet.
    pub pending_reliable: u64,
    /// Reliable bytes sent and not acknowledged yet.
    pub sent_unacked_reliable: u64,
    /// How long a message sent now would wait before it leaves.
    pub queue_time_us: u64,
    /// Largest jitter since this was last read.
    pub max_jitter_us: Option<u32>,
    /// What the congestion control believes about the path; `None` at a fixed rate.
    pub path: Option<PathEstimate>,
}

/// What the congestion control believes about the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PathEstimate {
    /// What it is about, in a word.
    pub state: &'static str,
    /// Bytes per second that the path delivers, if that is known.
    pub bandwidth_bytes_per_s: Option<u64>,
    /// Round trip of the empty path, if that is known.
    pub min_rtt_us: Option<u64>,
    /// Packets lost whatever the rate, in millionths.
    pub usual_loss_ppm: u64,
    /// Bytes that may be in flight.
    pub window_bytes: u64,
}

impl PathEstimate {
    pub(super) fn of(estimate: &Estimate, window: Option<u64>) -> Option<Self> {
        Some(Self {
            state: estimate.state?.name(),
            bandwidth_bytes_per_s: estimate.bandwidth,
            min_rtt_us: estimate.min_rtt.map(super::text::micros),
            usual_loss_ppm: estimate.usual_loss_ppm,
            window_bytes: window?,
        })
    }
}

/// The queue of one lane (api.md §3.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[doc(alias = "SteamNetConnectionRealTimeLaneStatus_t")]
pub struct LaneStatus {
    /// Unreliable bytes not sent yet.
    pub pending_unreliable: u64,
    /// Reliable bytes not sent yet.
    pub pending_reliable: u64,
    /// Reliable bytes sent and not acknowledged yet.
    pub sent_unacked_reliable: u64,
    /// How long a message sent now on this lane would wait before it leaves.
    pub queue_time_us: u64,
}

/// The older form of [`RealTimeStatus`]: the same without the jitter.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[doc(alias = "SteamNetworkingQuickConnectionStatus")]
pub struct QuickStatus {
    /// Where the connection stands.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::text::serialize_state"))]
    pub state: ConnectionState,
    /// See [`RealTimeStatus::ping_ms`].
    pub ping_ms: Option<u32>,
    /// See [`RealTimeStatus::quality_local`].
    pub quality_local: Option<f32>,
    /// See [`RealTimeStatus::quality_remote`].
    pub quality_remote: Option<f32>,
    /// Packets sent per second.
    pub out_packets_per_s: f32,
    /// Bytes sent per second.
    pub out_bytes_per_s: f32,
    /// Packets received per second.
    pub in_packets_per_s: f32,
    /// Bytes received per second.
    pub in_bytes_per_s: f32,
    /// See [`RealTimeStatus::send_rate_bytes_per_s`].
    pub send_rate_bytes_per_s: Option<u64>,
    /// Unreliable bytes not sent yet.
    pub pending_unreliable: u64,
    /// Reliable bytes not sent yet.
    pub pending_reliable: u64,
    /// Reliable bytes sent and not acknowledged yet.
    pub sent_unacked_reliable: u64,
    /// See [`RealTimeStatus::queue_time_us`].
    pub queue_time_us: u64,
}

impl RealTimeStatus {
    /// With the status of the first `lanes` lanes; `None` if there are not so many. Clears the
    /// jitter mark only if it answers.
    pub(crate) fn of(
        state: &mut SlotState,
        now: Time,
        lanes: usize,
    ) -> Option<(Self, Vec<LaneStatus>)> {
        let machine = match &mut state.machine {
            Machine::Udp(machine) => machine,
            Machine::Peer(peer) => peer.connection_mut(),
            Machine::Pipe(pipe) => {
                let known = lanes <= pipe.lanes();
                return known
                    .then(|| (Self::of_pipe(pipe.state()), vec![LaneStatus::default(); lanes]));
            }
        };
        if lanes > machine.lane_count() {
            return None;
        }
        let lanes = (0..u16::try_from(lanes).ok()?).map(|lane| machine.lane_status(lane));
        let lanes = lanes.map(|lane| lane.map(LaneStatus::from)).collect::<Option<_>>()?;
        Some((machine.real_time(now).into(), lanes))
    }

    /// Within the process nothing takes time, gets lost or waits.
    pub(super) fn of_pipe(state: ConnectionState) -> Self {
        Self {
            state,
            ping_ms: Some(0),
            quality_local: Some(1.0),
            quality_remote: Some(1.0),
            out_packets_per_s: 0.0,
            out_bytes_per_s: 0.0,
            in_packets_per_s: 0.0,
            in_bytes_per_s: 0.0,
            send_rate_bytes_per_s: None,
            pending_unreliable: 0,
            pending_reliable: 0,
            sent_unacked_reliable: 0,
            queue_time_us: 0,
            max_jitter_us: None,
            path: None,
        }
    }
}

impl From<ConnectionStatus> for RealTimeStatus {
    fn from(status: ConnectionStatus) -> Self {
        let ConnectionStatus { state, link, send_rate, backlog, queue_time, estimate, window } =
            status;
        Self {
            state,
            ping_ms: link.ping_ms,
            quality_local: link.quality_local,
            quality_remote: link.quality_remote,
            out_packets_per_s: link.out_packets_per_s,
            out_bytes_per_s: link.out_bytes_per_s,
            in_packets_per_s: link.in_packets_per_s,
            in_bytes_per_s: link.in_bytes_per_s,
            send_rate_bytes_per_s: send_rate,
            pending_unreliable: backlog.pending_unreliable,
            pending_reliable: backlog.pending_reliable,
            sent_unacked_reliable: backlog.sent_unacked_reliable,
            queue_time_us: super::text::micros(queue_time),
            max_jitter_us: link.max_jitter_us,
            path: PathEstimate::of(&estimate, window),
        }
    }
}

impl LaneStatus {
    pub(super) fn new(backlog: Backlog, queue_time_us: u64) -> Self {
        Self {
            pending_unreliable: backlog.pending_unreliable,
            pending_reliable: backlog.pending_reliable,
            sent_unacked_reliable: backlog.sent_unacked_reliable,
            queue_time_us,
        }
    }
}

impl From<MachineLane> for LaneStatus {
    fn from(lane: MachineLane) -> Self {
        Self::new(lane.backlog, super::text::micros(lane.queue_time))
    }
}

impl QuickStatus {
    /// `None` for a connection that is over.
    pub(crate) fn from_real_time(status: RealTimeStatus) -> Option<Self> {
        if !status.state.is_alive() {
            return None;
        }
        Some(Self {
            state: status.state,
            ping_ms: status.ping_ms,
            quality_local: status.quality_local,
            quality_remote: status.quality_remote,
            out_packets_per_s: status.out_packets_per_s,
            out_bytes_per_s: status.out_bytes_per_s,
            in_packets_per_s: status.in_packets_per_s,
            in_bytes_per_s: status.in_bytes_per_s,
            send_rate_bytes_per_s: status.send_rate_bytes_per_s,
            pending_unreliable: status.pending_unreliable,
            pending_reliable: status.pending_reliable,
            sent_unacked_reliable: status.sent_unacked_reliable,
            queue_time_us: status.queue_time_us,
        })
    }
}
