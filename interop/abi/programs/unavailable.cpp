// What an open build cannot do without a service behind it: relays, tickets, fake addresses,
// messages without signaling, certificates. It says so, and harms nothing.
#include "connections.h"

using namespace abi;

namespace {

void relays() {
    SteamRelayNetworkStatus_t status;
    std::memset(&status, 0x5a, sizeof status);
    say_number("relay.status", utils()->GetRelayNetworkStatus(&status));
    say_number("relay.status.null", utils()->GetRelayNetworkStatus(nullptr));
    say("relay.status.details", "%d %d %d %d", status.m_eAvail, status.m_bPingMeasurementInProgress,
        status.m_eAvailNetworkConfig, status.m_eAvailAnyRelay);
    SteamNetworkPingLocation_t location = {};
    say("relay.location", "%g", static_cast<double>(utils()->GetLocalPingLocation(location)));
    say_number("relay.estimate", utils()->EstimatePingTimeBetweenTwoLocations(location, location));
    say_number("relay.estimate_local", utils()->EstimatePingTimeFromLocalHost(location));
    char text[1024] = "unchanged";
    utils()->ConvertPingLocationToString(location, text, sizeof text);
    say("relay.location_text", "'%s'", text);
    say("relay.parse", "%d", utils()->ParsePingLocationString("fra=10", location));
    say("relay.parse_empty", "%d", utils()->ParsePingLocationString("", location));
    say("relay.up_to_date", "%d", utils()->CheckPingDataUpToDate(1e10F));
    SteamNetworkingPOPID via = 77;
    say_number("relay.data_center", utils()->GetPingToDataCenter(k_SteamDatagramPOPID_dev, &via));
    say("relay.via", "%u", via);
    say_number("relay.data_center_null",
               utils()->GetPingToDataCenter(k_SteamDatagramPOPID_dev, nullptr));
    say_number("relay.direct", utils()->GetDirectPingToPOP(k_SteamDatagramPOPID_dev));
    say_number("relay.count", utils()->GetPOPCount());
    SteamNetworkingPOPID list[4];
    say_number("relay.list", utils()->GetPOPList(list, 4));
    utils()->InitRelayNetworkAccess();
    say_number("relay.status.after", utils()->GetRelayNetworkStatus(nullptr));
}

void tickets() {
    SteamNetworkingIdentity server;
    server.Clear();
    server.SetGenericString("server");
    say("ticket.received", "%d", sockets()->ReceivedRelayAuthTicket("ticket", 6, nullptr));
    say_number("ticket.find", sockets()->FindRelayAuthTicketForServer(server, 0, nullptr));
    say("hosted.connect", "%u", sockets()->ConnectToHostedDedicatedServer(server, 0, 0, nullptr));
    say("hosted.port", "%d", sockets()->GetHostedDedicatedServerPort());
    say("hosted.pop", "%u", sockets()->GetHostedDedicatedServerPOPID());
    say("hosted.listen", "%u", sockets()->CreateHostedDedicatedServerListenSocket(0, 0, nullptr));
}

void fake_addresses(const Pair &pair) {
    say("fake.begin", "%d", sockets()->BeginAsyncRequestFakeIP(1));
    say("fake.listen", "%u", sockets()->CreateListenSocketP2PFakeIP(0, 0, nullptr));
    SteamNetworkingIPAddr address = {};
    say_number("fake.remote", sockets()->GetRemoteFakeIPForConnection(pair.client, &address));
    say_number("fake.remote_invalid", sockets()->GetRemoteFakeIPForConnection(0, &address));
    say_number("fake.remote_null", sockets()->GetRemoteFakeIPForConnection(pair.client, nullptr));
    say("fake.port", "%d", sockets()->CreateFakeUDPPort(0) != nullptr);
    say("fake.client_port", "%d", sockets()->CreateFakeUDPPort(-1) != nullptr);
    SteamNetworkingIdentity identity;
    say_number("fake.identity",
               utils()->GetRealIdentityForFakeIP(ip_address("169.254.1.1", 5), &identity));
    say_number("fake.identity_real",
               utils()->GetRealIdentityForFakeIP(ip_address("10.0.0.1", 5), &identity));
}

void messages() {
    ISteamNetworkingMessages *interface = SteamNetworkingMessages();
    SteamNetworkingIdentity peer;
    peer.Clear();
    peer.SetGenericString("nobody");
    SteamNetworkingIdentity invalid;
    invalid.Clear();
    const int flags = k_nSteamNetworkingSend_Reliable;
    say_number("messages.send", interface->SendMessageToUser(peer, "x", 1, flags, 0));
    say_number("messages.send_invalid", interface->SendMessageToUser(invalid, "x", 1, flags, 0));
    SteamNetworkingMessage_t *message = nullptr;
    say_number("messages.receive", interface->ReceiveMessagesOnChannel(0, &message, 1));
    say("messages.accept", "%d", interface->AcceptSessionWithUser(peer));
    say("messages.close", "%d", interface->CloseSessionWithUser(peer));
    say("messages.close_channel", "%d", interface->CloseChannelWithUser(peer, 0));
    SteamNetConnectionInfo_t info;
    SteamNetConnectionRealTimeStatus_t status;
    say("messages.info", "%s",
        state_name(interface->GetSessionConnectionInfo(peer, &info, &status)));
    say("messages.info_null", "%s",
        state_name(interface->GetSessionConnectionInfo(peer, nullptr, nullptr)));
}

void certificates() {
    SteamNetAuthenticationStatus_t status;
    say_number("auth.status", sockets()->GetAuthenticationStatus(&status));
    say_number("auth.details", status.m_eAvail);
    say_number("auth.status_null", sockets()->GetAuthenticationStatus(nullptr));
    say_number("auth.init", sockets()->InitAuthentication());
    SteamNetworkingErrMsg error = "";
    int size = 0;
    say("cert.request_size", "%d", sockets()->GetCertificateRequest(&size, nullptr, error));
    say("cert.request_size.value", "%d", size > 30 && size <= 512);
    uint8 request[512];
    int small = 5;
    say("cert.request_small", "%d", sockets()->GetCertificateRequest(&small, request, error));
    say("cert.request_small.needed", "%d", small == size);
    say("cert.request_small.error", "%d", error[0] != '\0');
    int filled = sizeof request;
    say("cert.request", "%d", sockets()->GetCertificateRequest(&filled, request, error));
    say("cert.request.size", "%d", filled == size);
    uint8 again[512];
    int filled_again = sizeof again;
    sockets()->GetCertificateRequest(&filled_again, again, error);
    say("cert.request.same_key", "%d",
        filled == filled_again && std::memcmp(request, again, static_cast<size_t>(filled)) == 0);
    for (const std::string &bytes :
         {std::string(), std::string("garbage"), std::string(600, '\x0a')}) {
        error[0] = '\0';
        const std::string key = "cert.set." + std::to_string(bytes.size());
        say(key, "%d",
            sockets()->SetCertificate(bytes.data(), static_cast<int>(bytes.size()), error));
        say(key + ".error", "%d", error[0] != '\0');
    }
}

}  // namespace

int main() {
    Library library;
    install_recorder();
    const Pair pair = quiet_pair();
    relays();
    tickets();
    fake_addresses(pair);
    messages();
    certificates();
    send(pair.client, "still alive", k_nSteamNetworkingSend_ReliableNoNagle);
    SteamNetworkingMessage_t *message = receive(pair.server);
    say("afterwards", "%.*s", message->m_cbSize, static_cast<char *>(message->m_pData));
    message->Release();
    close_pair(pair);
    return 0;
}
