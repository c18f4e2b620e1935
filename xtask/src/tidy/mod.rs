//! `cargo xtask tidy`: rules about the repository that no compiler checks. Each rule is a function from what lies
//! in the repository to a list of problems, so that `cargo test -p xtask` can run it on good and bad samples alike.

mod documents;
mod layers;
mod lexer;
mod sources;

use anyhow::bail;

use crate::workspace::{self, Package, SourceFile};

/// What the rules look at.
pub(crate) struct Repository {
    /// Members of the workspace, and what they depend on.
    pub(crate) packages: Vec<Package>,
    /// Every text file.
    pub(crate) files: Vec<SourceFile>,
}

impl Repository {
    fn load() -> anyhow::Result<Self> {
        Ok(Self { packages: workspace::packages()?, files: workspace::files()? })
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.member)
    }

    /// One file by its path.
    pub(crate) fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// All files with one extension.
    pub(crate) fn with_extension<'a>(
        &'a self,
        extension: &'a str,
    ) -> impl Iterator<Item = &'a SourceFile> {
        self.files.iter().filter(move |file| {
            file.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
        })
    }
}

/// One rule: its name, and the function that lists what breaks it.
type Rule = (&'static str, fn(&Repository) -> Vec<String>);

const RULES: &[Rule] = &[
    ("dependencies run as ARCHITECTURE.md says", layers::dependencies),
    ("some dependencies belong to one crate", layers::exclusive),
    ("every crate says what it is and its license", layers::manifests),
    ("files stay short", sources::length),
    ("unsafe code stays in its places", sources::unsafe_code),
    ("crate roots forbid unsafe code", sources::forbid_unsafe),
    ("sans-IO crates know no clock and no socket", sources::sans_io),
    ("tests do not sleep", sources::sleeping_tests),
    ("names say what a thing is", sources::names),
    ("nothing is left to do", sources::unfinished),
    ("no path of one machine", sources::machine_paths),
    ("paths named in documents exist", documents::named_paths),
    ("links in documents lead somewhere", documents::links),
    ("tests named in documents exist", documents::named_tests),
    ("documents name existing commands", documents::commands),
    ("the documents that a reader expects exist", documents::expected),
];

/// Runs all rules and prints what breaks them.
pub(crate) fn run() -> anyhow::Result<()> {
    let repository = Repository::load()?;
    let mut count = 0;
    for (name, rule) in RULES.iter().copied() {
        let problems = rule(&repository);
        if !problems.is_empty() {
            println!("{name}:");
        }
        for problem in &problems {
            println!("  {problem}");
        }
        count += problems.len();
    }
    if count > 0 {
        bail!("{count} things to tidy up");
    }
    println!("{} rules hold in {} files", RULES.len(), repository.files.len());
    Ok(())
}

/// Compares README.md with the help of the built program.
pub(crate) fn commands_match_help(help: &str) -> anyhow::Result<()> {
    let repository = Repository::load()?;
    let problems = documents::commands_missing_from_help(&repository, help);
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        bail!("documented commands are missing");
    }
    Ok(())
}

/// A repository made of the given files, for the tests of the rules.
#[cfg(test)]
fn sample(files: &[(&str, &str)]) -> Repository {
    let files = files
        .iter()
        .map(|(path, text)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect();
    Repository { packages: Vec::new(), files }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let repository = Repository::load().unwrap();
        let mut broken = Vec::new();
        for (name, rule) in RULES.iter().copied() {
            broken
                .extend(rule(&repository).into_iter().map(|problem| format!("{name}: {problem}")));
        }
        assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    }
}
