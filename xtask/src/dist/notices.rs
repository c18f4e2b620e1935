//! The licenses of what is linked into the library, which whoever passes it on has to pass on too.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context;

use crate::{process, workspace};

/// How the names of such files begin.
const NAMES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];

/// The names, licenses and license texts of all packages that a package links.
pub(super) fn third_party(package: &str) -> anyhow::Result<String> {
    let linked = linked(package)?;
    let mut text =
        "libGameNetworkingSockets contains the Rust standard library (MIT OR Apache-2.0) and the \
                    packages below,\neach under its own license.\n"
            .to_owned();
    for package in workspace::packages()?.iter().filter(|package| !package.member) {
        if !linked.contains(&format!("{} v{}", package.name, package.version)) {
            continue;
        }
        let license = package.license.as_deref().unwrap_or("no license");
        text += &format!("\n==== {} {}: {license}\n", package.name, package.version);
        for (name, content) in texts(Path::new(&package.folder))? {
            text += &format!("\n-- {name}\n{content}\n");
        }
    }
    Ok(text)
}

/// `name vVERSION` of each package.
fn linked(package: &str) -> anyhow::Result<BTreeSet<String>> {
    let arguments = ["tree", "-p", package, "-e", "normal,no-proc-macro", "--prefix", "none"];
    let text = process::capture("cargo tree", process::command("cargo", &arguments))?;
    let name = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        words.join(" ")
    };
    Ok(text.lines().map(name).collect())
}

/// The license files in a folder, by name.
fn texts(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if NAMES.iter().any(|prefix| name.to_uppercase().starts_with(prefix)) && path.is_file() {
            texts.push((name, fs::read_to_string(&path)?));
        }
    }
    texts.sort();
    Ok(texts)
}
