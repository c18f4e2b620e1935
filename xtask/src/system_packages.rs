//! The Debian packages that the tests need beyond a Rust toolchain: installed when we may, named when we may not.

use anyhow::bail;

use crate::process;

/// Each package with what needs it.
const PACKAGES: [(&str, &str); 17] = [
    ("cmake", "builds the C++ library of Valve for the interop matrix"),
    ("make", "the same"),
    ("g++", "the same"),
    ("pkg-config", "the same"),
    ("protobuf-compiler", "the same"),
    ("libprotobuf-dev", "the same"),
    ("libssl-dev", "the same"),
    ("libclang-dev", "its bindings"),
    ("valgrind", "runs programs with our shared library"),
    ("python3", "runs an example with our shared library"),
    ("mono-mcs", "compiles such an example in C#"),
    ("mono-runtime", "runs it"),
    ("redis-server", "what several hubs share"),
    ("iproute2", "network namespaces of the interop matrix and the real-stack runs"),
    ("nftables", "packet loss inside these namespaces, and routers that translate addresses"),
    ("coturn", "the TURN server of connections by identity"),
    ("iputils-ping", "to see that a namespace is up"),
];

/// What the full bench needs beyond that.
const BENCH_PACKAGES: [(&str, &str); 1] = [("libenet-dev", "a library to compare with")];

/// Makes sure that every package is there.
pub(crate) fn ensure() -> anyhow::Result<()> {
    ensure_all(&PACKAGES)
}

/// Makes sure that what only the bench needs is there.
pub(crate) fn ensure_for_bench() -> anyhow::Result<()> {
    ensure_all(&BENCH_PACKAGES)
}

fn ensure_all(packages: &[(&str, &str)]) -> anyhow::Result<()> {
    if !process::succeeds("dpkg-query", &["--version"]) {
        println!("not a Debian system; these must be there under the names of yours:");
        for (package, reason) in packages {
            println!("  {package}: {reason}");
        }
        return Ok(());
    }
    let missing: Vec<&str> = packages
        .iter()
        .map(|(package, _)| *package)
        .filter(|package| !installed(package))
        .collect();
    if missing.is_empty() {
        println!("all {} packages are installed", packages.len());
        return Ok(());
    }
    println!("missing: {}", missing.join(" "));
    let prefix: &[&str] = if user_is_root() {
        &[]
    } else if process::succeeds("sudo", &["-n", "true"]) {
        &["sudo", "-n"]
    } else {
        bail!("not allowed to install packages; run: {}", by_hand(&missing));
    };
    apt(prefix, &["update"])?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(&missing);
    apt(prefix, &install)?;
    match missing.iter().find(|package| !installed(package)) {
        None => Ok(()),
        Some(package) => bail!("{package} is still missing; run: {}", by_hand(&missing)),
    }
}

fn by_hand(missing: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    )
}

fn installed(package: &str) -> bool {
    let query = process::command("dpkg-query", &["-W", "-f=${db:Status-Status}", package])
        .stderr(std::process::Stdio::null())
        .output();
    query.is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

fn user_is_root() -> bool {
    process::capture("id", process::command("id", &["-u"])).is_ok_and(|text| text.trim() == "0")
}

fn apt(prefix: &[&str], arguments: &[&str]) -> anyhow::Result<()> {
    let mut words = prefix.to_vec();
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    words.extend(arguments);
    println!("$ {}", words.join(" "));
    process::run(words[0], &words[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_for_the_user_can_be_pasted() {
        assert_eq!(
            by_hand(&["cmake", "g++"]),
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends cmake g++"
        );
    }

    #[test]
    fn packages_are_named_once() {
        let mut names: Vec<&str> =
            PACKAGES.iter().chain(&BENCH_PACKAGES).map(|(package, _)| *package).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PACKAGES.len() + BENCH_PACKAGES.len());
    }
}
