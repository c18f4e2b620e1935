//! Compiles a program with the system's compiler, C++ against Valve's public headers and C against
//! ours: one file that runs with either library.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    commands,
    libraries::{Library, Places, modified},
    programs::Program,
};

/// Longest time for one program.
const LIMIT: Duration = Duration::from_secs(300);
/// What both compilers are told.
const OPTIONS: [&str; 6] = ["-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"];

/// Compiles a program where it is older than any of the sources, and says where it is.
///
/// # Errors
/// The compiler's.
pub fn compile(places: &Places, program: &Program) -> anyhow::Result<PathBuf> {
    let sources = places.sources().join("programs");
    let source = sources.join(format!("{}.{}", program.name, program.ending));
    let folder = places.work.join("programs");
    let binary = folder.join(program.name);
    let our_headers = places.root.join("crates/gamewire-capi/include");
    if modified(&binary) > newest(&sources)?.max(newest(&our_headers)?) {
        return Ok(binary);
    }
    fs::create_dir_all(&folder)?;
    let mut command = if program.ending == "c" {
        let mut command = Command::new("gcc");
        command.args(["-std=c11", "-isystem"]).arg(our_headers);
        command
    } else {
        let mut command = Command::new("g++");
        command.args(["-std=c++17", "-DSTEAMNETWORKINGSOCKETS_STANDALONELIB", "-isystem"]);
        command.arg(&places.headers);
        command
    };
    command.args(OPTIONS).arg(&source).arg("-o").arg(&binary);
    command.arg("-L").arg(places.of(Library::Valve)).arg("-lGameNetworkingSockets");
    commands::succeed(&format!("compiling {}", program.name), &mut command, LIMIT)?;
    Ok(binary)
}

/// When the newest file of a folder changed: the headers there are everybody's.
fn newest(folder: &Path) -> anyhow::Result<Option<std::time::SystemTime>> {
    let entries = fs::read_dir(folder)?;
    Ok(entries.filter_map(|entry| modified(&entry.ok()?.path())).max())
}
