//! Chance, reproducible. Not for secrets.

/// A SplitMix64 generator (Steele, Lea and Flood, 2014): small, quick, and good enough to decide
/// which packets to lose.
#[derive(Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1), in steps of 2⁻⁵³.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with a chance of `percent`. A draw is used up only if the answer is open.
    pub(super) fn chance(&mut self, percent: f32) -> bool {
        percent > 0.0 && (percent >= 100.0 || self.unit() * 100.0 < f64::from(percent))
    }

    /// Exponentially distributed with the given mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        // 1 − u is never zero, so the logarithm is finite.
        -mean * (1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_sequence() {
        let mut random = Random::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| random.next()), expected);
    }

    #[test]
    fn chances_at_the_ends_are_certain() {
        let mut random = Random::new(1);
        assert!((0..1000).all(|_| random.chance(100.0)));
        assert!(!(0..1000).any(|_| random.chance(0.0)));
    }

    #[test]
    fn exponential_has_the_mean_and_is_never_negative() {
        let mut random = Random::new(2);
        let draws: Vec<f64> = (0..20_000).map(|_| random.exponential(40.0)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((38.5..41.5).contains(&mean), "{mean}");
        assert!(draws.iter().all(|draw| *draw >= 0.0 && draw.is_finite()));
    }
}
