//! The step `dist`: programs build against the installed tree by every way that is documented, and run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use super::{DEFAULT_FOLDER, Dist, SHARED, csharp, lay_out, pack};
use crate::{process, workspace};

/// How long one of the programs may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);
/// What C and C++ compilers are told: the header is clean by the strictest of them.
const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];
/// Plain C, and the same file as C++.
const COMPILERS: [(&str, [&str; 3]); 2] =
    [("gcc", ["-std=c99", "-x", "c"]), ("g++", ["-std=c++11", "-x", "c++"])];
/// What Valve's headers say of the layouts.
const LAYOUT: &str = "interop/abi/expected/layout.txt";
/// Fewest functions that the C# declarations must have to be worth a check.
const FEWEST_ENTRY_POINTS: usize = 25;

/// An installed tree, and a place for what is built with it.
struct Site {
    prefix: PathBuf,
    work: PathBuf,
}

/// Lays out the tree, unpacks its archive elsewhere, and builds and runs programs with that.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = workspace::root().join(DEFAULT_FOLDER);
    let dist = lay_out(&folder)?;
    let site = Site::unpack(&dist, &folder.join("check"))?;
    site.packed_twice(&dist)?;
    site.c_programs()?;
    site.archives()?;
    site.cmake()?;
    site.csharp()?;
    site.python()?;
    site.go()
}

impl Site {
    /// The tree as users have it: not where it was made.
    fn unpack(dist: &Dist, work: &Path) -> anyhow::Result<Self> {
        if work.exists() {
            fs::remove_dir_all(work)?;
        }
        fs::create_dir_all(work)?;
        let mut tar = process::command("tar", &["--extract", "--file"]);
        tar.arg(&dist.archive).arg("--directory").arg(work);
        process::check("tar", tar)?;
        let prefix = work.join(dist.prefix.file_name().context("the tree has a name")?);
        Ok(Self { prefix, work: work.to_owned() })
    }

    fn packed_twice(&self, dist: &Dist) -> anyhow::Result<()> {
        let again = self.work.join("again.tar.gz");
        pack(&self.prefix, &again)?;
        ensure!(fs::read(&again)? == fs::read(&dist.archive)?, "packing twice differs");
        Ok(())
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = process::command(program, arguments);
        command.env("PKG_CONFIG_PATH", self.prefix.join("lib/pkgconfig"));
        command.env("LD_LIBRARY_PATH", self.prefix.join("lib"));
        command
    }

    /// What `pkg-config` answers about the library, as words.
    fn flags(&self, arguments: &[&str]) -> anyhow::Result<Vec<String>> {
        let mut command = self.command("pkg-config", arguments);
        command.arg("GameNetworkingSockets");
        let text = process::capture("pkg-config", command)?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    }

    /// Builds a C file; the flags come last, as linkers want them.
    fn compile(&self, compiler: usize, source: &str, flags: &[String]) -> anyhow::Result<PathBuf> {
        let (program, language) = COMPILERS[compiler];
        let stem = Path::new(source).file_stem().unwrap_or_default().to_string_lossy();
        let output = self.work.join(format!("{stem}-{program}"));
        let mut command = self.command(program, &language);
        command.args(WARNINGS).arg(source).args(["-x", "none", "-o"]).arg(&output).args(flags);
        succeed(program, &mut command)?;
        Ok(output)
    }

    fn run_program(&self, program: &Path, arguments: &[&str]) -> anyhow::Result<()> {
        let name = program.to_string_lossy();
        println!("$ {} {}", short(program), arguments.join(" "));
        let mut child = self.command(&name, arguments).spawn().with_context(|| name.to_string())?;
        process::wait_at_most(&name, &mut child, LIMIT)
    }

    /// C99 and C++ through pkg-config, and the layouts as both see them.
    fn c_programs(&self) -> anyhow::Result<()> {
        let flags = self.flags(&["--cflags", "--libs"])?;
        let expected = fs::read_to_string(workspace::root().join(LAYOUT))?;
        for compiler in 0..COMPILERS.len() {
            self.run_program(&self.compile(compiler, "examples/c/echo.c", &flags)?, &[])?;
            let layout = self.compile(compiler, "packaging/tests/layout.c", &flags)?;
            let printed = process::capture("layout", self.command(&layout.to_string_lossy(), &[]))?;
            compare_layouts(&printed, &expected)?;
        }
        Ok(())
    }

