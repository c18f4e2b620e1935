//! Which addresses a relay may be sent to, and how addresses stand in messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use gamewire_wire::address::Address;

use crate::{PopId, config::NetworkConfig};

/// Lower ports belong to services that no game server is: name servers, time servers and others
/// that answer a packet with a larger one.
pub const MIN_SERVER_PORT: u16 = 1024;

/// The two fields in which messages carry an address.
pub(super) fn split(address: Address) -> (Option<u32>, Option<Bytes>) {
    match address.ip() {
        IpAddr::V4(ip) => (Some(ip.to_bits()), None),
        IpAddr::V6(ip) => (None, Some(Bytes::copy_from_slice(&ip.octets()))),
    }
}

/// Whether a ticket may lead to an address: a public one, or with `allow_private` any that one
/// machine has; no relay of the network; inside of what the config says of the PoP.
pub(super) fn may_reach(
    address: Address,
    pop: PopId,
    config: &NetworkConfig,
    allow_private: bool,
) -> bool {
    let ip = address.ip();
    if address.port() < MIN_SERVER_PORT || !is_one_machine(ip) {
        return false;
    }
    if allow_private {
        return true;
    }
    let ranges = config.pop(pop).map_or(&[][..], |pop| &pop.service_address_ranges);
    let in_range = ranges.is_empty() || ranges.iter().any(|range| range.contains(ip));
    in_range && is_public(ip) && !config.is_relay_ip(ip)
}

fn is_one_machine(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()),
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_multicast()),
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// By the IANA registry of special-purpose addresses.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18);
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    // Global unicast, without documentation, Teredo and 6to4, which hide other addresses.
    let global = first & 0xe000 == 0x2000;
    global && first != 0x2002 && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(text: &str, allow_private: bool) -> bool {
        let config = NetworkConfig::parse(
            br#"{"pops": {"sto": {"service_address_ranges": ["155.133.0.0/16", "10.0.0.0/8"],
                "relays": [{"ipv4": "155.133.1.1", "port_range": [27015, 27015]}]}}}"#,
        );
        let pop = "sto".parse().unwrap();
        may_reach(text.parse().unwrap(), pop, &config.unwrap().0, allow_private)
    }

    #[test]
    fn ranges_and_relays() {
        assert!(reach("155.133.2.2:27015", false));
        assert!(!reach("155.134.2.2:27015", false), "outside of the PoP's ranges");
        assert!(!reach("155.133.1.1:27015", false), "a relay");
        assert!(!reach("10.0.0.1:27015", false), "private even if the config says so");
        assert!(reach("10.0.0.1:27015", true));
        assert!(reach("127.0.0.1:27015", true));
        for port in [0, 53, 123, 1023] {
            assert!(!reach(&format!("155.133.2.2:{port}"), true));
        }
        for group in ["224.0.0.1:27015", "255.255.255.255:27015", "0.0.0.0:27015", "[ff02::1]:5000"]
        {
            assert!(!reach(group, true), "{group}");
        }
    }

    #[test]
    fn special_addresses_are_nobodys_servers() {
        let config = NetworkConfig::default();
        let pop = PopId::new(0);
        for ip in [
            "127.0.0.1",
            "10.1.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.1",
            "203.0.113.1",
            "240.0.0.1",
            "[::1]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[::]",
            "[64:ff9b::7f00:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
        ] {
            let address = format!("{ip}:27015").parse().unwrap();
            assert!(!may_reach(address, pop, &config, false), "{ip}");
        }
        for ip in ["8.8.8.8", "100.128.0.1", "198.20.0.1", "[2600::1]", "[2001:4860::1]"] {
            let address = format!("{ip}:27015").parse().unwrap();
            assert!(may_reach(address, pop, &config, false), "{ip}");
        }
    }
}
