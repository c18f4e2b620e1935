// Connections of one process with itself: a name for every handle, the status changes in the order
// of their callbacks, and a connected pair over UDP on the loopback interface.
#pragma once

#include "support.h"

namespace abi {

using Change = SteamNetConnectionStatusChangedCallback_t;

inline std::map<HSteamNetConnection, std::string> names;

// Gives a handle the name under which lines speak of it.
inline void name(HSteamNetConnection connection, const char *text) {
    names[connection] = text;
}

inline std::string name_of(HSteamNetConnection connection) {
    if (connection == k_HSteamNetConnection_Invalid) {
        return "invalid";
    }
    auto found = names.find(connection);
    if (found == names.end()) {
        found = names.emplace(connection, "connection" + std::to_string(names.size() + 1)).first;
    }
    return found->second;
}

// Status changes since they were last printed, and what to do when one comes.
inline std::vector<Change> changes;
inline std::function<void(const Change &)> on_change;

inline void record(Change *change) {
    changes.push_back(*change);
    if (on_change) {
        on_change(*change);
    }
}

inline void say_change(const std::string &key, const Change &change) {
    say(key, "%s %s>%s reason=%d debug=%s listen=%d user=%lld", name_of(change.m_hConn).c_str(),
        state_name(change.m_eOldState), state_name(change.m_info.m_eState),
        change.m_info.m_eEndReason,
        end_text(change.m_info.m_eEndReason, change.m_info.m_szEndDebug).c_str(),
        change.m_info.m_hListenSocket != k_HSteamListenSocket_Invalid,
        static_cast<long long>(change.m_info.m_nUserData));
}

// One line for each recorded change of one connection, or of all; forgets them.
inline void say_changes(const std::string &key,
                        HSteamNetConnection only = k_HSteamNetConnection_Invalid) {
    std::vector<Change> others;
    int number = 0;
    for (const Change &change : changes) {
        if (only == k_HSteamNetConnection_Invalid || change.m_hConn == only) {
            say_change(key + "." + std::to_string(++number), change);
        } else {
            others.push_back(change);
        }
    }
    say_number(key + ".count", number);
    changes = others;
}

inline int state_of(HSteamNetConnection connection) {
    SteamNetConnectionInfo_t info;
    return sockets()->GetConnectionInfo(connection, &info) ? info.m_eState : -100;
}

inline bool in_state(HSteamNetConnection connection, ESteamNetworkingConnectionState state) {
    return state_of(connection) == state;
}

inline void wait_for_state(HSteamNetConnection connection, ESteamNetworkingConnectionState state) {
    const std::string what = name_of(connection) + " in state " + state_name(state);
    wait_for(what.c_str(), [&] { return in_state(connection, state); });
}

// Whether a change of a connection into a state has been recorded.
inline bool recorded(HSteamNetConnection connection, ESteamNetworkingConnectionState state) {
    for (const Change &change : changes) {
        if (change.m_hConn == connection && change.m_info.m_eState == state) {
            return true;
        }
    }
    return false;
}

inline void wait_for_change(HSteamNetConnection connection, ESteamNetworkingConnectionState state) {
    const std::string what = name_of(connection) + " reporting " + state_name(state);
    wait_for(what.c_str(), [&] { return recorded(connection, state); });
}

// What a listen socket on a free port of 127.0.0.1 is made with.
using Options = std::vector<SteamNetworkingConfigValue_t>;

inline SteamNetworkingConfigValue_t int_option(ESteamNetworkingConfigValue id, int value) {
    SteamNetworkingConfigValue_t option;
    option.SetInt32(id, value);
    return option;
}

inline SteamNetworkingConfigValue_t callback_option(void (*callback)(Change *)) {
    SteamNetworkingConfigValue_t option;
    option.SetPtr(k_ESteamNetworkingConfig_Callback_ConnectionStatusChanged,
                  reinterpret_cast<void *>(callback));
    return option;
}

struct Listener {
    HSteamListenSocket handle = k_HSteamListenSocket_Invalid;
    SteamNetworkingIPAddr address;
};

// Another process may take a free port, so several are tried.
inline Listener listen(const Options &options = {}, const char *ip = "127.0.0.1") {
    Listener listener;
    for (int attempt = 0; attempt < 16 && listener.handle == k_HSteamListenSocket_Invalid;
         ++attempt) {
        listener.address = ip_address(ip, free_port());
        listener.handle = sockets()->CreateListenSocketIP(
            listener.address, static_cast<int>(options.size()), options.data());
    }
    return listener;
}

inline HSteamNetConnection connect(const SteamNetworkingIPAddr &address,
                                   const Options &options = {}) {
    return sockets()->ConnectByIPAddress(address, static_cast<int>(options.size()), options.data());
}

// Both ends of one connection, and the listen socket that made the second.
struct Pair {
    HSteamListenSocket listen = k_HSteamListenSocket_Invalid;
    HSteamNetConnection client = k_HSteamNetConnection_Invalid;
    HSteamNetConnection server = k_HSteamNetConnection_Invalid;
};

// Waits until the initiator's request has reached the listen socket.
inline HSteamNetConnection wait_for_request(HSteamListenSocket listen) {
    HSteamNetConnection found = k_HSteamNetConnection_Invalid;
    wait_for("a request", [&] {
        for (const Change &change : changes) {
            if (change.m_info.m_hListenSocket == listen &&
                change.m_info.m_eState == k_ESteamNetworkingConnectionState_Connecting) {
                found = change.m_hConn;
            }
        }
        return found != k_HSteamNetConnection_Invalid;
    });
    return found;
}

// Connects `127.0.0.1` to itself, and accepts. Needs `record` as the callback.
inline Pair connect_pair(const Options &options = {}) {
    Pair pair;
    const Listener listener = listen(options);
    pair.listen = listener.handle;
    pair.client = connect(listener.address, options);
    name(pair.client, "client");
    pair.server = wait_for_request(pair.listen);
    name(pair.server, "server");
    sockets()->AcceptConnection(pair.server);
    wait_for_change(pair.client, k_ESteamNetworkingConnectionState_Connected);
    wait_for_change(pair.server, k_ESteamNetworkingConnectionState_Connected);
    return pair;
}

// As connect_pair, where the way there is of no interest.
inline Pair quiet_pair(const Options &options = {}) {
    const Pair pair = connect_pair(options);
    changes.clear();
    return pair;
}

inline void close_pair(const Pair &pair) {
    sockets()->CloseConnection(pair.client, 0, nullptr, false);
    sockets()->CloseConnection(pair.server, 0, nullptr, false);
    sockets()->CloseListenSocket(pair.listen);
    sockets()->RunCallbacks();
    changes.clear();
}

inline void install_recorder() {
    utils()->SetGlobalCallback_SteamNetConnectionStatusChanged(record);
}

// Waits for one message.
inline SteamNetworkingMessage_t *receive(HSteamNetConnection connection) {
    SteamNetworkingMessage_t *message = nullptr;
    wait_for("a message",
             [&] { return sockets()->ReceiveMessagesOnConnection(connection, &message, 1) == 1; });
    return message;
}

// Waits until everything that was sent reliably has been acknowledged, so that it lies ready at the
// other end.
inline void wait_until_acked(HSteamNetConnection sender) {
    wait_for("acks", [&] {
        SteamNetConnectionRealTimeStatus_t status;
        sockets()->GetConnectionRealTimeStatus(sender, &status, 0, nullptr);
        return status.m_cbPendingReliable == 0 && status.m_cbSentUnackedReliable == 0;
    });
}

inline EResult send(HSteamNetConnection connection, const std::string &text, int flags,
                    int64 *number = nullptr) {
    return sockets()->SendMessageToConnection(connection, text.data(),
                                              static_cast<uint32>(text.size()), flags, number);
}

}  // namespace abi