    /// The archive in a program, with the system's libraries shared, and with none.
    fn archives(&self) -> anyhow::Result<()> {
        let include = self.flags(&["--cflags"])?;
        let archive = self.flags(&["--variable=static_libs"])?;
        let everything = self.flags(&["--static", "--libs"])?;
        for flags in [archive, [vec!["-static".to_owned()], everything].concat()] {
            let program =
                self.compile(0, "examples/c/echo.c", &[include.clone(), flags].concat())?;
            let mut needed = process::command("readelf", &["--dynamic"]);
            needed.arg(&program);
            let needed = process::capture("readelf", needed)?;
            ensure!(!needed.contains(SHARED), "a static program needs {SHARED}");
            self.run_program(&program, &[])?;
        }
        Ok(())
    }

    /// A project that finds us as it would find Valve's library.
    fn cmake(&self) -> anyhow::Result<()> {
        let build = self.work.join("cmake");
        let mut configure = self.command("cmake", &["-S", "examples/cpp", "-B"]);
        configure.arg(&build).arg("-DCMAKE_BUILD_TYPE=Release");
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", self.prefix.display()));
        succeed("cmake", &mut configure)?;
        let mut make = self.command("cmake", &["--build"]);
        succeed("cmake --build", make.arg(&build))?;
        self.run_program(&build.join("lanes"), &[])?;
        self.run_program(&build.join("lanes_static"), &[])
    }

    /// Every function that the C# file declares is there, and its example runs under Mono.
    fn csharp(&self) -> anyhow::Result<()> {
        let source = fs::read_to_string(workspace::root().join("examples/csharp/Gamewire.cs"))?;
        let names = csharp::entry_points(&source);
        ensure!(names.len() >= FEWEST_ENTRY_POINTS, "found only {} declarations", names.len());
        let mut nm =
            process::command("nm", &["--dynamic", "--defined-only", "--format=just-symbols"]);
        nm.arg(self.prefix.join("lib").join(SHARED));
        let exported = process::capture("nm", nm)?;
        for name in &names {
            ensure!(
                exported.lines().any(|symbol| symbol == name),
                "C# declares {name}, which is not there"
            );
        }
        println!("{} C# declarations are exported", names.len());
        let program = self.work.join("Echo.exe");
        let sources = ["-unsafe", "examples/csharp/Gamewire.cs", "examples/csharp/Echo.cs"];
        let mut compiler = self.command("mcs", &sources);
        succeed("mcs", compiler.arg(format!("-out:{}", program.display())))?;
        self.run_program(Path::new("mono"), &[&program.to_string_lossy()])
    }

    fn python(&self) -> anyhow::Result<()> {
        self.run_program(Path::new("python3"), &["examples/python/gamewire_ctypes.py"])
    }

    /// Go is large, so the tests do not install it.
    fn go(&self) -> anyhow::Result<()> {
        if !process::succeeds("go", &["version"]) {
            println!("go is not installed: examples/go was not built");
            return Ok(());
        }
        let program = self.work.join("echo-go");
        let mut build = self.command("go", &["build", "-o"]);
        succeed("go", build.arg(&program).arg("examples/go/echo.go"))?;
        self.run_program(&program, &[])
    }
}

/// Runs a command that has nothing to say unless it fails.
fn succeed(name: &str, command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("{name} ended with {}", output.status);
    }
    Ok(())
}

/// Each line that we print is expected, and only the objects of the library, which are opaque to us,
/// are expected and not printed.
fn compare_layouts(printed: &str, expected: &str) -> anyhow::Result<()> {
    for line in printed.lines() {
        ensure!(expected.lines().any(|other| other == line), "gamewire.h is wrong about {line}");
    }
    for line in expected.lines() {
        let opaque = ["Sockets:", "Utils:", "Messages:"]
            .iter()
            .any(|object| line.starts_with(&format!("size.ISteamNetworking{object}")));
        ensure!(opaque || printed.lines().any(|other| other == line), "nothing about {line}");
    }
    Ok(())
}

/// A path without the folders that everything is in.
fn short(path: &Path) -> String {
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_compared_both_ways() {
        let expected = "size.A: 4/4\nsize.ISteamNetworkingUtils: 8/8\n";
        compare_layouts("size.A: 4/4\n", expected).unwrap();
        assert!(compare_layouts("size.A: 8/4\n", expected).is_err());
        assert!(compare_layouts("", expected).is_err());
    }
}
