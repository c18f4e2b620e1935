//! Sizes: reliable from 1 B to 512 KiB, unreliable with and without fragments, everything mixed.

use crate::{
    cell::Case,
    ours::Setting,
    runs::{Plan, Run},
    stage::{Setup, Stage},
};

/// Room for the largest messages, and a rate that a socket buffer on loopback bears even if the
/// receiver is not scheduled for 50 ms.
const ROOMY: [Setting; 5] = [
    ("SendBufferSize", 8 << 20),
    ("RecvBufferSize", 8 << 20),
    ("RecvBufferMessages", 100_000),
    ("SendRateMin", 4 << 20),
    ("SendRateMax", 4 << 20),
];

/// What may be lost of unreliable messages where nobody means to lose any: a busy machine may
/// overflow a socket buffer.
const TOLERATED_LOSS: f64 = 0.02;

/// Largest unreliable message that Valve's library sends as such: 15 segments.
const MAX_UNRELIABLE: usize = 16_500;

pub(super) fn cases() -> Vec<Case> {
    let reliable = [1, 7, 8, 9, 100, 1100, 1136, 1137, 1138, 1200, 1232, 1248, 1300, 2500, 16_384];
    let large = [1, 65_536, 262_144, 524_287, 524_288];
    let whole = [1, 2, 8, 9, 64, 500, 1000, 1100];
    let fragments = [1300, 2500, 5000, 11_000, MAX_UNRELIABLE];
    let small = [0, 1, 2, 3, 20];
    let reliable = Run::reliable(&reliable, 300);
    vec![
        case("reliable 1 B to 16 KiB", ROOMY, std::slice::from_ref(&reliable)),
        case("reliable 1 B to 512 KiB", ROOMY, &[Run::reliable(&large, 20)]),
        case("reliable 512 KiB with all defaults", [], &[Run::reliable(&[524_288], 1)])
            .within(std::time::Duration::from_secs(40)),
        case("many small reliable messages", ROOMY, &[Run::reliable(&small, 20_000)]),
        case("unreliable without fragments", ROOMY, &[Run::unreliable(&whole, 2000)]),
        case("unreliable in fragments", ROOMY, &[Run::unreliable(&fragments, 200)]),
        case(
            "reliable and unreliable mixed",
            ROOMY,
            &[reliable, Run::unreliable(&[1, 300, 1100, 1101, 3000, 12_000], 600)],
        ),
    ]
}

fn case(name: &str, options: impl AsRef<[Setting]>, runs: &[Run]) -> Case {
    let setup = Setup::with_options(options.as_ref());
    let plan = Plan::new(runs);
    Case::new(format!("content: {name}"), setup, move |stage| both_ways(stage, &plan))
}

fn both_ways(stage: &mut Stage, plan: &Plan) -> anyhow::Result<String> {
    stage.connect()?;
    let exchange = stage.exchange(plan, plan, TOLERATED_LOSS)?;
    stage.still_connected()?;
    Ok(exchange.figures())
}
