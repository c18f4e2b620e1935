//! The network config: which PoPs there are, where their relays listen, whom to believe
//! (relay-network.md §4.2).
//!
//! It is a JSON file that a hub publishes under a detached signature. Clients, servers and relays
//! cache it and run for hours on what they have. The public forms of three ages are read; written is
//! the current one with fields of our own: IPv6 addresses, several keys, relay-to-relay ports.

mod geo;
mod parse;
mod publish;
mod range;
mod signature;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use gamewire_crypto::{
    TrustStore, VerifyingKey,
    trust::{StoreError, TrustStoreBuilder},
};
use gamewire_wire::messages::CertificateSigned;

pub use geo::Geo;
pub use range::AddressRange;
pub use signature::{MAX_SIGNATURE_TEXT, SignatureError, sign, verify};

use crate::PopId;

/// Longest config that is looked at, in bytes; the public one has about 26 KB.
pub const MAX_CONFIG_BYTES: usize = 4 * 1024 * 1024;
/// Most PoPs of a config; more are left out.
pub const MAX_POPS: usize = 512;
/// Most relays of a PoP; more are left out.
pub const MAX_RELAYS_PER_POP: usize = 1024;
/// Most address ranges, aliases, and keys of a PoP, each; more are left out.
pub const MAX_LIST: usize = 256;
/// Most CA certificates; more are left out.
pub const MAX_CERTS: usize = 512;
/// Most revoked keys. More make the config unusable: a revocation must not get lost.
pub const MAX_REVOKED_KEYS: usize = 16_384;
/// Most known pings between PoPs; more are left out.
pub const MAX_TYPICAL_PINGS: usize = MAX_POPS * MAX_POPS / 2;
/// Most complaints about a config that are kept.
pub const MAX_WARNINGS: usize = 32;

/// Valve's own bit in [`Pop::partners`].
pub const PARTNER_DEFAULT: u32 = 1;

/// Why a text is no network config at all.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// Longer than [`MAX_CONFIG_BYTES`].
    #[error("the network config is longer than 4 MiB")]
    TooLong,
    /// Not JSON.
    #[error("the network config is no JSON: {0}")]
    Json(String),
    /// JSON, but not an object, or its `success` is false.
    #[error("the network config says nothing")]
    NoConfig,
    /// A revocation cannot be read, or there are too many. Going on would trust a revoked key.
    #[error("the network config's list of revoked keys is damaged")]
    RevokedKeys,
    /// The relays' key is there, but is no key.
    #[error("the network config's relay key is damaged")]
    RelayKey,
}

/// The network config.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NetworkConfig {
    /// When it was made, Unix seconds; a later one replaces an earlier one.
    pub revision: u64,
    /// The PoPs, sorted by id, each once.
    pub pops: Vec<Pop>,
    /// Intermediate CA certificates.
    pub certs: Vec<CertificateSigned>,
    /// Ids of keys not to believe any more.
    pub revoked_keys: Vec<u64>,
    /// X25519 keys of relays for PoPs that have none of their own; the first is to be used, the
    /// others are still understood. The public form has one.
    pub relay_public_keys: Vec<[u8; 32]>,
    /// Usual pings between PoPs in milliseconds, smaller PoP id first.
    pub typical_pings: BTreeMap<(PopId, PopId), u32>,
    /// Per country, two letters or `default`: what it counts against sharing addresses (0 to 100).
    pub p2p_share_ip: BTreeMap<String, i32>,
}

/// A site.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pop {
    /// Its id.
    pub id: PopId,
    /// Where it is, for people.
    pub description: String,
    /// Where it is.
    pub geo: Option<Geo>,
    /// Bit set of the partners whose relays and servers are here ([`PARTNER_DEFAULT`]).
    pub partners: u32,
    /// The lower, the better connected; as the public form gives it.
    pub tier: Option<u32>,
    /// Further codes by which it is known.
    pub aliases: Vec<String>,
    /// Relays; a PoP without is a data centre only.
    pub relays: Vec<Relay>,
    /// Where the addresses of hosted servers of this PoP lie; none means anywhere.
    pub service_address_ranges: Vec<AddressRange>,
    /// X25519 keys under which addresses of servers in this PoP are encrypted; the first is to be
    /// used, the others are still understood. None means those of the whole network. (Ours.)
    pub relay_public_keys: Vec<[u8; 32]>,
}

