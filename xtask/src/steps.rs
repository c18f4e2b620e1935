//! What `cargo xtask test` consists of: one row per step.

use crate::{
    codegen, commands, dist, header, instructions, licenses, smoke, system_packages, tidy,
};

/// One step.
pub(crate) struct Step {
    /// What `--only` takes.
    pub(crate) name: &'static str,
    /// One line about what it shows.
    pub(crate) doc: &'static str,
    /// How it is done.
    pub(crate) action: Action,
}

/// How a step is done.
pub(crate) enum Action {
    /// A call of cargo.
    Cargo {
        arguments: &'static [&'static str],
        environment: &'static [(&'static str, &'static str)],
    },
    /// A function of ours, with the command that does the same.
    Call { function: fn() -> anyhow::Result<()>, command_line: &'static str },
}

impl Step {
    /// What to type to repeat this step alone.
    pub(crate) fn command_line(&self) -> String {
        match self.action {
            Action::Cargo { arguments, environment } => {
                let mut words: Vec<String> =
                    environment.iter().map(|(key, value)| format!("{key}='{value}'")).collect();
                words.push("cargo".to_owned());
                words.extend(arguments.iter().map(|word| (*word).to_owned()));
                words.join(" ")
            }
            Action::Call { command_line, .. } => command_line.to_owned(),
        }
    }
}

const fn cargo(name: &'static str, doc: &'static str, arguments: &'static [&'static str]) -> Step {
    Step { name, doc, action: Action::Cargo { arguments, environment: &[] } }
}

const fn call(
    name: &'static str,
    doc: &'static str,
    function: fn() -> anyhow::Result<()>,
    command_line: &'static str,
) -> Step {
    Step { name, doc, action: Action::Call { function, command_line } }
}

/// Steps that only `cargo xtask test --extended` runs, or `--only` by name: together they take longer
/// than continuous integration may, and two of them need a machine with nothing else to do.
pub(crate) const EXTENDED: &[&str] = &["instructions", "real-stack", "p2p", "nat-lab"];

/// All steps, in the order in which they run: quick ones first.
pub(crate) const STEPS: &[Step] = &[
    call(
        "system-packages",
        "the Debian packages that the tests need",
        system_packages::ensure,
        "cargo xtask test --only system-packages",
    ),
    cargo("format", "every file is formatted", &["fmt", "--all", "--", "--check"]),
    cargo(
        "format-bench",
        "nor are those of the bench left out",
        &["fmt", "--all", "--manifest-path", "bench/Cargo.toml", "--", "--check"],
    ),
    call("tidy", "the structure of the repository", tidy::run, "cargo xtask tidy"),
    call(
        "codegen",
        "generated code is up to date",
        || codegen::run(true),
        "cargo xtask codegen --check",
    ),
    call("header", "so is the C header", || header::run(true), "cargo xtask header --check"),
    call("licenses", "licenses of all dependencies", licenses::run, "cargo xtask licenses"),
    cargo(
        "lint",
        "clippy finds nothing, with every feature of the library",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            "gamewire/async,gamewire/serde",
            "--",
            "-D",
            "warnings",
        ],
    ),
    cargo(
        "lint-plain",
        "nor in the library without its features",
        &["clippy", "-p", "gamewire", "--", "-D", "warnings"],
    ),
    cargo(
        "test",
        "unit, integration and documentation tests, fuzz corpora and simulated worlds",
        &["test", "--workspace", "--features", "gamewire/async,gamewire/serde"],
    ),
    cargo(
        "test-crypto",
        "both cryptographic backends agree",
        &["test", "-p", "gamewire-crypto", "--features", "crypto-rustcrypto"],
    ),
    Step {
        name: "doc",
        doc: "the documentation builds without a warning",
        action: Action::Cargo {
            arguments: &["doc", "--workspace", "--no-deps", "--lib"],
            environment: &[("RUSTDOCFLAGS", "-D warnings")],
        },
    },
    cargo("release", "the release build", commands::RELEASE_BUILD),
    call(
        "instructions",
        "fixed transfers cost no more instructions than before",
        || instructions::run(false),
        "cargo xtask instructions",
    ),
    call(
        "interop",
        "every cell of the matrix with Valve's library",
        || commands::interop(&[]),
        "cargo xtask interop",
    ),
    call(
        "real-stack",
        "the congestion control keeps its promises through sockets and kernel",
        || commands::real_stack(&[]),
        "cargo xtask real-stack",
    ),
    call(
        "p2p",
        "the two libraries find each other by identity, by every kind of route",
        || commands::p2p(&["libraries".to_owned()]),
        "cargo xtask p2p libraries",
    ),
    call(
        "nat-lab",
        "peers behind routers of every kind find the route that theory says",
        || commands::p2p(&["nat".to_owned()]),
        "cargo xtask p2p nat",
    ),
    call(
        "abi",
        "programs compiled for Valve's library do the same with ours",
        || commands::abi(&[]),
        "cargo xtask abi",
    ),
    call(
        "dist",
        "C, C++, C# and Python programs build and run with the installed library",
        dist::check::run,
        "cargo xtask test --only dist",
    ),
    call(
        "bench",
        "a benchmark of one second prints its numbers",
        smoke::bench,
        "cargo xtask test --only bench",
    ),
    call(
        "demo",
        "the demonstration succeeds, and the README names real commands",
        smoke::demo,
        "cargo xtask test --only demo",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_unique() {
        let mut names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        assert!(names.iter().all(|name| {
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        }));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn extended_steps_exist() {
        assert!(EXTENDED.iter().all(|name| STEPS.iter().any(|step| step.name == *name)));
    }

    #[test]
    fn command_lines_can_be_pasted() {
        let line = |name: &str| {
            STEPS.iter().find(|step| step.name == name).map(Step::command_line).unwrap()
        };
        assert_eq!(line("doc"), "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --lib");
        assert_eq!(line("tidy"), "cargo xtask tidy");
    }
}
