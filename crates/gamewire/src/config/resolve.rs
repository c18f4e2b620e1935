//! From values to the plain structs that the machines take.

use std::time::Duration;

use gamewire_proto::{
    config::{ConnectionConfig, LogLevels, ReceiveLimits, SendConfig},
    endpoint::AcceptLimits,
};
use gamewire_wire::limits::MAX_LARGE_UDP_PAYLOAD;

use super::{ConfigData, ConfigId, ScopeValues};
use crate::fake_network::{FakeDirectionConfig, FakeNetworkConfig};

/// Receive window towards peers that keep to it, in bytes, where `RecvBufferSize` is not set: its
/// default of 1 MiB would bound the rate of a long or fast path.
const DEFAULT_WINDOW: usize = 4 << 20;

/// Unread messages that such peers may cause where `RecvBufferMessages` is not set: its default of
/// 1000 small ones comes in a fraction of a millisecond, less than it takes to wake the application.
const DEFAULT_WINDOW_MESSAGES: usize = 32 * 1024;

impl ScopeValues {
    /// What the machines of a connection need. Once a trusted root is configured, peers whom nobody
    /// vouches for are refused by default; an explicit value in any scope wins.
    pub fn connection_config(&self, roots_configured: bool) -> ConnectionConfig {
        ConnectionConfig {
            timeout_initial: self.millis(ConfigId::TimeoutInitial),
            timeout_connected: self.millis(ConfigId::TimeoutConnected),
            send: self.send_config(),
            receive: self.receive_limits(),
            unencrypted: self.small(ConfigId::Unencrypted),
            allow_without_auth: self.policy(ConfigId::IpAllowWithoutAuth, roots_configured),
            allow_without_auth_localhost: self
                .policy(ConfigId::IpLocalHostAllowWithoutAuth, roots_configured),
            // -1, "as the transport wants it", is off over UDP.
            send_time_since_previous: self.int32(ConfigId::SendTimeSincePreviousPacket) == 1,
            log: self.log_levels(),
        }
    }

    fn send_config(&self) -> SendConfig {
        let mtu = self.count(ConfigId::MtuPacketSize);
        let chosen = self.explicit(ConfigId::MtuPacketSize).is_some();
        SendConfig {
            buffer_bytes: self.count(ConfigId::SendBufferSize),
            rate_min: self.int32(ConfigId::SendRateMin).unsigned_abs(),
            rate_max: self.int32(ConfigId::SendRateMax).unsigned_abs(),
            nagle_time: self.micros(ConfigId::NagleTime),
            mtu,
            mtu_limit: if chosen { mtu } else { MAX_LARGE_UDP_PAYLOAD },
            refuse_large_unreliable: self.int32(ConfigId::RefuseLargeUnreliable) != 0,
        }
    }

    fn receive_limits(&self) -> ReceiveLimits {
        let max_message_bytes = self.count(ConfigId::RecvMaxMessageSize);
        // A buffer smaller than the largest message could never take that message.
        let buffer_bytes = self.count(ConfigId::RecvBufferSize).max(max_message_bytes);
        let buffer_messages = self.count(ConfigId::RecvBufferMessages);
        let is_default = |id| self.explicit(id).is_none();
        ReceiveLimits {
            buffer_bytes,
            window_bytes: is_default(ConfigId::RecvBufferSize)
                .then_some(DEFAULT_WINDOW.max(buffer_bytes)),
            buffer_messages,
            window_messages: is_default(ConfigId::RecvBufferMessages)
                .then_some(DEFAULT_WINDOW_MESSAGES.max(buffer_messages)),
            max_message_bytes,
            max_segments_per_packet: self.count(ConfigId::RecvMaxSegmentsPerPacket),
            out_of_order_window: self.micros(ConfigId::OutOfOrderCorrectionWindowMicroseconds),
        }
    }

