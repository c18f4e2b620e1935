//! What an agent is told at its start.

use std::{net::SocketAddr, ops::BitOr, time::Duration};

use gamewire_crypto::Entropy;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Who nominates. Fixed by who accepts the connection (wire.md §9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// The acceptor: decides which pair is used.
    Controlling,
    /// The initiator: follows.
    Controlled,
}

/// A set of kinds of candidates: what `P2P_Transport_ICE_Enable` says (wire.md §9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CandidateTypes(u32);

impl CandidateTypes {
    /// Nothing: no direct route.
    pub const NONE: Self = Self(0);
    /// Relayed by TURN servers.
    pub const RELAY: Self = Self(1);
    /// Addresses of private networks (RFC 1918).
    pub const PRIVATE: Self = Self(2);
    /// Other addresses, those included that STUN servers see.
    pub const PUBLIC: Self = Self(4);
    /// Everything.
    pub const ALL: Self = Self(7);

    /// From the config value; unknown bits are left out.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether all of `other` are in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for CandidateTypes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How to talk to a TURN server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TurnTransport {
    /// From the same UDP sockets that peers talk to.
    Udp,
    /// A TCP stream that the driver opens.
    Tcp,
    /// The same inside TLS.
    Tls,
}

/// A server that relays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TurnServer {
    /// Where it is.
    pub address: SocketAddr,
    /// How to talk to it.
    pub transport: TurnTransport,
    /// Long-term credential; empty: it asks for none.
    pub username: String,
    /// See `username`.
    pub password: String,
}

/// What names the two ends of one session. Both change when ICE restarts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// [`ufrag_of`] our connection id.
    pub local_ufrag: String,
    /// Our [`random_password`], which is signaled to the peer.
    pub local_password: String,
    /// [`ufrag_of`] the peer's connection id.
    pub remote_ufrag: String,
}

/// What an agent is told at its start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentConfig {
    /// Who nominates.
    pub role: Role,
    /// What names the two ends.
    pub credentials: Credentials,
    /// Which candidates are gathered.
    pub enable: CandidateTypes,
    /// Servers that tell us our public address, in order of preference; at most [`super::Agent::MAX_SERVERS`] are asked.
    pub stun_servers: Vec<SocketAddr>,
    /// Servers that relay, in order of preference; at most [`super::Agent::MAX_SERVERS`] are asked.
    pub turn_servers: Vec<TurnServer>,
    /// Whether loopback addresses are candidates: for tests.
    pub allow_loopback: bool,
    /// Least time between two new checks: Ta of RFC 8445, 50 ms by default.
    pub check_interval: Duration,
}

impl AgentConfig {
    /// Everything enabled, no servers.
    pub fn new(role: Role, credentials: Credentials) -> Self {
        Self {
            role,
            credentials,
            enable: CandidateTypes::ALL,
            stun_servers: Vec::new(),
            turn_servers: Vec::new(),
            allow_loopback: false,
            check_interval: Duration::from_millis(50),
        }
    }
}

/// The user name fragment of a connection id: its low 30 bits in base64 (wire.md §9).
pub fn ufrag_of(connection_id: u32) -> String {
    (0..5)
        .rev()
        .map(|group| char::from(ALPHABET[(connection_id >> (6 * group) & 63) as usize]))
        .collect()
}

/// Thirty random bits in the same encoding: as long as Valve's peers expect.
pub fn random_password(entropy: &mut dyn Entropy) -> String {
    ufrag_of(entropy.next_u32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_those_of_the_recorded_peers() {
        // p2p-connect.json: connection ids of the signals, user names of the checks.
        assert_eq!(ufrag_of(0x7fea_9fb8), "/6p+4");
        assert_eq!(ufrag_of(0xa049_b8bf), "gSbi/");
    }
}
