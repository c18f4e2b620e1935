//! Replays the corpus and the regressions of every fuzz target.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use gamewire_fuzz::{TARGETS, seeds::seeds};

/// Largest corpus of one target, in files and bytes: it lies in git and every test run reads it.
const MAX_FILES: usize = 200;
const MAX_BYTES: usize = 400 * 1024;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names in a folder, sorted; none if it does not exist.
fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs every file of a folder; returns how many there are and the bytes in them.
fn replay(run: fn(&[u8]), folder: &Path, failed: &mut Vec<PathBuf>) -> (usize, usize) {
    let names = names(folder);
    let mut bytes = 0;
    for name in &names {
        let path = folder.join(name);
        let input = fs::read(&path).unwrap();
        bytes += input.len();
        if panic::catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() {
            failed.push(path);
        }
    }
    (names.len(), bytes)
}

#[test]
fn every_input_in_git_passes() {
    let mut failed = Vec::new();
    for target in TARGETS {
        let corpus = replay(target.run, &folder("corpus").join(target.name), &mut failed);
        let old = replay(target.run, &folder("regressions").join(target.name), &mut failed);
        println!(
            "{:18} corpus {:4} ({:6} bytes), regressions {}",
            target.name, corpus.0, corpus.1, old.0
        );
        assert!(corpus.0 > 0, "{} has no corpus", target.name);
        assert!(corpus.0 <= MAX_FILES, "{}: minimise the corpus", target.name);
        assert!(corpus.1 <= MAX_BYTES, "{}: minimise the corpus", target.name);
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

#[test]
fn hand_made_seeds_are_in_the_corpus_as_they_are_made() {
    for seed in seeds() {
        let path = folder("corpus").join(seed.target).join(&seed.name);
        let hint = "write the seeds with: cargo run -p gamewire-fuzz --bin write-seeds";
        assert!(fs::read(&path).ok() == Some(seed.bytes), "{}: {hint}", path.display());
    }
}

#[test]
fn every_folder_and_program_belongs_to_a_target() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    for name in ["corpus", "regressions"] {
        let unknown: Vec<_> = names(&folder(name)).difference(&targets).cloned().collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
    let programs: BTreeSet<String> = names(&folder("cargo-fuzz/fuzz_targets"))
        .iter()
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect();
    assert_eq!(programs, targets);
    let manifest = fs::read_to_string(folder("cargo-fuzz/Cargo.toml")).unwrap();
    for name in &targets {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in the manifest");
    }
}

/// A replay that could not fail would be worth nothing.
#[test]
fn a_failing_input_is_found() {
    let folder = std::env::temp_dir().join(format!("gamewire-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("bad"), b"bad").unwrap();
    let mut failed = Vec::new();
    let counted = replay(|input| assert_ne!(input, b"bad"), &folder, &mut failed);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!((counted, failed.len()), ((1, 3), 1));
}
