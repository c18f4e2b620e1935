//! IPv4, IPv6, and IPv4 on a socket for both.

use crate::{
    cell::Case,
    runs::{Plan, Run},
    stage::{Host, Setup, Stage},
};

pub(super) fn cases() -> Vec<Case> {
    let hosts = [
        ("IPv4", Host::V4),
        ("IPv6", Host::V6),
        ("IPv4 on our dual-stack socket", Host::V4ToDualStack),
    ];
    let case = |(name, host)| {
        let setup = Setup { host, ..Setup::plain() };
        Case::new(format!("address: {name}"), setup, talk)
    };
    hosts.into_iter().map(case).collect()
}

/// Connects, says something both ways, and finds the right address at both ends.
fn talk(stage: &mut Stage) -> anyhow::Result<String> {
    let connected = stage.connect()?;
    let plan = Plan::new(&[Run::reliable(&[1, 200, 3000], 30)]);
    let exchange = stage.exchange(&plan, &plan, 0.0)?;
    stage.still_connected()?;
    let ip = stage.setup.host.ip();
    let ours = connected.ours.address_remote;
    anyhow::ensure!(
        ours.is_some_and(|address| address.ip().to_canonical() == ip),
        "our side sees its peer at {ours:?}"
    );
    let valve = connected.valve["address"].as_str().unwrap_or_default().to_owned();
    anyhow::ensure!(valve.contains(&ip.to_string()), "Valve's side sees its peer at {valve}");
    Ok(exchange.figures())
}
