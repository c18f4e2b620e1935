//! What the machines of one connection need to know of its configuration.
//!
//! The declarative table of all values, their scopes and their inheritance is the business of the
//! `gamewire` crate; it resolves to this plain struct.

use std::time::Duration;

use crate::congestion::INITIAL_RATE;

/// Resolved configuration of one connection (api.md §3.8).
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionConfig {
    /// How long the handshake may take.
    pub timeout_initial: Duration,
    /// How long a connected peer may stay silent.
    pub timeout_connected: Duration,
    /// What the sending half needs.
    pub send: SendConfig,
    /// Limits of the receiving half.
    pub receive: ReceiveLimits,
    /// Cipher choice, 0 (AES only) to 3 (plain only), `Unencrypted`.
    pub unencrypted: u8,
    /// `IP_AllowWithoutAuth`: 0 refuse, 1 allow with a warning, 2 allow.
    pub allow_without_auth: u8,
    /// `IPLocalHost_AllowWithoutAuth`: as above, for loopback peers; the larger of the two counts.
    pub allow_without_auth_localhost: u8,
    /// `SendTimeSincePreviousPacket`: whether data packets tell when the previous one left.
    pub send_time_since_previous: bool,
    /// What of its traffic is logged.
    pub log: LogLevels,
}

/// `LogLevel_*`: up to which level each subject is logged, in Valve's numbers (api.md §3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevels {
    /// Round trips and acks.
    pub ack_rtt: u8,
    /// What is in packets.
    pub packet_decode: u8,
    /// Messages.
    pub message: u8,
    /// Packets lost, late or repeated.
    pub packet_gaps: u8,
}

impl Default for LogLevels {
    fn default() -> Self {
        Self { ack_rtt: 4, packet_decode: 4, message: 4, packet_gaps: 4 }
    }
}

/// Configuration of the sending half.
#[derive(Clone, Debug, PartialEq)]
pub struct SendConfig {
    /// `SendBufferSize`: bytes that may wait to be sent for the first time.
    pub buffer_bytes: usize,
    /// `SendRateMin`, bytes per second: the congestion control goes no lower.
    pub rate_min: u32,
    /// `SendRateMax`, bytes per second; `i32::MAX` means no limit. Not above `rate_min`: that is the
    /// rate, and nothing controls it.
    pub rate_max: u32,
    /// `NagleTime`: how long a small message waits for company.
    pub nagle_time: Duration,
    /// `MTU_PacketSize`: largest UDP payload sent, 200..=1300 bytes.
    pub mtu: usize,
    /// Largest UDP payload to try where the peer takes larger ones and the path may, up to
    /// 65507 bytes; not above `mtu`: nothing is tried.
    pub mtu_limit: usize,
    /// Whether an unreliable message that is too large for that is refused instead of sent reliably.
    pub refuse_large_unreliable: bool,
}

/// Limits of the receiving half; a remote peer cannot make us hold more.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiveLimits {
    /// `RecvBufferSize`: bytes of partial and unread messages.
    pub buffer_bytes: usize,
    /// The same where the peer knows of a receive window and fills it only as far as told; `None`:
    /// [`ReceiveLimits::buffer_bytes`].
    pub window_bytes: Option<usize>,
    /// `RecvBufferMessages`: unread messages.
    pub buffer_messages: usize,
    /// The same where the peer knows of a receive window; `None`: [`ReceiveLimits::buffer_messages`].
    pub window_messages: Option<usize>,
    /// `RecvMaxMessageSize`: largest message accepted, bytes.
    pub max_message_bytes: usize,
    /// `RecvMaxSegmentsPerPacket`: segments read from one packet.
    pub max_segments_per_packet: usize,
    /// `OutOfOrderCorrectionWindowMicroseconds`: how long a packet that came early waits.
    pub out_of_order_window: Duration,
}

impl ReceiveLimits {
    /// Bytes of partial and unread messages that a peer with knowledge of a window may cause.
    pub fn window(&self) -> usize {
        self.window_bytes.unwrap_or(self.buffer_bytes)
    }

    /// These limits towards a peer with knowledge of a window.
    #[must_use]
    pub fn with_window(self) -> Self {
        Self {
            buffer_bytes: self.window(),
            buffer_messages: self.window_messages.unwrap_or(self.buffer_messages),
            ..self
        }
    }
}

impl SendConfig {
    /// Whether the configured bounds leave a congestion controller no choice.
    pub fn is_fixed_rate(&self) -> bool {
        self.rate_min >= self.rate_max
    }

    /// The rate that a connection begins with, bytes per second; `None`: no limit.
    pub fn initial_rate(&self) -> Option<u64> {
        let (min, max) = (u64::from(self.rate_min), u64::from(self.rate_max));
        let unlimited = self.rate_min == UNLIMITED_RATE;
        (!unlimited).then(|| INITIAL_RATE.min(max).max(min))
    }
}

/// A rate of `i32::MAX` bytes per second stands for "no limit".
pub const UNLIMITED_RATE: u32 = i32::MAX as u32;

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            timeout_initial: Duration::from_secs(10),
            timeout_connected: Duration::from_secs(10),
            send: SendConfig::default(),
            receive: ReceiveLimits::default(),
            unencrypted: 0,
            allow_without_auth: 2,
            allow_without_auth_localhost: 2,
            send_time_since_previous: false,
            log: LogLevels::default(),
        }
    }
}

impl Default for SendConfig {
    fn default() -> Self {
        Self {
            buffer_bytes: 512 * 1024,
            rate_min: 1024,
            rate_max: UNLIMITED_RATE,
            nagle_time: Duration::from_micros(5000),
            mtu: 1300,
            mtu_limit: 1300,
            refuse_large_unreliable: false,
        }
    }
}

impl Default for ReceiveLimits {
    fn default() -> Self {
        Self {
            buffer_bytes: 1024 * 1024,
            window_bytes: None,
            buffer_messages: 1000,
            window_messages: None,
            max_message_bytes: 512 * 1024,
            max_segments_per_packet: 1300,
            out_of_order_window: Duration::from_micros(1000),
        }
    }
}
