//! `cargo xtask dist`: the C library as it is installed, in a folder and as an archive.
//!
//! Nothing in the tree names where it lies, so it can be moved, and packing it twice gives the same bytes.
//! Valve's headers are not in it: they are Valve's, and programs that want them have them.

pub(crate) mod check;
mod csharp;
mod notices;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{commands, process, workspace};

/// Where the tree comes to lie unless the user says otherwise.
pub(crate) const DEFAULT_FOLDER: &str = "target/dist";

/// The package whose library this is about.
const PACKAGE: &str = "gamewire-capi";
/// The shared library under its SONAME.
const SHARED: &str = "libGameNetworkingSockets.so";
const ARCHIVE: &str = "libGameNetworkingSockets.a";
const PKG_CONFIG: &str = "lib/pkgconfig/GameNetworkingSockets.pc";
const CMAKE: &str = "lib/cmake/GameNetworkingSockets";

/// The version of Valve's library whose interface ours has; projects ask pkg-config and CMake for it.
const INTERFACE_VERSION: &str = "1.6.0";

/// What the archive needs of the system: `cargo rustc -p gamewire-capi --crate-type staticlib -- --print
/// native-static-libs`, without libc and libgcc, which every compiler adds.
const SYSTEM_LIBRARIES: [&str; 5] = ["util", "rt", "pthread", "m", "dl"];

/// The time of every file in the archive, in seconds since 1970: the first of January 2026.
const FILE_TIME: &str = "@1767225600";

/// Where everything lies after [`lay_out`].
pub(crate) struct Dist {
    /// The tree.
    prefix: PathBuf,
    /// The same, packed.
    archive: PathBuf,
}

/// Lays out the tree in a folder and packs it.
pub(crate) fn run(folder: &Path) -> anyhow::Result<()> {
    let dist = lay_out(&workspace::root().join(folder))?;
    println!("{}", dist.prefix.display());
    println!("{}", dist.archive.display());
    Ok(())
}

fn lay_out(folder: &Path) -> anyhow::Result<Dist> {
    let package = package()?;
    let name = format!("gamewire-{}-x86_64-linux", package.version);
    let prefix = folder.join(&name);
    if prefix.exists() {
        fs::remove_dir_all(&prefix)?;
    }
    for folder in
        ["lib/pkgconfig", CMAKE, "include", "share/licenses/gamewire", "share/doc/gamewire"]
    {
        fs::create_dir_all(prefix.join(folder))?;
    }
    libraries(&prefix)?;
    templates(&prefix, &package.version)?;
    let root = workspace::root();
    copy(&root.join("crates/gamewire-capi/include/gamewire.h"), &prefix.join("include"))?;
    copy(&root.join("docs/c-and-cpp.md"), &prefix.join("share/doc/gamewire"))?;
    copy(&root.join("docs/configuration.md"), &prefix.join("share/doc/gamewire"))?;
    let licenses = prefix.join("share/licenses/gamewire");
    for file in ["LICENSE", "LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root.join(file), &licenses)?;
    }
    fs::write(licenses.join("THIRD-PARTY.txt"), notices::third_party(PACKAGE)?)?;
    let archive = folder.join(format!("{name}.tar.gz"));
    pack(&prefix, &archive)?;
    Ok(Dist { prefix, archive })
}

fn package() -> anyhow::Result<workspace::Package> {
    let mut packages = workspace::packages()?.into_iter();
    packages.find(|package| package.name == PACKAGE).context("there is no gamewire-capi")
}

fn copy(file: &Path, folder: &Path) -> anyhow::Result<()> {
    let name = file.file_name().context("a file has a name")?;
    fs::copy(file, folder.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

/// Both libraries, without what only a debugger reads.
fn libraries(prefix: &Path) -> anyhow::Result<()> {
    let folder = prefix.join("lib");
    for file in [SHARED, ARCHIVE] {
        copy(&commands::release_program(file)?, &folder)?;
        let mut strip = process::command("strip", &["--strip-debug", "-D"]);
        strip.arg(folder.join(file));
        process::check("strip", strip)?;
    }
    Ok(())
}

/// The files of pkg-config and CMake, from `packaging/`.
fn templates(prefix: &Path, version: &str) -> anyhow::Result<()> {
    let flags = SYSTEM_LIBRARIES.map(|library| format!("-l{library}")).join(" ");
    let list = SYSTEM_LIBRARIES.join(";");
    let values = [
        ("@GAMEWIRE_VERSION@", version),
        ("@INTERFACE_VERSION@", INTERFACE_VERSION),
        ("@SYSTEM_LIBRARIES@", &flags),
        ("@SYSTEM_LIBRARIES_LIST@", &list),
        ("@REPOSITORY@", env!("CARGO_PKG_REPOSITORY")),
    ];
    let cmake = |name: &str| format!("{CMAKE}/{name}");
    let outputs = [
        PKG_CONFIG.to_owned(),
        cmake("GameNetworkingSocketsConfig.cmake"),
        cmake("GameNetworkingSocketsConfigVersion.cmake"),
    ];
    for output in outputs {
        let name = output.rsplit('/').next().unwrap_or(&output);
        let template = workspace::root().join(format!("packaging/{name}.in"));
        let mut text = fs::read_to_string(&template)
            .with_context(|| format!("cannot read {}", template.display()))?;
        for (mark, value) in values {
            text = text.replace(mark, value);
        }
        fs::write(prefix.join(output), text)?;
    }
    Ok(())
}

/// Packs a folder so that the same files make the same bytes.
fn pack(folder: &Path, archive: &Path) -> anyhow::Result<()> {
    let mut tar = process::command("tar", &["--create", "--sort=name", "--format=ustar"]);
    tar.args(["--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"]);
    tar.args(["--mtime", FILE_TIME, "--use-compress-program", "gzip --no-name"]);
    tar.arg("--file").arg(archive);
    tar.arg("--directory").arg(folder.parent().context("a folder lies in another")?);
    tar.arg(folder.file_name().context("a folder has a name")?);
    process::check("tar", tar)
}
