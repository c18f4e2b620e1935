//! All runs, and their medians.

use std::collections::BTreeMap;

use bench_protocol::Figures;

use crate::{cases::Case, peers::Peer, session::Outcome};

/// Median and spread of one figure.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of values, of which there is at least one.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, least, most })
    }
}

/// One peer in one case.
#[derive(Default, Debug)]
struct Cell {
    runs: Vec<Figures>,
    step: usize,
    failure: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) rounds: usize,
    cells: BTreeMap<(&'static str, &'static str), Cell>,
}

impl Results {
    pub(crate) fn new(rounds: usize) -> Self {
        Self { rounds, cells: BTreeMap::new() }
    }

    /// Whether there is no figure at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.values().all(|cell| cell.runs.is_empty())
    }

    /// The step of the peer's settings that was found to be the best.
    pub(crate) fn step(&self, case: &Case, peer: &Peer) -> Option<usize> {
        Some(self.cells.get(&(case.name, peer.name))?.step)
    }

    /// Adds a run.
    pub(crate) fn add(&mut self, case: &Case, peer: &Peer, outcome: Outcome) {
        let cell = self.cells.entry((case.name, peer.name)).or_default();
        cell.step = outcome.step;
        match outcome.result {
            Ok(figures) => cell.runs.push(figures),
            Err(error) => cell.failure = Some(format!("{error:#}")),
        }
    }

    /// One figure of one peer in one case.
    pub(crate) fn spread(&self, case: &str, peer: &str, figure: &str) -> Option<Spread> {
        let cell = self.cells.iter().find(|((c, p), _)| *c == case && *p == peer)?.1;
        Spread::of(cell.runs.iter().filter_map(|run| run.get(figure).copied()).collect())
    }

    /// The median of it.
    pub(crate) fn median(&self, case: &str, peer: &str, figure: &str) -> Option<f64> {
        Some(self.spread(case, peer, figure)?.median)
    }

    /// Which step of its settings a peer came down to, and why its last run failed, if it did.
    pub(crate) fn remarks(&self, case: &str, peer: &str) -> Option<(usize, Option<&str>)> {
        let cell = self.cells.iter().find(|((c, p), _)| *c == case && *p == peer)?.1;
        Some((cell.step, cell.failure.as_deref()))
    }

    /// Names of cases and peers with their figures' medians.
    pub(crate) fn medians(&self) -> impl Iterator<Item = (&'static str, &'static str, Figures)> {
        self.cells.iter().filter(|(_, cell)| !cell.runs.is_empty()).map(|(&(case, peer), cell)| {
            let names = cell.runs.iter().flat_map(Figures::keys);
            let medians = names
                .filter_map(|name| Some((name.clone(), self.median(case, peer, name)?)))
                .collect();
            (case, peer, medians)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let spread = |values: &[f64]| Spread::of(values.to_vec());
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(
            spread(&[4.0, 1.0, 2.0, 3.0]),
            Some(Spread { median: 2.5, least: 1.0, most: 4.0 })
        );
    }
}
