// The end of a connection: closed by either side with reasons of every kind, refused, lingering,
// timed out, or taken along by its listen socket.
#include "connections.h"

using namespace abi;

namespace {

// What both sides see, and what the handles are worth afterwards.
void say_end(const std::string &key, HSteamNetConnection closed, HSteamNetConnection other) {
    say_changes(key + ".other", other);
    say_changes(key + ".closer", closed);
    SteamNetConnectionInfo_t info;
    const bool known = sockets()->GetConnectionInfo(other, &info);
    say(key + ".other.info", "%d %s %d %s", known, state_name(info.m_eState), info.m_eEndReason,
        end_text(info.m_eEndReason, info.m_szEndDebug).c_str());
    say(key + ".other.send", "%d", send(other, "late", k_nSteamNetworkingSend_Reliable));
    say(key + ".other.flush", "%d", sockets()->FlushMessagesOnConnection(other));
    say(key + ".closer.info", "%d", sockets()->GetConnectionInfo(closed, nullptr));
    say(key + ".closer.close", "%d", sockets()->CloseConnection(closed, 0, nullptr, false));
    say(key + ".other.close", "%d", sockets()->CloseConnection(other, 1999, "ignored", true));
    say(key + ".other.close_again", "%d", sockets()->CloseConnection(other, 0, nullptr, false));
    idle(10);
    say_changes(key + ".after");
}

struct Ending {
    const char *key;
    bool by_server;
    int reason;
    const char *debug;
};

void close_one(const Ending &ending) {
    const Pair pair = quiet_pair();
    const HSteamNetConnection closer = ending.by_server ? pair.server : pair.client;
    const HSteamNetConnection other = ending.by_server ? pair.client : pair.server;
    say(std::string(ending.key) + ".close", "%d",
        sockets()->CloseConnection(closer, ending.reason, ending.debug, false));
    wait_for_change(other, k_ESteamNetworkingConnectionState_ClosedByPeer);
    say_end(ending.key, closer, other);
    close_pair(pair);
}

void reasons() {
    const std::string endless(200, 'x');
    const Ending endings[] = {
        {"client", false, 1234, "bye"},
        {"server", true, 1999, "the server says bye"},
        {"exception", true, 2345, "a crash"},
        {"generic", false, 0, nullptr},
        {"no_text", false, 1001, nullptr},
        {"empty_text", false, 1002, ""},
        {"too_small", false, 17, "not a reason"},
        {"negative", true, -1, "not a reason"},
        {"too_large", false, 3000, "not a reason"},
        {"last", false, 2999, "the last reason"},
        {"long_text", false, 1003, endless.c_str()},
    };
    for (const Ending &ending : endings) {
        close_one(ending);
    }
}

// The acceptor closes instead of accepting.
void refusal() {
    const Listener listener = listen();
    const HSteamNetConnection client = connect(listener.address);
    name(client, "client");
    const HSteamNetConnection server = wait_for_request(listener.handle);
    name(server, "server");
    say("refused.close", "%d", sockets()->CloseConnection(server, 1111, "not today", false));
    wait_for_change(client, k_ESteamNetworkingConnectionState_ClosedByPeer);
    say_end("refused", server, client);
    close_pair({listener.handle, client, server});
}

// The initiator changes its mind before it is accepted.
void withdrawal() {
    const Listener listener = listen();
    const HSteamNetConnection client = connect(listener.address);
    name(client, "client");
    const HSteamNetConnection server = wait_for_request(listener.handle);
    name(server, "server");
    say("withdrawn.close", "%d", sockets()->CloseConnection(client, 1222, "never mind", false));
    wait_for_change(server, k_ESteamNetworkingConnectionState_ClosedByPeer);
    say("withdrawn.accept", "%d", sockets()->AcceptConnection(server));
    say_end("withdrawn", client, server);
    close_pair({listener.handle, client, server});
}

// With linger, what was sent reliably arrives before the end.
void lingering(const char *key, const Options &options, int size) {
    const Pair pair = quiet_pair(options);
    const std::string content(static_cast<size_t>(size), 'l');
    say(std::string(key) + ".send", "%d",
        send(pair.client, content, k_nSteamNetworkingSend_Reliable));
    say(std::string(key) + ".close", "%d",
        sockets()->CloseConnection(pair.client, 1300, "after the data", true));
    say(std::string(key) + ".handle", "%d", sockets()->GetConnectionInfo(pair.client, nullptr));
    SteamNetworkingMessage_t *message = receive(pair.server);
    say(std::string(key) + ".received", "%d bytes", message->m_cbSize);
    message->Release();
    wait_for_change(pair.server, k_ESteamNetworkingConnectionState_ClosedByPeer);
    say_end(key, pair.client, pair.server);
    close_pair(pair);
}

// Messages that arrived before the end can be read after it.
void unread() {
    const Pair pair = quiet_pair();
    send(pair.server, "read me later", k_nSteamNetworkingSend_Reliable);
    sockets()->CloseConnection(pair.server, 1400, "done", true);
    wait_for_change(pair.client, k_ESteamNetworkingConnectionState_ClosedByPeer);
    SteamNetworkingMessage_t *messages[2] = {};
    const int count = sockets()->ReceiveMessagesOnConnection(pair.client, messages, 2);
    say("unread.count", "%d", count);
    if (count == 1) {
        say("unread.text", "%.*s", messages[0]->m_cbSize,
            static_cast<char *>(messages[0]->m_pData));
        messages[0]->Release();
    }
    say("unread.again", "%d", sockets()->ReceiveMessagesOnConnection(pair.client, messages, 2));
    close_pair(pair);
}

// A listen socket that closes takes its connections along.
void listen_socket() {
    const Pair pair = quiet_pair({int_option(k_ESteamNetworkingConfig_TimeoutConnected, 1500)});
    say("listen.close", "%d", sockets()->CloseListenSocket(pair.listen));
    say("listen.server.info", "%d", sockets()->GetConnectionInfo(pair.server, nullptr));
    send(pair.client, "anybody there?", k_nSteamNetworkingSend_Reliable);
    wait_for("the client to notice",
             [&] { return state_of(pair.client) > k_ESteamNetworkingConnectionState_Connected; });
    say("listen.client.state", "%s", state_name(state_of(pair.client)));
    say_changes("listen.client", pair.client);
    say_changes("listen.server", pair.server);
    close_pair(pair);
}

// The other side of an accepted connection falls silent: 127.0.0.1 loses everything from now on.
void timeout() {
    const Pair pair = quiet_pair({int_option(k_ESteamNetworkingConfig_TimeoutConnected, 500)});
    utils()->SetGlobalConfigValueFloat(k_ESteamNetworkingConfig_FakePacketLoss_Send, 100.0F);
    send(pair.client, "lost", k_nSteamNetworkingSend_Reliable);
    send(pair.server, "lost", k_nSteamNetworkingSend_Reliable);
    wait_for_change(pair.client, k_ESteamNetworkingConnectionState_ProblemDetectedLocally);
    wait_for_change(pair.server, k_ESteamNetworkingConnectionState_ProblemDetectedLocally);
    utils()->SetConfigValue(k_ESteamNetworkingConfig_FakePacketLoss_Send,
                            k_ESteamNetworkingConfig_Global, 0, k_ESteamNetworkingConfig_Float,
                            nullptr);
    say_changes("timeout.client", pair.client);
    say_changes("timeout.server", pair.server);
    say("timeout.send", "%d", send(pair.client, "x", k_nSteamNetworkingSend_Reliable));
    close_pair(pair);
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    reasons();
    refusal();
    withdrawal();
    lingering("linger", {}, 300000);
    lingering("linger.slowly",
              {int_option(k_ESteamNetworkingConfig_SendRateMin, 400000),
               int_option(k_ESteamNetworkingConfig_SendRateMax, 400000)},
              200000);
    lingering("linger.empty", {}, 0);
    unread();
    listen_socket();
    timeout();
    return 0;
}
