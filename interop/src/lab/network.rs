//! The public network, and where peers can live in and behind it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::Context as _;

use super::{
    namespace::{Namespace, ip_here},
    router::Nat,
};

/// The bridge.
const BRIDGE: &str = "public";
/// An address of its own: else a bridge takes the lowest of its members, and changes it when one comes
/// or goes, so that peers send what is for the servers to nowhere.
const BRIDGE_MAC: &str = "02:00:00:00:00:01";
/// The first number of peers; those below belong to servers.
const FIRST_PEER: u16 = 256;

/// Which kinds of addresses a peer in the public network has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    Both,
}

/// The public network: 198.18.0.0/16 (RFC 2544) and 2001:db8::/64, on a bridge.
#[derive(Debug)]
pub struct PublicNetwork {
    next: AtomicU16,
}

/// Where a peer lives: its namespace and the routers before it.
#[derive(Debug)]
pub struct Home {
    peer: Namespace,
    /// Kept for as long as the peer.
    routers: Vec<Namespace>,
}

impl Home {
    /// A program that runs at home.
    pub fn command(&self, program: &Path) -> Command {
        self.peer.command(program)
    }

    /// How many routers are before it.
    pub fn routers(&self) -> usize {
        self.routers.len()
    }
}

impl PublicNetwork {
    /// Makes the bridge, with addresses for servers.
    ///
    /// # Errors
    /// We may not.
    pub fn new(servers: &[u16]) -> anyhow::Result<Self> {
        let mut lines = format!("link add {BRIDGE} address {BRIDGE_MAC} type bridge\n");
        for &server in servers {
            let (v4, v6) = (v4_address(server), v6_address(server));
            lines +=
                &format!("addr add {v4}/16 dev {BRIDGE}\naddr add {v6}/64 dev {BRIDGE} nodad\n");
        }
        lines += &format!("link set {BRIDGE} up\n");
        ip_here(&lines).context("the public network")?;
        Ok(Self { next: AtomicU16::new(FIRST_PEER) })
    }

    /// A new namespace with an interface `wan` in the public network, and its number.
    fn attach(&self, families: Families) -> anyhow::Result<(Namespace, u16)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let namespace = Namespace::new()?;
        let pid = namespace.pid();
        ip_here(&format!(
            "link add p{number} type veth peer name wan netns {pid}\n\
             link set p{number} master {BRIDGE} up\n"
        ))?;
        let mut lines = String::new();
        if families == Families::V4 {
            // No link-local address either, which would take its time.
            namespace.sysctl("ipv6/conf/wan/disable_ipv6", "1")?;
        } else {
            lines += &format!("addr add {}/64 dev wan nodad\n", v6_address(number));
        }
        if families != Families::V6 {
            lines += &format!("addr add {}/16 dev wan\n", v4_address(number));
        }
        namespace.ip(&(lines + "link set wan up\n"))?;
        Ok((namespace, number))
    }

    /// A peer in the public network itself.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn public_home(&self, families: Families) -> anyhow::Result<Home> {
        let (peer, _) = self.attach(families)?;
        peer.wait_for_carrier("wan")?;
        Ok(Home { peer, routers: Vec::new() })
    }

    /// A peer behind routers, the outermost first.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn home_behind(&self, nats: &[Nat]) -> anyhow::Result<Home> {
        let (mut inner, number) = self.attach(Families::V4)?;
        let mut routers = Vec::new();
        for (depth, nat) in nats.iter().enumerate() {
            let is_last = depth + 1 == nats.len();
            let network = if is_last { HOME_NETWORK } else { CARRIER_NETWORK };
            let client = network.client(number);
            let next = inside(&inner, *nat, network, client)?;
            routers.push(std::mem::replace(&mut inner, next));
        }
        inner.wait_for_carrier("wan")?;
        Ok(Home { peer: inner, routers })
    }

    /// Two peers in one private network behind one router.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn shared_home(&self, nat: Nat) -> anyhow::Result<(Home, Home)> {
        let (router, _) = self.attach(Families::V4)?;
        bridge_inside(&router, HOME_NETWORK.gateway)?;
        let mut homes = Vec::new();
        for number in [1, 2] {
            let client = HOME_NETWORK.client(number);
            let peer = join_bridge(&router, number, HOME_NETWORK, client)?;
            peer.wait_for_carrier("wan")?;
            homes.push(Home { peer, routers: Vec::new() });
        }
        forward(&router, nat, &HOME_NETWORK.client(1).to_string())?;
        let second = homes.pop().context("two were made")?;
        let mut first = homes.pop().context("two were made")?;
        first.routers.push(router);
        Ok((first, second))
    }

    /// Two customers of one carrier, each behind a router at home. With `hairpin` the carrier sends
    /// what one customer addresses to the other's public port back in.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn neighbours(&self, hairpin: bool) -> anyhow::Result<(Home, Home)> {
        let (carrier, number) = self.attach(Families::V4)?;
        bridge_inside(&carrier, CARRIER_NETWORK.gateway)?;
        let mut homes = Vec::new();
        let mut customers = Vec::new();
        for customer in [1, 2] {
            let address = CARRIER_NETWORK.client(customer);
            let home = join_bridge(&carrier, customer, CARRIER_NETWORK, address)?;
            let client = HOME_NETWORK.client(customer);
            let nat = Nat::PORT_RESTRICTED;
            let inner = inside(&home, nat, HOME_NETWORK, client)?;
            inner.wait_for_carrier("wan")?;
            // The carrier gives each customer ports of his own, as deterministic CGNAT does
            // (RFC 7422); the router at home uses them, so that they lead back to it.
            let ports = ports_of(customer);
            home.nft(&format!(
                "flush chain ip lab outbound
                 add rule ip lab outbound oifname \"wan\" meta l4proto udp masquerade to :{ports}
                 add rule ip lab outbound oifname \"wan\" masquerade
                "
            ))?;
            customers.push((address, ports));
            homes.push(Home { peer: inner, routers: vec![home] });
        }
        let public = v4_address(number);
        forward(&carrier, Nat::PORT_RESTRICTED, &customers[0].0.to_string())?;
        if hairpin {
            carrier.nft(&hairpin_rules(public, &customers))?;
        }
        let second = homes.pop().context("two were made")?;
        let mut first = homes.pop().context("two were made")?;
        first.routers.push(carrier);
        Ok((first, second))
    }
}

