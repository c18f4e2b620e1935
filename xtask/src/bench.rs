//! `cargo xtask bench`: builds the workspace in `bench/` and starts its runner.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use crate::{process, system_packages};

/// The workspace, which the tests do not build.
const MANIFEST: &str = "bench/Cargo.toml";

/// The programs of a quick run: those that need no package beyond those of the tests.
const QUICK: [&str; 5] =
    ["bench-runner", "bench-gamewire", "bench-valve", "bench-quinn", "bench-raw"];

/// Where the page and the plots are written.
const DOCS: &str = "docs/benchmarks";

/// What may be chosen here; the rest goes to the runner.
#[derive(Args)]
pub(crate) struct Options {
    /// Bulk, small messages and round trips of four peers only, in less than three minutes
    #[arg(long)]
    quick: bool,
    /// Write the medians to this file, as one JSON object: workload, peer, figure
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the page and the plots in docs/benchmarks
    #[arg(long)]
    docs: bool,
    /// Arguments for the runner
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds and runs.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let packages: &[&str] = if options.quick { &QUICK } else { &[] };
    system_packages::ensure()?;
    if !options.quick {
        system_packages::ensure_for_bench()?;
    }
    let mut build = process::command("cargo", &["build", "--release", "--manifest-path", MANIFEST]);
    for package in packages {
        build.args(["-p", package]);
    }
    if packages.is_empty() {
        build.arg("--workspace");
    }
    process::check("cargo build", build)?;
    let mut runner = process::command(&programs()?.join("bench-runner").to_string_lossy(), &[]);
    if options.quick {
        runner.arg("--quick");
    }
    if let Some(path) = &options.json {
        // Relative to where the user is; the runner starts in the root.
        runner.arg("--json").arg(std::path::absolute(path)?);
    }
    if options.docs {
        runner.args(["--docs", DOCS]);
    }
    runner.args(&options.arguments);
    process::check("bench-runner", runner)
}

/// Where the programs were built.
fn programs() -> anyhow::Result<PathBuf> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--manifest-path", MANIFEST];
    let metadata = process::capture("cargo metadata", process::command("cargo", &arguments))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let target = metadata["target_directory"].as_str().context("no target_directory")?;
    Ok(PathBuf::from(target).join("release"))
}
