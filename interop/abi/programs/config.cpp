// Configuration values: which there are, what they are by default, how they are set and read with
// every type, their limits, and buffers that are too small.
#include <cmath>

#include "connections.h"

using namespace abi;

namespace {

const char *type_name(int type) {
    switch (type) {
    case k_ESteamNetworkingConfig_Int32: return "int32";
    case k_ESteamNetworkingConfig_Int64: return "int64";
    case k_ESteamNetworkingConfig_Float: return "float";
    case k_ESteamNetworkingConfig_String: return "string";
    case k_ESteamNetworkingConfig_Ptr: return "pointer";
    default: return "unknown";
    }
}

// A value as text, whatever its type.
std::string value_text(int type, const char *buffer, size_t size) {
    int32 small = 0;
    int64 large = 0;
    float real = 0;
    void *pointer = nullptr;
    char text[64];
    switch (type) {
    case k_ESteamNetworkingConfig_Int32:
        std::memcpy(&small, buffer, sizeof small);
        return std::to_string(small);
    case k_ESteamNetworkingConfig_Int64:
        std::memcpy(&large, buffer, sizeof large);
        return std::to_string(large);
    case k_ESteamNetworkingConfig_Float:
        std::memcpy(&real, buffer, sizeof real);
        std::snprintf(text, sizeof text, "%g", static_cast<double>(real));
        return text;
    case k_ESteamNetworkingConfig_String: return "'" + std::string(buffer) + "'";
    case k_ESteamNetworkingConfig_Ptr:
        std::memcpy(&pointer, buffer, sizeof pointer);
        return pointer != nullptr ? "set" : "null";
    default: return "size " + std::to_string(size);
    }
}

void say_value(const std::string &key, int id,
               ESteamNetworkingConfigScope scope = k_ESteamNetworkingConfig_Global,
               intptr_t object = 0) {
    char buffer[256] = {};
    size_t size = sizeof buffer;
    auto type = static_cast<ESteamNetworkingConfigDataType>(0);
    const int result = utils()->GetConfigValue(static_cast<ESteamNetworkingConfigValue>(id), scope,
                                               object, &type, buffer, &size);
    if (result > 0) {
        say(key, "%d %s size=%zu %s", result, type_name(type), size,
            value_text(type, buffer, size).c_str());
    } else {
        say(key, "%d size=%zu", result, size);
    }
}

// Every id that could be one: name, type, scope and default.
void catalogue() {
    for (int id = -1; id <= 1100; ++id) {
        auto type = static_cast<ESteamNetworkingConfigDataType>(0);
        auto scope = static_cast<ESteamNetworkingConfigScope>(0);
        const char *title = utils()->GetConfigValueInfo(
            static_cast<ESteamNetworkingConfigValue>(id), &type, &scope);
        if (title != nullptr) {
            const std::string key = "value." + std::to_string(id);
            say(key, "%s %s scope=%d", title, type_name(type), scope);
            say_value(key + ".default", id);
        }
    }
    say("info.null", "%d",
        utils()->GetConfigValueInfo(k_ESteamNetworkingConfig_NagleTime, nullptr, nullptr) !=
            nullptr);
    say("info.unknown", "%d",
        utils()->GetConfigValueInfo(static_cast<ESteamNetworkingConfigValue>(0x7fffffff), nullptr,
                                    nullptr) != nullptr);
}

void iteration(const char *key, bool dev) {
    std::vector<int> ids;
    auto current = k_ESteamNetworkingConfig_Invalid;
    do {
        current = utils()->IterateGenericEditableConfigValues(current, dev);
        ids.push_back(current);
    } while (current != k_ESteamNetworkingConfig_Invalid && ids.size() < 500);
    say(std::string(key) + ".ends", "%d", ids.back() == 0);
    std::sort(ids.begin(), ids.end());
    for (const int id : ids) {
        say(std::string(key) + "." + std::to_string(id), "listed");
    }
}

// From a value that is not in the list, or is no value.
void iteration_from(int id) {
    const int next = utils()->IterateGenericEditableConfigValues(
        static_cast<ESteamNetworkingConfigValue>(id), true);
    say("iterate_from." + std::to_string(id), "%s", next == 0 ? "the end" : "goes on");
}

bool set(int id, ESteamNetworkingConfigDataType type, const void *value) {
    return utils()->SetConfigValue(static_cast<ESteamNetworkingConfigValue>(id),
                                   k_ESteamNetworkingConfig_Global, 0, type, value);
}

// Sets a value as each type, reads it back, and resets it.
void conversions(const std::string &key, int id) {
    const int32 small = 3000;
    const int64 large = 2500;
    const int64 too_large = 0x500000000LL;
    const float real = 12.6F;
    const float negative = -3.5F;
    void *pointer = nullptr;
    const struct {
        const char *name;
        ESteamNetworkingConfigDataType type;
        const void *value;
    } rows[] = {
        {"int32", k_ESteamNetworkingConfig_Int32, &small},
        {"int64", k_ESteamNetworkingConfig_Int64, &large},
        {"int64_large", k_ESteamNetworkingConfig_Int64, &too_large},
        {"float", k_ESteamNetworkingConfig_Float, &real},
        {"float_negative", k_ESteamNetworkingConfig_Float, &negative},
        {"string", k_ESteamNetworkingConfig_String, "2000"},
        {"string_leading_blank", k_ESteamNetworkingConfig_String, " 2100"},
        {"string_trailing", k_ESteamNetworkingConfig_String, "2200 rest"},
        {"string_fraction", k_ESteamNetworkingConfig_String, "7.25"},
        {"string_word", k_ESteamNetworkingConfig_String, "word"},
        {"string_empty", k_ESteamNetworkingConfig_String, ""},
        {"pointer", k_ESteamNetworkingConfig_Ptr, &pointer},
        {"no_type", static_cast<ESteamNetworkingConfigDataType>(0), &small},
        {"unknown_type", static_cast<ESteamNetworkingConfigDataType>(9), &small},
    };
    for (const auto &row : rows) {
        const std::string line = key + "." + row.name;
        say(line, "%d", set(id, row.type, row.value));
        say_value(line + ".value", id);
    }
    say(key + ".reset", "%d", set(id, k_ESteamNetworkingConfig_Int32, nullptr));
    say_value(key + ".reset.value", id);
    say(key + ".reset_other_type", "%d", set(id, k_ESteamNetworkingConfig_String, nullptr));
    say(key + ".reset_unknown_type", "%d",
        set(id, static_cast<ESteamNetworkingConfigDataType>(77), nullptr));
}

void limits(int id, int lowest, int highest) {
    const std::string key = "limit." + std::to_string(id);
    for (const int value : {INT32_MIN, -1, 0, 1, lowest, highest, INT32_MAX}) {
        const std::string line = key + "." + std::to_string(value);
        say(line, "%d", set(id, k_ESteamNetworkingConfig_Int32, &value));
        say_value(line + ".value", id);
    }
    set(id, k_ESteamNetworkingConfig_Int32, nullptr);
    say_value(key + ".reset", id);
}

void all_limits() {
    limits(k_ESteamNetworkingConfig_TimeoutInitial, 0, 20000);
    limits(k_ESteamNetworkingConfig_SendBufferSize, 4096, 268435456);
    limits(k_ESteamNetworkingConfig_RecvBufferMessages, 2, 5000);
    limits(k_ESteamNetworkingConfig_RecvMaxMessageSize, 64, 268435456);
    limits(k_ESteamNetworkingConfig_RecvMaxSegmentsPerPacket, 1, 1300);
    limits(k_ESteamNetworkingConfig_SendRateMin, 1024, 268435456);
    limits(k_ESteamNetworkingConfig_NagleTime, 0, 20000);
    limits(k_ESteamNetworkingConfig_MTU_PacketSize, 200, 1300);
    limits(k_ESteamNetworkingConfig_IP_AllowWithoutAuth, 0, 2);
    limits(k_ESteamNetworkingConfig_Unencrypted, 0, 3);
    limits(k_ESteamNetworkingConfig_FakePacketLag_Send, 0, 5000);
    limits(k_ESteamNetworkingConfig_OutOfOrderCorrectionWindowMicroseconds, 0, 50000);
    limits(k_ESteamNetworkingConfig_LogLevel_Message, 0, 8);
}

void say_buffer(const std::string &key, int id, void *buffer, size_t size) {
    size_t filled = size;
    const int result =
        utils()->GetConfigValue(static_cast<ESteamNetworkingConfigValue>(id),
                                k_ESteamNetworkingConfig_Global, 0, nullptr, buffer, &filled);
    say(key, "%d size=%zu", result, filled);
}

void buffers() {
    char buffer[64] = {};
    say_buffer("buffer.int.null", k_ESteamNetworkingConfig_NagleTime, nullptr, 0);
    say_buffer("buffer.int.null_with_size", k_ESteamNetworkingConfig_NagleTime, nullptr, 64);
    say_buffer("buffer.int.three", k_ESteamNetworkingConfig_NagleTime, buffer, 3);
    say_buffer("buffer.int.exact", k_ESteamNetworkingConfig_NagleTime, buffer, 4);
    say_buffer("buffer.pointer.four", k_ESteamNetworkingConfig_Callback_AuthStatusChanged, buffer,
               4);
    set(k_ESteamNetworkingConfig_P2P_STUN_ServerList, k_ESteamNetworkingConfig_String,
        "stun.example:3478");
    say_buffer("buffer.string.null", k_ESteamNetworkingConfig_P2P_STUN_ServerList, nullptr, 0);
    say_buffer("buffer.string.short", k_ESteamNetworkingConfig_P2P_STUN_ServerList, buffer, 17);
    say_buffer("buffer.string.exact", k_ESteamNetworkingConfig_P2P_STUN_ServerList, buffer, 18);
    say("buffer.string.text", "%s", buffer);
    const int number = 17;
    say("string.from_int", "%d",
        set(k_ESteamNetworkingConfig_P2P_STUN_ServerList, k_ESteamNetworkingConfig_Int32, &number));
    say_value("string.from_int.value", k_ESteamNetworkingConfig_P2P_STUN_ServerList);
    const float real = 2.5F;
    say("string.from_float", "%d",
        set(k_ESteamNetworkingConfig_P2P_STUN_ServerList, k_ESteamNetworkingConfig_Float, &real));
    say_value("string.from_float.value", k_ESteamNetworkingConfig_P2P_STUN_ServerList);
    set(k_ESteamNetworkingConfig_P2P_STUN_ServerList, k_ESteamNetworkingConfig_String, nullptr);
    say_value("string.reset", k_ESteamNetworkingConfig_P2P_STUN_ServerList);
    say_buffer("buffer.unknown", 100, buffer, 64);
    say_buffer("buffer.invalid", 0, buffer, 64);
}

void pointers() {
    const int id = k_ESteamNetworkingConfig_Callback_MessagesSessionRequest;
    int marker = 0;
    void *value = &marker;
    say("pointer.set", "%d", set(id, k_ESteamNetworkingConfig_Ptr, &value));
    void *read = nullptr;
    size_t size = sizeof read;
    utils()->GetConfigValue(static_cast<ESteamNetworkingConfigValue>(id),
                            k_ESteamNetworkingConfig_Global, 0, nullptr, &read, &size);
    say("pointer.same", "%d", read == value);
    const int number = 5;
    say("pointer.from_int", "%d", set(id, k_ESteamNetworkingConfig_Int32, &number));
    say("pointer.from_string", "%d", set(id, k_ESteamNetworkingConfig_String, "x"));
    say("pointer.global", "%d",
        utils()->SetGlobalConfigValuePtr(static_cast<ESteamNetworkingConfigValue>(id), nullptr));
    say_value("pointer.cleared", id);
    set(id, k_ESteamNetworkingConfig_Ptr, &value);
    say("pointer.reset", "%d", set(id, k_ESteamNetworkingConfig_Ptr, nullptr));
    say_value("pointer.reset.value", id);
}

void read_only_and_unknown() {
    const int number = 5;
    say("read_only.set", "%d",
        set(k_ESteamNetworkingConfig_MTU_DataSize, k_ESteamNetworkingConfig_Int32, &number));
    say("unknown.set", "%d", set(100, k_ESteamNetworkingConfig_Int32, &number));
    say("unknown.reset", "%d", set(100, k_ESteamNetworkingConfig_Int32, nullptr));
    say("invalid.set", "%d", set(0, k_ESteamNetworkingConfig_Int32, &number));
    SteamNetworkingConfigValue_t option;
    option.SetString(k_ESteamNetworkingConfig_P2P_TURN_UserList, "user");
    say("struct.string", "%d",
        utils()->SetConfigValueStruct(option, k_ESteamNetworkingConfig_Global, 0));
    say_value("struct.string.value", k_ESteamNetworkingConfig_P2P_TURN_UserList);
    option.SetFloat(k_ESteamNetworkingConfig_FakePacketLoss_Recv, 0.25F);
    say("struct.float", "%d",
        utils()->SetConfigValueStruct(option, k_ESteamNetworkingConfig_Global, 0));
    say_value("struct.float.value", k_ESteamNetworkingConfig_FakePacketLoss_Recv);
    set(k_ESteamNetworkingConfig_FakePacketLoss_Recv, k_ESteamNetworkingConfig_Float, nullptr);
}

}  // namespace

int main() {
    Library library;
    catalogue();
    iteration("iterate", false);
    iteration("iterate_dev", true);
    iteration_from(k_ESteamNetworkingConfig_LocalVirtualPort);
    iteration_from(100);
    iteration_from(-1);
    iteration_from(100000);
    conversions("int", k_ESteamNetworkingConfig_TimeoutConnected);
    conversions("float", k_ESteamNetworkingConfig_FakePacketLoss_Send);
    conversions("int64", k_ESteamNetworkingConfig_ConnectionUserData);
    all_limits();
    buffers();
    pointers();
    read_only_and_unknown();
    return 0;
}
