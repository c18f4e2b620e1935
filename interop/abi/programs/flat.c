/* The flat functions from plain C, declared by our own header: a connection over IP from the
 * request to the end, identities, addresses, configuration. It runs with Valve's library too, so
 * the header fits both. */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gamewire.h>

enum { PATIENCE_MS = 20000 };

static ISteamNetworkingSockets *sockets;
static ISteamNetworkingUtils *utils;
static HSteamNetConnection client, server;
static HSteamListenSocket listening;

static void say(const char *key, const char *text) {
    printf("%s: %s\n", key, text);
}
static void say_number(const char *key, long long value) {
    printf("%s: %lld\n", key, value);
}

static void on_change(SteamNetConnectionStatusChangedCallback_t *change) {
    if (change->m_hConn != client && server == 0) {
        server = change->m_hConn;
    }
    printf("change.%s: %d>%d reason=%d debug='%s' listen=%d\n",
           change->m_hConn == client ? "client" : "server", change->m_eOldState,
           change->m_info.m_eState, change->m_info.m_eEndReason, change->m_info.m_szEndDebug,
           change->m_info.m_hListenSocket != 0);
}

static uint16_t free_port(void) {
    const int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(descriptor, (struct sockaddr *)&address, size) != 0 ||
        getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) {
        exit(2);
    }
    close(descriptor);
    return ntohs(address.sin_port);
}

static void pump(int *waited_ms, const char *what) {
    const struct timespec millisecond = {.tv_nsec = 1000000};
    SteamAPI_ISteamNetworkingSockets_RunCallbacks(sockets);
    nanosleep(&millisecond, NULL);
    if (++*waited_ms > PATIENCE_MS) {
        say("TIMEOUT", what);
        exit(3);
    }
}

static void wait_for_state(HSteamNetConnection connection, int state, const char *what) {
    int waited_ms = 0;
    SteamNetConnectionInfo_t info = {0};
    while (!SteamAPI_ISteamNetworkingSockets_GetConnectionInfo(sockets, connection, &info) ||
           info.m_eState != state) {
        pump(&waited_ms, what);
    }
    SteamAPI_ISteamNetworkingSockets_RunCallbacks(sockets);
}

static void open_connection(void) {
    SteamNetworkingIPAddr address;
    SteamAPI_SteamNetworkingIPAddr_Clear(&address);
    SteamAPI_SteamNetworkingIPAddr_SetIPv4(&address, 0x7f000001, free_port());
    const SteamNetworkingConfigValue_t option = {.m_eValue = k_ESteamNetworkingConfig_NagleTime,
                                                 .m_eDataType = k_ESteamNetworkingConfig_Int32,
                                                 .m_val.m_int32 = 2000};
    listening =
        SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(sockets, &address, 1, &option);
    say_number("listening", listening != 0);
    SteamNetworkingIPAddr bound;
    say_number("bound",
               SteamAPI_ISteamNetworkingSockets_GetListenSocketAddress(sockets, listening, &bound));
    say_number("bound.same", SteamAPI_SteamNetworkingIPAddr_IsEqualTo(&bound, &address));
    client = SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress(sockets, &address, 1, &option);
    int waited_ms = 0;
    while (server == 0) {
        pump(&waited_ms, "a request");
    }
    say_number("accept", SteamAPI_ISteamNetworkingSockets_AcceptConnection(sockets, server));
    wait_for_state(client, k_ESteamNetworkingConnectionState_Connected, "a connection");
}

