//! Rules about the documents: what they name exists, and what a reader looks for is there.

use std::path::{Component, Path, PathBuf};

use super::Repository;
use crate::{subcommand_names, workspace};

/// Documents whose backticked paths must exist.
const EXACT: [&str; 3] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"];

/// Endings that make a backticked word a path even without a slash. `lib.rs` is none: it means every one of them.
const PATH_ENDINGS: [&str; 3] = [".md", ".toml", ".json"];

/// Files that every repository of this kind has, with a text that must be in them.
const EXPECTED: [(&str, &str); 10] = [
    ("README.md", "cargo xtask test"),
    ("ARCHITECTURE.md", "## Invariants"),
    ("CONTRIBUTING.md", "## "),
    ("SECURITY.md", "## Reporting"),
    ("CHANGELOG.md", "## [Unreleased]"),
    ("LICENSE", "LICENSE-MIT"),
    ("LICENSE-MIT", "MIT License"),
    ("LICENSE-APACHE", "Version 2.0, January 2004"),
    ("docs/parity.md", "| behaviour | Valve | Gamewire | reason |"),
    ("docs/porting.md", "Windows"),
];

/// Every path in backticks exists.
pub(super) fn named_paths(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for path in EXACT {
        let Some(document) = repository.file(path) else {
            continue;
        };
        for (line, word) in backticked(&document.text) {
            if looks_like_a_path(word) && !workspace::root().join(word).exists() {
                problems.push(format!("{path}:{line}: `{word}` does not exist"));
            }
        }
    }
    problems
}

fn looks_like_a_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let slash = word.contains('/') && !word.starts_with('/');
    plain && (slash || PATH_ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

/// What stands between single backticks outside of code blocks, with its line number.
fn backticked(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    text.lines()
        .enumerate()
        .filter(move |(_, line)| {
            let fence = line.trim_start().starts_with("```");
            in_block ^= fence;
            !in_block && !fence
        })
        .flat_map(|(index, line)| {
            line.split('`').skip(1).step_by(2).map(move |word| (index + 1, word))
        })
}

/// Every relative link of every document leads to a file.
pub(super) fn links(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for document in repository.with_extension("md") {
        let folder = Path::new(&document.path).parent().unwrap_or(Path::new(""));
        for target in document.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains(':') {
                continue;
            }
            if !workspace::root().join(normalized(&folder.join(path))).exists() {
                problems.push(format!("{}: {target}", document.path));
            }
        }
    }
    problems
}

fn normalized(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Every `cargo xtask …` in a document is a command of ours.
pub(super) fn commands(repository: &Repository) -> Vec<String> {
    let known = subcommand_names();
    let mut problems = Vec::new();
    for document in repository.with_extension("md") {
        for (line, name) in words_after(&document.text, "cargo xtask ") {
            if name != "help" && !known.iter().any(|known| known == name) {
                problems.push(format!("{}:{line}: cargo xtask {name}", document.path));
            }
        }
    }
    problems
}

/// The word that follows each `prefix`, with its line number. Placeholders in capitals are left out.
fn words_after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    text.lines().enumerate().flat_map(move |(index, line)| {
        line.split(prefix).skip(1).filter_map(move |rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let word = &rest[..end.unwrap_or(rest.len())];
            let command = word.starts_with(|c: char| c.is_ascii_lowercase());
            command.then_some((index + 1, word))
        })
    })
}

/// Where the tests are named that show what broke others.
const LESSONS: &str = "docs/lessons.md";

/// Every test that the catalogue of lessons names exists.
pub(super) fn named_tests(repository: &Repository) -> Vec<String> {
    let Some(document) = repository.file(LESSONS) else {
        return vec![format!("{LESSONS} does not exist")];
    };
    let exists = |name: &str| {
        let definition = format!("fn {name}");
        repository.with_extension("rs").any(|file| {
            file.text
                .match_indices(&definition)
                .any(|(at, _)| file.text[at + definition.len()..].starts_with(['(', '<']))
        })
    };
    backticked(&document.text)
        .filter(|(_, word)| {
            word.contains('_') && word.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
        })
        .filter(|(_, word)| !exists(word))
        .map(|(line, word)| format!("{LESSONS}:{line}: no test is called `{word}`"))
        .collect()
}

/// The documents that a reader expects.
pub(super) fn expected(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in EXPECTED {
        match repository.file(path) {
            None => problems.push(format!("there is no {path}")),
            Some(file) if !file.text.contains(text) => {
                problems.push(format!("{path} does not say `{text}`"));
            }
            Some(_) => {}
        }
    }
    problems
}

/// The subcommands of `gamewire` that README.md names and `gamewire --help` does not.
pub(super) fn commands_missing_from_help(repository: &Repository, help: &str) -> Vec<String> {
    let known: Vec<&str> = help.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let Some(readme) = repository.file("README.md") else {
        return vec!["there is no README.md".to_owned()];
    };
    let in_table = words_after(&readme.text, "| `gamewire ");
    let in_blocks = words_after(&readme.text, "--bin gamewire -- ");
    let mut found = 0;
    let mut problems = Vec::new();
    for (line, name) in in_table.chain(in_blocks) {
        found += 1;
        if !known.contains(&name) {
            problems.push(format!("README.md:{line}: gamewire --help does not list `{name}`"));
        }
    }
    if found == 0 {
        problems.push("README.md names no command of gamewire".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn paths_that_do_not_exist_are_found() {
        let text = "`crates/nothing/`, `Cargo.toml`, `xtask/src/`, `lib.rs`, `gone.md`, `a::b`, `x | y`\n```\n`crates/in-a-block/`\n```\n";
        let repository = sample(&[("ARCHITECTURE.md", text)]);
        assert_eq!(
            named_paths(&repository),
            [
                "ARCHITECTURE.md:1: `crates/nothing/` does not exist",
                "ARCHITECTURE.md:1: `gone.md` does not exist"
            ]
        );
    }

    #[test]
    fn dead_links_are_found() {
        let text = "[a](../Cargo.toml) [b](gone.md#x) [c](https://example.org) [d](#here)";
        assert_eq!(links(&sample(&[("docs/a.md", text)])), ["docs/a.md: gone.md#x"]);
    }

    #[test]
    fn unknown_commands_are_found() {
        let text =
            "`cargo xtask test`, `cargo xtask dance`, `cargo xtask NAME`, `cargo xtask help`";
        assert_eq!(commands(&sample(&[("a.md", text)])), ["a.md:1: cargo xtask dance"]);
    }

    #[test]
    fn missing_documents_are_found() {
        assert_eq!(expected(&sample(&[])).len(), EXPECTED.len());
        let changelog = sample(&[("CHANGELOG.md", "nothing")]);
        assert!(expected(&changelog).iter().any(|problem| problem.contains("does not say")));
    }

    #[test]
    fn commands_are_compared_with_the_help() {
        let readme = "| `gamewire demo` |\n| `gamewire fly` |\ncargo run --bin gamewire -- chat\n";
        let help = "Commands:\n  demo  Shows it\n  chat  Talks\n";
        let repository = sample(&[("README.md", readme)]);
        assert_eq!(
            commands_missing_from_help(&repository, help),
            ["README.md:2: gamewire --help does not list `fly`"]
        );
        assert_eq!(commands_missing_from_help(&sample(&[("README.md", "")]), help).len(), 1);
    }
}
