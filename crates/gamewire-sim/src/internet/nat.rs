//! A router that translates addresses, in the words of RFC 4787.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use gamewire_proto::Time;

use crate::rng::Rng;

/// Most mappings of a NAT; further ones are refused, as by a router without memory.
pub const MAX_MAPPINGS: usize = 4096;

/// What something depends on: of mappings, when two destinations share one (RFC 4787 §4.1); of
/// filters, who may answer (§5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dependence {
    /// On nothing.
    EndpointIndependent,
    /// On the other's address.
    AddressDependent,
    /// On its port too.
    AddressAndPortDependent,
}

/// How a NAT behaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NatConfig {
    /// When an inner address gets another outer port.
    pub mapping: Dependence,
    /// Whose datagrams come in.
    pub filtering: Dependence,
    /// Whether inner hosts reach each other by their outer addresses.
    pub hairpin: bool,
    /// Whether it lets UDP out at all.
    pub udp_blocked: bool,
    /// How long a mapping lasts without a datagram from inside.
    pub timeout: Duration,
}

impl NatConfig {
    /// Two minutes of life (RFC 4787 REQ-5), no hairpin.
    pub const fn new(mapping: Dependence, filtering: Dependence) -> Self {
        let timeout = Duration::from_secs(120);
        Self { mapping, filtering, hairpin: false, udp_blocked: false, timeout }
    }
}

#[derive(Debug)]
struct Mapping {
    inner: SocketAddr,
    outer_port: u16,
    /// Where the mapping is for, as far as it depends on that.
    destination: (Option<IpAddr>, Option<u16>),
    contacted: BTreeSet<SocketAddr>,
    used: Time,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Nat {
    config: NatConfig,
    outer: IpAddr,
    mappings: Vec<Mapping>,
    filtered: u64,
}

/// The part of an address that a dependence looks at.
fn seen(dependence: Dependence, address: SocketAddr) -> (Option<IpAddr>, Option<u16>) {
    match dependence {
        Dependence::EndpointIndependent => (None, None),
        Dependence::AddressDependent => (Some(address.ip()), None),
        Dependence::AddressAndPortDependent => (Some(address.ip()), Some(address.port())),
    }
}

impl Nat {
    /// A NAT with an outer address.
    pub fn new(config: NatConfig, outer: IpAddr) -> Self {
        Self { config, outer, mappings: Vec::new(), filtered: 0 }
    }

    /// Its outer address.
    pub fn outer(&self) -> IpAddr {
        self.outer
    }

    /// How it behaves.
    pub fn config(&self) -> NatConfig {
        self.config
    }

    /// Datagrams from outside that were not let in.
    pub fn filtered(&self) -> u64 {
        self.filtered
    }

    /// Forgets all mappings, as after a restart.
    pub fn reset(&mut self) {
        self.mappings.clear();
    }

    /// A datagram leaves: its outer source, or `None` if it is dropped.
    pub fn outbound(
        &mut self,
        now: Time,
        from: SocketAddr,
        to: SocketAddr,
        rng: &mut Rng,
    ) -> Option<SocketAddr> {
        if self.config.udp_blocked {
            return None;
        }
        let timeout = self.config.timeout;
        self.mappings.retain(|mapping| now.since(mapping.used) < timeout);
        let destination = seen(self.config.mapping, to);
        let known = self
            .mappings
            .iter_mut()
            .find(|mapping| mapping.inner == from && mapping.destination == destination);
        if let Some(mapping) = known {
            mapping.contacted.insert(to);
            mapping.used = now;
            return Some(SocketAddr::new(self.outer, mapping.outer_port));
        }
        if self.mappings.len() >= MAX_MAPPINGS {
            return None;
        }
        let outer_port = self.free_port(rng);
        let contacted = BTreeSet::from([to]);
        self.mappings.push(Mapping { inner: from, outer_port, destination, contacted, used: now });
        Some(SocketAddr::new(self.outer, outer_port))
    }

    /// Ports by chance, so that nobody can foretell them.
    fn free_port(&self, rng: &mut Rng) -> u16 {
        loop {
            let port = rng.between(1024, 65_535) as u16;
            if self.mappings.iter().all(|mapping| mapping.outer_port != port) {
                return port;
            }
        }
    }

    /// A datagram came for an outer port: the inner address it is for, or `None` if it is dropped.
    pub fn inbound(&mut self, now: Time, from: SocketAddr, port: u16) -> Option<SocketAddr> {
        let Self { config, mappings, .. } = self;
        let alive = |mapping: &&Mapping| now.since(mapping.used) < config.timeout;
        let mapping = mappings.iter().filter(alive).find(|mapping| mapping.outer_port == port);
        let lets_in = |mapping: &&Mapping| {
            let wanted = seen(config.filtering, from);
            mapping.contacted.iter().any(|known| seen(config.filtering, *known) == wanted)
        };
        let inner = mapping.filter(lets_in).map(|mapping| mapping.inner);
        self.filtered += u64::from(inner.is_none());
        inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};

    const T0: Time = Time::from_micros(1);

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn nat(mapping: Dependence, filtering: Dependence) -> Nat {
        Nat::new(NatConfig::new(mapping, filtering), address("1.1.1.1:0").ip())
    }

    #[test]
    fn mappings_depend_on_what_they_are_said_to() {
        let inner = address("10.0.0.1:5");
        let (one, port, host) = (address("2.2.2.2:1"), address("2.2.2.2:2"), address("3.3.3.3:1"));
        for (mapping, same) in [
            (EndpointIndependent, [true, true]),
            (AddressDependent, [true, false]),
            (AddressAndPortDependent, [false, false]),
        ] {
            let mut rng = Rng::new(1);
            let mut nat = nat(mapping, EndpointIndependent);
            let mut outer = |to| nat.outbound(T0, inner, to, &mut rng).expect("not blocked");
            let first = outer(one);
            assert_eq!(outer(one), first);
            assert_eq!([outer(port) == first, outer(host) == first], same);
        }
    }

    #[test]
    fn filters_depend_on_what_they_are_said_to() {
        let inner = address("10.0.0.1:5");
        let contacted = address("2.2.2.2:1");
        for (filtering, lets_in) in [
            (EndpointIndependent, [true, true, true]),
            (AddressDependent, [true, true, false]),
            (AddressAndPortDependent, [true, false, false]),
        ] {
            let mut nat = nat(EndpointIndependent, filtering);
            let outer = nat.outbound(T0, inner, contacted, &mut Rng::new(1)).expect("not blocked");
            let come = ["2.2.2.2:1", "2.2.2.2:2", "3.3.3.3:1"]
                .map(|from| nat.inbound(T0, address(from), outer.port()) == Some(inner));
            assert_eq!(come, lets_in, "{filtering:?}");
        }
    }

    #[test]
    fn mappings_run_out_unless_used_from_inside() {
        let (inner, other) = (address("10.0.0.1:5"), address("2.2.2.2:1"));
        let mut nat = nat(EndpointIndependent, EndpointIndependent);
        let mut rng = Rng::new(1);
        let outer = nat.outbound(T0, inner, other, &mut rng).expect("not blocked");
        let later = T0 + Duration::from_secs(119);
        assert!(nat.inbound(later, other, outer.port()).is_some());
        assert_eq!(nat.outbound(later, inner, other, &mut rng), Some(outer));
        let later = later + Duration::from_secs(120);
        assert!(nat.inbound(later, other, outer.port()).is_none());
        assert_ne!(nat.outbound(later, inner, other, &mut rng), Some(outer));
    }
}
