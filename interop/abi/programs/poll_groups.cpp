// Poll groups: membership, arrival order over several connections, and what happens to messages
// that wait when the membership changes.
#include "connections.h"

using namespace abi;

namespace {

// Reads until so many messages came, and says which came from whom.
void say_received(const std::string &key, HSteamNetPollGroup group, int expected) {
    std::map<std::string, std::string> by_connection;
    int received = 0;
    wait_for("messages of the group", [&] {
        SteamNetworkingMessage_t *messages[4] = {};
        const int count = sockets()->ReceiveMessagesOnPollGroup(group, messages, 4);
        for (int index = 0; index < count; ++index) {
            const SteamNetworkingMessage_t *message = messages[index];
            by_connection[name_of(message->m_conn)] +=
                " " + std::string(static_cast<const char *>(message->m_pData),
                                  static_cast<size_t>(message->m_cbSize));
            messages[index]->Release();
            ++received;
        }
        return received >= expected;
    });
    say(key + ".count", "%d", received);
    for (const auto &[connection, texts] : by_connection) {
        say(key + "." + connection, "%s", texts.c_str());
    }
}

void send_reliably(HSteamNetConnection connection, const char *text) {
    send(connection, text, k_nSteamNetworkingSend_ReliableNoNagle);
}

void membership(const Pair &first, const Pair &second) {
    const HSteamNetPollGroup group = sockets()->CreatePollGroup();
    say("create", "%d", group != k_HSteamNetPollGroup_Invalid);
    say("set.first", "%d", sockets()->SetConnectionPollGroup(first.server, group));
    say("set.second", "%d", sockets()->SetConnectionPollGroup(second.server, group));
    say("set.again", "%d", sockets()->SetConnectionPollGroup(first.server, group));
    send_reliably(first.client, "one");
    wait_until_acked(first.client);
    send_reliably(second.client, "two");
    wait_until_acked(second.client);
    send_reliably(first.client, "three");
    say_received("group", group, 3);
    SteamNetworkingMessage_t *message = nullptr;
    say("group.empty", "%d", sockets()->ReceiveMessagesOnPollGroup(group, &message, 1));
    send_reliably(first.client, "directly");
    message = receive(first.server);
    say("member.directly", "%d", message->m_cbSize);
    message->Release();
    say("group.after_direct", "%d", sockets()->ReceiveMessagesOnPollGroup(group, &message, 1));
    say("destroy", "%d", sockets()->DestroyPollGroup(group));
    say("destroy.again", "%d", sockets()->DestroyPollGroup(group));
    say("destroyed.receive", "%d", sockets()->ReceiveMessagesOnPollGroup(group, &message, 1));
    say("destroyed.set", "%d", sockets()->SetConnectionPollGroup(first.server, group));
}

// Arrival order holds across connections.
void order(const Pair &first, const Pair &second) {
    const HSteamNetPollGroup group = sockets()->CreatePollGroup();
    sockets()->SetConnectionPollGroup(first.server, group);
    sockets()->SetConnectionPollGroup(second.server, group);
    for (int number = 0; number < 3; ++number) {
        send_reliably(second.client, "b");
        wait_until_acked(second.client);
        send_reliably(first.client, "a");
        wait_until_acked(first.client);
    }
    std::string sequence;
    SteamNetworkingMessage_t *messages[8] = {};
    const int count = sockets()->ReceiveMessagesOnPollGroup(group, messages, 8);
    for (int index = 0; index < count; ++index) {
        sequence += static_cast<char *>(messages[index]->m_pData)[0];
        messages[index]->Release();
    }
    say("order", "%s", sequence.c_str());
    sockets()->DestroyPollGroup(group);
}

// What waits moves with its connection.
void moving(const Pair &first, const Pair &second) {
    const HSteamNetPollGroup old_group = sockets()->CreatePollGroup();
    const HSteamNetPollGroup new_group = sockets()->CreatePollGroup();
    send_reliably(first.client, "waiting");
    wait_until_acked(first.client);
    say("moving.in", "%d", sockets()->SetConnectionPollGroup(first.server, old_group));
    say_received("moving.old", old_group, 1);
    send_reliably(first.client, "for the move");
    wait_until_acked(first.client);
    sockets()->SetConnectionPollGroup(second.server, new_group);
    say("moving.over", "%d", sockets()->SetConnectionPollGroup(first.server, new_group));
    SteamNetworkingMessage_t *message = nullptr;
    say("moving.old.empty", "%d", sockets()->ReceiveMessagesOnPollGroup(old_group, &message, 1));
    say_received("moving.new", new_group, 1);
    send_reliably(first.client, "for the end");
    wait_until_acked(first.client);
    say("moving.out", "%d",
        sockets()->SetConnectionPollGroup(first.server, k_HSteamNetPollGroup_Invalid));
    say("moving.new.empty", "%d", sockets()->ReceiveMessagesOnPollGroup(new_group, &message, 1));
    message = receive(first.server);
    say("moving.out.received", "%.*s", message->m_cbSize, static_cast<char *>(message->m_pData));
    message->Release();
    sockets()->DestroyPollGroup(old_group);
    sockets()->DestroyPollGroup(new_group);
}

// A member that is closed leaves, and what it had received goes with it.
void closed_member() {
    const Pair pair = quiet_pair();
    const HSteamNetPollGroup group = sockets()->CreatePollGroup();
    sockets()->SetConnectionPollGroup(pair.server, group);
    send_reliably(pair.client, "unread");
    wait_until_acked(pair.client);
    sockets()->CloseConnection(pair.server, 0, nullptr, false);
    SteamNetworkingMessage_t *message = nullptr;
    say("closed.receive", "%d", sockets()->ReceiveMessagesOnPollGroup(group, &message, 1));
    say("closed.destroy", "%d", sockets()->DestroyPollGroup(group));
    close_pair(pair);
}

void misuse(const Pair &pair) {
    const HSteamNetPollGroup group = sockets()->CreatePollGroup();
    SteamNetworkingMessage_t *message = nullptr;
    say("bad.destroy_zero", "%d", sockets()->DestroyPollGroup(0));
    say("bad.destroy_connection", "%d", sockets()->DestroyPollGroup(pair.client));
    say("bad.set_invalid_connection", "%d", sockets()->SetConnectionPollGroup(0, group));
    say("bad.set_connection_as_group", "%d",
        sockets()->SetConnectionPollGroup(pair.client, pair.server));
    say("bad.set_group_as_connection", "%d", sockets()->SetConnectionPollGroup(group, group));
    say("bad.clear_invalid_connection", "%d", sockets()->SetConnectionPollGroup(7, 0));
    say("bad.clear_twice", "%d", sockets()->SetConnectionPollGroup(pair.client, 0));
    say("bad.receive_zero", "%d", sockets()->ReceiveMessagesOnPollGroup(0, &message, 1));
    say("bad.receive_connection", "%d",
        sockets()->ReceiveMessagesOnPollGroup(pair.client, &message, 1));
    say("bad.receive_none", "%d", sockets()->ReceiveMessagesOnPollGroup(group, &message, 0));
    sockets()->DestroyPollGroup(group);
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    const Pair first = quiet_pair();
    const Pair second = quiet_pair();
    name(first.server, "first");
    name(second.server, "second");
    membership(first, second);
    order(first, second);
    moving(first, second);
    misuse(first);
    close_pair(first);
    close_pair(second);
    closed_member();
    return 0;
}
