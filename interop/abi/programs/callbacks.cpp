// Where a status change is reported: from RunCallbacks only, to the function that was set for the
// connection, its listen socket, its interface or for all, in the order of events.
#include "connections.h"

using namespace abi;

namespace {

// Which of the functions below was called, and with what.
struct Call {
    const char *function;
    Change change;
};
std::vector<Call> calls;

void note(const char *function, const Change *change) {
    calls.push_back({function, *change});
    changes.push_back(*change);
}

void forget() {
    calls.clear();
    changes.clear();
}

void for_all(Change *change) {
    note("all", change);
}
void for_connection(Change *change) {
    note("connection", change);
}
void for_listen_socket(Change *change) {
    note("listen", change);
}
void for_interface(Change *change) {
    note("interface", change);
}

std::string text_of(const Call &call) {
    return std::string(call.function) + " " + state_name(call.change.m_eOldState) + ">" +
           state_name(call.change.m_info.m_eState);
}

// The calls of one connection. Those of its two ends may come mixed in any way.
void say_calls(const std::string &key, HSteamNetConnection connection) {
    int number = 0;
    for (const Call &call : calls) {
        if (call.change.m_hConn == connection) {
            say(key + "." + std::to_string(++number), "%s", text_of(call).c_str());
        }
    }
}

std::string first_call() {
    return calls.empty() ? "nothing" : text_of(calls.front());
}

// One connection from the request to its end, with the functions that are set.
void run_once(const std::string &key, const Options &client_options,
              const Options &listen_options) {
    forget();
    const Listener listener = listen(listen_options);
    const HSteamNetConnection client = connect(listener.address, client_options);
    name(client, "client");
    const HSteamNetConnection server = wait_for_request(listener.handle);
    name(server, "server");
    sockets()->AcceptConnection(server);
    wait_for_change(client, k_ESteamNetworkingConnectionState_Connected);
    wait_for_change(server, k_ESteamNetworkingConnectionState_Connected);
    sockets()->CloseConnection(client, 1500, "over", false);
    wait_for_change(server, k_ESteamNetworkingConnectionState_ClosedByPeer);
    sockets()->CloseConnection(server, 0, nullptr, false);
    idle(10);
    say_calls(key + ".client", client);
    say_calls(key + ".server", server);
    sockets()->CloseListenSocket(listener.handle);
}

void set_for_interface(void (*callback)(Change *)) {
    void *pointer = reinterpret_cast<void *>(callback);
    const bool done = utils()->SetConfigValue(
        k_ESteamNetworkingConfig_Callback_ConnectionStatusChanged,
        k_ESteamNetworkingConfig_SocketsInterface, reinterpret_cast<intptr_t>(sockets()),
        k_ESteamNetworkingConfig_Ptr, callback != nullptr ? &pointer : nullptr);
    say("interface.set", "%d", done);
}

void scopes() {
    run_once("global", {}, {});
    run_once("connection", {callback_option(for_connection)}, {});
    run_once("listen", {}, {callback_option(for_listen_socket)});
    run_once("both", {callback_option(for_connection)}, {callback_option(for_listen_socket)});
    set_for_interface(for_interface);
    run_once("interface", {}, {});
    run_once("interface_and_listen", {}, {callback_option(for_listen_socket)});
    set_for_interface(nullptr);
    run_once("global_again", {}, {});
}

// Without RunCallbacks, nothing is called, however much happens.
void only_from_run_callbacks() {
    forget();
    const Listener listener = listen();
    const HSteamNetConnection client = connect(listener.address);
    name(client, "client");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(150);
    while (std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    say("quiet.calls", "%zu", calls.size());
    say("quiet.state", "%s", state_name(state_of(client)));
    const HSteamNetConnection server = wait_for_request(listener.handle);
    name(server, "server");
    sockets()->AcceptConnection(server);
    const auto patience = std::chrono::steady_clock::now() + PATIENCE;
    while (!in_state(client, k_ESteamNetworkingConnectionState_Connected) &&
           std::chrono::steady_clock::now() < patience) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    say("quiet.connected", "%s", state_name(state_of(client)));
    const size_t before = calls.size();
    say("quiet.calls_before", "%zu", before);
    sockets()->RunCallbacks();
    say("quiet.calls_after", "%zu", calls.size());
    sockets()->RunCallbacks();
    say("quiet.calls_again", "%zu", calls.size());
    close_pair({listener.handle, client, server});
}

void spin_until(HSteamNetConnection connection, ESteamNetworkingConnectionState state) {
    const auto patience = std::chrono::steady_clock::now() + PATIENCE;
    while (!in_state(connection, state) && std::chrono::steady_clock::now() < patience) {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
}

// Where the first change of a connection into a state stands in the order of calls; -1 for nowhere.
int place_of(HSteamNetConnection connection, ESteamNetworkingConnectionState state) {
    for (size_t place = 0; place < calls.size(); ++place) {
        const Change &change = calls[place].change;
        if (change.m_hConn == connection && change.m_info.m_eState == state) {
            return static_cast<int>(place);
        }
    }
    return -1;
}

// A state that can be seen has its change queued; and a cause comes before its effect at the other
// end. Often enough to meet a service thread between the two.
void order_of_both_ends() {
    int late = 0;
    int effect_first = 0;
    for (int round = 0; round < 40; ++round) {
        forget();
        const Listener listener = listen();
        const HSteamNetConnection client = connect(listener.address);
        const HSteamNetConnection server = wait_for_request(listener.handle);
        sockets()->AcceptConnection(server);
        spin_until(client, k_ESteamNetworkingConnectionState_Connected);
        sockets()->RunCallbacks();
        const int accepted = place_of(server, k_ESteamNetworkingConnectionState_Connected);
        const int connected = place_of(client, k_ESteamNetworkingConnectionState_Connected);
        sockets()->CloseConnection(client, 1501, "over", false);
        spin_until(server, k_ESteamNetworkingConnectionState_ClosedByPeer);
        sockets()->RunCallbacks();
        const int closed = place_of(client, k_ESteamNetworkingConnectionState_None);
        const int noticed = place_of(server, k_ESteamNetworkingConnectionState_ClosedByPeer);
        late += (accepted < 0) + (connected < 0) + (closed < 0) + (noticed < 0);
        effect_first += (connected < accepted) + (noticed < closed);
        close_pair({listener.handle, client, server});
    }
    say("order.late", "%d", late);
    say("order.effect_first", "%d", effect_first);
}

// A queued change goes to the function that was set when it was queued.
void captured_when_queued() {
    forget();
    const HSteamNetConnection client = connect(ip_address("127.0.0.1", free_port()));
    name(client, "client");
    utils()->SetGlobalCallback_SteamNetConnectionStatusChanged(for_interface);
    sockets()->RunCallbacks();
    say("captured", "%s", first_call().c_str());
    calls.clear();
    sockets()->CloseConnection(client, 0, nullptr, false);
    utils()->SetGlobalCallback_SteamNetConnectionStatusChanged(nullptr);
    sockets()->RunCallbacks();
    say("captured.before_removal", "%s", first_call().c_str());
    calls.clear();
    const HSteamNetConnection unheard = connect(ip_address("127.0.0.1", free_port()));
    sockets()->RunCallbacks();
    say("removed.calls", "%zu", calls.size());
    utils()->SetGlobalCallback_SteamNetConnectionStatusChanged(for_all);
    sockets()->RunCallbacks();
    say("set_late.calls", "%zu", calls.size());
    sockets()->CloseConnection(unheard, 0, nullptr, false);
    sockets()->RunCallbacks();
    say("set_late.close", "%zu", calls.size());
}

// The user data in a queued change is that of its time.
void user_data() {
    forget();
    SteamNetworkingConfigValue_t option;
    option.SetInt64(k_ESteamNetworkingConfig_ConnectionUserData, 4242);
    const HSteamNetConnection client = connect(ip_address("127.0.0.1", free_port()), {option});
    name(client, "client");
    say("user.get", "%lld", static_cast<long long>(sockets()->GetConnectionUserData(client)));
    sockets()->SetConnectionUserData(client, 77);
    sockets()->RunCallbacks();
    say_changes("user.queued", client);
    sockets()->CloseConnection(client, 0, nullptr, false);
    sockets()->RunCallbacks();
    say_changes("user.later", client);
}

}  // namespace

int main() {
    Library library;
    utils()->SetGlobalCallback_SteamNetConnectionStatusChanged(for_all);
    scopes();
    only_from_run_callbacks();
    order_of_both_ends();
    captured_when_queued();
    user_data();
    return 0;
}
