//! Addresses: IPv6 with a port, IPv4 inside it, and their text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

use thiserror::Error;

use crate::limits::MAX_ADDRESS_TEXT;

/// An IP address and port. IPv4 is kept as IPv4-mapped IPv6 (`::ffff:a.b.c.d`).
///
/// As text an IPv4 address is dotted decimal, an IPv6 address is as RFC 5952 says, in brackets
/// where a port follows; [`fmt::Display`] prints the port only if it is not 0 (api.md §3.5).
#[doc(alias = "SteamNetworkingIPAddr")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    octets: [u8; 16],
    port: u16,
}

/// The text is not an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Error)]
#[error("not an address: expected forms like 1.2.3.4, 1.2.3.4:27015, ::1 or [::1]:27015")]
pub struct AddressError;

impl Address {
    /// `::` port 0: any address.
    pub const UNSPECIFIED: Self = Self { octets: [0; 16], port: 0 };

    /// `::1` port 0.
    pub const LOCALHOST: Self = Self::from_v6(Ipv6Addr::LOCALHOST, 0);

    /// An address from any IP address and port. IPv4 is mapped.
    #[must_use]
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::from_v4(ip, port),
            IpAddr::V6(ip) => Self::from_v6(ip, port),
        }
    }

    /// An address from an IPv4 address and port.
    #[must_use]
    pub const fn from_v4(ip: Ipv4Addr, port: u16) -> Self {
        Self::from_v6(ip.to_ipv6_mapped(), port)
    }

    /// An address from an IPv6 address and port.
    #[must_use]
    pub const fn from_v6(ip: Ipv6Addr, port: u16) -> Self {
        Self { octets: ip.octets(), port }
    }

    /// The 16 bytes of the IPv6 address in network order, IPv4 mapped.
    #[must_use]
    pub const fn octets(&self) -> [u8; 16] {
        self.octets
    }

    /// The port, 0 where none is meant.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The same IP address with another port.
    #[must_use]
    pub const fn with_port(self, port: u16) -> Self {
        Self { octets: self.octets, port }
    }

    /// The IP address, IPv4 where it is mapped.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.v6().to_canonical()
    }

    /// The IPv6 address, mapped where it is IPv4.
    #[must_use]
    pub const fn v6(&self) -> Ipv6Addr {
        Ipv6Addr::from_octets(self.octets)
    }

    /// The IPv4 address, if it is one.
    #[must_use]
    pub const fn v4(&self) -> Option<Ipv4Addr> {
        self.v6().to_ipv4_mapped()
    }

    /// Whether this is an IPv4-mapped address.
    #[must_use]
    pub const fn is_v4(&self) -> bool {
        self.v4().is_some()
    }

    /// Whether the IP address is `::` (not `0.0.0.0`), whatever the port.
    #[doc(alias = "IsIPv6AllZeros")]
    #[must_use]
    pub const fn is_ipv6_all_zeros(&self) -> bool {
        self.v6().is_unspecified()
    }

    /// Whether the IP address is exactly `::1` or `127.0.0.1`, whatever the port.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        self.v6() == Ipv6Addr::LOCALHOST || self.v4() == Some(Ipv4Addr::LOCALHOST)
    }

    /// Whether the IP address is `::1` or any of `127.0.0.0/8`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.ip().is_loopback()
    }

    /// The socket address, IPv4 where it is mapped.
    #[must_use]
    pub fn to_socket_addr(&self) -> SocketAddr {
        match self.v4() {
            Some(ip) => SocketAddr::V4(SocketAddrV4::new(ip, self.port)),
            None => SocketAddr::V6(self.to_socket_addr_v6()),
        }
    }

    /// The IPv6 socket address, mapped where it is IPv4: what a dual-stack socket takes.
    #[must_use]
    pub const fn to_socket_addr_v6(&self) -> SocketAddrV6 {
        SocketAddrV6::new(self.v6(), self.port, 0, 0)
    }

    /// The text with the port, even if it is 0.
    pub fn display_with_port(&self) -> impl fmt::Display + use<> {
        AddressText { address: *self, port: true }
    }

    /// The text without the port.
    pub fn display_without_port(&self) -> impl fmt::Display + use<> {
        AddressText { address: *self, port: false }
    }
}

struct AddressText {
    address: Address,
    port: bool,
}

impl fmt::Display for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address.ip(), self.port) {
            (IpAddr::V4(ip), true) => write!(f, "{ip}:{}", self.address.port),
            (IpAddr::V4(ip), false) => write!(f, "{ip}"),
            (IpAddr::V6(ip), true) => write!(f, "[{ip}]:{}", self.address.port),
            (IpAddr::V6(ip), false) => write!(f, "{ip}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        AddressText { address: *self, port: self.port != 0 }.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<SocketAddr> for Address {
    /// The scope and flow label of an IPv6 socket address are not kept.
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip(), address.port())
    }
}

impl From<Address> for SocketAddr {
    fn from(address: Address) -> Self {
        address.to_socket_addr()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Parses `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` and `[::1]:80`; anything else is an error.
    ///
    /// Stricter than Valve's library, which takes `1.2.3.4:garbage` for port 0, and accepts and
    /// drops IPv6 scope ids.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > MAX_ADDRESS_TEXT {
            return Err(AddressError);
        }
        if let Some(inner) = text.strip_prefix('[') {
            let (ip, rest) = inner.split_once(']').ok_or(AddressError)?;
            let port = match rest.strip_prefix(':') {
                Some(port) => parse_port(port)?,
                None if rest.is_empty() => 0,
                None => return Err(AddressError),
            };
            return Ok(Self::from_v6(ip.parse().map_err(|_| AddressError)?, port));
        }
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            return Ok(Self::from_v6(ip, 0));
        }
        let (ip, port) = match text.split_once(':') {
            Some((ip, port)) => (ip, parse_port(port)?),
            None => (text, 0),
        };
        Ok(Self::from_v4(ip.parse().map_err(|_| AddressError)?, port))
    }
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    // `u16::from_str` would also take a leading plus sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AddressError);
    }
    text.parse().map_err(|_| AddressError)
}

#[cfg(test)]
mod tests;
