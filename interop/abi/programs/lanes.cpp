// Lanes: configuring them rightly and wrongly, their numbers, their priorities and their status.
#include "connections.h"

using namespace abi;

namespace {

void say_configured(const std::string &key, HSteamNetConnection connection, int count,
                    const int *priorities, const uint16 *weights) {
    say(key, "%d", sockets()->ConfigureConnectionLanes(connection, count, priorities, weights));
}

void misuse(const Pair &pair) {
    const int priorities[] = {0, 1, 2, 3};
    const uint16 zero_weight[] = {1, 0, 1, 1};
    const int negative[] = {-5, 0, 7, 1000000};
    say_configured("misuse.zero", pair.client, 0, nullptr, nullptr);
    say_configured("misuse.negative", pair.client, -1, nullptr, nullptr);
    say_configured("misuse.too_many", pair.client, 256, nullptr, nullptr);
    say_configured("misuse.zero_weight", pair.client, 4, priorities, zero_weight);
    say_configured("misuse.one", pair.client, 1, priorities, nullptr);
    say_configured("misuse.invalid_handle", 0, 2, nullptr, nullptr);
    say_configured("misuse.foreign_handle", pair.listen, 2, nullptr, nullptr);
    say_configured("misuse.odd_priorities", pair.client, 4, negative, nullptr);
    say_configured("misuse.shrinking", pair.client, 2, nullptr, nullptr);
    say_configured("misuse.same", pair.client, 4, priorities, nullptr);
}

void say_status(const std::string &key, HSteamNetConnection connection, int lanes,
                bool with_buffer) {
    SteamNetConnectionRealTimeLaneStatus_t of_lane[8];
    std::memset(of_lane, 0x7f, sizeof of_lane);
    SteamNetConnectionRealTimeStatus_t status;
    const int result = sockets()->GetConnectionRealTimeStatus(connection, &status, lanes,
                                                              with_buffer ? of_lane : nullptr);
    say(key, "%d", result);
    for (int lane = 0; with_buffer && result == k_EResultOK && lane < lanes; ++lane) {
        say(key + "." + std::to_string(lane), "unreliable=%d reliable=%d unacked=%d queue_time=%d",
            of_lane[lane].m_cbPendingUnreliable, of_lane[lane].m_cbPendingReliable,
            of_lane[lane].m_cbSentUnackedReliable, of_lane[lane].m_usecQueueTime >= 0);
    }
}

void statuses(const Pair &pair) {
    wait_until_acked(pair.client);
    wait_until_acked(pair.server);
    say_status("status.none", pair.client, 0, false);
    say_status("status.none_with_buffer", pair.client, 0, true);
    say_status("status.one", pair.client, 1, true);
    say_status("status.all", pair.client, 4, true);
    say_status("status.too_many", pair.client, 5, true);
    say_status("status.negative", pair.client, -1, true);
    say_status("status.without_buffer", pair.client, 2, false);
    say_status("status.default_lane", pair.server, 1, true);
    say_status("status.unconfigured", pair.server, 2, true);
    say_status("status.invalid_handle", 0, 0, false);
    say("status.null", "%d",
        sockets()->GetConnectionRealTimeStatus(pair.client, nullptr, 0, nullptr));
}

int64 send_on(HSteamNetConnection connection, int lane, int size, int flags) {
    SteamNetworkingMessage_t *message = utils()->AllocateMessage(size);
    std::memset(message->m_pData, lane, static_cast<size_t>(size));
    message->m_conn = connection;
    message->m_idxLane = static_cast<uint16>(lane);
    message->m_nFlags = flags;
    int64 result = 0;
    sockets()->SendMessages(1, &message, &result, true);
    return result;
}

// Every lane counts its messages from one, and the receiver learns the lane.
void numbers(const Pair &pair) {
    for (int round = 0; round < 2; ++round) {
        for (int lane = 0; lane < 4; ++lane) {
            const std::string key = "number." + std::to_string(round) + "." + std::to_string(lane);
            say_number(key, send_on(pair.client, lane, 100 + lane,
                                    k_nSteamNetworkingSend_ReliableNoNagle));
            SteamNetworkingMessage_t *message = receive(pair.server);
            say(key + ".received", "lane=%d number=%lld size=%d", message->m_idxLane,
                static_cast<long long>(message->m_nMessageNumber), message->m_cbSize);
            message->Release();
        }
    }
    say_number("number.unreliable",
               send_on(pair.client, 2, 50, k_nSteamNetworkingSend_UnreliableNoNagle));
    SteamNetworkingMessage_t *message = receive(pair.server);
    say("number.unreliable.received", "lane=%d number=%lld reliable=%d", message->m_idxLane,
        static_cast<long long>(message->m_nMessageNumber),
        message->m_nFlags & k_nSteamNetworkingSend_Reliable);
    message->Release();
    say_number("number.no_such_lane", send_on(pair.client, 4, 10, k_nSteamNetworkingSend_Reliable));
    say_number("number.other_direction",
               send_on(pair.server, 1, 10, k_nSteamNetworkingSend_Reliable));
    say_number("number.other_direction.default",
               send_on(pair.server, 0, 10, k_nSteamNetworkingSend_Reliable));
    receive(pair.client)->Release();
}

// What was sent later on a lane of higher priority overtakes what waits on a lower one.
void priorities() {
    const Pair pair = quiet_pair({int_option(k_ESteamNetworkingConfig_SendRateMin, 50000),
                                  int_option(k_ESteamNetworkingConfig_SendRateMax, 50000)});
    const int order[] = {5, 1, 9};
    say_configured("priority.configured", pair.client, 3, order, nullptr);
    send_on(pair.client, 2, 20000, k_nSteamNetworkingSend_Reliable);
    send_on(pair.client, 0, 10000, k_nSteamNetworkingSend_Reliable);
    send_on(pair.client, 1, 5000, k_nSteamNetworkingSend_Reliable);
    std::string sequence;
    for (int number = 0; number < 3; ++number) {
        SteamNetworkingMessage_t *message = receive(pair.server);
        sequence += " " + std::to_string(message->m_idxLane);
        message->Release();
    }
    say("priority.sequence", "%s", sequence.c_str());
    close_pair(pair);
}

// Lanes of one priority share the bandwidth by weight: the small share is not starved.
void weights() {
    const Pair pair = quiet_pair({int_option(k_ESteamNetworkingConfig_SendRateMin, 100000),
                                  int_option(k_ESteamNetworkingConfig_SendRateMax, 100000)});
    const uint16 shares[] = {3, 1};
    say_configured("weight.configured", pair.client, 2, nullptr, shares);
    for (int number = 0; number < 30; ++number) {
        send_on(pair.client, 0, 1000, k_nSteamNetworkingSend_Reliable);
        send_on(pair.client, 1, 1000, k_nSteamNetworkingSend_Reliable);
    }
    int first_lane = 0;
    int second_lane = 0;
    while (first_lane < 24) {
        SteamNetworkingMessage_t *message = receive(pair.server);
        (message->m_idxLane == 0 ? first_lane : second_lane) += 1;
        message->Release();
    }
    say("weight.share", "%s", second_lane >= 4 && second_lane <= 14 ? "about a third" : "another");
    close_pair(pair);
}

void after_the_end() {
    const Pair pair = quiet_pair();
    sockets()->CloseConnection(pair.server, 0, nullptr, false);
    wait_for_change(pair.client, k_ESteamNetworkingConnectionState_ClosedByPeer);
    say_configured("ended.configure", pair.client, 2, nullptr, nullptr);
    say_status("ended.status", pair.client, 1, true);
    say_configured("ended.closed", pair.server, 2, nullptr, nullptr);
    close_pair(pair);
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    const Pair pair = quiet_pair();
    misuse(pair);
    numbers(pair);
    statuses(pair);
    close_pair(pair);
    priorities();
    weights();
    after_the_end();
    return 0;
}
