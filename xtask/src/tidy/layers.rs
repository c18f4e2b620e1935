//! Rules about crates: who may know whom, and what every manifest says.

use std::collections::{BTreeMap, BTreeSet};

use super::Repository;
use crate::workspace::Package;

/// The crates that `sans-IO crates` stands for in the table.
pub(super) const SANS_IO: [&str; 5] =
    ["gamewire-wire", "gamewire-crypto", "gamewire-proto", "gamewire-p2p", "gamewire-sdr"];

/// Dependencies that one crate keeps to itself, each with the reason. An empty crate: nobody may have it.
const EXCLUSIVE: [(&str, &str, &str); 9] = [
    ("aws-lc-rs", "gamewire-crypto", "nobody else names a crypto library"),
    ("md-5", "gamewire-crypto", "nobody else names a crypto library"),
    ("siphasher", "gamewire-crypto", "nobody else names a crypto library"),
    ("mio", "gamewire", "sockets belong to the service threads"),
    ("quinn-udp", "gamewire", "sockets belong to the service threads"),
    ("socket2", "gamewire", "sockets belong to the service threads"),
    ("prost-build", "xtask", "generated code is committed"),
    ("game-networking-sockets-sys", "gamewire-valve-peer", "Valve's symbols never meet ours"),
    ("gamewire-valve-peer", "", "Valve's symbols never meet ours"),
];

/// One row of the table: its crates, and the crates that they may know.
#[derive(Debug)]
struct Row {
    crates: Vec<String>,
    may_know: BTreeSet<String>,
}

/// Compares the normal and build dependencies among members with the table in ARCHITECTURE.md.
pub(super) fn dependencies(repository: &Repository) -> Vec<String> {
    let Some(document) = repository.file("ARCHITECTURE.md") else {
        return vec!["there is no ARCHITECTURE.md".to_owned()];
    };
    let members: Vec<&Package> = repository.members().collect();
    let names: BTreeSet<String> = members.iter().map(|package| package.name.clone()).collect();
    match table(&document.text, &names) {
        Ok(rows) => compare(&members, &names, &rows),
        Err(problem) => vec![problem],
    }
}

fn compare(members: &[&Package], names: &BTreeSet<String>, rows: &[Row]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut allowed: BTreeMap<&str, &BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        for name in &row.crates {
            if allowed.insert(name, &row.may_know).is_some() {
                problems.push(format!("{name} has two rows"));
            }
        }
    }
    for package in members {
        let Some(may_know) = allowed.get(package.name.as_str()) else {
            problems.push(format!("{} has no row", package.name));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|name| names.contains(*name)) {
            if !may_know.contains(dependency) {
                problems.push(format!("{} may not know {dependency}", package.name));
            }
        }
    }
    problems
}

/// The rows of `| crate | one line | may know |`, from the top layer's view downwards.
fn table(document: &str, names: &BTreeSet<String>) -> Result<Vec<Row>, String> {
    let header = "| crate | one line | may know |";
    let after = document.split(header).nth(1).ok_or_else(|| format!("no table `{header}`"))?;
    let mut rows: Vec<Row> = Vec::new();
    for line in after.lines().skip(1).take_while(|line| line.is_empty() || line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [crates, _, may_know] = cells[..] else {
            if line.is_empty() {
                break;
            }
            return Err(format!("not three cells: {line}"));
        };
        if crates.starts_with("---") {
            continue;
        }
        let crates = crates
            .split(',')
            .map(|name| resolve(name, names))
            .collect::<Result<Vec<String>, String>>()?;
        let above: BTreeSet<String> =
            rows.iter().flat_map(|row| row.crates.iter().cloned()).collect();
        let may_know = permission(may_know, &above, names)?;
        rows.push(Row { crates, may_know });
    }
    if rows.is_empty() { Err("the table of crates is empty".to_owned()) } else { Ok(rows) }
}

fn resolve(name: &str, names: &BTreeSet<String>) -> Result<String, String> {
    let name = name.trim().trim_matches('`');
    [name.to_owned(), format!("gamewire-{name}")]
        .into_iter()
        .find(|candidate| names.contains(candidate))
        .ok_or_else(|| format!("the table names `{name}`, which is no member"))
}

