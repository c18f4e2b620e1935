// What can be asked about a connection: information, real-time figures, the detailed text, its name
// and its user data.
#include "connections.h"

using namespace abi;

namespace {

void say_real_time(const std::string &key, HSteamNetConnection connection) {
    SteamNetConnectionRealTimeStatus_t status;
    std::memset(&status, 0x5a, sizeof status);
    say(key, "%d", sockets()->GetConnectionRealTimeStatus(connection, &status, 0, nullptr));
    say(key + ".state", "%s", state_name(status.m_eState));
    say(key + ".ping", "%d", status.m_nPing >= -1 && status.m_nPing < 1000);
    say(key + ".quality", "%d %d",
        status.m_flConnectionQualityLocal >= -1.0F && status.m_flConnectionQualityLocal <= 1.0F,
        status.m_flConnectionQualityRemote >= -1.0F && status.m_flConnectionQualityRemote <= 1.0F);
    say(key + ".rates", "%d %d %d %d", status.m_flOutPacketsPerSec >= 0.0F,
        status.m_flOutBytesPerSec >= 0.0F, status.m_flInPacketsPerSec >= 0.0F,
        status.m_flInBytesPerSec >= 0.0F);
    say(key + ".pending", "%d %d %d", status.m_cbPendingUnreliable, status.m_cbPendingReliable,
        status.m_cbSentUnackedReliable);
    say(key + ".queue_time", "%d", status.m_usecQueueTime >= 0 && status.m_usecQueueTime < 1000000);
    say(key + ".jitter", "%d", status.m_usecMaxJitter >= -1 && status.m_usecMaxJitter < 1000000);
}

void real_time(const Pair &pair) {
    send(pair.client, "hello", k_nSteamNetworkingSend_ReliableNoNagle);
    receive(pair.server)->Release();
    wait_until_acked(pair.client);
    say_real_time("real_time.client", pair.client);
    say_real_time("real_time.server", pair.server);
    SteamNetConnectionRealTimeStatus_t status;
    sockets()->GetConnectionRealTimeStatus(pair.client, &status, 0, nullptr);
    say("real_time.send_rate", "%d", status.m_nSendRateBytesPerSecond > 0);
    say_number("real_time.invalid", sockets()->GetConnectionRealTimeStatus(0, &status, 0, nullptr));
}

void detailed(const Pair &pair) {
    char text[8192] = "unchanged";
    const int needed = sockets()->GetDetailedConnectionStatus(pair.client, nullptr, 0);
    say("detailed.null", "%d", needed > 1024 && needed < 8192);
    const int small = sockets()->GetDetailedConnectionStatus(pair.client, text, 10);
    say("detailed.small", "%d %zu", small > 1024, std::strlen(text));
    say("detailed.enough", "%d",
        sockets()->GetDetailedConnectionStatus(pair.client, text, sizeof text));
    say("detailed.text", "%d", std::strlen(text) > 100);
    std::strcpy(text, "unchanged");
    say("detailed.invalid", "%d", sockets()->GetDetailedConnectionStatus(0, text, sizeof text));
    say("detailed.invalid.text", "%s", text);
}

void say_name(const std::string &key, HSteamNetConnection connection, int size) {
    char text[64] = "unchanged";
    const bool known = sockets()->GetConnectionName(connection, text, size);
    say(key, "%d '%s'", known, text);
}

void connection_names(const Pair &pair) {
    say_name("name.unset", pair.client, 64);
    sockets()->SetConnectionName(pair.client, "Frodo");
    say_name("name.set", pair.client, 64);
    say_name("name.short_buffer", pair.client, 4);
    say_name("name.exact_buffer", pair.client, 6);
    say_name("name.one_byte", pair.client, 1);
    sockets()->SetConnectionName(pair.client, "a name that is longer than thirty-one characters");
    say_name("name.long", pair.client, 64);
    SteamNetConnectionInfo_t info;
    sockets()->GetConnectionInfo(pair.client, &info);
    say("name.described", "%d",
        std::strstr(info.m_szConnectionDescription, "a name that is") != nullptr);
    sockets()->SetConnectionName(pair.client, "");
    say_name("name.empty", pair.client, 64);
    sockets()->SetConnectionName(0, "nobody");
    say_name("name.invalid", 0, 64);
    say_name("name.of_other", pair.server, 64);
}

void user_data(const Pair &pair) {
    say_number("user.default", sockets()->GetConnectionUserData(pair.client));
    say("user.set", "%d", sockets()->SetConnectionUserData(pair.client, 0x1122334455667788));
    say_number("user.get", sockets()->GetConnectionUserData(pair.client));
    SteamNetConnectionInfo_t info;
    sockets()->GetConnectionInfo(pair.client, &info);
    say_number("user.info", info.m_nUserData);
    say("user.set_invalid", "%d", sockets()->SetConnectionUserData(0, 5));
    say_number("user.get_invalid", sockets()->GetConnectionUserData(0));
    sockets()->SetConnectionUserData(pair.server, 1);
    send(pair.client, "queued", k_nSteamNetworkingSend_ReliableNoNagle);
    wait_until_acked(pair.client);
    sockets()->SetConnectionUserData(pair.server, 2);
    SteamNetworkingMessage_t *message = receive(pair.server);
    say_number("user.of_queued_message", message->m_nConnUserData);
    message->Release();
    sockets()->SetConnectionUserData(pair.server, -1);
    say_number("user.minus_one", sockets()->GetConnectionUserData(pair.server));
}

void information(const Pair &pair) {
    SteamNetConnectionInfo_t info;
    std::memset(&info, 0x5a, sizeof info);
    say("info.invalid", "%d", sockets()->GetConnectionInfo(0, &info));
    say("info.foreign", "%d", sockets()->GetConnectionInfo(pair.listen, &info));
    say("info.null", "%d %d", sockets()->GetConnectionInfo(pair.client, nullptr),
        sockets()->GetConnectionInfo(0, nullptr));
    sockets()->GetConnectionInfo(pair.server, &info);
    say("info.listen", "%d", info.m_hListenSocket == pair.listen);
    say_number("info.pad", info.m__pad1);
    sockets()->GetConnectionInfo(pair.client, &info);
    say("info.listen_of_client", "%u", info.m_hListenSocket);
}

void ended(const Pair &pair) {
    sockets()->CloseConnection(pair.server, 1600, "over", false);
    wait_for_change(pair.client, k_ESteamNetworkingConnectionState_ClosedByPeer);
    SteamNetConnectionRealTimeStatus_t status;
    say_number("ended.real_time",
               sockets()->GetConnectionRealTimeStatus(pair.client, &status, 0, nullptr));
    say("ended.real_time.state", "%s", state_name(status.m_eState));
    say_name("ended.name", pair.client, 64);
    say_number("ended.user", sockets()->GetConnectionUserData(pair.client));
    char text[8192];
    say_number("ended.detailed",
               sockets()->GetDetailedConnectionStatus(pair.client, text, sizeof text));
    say_number("closed.real_time",
               sockets()->GetConnectionRealTimeStatus(pair.server, &status, 0, nullptr));
    say_name("closed.name", pair.server, 64);
    say_number("closed.user", sockets()->GetConnectionUserData(pair.server));
    say("closed.set_user", "%d", sockets()->SetConnectionUserData(pair.server, 5));
    say_number("closed.detailed",
               sockets()->GetDetailedConnectionStatus(pair.server, text, sizeof text));
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    const Pair pair = quiet_pair();
    real_time(pair);
    detailed(pair);
    connection_names(pair);
    user_data(pair);
    information(pair);
    ended(pair);
    close_pair(pair);
    return 0;
}
