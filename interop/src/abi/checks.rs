//! The checks of a run, and a few threads that work through them: most of a program's time is waiting.

use std::{
    path::Path,
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::{
    binding, commands, compiler,
    differences::{DECLARED, unexpected},
    libraries::{Library, Places},
    observations::{self, Observation},
    programs::{PROGRAMS, Program, Standard},
    report::Outcome,
    symbols, valgrind,
};

/// Longest time for one run of a program.
const RUN_LIMIT: Duration = Duration::from_secs(60);
/// How many checks run at once.
const AT_ONCE: usize = 4;

/// One check.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// A program, with the libraries that its standard asks for.
    Program(&'static Program),
    /// The symbols that our library exports.
    Symbols,
    /// A program under valgrind with our library.
    Valgrind,
    /// The tests of a foreign binding, linked to our library.
    Binding,
}

impl Check {
    /// All of them, in the order of the table.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let programs = PROGRAMS.iter().map(Self::Program);
        [Self::Symbols].into_iter().chain(programs).chain([Self::Valgrind, Self::Binding]).collect()
    }

    /// What the table calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Program(program) => program.name,
            Self::Symbols => "symbols",
            Self::Valgrind => "valgrind",
            Self::Binding => "binding",
        }
    }

    fn run(self, places: &Places) -> Outcome {
        let start = Instant::now();
        let result = match self {
            Self::Program(program) => check_program(places, program),
            Self::Symbols => symbols::check(places),
            Self::Valgrind => valgrind::check(places),
            Self::Binding => binding::check(places),
        };
        let (note, problems) =
            result.unwrap_or_else(|error| ("could not run".to_owned(), vec![format!("{error:#}")]));
        Outcome { name: self.name().to_owned(), note, problems, elapsed: start.elapsed() }
    }
}

/// Runs checks, tells of each as it ends, and returns their outcomes in the order of the checks.
///
/// # Panics
/// A thread of ours did.
pub fn run(checks: &[Check], places: &Places, told: impl Fn(&Outcome) + Sync) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::with_capacity(checks.len()));
    let work = || {
        while let Some(check) = checks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = check.run(places);
            told(&outcome);
            outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let place = |outcome: &Outcome| checks.iter().position(|check| check.name() == outcome.name);
    outcomes.sort_by_key(place);
    outcomes
}

/// A note for the table, and what is wrong.
pub type Verdict = (String, Vec<String>);

fn check_program(places: &Places, program: &Program) -> anyhow::Result<Verdict> {
    let binary = compiler::compile(places, program)?;
    let observe = |library| observe(places, program.name, &binary, library);
    let (expected, found) = match program.standard {
        Standard::Valve => (observe(Library::Valve)?, observe(Library::Ours)?),
        Standard::Ours(text) => (observations::parse(text), observe(Library::Ours)?),
        Standard::Headers(text) => (observations::parse(text), observe(Library::Valve)?),
    };
    let differences = observations::compare(&expected, &found);
    let (undeclared, missing) = unexpected(DECLARED, program.name, &differences);
    let declared = differences.len() - undeclared.len();
    let mut note = format!("{}: {} observations", program.about, expected.len());
    if declared > 0 {
        note += &format!(", {declared} lines differ as declared");
    }
    let undeclared = undeclared.iter().map(ToString::to_string);
    let missing = missing.iter().map(|known| {
        format!("{}: the declared difference is not there ({})", known.key, known.row)
    });
    Ok((note, undeclared.chain(missing).collect()))
}

/// Runs a program with one of the libraries.
fn observe(
    places: &Places,
    name: &str,
    binary: &Path,
    library: Library,
) -> anyhow::Result<Vec<Observation>> {
    let mut command = Command::new(binary);
    command.env("LD_LIBRARY_PATH", places.of(library));
    let title = format!("{name} with {} library", library.name());
    let finished = commands::run(&title, &mut command, RUN_LIMIT)?;
    ensure!(
        finished.code == Some(0),
        "{title} ended with {}:\n{}",
        finished.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string()),
        finished.tail()
    );
    Ok(observations::parse(&finished.output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = Check::all().into_iter().map(Check::name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
