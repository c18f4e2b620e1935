//! A sliding window of numbers seen.

use super::Freshness;

/// Which of the newest `WORDS` × 64 numbers were seen, one bit each.
#[derive(Clone, Debug)]
pub(crate) struct SeenWindow<const WORDS: usize> {
    newest: u64,
    words: [u64; WORDS],
}

impl<const WORDS: usize> SeenWindow<WORDS> {
    /// How many numbers it tells apart, the newest included.
    pub(crate) const SIZE: u64 = WORDS as u64 * 64;

    /// Everything up to `newest` counts as seen.
    pub(crate) fn new(newest: u64) -> Self {
        Self { newest, words: [u64::MAX; WORDS] }
    }

    /// The newest number seen.
    #[inline]
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether `number` was seen.
    #[inline]
    pub(crate) fn freshness(&self, number: u64) -> Freshness {
        match self.newest.checked_sub(number) {
            None => Freshness::New,
            Some(age) if age >= Self::SIZE => Freshness::TooOld,
            Some(_) if self.word(number) & Self::bit(number) != 0 => Freshness::Duplicate,
            Some(_) => Freshness::New,
        }
    }

    /// Marks `number` as seen; does nothing if it is too old.
    #[inline]
    pub(crate) fn mark(&mut self, number: u64) {
        if number > self.newest {
            self.slide(number);
        } else if self.newest - number >= Self::SIZE {
            return;
        }
        self.words[Self::index(number)] |= Self::bit(number);
    }

    /// Forgets what the numbers up to `newest` take the place of.
    fn slide(&mut self, newest: u64) {
        let mut left = newest - self.newest;
        if left >= Self::SIZE {
            self.words.fill(0);
        } else {
            let mut number = self.newest.wrapping_add(1);
            while left > 0 {
                let span = left.min(64 - number % 64);
                let mask = (u64::MAX >> (64 - span)) << (number % 64);
                self.words[Self::index(number)] &= !mask;
                number = number.wrapping_add(span);
                left -= span;
            }
        }
        self.newest = newest;
    }

    #[inline]
    fn word(&self, number: u64) -> u64 {
        self.words[Self::index(number)]
    }

    #[inline]
    fn index(number: u64) -> usize {
        (number / 64 % WORDS as u64) as usize
    }

    #[inline]
    fn bit(number: u64) -> u64 {
        1 << (number % 64)
    }
}
