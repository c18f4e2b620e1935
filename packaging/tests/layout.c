/* How gamewire.h lays out the structures of the interface. `cargo xtask test --only dist` compiles this as
 * C and as C++, and compares what it prints with what Valve's headers say (interop/abi/expected). */
#include <stdio.h>

#include <gamewire.h>

#define SIZE(type) printf("size." #type ": %zu/%zu\n", sizeof(type), (size_t)__alignof__(type))
#define OFFSET(type, field) printf("offset." #type "." #field ": %zu\n", offsetof(type, field))
/* The relay network's structures are not in Valve's open headers: a wrong one does not compile. */
#define HOLDS(name, condition) typedef char holds_##name[(condition) ? 1 : -1]

HOLDS(fake_ip, sizeof(SteamNetworkingFakeIPResult_t) == 160);
HOLDS(fake_ip_identity, offsetof(SteamNetworkingFakeIPResult_t, m_identity) == 4);
HOLDS(fake_ip_address, offsetof(SteamNetworkingFakeIPResult_t, m_unIP) == 140);
HOLDS(fake_ip_ports, offsetof(SteamNetworkingFakeIPResult_t, m_unPorts) == 144);
HOLDS(hosted_address, sizeof(SteamDatagramHostedAddress) == 132);
HOLDS(hosted_address_data, offsetof(SteamDatagramHostedAddress, m_data) == 4);
HOLDS(ticket, sizeof(SteamDatagramRelayAuthTicket) == 2984);
HOLDS(login, sizeof(SteamDatagramGameCoordinatorServerLogin) == 2328);

static void sizes(void) {
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
    SIZE(ISteamNetworkingConnectionSignaling);
    SIZE(ISteamNetworkingSignalingRecvContext);
    SIZE(SteamNetworkingMessage_t);
}

static void offsets_of_ipaddr(void) {
    OFFSET(SteamNetworkingIPAddr, m_ipv6);
    OFFSET(SteamNetworkingIPAddr, m_port);
}

static void offsets_of_identity(void) {
    OFFSET(SteamNetworkingIdentity, m_eType);
    OFFSET(SteamNetworkingIdentity, m_cbSize);
    OFFSET(SteamNetworkingIdentity, m_steamID64);
    OFFSET(SteamNetworkingIdentity, m_szUnknownRawString);
}

static void offsets_of_configvalue(void) {
    OFFSET(SteamNetworkingConfigValue_t, m_eValue);
    OFFSET(SteamNetworkingConfigValue_t, m_eDataType);
    OFFSET(SteamNetworkingConfigValue_t, m_val);
}

static void offsets_of_connectioninfo(void) {
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
}

static void offsets_of_connectionstatuschangedcallback(void) {
    OFFSET(SteamNetConnectionStatusChangedCallback_t, m_hConn);
    OFFSET(SteamNetConnectionStatusChangedCallback_t, m_info);
    OFFSET(SteamNetConnectionStatusChangedCallback_t, m_eOldState);
}

static void offsets_of_authenticationstatus(void) {
    OFFSET(SteamNetAuthenticationStatus_t, m_eAvail);
    OFFSET(SteamNetAuthenticationStatus_t, m_debugMsg);
}

static void offsets_of_steamrelaynetworkstatus(void) {
    OFFSET(SteamRelayNetworkStatus_t, m_eAvail);
    OFFSET(SteamRelayNetworkStatus_t, m_bPingMeasurementInProgress);
    OFFSET(SteamRelayNetworkStatus_t, m_eAvailNetworkConfig);
    OFFSET(SteamRelayNetworkStatus_t, m_eAvailAnyRelay);
    OFFSET(SteamRelayNetworkStatus_t, m_debugMsg);
}

static void offsets_of_messagessessionrequest(void) {
    OFFSET(SteamNetworkingMessagesSessionRequest_t, m_identityRemote);
}

static void offsets_of_messagessessionfailed(void) {
    OFFSET(SteamNetworkingMessagesSessionFailed_t, m_info);
}

static void offsets_of_connectionrealtimestatus(void) {
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
}

static void offsets_of_connectionrealtimelanestatus(void) {
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, m_cbPendingUnreliable);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, m_cbPendingReliable);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, m_cbSentUnackedReliable);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, _reservePad1);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, m_usecQueueTime);
    OFFSET(SteamNetConnectionRealTimeLaneStatus_t, reserved);
}

static void offsets_of_message(void) {
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

int main(void) {
    sizes();
    offsets_of_ipaddr();
    offsets_of_identity();
    offsets_of_configvalue();
    offsets_of_connectioninfo();
    offsets_of_connectionstatuschangedcallback();
    offsets_of_authenticationstatus();
    offsets_of_steamrelaynetworkstatus();
    offsets_of_messagessessionrequest();
    offsets_of_messagessessionfailed();
    offsets_of_connectionrealtimestatus();
    offsets_of_connectionrealtimelanestatus();
    offsets_of_message();
    return 0;
}