static void exchange(void) {
    int64_t number = 0;
    SteamNetworkingMessage_t *message = NULL;
    int waited_ms = 0;
    say_number("send",
               SteamAPI_ISteamNetworkingSockets_SendMessageToConnection(
                   sockets, client, "hello", 5, k_nSteamNetworkingSend_ReliableNoNagle, &number));
    say_number("send.number", number);
    while (SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnConnection(sockets, server, &message,
                                                                        1) != 1) {
        pump(&waited_ms, "a message");
    }
    printf("received: %.*s number=%lld\n", message->m_cbSize, (char *)message->m_pData,
           (long long)message->m_nMessageNumber);
    message->m_pfnRelease(message);
    const HSteamNetPollGroup group = SteamAPI_ISteamNetworkingSockets_CreatePollGroup(sockets);
    say_number("group",
               SteamAPI_ISteamNetworkingSockets_SetConnectionPollGroup(sockets, server, group));
    message = SteamAPI_ISteamNetworkingUtils_AllocateMessage(utils, 3);
    memcpy(message->m_pData, "abc", 3);
    message->m_conn = client;
    message->m_nFlags = k_nSteamNetworkingSend_ReliableNoNagle;
    SteamAPI_ISteamNetworkingSockets_SendMessages(sockets, 1, &message, &number, true);
    say_number("send_messages", number);
    while (SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnPollGroup(sockets, group, &message,
                                                                       1) != 1) {
        pump(&waited_ms, "a message of the group");
    }
    printf("received.group: %.*s\n", message->m_cbSize, (char *)message->m_pData);
    SteamAPI_SteamNetworkingMessage_t_Release(message);
    say_number("group.destroy", SteamAPI_ISteamNetworkingSockets_DestroyPollGroup(sockets, group));
    say_number("messages", SteamAPI_ISteamNetworkingMessages_ReceiveMessagesOnChannel(
                               SteamAPI_SteamNetworkingMessages_v002(), 0, &message, 1));
}

static void close_connection(void) {
    say_number("close", SteamAPI_ISteamNetworkingSockets_CloseConnection(sockets, client, 1234,
                                                                         "from C", false));
    wait_for_state(server, k_ESteamNetworkingConnectionState_ClosedByPeer, "the end");
    say_number("close.server",
               SteamAPI_ISteamNetworkingSockets_CloseConnection(sockets, server, 0, NULL, false));
    say_number("close.listen",
               SteamAPI_ISteamNetworkingSockets_CloseListenSocket(sockets, listening));
    SteamAPI_ISteamNetworkingSockets_RunCallbacks(sockets);
}

static void say_identity(const char *key, const SteamNetworkingIdentity *identity) {
    char text[128];
    SteamAPI_SteamNetworkingIdentity_ToString(identity, text, sizeof text);
    printf("%s: type=%d size=%d %s\n", key, identity->m_eType, identity->m_cbSize, text);
}

static void identities(void) {
    SteamNetworkingIdentity identity, other;
    int size = 0;
    SteamAPI_SteamNetworkingIdentity_Clear(&identity);
    say_number("identity.invalid", SteamAPI_SteamNetworkingIdentity_IsInvalid(&identity));
    SteamAPI_SteamNetworkingIdentity_SetSteamID64(&identity, 76561198000000001ULL);
    say_number("identity.steam",
               (long long)SteamAPI_SteamNetworkingIdentity_GetSteamID64(&identity));
    say_number("identity.not_string",
               SteamAPI_SteamNetworkingIdentity_GetGenericString(&identity) == NULL);
    say_number("identity.xbox",
               SteamAPI_SteamNetworkingIdentity_SetXboxPairwiseID(&identity, "pairwise"));
    say("identity.xbox.text", SteamAPI_SteamNetworkingIdentity_GetXboxPairwiseID(&identity));
    say_number("identity.xbox.empty",
               SteamAPI_SteamNetworkingIdentity_SetXboxPairwiseID(&identity, ""));
    say_number("identity.string",
               SteamAPI_SteamNetworkingIdentity_SetGenericString(&identity, "C"));
    say("identity.string.text", SteamAPI_SteamNetworkingIdentity_GetGenericString(&identity));
    say_number("identity.string.long",
               SteamAPI_SteamNetworkingIdentity_SetGenericString(
                   &identity, "a string of more than thirty-one characters"));
    say_identity("identity.string.kept", &identity);
    say_number("identity.bytes",
               SteamAPI_SteamNetworkingIdentity_SetGenericBytes(&identity, "\1\2\3", 3));
    say_number("identity.bytes.get",
               SteamAPI_SteamNetworkingIdentity_GetGenericBytes(&identity, &size) != NULL);
    say_number("identity.bytes.size", size);
    say_number("identity.bytes.long",
               SteamAPI_SteamNetworkingIdentity_SetGenericBytes(&identity, &identity, 33));
    SteamAPI_SteamNetworkingIdentity_SetLocalHost(&identity);
    say_number("identity.localhost", SteamAPI_SteamNetworkingIdentity_IsLocalHost(&identity));
    say_number("identity.parse",
               SteamAPI_SteamNetworkingIdentity_ParseString(&other, sizeof other, "ip:::1"));
    say_number("identity.equal", SteamAPI_SteamNetworkingIdentity_IsEqualTo(&identity, &other));
    say_number("identity.address", SteamAPI_SteamNetworkingIdentity_GetIPAddr(&identity) != NULL);
    SteamNetworkingIPAddr address;
    SteamAPI_SteamNetworkingIPAddr_SetIPv6LocalHost(&address, 7);
    SteamAPI_SteamNetworkingIdentity_SetIPAddr(&identity, &address);
    say_identity("identity.of_address", &identity);
}

