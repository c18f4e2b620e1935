//! Routing tokens: how a relay lets others address one of its sessions (`docs/wire/relay.md`).
//!
//! A token names relay and shard in clear, so that others know where to send, and the session only
//! sealed under a key that the shard alone has. It needs no table to be checked.

use gamewire_crypto::{Entropy, MessageKey};
use gamewire_proto::Time;

use std::time::Duration;

/// Bytes of a token.
pub const TOKEN_LEN: usize = 44;
/// How long a token is good, in seconds; clients get a new one by asking for the session again.
pub const TOKEN_LIFETIME_S: u64 = 4 * 3600;
/// How often a shard changes the key of its tokens. The one before stays as long.
pub const TOKEN_KEY_LIFETIME: Duration = Duration::from_secs(4 * 3600);

const VERSION: u8 = 1;
/// Version, epoch, relay, shard, nonce.
const HEADER_LEN: usize = 15;
/// Session, expiry; relay and shard once more, to bind the header.
const PLAIN_LEN: usize = 13;

/// Where a token leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenRoute {
    /// The relay's id.
    pub relay: u32,
    /// Its shard.
    pub shard: u8,
}

/// A routing token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoutingToken([u8; TOKEN_LEN]);

impl RoutingToken {
    /// A token from its bytes. Only its issuer can tell whether it is one of its own.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; TOKEN_LEN] = bytes.try_into().ok()?;
        (bytes[0] == VERSION).then_some(Self(bytes))
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; TOKEN_LEN] {
        &self.0
    }

    /// Which relay to send to.
    pub const fn route(&self) -> TokenRoute {
        let [_, _, a, b, c, d, shard, ..] = self.0;
        TokenRoute { relay: u32::from_le_bytes([a, b, c, d]), shard }
    }
}

/// Issues and checks the tokens of one shard.
pub(super) struct TokenIssuer {
    route: TokenRoute,
    current: MessageKey,
    previous: Option<MessageKey>,
    epoch: u8,
    rotate_at: Time,
    nonce: u64,
}

impl TokenIssuer {
    pub(super) fn new(now: Time, route: TokenRoute, entropy: &mut dyn Entropy) -> Self {
        Self {
            route,
            current: MessageKey::generate(entropy),
            previous: None,
            // Random, so that after a restart old tokens rarely cost a check.
            epoch: entropy.next_u32() as u8,
            rotate_at: now + TOKEN_KEY_LIFETIME,
            nonce: 0,
        }
    }

    /// Changes the key when its time has come.
    pub(super) fn rotate(&mut self, now: Time, entropy: &mut dyn Entropy) {
        if now < self.rotate_at {
            return;
        }
        let fresh = MessageKey::generate(entropy);
        self.previous = Some(std::mem::replace(&mut self.current, fresh));
        self.epoch = self.epoch.wrapping_add(1);
        self.rotate_at = now + TOKEN_KEY_LIFETIME;
        self.nonce = 0;
    }

    /// A token for a session.
    pub(super) fn issue(&mut self, session: u32, unix: u64) -> RoutingToken {
        let expiry = u32::try_from(unix.saturating_add(TOKEN_LIFETIME_S)).unwrap_or(u32::MAX);
        let nonce = self.nonce;
        self.nonce += 1;
        let mut bytes = Vec::with_capacity(TOKEN_LEN);
        bytes.extend_from_slice(&[VERSION, self.epoch]);
        bytes.extend_from_slice(&self.route.relay.to_le_bytes());
        bytes.push(self.route.shard);
        bytes.extend_from_slice(&nonce.to_le_bytes());
        bytes.extend_from_slice(&session.to_le_bytes());
        bytes.extend_from_slice(&expiry.to_le_bytes());
        bytes.extend_from_slice(&self.route.relay.to_le_bytes());
        bytes.push(self.route.shard);
        self.current.seal(nonce_bytes(nonce), &mut bytes, HEADER_LEN);
        RoutingToken(bytes.try_into().expect("header, content and tag have 44 bytes"))
    }

