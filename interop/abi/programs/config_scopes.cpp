// The four scopes of a configuration value: setting, inheriting, clearing, and objects that do not
// exist or cannot hold it.
#include "connections.h"

using namespace abi;

namespace {

using Scope = ESteamNetworkingConfigScope;
constexpr Scope GLOBAL = k_ESteamNetworkingConfig_Global;
constexpr Scope INTERFACE = k_ESteamNetworkingConfig_SocketsInterface;
constexpr Scope LISTEN = k_ESteamNetworkingConfig_ListenSocket;
constexpr Scope CONNECTION = k_ESteamNetworkingConfig_Connection;

void say_int(const std::string &key, ESteamNetworkingConfigValue id, Scope scope, intptr_t object) {
    int value = -77;
    size_t size = sizeof value;
    const int result = utils()->GetConfigValue(id, scope, object, nullptr, &value, &size);
    say(key, "%d %d size=%zu", result, value, size);
}

bool set_int(ESteamNetworkingConfigValue id, Scope scope, intptr_t object, int value) {
    return utils()->SetConfigValue(id, scope, object, k_ESteamNetworkingConfig_Int32, &value);
}

bool clear(ESteamNetworkingConfigValue id, Scope scope, intptr_t object) {
    return utils()->SetConfigValue(id, scope, object, k_ESteamNetworkingConfig_Int32, nullptr);
}

struct Objects {
    intptr_t interface;
    Pair pair;
};

// The value as every scope sees it.
void say_everywhere(const std::string &key, const Objects &objects) {
    const auto id = k_ESteamNetworkingConfig_NagleTime;
    say_int(key + ".global", id, GLOBAL, 0);
    say_int(key + ".interface", id, INTERFACE, objects.interface);
    say_int(key + ".listen", id, LISTEN, objects.pair.listen);
    say_int(key + ".client", id, CONNECTION, objects.pair.client);
    say_int(key + ".server", id, CONNECTION, objects.pair.server);
}

// Sets the value from the outside to the inside, and clears it the same way.
void inheritance(const Objects &objects) {
    const auto id = k_ESteamNetworkingConfig_NagleTime;
    const struct {
        const char *name;
        Scope scope;
        intptr_t object;
        int value;
    } steps[] = {
        {"global", GLOBAL, 0, 1000},
        {"interface", INTERFACE, objects.interface, 2000},
        {"listen", LISTEN, objects.pair.listen, 3000},
        {"server", CONNECTION, objects.pair.server, 4000},
        {"client", CONNECTION, objects.pair.client, 4500},
    };
    say_everywhere("fresh", objects);
    for (const auto &step : steps) {
        const std::string key = std::string("set.") + step.name;
        say(key, "%d", set_int(id, step.scope, step.object, step.value));
        say_everywhere(key, objects);
    }
    for (const auto &step : steps) {
        const std::string key = std::string("clear.") + step.name;
        say(key, "%d", clear(id, step.scope, step.object));
        say(key + ".again", "%d", clear(id, step.scope, step.object));
        say_everywhere(key, objects);
    }
}

void bad_objects(const Objects &objects) {
    const auto id = k_ESteamNetworkingConfig_NagleTime;
    const struct {
        const char *name;
        Scope scope;
        intptr_t object;
    } rows[] = {
        {"connection_zero", CONNECTION, 0},
        {"connection_unknown", CONNECTION, 12345},
        {"connection_is_listen", CONNECTION, static_cast<intptr_t>(objects.pair.listen)},
        {"listen_zero", LISTEN, 0},
        {"listen_is_connection", LISTEN, static_cast<intptr_t>(objects.pair.client)},
        {"scope_zero", static_cast<Scope>(0), 0},
        {"scope_unknown", static_cast<Scope>(9), 0},
        {"global_with_object", GLOBAL, 12345},
    };
    for (const auto &row : rows) {
        const std::string key = std::string("bad.") + row.name;
        say(key + ".set", "%d", set_int(id, row.scope, row.object, 5000));
        say_int(key + ".get", id, row.scope, row.object);
        say(key + ".clear", "%d", clear(id, row.scope, row.object));
    }
}

// A value that exists once cannot be held by an object.
void global_only(const Objects &objects) {
    const auto id = k_ESteamNetworkingConfig_FakePacketLag_Send;
    say("global_only.interface", "%d", set_int(id, INTERFACE, objects.interface, 5));
    say("global_only.listen", "%d", set_int(id, LISTEN, objects.pair.listen, 5));
    say("global_only.connection", "%d", set_int(id, CONNECTION, objects.pair.client, 5));
    say_int("global_only.get_interface", id, INTERFACE, objects.interface);
    say_int("global_only.get_connection", id, CONNECTION, objects.pair.client);
    say_int("global_only.get_global", id, GLOBAL, 0);
}

// Values that follow from others, or that a connection fixes when it is made.
void special(const Objects &objects) {
    say_int("mtu.data.global", k_ESteamNetworkingConfig_MTU_DataSize, GLOBAL, 0);
    say_int("mtu.data.connection", k_ESteamNetworkingConfig_MTU_DataSize, CONNECTION,
            objects.pair.client);
    say("mtu.set", "%d",
        set_int(k_ESteamNetworkingConfig_MTU_PacketSize, CONNECTION, objects.pair.client, 900));
    say_int("mtu.data.smaller", k_ESteamNetworkingConfig_MTU_DataSize, CONNECTION,
            objects.pair.client);
    say("user.set", "%d",
        set_int(k_ESteamNetworkingConfig_ConnectionUserData, CONNECTION, objects.pair.client, 31));
    say("user.get", "%lld",
        static_cast<long long>(sockets()->GetConnectionUserData(objects.pair.client)));
    say("user.set_interface", "%d",
        set_int(k_ESteamNetworkingConfig_ConnectionUserData, INTERFACE, objects.interface, 32));
    say("user.unmoved", "%lld",
        static_cast<long long>(sockets()->GetConnectionUserData(objects.pair.server)));
    say("user.clear_interface", "%d",
        clear(k_ESteamNetworkingConfig_ConnectionUserData, INTERFACE, objects.interface));
    for (const auto id :
         {k_ESteamNetworkingConfig_Unencrypted, k_ESteamNetworkingConfig_SymmetricConnect,
          k_ESteamNetworkingConfig_LocalVirtualPort,
          k_ESteamNetworkingConfig_IP_AllowWithoutAuth}) {
        const std::string key = "locked." + std::to_string(id);
        say(key + ".set", "%d", set_int(id, CONNECTION, objects.pair.client, 1));
        say_int(key + ".get", id, CONNECTION, objects.pair.client);
        say(key + ".clear", "%d", clear(id, CONNECTION, objects.pair.client));
    }
}

// Options of the call that makes an object belong to that object.
void creation_options() {
    const Pair pair = quiet_pair({int_option(k_ESteamNetworkingConfig_NagleTime, 1234),
                                  int_option(k_ESteamNetworkingConfig_SendBufferSize, 99999)});
    const auto nagle = k_ESteamNetworkingConfig_NagleTime;
    say_int("options.listen", nagle, LISTEN, pair.listen);
    say_int("options.client", nagle, CONNECTION, pair.client);
    say_int("options.server", nagle, CONNECTION, pair.server);
    say_int("options.global", nagle, GLOBAL, 0);
    say_int("options.buffer", k_ESteamNetworkingConfig_SendBufferSize, CONNECTION, pair.client);
    close_pair(pair);
}

void bad_options() {
    const SteamNetworkingIPAddr address = ip_address("127.0.0.1", free_port());
    const struct {
        const char *name;
        SteamNetworkingConfigValue_t option;
    } rows[] = {
        {"unknown", int_option(static_cast<ESteamNetworkingConfigValue>(100), 1)},
        {"read_only", int_option(k_ESteamNetworkingConfig_MTU_DataSize, 1)},
        {"global_only", int_option(k_ESteamNetworkingConfig_FakePacketLag_Send, 1)},
        {"clamped", int_option(k_ESteamNetworkingConfig_NagleTime, 999999)},
    };
    for (const auto &row : rows) {
        const std::string key = std::string("option.") + row.name;
        const HSteamNetConnection connection = connect(address, {row.option});
        say(key + ".connect", "%d", connection != k_HSteamNetConnection_Invalid);
        sockets()->CloseConnection(connection, 0, nullptr, false);
        const Listener listener = listen({row.option});
        say(key + ".listen", "%d", listener.handle != k_HSteamListenSocket_Invalid);
        sockets()->CloseListenSocket(listener.handle);
    }
    idle(5);
    changes.clear();
}

void after_closing(const Objects &objects) {
    const auto id = k_ESteamNetworkingConfig_NagleTime;
    close_pair(objects.pair);
    say("closed.listen.set", "%d", set_int(id, LISTEN, objects.pair.listen, 1));
    say_int("closed.listen.get", id, LISTEN, objects.pair.listen);
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    const Objects objects = {reinterpret_cast<intptr_t>(sockets()), quiet_pair()};
    inheritance(objects);
    bad_objects(objects);
    global_only(objects);
    special(objects);
    creation_options();
    bad_options();
    after_closing(objects);
    return 0;
}