/// What the cell `may know` permits: only rows above it, except for `everything`.
fn permission(
    cell: &str,
    above: &BTreeSet<String>,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<String>, String> {
    match cell {
        "–" | "-" => return Ok(BTreeSet::new()),
        "everything" => return Ok(names.clone()),
        "all above" => return Ok(above.clone()),
        "sans-IO crates" => return Ok(SANS_IO.map(str::to_owned).into()),
        _ => {}
    }
    if let Some(excluded) = cell.strip_prefix("all but ") {
        let excluded = excluded
            .split([',', ' '])
            .filter(|word| !word.is_empty() && *word != "and")
            .map(|name| resolve(name, names))
            .collect::<Result<BTreeSet<String>, String>>()?;
        return Ok(names.difference(&excluded).cloned().collect());
    }
    let mut permitted = BTreeSet::new();
    for name in cell.split(',') {
        let name = resolve(name, names)?;
        if !above.contains(&name) {
            return Err(format!("`{name}` is not above the row that may know it"));
        }
        permitted.insert(name);
    }
    Ok(permitted)
}

/// What [`EXCLUSIVE`] says.
pub(super) fn exclusive(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for package in repository.members() {
        for (dependency, owner, reason) in EXCLUSIVE {
            if package.name != owner && package.dependencies.contains(dependency) {
                problems.push(format!("{} depends on {dependency}: {reason}", package.name));
            }
        }
    }
    problems
}

/// Every member has a description, a license and a place that the code map can name.
pub(super) fn manifests(repository: &Repository) -> Vec<String> {
    let mut problems = Vec::new();
    for package in repository.members() {
        if package.description.as_deref().unwrap_or_default().is_empty() {
            problems.push(format!("{} has no description", package.name));
        }
        if package.license.as_deref() != Some("MIT OR Apache-2.0") {
            problems.push(format!("{} is not under MIT OR Apache-2.0", package.name));
        }
        let folder = format!("`{}/`", package.folder);
        let map = repository.file("ARCHITECTURE.md");
        if map.is_none_or(|document| !document.text.contains(&folder)) {
            problems.push(format!("the code map of ARCHITECTURE.md does not name {folder}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> BTreeSet<String> {
        ["gamewire-wire", "gamewire-crypto", "gamewire-proto", "gamewire", "xtask"]
            .map(str::to_owned)
            .into()
    }

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            license: None,
            description: None,
            folder: format!("crates/{name}"),
            roots: Vec::new(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            member: true,
        }
    }

    const TABLE: &str = "\
| crate | one line | may know |
| --- | --- | --- |
| gamewire-wire | bytes | – |
| gamewire-crypto | keys | wire |
| gamewire-proto | state | wire, crypto |
| gamewire | users | all above |
| xtask | commands | everything |

after";

    fn check(table_text: &str, packages: &[Package]) -> Vec<String> {
        let members: Vec<&Package> = packages.iter().collect();
        match table(table_text, &names()) {
            Ok(rows) => compare(&members, &names(), &rows),
            Err(problem) => vec![problem],
        }
    }

    fn good() -> Vec<Package> {
        vec![
            package("gamewire-wire", &["bytes"]),
            package("gamewire-crypto", &["gamewire-wire"]),
            package("gamewire-proto", &["gamewire-wire", "gamewire-crypto"]),
            package("gamewire", &["gamewire-proto"]),
            package("xtask", &["gamewire"]),
        ]
    }

    #[test]
    fn what_the_table_allows_passes() {
        assert!(check(TABLE, &good()).is_empty());
    }

    #[test]
    fn a_dependency_upwards_is_found() {
        let mut packages = good();
        packages[1].dependencies.insert("gamewire-proto".to_owned());
        assert_eq!(check(TABLE, &packages), ["gamewire-crypto may not know gamewire-proto"]);
    }

    #[test]
    fn a_member_without_a_row_is_found() {
        let table = TABLE.replace("| xtask | commands | everything |\n", "");
        assert_eq!(check(&table, &good()), ["xtask has no row"]);
    }

    #[test]
    fn broken_tables_are_found() {
        let table = [
            ("| wire, crypto |", "| wire, gamewire |", "is not above"),
            ("| xtask |", "| nothing |", "which is no member"),
            ("| gamewire | users |", "| gamewire-wire | users |", "has two rows"),
            ("| users |", "|", "not three cells"),
            ("may know", "knows", "no table"),
        ];
        for (from, to, expected) in table {
            let problems = check(&TABLE.replace(from, to), &good()).join("; ");
            assert!(problems.contains(expected), "{from}: {problems}");
        }
    }

    #[test]
    fn all_but_leaves_out_the_named() {
        let cell = permission("all but wire and xtask", &BTreeSet::new(), &names()).unwrap();
        assert_eq!(cell.len(), 3);
        assert!(!cell.contains("xtask"));
    }

    #[test]
    fn exclusive_dependencies_are_found_elsewhere() {
        let packages = vec![
            package("gamewire-crypto", &["aws-lc-rs"]),
            package("gamewire-proto", &["aws-lc-rs"]),
            package("interop", &["gamewire-valve-peer"]),
        ];
        let problems = exclusive(&Repository { packages, files: Vec::new() });
        assert_eq!(problems.len(), 2);
        assert!(problems[0].starts_with("gamewire-proto depends on aws-lc-rs"));
    }

    #[test]
    fn a_bare_manifest_is_found() {
        let repository = Repository { packages: vec![package("a", &[])], files: Vec::new() };
        assert_eq!(manifests(&repository).len(), 3);
    }
}
