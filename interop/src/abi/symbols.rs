//! The symbols that programs and language bindings link to.

use std::{collections::BTreeSet, process::Command, time::Duration};

use super::{
    checks::Verdict,
    commands,
    libraries::{FILE, Library, Places},
};

/// Every symbol, by what asks for it.
const LIST: &str = include_str!("../../abi/symbols.txt");
/// Longest time for `nm` or `readelf`.
const LIMIT: Duration = Duration::from_secs(30);

/// The symbols that must be there.
pub fn required() -> impl Iterator<Item = &'static str> {
    LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What `nm -D --defined-only` lists: the last word of each line, without a version.
fn defined(output: &str) -> BTreeSet<&str> {
    let names = output.lines().filter_map(|line| line.split_whitespace().last());
    names.map(|name| name.split('@').next().unwrap_or(name)).collect()
}

/// Compares what our library defines with the list, and looks at its SONAME.
///
/// # Errors
/// `nm` or `readelf` cannot be run.
pub fn check(places: &Places) -> anyhow::Result<Verdict> {
    let library = places.of(Library::Ours).join(FILE);
    let mut nm = Command::new("nm");
    nm.args(["-D", "--defined-only"]).arg(&library);
    let output = commands::succeed("nm", &mut nm, LIMIT)?;
    let defined = defined(&output);
    let mut problems: Vec<String> = required()
        .filter(|symbol| !defined.contains(symbol))
        .map(|symbol| format!("{symbol} is missing"))
        .collect();
    let mut readelf = Command::new("readelf");
    readelf.arg("-d").arg(&library);
    let dynamic = commands::succeed("readelf", &mut readelf, LIMIT)?;
    if !dynamic.contains(&format!("soname: [{FILE}]")) {
        problems.push(format!("the SONAME is not {FILE}"));
    }
    Ok((
        format!("{} of {} exported symbols are required", required().count(), defined.len()),
        problems,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_is_listed_once() {
        let unique: BTreeSet<&str> = required().collect();
        assert_eq!(unique.len(), required().count());
        assert_eq!(unique.len(), 93 + 23 + 18 + 4);
    }

    #[test]
    fn nm_is_read() {
        let output =
            "0000000000001234 T first\n0000000000005678 W second@@BASE\n                 A BASE\n";
        assert_eq!(defined(output).into_iter().collect::<Vec<_>>(), ["BASE", "first", "second"]);
    }
}
