// Init and Kill: in a loop, with things left open, and what remains of the global configuration.
#include <atomic>

#include "connections.h"

using namespace abi;

namespace {

// Everything that Kill has to take down, still open.
void leave_open() {
    const Pair pair = quiet_pair();
    send(pair.client, "unread", k_nSteamNetworkingSend_Reliable);
    sockets()->CreatePollGroup();
    HSteamNetConnection first = 0;
    HSteamNetConnection second = 0;
    sockets()->CreateSocketPair(&first, &second, false, nullptr, nullptr);
    connect(ip_address("127.0.0.1", free_port()));
}

void loop() {
    for (int round = 0; round < 5; ++round) {
        Library library;
        install_recorder();
        const Pair pair = quiet_pair();
        say("round", "%d", send(pair.client, "x", k_nSteamNetworkingSend_ReliableNoNagle));
        receive(pair.server)->Release();
        if (round % 2 == 0) {
            close_pair(pair);
        } else {
            leave_open();
        }
        changes.clear();
    }
}

void handles_die() {
    HSteamNetConnection old_connection = 0;
    HSteamListenSocket old_listen = 0;
    HSteamNetPollGroup old_group = 0;
    {
        Library library;
        install_recorder();
        const Pair pair = quiet_pair();
        old_connection = pair.client;
        old_listen = pair.listen;
        old_group = sockets()->CreatePollGroup();
    }
    Library library;
    SteamNetworkingIPAddr address;
    SteamNetworkingMessage_t *message = nullptr;
    say("old.info", "%d", sockets()->GetConnectionInfo(old_connection, nullptr));
    say("old.send", "%d", send(old_connection, "x", k_nSteamNetworkingSend_Reliable));
    say("old.close", "%d", sockets()->CloseConnection(old_connection, 0, nullptr, false));
    say("old.listen", "%d", sockets()->GetListenSocketAddress(old_listen, &address));
    say("old.group", "%d", sockets()->ReceiveMessagesOnPollGroup(old_group, &message, 1));
    sockets()->RunCallbacks();
    say_changes("old.changes");
}

int global_int(ESteamNetworkingConfigValue id) {
    int value = -77;
    size_t size = sizeof value;
    utils()->GetConfigValue(id, k_ESteamNetworkingConfig_Global, 0, nullptr, &value, &size);
    return value;
}

// Global values outlive the library, those of the interface do not.
void configuration() {
    say("config.before_init", "%d",
        utils()->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_NagleTime, 4321));
    {
        Library library;
        say_number("config.seen", global_int(k_ESteamNetworkingConfig_NagleTime));
        utils()->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_TimeoutInitial, 7777);
        const int value = 999;
        utils()->SetConfigValue(
            k_ESteamNetworkingConfig_TimeoutConnected, k_ESteamNetworkingConfig_SocketsInterface,
            reinterpret_cast<intptr_t>(sockets()), k_ESteamNetworkingConfig_Int32, &value);
    }
    say_number("config.after_kill", global_int(k_ESteamNetworkingConfig_TimeoutInitial));
    Library library;
    say_number("config.after_init", global_int(k_ESteamNetworkingConfig_TimeoutInitial));
    int value = 0;
    size_t size = sizeof value;
    const int result = utils()->GetConfigValue(
        k_ESteamNetworkingConfig_TimeoutConnected, k_ESteamNetworkingConfig_SocketsInterface,
        reinterpret_cast<intptr_t>(sockets()), nullptr, &value, &size);
    say("config.interface", "%d %d", result, value);
    for (const auto id :
         {k_ESteamNetworkingConfig_NagleTime, k_ESteamNetworkingConfig_TimeoutInitial}) {
        utils()->SetConfigValue(id, k_ESteamNetworkingConfig_Global, 0,
                                k_ESteamNetworkingConfig_Int32, nullptr);
        say_number("config.reset", global_int(id));
    }
}

// Messages and texts need no initialised library, and messages outlive it.
void without_init() {
    GameNetworkingSockets_Kill();
    say("kill.uninitialised", "done");
    SteamNetworkingMessage_t *message = utils()->AllocateMessage(10);
    say("message.uninitialised", "%d", message->m_cbSize);
    message->Release();
    SteamNetworkingIdentity identity;
    say("parse.uninitialised", "%d", identity.ParseString("str:early"));
    say("timestamp.uninitialised", "%d", utils()->GetLocalTimestamp() > 24LL * 3600 * 30 * 1000000);
    SteamNetworkingMessage_t *kept = nullptr;
    {
        Library library;
        install_recorder();
        const Pair pair = quiet_pair();
        send(pair.client, "kept", k_nSteamNetworkingSend_ReliableNoNagle);
        kept = receive(pair.server);
    }
    say("message.after_kill", "%.*s", kept->m_cbSize, static_cast<char *>(kept->m_pData));
    kept->Release();
}

std::atomic<int> threads_begun{0};

void thread_begins() {
    ++threads_begun;
}
void lock_taken(const char *, SteamNetworkingMicroseconds) {}

// The hooks for the service thread and for statistics of the lock.
void hooks() {
    SteamNetworkingSockets_SetServiceThreadInitCallback(thread_begins);
    SteamNetworkingSockets_SetLockWaitWarningThreshold(50000);
    SteamNetworkingSockets_SetLockAcquiredCallback(lock_taken);
    SteamNetworkingSockets_SetLockHeldCallback(lock_taken);
    {
        Library library;
        install_recorder();
        close_pair(quiet_pair());
    }
    say("hooks.threads", "%d", threads_begun.load());
    SteamNetworkingSockets_SetServiceThreadInitCallback(nullptr);
    SteamNetworkingSockets_SetLockAcquiredCallback(nullptr);
    SteamNetworkingSockets_SetLockHeldCallback(nullptr);
    Library library;
    say("hooks.removed", "%d", threads_begun.load());
}

void say_identity(const std::string &key) {
    SteamNetworkingIdentity identity;
    const bool known = sockets()->GetIdentity(&identity);
    say(key, "%d %s", known, text_of(identity).c_str());
}

void identities() {
    for (const char *text : {"str:one", "str:two", "xboxpwid:abc"}) {
        Library library(text);
        say_identity("identity");
    }
    Library library("str:before");
    SteamNetworkingIdentity identity;
    identity.SetGenericString("after");
    sockets()->ResetIdentity(&identity);
    say_identity("identity.reset");
    sockets()->ResetIdentity(nullptr);
    say_identity("identity.reset_null");
}

}  // namespace

int main() {
    without_init();
    loop();
    handles_die();
    configuration();
    identities();
    hooks();
    say("sockets.after_kill", "%d", SteamNetworkingSockets() == nullptr);
    return 0;
}
