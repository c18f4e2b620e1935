// What every program here needs: lines of observations, the library's life, waiting for events, and
// values as text. Nothing that differs from run to run may reach a line: no handle, port, time or
// free-form text of the library.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <steam/isteamnetworkingmessages.h>
#include <steam/isteamnetworkingsockets.h>
#include <steam/isteamnetworkingutils.h>
#include <steam/steamnetworkingcustomsignaling.h>
#include <steam/steamnetworkingsockets.h>

namespace abi {

// How long a program waits for something that must come.
constexpr std::chrono::seconds PATIENCE{20};

// Prints one observation as `key: text`. The runner pairs the lines of two libraries by their key.
__attribute__((format(printf, 2, 3))) inline void say(const std::string &key, const char *format,
                                                      ...) {
    std::printf("%s: ", key.c_str());
    va_list arguments;
    va_start(arguments, format);
    std::vprintf(format, arguments);
    va_end(arguments);
    std::printf("\n");
    std::fflush(stdout);
}

inline void say_number(const std::string &key, long long value) {
    say(key, "%lld", value);
}

inline ISteamNetworkingSockets *sockets() {
    return SteamNetworkingSockets();
}
inline ISteamNetworkingUtils *utils() {
    return SteamNetworkingUtils();
}

// The library between Init and Kill.
class Library {
public:
    explicit Library(const char *identity_text = nullptr) {
        SteamNetworkingIdentity identity;
        identity.Clear();
        if (identity_text != nullptr && !identity.ParseString(identity_text)) {
            say("init", "cannot parse %s", identity_text);
            std::_Exit(2);
        }
        SteamNetworkingErrMsg error = {};
        if (!GameNetworkingSockets_Init(identity_text != nullptr ? &identity : nullptr, error)) {
            say("init", "failed: %s", error);
            std::_Exit(2);
        }
    }
    ~Library() { GameNetworkingSockets_Kill(); }
    Library(const Library &) = delete;
    Library &operator=(const Library &) = delete;
};

// Calls RunCallbacks until the condition holds; ends the program when it does not within PATIENCE.
inline void wait_for(const char *what, const std::function<bool()> &condition) {
    const auto deadline = std::chrono::steady_clock::now() + PATIENCE;
    for (;;) {
        sockets()->RunCallbacks();
        if (condition()) {
            return;
        }
        if (std::chrono::steady_clock::now() > deadline) {
            say("TIMEOUT", "%s", what);
            std::_Exit(3);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

// Gives the library time for something that must not come.
inline void idle(int milliseconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (std::chrono::steady_clock::now() < end) {
        sockets()->RunCallbacks();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

// A UDP port of 127.0.0.1 that was free a moment ago.
inline uint16 free_port() {
    const int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(descriptor, reinterpret_cast<sockaddr *>(&address), size) != 0 ||
        getsockname(descriptor, reinterpret_cast<sockaddr *>(&address), &size) != 0) {
        say("PORT", "none is free");
        std::_Exit(2);
    }
    close(descriptor);
    return ntohs(address.sin_port);
}

inline SteamNetworkingIPAddr ip_address(const char *text, uint16 port = 0) {
    SteamNetworkingIPAddr address;
    address.Clear();
    if (!address.ParseString(text)) {
        say("ADDRESS", "cannot parse %s", text);
        std::_Exit(2);
    }
    address.m_port = port;
    return address;
}

inline std::string text_of(const SteamNetworkingIdentity &identity) {
    char text[SteamNetworkingIdentity::k_cchMaxString];
    identity.ToString(text, sizeof text);
    return text;
}

// An identity without the port, which the kernel chose.
inline std::string stable_text_of(const SteamNetworkingIdentity &identity) {
    SteamNetworkingIdentity copy = identity;
    if (copy.m_eType == k_ESteamNetworkingIdentityType_IPAddress) {
        copy.m_ip.m_port = 0;
    }
    return text_of(copy);
}

inline std::string text_of(const SteamNetworkingIPAddr &address, bool with_port = false) {
    char text[SteamNetworkingIPAddr::k_cchMaxString];
    address.ToString(text, sizeof text, with_port);
    return text;
}

inline const char *state_name(int state) {
    switch (state) {
    case k_ESteamNetworkingConnectionState_None: return "None";
    case k_ESteamNetworkingConnectionState_Connecting: return "Connecting";
    case k_ESteamNetworkingConnectionState_FindingRoute: return "FindingRoute";
    case k_ESteamNetworkingConnectionState_Connected: return "Connected";
    case k_ESteamNetworkingConnectionState_ClosedByPeer: return "ClosedByPeer";
    case k_ESteamNetworkingConnectionState_ProblemDetectedLocally: return "Problem";
    default: return "unknown";
    }
}

// Debug text of an end: that of an application as it is, of a library only whether there is any.
inline std::string end_text(int reason, const char *debug) {
    if (debug[0] == '\0') {
        return "(empty)";
    }
    const bool application = reason >= k_ESteamNetConnectionEnd_App_Min &&
                             reason <= k_ESteamNetConnectionEnd_AppException_Max;
    return application ? std::string("'") + debug + "'" : "(some)";
}

}  // namespace abi
