// Identities and addresses to and from text: every type, what is refused, and short buffers.
#include "support.h"

using namespace abi;

namespace {

std::string hex(const void *data, size_t size) {
    std::string text;
    char digits[3];
    for (size_t index = 0; index < size; ++index) {
        std::snprintf(digits, sizeof digits, "%02x", static_cast<const uint8 *>(data)[index]);
        text += digits;
    }
    return text;
}

void say_identity(const std::string &key, const SteamNetworkingIdentity &identity) {
    say(key, "type=%d size=%d text=%s", identity.m_eType, identity.m_cbSize,
        text_of(identity).c_str());
}

void parse_identity(const char *text) {
    SteamNetworkingIdentity identity;
    std::memset(static_cast<void *>(&identity), 0x5a, sizeof identity);
    const bool parsed = identity.ParseString(text);
    say(std::string("identity[") + text + "]", "%d", parsed);
    if (parsed) {
        say_identity(std::string("identity[") + text + "].is", identity);
        say(std::string("identity[") + text + "].bytes", "%s",
            hex(identity.m_genericBytes, static_cast<size_t>(identity.m_cbSize)).c_str());
    }
}

// Good and bad, of every type.
const std::string IDENTITIES[] = {
    "invalid",
    "",
    "str:",
    "str:a",
    "str:Hello World",
    "str:" + std::string(31, 'a'),
    "str:" + std::string(32, 'a'),
    "STR:a",
    "Str:a",
    " str:a",
    "str:a ",
    "gen:",
    "gen:0",
    "gen:00",
    "gen:0aFF",
    "gen:zz",
    "gen:" + std::string(64, 'e'),
    "gen:" + std::string(66, 'e'),
    "steamid:76561198000000001",
    "steamid:0",
    "steamid:1",
    "steamid:-1",
    "steamid:",
    "steamid:76561198000000001x",
    "steamid:99999999999999999999",
    "steamid:90071992547409920",
    "xboxpwid:",
    "xboxpwid:abc",
    "xboxpwid:" + std::string(32, 'x'),
    "xboxpwid:" + std::string(33, 'x'),
    "psn:1",
    "psn:0",
    "psn:18446744073709551615",
    "psn:18446744073709551616",
    "psn:x",
    "ip:1.2.3.4",
    "ip:1.2.3.4:27015",
    "ip:::1",
    "ip:[::1]:80",
    "ip:127.0.0.1",
    "ip:",
    "ip:1.2.3",
    "ip:localhost",
    "ip:[2001:db8::1]:65535",
    "ip:1.2.3.4:0",
    "unknown:thing",
    "x:y",
    "UPPER:case",
    "a:",
    ":b",
    "nocolon",
    "with space:x",
    "other:with space",
    "other:1,2;3",
    "under_score:x",
    "dash-ed:x",
    "num3:x",
    "3num:x",
    "other:" + std::string(121, 'z'),
    "other:" + std::string(122, 'z'),
    "other:\x7f",
    "other:\xc3\xa9",
    "stadia:1",
    "epicgames:x",
    "google:1",
};

void identities() {
    for (const std::string &text : IDENTITIES) {
        parse_identity(text.c_str());
    }
}

void setters() {
    SteamNetworkingIdentity identity;
    identity.Clear();
    say_identity("set.cleared", identity);
    identity.SetLocalHost();
    say_identity("set.localhost", identity);
    identity.SetIPv4Addr(0x0a000001, 99);
    say_identity("set.ipv4", identity);
    identity.SetSteamID64(76561198000000001ULL);
    say_identity("set.steamid", identity);
    identity.SetSteamID64(5);
    say_identity("set.odd_steamid", identity);
    identity.SetPSNID(12345);
    say_identity("set.psn", identity);
    identity.SetXboxPairwiseID("xbox");
    say_identity("set.xbox", identity);
    identity.SetGenericString("");
    say_identity("set.empty_string", identity);
    identity.SetGenericBytes("\0\x01\xff", 3);
    say_identity("set.bytes", identity);
    identity.SetGenericBytes("", 0);
    say_identity("set.no_bytes", identity);
    for (const int type : {5, 15, 19, -1, 0x7fffffff}) {
        identity.Clear();
        identity.m_eType = static_cast<ESteamNetworkingIdentityType>(type);
        say_identity("set.type." + std::to_string(type), identity);
    }
}

// A buffer of every length that matters, and what lies behind it untouched.
void truncation() {
    SteamNetworkingIdentity identity;
    identity.ParseString("str:truncated");
    for (const size_t size :
         {size_t{1}, size_t{2}, size_t{4}, size_t{5}, size_t{13}, size_t{14}, size_t{40}}) {
        char buffer[48];
        std::memset(buffer, '#', sizeof buffer);
        buffer[47] = '\0';
        SteamNetworkingIdentity_ToString(&identity, buffer, size);
        say("truncated.identity." + std::to_string(size), "'%s' guard=%c", buffer, buffer[size]);
    }
    const SteamNetworkingIPAddr address = ip_address("[2001:db8::7]:27015", 27015);
    for (const size_t size :
         {size_t{1}, size_t{5}, size_t{14}, size_t{20}, size_t{21}, size_t{40}}) {
        char buffer[48];
        std::memset(buffer, '#', sizeof buffer);
        buffer[47] = '\0';
        SteamNetworkingIPAddr_ToString(&address, buffer, size, true);
        say("truncated.address." + std::to_string(size), "'%s' guard=%c", buffer, buffer[size]);
    }
}

void parse_address(const char *text) {
    SteamNetworkingIPAddr address;
    std::memset(static_cast<void *>(&address), 0x5a, sizeof address);
    const bool parsed = address.ParseString(text);
    say(std::string("address[") + text + "]", "%d", parsed);
    if (parsed) {
        say(std::string("address[") + text + "].is", "%s | %s | %s port=%d",
            text_of(address).c_str(), text_of(address, true).c_str(),
            hex(address.m_ipv6, 16).c_str(), address.m_port);
    }
}

// Good and bad, with and without a port.
const char *const ADDRESSES[] = {
    "1.2.3.4",
    "1.2.3.4:5",
    "1.2.3.4:65535",
    "1.2.3.4:65536",
    "1.2.3.4:-1",
    "1.2.3.4:",
    "1.2.3.4:garbage",
    "1.2.3.4:5x",
    "0.0.0.0",
    "0.0.0.0:0",
    "255.255.255.255:1",
    "256.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    " 1.2.3.4",
    "1.2.3.4 ",
    "1.2.3.4\t",
    "::",
    "::1",
    "[::1]",
    "[::1]:80",
    "[::1]:",
    "[::1]:x",
    "[::1",
    "::1]:80",
    "::ffff:1.2.3.4",
    "[::ffff:1.2.3.4]:9",
    "2001:db8::1",
    "2001:DB8:0:0:0:0:0:1",
    "2001:0db8:0000:0000:0000:0000:0000:0001",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "fe80::1%1",
    "fe80::1%eth0",
    "12345::",
    "",
    "localhost",
    "garbage",
    ":80",
    "1.2.3.4:080",
    "64:ff9b::1.2.3.4",
    "::1.2.3.4",
};

void addresses() {
    for (const char *text : ADDRESSES) {
        parse_address(text);
    }
}

// IPv6 in its canonical form: the longest run of zeros is cut, the first of equals.
void canonical() {
    const uint8 forms[][16] = {
        {0},
        {0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3},
        {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1},
        {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1},
        {0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89},
        {0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0},
    };
    int number = 0;
    for (const auto &form : forms) {
        SteamNetworkingIPAddr address;
        address.SetIPv6(form, 8080);
        const std::string key = "canonical." + std::to_string(++number);
        say(key, "%s | %s", text_of(address).c_str(), text_of(address, true).c_str());
        say(key + ".fake", "%d", address.GetFakeIPType());
    }
}

void fake_addresses() {
    for (const char *text :
         {"169.254.0.1", "169.254.225.11", "10.0.0.1", "127.0.0.1", "::1", "0.0.0.0"}) {
        const SteamNetworkingIPAddr address = ip_address(text, 1);
        say(std::string("fake.") + text, "%d %d", address.GetFakeIPType(),
            utils()->GetIPv4FakeIPType(address.GetIPv4()));
    }
}

// The same through the utilities' own slots.
void through_utils() {
    SteamNetworkingIdentity identity;
    say("utils.identity.parse", "%d",
        utils()->SteamNetworkingIdentity_ParseString(&identity, "str:slots"));
    char text[128];
    utils()->SteamNetworkingIdentity_ToString(identity, text, sizeof text);
    say("utils.identity", "%s", text);
    SteamNetworkingIPAddr address;
    say("utils.address.parse", "%d",
        utils()->SteamNetworkingIPAddr_ParseString(&address, "9.8.7.6:5"));
    utils()->SteamNetworkingIPAddr_ToString(address, text, sizeof text, true);
    say("utils.address", "%s", text);
    say("utils.address.fake", "%d", utils()->SteamNetworkingIPAddr_GetFakeIPType(address));
    say("short_identity", "%d",
        SteamNetworkingIdentity_ParseString(&identity, 40, "str:fits in forty"));
    say("short_identity.long_text", "%d",
        SteamNetworkingIdentity_ParseString(&identity, 24,
                                            "xboxpwid:01234567890123456789012345678901"));
}

}  // namespace

int main() {
    identities();
    setters();
    truncation();
    addresses();
    canonical();
    fake_addresses();
    through_utils();
    return 0;
}
