//! Every mode of `Unencrypted` on one side with every mode on the other.

use anyhow::ensure;
use gamewire::{ConnectionFlags, ConnectionState};

use crate::{
    cell::Case,
    runs::{Plan, Run},
    stage::{Role, Setup, Stage},
};

/// The value of `Unencrypted`.
type Mode = i64;

/// `ESteamNetConnectionEnd_Remote_BadCrypt`.
const BAD_CRYPT: i32 = 4002;

pub(super) fn cases() -> Vec<Case> {
    let pairs = (0..4).flat_map(|ours| (0..4).map(move |valve| (ours, valve)));
    let case = |(ours, valve): (Mode, Mode)| {
        let mut setup = Setup::plain();
        setup.ours.options = vec![("Unencrypted", ours)];
        setup.valve.options = vec![("Unencrypted", valve)];
        let name = format!("cipher: Unencrypted {ours} with us, {valve} with Valve");
        Case::new(name, setup, move |stage| match expected(stage.role, ours, valve) {
            Some(plain) => works(stage, plain),
            None => is_refused(stage),
        })
    };
    pairs.map(case).collect()
}

/// Ciphers by preference (wire.md §3): true is plain.
fn offers(mode: Mode) -> &'static [bool] {
    match mode {
        0 => &[false],
        1 => &[false, true],
        2 => &[true, false],
        _ => &[true],
    }
}

/// Whether it will be plain, as the acceptor decides; `None`: they cannot agree.
fn expected(role: Role, ours: Mode, valve: Mode) -> Option<bool> {
    let (initiator, acceptor) = match role {
        Role::WeConnect => (ours, valve),
        Role::ValveConnects => (valve, ours),
    };
    offers(acceptor).iter().copied().find(|cipher| offers(initiator).contains(cipher))
}

fn works(stage: &mut Stage, plain: bool) -> anyhow::Result<String> {
    let connected = stage.connect()?;
    let plan = Plan::new(&[Run::reliable(&[1, 200, 3000], 20), Run::unreliable(&[1, 200], 20)]);
    stage.exchange(&plan, &plan, 0.1)?;
    let flags = connected.valve["flag_names"].to_string();
    ensure!(flags.contains("unencrypted") == plain, "Valve's flags: {flags}");
    let ours = connected.ours.flags;
    ensure!(ours.contains(ConnectionFlags::UNENCRYPTED) == plain, "our flags: {ours:?}");
    Ok(if plain { "plain" } else { "AES-256-GCM" }.to_owned())
}

fn is_refused(stage: &mut Stage) -> anyhow::Result<String> {
    stage.dial()?;
    match stage.role {
        Role::WeConnect => {
            let info = stage.ours.state(ConnectionState::ClosedByPeer)?;
            ensure!(info.end_reason == BAD_CRYPT, "our side ended with {:?}", info.end_reason);
            Ok(format!("{BAD_CRYPT} {:?}", info.end_debug))
        }
        Role::ValveConnects => {
            stage.ours.incoming()?;
            let accepted = stage.ours.sockets.accept_connection(stage.ours.handle()?);
            ensure!(accepted.is_err(), "our side accepted");
            let ours = stage.ours.state(ConnectionState::ProblemDetectedLocally)?;
            ensure!(ours.end_reason == BAD_CRYPT, "our side ended with {:?}", ours.end_reason);
            let event = stage.valve.state("closed_by_peer")?;
            ensure!(event["end_reason"] == BAD_CRYPT, "Valve's side ended with {event}");
            Ok(format!("{BAD_CRYPT} {}", event["end_debug"]))
        }
    }
}
