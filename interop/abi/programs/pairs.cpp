// Socket pairs: the pipe, which hands messages over by pointer, and the network loopback.
#include "connections.h"

using namespace abi;

namespace {

struct Ends {
    HSteamNetConnection first = k_HSteamNetConnection_Invalid;
    HSteamNetConnection second = k_HSteamNetConnection_Invalid;
};

Ends make(const std::string &key, bool network, const char *first_peer = nullptr,
          const char *second_peer = nullptr) {
    SteamNetworkingIdentity identities[2];
    if (first_peer != nullptr) {
        identities[0].ParseString(first_peer);
    }
    if (second_peer != nullptr) {
        identities[1].ParseString(second_peer);
    }
    Ends ends;
    const bool made = sockets()->CreateSocketPair(
        &ends.first, &ends.second, network, first_peer != nullptr ? &identities[0] : nullptr,
        second_peer != nullptr ? &identities[1] : nullptr);
    say(key + ".made", "%d", made);
    name(ends.first, "first");
    name(ends.second, "second");
    return ends;
}

// Closes both ends, of whose end nothing is to be seen.
void discard(const Ends &ends) {
    sockets()->CloseConnection(ends.first, 0, nullptr, false);
    sockets()->CloseConnection(ends.second, 0, nullptr, false);
    idle(10);
    changes.clear();
}

void say_info(const std::string &key, HSteamNetConnection connection) {
    SteamNetConnectionInfo_t info;
    const bool known = sockets()->GetConnectionInfo(connection, &info);
    say(key, "%d state=%s flags=%d identity=%s address=%s port=%d listen=%u", known,
        state_name(info.m_eState), info.m_nFlags, stable_text_of(info.m_identityRemote).c_str(),
        text_of(info.m_addrRemote).c_str(), info.m_addrRemote.m_port != 0, info.m_hListenSocket);
}

void exchange(const std::string &key, HSteamNetConnection from, HSteamNetConnection to) {
    int64 number = 77;
    say(key + ".send", "%d",
        send(from, "through the pair", k_nSteamNetworkingSend_ReliableNoNagle, &number));
    say_number(key + ".number", number);
    SteamNetworkingMessage_t *message = receive(to);
    say(key, "%.*s number=%lld flags=%d lane=%d channel=%d here=%d identity=%s", message->m_cbSize,
        static_cast<char *>(message->m_pData), static_cast<long long>(message->m_nMessageNumber),
        message->m_nFlags & k_nSteamNetworkingSend_Reliable, message->m_idxLane,
        message->m_nChannel, message->m_conn == to,
        stable_text_of(message->m_identityPeer).c_str());
    message->Release();
}

void end(const std::string &key, const Ends &ends) {
    say(key + ".close", "%d", sockets()->CloseConnection(ends.first, 1900, "one end", false));
    wait_for_change(ends.second, k_ESteamNetworkingConnectionState_ClosedByPeer);
    say_changes(key + ".first", ends.first);
    say_changes(key + ".second", ends.second);
    say(key + ".other.close", "%d", sockets()->CloseConnection(ends.second, 0, nullptr, false));
    idle(10);
    say_changes(key + ".after");
}

void both_ways(const std::string &key, bool network, const char *first_peer,
               const char *second_peer) {
    const Ends ends = make(key, network, first_peer, second_peer);
    idle(10);
    say_changes(key + ".quietly");
    say_info(key + ".first", ends.first);
    say_info(key + ".second", ends.second);
    exchange(key + ".there", ends.first, ends.second);
    exchange(key + ".back", ends.second, ends.first);
    SteamNetConnectionRealTimeStatus_t status;
    say_number(key + ".status",
               sockets()->GetConnectionRealTimeStatus(ends.first, &status, 0, nullptr));
    say(key + ".flush", "%d", sockets()->FlushMessagesOnConnection(ends.first));
    say(key + ".accept", "%d", sockets()->AcceptConnection(ends.first));
    end(key, ends);
}

int frees = 0;

void free_counted(SteamNetworkingMessage_t *message) {
    ++frees;
    delete[] static_cast<char *>(message->m_pData);
}

// What is received through the pipe is the sender's buffer, freed by the sender's function.
void zero_copy() {
    const Ends ends = make("pipe.zero_copy", false);
    SteamNetworkingMessage_t *message = utils()->AllocateMessage(0);
    char *buffer = new char[1000]();
    message->m_pData = buffer;
    message->m_cbSize = 1000;
    message->m_pfnFreeData = free_counted;
    message->m_nUserData = 1234;
    message->m_conn = ends.first;
    message->m_nFlags = k_nSteamNetworkingSend_Reliable;
    int64 result = 0;
    sockets()->SendMessages(1, &message, &result, true);
    say_number("pipe.zero_copy.result", result);
    SteamNetworkingMessage_t *received = receive(ends.second);
    say("pipe.zero_copy.same_buffer", "%d", received->m_pData == buffer);
    say("pipe.zero_copy.size", "%d", received->m_cbSize);
    say_number("pipe.zero_copy.user", received->m_nUserData);
    say("pipe.zero_copy.frees_before", "%d", frees);
    received->Release();
    say("pipe.zero_copy.frees_after", "%d", frees);
    discard(ends);
}

// Messages that nobody read are freed with the receiving end.
void unread() {
    const Ends ends = make("pipe.unread", false);
    frees = 0;
    for (int number = 0; number < 3; ++number) {
        SteamNetworkingMessage_t *message = utils()->AllocateMessage(0);
        message->m_pData = new char[10]();
        message->m_cbSize = 10;
        message->m_pfnFreeData = free_counted;
        message->m_conn = ends.first;
        sockets()->SendMessages(1, &message, nullptr, true);
    }
    sockets()->CloseConnection(ends.second, 0, nullptr, false);
    sockets()->CloseConnection(ends.first, 0, nullptr, false);
    wait_for("three frees", [] { return frees == 3; });
    say("pipe.unread.frees", "%d", frees);
    idle(10);
    changes.clear();
}

void sizes(const std::string &key, bool network) {
    const Ends ends = make(key, network);
    for (const size_t size :
         {size_t{0}, size_t{1}, size_t{20000}, size_t{524288}, size_t{524289}}) {
        const std::string line = key + "." + std::to_string(size);
        const EResult result =
            send(ends.first, std::string(size, 's'), k_nSteamNetworkingSend_Unreliable);
        say(line, "%d", result);
        if (result == k_EResultOK) {
            SteamNetworkingMessage_t *message = receive(ends.second);
            say(line + ".received", "%d reliable=%d", message->m_cbSize,
                message->m_nFlags & k_nSteamNetworkingSend_Reliable);
            message->Release();
        }
    }
    discard(ends);
}

void lanes() {
    const Ends ends = make("pipe.lanes", false);
    say("pipe.lanes.configure", "%d",
        sockets()->ConfigureConnectionLanes(ends.first, 3, nullptr, nullptr));
    SteamNetworkingMessage_t *message = utils()->AllocateMessage(4);
    std::memcpy(message->m_pData, "lane", 4);
    message->m_conn = ends.first;
    message->m_idxLane = 2;
    message->m_nFlags = k_nSteamNetworkingSend_Reliable;
    int64 result = 0;
    sockets()->SendMessages(1, &message, &result, true);
    say_number("pipe.lanes.result", result);
    message = receive(ends.second);
    say("pipe.lanes.received", "%d", message->m_idxLane);
    message->Release();
    discard(ends);
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    both_ways("pipe", false, nullptr, nullptr);
    both_ways("pipe.named", false, "str:left", "str:right");
    zero_copy();
    unread();
    sizes("pipe.size", false);
    lanes();
    both_ways("network", true, nullptr, nullptr);
    both_ways("network.named", true, "str:left", "str:right");
    sizes("network.size", true);
    return 0;
}
