//! A network of our own: ports that nobody else takes, and no need for privileges.

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};

/// Set for the process that runs inside.
const INSIDE_VARIABLE: &str = "GAMEWIRE_INTEROP_INSIDE";

/// Ways into a network namespace: for everybody, and for root where user namespaces are forbidden.
const WAYS: [&[&str]; 2] = [&["-Urn"], &["-n"]];

/// Makes sure that this process runs in a network namespace with loopback up: starts the program
/// again inside of one where it does not yet.
///
/// # Errors
/// There is no way into a namespace.
pub fn enter() -> anyhow::Result<()> {
    if env::var_os(INSIDE_VARIABLE).is_some() {
        return loopback_up();
    }
    let works = |way: &&&[&str]| {
        let mut try_out = Command::new("unshare");
        try_out.args(**way).arg("true").stdout(Stdio::null()).stderr(Stdio::null());
        try_out.status().is_ok_and(|status| status.success())
    };
    let Some(way) = WAYS.iter().find(works) else {
        bail!(
            "no network namespace: `unshare -Urn true` and `unshare -n true` both fail. Allow user \
             namespaces (sysctl kernel.unprivileged_userns_clone=1), run as root, or use \
             --no-namespace, where other programs' ports may disturb"
        );
    };
    let this = env::current_exe().context("where is this program?")?;
    let mut again = Command::new("unshare");
    again.args(*way).arg("--").arg(this).args(env::args_os().skip(1));
    Err(again.env(INSIDE_VARIABLE, "1").exec()).context("unshare")
}

fn loopback_up() -> anyhow::Result<()> {
    let status = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    let status = status.context("`ip` of iproute2 brings loopback up")?;
    ensure!(status.success(), "`ip link set lo up` failed: {status}");
    Ok(())
}
