// How Valve's headers lay out the structures of the interface on this machine: sizes, alignments
// and offsets. Needs no library.
#include <cstddef>
#include <cstdio>

#include <steam/isteamnetworkingmessages.h>
#include <steam/isteamnetworkingsockets.h>
#include <steam/isteamnetworkingutils.h>
#include <steam/steamnetworkingcustomsignaling.h>

#define SIZE(type) std::printf("size." #type ": %zu/%zu\n", sizeof(type), alignof(type))
#define OFFSET(type, field) std::printf("offset." #type "." #field ": %zu\n", offsetof(type, field))

namespace {

void sizes() {
    SIZE(SteamNetworkingIPAddr);
    SIZE(SteamNetworkingIdentity);
    SIZE(SteamNetConnectionInfo_t);
    SIZE(SteamNetConnectionRealTimeStatus_t);
    SIZE(SteamNetConnectionRealTimeLaneStatus_t);
    SIZE(SteamNetworkingConfigValue_t);
    SIZE(SteamNetConnectionStatusChangedCallback_t);
    SIZE(SteamNetAuthenticationStatus_t);
    SIZE(SteamRelayNetworkStatus_t);
    SIZE(SteamNetworkingMessagesSessionRequest_t);
    SIZE(SteamNetworkingMessagesSessionFailed_t);
    SIZE(SteamNetworkPingLocation_t);
    SIZE(SteamNetworkingErrMsg);
    SIZE(HSteamNetConnection);
    SIZE(SteamNetworkingMicroseconds);
    SIZE(SteamNetworkingPOPID);
    SIZE(ESteamNetworkingConfigValue);
    SIZE(ISteamNetworkingSockets);
    SIZE(ISteamNetworkingUtils);
    SIZE(ISteamNetworkingMessages);
    SIZE(ISteamNetworkingConnectionSignaling);
    SIZE(ISteamNetworkingSignalingRecvContext);
    SIZE(SteamNetworkingMessage_t);
}

void identity_offsets() {
    OFFSET(SteamNetworkingIPAddr, m_ipv6);
    OFFSET(SteamNetworkingIPAddr, m_port);
    OFFSET(SteamNetworkingIdentity, m_eType);
    OFFSET(SteamNetworkingIdentity, m_cbSize);
    OFFSET(SteamNetworkingIdentity, m_steamID64);
    OFFSET(SteamNetworkingIdentity, m_szUnknownRawString);
    OFFSET(SteamNetworkingConfigValue_t, m_eValue);
    OFFSET(SteamNetworkingConfigValue_t, m_eDataType);
    OFFSET(SteamNetworkingConfigValue_t, m_val);
}

void info_offsets() {
    OFFSET(SteamNetConnectionInfo_t, m_identityRemote);
    OFFSET(SteamNetConnectionInfo_t, m_nUserData);
    OFFSET(SteamNetConnectionInfo_t, m_hListenSocket);
    OFFSET(SteamNetConnectionInfo_t, m_addrRemote);
    OFFSET(SteamNetConnectionInfo_t, m__pad1);
    OFFSET(SteamNetConnectionInfo_t, m_idPOPRemote);
    OFFSET(SteamNetConnectionInfo_t, m_idPOPRelay);
    OFFSET(SteamNetConnectionInfo_t, m_eState);
    OFFSET(SteamNetConnectionInfo_t, m_eEndReason);
    OFFSET(SteamNetConnectionInfo_t, m_szEndDebug);
    OFFSET(SteamNetConnectionInfo_t, m_szConnectionDescription);
    OFFSET(SteamNetConnectionInfo_t, m_nFlags);
    OFFSET(SteamNetConnectionInfo_t, reserved);
    OFFSET(SteamNetConnectionStatusChangedCallback_t, m_hConn);
    OFFSET(SteamNetConnectionStatusChangedCallback_t, m_info);
    OFFSET(SteamNetConnectionStatusChangedCallback_t, m_eOldState);
    OFFSET(SteamNetAuthenticationStatus_t, m_eAvail);
    OFFSET(SteamNetAuthenticationStatus_t, m_debugMsg);
    OFFSET(SteamRelayNetworkStatus_t, m_eAvail);
    OFFSET(SteamRelayNetworkStatus_t, m_bPingMeasurementInProgress);
    OFFSET(SteamRelayNetworkStatus_t, m_eAvailNetworkConfig);
    OFFSET(SteamRelayNetworkStatus_t, m_eAvailAnyRelay);
    OFFSET(SteamRelayNetworkStatus_t, m_debugMsg);
    OFFSET(SteamNetworkingMessagesSessionRequest_t, m_identityRemote);
    OFFSET(SteamNetworkingMessagesSessionFailed_t, m_info);
}

void status_offsets() {
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_eState);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_nPing);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_flConnectionQualityLocal);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_flConnectionQualityRemote);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_flOutPacketsPerSec);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_flOutBytesPerSec);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_flInPacketsPerSec);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_flInBytesPerSec);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_nSendRateBytesPerSecond);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_cbPendingUnreliable);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_cbPendingReliable);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_cbSentUnackedReliable);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_usecQueueTime);
    OFFSET(SteamNetConnectionRealTimeStatus_t, m_usecMaxJitter);
    OFFSET(SteamNetConnectionRealTimeStatus_t, reserved);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, m_cbPendingUnreliable);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, m_cbPendingReliable);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, m_cbSentUnackedReliable);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, _reservePad1);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, m_usecQueueTime);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, reserved);
}

void message_offsets() {
    OFFSET(SteamNetworkingMessage_t, m_pData);
    OFFSET(SteamNetworkingMessage_t, m_cbSize);
    OFFSET(SteamNetworkingMessage_t, m_conn);
    OFFSET(SteamNetworkingMessage_t, m_identityPeer);
    OFFSET(SteamNetworkingMessage_t, m_nConnUserData);
    OFFSET(SteamNetworkingMessage_t, m_usecTimeReceived);
    OFFSET(SteamNetworkingMessage_t, m_nMessageNumber);
    OFFSET(SteamNetworkingMessage_t, m_pfnFreeData);
    OFFSET(SteamNetworkingMessage_t, m_pfnRelease);
    OFFSET(SteamNetworkingMessage_t, m_nChannel);
    OFFSET(SteamNetworkingMessage_t, m_nFlags);
    OFFSET(SteamNetworkingMessage_t, m_nUserData);
    OFFSET(SteamNetworkingMessage_t, m_idxLane);
    OFFSET(SteamNetworkingMessage_t, _pad1__);
}

}  // namespace

int main() {
    sizes();
    identity_offsets();
    info_offsets();
    status_offsets();
    message_offsets();
    return 0;
}
