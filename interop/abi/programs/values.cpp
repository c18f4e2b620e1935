// The values of the enumerations and constants of Valve's headers, which language bindings repeat
// as numbers. Needs no library.
#include <cstdio>

#include <steam/isteamnetworkingmessages.h>
#include <steam/isteamnetworkingsockets.h>
#include <steam/isteamnetworkingutils.h>

#define VALUE(name) std::printf("value." #name ": %lld\n", static_cast<long long>(name))

namespace {

void enum_values() {
    VALUE(k_ESteamNetworkingAvailability_CannotTry);
    VALUE(k_ESteamNetworkingAvailability_Failed);
    VALUE(k_ESteamNetworkingAvailability_Previously);
    VALUE(k_ESteamNetworkingAvailability_Retrying);
    VALUE(k_ESteamNetworkingAvailability_NeverTried);
    VALUE(k_ESteamNetworkingAvailability_Waiting);
    VALUE(k_ESteamNetworkingAvailability_Attempting);
    VALUE(k_ESteamNetworkingAvailability_Current);
    VALUE(k_ESteamNetworkingAvailability_Unknown);
    VALUE(k_ESteamNetworkingIdentityType_Invalid);
    VALUE(k_ESteamNetworkingIdentityType_SteamID);
    VALUE(k_ESteamNetworkingIdentityType_XboxPairwiseID);
    VALUE(k_ESteamNetworkingIdentityType_SonyPSN);
    VALUE(k_ESteamNetworkingIdentityType_IPAddress);
    VALUE(k_ESteamNetworkingIdentityType_GenericString);
    VALUE(k_ESteamNetworkingIdentityType_GenericBytes);
    VALUE(k_ESteamNetworkingIdentityType_UnknownType);
    VALUE(k_ESteamNetworkingFakeIPType_Invalid);
    VALUE(k_ESteamNetworkingFakeIPType_NotFake);
    VALUE(k_ESteamNetworkingFakeIPType_GlobalIPv4);
    VALUE(k_ESteamNetworkingFakeIPType_LocalIPv4);
    VALUE(k_ESteamNetworkingConnectionState_None);
    VALUE(k_ESteamNetworkingConnectionState_Connecting);
    VALUE(k_ESteamNetworkingConnectionState_FindingRoute);
    VALUE(k_ESteamNetworkingConnectionState_Connected);
    VALUE(k_ESteamNetworkingConnectionState_ClosedByPeer);
    VALUE(k_ESteamNetworkingConnectionState_ProblemDetectedLocally);
    VALUE(k_ESteamNetworkingConnectionState_FinWait);
    VALUE(k_ESteamNetworkingConnectionState_Linger);
    VALUE(k_ESteamNetworkingConnectionState_Dead);
    VALUE(k_ESteamNetworkingConfig_Global);
    VALUE(k_ESteamNetworkingConfig_SocketsInterface);
    VALUE(k_ESteamNetworkingConfig_ListenSocket);
    VALUE(k_ESteamNetworkingConfig_Connection);
    VALUE(k_ESteamNetworkingConfig_Int32);
    VALUE(k_ESteamNetworkingConfig_Int64);
    VALUE(k_ESteamNetworkingConfig_Float);
    VALUE(k_ESteamNetworkingConfig_String);
    VALUE(k_ESteamNetworkingConfig_Ptr);
    VALUE(k_ESteamNetworkingGetConfigValue_BadValue);
    VALUE(k_ESteamNetworkingGetConfigValue_BadScopeObj);
    VALUE(k_ESteamNetworkingGetConfigValue_BufferTooSmall);
    VALUE(k_ESteamNetworkingGetConfigValue_OK);
    VALUE(k_ESteamNetworkingGetConfigValue_OKInherited);
    VALUE(k_ESteamNetworkingSocketsDebugOutputType_None);
    VALUE(k_ESteamNetworkingSocketsDebugOutputType_Bug);
    VALUE(k_ESteamNetworkingSocketsDebugOutputType_Error);
    VALUE(k_ESteamNetworkingSocketsDebugOutputType_Important);
    VALUE(k_ESteamNetworkingSocketsDebugOutputType_Warning);
    VALUE(k_ESteamNetworkingSocketsDebugOutputType_Msg);
    VALUE(k_ESteamNetworkingSocketsDebugOutputType_Verbose);
    VALUE(k_ESteamNetworkingSocketsDebugOutputType_Debug);
    VALUE(k_ESteamNetworkingSocketsDebugOutputType_Everything);
}

void end_reasons() {
    VALUE(k_ESteamNetConnectionEnd_Invalid);
    VALUE(k_ESteamNetConnectionEnd_App_Min);
    VALUE(k_ESteamNetConnectionEnd_App_Generic);
    VALUE(k_ESteamNetConnectionEnd_App_Max);
    VALUE(k_ESteamNetConnectionEnd_AppException_Min);
    VALUE(k_ESteamNetConnectionEnd_AppException_Generic);
    VALUE(k_ESteamNetConnectionEnd_AppException_Max);
    VALUE(k_ESteamNetConnectionEnd_Local_Min);
    VALUE(k_ESteamNetConnectionEnd_Local_OfflineMode);
    VALUE(k_ESteamNetConnectionEnd_Local_ManyRelayConnectivity);
    VALUE(k_ESteamNetConnectionEnd_Local_HostedServerPrimaryRelay);
    VALUE(k_ESteamNetConnectionEnd_Local_NetworkConfig);
    VALUE(k_ESteamNetConnectionEnd_Local_Rights);
    VALUE(k_ESteamNetConnectionEnd_Local_P2P_ICE_NoPublicAddresses);
    VALUE(k_ESteamNetConnectionEnd_Local_Max);
    VALUE(k_ESteamNetConnectionEnd_Remote_Min);
    VALUE(k_ESteamNetConnectionEnd_Remote_Timeout);
    VALUE(k_ESteamNetConnectionEnd_Remote_BadCrypt);
    VALUE(k_ESteamNetConnectionEnd_Remote_BadCert);
    VALUE(k_ESteamNetConnectionEnd_Remote_BadProtocolVersion);
    VALUE(k_ESteamNetConnectionEnd_Remote_P2P_ICE_NoPublicAddresses);
    VALUE(k_ESteamNetConnectionEnd_Remote_Max);
    VALUE(k_ESteamNetConnectionEnd_Misc_Min);
    VALUE(k_ESteamNetConnectionEnd_Misc_Generic);
    VALUE(k_ESteamNetConnectionEnd_Misc_InternalError);
    VALUE(k_ESteamNetConnectionEnd_Misc_Timeout);
    VALUE(k_ESteamNetConnectionEnd_Misc_SteamConnectivity);
    VALUE(k_ESteamNetConnectionEnd_Misc_NoRelaySessionsToClient);
    VALUE(k_ESteamNetConnectionEnd_Misc_P2P_Rendezvous);
    VALUE(k_ESteamNetConnectionEnd_Misc_P2P_NAT_Firewall);
    VALUE(k_ESteamNetConnectionEnd_Misc_PeerSentNoConnection);
    VALUE(k_ESteamNetConnectionEnd_Misc_Max);
}

void config_values() {
    VALUE(k_ESteamNetworkingConfig_Invalid);
    VALUE(k_ESteamNetworkingConfig_TimeoutInitial);
    VALUE(k_ESteamNetworkingConfig_TimeoutConnected);
    VALUE(k_ESteamNetworkingConfig_SendBufferSize);
    VALUE(k_ESteamNetworkingConfig_RecvBufferSize);
    VALUE(k_ESteamNetworkingConfig_RecvBufferMessages);
    VALUE(k_ESteamNetworkingConfig_RecvMaxMessageSize);
    VALUE(k_ESteamNetworkingConfig_RecvMaxSegmentsPerPacket);
    VALUE(k_ESteamNetworkingConfig_ConnectionUserData);
    VALUE(k_ESteamNetworkingConfig_SendRateMin);
    VALUE(k_ESteamNetworkingConfig_SendRateMax);
    VALUE(k_ESteamNetworkingConfig_NagleTime);
    VALUE(k_ESteamNetworkingConfig_IP_AllowWithoutAuth);
    VALUE(k_ESteamNetworkingConfig_IPLocalHost_AllowWithoutAuth);
    VALUE(k_ESteamNetworkingConfig_MTU_PacketSize);
    VALUE(k_ESteamNetworkingConfig_MTU_DataSize);
    VALUE(k_ESteamNetworkingConfig_Unencrypted);
    VALUE(k_ESteamNetworkingConfig_SymmetricConnect);
    VALUE(k_ESteamNetworkingConfig_LocalVirtualPort);
    VALUE(k_ESteamNetworkingConfig_DualWifi_Enable);
    VALUE(k_ESteamNetworkingConfig_EnableDiagnosticsUI);
    VALUE(k_ESteamNetworkingConfig_SendTimeSincePreviousPacket);
    VALUE(k_ESteamNetworkingConfig_FakePacketLoss_Send);
    VALUE(k_ESteamNetworkingConfig_FakePacketLoss_Recv);
    VALUE(k_ESteamNetworkingConfig_FakePacketLag_Send);
    VALUE(k_ESteamNetworkingConfig_FakePacketLag_Recv);
    VALUE(k_ESteamNetworkingConfig_FakePacketJitter_Send_Avg);
    VALUE(k_ESteamNetworkingConfig_FakePacketJitter_Send_Max);
    VALUE(k_ESteamNetworkingConfig_FakePacketJitter_Send_Pct);
    VALUE(k_ESteamNetworkingConfig_FakePacketJitter_Recv_Avg);
    VALUE(k_ESteamNetworkingConfig_FakePacketJitter_Recv_Max);
    VALUE(k_ESteamNetworkingConfig_FakePacketJitter_Recv_Pct);
    VALUE(k_ESteamNetworkingConfig_FakePacketReorder_Send);
    VALUE(k_ESteamNetworkingConfig_FakePacketReorder_Recv);
    VALUE(k_ESteamNetworkingConfig_FakePacketReorder_Time);
    VALUE(k_ESteamNetworkingConfig_FakePacketDup_Send);
    VALUE(k_ESteamNetworkingConfig_FakePacketDup_Recv);
    VALUE(k_ESteamNetworkingConfig_FakePacketDup_TimeMax);
    VALUE(k_ESteamNetworkingConfig_PacketTraceMaxBytes);
    VALUE(k_ESteamNetworkingConfig_FakeRateLimit_Send_Rate);
    VALUE(k_ESteamNetworkingConfig_FakeRateLimit_Send_Burst);
    VALUE(k_ESteamNetworkingConfig_FakeRateLimit_Recv_Rate);
    VALUE(k_ESteamNetworkingConfig_FakeRateLimit_Recv_Burst);
    VALUE(k_ESteamNetworkingConfig_OutOfOrderCorrectionWindowMicroseconds);
    VALUE(k_ESteamNetworkingConfig_Callback_ConnectionStatusChanged);
    VALUE(k_ESteamNetworkingConfig_Callback_AuthStatusChanged);
    VALUE(k_ESteamNetworkingConfig_Callback_RelayNetworkStatusChanged);
    VALUE(k_ESteamNetworkingConfig_Callback_MessagesSessionRequest);
    VALUE(k_ESteamNetworkingConfig_Callback_MessagesSessionFailed);
    VALUE(k_ESteamNetworkingConfig_Callback_CreateConnectionSignaling);
    VALUE(k_ESteamNetworkingConfig_Callback_FakeIPResult);
    VALUE(k_ESteamNetworkingConfig_P2P_STUN_ServerList);
    VALUE(k_ESteamNetworkingConfig_P2P_Transport_ICE_Enable);
    VALUE(k_ESteamNetworkingConfig_P2P_Transport_ICE_Penalty);
    VALUE(k_ESteamNetworkingConfig_P2P_Transport_SDR_Penalty);
    VALUE(k_ESteamNetworkingConfig_P2P_TURN_ServerList);
    VALUE(k_ESteamNetworkingConfig_P2P_TURN_UserList);
    VALUE(k_ESteamNetworkingConfig_P2P_TURN_PassList);
    VALUE(k_ESteamNetworkingConfig_P2P_Transport_ICE_Implementation);
    VALUE(k_ESteamNetworkingConfig_SDRClient_ConsecutitivePingTimeoutsFailInitial);
    VALUE(k_ESteamNetworkingConfig_SDRClient_ConsecutitivePingTimeoutsFail);
    VALUE(k_ESteamNetworkingConfig_SDRClient_MinPingsBeforePingAccurate);
    VALUE(k_ESteamNetworkingConfig_SDRClient_SingleSocket);
    VALUE(k_ESteamNetworkingConfig_SDRClient_ForceRelayCluster);
    VALUE(k_ESteamNetworkingConfig_SDRClient_DevTicket);
    VALUE(k_ESteamNetworkingConfig_SDRClient_ForceProxyAddr);
    VALUE(k_ESteamNetworkingConfig_SDRClient_FakeClusterPing);
    VALUE(k_ESteamNetworkingConfig_SDRClient_LimitPingProbesToNearestN);
    VALUE(k_ESteamNetworkingConfig_LogLevel_AckRTT);
    VALUE(k_ESteamNetworkingConfig_LogLevel_PacketDecode);
    VALUE(k_ESteamNetworkingConfig_LogLevel_Message);
    VALUE(k_ESteamNetworkingConfig_LogLevel_PacketGaps);
    VALUE(k_ESteamNetworkingConfig_LogLevel_P2PRendezvous);
    VALUE(k_ESteamNetworkingConfig_LogLevel_SDRRelayPings);
    VALUE(k_ESteamNetworkingConfig_ECN);
    VALUE(k_ESteamNetworkingConfig_SDRClient_EnableTOSProbes);
    VALUE(k_ESteamNetworkingConfig_DELETED_EnumerateDevVars);
}

void constants() {
    VALUE(k_HSteamNetConnection_Invalid);
    VALUE(k_HSteamListenSocket_Invalid);
    VALUE(k_HSteamNetPollGroup_Invalid);
    VALUE(k_cchMaxSteamNetworkingErrMsg);
    VALUE(k_cchSteamNetworkingMaxConnectionCloseReason);
    VALUE(k_cchSteamNetworkingMaxConnectionDescription);
    VALUE(k_cchSteamNetworkingMaxConnectionAppName);
    VALUE(k_nSteamNetworkConnectionInfoFlags_Unauthenticated);
    VALUE(k_nSteamNetworkConnectionInfoFlags_Unencrypted);
    VALUE(k_nSteamNetworkConnectionInfoFlags_LoopbackBuffers);
    VALUE(k_nSteamNetworkConnectionInfoFlags_Fast);
    VALUE(k_nSteamNetworkConnectionInfoFlags_Relayed);
    VALUE(k_nSteamNetworkConnectionInfoFlags_DualWifi);
    VALUE(k_cbMaxSteamNetworkingSocketsMessageSizeSend);
    VALUE(k_nSteamNetworkingSend_Unreliable);
    VALUE(k_nSteamNetworkingSend_NoNagle);
    VALUE(k_nSteamNetworkingSend_UnreliableNoNagle);
    VALUE(k_nSteamNetworkingSend_NoDelay);
    VALUE(k_nSteamNetworkingSend_UnreliableNoDelay);
    VALUE(k_nSteamNetworkingSend_Reliable);
    VALUE(k_nSteamNetworkingSend_ReliableNoNagle);
    VALUE(k_nSteamNetworkingSend_UseCurrentThread);
    VALUE(k_nSteamNetworkingSend_AutoRestartBrokenSession);
    VALUE(k_cchMaxSteamNetworkingPingLocationString);
    VALUE(k_nSteamNetworkingPing_Failed);
    VALUE(k_nSteamNetworkingPing_Unknown);
    VALUE(k_nSteamNetworkingConfig_P2P_Transport_ICE_Enable_Default);
    VALUE(k_nSteamNetworkingConfig_P2P_Transport_ICE_Enable_Disable);
    VALUE(k_nSteamNetworkingConfig_P2P_Transport_ICE_Enable_Relay);
    VALUE(k_nSteamNetworkingConfig_P2P_Transport_ICE_Enable_Private);
    VALUE(k_nSteamNetworkingConfig_P2P_Transport_ICE_Enable_Public);
    VALUE(k_nSteamNetworkingConfig_P2P_Transport_ICE_Enable_All);
    VALUE(k_SteamDatagramPOPID_dev);
    VALUE(SteamNetConnectionStatusChangedCallback_t::k_iCallback);
    VALUE(SteamNetAuthenticationStatus_t::k_iCallback);
    VALUE(SteamRelayNetworkStatus_t::k_iCallback);
    VALUE(SteamNetworkingMessagesSessionRequest_t::k_iCallback);
    VALUE(SteamNetworkingMessagesSessionFailed_t::k_iCallback);
}

}  // namespace

int main() {
    enum_values();
    end_reasons();
    config_values();
    constants();
    return 0;
}
