//! `cargo xtask header`: the C header of gamewire-capi, generated with cbindgen from the sources,
//! committed and checked for drift.
//!
//! cbindgen reads no `packed(4)` and writes documents for Rust readers. So it gets copies of the sources
//! without the packing, and what it writes is packed, and worded for C, afterwards.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};

use crate::workspace;

mod text;

const CRATE: &str = "crates/gamewire-capi";
const OUTPUT: &str = "crates/gamewire-capi/include/gamewire.h";
/// Where the configuration values are listed; a test holds this document to the code.
const CONFIG_VALUES: &str = "docs/configuration.md";
/// The place in cbindgen.toml where they belong.
const CONFIG_VALUES_MARK: &str = "@CONFIG_VALUES@";
/// What the header shows, besides all of `src/flat`.
const SOURCES: [&str; 5] =
    ["types.rs", "signaling.rs", "memory.rs", "debug_output.rs", "gamewire_functions.rs"];

/// Generates the header; with `check`, compares it with the committed file instead of writing.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let header = generate()?;
    let output = workspace::root().join(OUTPUT);
    if check {
        if fs::read_to_string(&output).unwrap_or_default() != header {
            bail!("{OUTPUT} is out of date: run `cargo xtask header`");
        }
        println!("{OUTPUT} is up to date");
        return Ok(());
    }
    fs::create_dir_all(output.parent().context("the output has a folder")?)?;
    fs::write(&output, header)?;
    println!("wrote {OUTPUT}");
    Ok(())
}

fn generate() -> anyhow::Result<String> {
    let scratch = workspace::root().join("target/header");
    fs::create_dir_all(&scratch)?;
    let mut packing = BTreeMap::new();
    let mut builder = cbindgen::Builder::new().with_config(config()?);
    for (index, source) in sources()?.into_iter().enumerate() {
        let text = fs::read_to_string(&source)
            .with_context(|| format!("cannot read {}", source.display()))?;
        let name = source.file_name().context("a source has a name")?;
        let copy = scratch.join(format!("{index:02}-{}", name.to_string_lossy()));
        fs::write(&copy, text::readable(&text, &mut packing))?;
        builder = builder.with_src(copy);
    }
    let mut header = Vec::new();
    builder.generate().context("cbindgen cannot read the sources")?.write(&mut header);
    let header = String::from_utf8(header).context("cbindgen wrote no UTF-8")?;
    Ok(text::finish(&header, &packing))
}

/// cbindgen.toml, completed with the configuration values.
fn config() -> anyhow::Result<cbindgen::Config> {
    let root = workspace::root();
    let path = root.join(CRATE).join("cbindgen.toml");
    let mut config =
        cbindgen::Config::from_file(&path).map_err(|error| anyhow!("cbindgen.toml: {error}"))?;
    let values = text::config_values(&fs::read_to_string(root.join(CONFIG_VALUES))?);
    let includes = config.after_includes.context("cbindgen.toml has no after_includes")?;
    config.after_includes = Some(includes.replace(CONFIG_VALUES_MARK, &values));
    Ok(config)
}

/// The sources in the order in which the header shows them: types, then methods, then the rest.
fn sources() -> anyhow::Result<Vec<PathBuf>> {
    let folder: PathBuf = workspace::root().join(CRATE).join("src");
    let mut flat: Vec<PathBuf> = fs::read_dir(folder.join("flat"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<anyhow::Result<_>>()?;
    flat.sort_by_key(|path| rank(path));
    flat.retain(|path| path.is_file() && !path.ends_with("mod.rs"));
    let (types, functions) = SOURCES.split_at(SOURCES.len() - 1);
    let own = |names: &[&str]| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>();
    Ok([own(types), flat, own(functions)].concat())
}

/// Readers look for Init first.
fn rank(path: &Path) -> (bool, PathBuf) {
    (!path.ends_with("library.rs"), path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What programs compiled against Valve's headers print; the ABI tests hold it to the headers.
    const VALUES: &str = "interop/abi/expected/values.txt";
    const SYMBOLS: &str = "interop/abi/symbols.txt";

    fn read(path: &str) -> String {
        fs::read_to_string(workspace::root().join(path)).unwrap()
    }

    #[test]
    fn the_committed_header_is_up_to_date() {
        assert_eq!(read(OUTPUT), generate().unwrap());
    }

    #[test]
    fn every_exported_symbol_is_declared() {
        let header = read(OUTPUT);
        for symbol in
            read(SYMBOLS).lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            assert!(header.contains(&format!("{symbol}(")), "{symbol} is not declared");
        }
    }

    #[test]
    fn constants_are_those_of_the_public_headers() {
        let header = read(OUTPUT);
        let ours: BTreeMap<&str, &str> = header
            .lines()
            .filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = "))
            .filter(|(name, _)| name.starts_with("k_"))
            .collect();
        let number = |text: &str| match text {
            "512 * 1024" => "524288".to_owned(),
            "0x7fffffff" => "2147483647".to_owned(),
            other => other.to_owned(),
        };
        let mut compared = 0;
        for line in read(VALUES).lines() {
            let (name, value) = line.trim_start_matches("value.").split_once(": ").unwrap();
            match ours.get(name) {
                Some(our) => assert_eq!(number(our), value, "{name}"),
                // Values that we do not have, and numbers that only C++ names.
                None => assert!(
                    name.starts_with("k_ESteamNetworkingConfig_")
                        || name.starts_with("k_SteamDatagramPOPID_")
                        || name.contains("::"),
                    "{name} is missing"
                ),
            }
            compared += usize::from(ours.contains_key(name));
        }
        assert!(compared > 150, "only {compared} constants were compared");
    }
}
