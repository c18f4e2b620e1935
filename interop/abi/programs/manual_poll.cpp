// Manual poll mode: no service thread; nothing moves unless the application calls Poll.
#include "connections.h"

// Exported by the library, declared by no public header.
extern "C" void SteamNetworkingSockets_SetManualPollMode(bool on);
extern "C" void SteamNetworkingSockets_Poll(int milliseconds);

using namespace abi;

namespace {

void poll_until(const char *what, const std::function<bool()> &condition) {
    wait_for(what, [&] {
        SteamNetworkingSockets_Poll(1);
        sockets()->RunCallbacks();
        return condition();
    });
}

int threads() {
    FILE *status = std::fopen("/proc/self/status", "r");
    char line[256];
    int count = -1;
    while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr) {
        if (std::sscanf(line, "Threads: %d", &count) == 1) {
            break;
        }
    }
    if (status != nullptr) {
        std::fclose(status);
    }
    return count;
}

void exchange() {
    const Listener listener = listen();
    const HSteamNetConnection client = connect(listener.address);
    name(client, "client");
    idle(100);
    say("unpolled.requests", "%d",
        std::count_if(changes.begin(), changes.end(), [&](const Change &change) {
            return change.m_info.m_hListenSocket == listener.handle;
        }) != 0);
    HSteamNetConnection server = k_HSteamNetConnection_Invalid;
    poll_until("a request", [&] {
        for (const Change &change : changes) {
            server = change.m_info.m_hListenSocket == listener.handle ? change.m_hConn : server;
        }
        return server != k_HSteamNetConnection_Invalid;
    });
    name(server, "server");
    say("accept", "%d", sockets()->AcceptConnection(server));
    poll_until("a connection",
               [&] { return in_state(client, k_ESteamNetworkingConnectionState_Connected); });
    say("send", "%d", send(client, "by hand", k_nSteamNetworkingSend_ReliableNoNagle));
    SteamNetworkingMessage_t *message = nullptr;
    poll_until("a message",
               [&] { return sockets()->ReceiveMessagesOnConnection(server, &message, 1) == 1; });
    say("received", "%.*s", message->m_cbSize, static_cast<char *>(message->m_pData));
    message->Release();
    sockets()->CloseConnection(client, 1800, "by hand", false);
    poll_until("the end",
               [&] { return in_state(server, k_ESteamNetworkingConnectionState_ClosedByPeer); });
    say_changes("client", client);
    say_changes("server", server);
    close_pair({listener.handle, client, server});
}

}  // namespace

int main() {
    const int before = threads();
    SteamNetworkingSockets_SetManualPollMode(true);
    {
        Library library;
        install_recorder();
        say("threads", "%d", threads() - before);
        exchange();
    }
    SteamNetworkingSockets_SetManualPollMode(false);
    {
        Library library;
        install_recorder();
        say("automatic.threads", "%d", threads() > before);
        close_pair(quiet_pair());
        say("automatic", "works");
        SteamNetworkingSockets_SetManualPollMode(true);
        say("stopped.threads", "%d", threads() - before);
        exchange();
        SteamNetworkingSockets_SetManualPollMode(false);
        close_pair(quiet_pair());
        say("automatic.again", "works");
    }
    return 0;
}
