//! What the workspace consists of: its root, `cargo metadata`, and the files a commit could hold.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::Value;

use crate::process;

/// Deepest folder looked into; a loop of symbolic links ends here.
const MAX_DEPTH: usize = 16;

/// The workspace root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace root")
}

/// One package of the workspace or one of its dependencies.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// As in its manifest.
    pub(crate) name: String,
    /// As in its manifest.
    pub(crate) version: String,
    /// SPDX expression, where the manifest has one.
    pub(crate) license: Option<String>,
    /// First line of what it is, where the manifest has one.
    pub(crate) description: Option<String>,
    /// Folder of the manifest, relative to the root for members.
    pub(crate) folder: String,
    /// The root files of its libraries and binaries, relative to the root for members.
    pub(crate) roots: Vec<String>,
    /// Names of normal and build dependencies, not those of tests.
    pub(crate) dependencies: BTreeSet<String>,
    /// Whether it belongs to this workspace.
    pub(crate) member: bool,
}

/// All packages of the lock file that any target of ours can need, members first.
pub(crate) fn packages() -> anyhow::Result<Vec<Package>> {
    let metadata = process::command("cargo", &["metadata", "--format-version", "1"]);
    let text = process::capture("cargo metadata", metadata)?;
    let metadata: Value = serde_json::from_str(&text)?;
    parse_packages(&metadata)
}

fn parse_packages(metadata: &Value) -> anyhow::Result<Vec<Package>> {
    let members: BTreeSet<&str> = metadata["workspace_members"]
        .as_array()
        .context("no workspace_members")?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut parsed: Vec<Package> = packages
        .iter()
        .map(|package| {
            parse_package(package, members.contains(package["id"].as_str().unwrap_or_default()))
        })
        .collect::<anyhow::Result<_>>()?;
    parsed.sort_by(|a, b| b.member.cmp(&a.member).then_with(|| a.name.cmp(&b.name)));
    Ok(parsed)
}

fn parse_package(package: &Value, member: bool) -> anyhow::Result<Package> {
    let text = |key: &str| package[key].as_str().map(str::to_owned);
    let manifest = text("manifest_path").context("a package without a manifest")?;
    let folder = Path::new(&manifest).parent().context("a manifest without a folder")?;
    let list = |key: &str| package[key].as_array().cloned().unwrap_or_default();
    let roots = list("targets")
        .iter()
        .filter(|target| {
            let kinds = target["kind"].as_array().cloned().unwrap_or_default();
            kinds.iter().any(|kind| matches!(kind.as_str(), Some("lib" | "bin" | "cdylib")))
        })
        .filter_map(|target| target["src_path"].as_str())
        .map(|path| relative(Path::new(path)))
        .collect();
    let dependencies = list("dependencies")
        .iter()
        .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
        .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
        .collect();
    Ok(Package {
        name: text("name").context("a package without a name")?,
        version: text("version").context("a package without a version")?,
        license: text("license"),
        description: text("description"),
        folder: relative(folder),
        roots,
        dependencies,
        member,
    })
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

/// One text file of the repository.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Relative to the root, with `/` between the parts.
    pub(crate) path: String,
    /// The whole content.
    pub(crate) text: String,
}

/// Every text file that a commit could hold: all but build output, version control and binary data.
pub(crate) fn files() -> anyhow::Result<Vec<SourceFile>> {
    let mut found = Vec::new();
    collect(root(), 0, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<SourceFile>) -> anyhow::Result<()> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", relative(folder)))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A file in linked work trees.
        if name == ".git" {
            continue;
        }
        if path.is_dir() {
            let output = name == "target" || name.starts_with("target-") || name == "artifacts";
            if !output {
                collect(&path, depth + 1, found)?;
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push(SourceFile { path: relative(&path), text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_first_and_know_their_dependencies() {
        let packages = packages().unwrap();
        let first_foreign = packages.iter().position(|package| !package.member).unwrap();
        assert!(packages[first_foreign..].iter().all(|package| !package.member));
        let xtask = packages.iter().find(|package| package.name == "xtask").unwrap();
        assert_eq!(xtask.folder, "xtask");
        assert_eq!(xtask.roots, ["xtask/src/main.rs"]);
        assert!(xtask.dependencies.contains("clap"));
    }

    #[test]
    fn dependencies_of_tests_are_left_out() {
        let metadata = serde_json::json!({
            "workspace_members": ["a"],
            "packages": [{
                "id": "a", "name": "a", "version": "1.0.0", "manifest_path": "/a/Cargo.toml",
                "dependencies": [
                    { "name": "b", "kind": null }, { "name": "c", "kind": "dev" },
                    { "name": "d", "kind": "build" },
                ],
                "targets": [],
            }],
        });
        let packages = parse_packages(&metadata).unwrap();
        assert_eq!(packages[0].dependencies.iter().collect::<Vec<_>>(), ["b", "d"]);
        assert!(packages[0].license.is_none());
    }

    #[test]
    fn files_hold_the_manifest_but_no_build_output() {
        let files = files().unwrap();
        assert!(files.iter().any(|file| file.path == "Cargo.toml"));
        assert!(!files.iter().any(|file| file.path.starts_with("target")));
        assert!(!files.iter().any(|file| file.path == ".git" || file.path.starts_with(".git/")));
    }
}