impl Drop for PublicNetwork {
    fn drop(&mut self) {
        // It goes with our namespace at the latest.
        let _gone = ip_here(&format!("link del {BRIDGE}\n"));
    }
}

/// A private network.
#[derive(Clone, Copy)]
struct Private {
    gateway: Ipv4Addr,
}

/// The one that every second home has.
const HOME_NETWORK: Private = Private { gateway: Ipv4Addr::new(192, 168, 1, 1) };
/// Between a carrier and its customers (RFC 6598).
const CARRIER_NETWORK: Private = Private { gateway: Ipv4Addr::new(100, 64, 0, 1) };

impl Private {
    fn client(self, number: u16) -> Ipv4Addr {
        let [a, b, c, _] = self.gateway.octets();
        // 2 to 241, so that peers of different homes seldom share an address.
        Ipv4Addr::new(a, b, c, 2 + u8::try_from(number % 240).expect("below 240"))
    }
}

/// The ports of a carrier's customer.
fn ports_of(customer: u16) -> String {
    let first = 10_000 + 10_000 * customer;
    format!("{first}-{}", first + 9_999)
}

fn hairpin_rules(public: Ipv4Addr, customers: &[(Ipv4Addr, String)]) -> String {
    let mut rules = String::new();
    for (address, ports) in customers {
        rules += &format!(
            "add rule ip lab inbound iifname \"lan\" ip daddr {public} udp dport {ports} \
             dnat to {address}\n"
        );
    }
    // Seen from inside, the neighbour must look as he does from outside.
    for (address, _) in customers {
        rules += &format!(
            "add rule ip lab outbound oifname \"lan\" ip saddr {address} meta l4proto udp \
             snat to {public}\n"
        );
    }
    rules
}

/// A namespace behind `router`, joined by its interface `lan`.
fn inside(
    router: &Namespace,
    nat: Nat,
    network: Private,
    client: Ipv4Addr,
) -> anyhow::Result<Namespace> {
    let peer = Namespace::new()?;
    let Private { gateway } = network;
    router.ip(&format!(
        "link add lan type veth peer name wan netns {}\n\
         addr add {gateway}/24 dev lan\nlink set lan up\n",
        peer.pid()
    ))?;
    address(&peer, client, gateway)?;
    forward(router, nat, &client.to_string())?;
    Ok(peer)
}

/// A router's `lan` becomes a bridge, for several clients.
fn bridge_inside(router: &Namespace, gateway: Ipv4Addr) -> anyhow::Result<()> {
    router
        .ip(&format!("link add lan address {BRIDGE_MAC} type bridge\naddr add {gateway}/24 dev lan\nlink set lan up\n"))
}

fn join_bridge(
    router: &Namespace,
    number: u16,
    network: Private,
    client: Ipv4Addr,
) -> anyhow::Result<Namespace> {
    let peer = Namespace::new()?;
    router.ip(&format!(
        "link add c{number} type veth peer name wan netns {}\n\
         link set c{number} master lan up\n",
        peer.pid()
    ))?;
    address(&peer, client, network.gateway)?;
    Ok(peer)
}

fn address(peer: &Namespace, client: Ipv4Addr, gateway: Ipv4Addr) -> anyhow::Result<()> {
    peer.sysctl("ipv6/conf/wan/disable_ipv6", "1")?;
    peer.ip(&format!(
        "addr add {client}/24 dev wan\nlink set wan up\nroute add default via {gateway}\n"
    ))
}

fn forward(router: &Namespace, nat: Nat, client: &str) -> anyhow::Result<()> {
    router.sysctl("ipv4/ip_forward", "1")?;
    router.nft(&nat.rules(client))
}

/// The address of a number in the public network.
pub(super) fn v4_address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(198, 18, high, low)
}

pub(super) fn v6_address(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number)
}

/// The address of a server.
pub(super) fn server_address(number: u16, families: Families) -> IpAddr {
    match families {
        Families::V4 | Families::Both => v4_address(number).into(),
        Families::V6 => v6_address(number).into(),
    }
}
