//! The randomness of a world: everything that a seed decides comes from here.

use std::time::Duration;

/// A xoshiro256** generator (Blackman, Vigna 2018), its state filled by SplitMix64.
///
/// Never used for keys: those come from [`gamewire_crypto::SeededEntropy`].
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

/// One step of SplitMix64: an output for each value of `state`, which moves on.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Mixes two numbers into a seed, so that streams of randomness do not depend on each other.
pub fn mix(seed: u64, salt: u64) -> u64 {
    let mut state = seed ^ salt.wrapping_mul(0xd6e8_feb8_6659_fd93);
    splitmix(&mut state)
}

impl Rng {
    /// A generator whose whole output follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self([(); 4].map(|()| splitmix(&mut state)))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        debug_assert!(low <= high);
        let span = u128::from(high - low) + 1;
        let scaled = (u128::from(self.next_u64()) * span) >> 64;
        low + u64::try_from(scaled).expect("a 64-bit number scaled to a 64-bit span")
    }

    /// An index below `len`, which must not be 0.
    pub fn index(&mut self, len: usize) -> usize {
        self.between(0, len as u64 - 1) as usize
    }

    /// True with a chance of `parts` in a million.
    pub fn chance(&mut self, parts: PerMillion) -> bool {
        parts.0 > 0 && self.between(1, 1_000_000) <= u64::from(parts.0)
    }

    /// One of the choices.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// A length of time up to `limit`.
    pub fn up_to(&mut self, limit: Duration) -> Duration {
        Duration::from_micros(self.between(0, limit.as_micros() as u64))
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        for piece in out.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
    }
}

/// A probability in parts of a million.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct PerMillion(pub u32);

impl PerMillion {
    /// So many percent.
    pub const fn percent(percent: u32) -> Self {
        Self(percent * 10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        let (mut one, mut same, mut other) = (Rng::new(7), Rng::new(7), Rng::new(8));
        let draws: Vec<u64> = (0..8).map(|_| one.next_u64()).collect();
        assert!(draws.iter().all(|&draw| draw == same.next_u64()));
        assert!(draws.iter().any(|&draw| draw != other.next_u64()));
        assert_ne!(mix(1, 2), mix(2, 1));
    }

    #[test]
    fn ranges_hold_their_ends() {
        let mut rng = Rng::new(1);
        let mut seen = [false; 4];
        for _ in 0..200 {
            let draw = rng.between(3, 6);
            seen[draw as usize - 3] = true;
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(rng.between(5, 5), 5);
        let _ = rng.between(0, u64::MAX);
    }

    #[test]
    fn chances_come_out_about_right() {
        let mut rng = Rng::new(2);
        let hits = (0..10_000).filter(|_| rng.chance(PerMillion::percent(10))).count();
        assert!((800..1200).contains(&hits), "{hits}");
        assert!(!rng.chance(PerMillion(0)));
        assert!(rng.chance(PerMillion::percent(100)));
    }
}