    /// The session of a token of ours.
    pub(super) fn check(&self, token: &RoutingToken, unix: u64) -> Option<u32> {
        let mut bytes = token.0;
        let [_, epoch, _, _, _, _, _, n0, n1, n2, n3, n4, n5, n6, n7, ..] = bytes;
        let key = match epoch {
            epoch if epoch == self.epoch => &self.current,
            epoch if epoch == self.epoch.wrapping_sub(1) => self.previous.as_ref()?,
            _ => return None,
        };
        let nonce = u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        let plain = key.open(nonce_bytes(nonce), &mut bytes[HEADER_LEN..]).ok()?;
        let plain = <[u8; PLAIN_LEN]>::try_from(&*plain).ok()?;
        let [s0, s1, s2, s3, e0, e1, e2, e3, r0, r1, r2, r3, shard] = plain;
        let route = TokenRoute { relay: u32::from_le_bytes([r0, r1, r2, r3]), shard };
        let expiry = u32::from_le_bytes([e0, e1, e2, e3]);
        let valid = route == self.route && token.route() == route && unix <= u64::from(expiry);
        valid.then(|| u32::from_le_bytes([s0, s1, s2, s3]))
    }
}

fn nonce_bytes(nonce: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&nonce.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use gamewire_crypto::SeededEntropy;

    const UNIX: u64 = 1_764_000_000;
    const ROUTE: TokenRoute = TokenRoute { relay: 0x0403_0201, shard: 5 };

    fn issuer(seed: u64) -> TokenIssuer {
        TokenIssuer::new(Time::from_micros(0), ROUTE, &mut SeededEntropy::new(seed))
    }

    #[test]
    fn issued_and_checked() {
        let mut issuer = issuer(1);
        let token = issuer.issue(77, UNIX);
        assert_eq!(token.route(), ROUTE);
        assert_eq!(token.as_bytes()[2..7], [1, 2, 3, 4, 5]);
        assert_eq!(RoutingToken::from_bytes(token.as_bytes()), Some(token));
        assert_eq!(issuer.check(&token, UNIX), Some(77));
        assert_eq!(issuer.check(&token, UNIX + TOKEN_LIFETIME_S), Some(77));
        assert_eq!(issuer.check(&token, UNIX + TOKEN_LIFETIME_S + 1), None, "it is over");
        assert_ne!(issuer.issue(77, UNIX), token, "no two are alike");
        assert_eq!(RoutingToken::from_bytes(&token.as_bytes()[1..]), None);
        assert_eq!(RoutingToken::from_bytes(&[2; TOKEN_LEN]), None);
    }

    #[test]
    fn no_bit_may_change_and_no_other_issuer_takes_it() {
        let mut own = issuer(1);
        let token = own.issue(77, UNIX);
        for bit in 0..TOKEN_LEN * 8 {
            let mut bytes = *token.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let forged = RoutingToken(bytes);
            // The version is checked when it is read.
            let read = RoutingToken::from_bytes(&bytes);
            assert!(read.is_none() || own.check(&forged, UNIX).is_none(), "bit {bit}");
        }
        for seed in 2..40 {
            assert_eq!(issuer(seed).check(&token, UNIX), None);
        }
    }

    #[test]
    fn keys_rotate_and_the_last_one_stays() {
        let mut issuer = issuer(1);
        let entropy = &mut SeededEntropy::new(9);
        let token = issuer.issue(77, UNIX);
        let mut now = Time::from_micros(0);
        issuer.rotate(now, entropy);
        assert_eq!(issuer.check(&token, UNIX), Some(77));
        now += TOKEN_KEY_LIFETIME;
        issuer.rotate(now, entropy);
        assert_eq!(issuer.check(&token, UNIX), Some(77), "the previous key");
        let second = issuer.issue(78, UNIX);
        now += TOKEN_KEY_LIFETIME;
        issuer.rotate(now, entropy);
        assert_eq!(issuer.check(&token, UNIX), None);
        assert_eq!(issuer.check(&second, UNIX), Some(78));
    }
}
