//! Identities of every type, both ways.

use anyhow::ensure;
use gamewire::Identity;

use crate::{
    cell::Case,
    runs::{Plan, Run},
    stage::{Setup, Stage},
};

/// What a side says that it is, and what the other one must see: the same, or with `None` the
/// address.
type Claim = Option<&'static str>;

pub(super) fn cases() -> Vec<Case> {
    let kinds: [(&str, Claim, Claim); 9] = [
        ("str", Some("str:we: äöü"), Some("str:valve")),
        (
            "str of 31 bytes",
            Some("str:0123456789012345678901234567890"),
            Some("str:abcdefghijklmnopqrstuvwxyz01234"),
        ),
        ("gen", Some("gen:00ff0a0b"), Some("gen:01")),
        ("steamid", Some("steamid:76561197960287930"), Some("steamid:76561197960265729")),
        ("ip", Some("ip:192.0.2.7:27015"), Some("ip:198.51.100.9:1")),
        ("xboxpwid", Some("xboxpwid:we"), Some("xboxpwid:VALVE")),
        ("psn", Some("psn:1234567890123456789"), Some("psn:1")),
        ("of a type yet unknown", Some("future:we"), Some("future:valve")),
        ("localhost, which is the address", Some("ip:::1"), Some("ip:::1")),
    ];
    let case = |(name, ours, valve): (&str, Claim, Claim)| {
        let mut setup = Setup::plain();
        setup.ours.identity = ours.map(str::to_owned);
        setup.valve.identity = valve.map(str::to_owned);
        Case::new(format!("identity: {name}"), setup, introduce)
    };
    let mut cases: Vec<Case> = kinds.into_iter().map(case).collect();
    cases.push(case(("none, which is the address", None, None)));
    cases
}

fn introduce(stage: &mut Stage) -> anyhow::Result<String> {
    let connected = stage.connect()?;
    let plan = Plan::new(&[Run::reliable(&[100], 3)]);
    stage.exchange(&plan, &plan, 0.0)?;
    let seen = connected.ours.identity_remote.to_string();
    check("our side sees Valve's", stage.setup.valve.identity.as_deref(), &seen)?;
    let message = stage.valve_status()?["info"]["identity"].as_str().unwrap_or("").to_owned();
    check("Valve's side sees ours", stage.setup.ours.identity.as_deref(), &message)?;
    Ok(format!("Valve is {seen}, we are {message}"))
}

fn check(who: &str, claimed: Option<&str>, seen: &str) -> anyhow::Result<()> {
    let anonymous = |text: &str| text.parse().is_ok_and(|id: Identity| id.is_localhost());
    match claimed {
        Some(claimed) if !anonymous(claimed) => {
            ensure!(seen == claimed, "{who} identity as {seen}, not {claimed}");
        }
        Some(_) | None => {
            let by_address = seen.starts_with("ip:127.0.0.1:");
            ensure!(by_address, "{who} identity as {seen}, not as its address");
        }
    }
    Ok(())
}
