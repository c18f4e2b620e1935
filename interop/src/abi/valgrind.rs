//! Programs with our library under valgrind: nothing is read that was not written, nothing is lost.

use std::{process::Command, time::Duration};

use anyhow::Context as _;

use super::{
    checks::Verdict,
    commands, compiler,
    libraries::{Library, Places},
    programs::PROGRAMS,
};

/// The programs that run: one that frees in every way, one that connects through every door.
const SUBJECTS: [&str; 2] = ["ownership", "flat"];
/// Longest time for one of them: valgrind is slow.
const LIMIT: Duration = Duration::from_secs(180);
/// The exit code that means a finding.
const FINDING: i32 = 97;

/// Runs the subjects.
///
/// # Errors
/// valgrind is missing, or a program failed by itself.
pub fn check(places: &Places) -> anyhow::Result<Verdict> {
    let mut problems = Vec::new();
    for name in SUBJECTS {
        let program = PROGRAMS.iter().find(|program| program.name == name);
        let binary = compiler::compile(places, program.context("a subject is a program")?)?;
        let mut command = Command::new("valgrind");
        command.args(["--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect"]);
        command.args(["--errors-for-leak-kinds=definite,indirect", "--fair-sched=yes"]);
        command.arg(format!("--error-exitcode={FINDING}")).arg(&binary);
        command.env("LD_LIBRARY_PATH", places.of(Library::Ours));
        let finished = commands::run("valgrind", &mut command, LIMIT)?;
        match finished.code {
            Some(0) => {}
            Some(FINDING) => problems.push(format!("{name}:\n{}", finished.errors)),
            code => problems.push(format!("{name} ended with {code:?}:\n{}", finished.tail())),
        }
    }
    Ok((format!("{}: no errors, no leaks", SUBJECTS.join(", ")), problems))
}
