//! Datagrams between relays, sealed under keys of pairs of relays (`docs/wire/relay.md`).
//!
//! Each relay has an X25519 key that the network config names. Two of them give a secret; every
//! shard of every run of a relay derives a fresh key from it for what it sends, told apart by a
//! random salt. So neither restarts nor shards repeat a nonce, and addresses prove nothing.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use gamewire_crypto::{Entropy, KeyExchange, MessageKey, SharedSecret, sha256};
use gamewire_wire::{address::Address, relay::id};

use crate::{PopId, config::NetworkConfig};

use super::token::TokenRoute;

/// Most keys of other relays' shards that are kept; each restart of a shard makes one.
pub const MAX_INBOUND_KEYS: usize = 8192;
/// Id byte, sender, salt, counter.
pub(super) const HEADER_LEN: usize = 21;
const LABEL: &str = "gamewire interior 1";

/// The id of a relay: the first four bytes of its public key's SHA-256, little-endian.
pub fn relay_id(public_key: &[u8; 32]) -> u32 {
    let [a, b, c, d, ..] = sha256(&[public_key]);
    u32::from_le_bytes([a, b, c, d])
}

/// Another relay, or ourselves.
pub(super) struct Peer {
    pub(super) pop: PopId,
    ip: IpAddr,
    ports: (u16, u16),
    public_key: [u8; 32],
    secret: Option<SharedSecret>,
    outbound: Option<MessageKey>,
    /// Smoothed round trip in microseconds, once measured.
    pub(super) rtt_us: Option<u32>,
}

impl Peer {
    /// Where one of its shards listens; a shard that the config has no port for is the first.
    fn address(&self, shard: u8) -> Address {
        let (low, high) = self.ports;
        let port = low.checked_add(shard.into()).filter(|port| *port <= high).unwrap_or(low);
        Address::new(self.ip, port)
    }

    fn secret(&mut self, own: &KeyExchange) -> Option<&SharedSecret> {
        if self.secret.is_none() {
            self.secret = Some(own.agree(&self.public_key).ok()?);
        }
        self.secret.as_ref()
    }

    pub(super) fn on_pong(&mut self, rtt_us: u32) {
        self.rtt_us = Some(match self.rtt_us {
            None => rtt_us,
            Some(old) => old - old / 8 + rtt_us / 8,
        });
    }
}

/// Seals and opens datagrams between relays.
pub(super) struct Interior {
    own: Arc<KeyExchange>,
    own_id: u32,
    salt: u64,
    counter: u64,
    peers: BTreeMap<u32, Peer>,
    inbound: HashMap<(u32, u64), MessageKey>,
}

impl Interior {
    pub(super) fn new(own: Arc<KeyExchange>, entropy: &mut dyn Entropy) -> Self {
        Self {
            own_id: relay_id(&own.public_key()),
            own,
            salt: entropy.next_u64(),
            counter: 0,
            peers: BTreeMap::new(),
            inbound: HashMap::new(),
        }
    }

    pub(super) const fn own_id(&self) -> u32 {
        self.own_id
    }

    /// Takes the relays of a config; what was measured stays. Of relays with one id the first
    /// counts.
    pub(super) fn set_network(&mut self, config: &NetworkConfig) {
        let mut old = std::mem::take(&mut self.peers);
        for pop in &config.pops {
            for relay in &pop.relays {
                let (Some(public_key), Some(ports), Some(ip)) =
                    (relay.public_key, relay.interior_ports, relay.ips().next())
                else {
                    continue;
                };
                let id = relay_id(&public_key);
                if self.peers.contains_key(&id) {
                    continue;
                }
                let known = old.remove(&id).filter(|peer| peer.public_key == public_key);
                let peer = match known {
                    Some(peer) => Peer { pop: pop.id, ip, ports, ..peer },
                    None => Peer {
                        pop: pop.id,
                        ip,
                        ports,
                        public_key,
                        secret: None,
                        outbound: None,
                        rtt_us: None,
                    },
                };
                self.peers.insert(id, peer);
            }
        }
        self.inbound.retain(|(id, _), _| self.peers.contains_key(id));
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = (u32, &Peer)> {
        self.peers.iter().map(|(id, peer)| (*id, peer))
    }

    pub(super) fn peer_mut(&mut self, id: u32) -> Option<&mut Peer> {
        self.peers.get_mut(&id)
    }

    /// Where a token leads, if the config knows the relay.
    pub(super) fn address(&self, route: TokenRoute) -> Option<Address> {
        self.peers.get(&route.relay).map(|peer| peer.address(route.shard))
    }

    /// Appends a sealed datagram for a relay; `write` writes its content. False if the config does
    /// not know the relay; nothing is appended then.
    pub(super) fn seal(
        &mut self,
        relay: u32,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&relay) else {
            return false;
        };
        if peer.outbound.is_none() {
            let salt = self.salt.to_le_bytes();
            let (from, to) = (self.own.public_key(), peer.public_key);
            let secret = peer.secret(&self.own);
            peer.outbound =
                secret.map(|secret| MessageKey::derive(secret, LABEL, &[&from, &to, &salt]));
        }
        let Some(key) = &peer.outbound else {
            return false;
        };
        // One counter for all peers: each has its own key, so gaps do no harm.
        let counter = self.counter;
        self.counter += 1;
        out.push(id::INTERIOR);
        out.extend_from_slice(&self.own_id.to_le_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        out.extend_from_slice(&counter.to_le_bytes());
        let start = out.len();
        write(out);
        key.seal(nonce(counter), out, start);
        true
    }

    /// Opens a datagram, its first byte included: who sent it, and its content. `afford` is asked
    /// before a new key is derived.
    pub(super) fn open<'b>(
        &mut self,
        datagram: &'b mut [u8],
        afford: impl FnOnce() -> bool,
    ) -> Option<(u32, &'b mut [u8])> {
        let (header, sealed) = datagram.split_first_chunk_mut::<HEADER_LEN>()?;
        let [_, r0, r1, r2, r3, salt @ .., _, _, _, _, _, _, _, _] = *header;
        let [.., c0, c1, c2, c3, c4, c5, c6, c7] = *header;
        let relay = u32::from_le_bytes([r0, r1, r2, r3]);
        let counter = u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]);
        let place = (relay, u64::from_le_bytes(salt));
        if let Some(key) = self.inbound.get(&place) {
            return key.open(nonce(counter), sealed).ok().map(|plain| (relay, plain));
        }
        let peer = self.peers.get_mut(&relay)?;
        if !afford() {
            return None;
        }
        let (from, to) = (peer.public_key, self.own.public_key());
        let secret = peer.secret(&self.own)?;
        let key = MessageKey::derive(secret, LABEL, &[&from, &to, &salt]);
        let plain = key.open(nonce(counter), sealed).ok()?;
        // Only a shard that holds the relay's key gets here, so this grows by restarts alone.
        if self.inbound.len() >= MAX_INBOUND_KEYS {
            self.inbound.clear();
        }
        self.inbound.insert(place, key);
        Some((relay, plain))
    }
}

fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&counter.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Pop, Relay};
    use gamewire_crypto::SeededEntropy;

    fn key(seed: u64) -> Arc<KeyExchange> {
        Arc::new(KeyExchange::generate(&mut SeededEntropy::new(seed)))
    }

    fn config() -> NetworkConfig {
        let relay = |seed: u64, ip: [u8; 4]| Relay {
            name: String::new(),
            ipv4: Some(ip.into()),
            ipv6: None,
            ports: (27015, 27015),
            interior_ports: Some((28000, 28003)),
            public_key: Some(key(seed).public_key()),
        };
        let relays = vec![relay(1, [192, 0, 2, 1]), relay(2, [192, 0, 2, 2])];
        let pops = vec![Pop { id: "sto".parse().unwrap(), relays, ..Pop::default() }];
        NetworkConfig { pops, ..NetworkConfig::default() }
    }

    fn interior(seed: u64, run: u64) -> Interior {
        let mut interior = Interior::new(key(seed), &mut SeededEntropy::new(run));
        interior.set_network(&config());
        interior
    }

    fn sealed(from: &mut Interior, to: &Interior) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(from.seal(to.own_id(), &mut out, |out| out.extend(b"content")));
        out
    }

    #[test]
    fn between_two_relays() {
        let (mut a, mut b) = (interior(1, 10), interior(2, 20));
        for _ in 0..3 {
            let mut datagram = sealed(&mut a, &b);
            let (from, content) = b.open(&mut datagram, || true).unwrap();
            assert_eq!((from, &*content), (a.own_id(), &b"content"[..]));
        }
        let mut back = sealed(&mut b, &a);
        assert!(a.open(&mut back, || true).is_some());
        // A relay may send to itself: that is how its shards reach each other.
        let mut other_shard = interior(1, 11);
        let mut own = sealed(&mut a, &other_shard);
        assert!(other_shard.open(&mut own, || true).is_some());
    }

    #[test]
    fn a_restart_repeats_no_key() {
        let b = interior(2, 20);
        let first = sealed(&mut interior(1, 10), &b);
        let second = sealed(&mut interior(1, 11), &b);
        assert_ne!(first[HEADER_LEN..], second[HEADER_LEN..]);
    }

    #[test]
    fn forged_and_foreign_datagrams() {
        let (mut a, mut b) = (interior(1, 10), interior(2, 20));
        let good = sealed(&mut a, &b);
        for bit in 8..good.len() * 8 {
            let mut changed = good.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(b.open(&mut changed, || true).is_none(), "bit {bit}");
        }
        for cut in 0..good.len() {
            assert!(b.open(&mut good.clone()[..cut], || true).is_none());
        }
        // Back to its sender, and to nobody known.
        assert!(a.open(&mut good.clone(), || true).is_none());
        let mut stranger = Interior::new(key(3), &mut SeededEntropy::new(30));
        stranger.set_network(&config());
        let mut out = Vec::new();
        assert!(stranger.seal(b.own_id(), &mut out, |out| out.extend(b"content")));
        assert!(b.open(&mut out, || true).is_none(), "not in the config");
        assert!(!a.seal(stranger.own_id(), &mut out, |_| unreachable!()));
        // What cannot be afforded is not tried.
        assert!(b.open(&mut good.clone(), || false).is_none());
        assert!(b.open(&mut good.clone(), || true).is_some());
        assert!(b.open(&mut good.clone(), || false).is_some(), "known by now");
    }

    #[test]
    fn shards_and_ports() {
        let a = interior(1, 10);
        let b = relay_id(&key(2).public_key());
        let at = |shard| a.address(TokenRoute { relay: b, shard }).unwrap().to_string();
        assert_eq!(at(0), "192.0.2.2:28000");
        assert_eq!(at(3), "192.0.2.2:28003");
        assert_eq!(at(4), "192.0.2.2:28000", "never a port beyond those of the config");
        assert_eq!(at(255), "192.0.2.2:28000");
        assert_eq!(a.address(TokenRoute { relay: 1, shard: 0 }), None);
    }
}
