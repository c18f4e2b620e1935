//! How much may be on its way, and how fast it may leave.
//!
//! A [`CongestionController`] decides from what [`crate::recovery`] learns; the [`Pacer`] spreads
//! packets at the controller's rate. Neither knows what the packets carry.

mod fixed;
mod model;
mod pacer;
#[cfg(test)]
mod tests;

use std::{fmt::Debug, time::Duration};

pub use self::{
    fixed::FixedRate,
    model::{INITIAL_RATE, MIN_WINDOW, Model},
    pacer::{MAX_BURST, MIN_BURST, Pacer, burst},
};
use crate::{Time, config::SendConfig};

/// The controller that the configuration asks for; `rtt` is the round trip the handshake measured.
pub fn controller(config: &SendConfig, rtt: Option<Duration>) -> Box<dyn CongestionController> {
    if config.is_fixed_rate() {
        Box::new(FixedRate::new(config, rtt))
    } else {
        Box::new(Model::new(config, rtt))
    }
}

/// What one ack frame told, with all that a model-based controller needs.
///
/// Bytes are those of whole UDP payloads, of packets that count as in flight only: those that carry
/// application data or ask for an ack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AckSample {
    /// Bytes acknowledged for the first time.
    pub newly_acked_bytes: u64,
    /// Packets acknowledged for the first time.
    pub newly_acked_packets: u64,
    /// Number of the newest packet that this frame acknowledged for the first time.
    pub newest_acked: u64,
    /// Round trip measured by this frame.
    pub rtt: Option<Duration>,
    /// Smoothed round trip, this sample included.
    pub smoothed_rtt: Duration,
    /// Least round trip seen, if any was.
    pub min_rtt: Option<Duration>,
    /// Bytes acknowledged on this connection, these included.
    pub delivered: u64,
    /// What `delivered` was when the packet `newest_acked` left.
    pub prior_delivered: u64,
    /// Time in which `delivered - prior_delivered` bytes were delivered: the longer of the time that
    /// sending them and that acknowledging them took.
    pub interval: Duration,
    /// Whether the application had too little to send when the packet `newest_acked` left, so that
    /// the rate says nothing about the path.
    pub app_limited: bool,
    /// Bytes still on their way.
    pub bytes_in_flight: u64,
}

/// Packets declared lost together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LossSample {
    /// Bytes of the packets that counted as in flight.
    pub bytes: u64,
    /// Packets, those without application data included.
    pub packets: u64,
    /// Number of the newest of them.
    pub newest_lost: u64,
    /// When the newest of them left.
    pub newest_lost_sent: Time,
    /// Bytes still on their way.
    pub bytes_in_flight: u64,
}

/// What a model-based controller is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModelState {
    /// The rate doubles each round trip until the path is full.
    Startup,
    /// The queue that the start made runs empty.
    Drain,
    /// As fast as the path delivers.
    Cruise,
    /// Faster, to see whether more gets through.
    ProbeUp,
    /// The queue that the probe made runs empty.
    ProbeDown,
    /// Slow, to see how fast the empty path is.
    ProbeRtt,
    /// Keeping up with others that fill the queue.
    Rivalry,
}

impl ModelState {
    /// The name in statuses and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Drain => "drain",
            Self::Cruise => "cruise",
            Self::ProbeUp => "probe_up",
            Self::ProbeDown => "probe_down",
            Self::ProbeRtt => "probe_rtt",
            Self::Rivalry => "rivalry",
        }
    }
}

/// What a controller believes about the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Estimate {
    /// What it is about; `None`: it has no model.
    pub state: Option<ModelState>,
    /// Bytes per second that the path delivers.
    pub bandwidth: Option<u64>,
    /// Round trip of the empty path.
    pub min_rtt: Option<Duration>,
    /// Packets lost whatever the rate, in millionths.
    pub usual_loss_ppm: u64,
}

/// Decides how much may be in flight and at what rate it leaves.
pub trait CongestionController: Send + Debug {
    /// A packet with application data left; `bytes_in_flight` counts it.
    fn on_packet_sent(&mut self, now: Time, bytes: u64, bytes_in_flight: u64);

    /// An ack frame acknowledged something new.
    fn on_acked(&mut self, now: Time, sample: &AckSample);

    /// Packets were declared lost.
    fn on_lost(&mut self, now: Time, sample: &LossSample);

    /// Packets declared lost had arrived after all; `bytes` of them counted as lost.
    fn on_spurious_loss(&mut self, now: Time, bytes: u64);

    /// Nothing was acknowledged for a probe timeout.
    fn on_pto(&mut self, now: Time);

    /// The configured bounds of the rate changed.
    fn set_config(&mut self, config: &SendConfig);

    /// Bytes that may be in flight; `u64::MAX` means no limit of the controller's.
    fn congestion_window(&self) -> u64;

    /// Bytes per second at which packets may leave; `None` means no limit.
    fn pacing_rate(&self) -> Option<u64>;

    /// What it believes about the path.
    fn estimate(&self) -> Estimate {
        Estimate::default()
    }

    /// Whether the path has nothing to spare for what need not be sent.
    fn is_congested(&self) -> bool {
        false
    }

    /// Name for logs and statistics.
    fn name(&self) -> &'static str;
}