    fn log_levels(&self) -> LogLevels {
        LogLevels {
            ack_rtt: self.small(ConfigId::LogLevelAckRtt),
            packet_decode: self.small(ConfigId::LogLevelPacketDecode),
            message: self.small(ConfigId::LogLevelMessage),
            packet_gaps: self.small(ConfigId::LogLevelPacketGaps),
        }
    }

    fn policy(&self, id: ConfigId, roots_configured: bool) -> u8 {
        if roots_configured && self.explicit(id).is_none() { 0 } else { self.small(id) }
    }

    /// What the fake network is to do.
    pub fn fake_network_config(&self) -> FakeNetworkConfig {
        FakeNetworkConfig {
            send: FakeDirectionConfig {
                loss_pct: self.float(ConfigId::FakePacketLossSend),
                lag_ms: self.int32(ConfigId::FakePacketLagSend),
                jitter_avg_ms: self.float(ConfigId::FakePacketJitterSendAvg),
                jitter_max_ms: self.float(ConfigId::FakePacketJitterSendMax),
                jitter_pct: self.float(ConfigId::FakePacketJitterSendPct),
                reorder_pct: self.float(ConfigId::FakePacketReorderSend),
                dup_pct: self.float(ConfigId::FakePacketDupSend),
                rate_bytes_per_s: self.int32(ConfigId::FakeRateLimitSendRate),
                burst_bytes: self.int32(ConfigId::FakeRateLimitSendBurst),
            },
            recv: FakeDirectionConfig {
                loss_pct: self.float(ConfigId::FakePacketLossRecv),
                lag_ms: self.int32(ConfigId::FakePacketLagRecv),
                jitter_avg_ms: self.float(ConfigId::FakePacketJitterRecvAvg),
                jitter_max_ms: self.float(ConfigId::FakePacketJitterRecvMax),
                jitter_pct: self.float(ConfigId::FakePacketJitterRecvPct),
                reorder_pct: self.float(ConfigId::FakePacketReorderRecv),
                dup_pct: self.float(ConfigId::FakePacketDupRecv),
                rate_bytes_per_s: self.int32(ConfigId::FakeRateLimitRecvRate),
                burst_bytes: self.int32(ConfigId::FakeRateLimitRecvBurst),
            },
            reorder_time_ms: self.int32(ConfigId::FakePacketReorderTime),
            dup_time_max_ms: self.int32(ConfigId::FakePacketDupTimeMax),
        }
    }

    /// What a listen socket takes in.
    pub fn accept_limits(&self) -> AcceptLimits {
        AcceptLimits {
            max_pending: self.count(ConfigId::AcceptMaxPending),
            max_per_address: self.count(ConfigId::AcceptMaxPerAddress),
            max_connections: self.count(ConfigId::AcceptMaxConnections),
        }
    }

    /// The application's own number for a connection; -1 if it never set one.
    pub fn connection_user_data(&self) -> i64 {
        match self.effective(ConfigId::ConnectionUserData) {
            ConfigData::Int64(data) => data,
            _ => -1,
        }
    }

    /// The pointer in `Callback_ConnectionStatusChanged`; 0: none.
    pub fn status_callback(&self) -> usize {
        match self.effective(ConfigId::CallbackConnectionStatusChanged) {
            ConfigData::Pointer(address) => address,
            _ => 0,
        }
    }

    /// A number of which the row says that it is not negative.
    fn count(&self, id: ConfigId) -> usize {
        usize::try_from(self.int32(id)).unwrap_or(0)
    }

    fn small(&self, id: ConfigId) -> u8 {
        u8::try_from(self.int32(id)).unwrap_or(0)
    }

    fn millis(&self, id: ConfigId) -> Duration {
        Duration::from_millis(u64::try_from(self.int32(id)).unwrap_or(0))
    }

    fn micros(&self, id: ConfigId) -> Duration {
        Duration::from_micros(u64::try_from(self.int32(id)).unwrap_or(0))
    }
}
