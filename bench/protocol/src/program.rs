//! The main function of every peer.

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use bytes::Bytes;

use crate::{
    clock, crowd,
    link::{Endpoint, Link as _},
    paced, ping,
    plan::{Plan, Workload},
    report::{Figures, Report},
    stream,
};

/// How long a server goes on after it has told its figures, so that its last message arrives. The
/// runner ends it before.
const LINGER: Duration = Duration::from_secs(30);
/// Longest wait in one call into the library meanwhile.
const TURN: Duration = Duration::from_millis(100);

const USAGE: &str =
    "arguments: serve CORE PLAN, or drive CORE PLAN ADDRESS; PLAN is JSON, see the runner";

/// Does what the command line says.
pub fn run<E: Endpoint>() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Err(error) = carry_out::<E>(&arguments) else { return ExitCode::SUCCESS };
    let report = Report::Failed { why: format!("{error:#}") };
    if report.print().is_err() {
        eprintln!("{error:#}");
    }
    ExitCode::FAILURE
}

fn carry_out<E: Endpoint>(arguments: &[&str]) -> anyhow::Result<()> {
    let (core, plan) = match arguments {
        [_, core, plan, ..] => (core, serde_json::from_str(plan).context(USAGE)?),
        _ => bail!(USAGE),
    };
    clock::pin(core.parse().context(USAGE)?).context("cannot stay on one core")?;
    match arguments {
        ["serve", _, _] => serve::<E>(&plan),
        ["drive", _, _, address] => {
            let figures = drive::<E>(&plan, address.parse().context(USAGE)?)?;
            Report::Measured { figures }.print()
        }
        _ => bail!(USAGE),
    }
}

fn serve<E: Endpoint>(plan: &Plan) -> anyhow::Result<()> {
    let (endpoint, address) = E::listen(plan)?;
    Report::Listening { address }.print()?;
    if plan.workload == Workload::Crowd {
        let mut crowd = endpoint.serve_crowd()?;
        let figures = crowd::serve(&mut crowd, plan)?;
        Report::Measured { figures }.print()?;
        let mut received: Vec<(usize, Bytes)> = Vec::new();
        return linger(|| crowd::echo(&mut crowd, &mut received, TURN).map(drop));
    }
    let mut link = endpoint.accept()?;
    let figures = match plan.workload {
        Workload::BulkReliable | Workload::SmallReliable | Workload::SmallUnreliable => {
            stream::receive(&mut link, plan)?
        }
        Workload::PingReliable | Workload::PingUnreliable => ping::pong(&mut link, plan)?,
        Workload::PacedReliable => paced::receive(&mut link, plan)?,
        Workload::Crowd => unreachable!("served above"),
    };
    Report::Measured { figures }.print()?;
    linger(|| link.receive(TURN, &mut |_| {}))
}

/// Goes on until the other side is gone.
fn linger(mut turn: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let until = Instant::now() + LINGER;
    while Instant::now() < until && turn().is_ok() {}
    Ok(())
}

fn drive<E: Endpoint>(plan: &Plan, address: SocketAddr) -> anyhow::Result<Figures> {
    if plan.workload == Workload::Crowd {
        return crowd::drive(&mut E::join_crowd(address, plan)?, plan);
    }
    let mut link = E::connect(address, plan)?;
    match plan.workload {
        Workload::BulkReliable | Workload::SmallReliable | Workload::SmallUnreliable => {
            stream::send(&mut link, plan)
        }
        Workload::PingReliable | Workload::PingUnreliable => ping::ping(&mut link, plan),
        Workload::PacedReliable => paced::send(&mut link, plan),
        Workload::Crowd => unreachable!("driven above"),
    }
}
