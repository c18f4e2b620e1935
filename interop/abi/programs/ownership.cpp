// Who owns a message, and when its buffer is freed: AllocateMessage, SendMessages in both modes,
// buffers of the application's own, and received messages.
#include <atomic>
#include <memory>

#include "connections.h"

using namespace abi;

namespace {

// How often each buffer of ours was freed, by the number in its message's m_nUserData.
std::atomic<int> freed[64];

void free_buffer(SteamNetworkingMessage_t *message) {
    ++freed[message->m_nUserData];
    delete[] static_cast<char *>(message->m_pData);
}

// A message that carries a buffer of ours, as AllocateMessage(0) promises it can.
SteamNetworkingMessage_t *message_with_buffer(int number, int size, HSteamNetConnection connection,
                                              int flags) {
    SteamNetworkingMessage_t *message = utils()->AllocateMessage(0);
    message->m_pData = new char[static_cast<size_t>(size)]();
    message->m_cbSize = size;
    message->m_pfnFreeData = free_buffer;
    message->m_nUserData = number;
    message->m_conn = connection;
    message->m_nFlags = flags;
    return message;
}

SteamNetworkingMessage_t *allocated(int size, HSteamNetConnection connection, int flags,
                                    uint16 lane = 0) {
    SteamNetworkingMessage_t *message = utils()->AllocateMessage(size);
    std::memset(message->m_pData, 'a', static_cast<size_t>(size));
    message->m_conn = connection;
    message->m_nFlags = flags;
    message->m_idxLane = lane;
    return message;
}

void say_fresh(const std::string &key, int size) {
    SteamNetworkingMessage_t *message = utils()->AllocateMessage(size);
    say(key,
        "size=%d data=%d free=%d release=%d connection=%u number=%lld channel=%d flags=%d lane=%d "
        "identity=%d",
        message->m_cbSize, message->m_pData != nullptr, message->m_pfnFreeData != nullptr,
        message->m_pfnRelease != nullptr, message->m_conn,
        static_cast<long long>(message->m_nMessageNumber), message->m_nChannel, message->m_nFlags,
        message->m_idxLane, message->m_identityPeer.m_eType);
    message->Release();
}

void release_unsent() {
    SteamNetworkingMessage_t *message = message_with_buffer(1, 100, 0, 0);
    message->Release();
    say("unsent.freed", "%d", freed[1].load());
    message = utils()->AllocateMessage(0);
    message->m_pfnFreeData = free_buffer;
    message->m_nUserData = 2;
    message->Release();
    say("unsent.without_data.freed", "%d", freed[2].load());
}

// The buffer of a sent message is freed once, when it is no longer needed.
void sent_once(const std::string &key, const Pair &pair, int number, int flags) {
    SteamNetworkingMessage_t *message = message_with_buffer(number, 3000, pair.client, flags);
    int64 result = 0;
    sockets()->SendMessages(1, &message, &result, true);
    say(key + ".result", "%d", result > 0);
    SteamNetworkingMessage_t *received = receive(pair.server);
    say(key + ".received", "size=%d free=%d", received->m_cbSize,
        received->m_pfnFreeData != nullptr);
    received->Release();
    wait_for("a free", [&] { return freed[number] > 0; });
    idle(20);
    say(key + ".freed", "%d", freed[number].load());
}

// Messages that the connection still holds are freed with it.
void freed_with_the_connection() {
    const Pair pair = quiet_pair({int_option(k_ESteamNetworkingConfig_SendRateMin, 1024),
                                  int_option(k_ESteamNetworkingConfig_SendRateMax, 1024)});
    SteamNetworkingMessage_t *message =
        message_with_buffer(10, 200000, pair.client, k_nSteamNetworkingSend_Reliable);
    sockets()->SendMessages(1, &message, nullptr, true);
    say("held.freed_before", "%d", freed[10].load());
    close_pair(pair);
    wait_for("a free", [] { return freed[10] > 0; });
    idle(20);
    say("held.freed_after", "%d", freed[10].load());
}

void say_results(const std::string &key, SteamNetworkingMessage_t *const *messages,
                 const int64 *results, int count) {
    for (int index = 0; index < count; ++index) {
        const std::string line = key + "." + std::to_string(index);
        say(line, "result=%lld pointer=%s", static_cast<long long>(results[index]),
            messages[index] != nullptr ? "left" : "null");
    }
}

// One call with messages that work, that cannot, and that come behind one that could not.
void mixture(const std::string &key, const Pair &pair, bool delete_failed) {
    const int first = delete_failed ? 20 : 30;
    SteamNetworkingMessage_t *messages[] = {
        message_with_buffer(first, 10, pair.client, k_nSteamNetworkingSend_Reliable),
        message_with_buffer(first + 1, 11, pair.client, k_nSteamNetworkingSend_Reliable),
        nullptr,
        message_with_buffer(first + 2, 12, k_HSteamNetConnection_Invalid,
                            k_nSteamNetworkingSend_Reliable),
        message_with_buffer(first + 3, 13, 12345, k_nSteamNetworkingSend_Reliable),
        message_with_buffer(first + 4, 14, 12345, k_nSteamNetworkingSend_Reliable),
        message_with_buffer(first + 5, 15, pair.client, k_nSteamNetworkingSend_Reliable),
        message_with_buffer(first + 6, 16, pair.server, k_nSteamNetworkingSend_Reliable),
    };
    const int count = static_cast<int>(std::size(messages));
    messages[1]->m_idxLane = 3;
    int64 results[std::size(messages)];
    std::fill(std::begin(results), std::end(results), 99);
    sockets()->SendMessages(count, messages, results, delete_failed);
    if (!delete_failed) {
        say_results(key, messages, results, count);
        for (SteamNetworkingMessage_t *left : messages) {
            if (left != nullptr) {
                left->Release();
            }
        }
    } else {
        for (int index = 0; index < count; ++index) {
            say_number(key + "." + std::to_string(index), results[index]);
        }
    }
    receive(pair.server)->Release();
    receive(pair.client)->Release();
    wait_for("all frees", [&] { return freed[first] > 0 && freed[first + 6] > 0; });
    idle(20);
    for (int number = first; number <= first + 6; ++number) {
        say(key + ".freed." + std::to_string(number - first), "%d", freed[number].load());
    }
}

void without_results(const Pair &pair) {
    SteamNetworkingMessage_t *messages[] = {
        allocated(5, pair.client, k_nSteamNetworkingSend_Reliable),
        allocated(6, pair.client, k_nSteamNetworkingSend_UnreliableNoNagle),
        allocated(7, 999, k_nSteamNetworkingSend_Reliable),
    };
    sockets()->SendMessages(3, messages, nullptr, true);
    int sizes = 0;
    for (int number = 0; number < 2; ++number) {
        SteamNetworkingMessage_t *received = receive(pair.server);
        sizes += received->m_cbSize;
        received->Release();
    }
    say("without_results.bytes", "%d", sizes);
    sockets()->SendMessages(0, nullptr, nullptr, true);
    sockets()->SendMessages(0, messages, nullptr, false);
    say("none", "done");
}

void too_large(const Pair &pair) {
    SteamNetworkingMessage_t *message =
        message_with_buffer(40, k_cbMaxSteamNetworkingSocketsMessageSizeSend + 1, pair.client,
                            k_nSteamNetworkingSend_Reliable);
    int64 result = 0;
    sockets()->SendMessages(1, &message, &result, true);
    say_number("too_large.result", result);
    say("too_large.freed", "%d", freed[40].load());
}

// A received message can be released after its connection, from any thread, and after more came.
void released_elsewhere(const Pair &pair) {
    send(pair.client, "first", k_nSteamNetworkingSend_ReliableNoNagle);
    SteamNetworkingMessage_t *kept = receive(pair.server);
    send(pair.client, "second", k_nSteamNetworkingSend_ReliableNoNagle);
    receive(pair.server)->Release();
    close_pair(pair);
    say("kept", "%.*s", kept->m_cbSize, static_cast<char *>(kept->m_pData));
    std::thread([kept] { kept->Release(); }).join();
    say("kept.released", "elsewhere");
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    say_fresh("fresh.empty", 0);
    say_fresh("fresh.one", 1);
    say_fresh("fresh.large", 300000);
    release_unsent();
    const Pair pair = quiet_pair();
    sent_once("reliable", pair, 3, k_nSteamNetworkingSend_ReliableNoNagle);
    sent_once("unreliable", pair, 4, k_nSteamNetworkingSend_UnreliableNoNagle);
    sent_once("unreliable_no_delay", pair, 5, k_nSteamNetworkingSend_UnreliableNoDelay);
    mixture("deleting", pair, true);
    mixture("keeping", pair, false);
    without_results(pair);
    too_large(pair);
    released_elsewhere(pair);
    freed_with_the_connection();
    return 0;
}
