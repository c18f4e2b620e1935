/* A server and a client in one process: messages go over loopback and come back. Plain C99.
 *
 *   cc echo.c $(pkg-config --cflags --libs GameNetworkingSockets) -o echo && ./echo
 */
#define _POSIX_C_SOURCE 199309L

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <gamewire.h>

enum { MESSAGES = 3, FIRST_PORT = 27215, LAST_PORT = 27314, GIVE_UP_AFTER_MS = 20000 };

static ISteamNetworkingSockets *sockets;
static HSteamListenSocket listener;
static HSteamNetConnection client, server;
static bool failed;

/* Called by RunCallbacks, on the thread that calls it. */
static void state_changed(SteamNetConnectionStatusChangedCallback_t *change) {
    SteamNetConnectionInfo_t *info = &change->m_info;
    switch (info->m_eState) {
    case k_ESteamNetworkingConnectionState_Connecting:
        if (info->m_hListenSocket == listener) {
            server = change->m_hConn;
            SteamAPI_ISteamNetworkingSockets_AcceptConnection(sockets, server);
        }
        break;
    case k_ESteamNetworkingConnectionState_ClosedByPeer:
    case k_ESteamNetworkingConnectionState_ProblemDetectedLocally:
        printf("%s: %d %s\n", info->m_szConnectionDescription, info->m_eEndReason, info->m_szEndDebug);
        SteamAPI_ISteamNetworkingSockets_CloseConnection(sockets, change->m_hConn, 0, NULL, false);
        failed = true;
        break;
    case k_ESteamNetworkingConnectionState_Connected:
        printf("connected: %s\n", info->m_szConnectionDescription);
        break;
    default:
        break;
    }
}

static bool send_text(HSteamNetConnection connection, const char *text) {
    return SteamAPI_ISteamNetworkingSockets_SendMessageToConnection(
               sockets, connection, text, (uint32_t)strlen(text), k_nSteamNetworkingSend_Reliable,
               NULL) == k_EResultOK;
}

/* Takes one message; the caller releases it. Null if there is none. */
static SteamNetworkingMessage_t *receive(HSteamNetConnection connection) {
    SteamNetworkingMessage_t *message = NULL;
    int count = SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnConnection(
        sockets, connection, &message, 1);
    return count == 1 ? message : NULL;
}

/* Sends back what came to the server, and counts what came back to the client. */
static int move_messages(void) {
    SteamNetworkingMessage_t *message;
    int came_back = 0;
    while (server != 0 && (message = receive(server)) != NULL) {
        SteamAPI_ISteamNetworkingSockets_SendMessageToConnection(
            sockets, server, message->m_pData, (uint32_t)message->m_cbSize, message->m_nFlags, NULL);
        message->m_pfnRelease(message);
    }
    while ((message = receive(client)) != NULL) {
        printf("came back: %.*s\n", message->m_cbSize, (const char *)message->m_pData);
        message->m_pfnRelease(message);
        came_back++;
    }
    return came_back;
}

/* Listens on a free port of loopback, and connects to it. */
static bool connect_to_ourselves(void) {
    SteamNetworkingIPAddr address;
    SteamNetworkingConfigValue_t option;
    uint16_t port = FIRST_PORT;
    do {
        SteamAPI_SteamNetworkingIPAddr_SetIPv4(&address, 0x7f000001, port);
        listener = SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(sockets, &address, 0, NULL);
    } while (listener == k_HSteamListenSocket_Invalid && port++ < LAST_PORT);
    if (listener == k_HSteamListenSocket_Invalid) {
        return false;
    }
    option.m_eValue = k_ESteamNetworkingConfig_TimeoutInitial;
    option.m_eDataType = k_ESteamNetworkingConfig_Int32;
    option.m_val.m_int32 = 5000;
    client = SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress(sockets, &address, 1, &option);
    return client != k_HSteamNetConnection_Invalid;
}

static int echo(void) {
    const struct timespec a_moment = {0, 1000000};
    int came_back = 0, sent = 0, passed_ms;
    if (!connect_to_ourselves()) {
        return 1;
    }
    while (sent < MESSAGES) {
        char text[32];
        sprintf(text, "message %d", ++sent);
        if (!send_text(client, text)) { /* it waits for the connection */
            return 1;
        }
    }
    for (passed_ms = 0; came_back < MESSAGES && !failed && passed_ms < GIVE_UP_AFTER_MS; passed_ms++) {
        SteamAPI_ISteamNetworkingSockets_RunCallbacks(sockets);
        came_back += move_messages();
        nanosleep(&a_moment, NULL);
    }
    SteamAPI_ISteamNetworkingSockets_CloseConnection(sockets, client, 0, "bye", false);
    SteamAPI_ISteamNetworkingSockets_CloseConnection(sockets, server, 0, "bye", false);
    SteamAPI_ISteamNetworkingSockets_CloseListenSocket(sockets, listener);
    return came_back == MESSAGES && !failed ? 0 : 1;
}

int main(void) {
    SteamNetworkingErrMsg error;
    int result;
    printf("Gamewire %s\n", Gamewire_Version());
    if (!GameNetworkingSockets_Init(NULL, &error)) {
        fprintf(stderr, "cannot start: %s\n", error);
        return 1;
    }
    sockets = SteamAPI_SteamNetworkingSockets_v009();
    SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetConnectionStatusChanged(
        SteamAPI_SteamNetworkingUtils_v003(), state_changed);
    result = echo();
    GameNetworkingSockets_Kill();
    puts(result == 0 ? "all messages came back" : "failed");
    return result;
}
