// Connecting over IP: both roles in one process, what the callbacks say, and what is known
// afterwards.
#include "connections.h"

using namespace abi;

namespace {

void say_info(const std::string &key, HSteamNetConnection connection,
              const SteamNetworkingIPAddr &listening) {
    SteamNetConnectionInfo_t info;
    std::memset(&info, 0x5a, sizeof info);
    const bool known = sockets()->GetConnectionInfo(connection, &info);
    say(key, "%d state=%s end=%d debug=%s flags=%d identity=%s address=%s pops=%u,%u", known,
        state_name(info.m_eState), info.m_eEndReason,
        end_text(info.m_eEndReason, info.m_szEndDebug).c_str(), info.m_nFlags,
        stable_text_of(info.m_identityRemote).c_str(), text_of(info.m_addrRemote).c_str(),
        info.m_idPOPRemote, info.m_idPOPRelay);
    say(key + ".port", "%s",
        info.m_addrRemote.m_port == listening.m_port ? "the listening one" : "another");
    say(key + ".described", "%d", info.m_szConnectionDescription[0] != '\0');
    uint32 reserved = 0;
    for (const uint32 word : info.reserved) {
        reserved |= word;
    }
    say(key + ".reserved", "%u", reserved);
}

void say_listening(const std::string &key, const Listener &listener) {
    SteamNetworkingIPAddr bound;
    const bool known = sockets()->GetListenSocketAddress(listener.handle, &bound);
    say(key, "%d %s port=%s", known, text_of(bound).c_str(),
        bound.m_port == listener.address.m_port ? "as asked" : "another");
}

void connect_to(const std::string &key, const char *listen_ip, const char *connect_ip) {
    const Listener listener = listen({}, listen_ip);
    say_listening(key + ".bound", listener);
    const HSteamNetConnection client = connect(ip_address(connect_ip, listener.address.m_port));
    name(client, "client");
    say(key + ".handle", "%s", client != k_HSteamNetConnection_Invalid ? "valid" : "invalid");
    say(key + ".at_once", "%s", state_name(state_of(client)));
    const HSteamNetConnection server = wait_for_request(listener.handle);
    name(server, "server");
    say_info(key + ".request", server, listener.address);
    say_number(key + ".accept_own", sockets()->AcceptConnection(client));
    say_number(key + ".accept", sockets()->AcceptConnection(server));
    say(key + ".accepted", "%s", state_name(state_of(server)));
    say_number(key + ".accept_again", sockets()->AcceptConnection(server));
    wait_for_change(client, k_ESteamNetworkingConnectionState_Connected);
    wait_for_change(server, k_ESteamNetworkingConnectionState_Connected);
    say_changes(key + ".change.client", client);
    say_changes(key + ".change.server", server);
    say_info(key + ".client", client, listener.address);
    say_info(key + ".server", server, listener.address);
    close_pair({listener.handle, client, server});
}

void refused_listening() {
    const Listener listener = listen();
    SteamNetworkingIPAddr taken = listener.address;
    say("listen.twice", "%u", sockets()->CreateListenSocketIP(taken, 0, nullptr));
    taken.m_port = 0;
    say("listen.port_zero", "%u", sockets()->CreateListenSocketIP(taken, 0, nullptr));
    say("listen.foreign_address", "%u",
        sockets()->CreateListenSocketIP(ip_address("203.0.113.7", 9), 0, nullptr));
    say("listen.close", "%d", sockets()->CloseListenSocket(listener.handle));
    say("listen.close_again", "%d", sockets()->CloseListenSocket(listener.handle));
    say("listen.close_zero", "%d", sockets()->CloseListenSocket(0));
    SteamNetworkingIPAddr bound;
    say("listen.address_of_closed", "%d",
        sockets()->GetListenSocketAddress(listener.handle, &bound));
    HSteamListenSocket again = k_HSteamListenSocket_Invalid;
    wait_for("the port of a closed socket", [&] {
        again = sockets()->CreateListenSocketIP(listener.address, 0, nullptr);
        return again != k_HSteamListenSocket_Invalid;
    });
    say("listen.close_second", "%d", sockets()->CloseListenSocket(again));
}

void refused_connecting() {
    SteamNetworkingIPAddr address = ip_address("127.0.0.1", 0);
    const HSteamNetConnection no_port = connect(address);
    say("connect.port_zero", "%s", no_port != k_HSteamNetConnection_Invalid ? "tried" : "refused");
    sockets()->CloseConnection(no_port, 0, nullptr, false);
    address.Clear();
    address.m_port = 9;
    const HSteamNetConnection no_address = connect(address);
    say("connect.address_zero", "%s",
        no_address != k_HSteamNetConnection_Invalid ? "tried" : "refused");
    sockets()->CloseConnection(no_address, 0, nullptr, false);
    sockets()->RunCallbacks();
    changes.clear();
}

// Nobody answers: the initiator gives up after its initial timeout.
void unanswered() {
    const HSteamNetConnection client =
        connect(ip_address("127.0.0.1", free_port()),
                {int_option(k_ESteamNetworkingConfig_TimeoutInitial, 300)});
    name(client, "client");
    wait_for_change(client, k_ESteamNetworkingConnectionState_ProblemDetectedLocally);
    say_changes("unanswered", client);
    say("unanswered.close", "%d", sockets()->CloseConnection(client, 0, nullptr, false));
    idle(20);
    say_changes("unanswered.closed");
}

void say_identity(const std::string &key) {
    SteamNetworkingIdentity identity;
    const bool known = sockets()->GetIdentity(&identity);
    say(key, "%d %s localhost=%d", known, text_of(identity).c_str(), identity.IsLocalHost());
    say(key + ".null", "%d", sockets()->GetIdentity(nullptr));
}

}  // namespace

int main() {
    {
        Library library;
        install_recorder();
        say_identity("identity.default");
        connect_to("ipv4", "127.0.0.1", "127.0.0.1");
        connect_to("ipv6", "::1", "::1");
        connect_to("any.ipv4", "::", "127.0.0.1");
        connect_to("any.ipv6", "::", "::1");
        connect_to("any_ipv4", "0.0.0.0", "127.0.0.1");
        refused_listening();
        refused_connecting();
        unanswered();
    }
    for (const char *text : {"str:alice", "steamid:76561198000000001", "gen:0badc0de"}) {
        Library library(text);
        install_recorder();
        say_identity(std::string("identity.") + text);
        connect_to(text, "127.0.0.1", "127.0.0.1");
    }
    return 0;
}
