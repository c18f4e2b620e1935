//! What is set: more than renet's defaults, which allow 3.6 MB/s at 60 ticks a second.

use std::time::Duration;

use renet::{ChannelConfig, ConnectionConfig, SendType};

/// Number of the channel for unreliable messages.
pub(crate) const UNRELIABLE: u8 = 0;
/// Number of the channel for reliable messages.
pub(crate) const RELIABLE: u8 = 1;

/// Bytes sent at each tick, at most: more than a channel holds, because unreliable messages beyond it
/// are dropped.
const TICK_BYTES: u64 = 2 << 20;
/// Bytes that a channel of the client, which sends, holds until they are acknowledged, or sent.
pub(crate) const CLIENT_BYTES: usize = 1 << 20;
/// Bytes that a channel of the server, which receives, holds until they are read. More than the
/// client sends, or the connection ends.
pub(crate) const SERVER_BYTES: usize = 64 << 20;
/// renet's default.
const RESEND_AFTER: Duration = Duration::from_millis(300);
/// What the socket may hold, in bytes.
pub(crate) const SOCKET_BYTES: usize = 4 << 20;

/// Channels and rates of one side, whose channels hold so many bytes.
pub(crate) fn connection(bytes: usize) -> ConnectionConfig {
    let channels = vec![
        ChannelConfig {
            channel_id: UNRELIABLE,
            max_memory_usage_bytes: bytes,
            send_type: SendType::Unreliable,
        },
        ChannelConfig {
            channel_id: RELIABLE,
            max_memory_usage_bytes: bytes,
            send_type: SendType::ReliableOrdered { resend_time: RESEND_AFTER },
        },
    ];
    ConnectionConfig {
        available_bytes_per_tick: TICK_BYTES,
        server_channels_config: channels.clone(),
        client_channels_config: channels,
    }
}
