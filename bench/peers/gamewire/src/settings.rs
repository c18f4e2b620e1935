//! What is set, by name.

use anyhow::bail;
use gamewire::Config;

/// No limit, in bytes per second.
const NO_LIMIT: i32 = i32::MAX;
/// Bytes of a packet, at most: those of Valve's library.
const PACKET_BYTES: i32 = 1300;
/// Buffers of the setting `unlimited`, in bytes.
const BUFFER_BYTES: i32 = 4 << 20;
/// Unread messages of the setting `unlimited`.
const BUFFER_MESSAGES: i32 = 1 << 20;

/// Settings of connections and listen sockets.
///
/// - `defaults`: nothing is set, so that packets become as large as the path carries.
/// - `packets_1300`: nothing but the size of packets, that of Valve's library.
/// - `unlimited`: the same, no congestion control (`SendRateMin` = `SendRateMax` = no limit) and larger buffers.
pub(crate) fn options(name: &str) -> anyhow::Result<Vec<Config>> {
    Ok(match name {
        "defaults" => Vec::new(),
        "packets_1300" => vec![Config::MtuPacketSize(PACKET_BYTES)],
        "unlimited" => vec![
            Config::MtuPacketSize(PACKET_BYTES),
            Config::SendRateMin(NO_LIMIT),
            Config::SendRateMax(NO_LIMIT),
            Config::SendBufferSize(BUFFER_BYTES),
            Config::RecvBufferSize(BUFFER_BYTES),
            Config::RecvBufferMessages(BUFFER_MESSAGES),
        ],
        _ => bail!("no settings are called {name}"),
    })
}
