//! The two libraries under one name, `libGameNetworkingSockets.so`, and the headers of the one that
//! counts.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::commands;

/// The name of either library, and its SONAME.
pub const FILE: &str = "libGameNetworkingSockets.so";
/// The package that carries Valve's sources, and builds them.
const SYS_PACKAGE: &str = "game-networking-sockets-sys";
/// The package whose build makes the static library.
const PEER_PACKAGE: &str = "gamewire-valve-peer";
/// Longest time for a call of cargo, which may have to compile Valve's library.
const CARGO_LIMIT: Duration = Duration::from_secs(1800);
/// Longest time to link a library.
const LINK_LIMIT: Duration = Duration::from_secs(120);

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// The C++ library, linked from the archive of the package that builds it.
    Valve,
    /// Ours, the build that lies beside this program.
    Ours,
}

impl Library {
    /// Both, in the order of the table.
    pub const BOTH: [Self; 2] = [Self::Valve, Self::Ours];

    /// How messages call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Valve => "Valve's",
            Self::Ours => "ours",
        }
    }
}

/// Where everything lies.
#[derive(Debug)]
pub struct Places {
    /// The workspace.
    pub root: PathBuf,
    /// What the tests compile, below the target directory.
    pub work: PathBuf,
    /// Valve's public headers.
    pub headers: PathBuf,
    /// What the build script of Valve's package left.
    pub valve_output: PathBuf,
    valve: PathBuf,
    ours: PathBuf,
}

impl Places {
    /// Finds both libraries; builds Valve's where it is not up to date.
    ///
    /// # Errors
    /// One of them is missing or cannot be linked.
    pub fn find() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("interop lies in the workspace root")?
            .to_owned();
        let this = env::current_exe().context("where is this program?")?;
        let ours = this.parent().context("a program lies in a directory")?.to_owned();
        ensure!(
            ours.join(FILE).is_file(),
            "{FILE} is not in {}: run `cargo build --release -p gamewire-capi`",
            ours.display()
        );
        let metadata = metadata(&root)?;
        let target = metadata["target_directory"].as_str().context("no target_directory")?;
        let work = Path::new(target).join("abi");
        let headers = package_folder(&metadata, SYS_PACKAGE)?
            .join("thirdparty/GameNetworkingSockets/include");
        let valve_output = build_valve(&root)?;
        let valve = work.join("valve");
        link_valve(&valve_output, &valve)?;
        Ok(Self { root, work, headers, valve_output, valve, ours })
    }

    /// The directory that holds one of the libraries, for `LD_LIBRARY_PATH`.
    #[must_use]
    pub fn of(&self, library: Library) -> &Path {
        match library {
            Library::Valve => &self.valve,
            Library::Ours => &self.ours,
        }
    }

    /// The test sources.
    #[must_use]
    pub fn sources(&self) -> PathBuf {
        self.root.join("interop/abi")
    }
}

/// A call of cargo in the workspace, with the options of all others: another would build anew.
#[must_use]
pub fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).env("CARGO_INCREMENTAL", "0");
    command
}

fn metadata(root: &Path) -> anyhow::Result<Value> {
    let mut command = cargo(root);
    command.args(["metadata", "--format-version", "1"]);
    Ok(serde_json::from_str(&commands::succeed("cargo metadata", &mut command, CARGO_LIMIT)?)?)
}

/// The folder of a package of `cargo metadata`.
///
/// # Errors
/// There is no such package.
pub fn package_folder(metadata: &Value, name: &str) -> anyhow::Result<PathBuf> {
    let packages = metadata["packages"].as_array().context("no packages")?;
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.with_context(|| format!("no package {name} with a manifest"))?;
    Ok(Path::new(manifest).parent().context("a manifest without a folder")?.to_owned())
}

/// The output directory of the build script that compiled Valve's library.
fn build_valve(root: &Path) -> anyhow::Result<PathBuf> {
    let mut command = cargo(root);
    command.args(["build", "-p", PEER_PACKAGE, "--message-format=json"]);
    let messages = commands::succeed("cargo build", &mut command, CARGO_LIMIT)?;
    let output = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "build-script-executed")
        .filter(|message| message["package_id"].as_str().is_some_and(|id| id.contains(SYS_PACKAGE)))
        .find_map(|message| message["out_dir"].as_str().map(PathBuf::from));
    output.with_context(|| format!("cargo says nothing of the build script of {SYS_PACKAGE}"))
}

/// Makes a shared library of Valve's archive: its symbols are visible, as its own build makes them.
fn link_valve(output: &Path, folder: &Path) -> anyhow::Result<()> {
    let archive = output.join("build/src/libGameNetworkingSockets_s.a");
    let library = folder.join(FILE);
    if modified(&library) > modified(&archive) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let mut command = Command::new("g++");
    command.args(["-shared", &format!("-Wl,-soname,{FILE}"), "-o"]).arg(&library);
    command.arg("-Wl,--whole-archive").arg(&archive).arg("-Wl,--no-whole-archive");
    command.args(["-lprotobuf", "-lcrypto", "-pthread"]);
    commands::succeed("linking Valve's library", &mut command, LINK_LIMIT)?;
    Ok(())
}

/// When a file last changed; none where there is no file.
#[must_use]
pub fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
