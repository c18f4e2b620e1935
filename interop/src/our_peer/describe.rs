//! Our structs in the words of the protocol.

use gamewire::{ConnectionInfo, ConnectionState, Message};
use serde_json::{Value, json};

use crate::content;

/// First bytes of a message that are shown.
const HEAD_BYTES: usize = 64;

/// The name of a state.
pub(super) const fn state_name(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::None => "none",
        ConnectionState::Connecting => "connecting",
        ConnectionState::FindingRoute => "finding_route",
        ConnectionState::Connected => "connected",
        ConnectionState::ClosedByPeer => "closed_by_peer",
        ConnectionState::ProblemDetectedLocally => "problem_detected_locally",
    }
}

/// The fields that `status` and state events share.
pub(super) fn info(info: &ConnectionInfo) -> Value {
    json!({
        "state": state_name(info.state),
        "end_reason": info.end_reason,
        "end_debug": info.end_debug,
        "identity": info.identity_remote.to_string(),
        "address": info.address_remote.map_or_else(|| "[::]:0".to_owned(), |it| it.to_string()),
        "listen_socket": info.listen_socket.map_or(0, gamewire::ListenSocketHandle::to_raw),
        "user_data": info.user_data,
        "description": info.description,
        "flags": info.flags.bits(),
        "flag_names": info.flags.names().collect::<Vec<_>>(),
    })
}

/// What every report of a message says.
pub(super) fn message(message: &Message, payload: &[u8]) -> Value {
    json!({
        "reliable": message.reliable,
        "number": message.number,
        "size": payload.len(),
        "head": content::to_hex(&payload[..payload.len().min(HEAD_BYTES)]),
        "fnv64": format!("{:016x}", content::fnv64(payload)),
        "received_us": message.received.as_micros(),
    })
}
