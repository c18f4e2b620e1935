// Two connections of one process, with an urgent lane that overtakes a bulky one. C++17.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <gamewire.h>

namespace {

constexpr int kLanes = 2;
constexpr uint16_t kUrgent = 0;
constexpr uint16_t kBulk = 1;
constexpr int kBulkMessages = 30;
constexpr int kBulkBytes = 16 * 1024;
constexpr auto kGiveUpAfter = std::chrono::seconds(20);

struct Release {
    void operator()(SteamNetworkingMessage_t *message) const { message->m_pfnRelease(message); }
};
using Message = std::unique_ptr<SteamNetworkingMessage_t, Release>;

// The library from Init to Kill.
class Library {
public:
    Library() {
        SteamNetworkingErrMsg error;
        if (!GameNetworkingSockets_Init(nullptr, &error)) {
            std::fprintf(stderr, "cannot start: %s\n", error);
            return;
        }
        sockets_ = SteamNetworkingSockets_LibV12();
    }
    ~Library() {
        if (sockets_ != nullptr) {
            GameNetworkingSockets_Kill();
        }
    }
    Library(const Library &) = delete;
    Library &operator=(const Library &) = delete;

    ISteamNetworkingSockets *sockets() const { return sockets_; }

private:
    ISteamNetworkingSockets *sockets_ = nullptr;
};

// A message whose buffer the library frees: nothing is copied on the way to the wire.
SteamNetworkingMessage_t *make(HSteamNetConnection connection, uint16_t lane, int size) {
    SteamNetworkingMessage_t *message =
        SteamAPI_ISteamNetworkingUtils_AllocateMessage(SteamNetworkingUtils_LibV4(), size);
    message->m_conn = connection;
    message->m_idxLane = lane;
    message->m_nFlags = k_nSteamNetworkingSend_Reliable;
    std::memset(message->m_pData, 'x', static_cast<size_t>(size));
    return message;
}

bool send_both_kinds(ISteamNetworkingSockets *sockets, HSteamNetConnection connection) {
    std::vector<SteamNetworkingMessage_t *> messages;
    for (int i = 0; i < kBulkMessages; i++) {
        messages.push_back(make(connection, kBulk, kBulkBytes));
    }
    messages.push_back(make(connection, kUrgent, 1)); // sent last, and not to arrive last
    std::vector<int64_t> results(messages.size());
    SteamAPI_ISteamNetworkingSockets_SendMessages(
        sockets, static_cast<int>(messages.size()), messages.data(), results.data(), true);
    for (int64_t result : results) {
        if (result <= 0) {
            std::fprintf(stderr, "a message was refused: %lld\n", static_cast<long long>(result));
            return false;
        }
    }
    return true;
}

// After how many bulky messages the urgent one came; -1 if not all arrived in time.
int place_of_urgent(ISteamNetworkingSockets *sockets, HSteamNetConnection connection) {
    const auto end = std::chrono::steady_clock::now() + kGiveUpAfter;
    int bulk = 0;
    int place = -1;
    while (bulk < kBulkMessages || place < 0) {
        if (std::chrono::steady_clock::now() > end) {
            return -1;
        }
        SteamNetworkingMessage_t *raw = nullptr;
        if (SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnConnection(
                sockets, connection, &raw, 1) != 1) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            continue;
        }
        const Message message(raw);
        if (message->m_idxLane == kUrgent) {
            place = bulk;
        } else {
            bulk++;
        }
    }
    return place;
}

} // namespace

int main() {
    const Library library;
    ISteamNetworkingSockets *sockets = library.sockets();
    HSteamNetConnection from = 0;
    HSteamNetConnection to = 0;
    if (sockets == nullptr
        || !SteamAPI_ISteamNetworkingSockets_CreateSocketPair(
            sockets, &from, &to, true, nullptr, nullptr)) {
        return 1;
    }
    const int priorities[kLanes] = {0, 1}; // lower goes first
    if (SteamAPI_ISteamNetworkingSockets_ConfigureConnectionLanes(
            sockets, from, kLanes, priorities, nullptr) != k_EResultOK
        || !send_both_kinds(sockets, from)) {
        return 1;
    }
    const int place = place_of_urgent(sockets, to);
    std::printf("the urgent message came after %d of %d bulky ones\n", place, kBulkMessages);
    return place >= 0 && place < kBulkMessages ? 0 : 1;
}
