// The slot of every virtual function of the interface, as Valve's headers and this compiler see it.
// Needs no library.
#include <cstdio>
#include <cstring>

#include <steam/isteamnetworkingmessages.h>
#include <steam/isteamnetworkingsockets.h>
#include <steam/isteamnetworkingutils.h>
#include <steam/steamnetworkingcustomsignaling.h>

#define SLOT(type, function)                                                                       \
    std::printf("slot." #type "." #function ": %d\n", slot_of(&type::function))

namespace {

// A pointer to a virtual member function holds one more than eight times its slot.
template <typename Member> int slot_of(Member member) {
    long word = 0;
    std::memcpy(&word, &member, sizeof word);
    return static_cast<int>((word - 1) / 8);
}

void socket_slots() {
    SLOT(ISteamNetworkingSockets, CreateListenSocketIP);
    SLOT(ISteamNetworkingSockets, ConnectByIPAddress);
    SLOT(ISteamNetworkingSockets, CreateListenSocketP2P);
    SLOT(ISteamNetworkingSockets, ConnectP2P);
    SLOT(ISteamNetworkingSockets, AcceptConnection);
    SLOT(ISteamNetworkingSockets, CloseConnection);
    SLOT(ISteamNetworkingSockets, CloseListenSocket);
    SLOT(ISteamNetworkingSockets, SetConnectionUserData);
    SLOT(ISteamNetworkingSockets, GetConnectionUserData);
    SLOT(ISteamNetworkingSockets, SetConnectionName);
    SLOT(ISteamNetworkingSockets, GetConnectionName);
    SLOT(ISteamNetworkingSockets, SendMessageToConnection);
    SLOT(ISteamNetworkingSockets, SendMessages);
    SLOT(ISteamNetworkingSockets, FlushMessagesOnConnection);
    SLOT(ISteamNetworkingSockets, ReceiveMessagesOnConnection);
    SLOT(ISteamNetworkingSockets, GetConnectionInfo);
    SLOT(ISteamNetworkingSockets, GetConnectionRealTimeStatus);
    SLOT(ISteamNetworkingSockets, GetDetailedConnectionStatus);
    SLOT(ISteamNetworkingSockets, GetListenSocketAddress);
    SLOT(ISteamNetworkingSockets, CreateSocketPair);
    SLOT(ISteamNetworkingSockets, ConfigureConnectionLanes);
    SLOT(ISteamNetworkingSockets, GetIdentity);
    SLOT(ISteamNetworkingSockets, InitAuthentication);
    SLOT(ISteamNetworkingSockets, GetAuthenticationStatus);
    SLOT(ISteamNetworkingSockets, CreatePollGroup);
    SLOT(ISteamNetworkingSockets, DestroyPollGroup);
    SLOT(ISteamNetworkingSockets, SetConnectionPollGroup);
    SLOT(ISteamNetworkingSockets, ReceiveMessagesOnPollGroup);
    SLOT(ISteamNetworkingSockets, ReceivedRelayAuthTicket);
    SLOT(ISteamNetworkingSockets, FindRelayAuthTicketForServer);
    SLOT(ISteamNetworkingSockets, ConnectToHostedDedicatedServer);
    SLOT(ISteamNetworkingSockets, GetHostedDedicatedServerPort);
    SLOT(ISteamNetworkingSockets, GetHostedDedicatedServerPOPID);
    SLOT(ISteamNetworkingSockets, GetHostedDedicatedServerAddress);
    SLOT(ISteamNetworkingSockets, CreateHostedDedicatedServerListenSocket);
    SLOT(ISteamNetworkingSockets, GetGameCoordinatorServerLogin);
    SLOT(ISteamNetworkingSockets, ConnectP2PCustomSignaling);
    SLOT(ISteamNetworkingSockets, ReceivedP2PCustomSignal);
    SLOT(ISteamNetworkingSockets, GetCertificateRequest);
    SLOT(ISteamNetworkingSockets, SetCertificate);
    SLOT(ISteamNetworkingSockets, ResetIdentity);
    SLOT(ISteamNetworkingSockets, RunCallbacks);
    SLOT(ISteamNetworkingSockets, BeginAsyncRequestFakeIP);
    SLOT(ISteamNetworkingSockets, GetFakeIP);
    SLOT(ISteamNetworkingSockets, CreateListenSocketP2PFakeIP);
    SLOT(ISteamNetworkingSockets, GetRemoteFakeIPForConnection);
    SLOT(ISteamNetworkingSockets, CreateFakeUDPPort);
}

void util_slots() {
    SLOT(ISteamNetworkingUtils, AllocateMessage);
    SLOT(ISteamNetworkingUtils, GetRelayNetworkStatus);
    SLOT(ISteamNetworkingUtils, GetLocalPingLocation);
    SLOT(ISteamNetworkingUtils, EstimatePingTimeBetweenTwoLocations);
    SLOT(ISteamNetworkingUtils, EstimatePingTimeFromLocalHost);
    SLOT(ISteamNetworkingUtils, ConvertPingLocationToString);
    SLOT(ISteamNetworkingUtils, ParsePingLocationString);
    SLOT(ISteamNetworkingUtils, CheckPingDataUpToDate);
    SLOT(ISteamNetworkingUtils, GetPingToDataCenter);
    SLOT(ISteamNetworkingUtils, GetDirectPingToPOP);
    SLOT(ISteamNetworkingUtils, GetPOPCount);
    SLOT(ISteamNetworkingUtils, GetPOPList);
    SLOT(ISteamNetworkingUtils, GetLocalTimestamp);
    SLOT(ISteamNetworkingUtils, SetDebugOutputFunction);
    SLOT(ISteamNetworkingUtils, GetIPv4FakeIPType);
    SLOT(ISteamNetworkingUtils, GetRealIdentityForFakeIP);
    SLOT(ISteamNetworkingUtils, SetConfigValue);
    SLOT(ISteamNetworkingUtils, GetConfigValue);
    SLOT(ISteamNetworkingUtils, GetConfigValueInfo);
    SLOT(ISteamNetworkingUtils, IterateGenericEditableConfigValues);
    SLOT(ISteamNetworkingUtils, SteamNetworkingIPAddr_ToString);
    SLOT(ISteamNetworkingUtils, SteamNetworkingIPAddr_ParseString);
    SLOT(ISteamNetworkingUtils, SteamNetworkingIPAddr_GetFakeIPType);
    SLOT(ISteamNetworkingUtils, SteamNetworkingIdentity_ToString);
    SLOT(ISteamNetworkingUtils, SteamNetworkingIdentity_ParseString);
}

void messages_slots() {
    SLOT(ISteamNetworkingMessages, SendMessageToUser);
    SLOT(ISteamNetworkingMessages, ReceiveMessagesOnChannel);
    SLOT(ISteamNetworkingMessages, AcceptSessionWithUser);
    SLOT(ISteamNetworkingMessages, CloseSessionWithUser);
    SLOT(ISteamNetworkingMessages, CloseChannelWithUser);
    SLOT(ISteamNetworkingMessages, GetSessionConnectionInfo);
}

void signaling_slots() {
    SLOT(ISteamNetworkingConnectionSignaling, SendSignal);
    SLOT(ISteamNetworkingConnectionSignaling, Release);
    SLOT(ISteamNetworkingSignalingRecvContext, OnConnectRequest);
    SLOT(ISteamNetworkingSignalingRecvContext, SendRejectionSignal);
}

}  // namespace

int main() {
    socket_slots();
    util_slots();
    messages_slots();
    signaling_slots();
    return 0;
}
