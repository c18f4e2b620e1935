//! What was found out.

use std::{net::SocketAddr, time::Duration};

use crate::turn::TurnError;

/// What a server said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It sees us there.
    Mapped {
        /// Our address, as the server sees it.
        address: SocketAddr,
        /// Since the request was sent; none if it was sent more than once.
        rtt: Option<Duration>,
    },
    /// It refused with this code; 0: its answer held no address.
    Refused(u16),
    /// It did not answer.
    Silent,
}

/// A STUN server's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerReport {
    /// The server.
    pub server: SocketAddr,
    /// What it said.
    pub answer: Answer,
}

/// A TURN server's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnReport {
    /// It gave us this address, which was given back.
    Relays(SocketAddr),
    /// It gave us none.
    Refuses(TurnError),
}

/// When one inner address is seen at different outer ones (RFC 4787 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mapping {
    /// Too little was heard to tell.
    Unknown,
    /// There is no NAT: the outer address is our own.
    None,
    /// The same for all destinations.
    EndpointIndependent,
    /// Another for each destination's address.
    AddressDependent,
    /// Another for each destination's address and port.
    AddressAndPortDependent,
    /// Not the same for all; servers at several ports of one address would tell more.
    Dependent,
}

/// Whose datagrams come in (RFC 4787 §5). Only a server with two addresses (RFC 5780) tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Filtering {
    /// No server could tell.
    Unknown,
    /// Anybody's.
    EndpointIndependent,
    /// Those of addresses that were sent to.
    AddressDependent,
    /// Those of addresses and ports that were sent to.
    AddressAndPortDependent,
}

/// What a user may hope for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outlook {
    /// Direct routes to nearly everybody.
    Direct,
    /// Direct routes to those whose network is open; relays to the others.
    Restricted,
    /// Nothing without a relay over TCP or TLS.
    Blocked,
    /// No server of this family is known, or we have no address.
    Unknown,
}

/// What was found out about one family of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FamilyReport {
    /// Our own address; none: this family is not there.
    pub local: Option<SocketAddr>,
    /// How the first server that answered sees us.
    pub mapped: Option<SocketAddr>,
    /// Whether UDP gets out and back; none: nobody was asked.
    pub udp: Option<bool>,
    /// How the NAT maps.
    pub mapping: Mapping,
    /// How the NAT, or a firewall, filters.
    pub filtering: Filtering,
    /// Whether the NAT lets us reach our own outer address; none: there is no NAT, or no answer.
    pub hairpin: Option<bool>,
}

impl FamilyReport {
    /// What to hope for.
    pub fn outlook(&self) -> Outlook {
        match (self.udp, self.mapping) {
            (None, _) => Outlook::Unknown,
            (Some(false), _) => Outlook::Blocked,
            (Some(true), Mapping::None | Mapping::EndpointIndependent) => Outlook::Direct,
            (
                Some(true),
                Mapping::AddressDependent | Mapping::AddressAndPortDependent | Mapping::Dependent,
            ) => Outlook::Restricted,
            (Some(true), Mapping::Unknown) => Outlook::Unknown,
        }
    }
}

/// Everything that was found out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// IPv4.
    pub ipv4: FamilyReport,
    /// IPv6.
    pub ipv6: FamilyReport,
    /// What each STUN server said.
    pub stun: Vec<ServerReport>,
    /// What each TURN server said, over UDP.
    pub turn: Vec<(SocketAddr, TurnReport)>,
}
