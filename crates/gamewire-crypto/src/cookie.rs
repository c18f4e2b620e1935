//! Challenge cookies: the acceptor keeps no state until the initiator's address has answered
//! (wire.md §2.2).
//!
//! A challenge is a SipHash-2-4 over time and address whose low 16 bits are replaced by the time,
//! so that checking needs the key alone.

use std::{fmt, hash::Hasher};

use gamewire_wire::address::Address;
use siphasher::sip::SipHasher24;

use crate::entropy::Entropy;

/// A tick of the cookie's clock is 2^20 µs, about a second.
const TICK_SHIFT: u32 = 20;
/// Ticks after which a challenge is too old: it lives between 3.1 and 4.2 seconds. Longer lets an
/// eavesdropper replay it longer, shorter refuses honest peers on slow links.
const MAX_AGE_TICKS: u16 = 3;
/// The bits of a challenge that carry its tick.
const TICK_MASK: u64 = 0xffff;

/// The secret of one listen socket.
#[derive(Clone)]
pub struct ChallengeKey {
    hasher: SipHasher24,
}

impl ChallengeKey {
    /// A fresh secret.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self { hasher: SipHasher24::new_with_keys(entropy.next_u64(), entropy.next_u64()) }
    }

    /// The challenge for `address` at `now_us`, the local monotonic time in microseconds.
    pub fn issue(&self, now_us: u64, address: &Address) -> u64 {
        self.challenge(tick(now_us), address)
    }

    /// Whether `challenge` was issued to `address` within the last 3 ticks.
    pub fn check(&self, now_us: u64, address: &Address, challenge: u64) -> bool {
        let issued = (challenge & TICK_MASK) as u16;
        let age = tick(now_us).wrapping_sub(issued);
        age <= MAX_AGE_TICKS && self.challenge(issued, address) == challenge
    }

    fn challenge(&self, tick: u16, address: &Address) -> u64 {
        let mut data = [0; 20];
        data[..2].copy_from_slice(&tick.to_le_bytes());
        data[2..4].copy_from_slice(&address.port().to_le_bytes());
        data[4..].copy_from_slice(&address.octets());
        let mut hasher = self.hasher;
        hasher.write(&data);
        hasher.finish() & !TICK_MASK | u64::from(tick)
    }
}

impl fmt::Debug for ChallengeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeKey(..)")
    }
}

fn tick(now_us: u64) -> u16 {
    (now_us >> TICK_SHIFT) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    use crate::SeededEntropy;

    const TICK_US: u64 = 1 << TICK_SHIFT;

    fn key() -> ChallengeKey {
        ChallengeKey::generate(&mut SeededEntropy::new(1))
    }

    fn address(text: &str) -> Address {
        Address::from(text.parse::<SocketAddr>().unwrap())
    }

    #[test]
    fn accepted_for_three_ticks() {
        let (key, peer) = (key(), address("192.0.2.1:27015"));
        // The last start is just before the tick's 16 bits wrap around.
        for start in [0, 3_000_000_000_000, TICK_US * 0xfffe, TICK_US * 0xffff + 7] {
            let challenge = key.issue(start, &peer);
            for ticks in 0..=3 {
                assert!(key.check(start + ticks * TICK_US, &peer, challenge));
            }
            let end_of_third = (start | (TICK_US - 1)) + 3 * TICK_US;
            assert!(key.check(end_of_third, &peer, challenge));
            assert!(!key.check(end_of_third + 1, &peer, challenge));
            for later in [4, 5, 100, 0x7fff, 0x8000, 0xffff] {
                assert!(!key.check(start + later * TICK_US, &peer, challenge), "age {later}");
            }
        }
    }

    #[test]
    fn not_accepted_from_the_future() {
        let (key, peer) = (key(), address("192.0.2.1:27015"));
        let challenge = key.issue(10 * TICK_US, &peer);
        assert!(!key.check(9 * TICK_US, &peer, challenge));
    }

    #[test]
    fn bound_to_address_port_key_and_tick() {
        let (key, peer, now) = (key(), address("192.0.2.1:27015"), 77 * TICK_US);
        let challenge = key.issue(now, &peer);
        for other in ["192.0.2.1:27016", "192.0.2.2:27015", "[2001:db8::1]:27015"] {
            assert!(!key.check(now, &address(other), challenge), "{other}");
        }
        let other = ChallengeKey::generate(&mut SeededEntropy::new(2));
        assert!(!other.check(now, &peer, challenge));
        for bit in 0..64 {
            assert!(!key.check(now, &peer, challenge ^ (1 << bit)), "bit {bit}");
        }
        assert_eq!(challenge & 0xffff, 77);
    }

    #[test]
    fn a_mapped_address_is_the_same_address() {
        let (key, now) = (key(), 5 * TICK_US);
        assert_eq!(
            key.issue(now, &address("192.0.2.1:1")),
            key.issue(now, &address("[::ffff:192.0.2.1]:1"))
        );
    }

    #[test]
    fn siphash_reference_vector() {
        // SipHash paper, appendix A: key 00..0f, message 00..0e.
        let mut hasher = SipHasher24::new_with_keys(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        hasher.write(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(hasher.finish(), 0xa129_ca61_49be_45e5);
    }
}
