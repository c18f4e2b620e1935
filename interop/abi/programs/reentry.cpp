// Callbacks that call back into the library: accepting, closing, sending, opening more connections
// and RunCallbacks itself, all from inside of a callback.
#include "connections.h"

using namespace abi;

namespace {

bool is(const Change &change, ESteamNetworkingConnectionState state) {
    return change.m_info.m_eState == state;
}

// The acceptor accepts and greets in one callback; the initiator answers in its own.
void accept_and_send() {
    std::vector<std::string> results;
    on_change = [&](const Change &change) {
        if (change.m_info.m_hListenSocket != 0 &&
            is(change, k_ESteamNetworkingConnectionState_Connecting)) {
            results.push_back("accept " +
                              std::to_string(sockets()->AcceptConnection(change.m_hConn)));
            results.push_back("greet " + std::to_string(send(change.m_hConn, "hello",
                                                             k_nSteamNetworkingSend_Reliable)));
        }
        if (change.m_info.m_hListenSocket == 0 &&
            is(change, k_ESteamNetworkingConnectionState_Connected)) {
            results.push_back("answer " + std::to_string(send(change.m_hConn, "hi",
                                                              k_nSteamNetworkingSend_Reliable)));
        }
    };
    const Listener listener = listen();
    const HSteamNetConnection client = connect(listener.address);
    name(client, "client");
    const HSteamNetConnection server = wait_for_request(listener.handle);
    name(server, "server");
    wait_for_change(client, k_ESteamNetworkingConnectionState_Connected);
    SteamNetworkingMessage_t *message = receive(client);
    say("accept.greeting", "%.*s", message->m_cbSize, static_cast<char *>(message->m_pData));
    message->Release();
    message = receive(server);
    say("accept.answer", "%.*s", message->m_cbSize, static_cast<char *>(message->m_pData));
    message->Release();
    for (const std::string &result : results) {
        say("accept.call", "%s", result.c_str());
    }
    on_change = nullptr;
    say_changes("accept.client", client);
    say_changes("accept.server", server);
    close_pair({listener.handle, client, server});
}

// The acceptor refuses in its callback; the initiator closes its end in its own.
void refuse() {
    std::vector<std::string> results;
    on_change = [&](const Change &change) {
        if (is(change, k_ESteamNetworkingConnectionState_Connecting) &&
            change.m_info.m_hListenSocket != 0) {
            const bool closed = sockets()->CloseConnection(change.m_hConn, 1700, "full", false);
            results.push_back("refuse " + std::to_string(closed));
            results.push_back("refuse again " + std::to_string(sockets()->CloseConnection(
                                                    change.m_hConn, 1700, "full", false)));
        }
        if (is(change, k_ESteamNetworkingConnectionState_ClosedByPeer)) {
            const bool closed = sockets()->CloseConnection(change.m_hConn, 0, nullptr, false);
            results.push_back("close " + std::to_string(closed));
        }
    };
    const Listener listener = listen();
    const HSteamNetConnection client = connect(listener.address);
    name(client, "client");
    wait_for_change(client, k_ESteamNetworkingConnectionState_ClosedByPeer);
    idle(20);
    for (const std::string &result : results) {
        say("refuse.call", "%s", result.c_str());
    }
    on_change = nullptr;
    say_changes("refuse.client", client);
    say("refuse.client.info", "%d", sockets()->GetConnectionInfo(client, nullptr));
    changes.clear();
    sockets()->CloseListenSocket(listener.handle);
}

// A callback that opens the next connection, three deep.
void chain() {
    const Listener listener = listen();
    std::vector<HSteamNetConnection> clients;
    on_change = [&](const Change &change) {
        if (is(change, k_ESteamNetworkingConnectionState_Connecting) &&
            change.m_info.m_hListenSocket != 0) {
            sockets()->AcceptConnection(change.m_hConn);
        }
        if (is(change, k_ESteamNetworkingConnectionState_Connected) &&
            change.m_info.m_hListenSocket == 0 && clients.size() < 3) {
            clients.push_back(connect(listener.address));
        }
    };
    clients.push_back(connect(listener.address));
    wait_for("three connections", [&] {
        return clients.size() == 3 &&
               in_state(clients.back(), k_ESteamNetworkingConnectionState_Connected);
    });
    say("chain.clients", "%zu", clients.size());
    on_change = nullptr;
    for (const HSteamNetConnection client : clients) {
        say("chain.close", "%d", sockets()->CloseConnection(client, 0, nullptr, false));
    }
    sockets()->CloseListenSocket(listener.handle);
    idle(20);
    changes.clear();
}

// RunCallbacks inside of a callback must not report anything twice.
void nested() {
    int depth = 0;
    int deepest = 0;
    on_change = [&](const Change &) {
        deepest = std::max(deepest, ++depth);
        if (depth < 4) {
            sockets()->RunCallbacks();
        }
        --depth;
    };
    const HSteamNetConnection client = connect(ip_address("127.0.0.1", free_port()));
    name(client, "client");
    sockets()->RunCallbacks();
    sockets()->CloseConnection(client, 1701, "over", false);
    sockets()->RunCallbacks();
    on_change = nullptr;
    say_changes("nested", client);
    say("nested.deepest", "%d", deepest);
}

// Whatever can be asked can be asked from inside.
void questions() {
    bool asked = false;
    on_change = [&](const Change &change) {
        if (asked || !is(change, k_ESteamNetworkingConnectionState_Connecting)) {
            return;
        }
        asked = true;
        SteamNetConnectionInfo_t info;
        say("inside.info", "%d", sockets()->GetConnectionInfo(change.m_hConn, &info));
        say("inside.state", "%s", state_name(info.m_eState));
        sockets()->SetConnectionName(change.m_hConn, "inside");
        char text[32] = "";
        say("inside.name", "%d", sockets()->GetConnectionName(change.m_hConn, text, sizeof text));
        say("inside.name.text", "%s", text);
        say("inside.user", "%d", sockets()->SetConnectionUserData(change.m_hConn, 9));
        say("inside.config", "%d",
            utils()->SetConnectionConfigValueInt32(change.m_hConn,
                                                   k_ESteamNetworkingConfig_TimeoutInitial, 5000));
        say("inside.group", "%d", sockets()->SetConnectionPollGroup(change.m_hConn, 0));
        say("inside.flush", "%d", sockets()->FlushMessagesOnConnection(change.m_hConn));
    };
    const HSteamNetConnection client = connect(ip_address("127.0.0.1", free_port()));
    name(client, "client");
    wait_for("the questions", [&] { return asked; });
    on_change = nullptr;
    sockets()->CloseConnection(client, 0, nullptr, false);
    idle(5);
    changes.clear();
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    accept_and_send();
    refuse();
    chain();
    nested();
    questions();
    return 0;
}
