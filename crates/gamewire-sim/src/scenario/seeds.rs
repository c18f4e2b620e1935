//! Seeds that once found something, kept for ever.

/// A line of `seeds.txt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSeed {
    /// The seed, for [`super::generate`].
    pub seed: u64,
    /// What it found.
    pub found: &'static str,
}

/// All of `seeds.txt`: one seed per line, then what it found; `#` begins a comment.
pub fn kept_seeds() -> Vec<KeptSeed> {
    let lines = include_str!("../../seeds.txt").lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| {
            let (seed, found) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            Some(KeptSeed { seed: seed.parse().ok()?, found: found.trim() })
        })
        .collect()
}
