// Messages of every kind over IP: flags, sizes, numbers, what the receiver sees, and the limits.
#include "connections.h"

using namespace abi;

namespace {

// A recognisable content of any size.
std::string content_of(size_t size) {
    std::string content(size, '\0');
    for (size_t index = 0; index < size; ++index) {
        content[index] = static_cast<char>(index * 31 + size);
    }
    return content;
}

void say_message(const std::string &key, const SteamNetworkingMessage_t *message,
                 HSteamNetConnection connection) {
    const size_t size = static_cast<size_t>(message->m_cbSize);
    const bool intact =
        message->m_cbSize == 0 ||
        std::string(static_cast<const char *>(message->m_pData), size) == content_of(size);
    say(key, "%d bytes intact=%d number=%lld reliable=%d lane=%d channel=%d user=%lld",
        message->m_cbSize, intact, static_cast<long long>(message->m_nMessageNumber),
        message->m_nFlags & k_nSteamNetworkingSend_Reliable, message->m_idxLane,
        message->m_nChannel, static_cast<long long>(message->m_nConnUserData));
    say(key + ".origin", "connection=%d identity=%s time=%d", message->m_conn == connection,
        stable_text_of(message->m_identityPeer).c_str(),
        message->m_usecTimeReceived > 0 &&
            message->m_usecTimeReceived <= utils()->GetLocalTimestamp());
}

void exchange(const Pair &pair, const std::string &key, size_t size, int flags) {
    int64 number = 77;
    say(key + ".send", "%d", send(pair.client, content_of(size), flags, &number));
    say_number(key + ".number", number);
    SteamNetworkingMessage_t *message = receive(pair.server);
    say_message(key, message, pair.server);
    message->Release();
}

void flags(const Pair &pair) {
    exchange(pair, "unreliable", 10, k_nSteamNetworkingSend_Unreliable);
    exchange(pair, "unreliable_no_nagle", 11, k_nSteamNetworkingSend_UnreliableNoNagle);
    exchange(pair, "unreliable_no_delay", 12, k_nSteamNetworkingSend_UnreliableNoDelay);
    exchange(pair, "reliable", 13, k_nSteamNetworkingSend_Reliable);
    exchange(pair, "reliable_no_nagle", 14, k_nSteamNetworkingSend_ReliableNoNagle);
    exchange(pair, "current_thread", 15,
             k_nSteamNetworkingSend_ReliableNoNagle | k_nSteamNetworkingSend_UseCurrentThread);
    exchange(pair, "auto_restart", 16,
             k_nSteamNetworkingSend_ReliableNoNagle |
                 k_nSteamNetworkingSend_AutoRestartBrokenSession);
    exchange(pair, "reliable_no_delay", 17,
             k_nSteamNetworkingSend_Reliable | k_nSteamNetworkingSend_NoDelay);
    exchange(pair, "unknown_flag", 18, k_nSteamNetworkingSend_Reliable | 0x4000);
}

void sizes(const Pair &pair) {
    exchange(pair, "size.zero_reliable", 0, k_nSteamNetworkingSend_Reliable);
    exchange(pair, "size.zero_unreliable", 0, k_nSteamNetworkingSend_UnreliableNoNagle);
    exchange(pair, "size.one", 1, k_nSteamNetworkingSend_Reliable);
    exchange(pair, "size.packet", 1200, k_nSteamNetworkingSend_UnreliableNoNagle);
    exchange(pair, "size.several_packets", 5000, k_nSteamNetworkingSend_UnreliableNoNagle);
    exchange(pair, "size.promoted", 20000, k_nSteamNetworkingSend_UnreliableNoNagle);
    exchange(pair, "size.100k", 100000, k_nSteamNetworkingSend_Reliable);
    exchange(pair, "size.512k", k_cbMaxSteamNetworkingSocketsMessageSizeSend,
             k_nSteamNetworkingSend_Reliable);
    int64 number = 77;
    const std::string huge(k_cbMaxSteamNetworkingSocketsMessageSizeSend + 1, 'h');
    say("size.too_large", "%d", send(pair.client, huge, k_nSteamNetworkingSend_Reliable, &number));
    say_number("size.too_large.number", number);
    number = 77;
    say("size.too_large_unreliable", "%d",
        send(pair.client, huge, k_nSteamNetworkingSend_Unreliable, &number));
    say_number("size.too_large_unreliable.number", number);
    say("size.null_empty", "%d",
        sockets()->SendMessageToConnection(pair.client, nullptr, 0, k_nSteamNetworkingSend_Reliable,
                                           nullptr));
    SteamNetworkingMessage_t *message = receive(pair.server);
    say_message("size.null_empty.received", message, pair.server);
    message->Release();
}

// Reliable messages keep their order; the receiver gets as many as it asks for.
void several(const Pair &pair) {
    for (size_t size = 1; size <= 10; ++size) {
        send(pair.server, content_of(size), k_nSteamNetworkingSend_Reliable);
    }
    say("several.flush", "%d", sockets()->FlushMessagesOnConnection(pair.server));
    int received = 0;
    SteamNetworkingMessage_t *messages[4] = {};
    say("several.none", "%d", sockets()->ReceiveMessagesOnConnection(pair.client, messages, 0));
    wait_for("ten messages", [&] {
        const int count = sockets()->ReceiveMessagesOnConnection(pair.client, messages, 4);
        for (int index = 0; index < count; ++index) {
            say_message("several." + std::to_string(++received), messages[index], pair.client);
            messages[index]->Release();
        }
        return received == 10;
    });
}

// Before it is accepted, a connection queues what may wait.
void early() {
    const Listener listener = listen();
    const HSteamNetConnection client = connect(listener.address);
    name(client, "client");
    int64 number = 77;
    say("early.reliable", "%d",
        send(client, content_of(20), k_nSteamNetworkingSend_Reliable, &number));
    say_number("early.reliable.number", number);
    say("early.unreliable", "%d",
        send(client, content_of(21), k_nSteamNetworkingSend_Unreliable, &number));
    say_number("early.unreliable.number", number);
    number = 77;
    say("early.no_delay", "%d",
        send(client, content_of(22), k_nSteamNetworkingSend_UnreliableNoDelay, &number));
    say_number("early.no_delay.number", number);
    say("early.flush", "%d", sockets()->FlushMessagesOnConnection(client));
    const HSteamNetConnection server = wait_for_request(listener.handle);
    name(server, "server");
    say("early.from_acceptor", "%d",
        send(server, content_of(23), k_nSteamNetworkingSend_Reliable, &number));
    say("early.from_acceptor.flush", "%d", sockets()->FlushMessagesOnConnection(server));
    SteamNetworkingMessage_t *message = nullptr;
    say("early.receive", "%d", sockets()->ReceiveMessagesOnConnection(client, &message, 1));
    sockets()->AcceptConnection(server);
    bool seen[32] = {};
    wait_for("what was queued", [&] {
        if (sockets()->ReceiveMessagesOnConnection(server, &message, 1) == 1) {
            seen[message->m_cbSize & 31] = true;
            message->Release();
        }
        return seen[20] && seen[21];
    });
    message = receive(client);
    say_message("early.acceptor", message, client);
    message->Release();
    close_pair({listener.handle, client, server});
}

// More than the send buffer takes.
void buffer_limit() {
    const Pair pair = quiet_pair({int_option(k_ESteamNetworkingConfig_SendBufferSize, 65536),
                                  int_option(k_ESteamNetworkingConfig_SendRateMin, 1024),
                                  int_option(k_ESteamNetworkingConfig_SendRateMax, 1024)});
    int64 number = 77;
    say("limit.first", "%d",
        send(pair.client, content_of(60000), k_nSteamNetworkingSend_Reliable, &number));
    say_number("limit.first.number", number);
    number = 77;
    say("limit.second", "%d",
        send(pair.client, content_of(60000), k_nSteamNetworkingSend_Reliable, &number));
    say_number("limit.second.number", number);
    say("limit.small", "%d",
        send(pair.client, content_of(100), k_nSteamNetworkingSend_Reliable, &number));
    say_number("limit.small.number", number);
    SteamNetConnectionRealTimeStatus_t status;
    sockets()->GetConnectionRealTimeStatus(pair.client, &status, 0, nullptr);
    const int waiting = status.m_cbPendingReliable + status.m_cbSentUnackedReliable;
    say("limit.waiting", "%d", waiting > 50000 && waiting <= 61000);
    close_pair(pair);
}

void bad_handles(const Pair &pair) {
    int64 number = 77;
    SteamNetworkingMessage_t *message = nullptr;
    for (const HSteamNetConnection handle : {0U, 1U, pair.listen, 0xffffffffU}) {
        const std::string key =
            handle == pair.listen ? "bad.listen" : "bad." + std::to_string(handle);
        say(key + ".send", "%d", send(handle, "x", k_nSteamNetworkingSend_Reliable, &number));
        say_number(key + ".number", number);
        say(key + ".flush", "%d", sockets()->FlushMessagesOnConnection(handle));
        say(key + ".receive", "%d", sockets()->ReceiveMessagesOnConnection(handle, &message, 1));
    }
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    const Pair pair = quiet_pair();
    flags(pair);
    sizes(pair);
    several(pair);
    bad_handles(pair);
    close_pair(pair);
    early();
    buffer_limit();
    return 0;
}
