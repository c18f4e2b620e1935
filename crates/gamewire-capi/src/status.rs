//! What is known about connections, in its C form.

use gamewire::{AuthenticationStatus, ConnectionInfo, LaneStatus, RealTimeStatus};

use crate::{
    boundary::text_field,
    results,
    types::{
        SteamNetAuthenticationStatus_t, SteamNetConnectionInfo_t,
        SteamNetConnectionRealTimeLaneStatus_t, SteamNetConnectionRealTimeStatus_t,
        SteamNetworkingIPAddr, SteamNetworkingIdentity, SteamRelayNetworkStatus_t,
    },
};

fn saturate(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl From<&ConnectionInfo> for SteamNetConnectionInfo_t {
    fn from(info: &ConnectionInfo) -> Self {
        Self {
            m_identityRemote: SteamNetworkingIdentity::from(&info.identity_remote),
            m_nUserData: info.user_data,
            m_hListenSocket: info.listen_socket.map_or(0, |socket| socket.to_raw()),
            m_addrRemote: info.address_remote.map_or(SteamNetworkingIPAddr::CLEAR, Into::into),
            m__pad1: 0,
            m_idPOPRemote: info.pop_remote,
            m_idPOPRelay: info.pop_relay,
            m_eState: results::state(info.state),
            m_eEndReason: info.end_reason,
            m_szEndDebug: text_field(&info.end_debug),
            m_szConnectionDescription: text_field(&info.description),
            m_nFlags: info.flags.bits().cast_signed(),
            reserved: [0; 63],
        }
    }
}

impl From<&RealTimeStatus> for SteamNetConnectionRealTimeStatus_t {
    fn from(status: &RealTimeStatus) -> Self {
        let whole = |number: Option<u32>| number.map_or(-1, |number| saturate(number.into()));
        Self {
            m_eState: results::state(status.state),
            m_nPing: whole(status.ping_ms),
            m_flConnectionQualityLocal: status.quality_local.unwrap_or(-1.0),
            m_flConnectionQualityRemote: status.quality_remote.unwrap_or(-1.0),
            m_flOutPacketsPerSec: status.out_packets_per_s,
            m_flOutBytesPerSec: status.out_bytes_per_s,
            m_flInPacketsPerSec: status.in_packets_per_s,
            m_flInBytesPerSec: status.in_bytes_per_s,
            m_nSendRateBytesPerSecond: status.send_rate_bytes_per_s.map_or(i32::MAX, saturate),
            m_cbPendingUnreliable: saturate(status.pending_unreliable),
            m_cbPendingReliable: saturate(status.pending_reliable),
            m_cbSentUnackedReliable: saturate(status.sent_unacked_reliable),
            m_usecQueueTime: i64::try_from(status.queue_time_us).unwrap_or(i64::MAX),
            m_usecMaxJitter: whole(status.max_jitter_us),
            reserved: [0; 15],
        }
    }
}

impl From<&LaneStatus> for SteamNetConnectionRealTimeLaneStatus_t {
    fn from(status: &LaneStatus) -> Self {
        Self {
            m_cbPendingUnreliable: saturate(status.pending_unreliable),
            m_cbPendingReliable: saturate(status.pending_reliable),
            m_cbSentUnackedReliable: saturate(status.sent_unacked_reliable),
            _reservePad1: 0,
            m_usecQueueTime: i64::try_from(status.queue_time_us).unwrap_or(i64::MAX),
            reserved: [0; 10],
        }
    }
}

impl From<&AuthenticationStatus> for SteamNetAuthenticationStatus_t {
    fn from(status: &AuthenticationStatus) -> Self {
        Self { m_eAvail: status.availability.to_number(), m_debugMsg: text_field(&status.message) }
    }
}

impl SteamRelayNetworkStatus_t {
    /// There is no relay network in this version.
    pub(crate) fn not_available() -> Self {
        let unavailable = results::availability::CANNOT_TRY;
        Self {
            m_eAvail: unavailable,
            m_bPingMeasurementInProgress: 0,
            m_eAvailNetworkConfig: unavailable,
            m_eAvailAnyRelay: unavailable,
            m_debugMsg: text_field("No relay network is configured"),
        }
    }
}
