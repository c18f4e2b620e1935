// Custom signaling: who releases the application's objects and how often, what is refused, and
// garbage in place of a signal.
#include <atomic>

#include <steam/steamnetworkingsockets_flat.h>

#include "connections.h"

using namespace abi;

namespace {

// A signaling object that counts its uses.
class Signaling final : public ISteamNetworkingConnectionSignaling {
public:
    bool SendSignal(HSteamNetConnection, const SteamNetConnectionInfo_t &, const void *,
                    int) override {
        ++signals;
        return answer;
    }
    void Release() override { ++releases; }

    std::atomic<int> signals{0};
    std::atomic<int> releases{0};
    bool answer = true;
};

// A context that counts its uses and accepts nothing.
class Context final : public ISteamNetworkingSignalingRecvContext {
public:
    ISteamNetworkingConnectionSignaling *
    OnConnectRequest(HSteamNetConnection, const SteamNetworkingIdentity &, int) override {
        ++requests;
        return nullptr;
    }
    void SendRejectionSignal(const SteamNetworkingIdentity &, const void *, int) override {
        ++rejections;
    }

    int requests = 0;
    int rejections = 0;
};

SteamNetworkingIdentity peer() {
    SteamNetworkingIdentity identity;
    identity.Clear();
    identity.SetGenericString("peer");
    return identity;
}

HSteamNetConnection connect_with(Signaling &signaling, const SteamNetworkingIdentity *identity,
                                 int port, const Options &options = {}) {
    return sockets()->ConnectP2PCustomSignaling(&signaling, identity, port,
                                                static_cast<int>(options.size()), options.data());
}

void say_released_once(const std::string &key, const Signaling &signaling) {
    wait_for("a release", [&] { return signaling.releases > 0; });
    idle(20);
    say(key + ".releases", "%d", signaling.releases.load());
}

// Calls that fail release what they were given all the same.
void refused() {
    const SteamNetworkingIdentity identity = peer();
    {
        Signaling signaling;
        const Options unknown = {int_option(static_cast<ESteamNetworkingConfigValue>(100), 1)};
        say("refused.option", "%u", connect_with(signaling, &identity, 0, unknown));
        say_released_once("refused.option", signaling);
    }
    {
        Signaling signaling;
        const Options symmetric = {int_option(k_ESteamNetworkingConfig_SymmetricConnect, 1)};
        say("refused.symmetric", "%u", connect_with(signaling, nullptr, 0, symmetric));
        say_released_once("refused.symmetric", signaling);
    }
    {
        Signaling signaling;
        const Options no_route = {int_option(k_ESteamNetworkingConfig_P2P_Transport_ICE_Enable, 0)};
        say("refused.no_route", "%u", connect_with(signaling, &identity, 0, no_route));
        say_released_once("refused.no_route", signaling);
    }
    say("refused.null", "%u",
        sockets()->ConnectP2PCustomSignaling(nullptr, &identity, 0, 0, nullptr));
    say_changes("refused.changes");
}

// A connection that is begun sends a signal, and releases its object after it was closed.
void begun() {
    const SteamNetworkingIdentity identity = peer();
    Signaling signaling;
    const HSteamNetConnection connection = connect_with(signaling, &identity, 7);
    name(connection, "client");
    say("begun.connect", "%d", connection != k_HSteamNetConnection_Invalid);
    if (connection != k_HSteamNetConnection_Invalid) {
        wait_for("a signal", [&] { return signaling.signals > 0; });
    }
    say("begun.signalled", "%d", signaling.signals > 0);
    say("begun.state", "%s", state_name(state_of(connection)));
    say("begun.close", "%d", sockets()->CloseConnection(connection, 1001, "over", false));
    say_released_once("begun", signaling);
    say_changes("begun.changes");
}

// A signal that cannot be sent ends the connection.
void failing_channel() {
    const SteamNetworkingIdentity identity = peer();
    Signaling signaling;
    signaling.answer = false;
    const HSteamNetConnection connection = connect_with(signaling, &identity, 7);
    name(connection, "client");
    say("failing.connect", "%d", connection != k_HSteamNetConnection_Invalid);
    if (connection != k_HSteamNetConnection_Invalid) {
        wait_for_change(connection, k_ESteamNetworkingConnectionState_ProblemDetectedLocally);
    }
    sockets()->CloseConnection(connection, 0, nullptr, false);
    say_released_once("failing", signaling);
    say_changes("failing.changes");
}

void garbage() {
    const struct {
        const char *name;
        std::string bytes;
    } rows[] = {
        {"empty", ""},
        {"one", std::string("\x00", 1)},
        {"noise", "\xff\xff\xff\xff\xff\xff"},
        {"text", "this is not a signal"},
        {"cut", std::string("\x1d\x01\x00", 3)},
        {"large", std::string(100000, '\x7e')},
    };
    for (const auto &row : rows) {
        Context context;
        const int size = static_cast<int>(row.bytes.size());
        say(std::string("garbage.") + row.name, "%d",
            sockets()->ReceivedP2PCustomSignal(row.bytes.data(), size, &context));
        say(std::string("garbage.") + row.name + ".context", "%d %d", context.requests,
            context.rejections);
    }
}

int flat_releases = 0;

bool flat_send(void *, HSteamNetConnection, const SteamNetConnectionInfo_t &, const void *, int) {
    return true;
}
void flat_release(void *context) {
    flat_releases += *static_cast<int *>(context);
}
ISteamNetworkingConnectionSignaling *flat_request(void *, HSteamNetConnection,
                                                  const SteamNetworkingIdentity &, int) {
    return nullptr;
}

// The same from plain functions.
void flat() {
    int weight = 100;
    const Options unknown = {int_option(static_cast<ESteamNetworkingConfigValue>(100), 1)};
    ISteamNetworkingConnectionSignaling *signaling =
        SteamAPI_ISteamNetworkingSockets_CreateCustomSignaling(&weight, flat_send, flat_release);
    say("flat.created", "%d", signaling != nullptr);
    say("flat.refused", "%u",
        sockets()->ConnectP2PCustomSignaling(signaling, nullptr, 0, 1, unknown.data()));
    wait_for("a release", [] { return flat_releases > 0; });
    idle(20);
    say("flat.releases", "%d", flat_releases);
    signaling = SteamAPI_ISteamNetworkingSockets_CreateCustomSignaling(nullptr, flat_send, nullptr);
    signaling->Release();
    say("flat.without_release", "done");
    say("flat.garbage", "%d",
        SteamAPI_ISteamNetworkingSockets_ReceivedP2PCustomSignal2(sockets(), "garbage", 7, nullptr,
                                                                  flat_request, nullptr));
}

// The default service does not exist in an open build.
void default_signaling() {
    const SteamNetworkingIdentity identity = peer();
    say("default.connect", "%u", sockets()->ConnectP2P(identity, 0, 0, nullptr));
    SteamNetworkingIdentity invalid;
    invalid.Clear();
    say("default.connect_invalid", "%u", sockets()->ConnectP2P(invalid, 0, 0, nullptr));
    say("default.listen_negative", "%u", sockets()->CreateListenSocketP2P(-1, 0, nullptr));
    say("default.listen_too_large", "%u", sockets()->CreateListenSocketP2P(0x10000, 0, nullptr));
}

void virtual_port() {
    const HSteamListenSocket listening = sockets()->CreateListenSocketP2P(5, 0, nullptr);
    say("listen.p2p", "%d", listening != k_HSteamListenSocket_Invalid);
    SteamNetworkingIPAddr address;
    say("listen.address", "%d", sockets()->GetListenSocketAddress(listening, &address));
    say("listen.same_port", "%u", sockets()->CreateListenSocketP2P(5, 0, nullptr));
    say("listen.close", "%d", sockets()->CloseListenSocket(listening));
}

}  // namespace

int main() {
    Library library("str:self");
    install_recorder();
    refused();
    garbage();
    flat();
    default_signaling();
    virtual_port();
    begun();
    failing_channel();
    return 0;
}
