// The debug output function and its level. The texts are free; their levels are not.
#include <atomic>

#include "connections.h"

using namespace abi;

namespace {

std::atomic<int> by_level[9];
std::atomic<int> other_levels{0};
std::atomic<int> empty_texts{0};
std::atomic<int> second_function{0};

void output(ESteamNetworkingSocketsDebugOutputType level, const char *text) {
    if (level >= 0 && level <= 8) {
        ++by_level[level];
    } else {
        ++other_levels;
    }
    if (text == nullptr || text[0] == '\0') {
        ++empty_texts;
    }
}

void other_output(ESteamNetworkingSocketsDebugOutputType, const char *) {
    ++second_function;
}

int total() {
    int sum = other_levels;
    for (const auto &count : by_level) {
        sum += count;
    }
    return sum;
}

void forget() {
    for (auto &count : by_level) {
        count = 0;
    }
    other_levels = 0;
    second_function = 0;
}

// Things worth a word at every level: a refused listen socket is an error.
void activity() {
    SteamNetworkingIPAddr no_port = ip_address("127.0.0.1", 0);
    sockets()->CreateListenSocketIP(no_port, 0, nullptr);
    const Pair pair = quiet_pair();
    send(pair.client, "x", k_nSteamNetworkingSend_ReliableNoNagle);
    receive(pair.server)->Release();
    close_pair(pair);
}

void at_level(const char *key, int level) {
    forget();
    utils()->SetDebugOutputFunction(static_cast<ESteamNetworkingSocketsDebugOutputType>(level),
                                    output);
    activity();
    utils()->SetDebugOutputFunction(k_ESteamNetworkingSocketsDebugOutputType_None, nullptr);
    int above = 0;
    for (int finer = level + 1; finer <= 8; ++finer) {
        above += by_level[finer];
    }
    say(std::string(key) + ".above_the_level", "%d", above);
    say(std::string(key) + ".errors", "%d",
        by_level[k_ESteamNetworkingSocketsDebugOutputType_Error] > 0);
    say(std::string(key) + ".bugs", "%d",
        by_level[k_ESteamNetworkingSocketsDebugOutputType_Bug].load());
    say(std::string(key) + ".notes", "%d",
        by_level[k_ESteamNetworkingSocketsDebugOutputType_Msg] > 0);
    say(std::string(key) + ".others", "%d %d", other_levels.load(), empty_texts.load());
}

}  // namespace

int main() {
    utils()->SetDebugOutputFunction(k_ESteamNetworkingSocketsDebugOutputType_Msg, output);
    Library library;
    install_recorder();
    say("before_init", "accepted");
    at_level("none", k_ESteamNetworkingSocketsDebugOutputType_None);
    at_level("bug", k_ESteamNetworkingSocketsDebugOutputType_Bug);
    at_level("error", k_ESteamNetworkingSocketsDebugOutputType_Error);
    at_level("warning", k_ESteamNetworkingSocketsDebugOutputType_Warning);
    at_level("message", k_ESteamNetworkingSocketsDebugOutputType_Msg);
    at_level("everything", k_ESteamNetworkingSocketsDebugOutputType_Everything);
    forget();
    activity();
    say("removed", "%d", total());
    utils()->SetDebugOutputFunction(k_ESteamNetworkingSocketsDebugOutputType_Everything, output);
    utils()->SetDebugOutputFunction(k_ESteamNetworkingSocketsDebugOutputType_Everything,
                                    other_output);
    forget();
    activity();
    utils()->SetDebugOutputFunction(k_ESteamNetworkingSocketsDebugOutputType_None, nullptr);
    say("replaced.first", "%d", total());
    say("replaced.second", "%d", second_function > 0);
    return 0;
}
