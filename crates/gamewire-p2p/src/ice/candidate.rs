//! Candidates: their priorities, and the lines that signal them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use super::{Base, CandidateKind};

/// Longest candidate line that is read, in bytes.
pub const MAX_LINE_LEN: usize = 256;

impl CandidateKind {
    /// Type preference of RFC 8445 §5.1.2, with Valve's values (wire.md §9).
    const fn preference(self) -> u32 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::PeerReflexive => "prflx",
            Self::ServerReflexive => "srflx",
            Self::Relayed => "relay",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Host, Self::PeerReflexive, Self::ServerReflexive, Self::Relayed]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Priority of a candidate of this kind at an interface with that preference.
    pub(super) const fn priority(self, local_preference: u16) -> u32 {
        self.preference() << 24 | (local_preference as u32) << 8 | 255
    }
}

/// A candidate of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LocalCandidate {
    pub(super) kind: CandidateKind,
    pub(super) address: SocketAddr,
    pub(super) base: Base,
    pub(super) priority: u32,
    /// Alike for candidates of one kind that one server gave to one interface (RFC 8445 §5.1.1.3).
    pub(super) foundation: u32,
}

impl LocalCandidate {
    /// A number that only depends on what a foundation depends on.
    pub(super) fn foundation(kind: CandidateKind, base: IpAddr, server: Option<IpAddr>) -> u32 {
        let mut hash = 0x811c_9dc5_u32;
        let mut add = |byte: u8| hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        add(kind.preference() as u8);
        for ip in [Some(base), server].into_iter().flatten() {
            match ip {
                IpAddr::V4(ip) => ip.octets().into_iter().for_each(&mut add),
                IpAddr::V6(ip) => ip.octets().into_iter().for_each(&mut add),
            }
        }
        hash
    }
}

/// The line, as Valve's peers write it: component 0, no related address.
impl fmt::Display for LocalCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, address, priority, foundation, .. } = self;
        let (ip, port) = (address.ip(), address.port());
        write!(f, "candidate:{foundation} 0 udp {priority} {ip} {port} typ {}", kind.name())
    }
}

/// A candidate of the peer's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RemoteCandidate {
    pub(super) kind: CandidateKind,
    pub(super) address: SocketAddr,
    pub(super) priority: u32,
}

impl RemoteCandidate {
    /// Reads a line (RFC 8839 §5.1). Names instead of addresses, transports other than UDP, and what
    /// nobody can send to are refused.
    pub(super) fn parse(line: &str, allow_loopback: bool) -> Option<Self> {
        if line.len() > MAX_LINE_LEN {
            return None;
        }
        let mut words = line.strip_prefix("candidate:")?.split_ascii_whitespace();
        let _foundation = words.next()?;
        let _component: u16 = words.next()?.parse().ok()?;
        words.next()?.eq_ignore_ascii_case("udp").then_some(())?;
        let priority = words.next()?.parse().ok()?;
        let ip: IpAddr = words.next()?.parse().ok()?;
        let port: u16 = words.next()?.parse().ok()?;
        (words.next()? == "typ").then_some(())?;
        let kind = CandidateKind::from_name(words.next()?)?;
        let address = SocketAddr::new(ip.to_canonical(), port);
        is_usable(address, allow_loopback).then_some(Self { kind, address, priority })
    }
}

/// Whether datagrams can go there by what the address says alone. Link-local addresses of IPv6 mean
/// nothing without the interface, which no line tells.
pub(super) fn is_usable(address: SocketAddr, allow_loopback: bool) -> bool {
    let ip = address.ip();
    let odd = match ip {
        IpAddr::V4(ip) => ip.is_broadcast() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    address.port() != 0
        && !odd
        && !ip.is_unspecified()
        && !ip.is_multicast()
        && (allow_loopback || !ip.is_loopback())
}

/// Whether an address is one of a private network: RFC 1918; for IPv6 unique local; loopback.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback(),
    }
}

/// Whether two addresses agree in their first `prefix_len` bits.
pub(super) fn same_subnet(one: IpAddr, other: IpAddr, prefix_len: u8) -> bool {
    let differing = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    differing >= u32::from(prefix_len)
}

