//! `cargo xtask licenses`: the license of every dependency against the list that `deny.toml` allows.
//!
//! cargo-deny does more where it is installed; this needs nothing but `cargo metadata`, so it always runs.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, bail};

use crate::{
    process,
    workspace::{self, Package},
};

/// Deepest nesting of parentheses in an expression that we read.
const MAX_NESTING: usize = 16;

/// Checks all packages; with cargo-deny at hand, lets it look too.
pub(crate) fn run() -> anyhow::Result<()> {
    let rules = fs::read_to_string(workspace::root().join("deny.toml"))?;
    let packages = workspace::packages()?;
    let problems = problems(&packages, &allowed(&rules)?, &exceptions(&rules)?);
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        bail!("{} packages with a license that deny.toml does not allow", problems.len());
    }
    println!("{} packages, each with an allowed license", packages.len());
    if process::succeeds("cargo", &["deny", "--version"]) {
        process::run("cargo", &["deny", "check", "bans", "licenses", "sources"])
    } else {
        println!("cargo-deny is not installed: bans and sources were not checked");
        println!("to have them checked: cargo install --locked cargo-deny");
        Ok(())
    }
}

fn section(text: &str) -> anyhow::Result<&str> {
    let section = text.split("[licenses]").nth(1).context("deny.toml has no [licenses]")?;
    Ok(section.split("\n[").next().unwrap_or(section))
}

/// The list `allow` in the section `[licenses]` of deny.toml.
fn allowed(text: &str) -> anyhow::Result<BTreeSet<String>> {
    let list =
        section(text)?.split("allow = [").nth(1).context("[licenses] has no list `allow`")?;
    let list = list.split(']').next().context("the list `allow` has no end")?;
    let names = list
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    Ok(names.collect())
}

/// The list `exceptions` in the same section: packages, each with one more license that it may have.
fn exceptions(text: &str) -> anyhow::Result<Vec<(String, String)>> {
    let Some(list) = section(text)?.split("exceptions = [").nth(1) else { return Ok(Vec::new()) };
    let mut exceptions = Vec::new();
    for line in list.lines().map(str::trim).take_while(|line| *line != "]") {
        let Some(rest) = line.strip_prefix("{ allow = [\"") else { continue };
        let (license, rest) = rest.split_once("\"], crate = \"").context("not one license")?;
        let (package, _) = rest.split_once('"').context("an exception has no end")?;
        exceptions.push((package.to_owned(), license.to_owned()));
    }
    Ok(exceptions)
}

fn problems(
    packages: &[Package],
    allowed: &BTreeSet<String>,
    exceptions: &[(String, String)],
) -> Vec<String> {
    let mut problems = Vec::new();
    for package in packages {
        let mut allowed = allowed.clone();
        let own = exceptions.iter().filter(|(name, _)| *name == package.name);
        allowed.extend(own.map(|(_, license)| license.clone()));
        let name = format!("{} {}", package.name, package.version);
        match &package.license {
            None => problems.push(format!("{name} names no license")),
            Some(expression) => match satisfied(expression, &allowed) {
                Ok(true) => {}
                Ok(false) => problems.push(format!("{name} is under {expression}")),
                Err(error) => problems.push(format!("{name}: `{expression}`: {error}")),
            },
        }
    }
    problems
}

/// Whether an SPDX expression can be met with the allowed licenses alone. The old `/` means OR.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> anyhow::Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed, nesting: 0 };
    let met = reader.alternatives()?;
    if !reader.words.is_empty() {
        bail!("unexpected `{}`", reader.words[0]);
    }
    Ok(met)
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a BTreeSet<String>,
    nesting: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn take_if(&mut self, word: &str) -> bool {
        let matches = self.words.first() == Some(&word);
        if matches {
            self.words = &self.words[1..];
        }
        matches
    }

    fn alternatives(&mut self) -> anyhow::Result<bool> {
        let mut met = self.conjunction()?;
        while self.take_if("OR") {
            met |= self.conjunction()?;
        }
        Ok(met)
    }

    fn conjunction(&mut self) -> anyhow::Result<bool> {
        let mut met = self.license()?;
        while self.take_if("AND") {
            met &= self.license()?;
        }
        Ok(met)
    }

    fn license(&mut self) -> anyhow::Result<bool> {
        let word = self.take().context("the expression ends early")?;
        if word == "(" {
            self.nesting += 1;
            if self.nesting > MAX_NESTING {
                bail!("too many parentheses");
            }
            let met = self.alternatives()?;
            if !self.take_if(")") {
                bail!("a parenthesis stays open");
            }
            self.nesting -= 1;
            return Ok(met);
        }
        if self.take_if("WITH") {
            let exception = self.take().context("WITH names no exception")?;
            return Ok(self.allowed.contains(&format!("{word} WITH {exception}")));
        }
        Ok(self.allowed.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> BTreeSet<String> {
        ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"].map(str::to_owned).into()
    }

    #[test]
    fn expressions() {
        let table = [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("MIT AND GPL-3.0-only", false),
            ("GPL-3.0-only/MIT", true),
            ("MIT / Apache-2.0", true),
            ("GPL-2.0-only OR MIT AND ISC", true),
            ("ISC AND (Apache-2.0 OR GPL-3.0-only)", true),
            ("ISC AND (GPL-2.0-only OR GPL-3.0-only)", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
        ];
        for (expression, expected) in table {
            assert_eq!(satisfied(expression, &list()).unwrap(), expected, "{expression}");
        }
    }

    #[test]
    fn broken_expressions_are_errors() {
        let deep = format!("{}MIT{}", "(".repeat(40), ")".repeat(40));
        for expression in ["", "MIT OR", "(MIT", "MIT)", "MIT WITH", "MIT ISC", &deep] {
            assert!(satisfied(expression, &list()).is_err(), "{expression}");
        }
    }

    #[test]
    fn the_list_is_read_from_its_section_only() {
        let text = "[bans]\nallow = [\"GPL\"]\n[licenses]\nversion = 2\nallow = [\n  \"MIT\", # why\n  \"ISC\",\n]\n[sources]\n";
        let names: Vec<String> = allowed(text).unwrap().into_iter().collect();
        assert_eq!(names, ["ISC", "MIT"]);
        assert!(allowed("[bans]").is_err());
    }

    #[test]
    fn an_exception_is_for_one_package() {
        let text = "[licenses]\nallow = [\"MIT\"]\nexceptions = [\n  # why\n  { allow = [\"GPL\"], crate = \"a\" },\n]\n[bans]\n";
        let exceptions = exceptions(text).unwrap();
        assert_eq!(exceptions, [("a".to_owned(), "GPL".to_owned())]);
        let mut packages = workspace::packages().unwrap();
        packages.truncate(2);
        packages[0].name = "a".to_owned();
        packages.iter_mut().for_each(|package| package.license = Some("GPL".to_owned()));
        assert_eq!(problems(&packages, &list(), &exceptions).len(), 1);
    }

    #[test]
    fn a_package_without_a_license_is_a_problem() {
        let mut packages = workspace::packages().unwrap();
        packages.truncate(1);
        packages[0].license = None;
        assert_eq!(problems(&packages, &list(), &[]).len(), 1);
    }
}
