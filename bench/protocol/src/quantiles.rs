//! Quantiles of durations.

/// Durations in nanoseconds, kept one by one: a run has a few million at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quantiles {
    values_ns: Vec<u64>,
}

impl Quantiles {
    /// Counts a value.
    pub(crate) fn add(&mut self, value_ns: u64) {
        self.values_ns.push(value_ns);
    }

    /// How many values were counted.
    pub(crate) fn len(&self) -> usize {
        self.values_ns.len()
    }

    /// In microseconds, the values that the given shares (0 to 1) of all values do not exceed; nothing
    /// without values.
    pub(crate) fn at_us<const N: usize>(&mut self, shares: [f64; N]) -> Option<[f64; N]> {
        let count = self.values_ns.len();
        if count == 0 {
            return None;
        }
        self.values_ns.sort_unstable();
        Some(shares.map(|share| {
            let rank = ((count as f64 * share).ceil() as usize).clamp(1, count);
            self.values_ns[rank - 1] as f64 / 1000.0
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_exact() {
        let mut quantiles = Quantiles::default();
        assert_eq!(quantiles.at_us([0.5]), None);
        (1..=100).rev().for_each(|value| quantiles.add(value * 1000));
        assert_eq!(quantiles.at_us([0.0, 0.5, 0.99, 1.0]), Some([1.0, 50.0, 99.0, 100.0]));
        assert_eq!(quantiles.len(), 100);
    }
}