/// Priority of a pair (RFC 8445 §6.1.2.3).
pub(super) fn pair_priority(controlling: u32, controlled: u32) -> u64 {
    let (low, high) = (controlling.min(controlled), controlling.max(controlled));
    u64::from(low) << 32 | u64::from(high) << 1 | u64::from(controlling > controlled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ice::SocketId;

    #[test]
    fn lines_of_valves_peers() {
        let line = "candidate:47810367 0 udp 2130706431 192.168.77.1 34622 typ host";
        let candidate = RemoteCandidate::parse(line, false).unwrap();
        assert_eq!(candidate.kind, CandidateKind::Host);
        assert_eq!(candidate.address, "192.168.77.1:34622".parse().unwrap());
        let ours = LocalCandidate {
            kind: CandidateKind::Host,
            address: candidate.address,
            base: Base::Socket(SocketId(0)),
            priority: CandidateKind::Host.priority(u16::MAX),
            foundation: 47_810_367,
        };
        assert_eq!(ours.to_string(), line);
    }

    #[test]
    fn lines_of_others() {
        for (line, address) in [
            (
                "candidate:1 1 UDP 7 2001:db8::1 9 typ srflx raddr 10.0.0.1 rport 8",
                "[2001:db8::1]:9",
            ),
            ("candidate:a/+ 0 udp 7 ::ffff:1.2.3.4 9 typ relay generation 0", "1.2.3.4:9"),
        ] {
            let candidate = RemoteCandidate::parse(line, false).unwrap();
            assert_eq!(candidate.address, address.parse().unwrap());
        }
        for line in [
            "",
            "candidate:",
            "candidate:1 0 udp 7 10.0.0.1 9",
            "candidate:1 0 udp 7 10.0.0.1 9 typ odd",
            "candidate:1 0 tcp 7 10.0.0.1 9 typ host",
            "candidate:1 0 udp 4294967296 10.0.0.1 9 typ host",
            "candidate:1 0 udp -7 10.0.0.1 9 typ host",
            "candidate:1 0 udp 7 10.0.0.1 65536 typ host",
            "candidate:1 0 udp 7 10.0.0.1 0 typ host",
            "candidate:1 0 udp 7 0.0.0.0 9 typ host",
            "candidate:1 0 udp 7 127.0.0.1 9 typ host",
            "candidate:1 0 udp 7 ::1 9 typ host",
            "candidate:1 0 udp 7 ::ffff:127.0.0.1 9 typ host",
            "candidate:1 0 udp 7 fe80::1 9 typ host",
            "candidate:1 0 udp 7 224.0.0.1 9 typ host",
            "candidate:1 0 udp 7 255.255.255.255 9 typ host",
            "candidate:1 0 udp 7 6b0a.local 9 typ host",
            "1 0 udp 7 10.0.0.1 9 typ host",
        ] {
            assert_eq!(RemoteCandidate::parse(line, false), None, "{line}");
        }
        let long = format!("candidate:1 0 udp 7 10.0.0.1 9 typ host x {}", "y".repeat(256));
        assert_eq!(RemoteCandidate::parse(&long, false), None);
        let own = "candidate:1 0 udp 7 127.0.0.1 9 typ host";
        assert!(RemoteCandidate::parse(own, true).is_some());
    }

    #[test]
    fn priorities_are_those_on_the_wire() {
        assert_eq!(CandidateKind::Host.priority(u16::MAX), 2_130_706_431);
        assert_eq!(CandidateKind::PeerReflexive.priority(u16::MAX), 0x6eff_ffff);
        let better = |a: CandidateKind, b: CandidateKind| a.priority(0) > b.priority(u16::MAX);
        assert!(better(CandidateKind::Host, CandidateKind::PeerReflexive));
        assert!(better(CandidateKind::PeerReflexive, CandidateKind::ServerReflexive));
        assert!(better(CandidateKind::ServerReflexive, CandidateKind::Relayed));
        assert_eq!(pair_priority(2, 1), 1 << 32 | 2 << 1 | 1);
        assert_eq!(pair_priority(1, 2), 1 << 32 | 2 << 1);
    }

    #[test]
    fn subnets() {
        let same = |one: &str, other: &str, len| {
            same_subnet(one.parse().unwrap(), other.parse().unwrap(), len)
        };
        assert!(same("192.168.1.1", "192.168.1.254", 24));
        assert!(!same("192.168.1.1", "192.168.2.1", 24));
        assert!(same("192.168.1.1", "192.168.2.1", 16));
        assert!(same("10.0.0.1", "10.0.0.1", 32));
        assert!(!same("10.0.0.1", "fd00::1", 0));
        assert!(same("fd00::1", "fd00::2", 64));
    }
}
