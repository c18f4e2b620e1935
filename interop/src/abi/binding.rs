//! A binding that others wrote, unchanged: the package `game-networking-sockets` of crates.io, linked
//! to our library, with its own tests.
//!
//! `interop/abi/binding` is a workspace of its own that puts another package in the place of the one
//! that builds Valve's library: the same declarations, our library.

use std::time::Duration;

use anyhow::ensure;

use super::{
    checks::Verdict,
    commands,
    libraries::{Library, Places, cargo},
};

/// Longest time to build the binding and run its tests.
const LIMIT: Duration = Duration::from_secs(600);
/// What cargo puts before each test program: one that hangs must not hang everything.
const RUNNER: &str = "target.'cfg(unix)'.runner = ['timeout', '60']";
/// Tests that cannot hold with our library by choice, each with the reason.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// Builds the binding and runs its tests.
///
/// # Errors
/// It cannot be built.
pub fn check(places: &Places) -> anyhow::Result<Verdict> {
    let library = places.of(Library::Ours);
    let mut command = cargo(&places.sources().join("binding"));
    command.args([
        "--config",
        RUNNER,
        "test",
        "--locked",
        "--no-fail-fast",
        "-p",
        "game-networking-sockets",
    ]);
    command.arg("--target-dir").arg(places.work.join("binding"));
    command.env("GAMEWIRE_ABI_DECLARATIONS", places.valve_output.join("bindings.rs"));
    command.env("GAMEWIRE_ABI_LIBRARY", library).env("LD_LIBRARY_PATH", library);
    let finished = commands::run("the binding's tests", &mut command, LIMIT)?;
    let tests = tests(&finished.output);
    ensure!(!tests.is_empty(), "the binding has no tests:\n{}", finished.errors);
    let mut problems = problems(&tests, &EXCEPTIONS);
    if problems.is_empty() && finished.code != Some(0) && EXCEPTIONS.is_empty() {
        problems.push(format!("cargo test failed:\n{}", finished.tail()));
    } else if !problems.is_empty() {
        problems.push(finished.tail());
    }
    Ok((format!("game-networking-sockets 0.3.0: {} tests of its own", tests.len()), problems))
}

/// The name of each test, and whether it passed.
fn tests(output: &str) -> Vec<(&str, bool)> {
    let results = output.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
    results.map(|(name, result)| (name, result == "ok")).collect()
}

fn problems(tests: &[(&str, bool)], exceptions: &[(&str, &str)]) -> Vec<String> {
    let excepted = |name: &str| exceptions.iter().any(|(test, _)| *test == name);
    let failed = tests.iter().filter(|(name, passed)| !passed && !excepted(name));
    let failed = failed.map(|(name, _)| format!("{name} failed"));
    let needless = exceptions
        .iter()
        .filter(|(name, _)| !tests.iter().any(|(test, passed)| test == name && !passed))
        .map(|(name, reason)| format!("{name} does not fail as declared ({reason})"));
    failed.chain(needless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "running 3 tests\ntest first ... ok\ntest second ... FAILED\n\
                          test third ... FAILED\n\ntest result: FAILED. 1 passed; 2 failed\n";

    #[test]
    fn results_are_read() {
        assert_eq!(tests(OUTPUT), [("first", true), ("second", false), ("third", false)]);
    }

    #[test]
    fn failures_and_needless_exceptions_are_problems() {
        let exceptions = [("first", "never fails"), ("third", "by choice")];
        assert_eq!(
            problems(&tests(OUTPUT), &exceptions),
            ["second failed", "first does not fail as declared (never fails)"]
        );
        assert!(problems(&[("first", true)], &[]).is_empty());
    }
}
