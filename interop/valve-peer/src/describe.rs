//! Valve's structs as JSON.

use gns_sys::{
    ESteamNetworkingConnectionState as State, SteamNetConnectionInfo_t,
    SteamNetConnectionRealTimeLaneStatus_t,
};
use serde_json::{Value, json};

use crate::ffi::text_of;
use crate::library::{RealTimeStatus, address_text, identity_text};

/// The name of a connection state.
pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::k_ESteamNetworkingConnectionState_None => "none",
        State::k_ESteamNetworkingConnectionState_Connecting => "connecting",
        State::k_ESteamNetworkingConnectionState_FindingRoute => "finding_route",
        State::k_ESteamNetworkingConnectionState_Connected => "connected",
        State::k_ESteamNetworkingConnectionState_ClosedByPeer => "closed_by_peer",
        State::k_ESteamNetworkingConnectionState_ProblemDetectedLocally => {
            "problem_detected_locally"
        }
        State::k_ESteamNetworkingConnectionState_FinWait => "fin_wait",
        State::k_ESteamNetworkingConnectionState_Linger => "linger",
        State::k_ESteamNetworkingConnectionState_Dead => "dead",
        State::k_ESteamNetworkingConnectionState__Force32Bit => "invalid",
    }
}

/// Whether no further message can arrive in this state.
pub(crate) fn is_over(state: State) -> bool {
    matches!(
        state,
        State::k_ESteamNetworkingConnectionState_ClosedByPeer
            | State::k_ESteamNetworkingConnectionState_ProblemDetectedLocally
    )
}

/// Names of the set bits of `k_nSteamNetworkConnectionInfoFlags_*`.
fn flag_names(flags: i32) -> Vec<&'static str> {
    const NAMES: [(i32, &str); 6] = [
        (1, "unauthenticated"),
        (2, "unencrypted"),
        (4, "loopback_buffers"),
        (8, "fast"),
        (16, "relayed"),
        (32, "dual_wifi"),
    ];
    NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|&(_, name)| name).collect()
}

/// The fields of connection info that `status` and state events share.
pub(crate) fn info(info: &SteamNetConnectionInfo_t) -> Value {
    let (state, flags, user_data) = (info.m_eState, info.m_nFlags, info.m_nUserData);
    json!({
        "state": state_name(state),
        "end_reason": i64::from(info.m_eEndReason),
        "end_debug": text_of(&{ info.m_szEndDebug }),
        "identity": identity_text(&{ info.m_identityRemote }),
        "address": address_text(&{ info.m_addrRemote }),
        "listen_socket": i64::from(info.m_hListenSocket),
        "user_data": user_data,
        "description": text_of(&{ info.m_szConnectionDescription }),
        "flags": flags,
        "flag_names": flag_names(flags),
    })
}

/// Real-time status with its lanes.
pub(crate) fn real_time(status: &RealTimeStatus) -> Value {
    let connection = &status.connection;
    let queue_time_us = connection.m_usecQueueTime;
    json!({
        "state": state_name(connection.m_eState),
        "ping_ms": i64::from(connection.m_nPing),
        "quality_local": f64::from(connection.m_flConnectionQualityLocal),
        "quality_remote": f64::from(connection.m_flConnectionQualityRemote),
        "out_packets_per_s": f64::from(connection.m_flOutPacketsPerSec),
        "out_bytes_per_s": f64::from(connection.m_flOutBytesPerSec),
        "in_packets_per_s": f64::from(connection.m_flInPacketsPerSec),
        "in_bytes_per_s": f64::from(connection.m_flInBytesPerSec),
        "send_rate_bytes_per_s": i64::from(connection.m_nSendRateBytesPerSecond),
        "pending_unreliable_bytes": i64::from(connection.m_cbPendingUnreliable),
        "pending_reliable_bytes": i64::from(connection.m_cbPendingReliable),
        "sent_unacked_reliable_bytes": i64::from(connection.m_cbSentUnackedReliable),
        "queue_time_us": queue_time_us,
        "max_jitter_us": i64::from(connection.m_usecMaxJitter),
        "lanes": status.lanes.iter().map(lane).collect::<Vec<_>>(),
    })
}

fn lane(lane: &SteamNetConnectionRealTimeLaneStatus_t) -> Value {
    let queue_time_us = lane.m_usecQueueTime;
    json!({
        "pending_unreliable_bytes": i64::from(lane.m_cbPendingUnreliable),
        "pending_reliable_bytes": i64::from(lane.m_cbPendingReliable),
        "sent_unacked_reliable_bytes": i64::from(lane.m_cbSentUnackedReliable),
        "queue_time_us": queue_time_us,
    })
}
