//! Runs cells: two at a time where nothing is measured, then one by one.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::cell::{Cell, Company, Outcome};

/// Cells that run at once where others are welcome.
const AT_ONCE: usize = 2;

/// Runs all cells and returns their outcomes in the cells' order. `finished` hears of each as it
/// comes.
pub fn run(cells: &[Cell], finished: impl Fn(&Outcome) + Sync) -> Vec<Outcome> {
    let outcomes: Mutex<Vec<Option<Outcome>>> = Mutex::new(vec![None; cells.len()]);
    let run_one = |index: usize| {
        let outcome = cells[index].run();
        finished(&outcome);
        outcomes.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(outcome);
    };
    let (sociable, lonely): (Vec<usize>, Vec<usize>) =
        (0..cells.len()).partition(|&index| cells[index].case.company == Company::Welcome);
    let queue = Mutex::new(VecDeque::from(sociable));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(index) = next() {
                    run_one(index);
                }
            });
        }
    });
    lonely.into_iter().for_each(run_one);
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.into_iter().map(|outcome| outcome.expect("every cell was run")).collect()
}
