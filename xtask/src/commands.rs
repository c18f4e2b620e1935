//! The commands that start programs of other packages.

use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{process, workspace};

/// What the release build of the suite consists of: one call of cargo, so that shared crates are built once.
pub(crate) const RELEASE_BUILD: &[&str] =
    &["build", "--release", "-p", "gamewire-capi", "-p", "gamewire-cli", "-p", "gamewire-interop"];

/// Valve's library is always built optimised, so the peer of the development profile serves, and
/// its C++ is compiled once.
const VALVE_PEER_BUILD: &[&str] = &["build", "-p", "gamewire-valve-peer"];

/// What the real-stack runs consist of. They are as good in the development profile, in which the
/// tests have built most of it.
const REAL_STACK_BUILD: &[&str] =
    &["build", "-p", "gamewire-interop", "-p", "gamewire-middlebox", "--bins"];

/// The path of a program of [`RELEASE_BUILD`], built if it is not up to date.
pub(crate) fn release_program(name: &str) -> anyhow::Result<PathBuf> {
    process::run("cargo", RELEASE_BUILD)?;
    program("release", name)
}

/// The path of a program of the workspace that was built in a profile.
pub(crate) fn program(profile: &str, name: &str) -> anyhow::Result<PathBuf> {
    let metadata = process::command("cargo", &["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&process::capture("cargo metadata", metadata)?)?;
    let target = metadata["target_directory"].as_str().context("no target_directory")?;
    let path = PathBuf::from(target).join(profile).join(name);
    if !path.exists() {
        bail!("{} was not built", path.display());
    }
    Ok(path)
}

/// `cargo xtask interop`: the matrix, printed as it runs.
pub(crate) fn interop(arguments: &[String]) -> anyhow::Result<()> {
    beside_valve("interop-matrix", arguments)
}

/// `cargo xtask p2p`: the matrix of connections by identity, or the NAT lab.
pub(crate) fn p2p(arguments: &[String]) -> anyhow::Result<()> {
    beside_valve("p2p-matrix", arguments)
}

/// `cargo xtask abi`: programs compiled for Valve's library, with ours in its place.
pub(crate) fn abi(arguments: &[String]) -> anyhow::Result<()> {
    beside_valve("abi", arguments)
}

/// `cargo xtask real-stack`: the congestion control through sockets and the kernel.
pub(crate) fn real_stack(arguments: &[String]) -> anyhow::Result<()> {
    process::run("cargo", REAL_STACK_BUILD)?;
    let program = program("debug", "real-stack")?;
    let mut command = process::command(&program.to_string_lossy(), &[]);
    command.args(arguments);
    process::check("real-stack", command)
}

/// Runs a program of the release build that needs Valve's library.
fn beside_valve(name: &str, arguments: &[String]) -> anyhow::Result<()> {
    process::run("cargo", VALVE_PEER_BUILD)?;
    let program = release_program(name)?;
    let mut command = process::command(&program.to_string_lossy(), &[]);
    command.args(arguments);
    process::check(name, command)
}

/// `cargo xtask sim`: random worlds for a given time.
pub(crate) fn sim(minutes: u32, seed: Option<u64>) -> anyhow::Result<()> {
    let mut arguments = ["run", "--release", "-p", "gamewire-sim", "--bin", "swarm", "--"]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(["--minutes".to_owned(), minutes.to_string()]);
    if let Some(seed) = seed {
        arguments.extend(["--seed".to_owned(), seed.to_string()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    process::run("cargo", &arguments)
}

/// `cargo xtask fuzz`: one target under libFuzzer. New inputs go to `fuzz/corpus/TARGET`; minimise
/// them with `cargo fuzz cmin` before they go to git.
pub(crate) fn fuzz(target: &str, seconds: u32) -> anyhow::Result<()> {
    if !process::succeeds("cargo", &["+nightly", "--version"]) {
        bail!("no nightly toolchain; get one with: rustup toolchain install nightly");
    }
    if !process::succeeds("cargo", &["+nightly", "fuzz", "--version"]) {
        bail!("no cargo-fuzz; get it with: cargo install --locked cargo-fuzz");
    }
    let root = workspace::root();
    let programs = root.join("fuzz/cargo-fuzz");
    if !programs.join(format!("fuzz_targets/{target}.rs")).exists() {
        bail!("no fuzz target {target}; the targets are listed in fuzz/src/lib.rs");
    }
    let corpus = root.join("fuzz/corpus").join(target);
    let mut command = process::command("cargo", &["+nightly", "fuzz", "run", "--fuzz-dir"]);
    command.arg(&programs);
    // AddressSanitizer finds nothing in code without `unsafe`, and costs half of the speed.
    command.args(["--sanitizer", "none", "--target-dir"]);
    command.arg(root.join("target/fuzz")).arg(target).arg(corpus);
    command.args(["--", &format!("-max_total_time={seconds}"), "-timeout=10"]);
    process::check("cargo fuzz", command)
}