static void addresses(void) {
    SteamNetworkingIPAddr address;
    char text[48];
    SteamAPI_SteamNetworkingIPAddr_Clear(&address);
    say_number("address.zeros", SteamAPI_SteamNetworkingIPAddr_IsIPv6AllZeros(&address));
    SteamAPI_SteamNetworkingIPAddr_SetIPv4(&address, 0x01020304, 5);
    say_number("address.ipv4", SteamAPI_SteamNetworkingIPAddr_IsIPv4(&address));
    say_number("address.ipv4.value", SteamAPI_SteamNetworkingIPAddr_GetIPv4(&address));
    SteamAPI_SteamNetworkingIPAddr_ToString(&address, text, sizeof text, true);
    say("address.text", text);
    say_number("address.parse", SteamAPI_SteamNetworkingIPAddr_ParseString(&address, "[::1]:99"));
    say_number("address.localhost", SteamAPI_SteamNetworkingIPAddr_IsLocalHost(&address));
    say_number("address.not_ipv4", SteamAPI_SteamNetworkingIPAddr_GetIPv4(&address));
}

static void configuration(void) {
    int type = 0, scope = 0, value = 0;
    size_t size = sizeof value;
    say("config.name", SteamAPI_ISteamNetworkingUtils_GetConfigValueInfo(
                           utils, k_ESteamNetworkingConfig_NagleTime, &type, &scope));
    printf("config.info: %d %d\n", type, scope);
    say_number("config.set", SteamAPI_ISteamNetworkingUtils_SetGlobalConfigValueInt32(
                                 utils, k_ESteamNetworkingConfig_NagleTime, 1500));
    say_number("config.get",
               SteamAPI_ISteamNetworkingUtils_GetConfigValue(
                   utils, k_ESteamNetworkingConfig_NagleTime, 1, 0, &type, &value, &size));
    say_number("config.value", value);
    say_number("config.iterate", SteamAPI_ISteamNetworkingUtils_IterateGenericEditableConfigValues(
                                     utils, 0, true) != 0);
    say_number("timestamp",
               SteamAPI_ISteamNetworkingUtils_GetLocalTimestamp(utils) > 2592000000000LL);
}

int main(void) {
    SteamNetworkingErrMsg error;
    SteamNetworkingIdentity identity;
    say_number("init", GameNetworkingSockets_Init(NULL, &error));
    sockets = SteamAPI_SteamNetworkingSockets_v009();
    utils = SteamAPI_SteamNetworkingUtils_v003();
    SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetConnectionStatusChanged(utils,
                                                                                     on_change);
    say_number("own", SteamAPI_ISteamNetworkingSockets_GetIdentity(sockets, &identity));
    say_identity("own.text", &identity);
    configuration();
    open_connection();
    exchange();
    close_connection();
    identities();
    addresses();
    GameNetworkingSockets_Kill();
    return 0;
}