/// A relay, or several processes at one address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relay {
    /// Its name in logs, if it has one. (Ours.)
    pub name: String,
    /// Its IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address. (Ours; the public form has IPv4 only.)
    pub ipv6: Option<Ipv6Addr>,
    /// First and last port where clients may knock.
    pub ports: (u16, u16),
    /// First and last port of its side towards servers and other relays. (Ours.)
    pub interior_ports: Option<(u16, u16)>,
    /// Its X25519 key towards other relays. (Ours.)
    pub public_key: Option<[u8; 32]>,
}

impl Relay {
    /// Its addresses, IPv4 first.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> + use<> {
        self.ipv4.map(IpAddr::V4).into_iter().chain(self.ipv6.map(IpAddr::V6))
    }
}

impl NetworkConfig {
    /// The PoP with an id.
    pub fn pop(&self, id: PopId) -> Option<&Pop> {
        let index = self.pops.binary_search_by_key(&id, |pop| pop.id).ok()?;
        self.pops.get(index)
    }

    /// The PoP with a code, or with an alias of it.
    pub fn pop_by_code(&self, code: &str) -> Option<&Pop> {
        let by_id = code.parse().ok().and_then(|id| self.pop(id));
        by_id.or_else(|| self.pops.iter().find(|pop| pop.aliases.iter().any(|alias| alias == code)))
    }

    /// The keys for addresses of servers in a PoP: its own, or else the network's.
    pub fn address_keys(&self, pop: PopId) -> &[[u8; 32]] {
        match self.pop(pop) {
            Some(pop) if !pop.relay_public_keys.is_empty() => &pop.relay_public_keys,
            Some(_) | None => &self.relay_public_keys,
        }
    }

    /// The usual ping between two PoPs in milliseconds, if it is known: 0 within one.
    pub fn typical_ping(&self, a: PopId, b: PopId) -> Option<u32> {
        if a == b {
            return Some(0);
        }
        self.typical_pings.get(&(a.min(b), a.max(b))).copied()
    }

    /// The ping to expect between two PoPs in milliseconds: usual, or else by distance.
    ///
    /// By distance it is one millisecond per 100 km and 5 more, which few routes beat.
    pub fn interior_ping(&self, a: PopId, b: PopId) -> Option<u32> {
        self.typical_ping(a, b).or_else(|| {
            let kilometres = self.pop(a)?.geo?.kilometres_to(self.pop(b)?.geo?);
            Some((kilometres / 100.0).ceil() as u32 + 5)
        })
    }

    /// Whom to believe: `roots`, what the config adds beneath them, less what it revokes. CA
    /// certificates that no root vouches for do no harm; unusable ones are left out.
    ///
    /// # Errors
    /// `Full` where the limits of a store do not hold everything.
    pub fn trust_store(&self, roots: &[VerifyingKey]) -> Result<TrustStore, StoreError> {
        let mut builder = TrustStore::builder();
        for root in roots {
            builder.root(*root)?;
        }
        self.add_to(&mut builder)?;
        builder.build()
    }

    /// Adds the config's CA certificates and revocations to a store that is being built.
    ///
    /// # Errors
    /// `Full`
    pub fn add_to(&self, builder: &mut TrustStoreBuilder) -> Result<(), StoreError> {
        for cert in &self.certs {
            // One that is damaged vouches for nobody.
            if let Err(StoreError::Full) = builder.intermediate(cert) {
                return Err(StoreError::Full);
            }
        }
        for &key in &self.revoked_keys {
            builder.revoke(key)?;
        }
        Ok(())
    }

    /// Whether a relay of the config has this IP address.
    pub fn is_relay_ip(&self, ip: IpAddr) -> bool {
        let mut relays = self.pops.iter().flat_map(|pop| &pop.relays);
        relays.any(|relay| relay.ips().any(|own| own == ip))
    }
}

#[cfg(test)]
mod tests;
