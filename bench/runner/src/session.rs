//! One run: a server, a client, perhaps a proxy between them.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bench_protocol::{Figures, Plan};

use crate::{
    cases::{Case, Network},
    peers::Peer,
    process::Reporter,
};

/// How long a run may take beyond warm-up and window.
const PATIENCE: Duration = Duration::from_secs(12);
/// The same in a quick run.
const QUICK_PATIENCE: Duration = Duration::from_secs(4);
/// Share of a fixed rate that arrives as payload where nothing is wrong.
const CARRIED: f64 = 0.7;
/// Before anything counts in a quick run, in milliseconds.
const QUICK_WARM_UP_MS: u64 = 300;
/// How long a quick run counts, in milliseconds.
const QUICK_WINDOW_MS: u64 = 1000;
/// Delay of the proxy, each way, in microseconds.
const DELAY_US: u64 = 25_000;
/// Packets that the proxy loses, each way, in one of a million.
const LOSS_PPM: u32 = 20_000;
/// Seed of the proxy's dice.
const SEED: u64 = 20_260_101;

/// Where and how long.
pub(crate) struct Bench {
    pub(crate) programs: PathBuf,
    pub(crate) server_core: usize,
    pub(crate) client_core: usize,
    pub(crate) window_ms: Option<u64>,
}

/// What came of a run.
pub(crate) struct Outcome {
    /// Which of the peer's settings it was.
    pub(crate) step: usize,
    /// What was measured, or why not.
    pub(crate) result: anyhow::Result<Figures>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(figures) => {
                let figures: Vec<String> =
                    figures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
                write!(f, "{}", figures.join(", "))
            }
            Err(error) => write!(f, "failed: {error:#}"),
        }
    }
}

impl Bench {
    /// Runs a peer through a case with the settings at `step`; without one, looks for the best first.
    pub(crate) fn run(
        &self,
        case: &Case,
        peer: &Peer,
        quick: bool,
        step: Option<usize>,
    ) -> Outcome {
        let settings = peer.settings(case);
        match step {
            Some(step) => {
                Outcome { step, result: self.run_once(case, peer, settings[step], quick) }
            }
            None => self.probe(case, peer, quick),
        }
    }

    /// Goes down the ladder until a run carries what its settings ask for; the best run counts.
    fn probe(&self, case: &Case, peer: &Peer, quick: bool) -> Outcome {
        let settings = peer.settings(case);
        let figure = case.columns[0].figure;
        let value = |outcome: &Outcome| {
            outcome.result.as_ref().ok().and_then(|figures| figures.get(figure).copied())
        };
        let mut best: Option<Outcome> = None;
        for (step, name) in settings.iter().enumerate() {
            let outcome = Outcome { step, result: self.run_once(case, peer, name, quick) };
            if settings.len() > 1 {
                eprintln!("{}, {} at {name}: {outcome}", case.name, peer.name);
            }
            let bytes_per_s = outcome
                .result
                .as_ref()
                .ok()
                .and_then(|figures| figures.get("bytes_per_s").copied());
            if best.as_ref().is_none_or(|best| value(&outcome) > value(best)) {
                best = Some(outcome);
            }
            if is_carried(name, bytes_per_s) {
                break;
            }
        }
        best.expect("a peer that takes part has settings")
    }

    fn plan(&self, case: &Case, settings: &str, quick: bool) -> Plan {
        let (warm_up_ms, window_ms) = match quick {
            true => (QUICK_WARM_UP_MS, QUICK_WINDOW_MS),
            false => (case.warm_up_ms, case.window_ms),
        };
        Plan {
            workload: case.workload,
            settings: settings.to_owned(),
            warm_up_ms,
            window_ms: self.window_ms.unwrap_or(window_ms),
            connections: case.connections,
            drain: case.network == Network::Loopback,
        }
    }

    fn run_once(
        &self,
        case: &Case,
        peer: &Peer,
        settings: &str,
        quick: bool,
    ) -> anyhow::Result<Figures> {
        let plan = self.plan(case, settings, quick);
        let text = serde_json::to_string(&plan)?;
        let patience = if quick { QUICK_PATIENCE } else { PATIENCE };
        let deadline = Instant::now() + plan.warm_up() + plan.window() + patience;
        let program = self.programs.join(peer.program);
        let (server_core, client_core) =
            (self.server_core.to_string(), self.client_core.to_string());
        let server = Reporter::start(&program, &["serve", &server_core, &text])?;
        let mut address = server.address(deadline)?;
        let proxy = self.proxy(case.network, &address)?;
        if let Some(proxy) = &proxy {
            address = proxy.address(deadline)?;
        }
        let client = Reporter::start(&program, &["drive", &client_core, &text, &address])?;
        let mut figures = server.figures(deadline)?;
        if plan.drain {
            figures.append(&mut client.figures(deadline)?);
        }
        derive(&mut figures);
        Ok(figures)
    }

    fn proxy(&self, network: Network, server: &str) -> anyhow::Result<Option<Reporter>> {
        let Network::Lossy { bytes_per_s } = network else {
            return Ok(None);
        };
        let arguments =
            [DELAY_US.to_string(), LOSS_PPM.to_string(), bytes_per_s.to_string(), SEED.to_string()];
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.insert(0, server);
        let program = self.programs.join("bench-proxy");
        Reporter::start(&program, &arguments).context("the proxy").map(Some)
    }
}

/// Whether a run came near the rate that its settings ask for, where they do.
fn is_carried(settings: &str, bytes_per_s: Option<f64>) -> bool {
    let rate = settings.strip_prefix("rate:").and_then(|rate| rate.parse::<f64>().ok());
    rate.zip(bytes_per_s).is_some_and(|(rate, reached)| reached >= CARRIED * rate)
}

/// What follows from both sides' figures.
fn derive(figures: &mut Figures) {
    let Some(&bytes_per_s) = figures.get("bytes_per_s") else {
        return;
    };
    for side in ["sender", "receiver"] {
        if let Some(&share) = figures.get(&format!("{side}_cpu_share")) {
            figures.insert(format!("{side}_cpu_s_per_gb"), share / (bytes_per_s / 1e9));
        }
    }
}
