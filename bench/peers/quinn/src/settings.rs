//! What is set, by name.

use std::sync::Arc;

use anyhow::bail;
use bench_protocol::Workload;
use quinn::{MtuDiscoveryConfig, TransportConfig, VarInt, congestion};

use crate::link::Mode;

/// Largest UDP payload that is probed for: an Ethernet frame's.
const MTU: u16 = 1452;
/// Bytes that may be on their way or wait, in both directions.
const WINDOW_BYTES: u32 = 16 << 20;
/// Datagrams that wait to be sent, in bytes.
const DATAGRAM_SEND_BYTES: usize = 1 << 20;
/// Datagrams that wait to be read, in bytes.
const DATAGRAM_RECEIVE_BYTES: usize = 16 << 20;
/// Streams that may be open at once.
const STREAMS: u32 = 1024;
/// What the socket may hold, in bytes.
pub(crate) const SOCKET_BYTES: usize = 4 << 20;

/// Ending of settings with which bulk messages share a stream.
const ONE_STREAM: &str = "_one_stream";

/// How messages travel.
pub(crate) fn mode(name: &str, workload: Workload) -> Mode {
    if workload == Workload::BulkReliable && !name.ends_with(ONE_STREAM) {
        Mode::ManyStreams
    } else {
        Mode::OneStream
    }
}

/// - `cubic`, `bbr`: that congestion control, wide windows, streams in order, probing up to
///   1452 bytes, offload.
/// - `modest`: nothing but the probing; for many connections, which cannot all have wide windows.
/// - With `_one_stream` behind it, bulk messages share a stream: over a link that loses packets, the
///   many streams that wide windows let begin would all be sent before what was lost of the first.
pub(crate) fn transport(name: &str) -> anyhow::Result<Arc<TransportConfig>> {
    let mut transport = TransportConfig::default();
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(MTU);
    transport.mtu_discovery_config(Some(discovery));
    match name.strip_suffix(ONE_STREAM).unwrap_or(name) {
        "modest" => return Ok(Arc::new(transport)),
        "cubic" => {}
        "bbr" => {
            let factory = congestion::BbrConfig::default();
            transport.congestion_controller_factory(Arc::new(factory));
        }
        _ => bail!("no settings are called {name}"),
    }
    transport
        // Streams take no turns, so that messages arrive in the order in which they were sent.
        .send_fairness(false)
        .send_window(WINDOW_BYTES.into())
        .receive_window(VarInt::from_u32(WINDOW_BYTES))
        .stream_receive_window(VarInt::from_u32(WINDOW_BYTES))
        .max_concurrent_uni_streams(VarInt::from_u32(STREAMS))
        .datagram_send_buffer_size(DATAGRAM_SEND_BYTES)
        .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BYTES));
    Ok(Arc::new(transport))
}
