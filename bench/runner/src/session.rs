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
    /// What was measured, or why not, for each step tried.
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
    /// Runs a peer through a case, beginning with the given step of its settings.
    pub(crate) fn run(&self, case: &Case, peer: &Peer, quick: bool, first: usize) -> Outcome {
        let settings = peer.settings(case);
        let mut step = first;
        loop {
            let result = self.run_once(case, peer, settings[step], quick);
            if result.is_ok() || step + 1 == settings.len() {
                return Outcome { step, result };
            }
            if let Err(error) = result {
                eprintln!("{} does not survive {}: {error:#}", peer.name, settings[step]);
            }
            step += 1;
        }
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
        let deadline = Instant::now() + plan.warm_up() + plan.window() + PATIENCE;
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
