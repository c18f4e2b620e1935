// What no sane program does: null pointers, sizes that cannot be, handles and pointers that are
// dead, bytes that are no text. Valve's library ends the program on much of this; ours answers.
#include <climits>

#include <steam/steamnetworkingsockets_flat.h>

#include "connections.h"

using namespace abi;

namespace {

// A null pointer where the interface wants a reference: what a C program can pass.
template <typename Type> const Type &nowhere() {
    Type *volatile pointer = nullptr;
    return *pointer;
}

void connecting() {
    const auto &no_address = nowhere<SteamNetworkingIPAddr>();
    say("null.listen", "%u",
        SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(sockets(), no_address, 0, nullptr));
    say("null.connect", "%u",
        SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress(sockets(), no_address, 0, nullptr));
    const SteamNetworkingIPAddr address = ip_address("127.0.0.1", free_port());
    say("null.options", "%u", sockets()->ConnectByIPAddress(address, 3, nullptr));
    say("null.options.listen", "%u", sockets()->CreateListenSocketIP(address, 3, nullptr));
    say("negative.options", "%u", sockets()->ConnectByIPAddress(address, -1, nullptr));
    SteamNetworkingConfigValue_t option;
    option.SetString(k_ESteamNetworkingConfig_P2P_STUN_ServerList, nullptr);
    say("null.option_string", "%u", sockets()->CreateListenSocketIP(address, 1, &option));
    option = int_option(k_ESteamNetworkingConfig_NagleTime, 1);
    option.m_eDataType = static_cast<ESteamNetworkingConfigDataType>(99);
    say("unknown.option_type", "%u", sockets()->ConnectByIPAddress(address, 1, &option));
    HSteamNetConnection one = 77;
    say("null.pair.first", "%d",
        sockets()->CreateSocketPair(nullptr, &one, false, nullptr, nullptr));
    say("null.pair.second", "%d",
        sockets()->CreateSocketPair(&one, nullptr, false, nullptr, nullptr));
    say("null.listen_address", "%d", sockets()->GetListenSocketAddress(0, nullptr));
}

SteamNetworkingMessage_t *odd_message(HSteamNetConnection connection, void *data, int size) {
    SteamNetworkingMessage_t *message = utils()->AllocateMessage(0);
    message->m_pData = data;
    message->m_cbSize = size;
    message->m_conn = connection;
    message->m_nFlags = k_nSteamNetworkingSend_Reliable;
    return message;
}

int64 send_odd(HSteamNetConnection connection, void *data, int size) {
    SteamNetworkingMessage_t *message = odd_message(connection, data, size);
    int64 result = 99;
    sockets()->SendMessages(1, &message, &result, true);
    return result;
}

void messages(const Pair &pair) {
    int64 number = 77;
    say("null.data", "%d", sockets()->SendMessageToConnection(pair.client, nullptr, 5, 8, &number));
    say_number("null.data.number", number);
    say("huge.data", "%d",
        sockets()->SendMessageToConnection(pair.client, "x", 0xffffffffU, 8, nullptr));
    say("unknown.flags", "%d",
        sockets()->SendMessageToConnection(pair.client, "x", 1, INT_MIN | 8, nullptr));
    receive(pair.server)->Release();
    char byte = 'b';
    say_number("null.message_data", send_odd(pair.client, nullptr, 5));
    say_number("negative.message_size", send_odd(pair.client, &byte, -1));
    say_number("lowest.message_size", send_odd(pair.client, &byte, INT_MIN));
    say_number("huge.message_size", send_odd(pair.client, &byte, INT_MAX));
    sockets()->SendMessages(-5, nullptr, &number, true);
    sockets()->SendMessages(3, nullptr, nullptr, true);
    say("null.messages", "ignored");
    SteamNetworkingMessage_t *message = nullptr;
    say("null.receive", "%d", sockets()->ReceiveMessagesOnConnection(pair.server, nullptr, 5));
    say("negative.receive", "%d",
        sockets()->ReceiveMessagesOnConnection(pair.server, &message, -1));
    const HSteamNetPollGroup group = sockets()->CreatePollGroup();
    say("null.receive_group", "%d", sockets()->ReceiveMessagesOnPollGroup(group, nullptr, 5));
    say("negative.receive_group", "%d",
        sockets()->ReceiveMessagesOnPollGroup(group, &message, INT_MIN));
    sockets()->DestroyPollGroup(group);
    say("negative.allocate", "%d", utils()->AllocateMessage(-1) == nullptr);
    say("lowest.allocate", "%d", utils()->AllocateMessage(INT_MIN) == nullptr);
    SteamAPI_SteamNetworkingMessage_t_Release(nullptr);
    say("null.release", "ignored");
    message = utils()->AllocateMessage(100);
    say_number("allocated.user", message->m_nUserData);
    message->Release();
}

void questions(const Pair &pair) {
    char text[16] = "unchanged";
    sockets()->SetConnectionName(pair.client, nullptr);
    say("null.name", "%d", sockets()->GetConnectionName(pair.client, nullptr, 10));
    say("zero.name", "%d", sockets()->GetConnectionName(pair.client, text, 0));
    say("negative.name", "%d", sockets()->GetConnectionName(pair.client, text, -1));
    say("name.text", "%s", text);
    sockets()->SetConnectionName(pair.client, "\xff\xfe no text");
    say("bytes.name", "%d", sockets()->GetConnectionName(pair.client, text, sizeof text));
    say("negative.detailed", "%d",
        sockets()->GetDetailedConnectionStatus(pair.client, text, -1) > 0);
    say("null.detailed", "%d",
        sockets()->GetDetailedConnectionStatus(pair.client, nullptr, 100) > 0);
    SteamNetConnectionRealTimeLaneStatus_t lane;
    say("huge.lanes", "%d",
        sockets()->GetConnectionRealTimeStatus(pair.client, nullptr, INT_MAX, &lane));
    say("lowest.lanes", "%d",
        sockets()->GetConnectionRealTimeStatus(pair.client, nullptr, INT_MIN, &lane));
    say("huge.configure", "%d",
        sockets()->ConfigureConnectionLanes(pair.client, INT_MAX, nullptr, nullptr));
    say("lowest.configure", "%d",
        sockets()->ConfigureConnectionLanes(pair.client, INT_MIN, nullptr, nullptr));
    SteamNetworkingErrMsg error = "";
    say("null.request", "%d", sockets()->GetCertificateRequest(nullptr, nullptr, error));
    say("null.certificate", "%d", sockets()->SetCertificate(nullptr, 10, error));
    say("negative.certificate", "%d", sockets()->SetCertificate("x", -1, error));
    say("null.signal", "%d", sockets()->ReceivedP2PCustomSignal(nullptr, 10, nullptr));
    say("negative.signal", "%d", sockets()->ReceivedP2PCustomSignal("x", -1, nullptr));
    say("null.ticket", "%d", sockets()->ReceivedRelayAuthTicket(nullptr, 10, nullptr));
    say("negative.ticket", "%d", sockets()->ReceivedRelayAuthTicket("x", INT_MIN, nullptr));
    sockets()->GetFakeIP(-1, nullptr);
    say("null.fake", "ignored");
    say("null.pops", "%d", utils()->GetPOPList(nullptr, 10));
    say("negative.pops", "%d", utils()->GetPOPList(nullptr, -1));
    SteamNetworkPingLocation_t location = {};
    utils()->ConvertPingLocationToString(location, nullptr, 10);
    say("null.ping_location", "%d", utils()->ParsePingLocationString(nullptr, location));
}

void configuration(const Pair &pair) {
    const auto nagle = k_ESteamNetworkingConfig_NagleTime;
    const auto global = k_ESteamNetworkingConfig_Global;
    char buffer[32] = {};
    const int32 value = 1500;
    std::memcpy(buffer + 1, &value, sizeof value);
    say("misaligned.set", "%d",
        utils()->SetConfigValue(nagle, global, 0, k_ESteamNetworkingConfig_Int32, buffer + 1));
    size_t size = sizeof value;
    std::memset(buffer, 0, sizeof buffer);
    say("misaligned.get", "%d",
        utils()->GetConfigValue(nagle, global, 0, nullptr, buffer + 3, &size));
    int32 read = 0;
    std::memcpy(&read, buffer + 3, sizeof read);
    say("misaligned.value", "%d", read);
    say("null.get_size", "%d", utils()->GetConfigValue(nagle, global, 0, nullptr, buffer, nullptr));
    say("null.get_all", "%d", utils()->GetConfigValue(nagle, global, 0, nullptr, nullptr, nullptr));
    say("null.user_data", "%d",
        utils()->SetConfigValue(k_ESteamNetworkingConfig_ConnectionUserData,
                                k_ESteamNetworkingConfig_Connection, pair.client,
                                k_ESteamNetworkingConfig_Int64, nullptr));
    say_number("null.user_data.value", sockets()->GetConnectionUserData(pair.client));
    say("huge.object", "%d",
        utils()->SetConfigValue(nagle, k_ESteamNetworkingConfig_Connection, INTPTR_MAX,
                                k_ESteamNetworkingConfig_Int32, &value));
    say("negative.object", "%d",
        utils()->SetConfigValue(nagle, k_ESteamNetworkingConfig_ListenSocket, -1,
                                k_ESteamNetworkingConfig_Int32, &value));
    say("foreign.interface", "%d",
        utils()->SetConfigValue(nagle, k_ESteamNetworkingConfig_SocketsInterface, 0x1000,
                                k_ESteamNetworkingConfig_Int32, &value));
    say("bytes.string", "%d",
        utils()->SetConfigValue(k_ESteamNetworkingConfig_P2P_STUN_ServerList, global, 0,
                                k_ESteamNetworkingConfig_String, "\xff\xfe"));
    utils()->SetConfigValue(k_ESteamNetworkingConfig_P2P_STUN_ServerList, global, 0,
                            k_ESteamNetworkingConfig_String, nullptr);
    utils()->SetConfigValue(nagle, global, 0, k_ESteamNetworkingConfig_Int32, nullptr);
}

void debug_levels() {
    utils()->SetDebugOutputFunction(static_cast<ESteamNetworkingSocketsDebugOutputType>(99),
                                    nullptr);
    utils()->SetDebugOutputFunction(static_cast<ESteamNetworkingSocketsDebugOutputType>(-1),
                                    nullptr);
    say("unknown.debug_level", "ignored");
}

void texts() {
    SteamNetworkingIdentity identity;
    identity.Clear();
    char text[64] = "unchanged";
    say("null.parse", "%d",
        SteamNetworkingIdentity_ParseString(&identity, sizeof identity, nullptr));
    say("null.parse_into", "%d",
        SteamNetworkingIdentity_ParseString(nullptr, sizeof identity, "str:x"));
    say("tiny.parse", "%d", SteamNetworkingIdentity_ParseString(&identity, 4, "str:x"));
    SteamNetworkingIdentity_ToString(&identity, nullptr, 10);
    SteamNetworkingIdentity_ToString(&identity, text, 0);
    say("zero.text", "%s", text);
    SteamNetworkingIdentity_ToString(nullptr, text, sizeof text);
    say("null.text", "'%s'", text);
    SteamNetworkingIPAddr address;
    say("null.parse_address", "%d", SteamNetworkingIPAddr_ParseString(&address, nullptr));
    say("null.parse_address_into", "%d", SteamNetworkingIPAddr_ParseString(nullptr, "1.2.3.4"));
    SteamNetworkingIPAddr_ToString(nullptr, text, sizeof text, true);
    SteamNetworkingIPAddr_ToString(&address, nullptr, 10, true);
    say("null.address_text", "'%s'", text);
    for (const int size : {-5, 0, 1000, INT_MAX}) {
        identity.Clear();
        identity.m_eType = k_ESteamNetworkingIdentityType_GenericBytes;
        identity.m_cbSize = size;
        identity.ToString(text, sizeof text);
        say("odd.bytes." + std::to_string(size), "%d", std::strlen(text) < sizeof text);
        std::memset(identity.m_szUnknownRawString, 'u', sizeof identity.m_szUnknownRawString);
        identity.m_eType = k_ESteamNetworkingIdentityType_GenericString;
        identity.ToString(text, sizeof text);
        say("odd.string." + std::to_string(size), "%d", std::strlen(text) < sizeof text);
    }
    HSteamNetConnection first = 0;
    HSteamNetConnection second = 0;
    say("odd.pair", "%d",
        sockets()->CreateSocketPair(&first, &second, false, &identity, &identity));
    sockets()->CloseConnection(first, 1000, "\xff\xfe\xfd", false);
    sockets()->CloseConnection(second, INT_MIN, nullptr, true);
    sockets()->RunCallbacks();
}

// The interface pointers stay what they are after Kill; there is nothing behind them any more.
void after_kill(ISteamNetworkingSockets *kept, const Pair &dead) {
    SteamNetworkingMessage_t *message = nullptr;
    SteamNetworkingIdentity identity;
    HSteamNetConnection first = 0;
    HSteamNetConnection second = 0;
    say("killed.connect", "%u", kept->ConnectByIPAddress(ip_address("127.0.0.1", 9), 0, nullptr));
    say("killed.listen", "%u",
        kept->CreateListenSocketIP(ip_address("127.0.0.1", free_port()), 0, nullptr));
    say("killed.pair", "%d", kept->CreateSocketPair(&first, &second, false, nullptr, nullptr));
    say("killed.send", "%d", kept->SendMessageToConnection(dead.client, "x", 1, 8, nullptr));
    say("killed.receive", "%d", kept->ReceiveMessagesOnConnection(dead.server, &message, 1));
    say("killed.info", "%d", kept->GetConnectionInfo(dead.client, nullptr));
    say("killed.close", "%d", kept->CloseConnection(dead.client, 0, nullptr, false));
    say("killed.close_listen", "%d", kept->CloseListenSocket(dead.listen));
    say("killed.identity", "%d", kept->GetIdentity(&identity));
    say("killed.group", "%u", kept->CreatePollGroup());
    kept->RunCallbacks();
    GameNetworkingSockets_Kill();
    say("killed.twice", "ignored");
}

}  // namespace

int main() {
    SteamNetworkingErrMsg error = "";
    say("init", "%d", GameNetworkingSockets_Init(nullptr, error));
    say("init.twice", "%d", GameNetworkingSockets_Init(nullptr, error));
    install_recorder();
    ISteamNetworkingSockets *kept = sockets();
    const Pair pair = quiet_pair();
    connecting();
    messages(pair);
    questions(pair);
    configuration(pair);
    debug_levels();
    texts();
    send(pair.client, "still alive", k_nSteamNetworkingSend_ReliableNoNagle);
    SteamNetworkingMessage_t *message = receive(pair.server);
    say("afterwards", "%.*s", message->m_cbSize, static_cast<char *>(message->m_pData));
    message->Release();
    GameNetworkingSockets_Kill();
    after_kill(kept, pair);
    return 0;
}
