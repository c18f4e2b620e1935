//! What must hold, and how it came out.

use anyhow::Context as _;

use super::{
    network::{Network, Party, Path},
    peer::Load,
    record::Seen,
};

/// One path, what is sent over it, and what to make of it.
#[derive(Debug)]
pub struct Case {
    /// What it is about.
    pub name: &'static str,
    /// Over what.
    pub path: Path,
    /// What the client does.
    pub load: Load,
    /// Whether it means something on a path without delay and loss.
    pub without_middlebox: bool,
    judge: fn(&Path, &Seen) -> Vec<Figure>,
}

/// Something measured beside what it should be.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// How it came out, in words.
    pub measured: String,
    /// What is aimed at on an idle machine.
    pub target: &'static str,
    /// Whether that was reached.
    pub reached: bool,
    /// Whether it is so far off that something must be broken.
    pub passed: bool,
}

const PATH: Path = Path {
    mbit: 20,
    rtt_ms: 50,
    queue_ms: 50,
    jitter_us: 500,
    loss_percent: 0,
    disorder_permille: 0,
};
/// What `tc` counts beyond our datagrams: the headers of IP and UDP beside 1300 bytes. A link is
/// measured here by what it carries of datagrams, as the bench's proxy limits it.
const DATAGRAM_SHARE: f64 = 1300.0 / 1328.0;

/// How often a case may be tried.
const ATTEMPTS: usize = 3;

/// All cases.
pub const CASES: &[Case] = &[
    Case {
        name: "start-up on 100 Mbit/s, 50 ms",
        path: Path { mbit: 100, ..PATH },
        load: Load { seconds: 3, urgent: false, tcp_first: None, fixed_rate: None },
        without_middlebox: false,
        judge: start_up,
    },
    Case {
        name: "2 % loss on 20 Mbit/s, 50 ms",
        path: Path { loss_percent: 2, ..PATH },
        load: Load { seconds: 8, urgent: true, tcp_first: None, fixed_rate: None },
        without_middlebox: false,
        judge: with_loss,
    },
    Case {
        name: "swapped and doubled packets",
        path: Path { disorder_permille: 10, ..PATH },
        load: Load { seconds: 5, urgent: false, tcp_first: None, fixed_rate: None },
        without_middlebox: false,
        judge: in_disorder,
    },
    Case {
        name: "beside a TCP flow (cubic)",
        path: PATH,
        load: Load { seconds: 25, urgent: false, tcp_first: Some(3), fixed_rate: None },
        without_middlebox: true,
        judge: beside_tcp,
    },
    Case {
        name: "told to send 40 MB/s over 2.5",
        path: Path { loss_percent: 2, ..PATH },
        load: Load { seconds: 6, urgent: false, tcp_first: None, fixed_rate: Some(40_000_000) },
        without_middlebox: true,
        judge: asked_for_more,
    },
];

fn capacity(path: &Path) -> f64 {
    path.bytes_per_second() * DATAGRAM_SHARE
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn share_figure(name: &'static str, share: f64, target: (&'static str, f64), least: f64) -> Figure {
    let (text, target) = target;
    let (reached, passed) = (share >= target, share >= least);
    Figure { name, measured: percent(share), target: text, reached, passed }
}

/// Bulk's share of what the path carries, from one moment after its start to another.
fn bulk_share(path: &Path, seen: &Seen, from_ms: u64, to_ms: u64) -> f64 {
    let start = seen.bulk.start_ms().unwrap_or_default();
    seen.bulk.rate(start + from_ms, start + to_ms) / capacity(path)
}

fn start_up(path: &Path, seen: &Seen) -> Vec<Figure> {
    let took = seen.bulk.reached_ms(capacity(path) * 0.9);
    let reached = took.is_some_and(|ms| ms <= 1_000);
    let measured = took.map_or("never".to_owned(), |ms| format!("{ms} ms"));
    let passed = took.is_some_and(|ms| ms <= 2_000);
    vec![
        Figure { name: "until 90 % of the rate", measured, target: "≤ 1000 ms", reached, passed },
        share_figure("share then", bulk_share(path, seen, 1_000, 2_800), ("≥ 90 %", 0.9), 0.7),
    ]
}

fn with_loss(path: &Path, seen: &Seen) -> Vec<Figure> {
    let share = bulk_share(path, seen, 1_000, 7_800);
    let wait = |percentile| seen.urgent_ms(percentile);
    let one_way = path.rtt_ms as f64 / 2.0;
    // One round trip and 10 ms beyond what an empty path takes.
    let allowed = one_way + path.rtt_ms as f64 + 10.0;
    let measured = format!("{:.0} / {:.0} ms", wait(50), wait(99));
    vec![
        share_figure("share of the link", share, ("≥ 95 %", 0.95), 0.85),
        Figure {
            name: "urgent message beside it, p50 / p99",
            measured,
            target: "p99 ≤ 85 ms",
            reached: wait(99) <= allowed,
            passed: wait(99) <= 2.0 * allowed,
        },
    ]
}

fn in_disorder(path: &Path, seen: &Seen) -> Vec<Figure> {
    let share = bulk_share(path, seen, 1_000, 4_800);
    vec![share_figure("share of the link", share, ("≥ 90 %", 0.9), 0.75)]
}

fn beside_tcp(path: &Path, seen: &Seen) -> Vec<Figure> {
    let start = seen.bulk.start_ms().unwrap_or_default();
    let rates = [&seen.bulk, &seen.tcp].map(|flow| flow.rate(start + 5_000, start + 24_800));
    let share = rates[0] / (rates[0] + rates[1]);
    let measured = format!("{} : {}", percent(share), percent(1.0 - share));
    let used = (rates[0] + rates[1]) / path.bytes_per_second();
    vec![
        Figure {
            name: "ours : TCP",
            measured,
            target: "30–70 % each",
            reached: (0.3..=0.7).contains(&share),
            passed: (0.2..=0.8).contains(&share),
        },
        share_figure("both together", used, ("≥ 90 %", 0.9), 0.8),
    ]
}

fn asked_for_more(path: &Path, seen: &Seen) -> Vec<Figure> {
    let last = bulk_share(path, seen, 3_000, 5_800);
    vec![
        Figure {
            name: "the connection",
            measured: if seen.broken.is_empty() { "stands".into() } else { "broke".into() },
            target: "stands",
            reached: seen.broken.is_empty(),
            passed: seen.broken.is_empty(),
        },
        share_figure("share of the link", last, ("≥ 50 %", 0.5), 0.1),
    ]
}

impl Case {
    /// Runs it until nothing is broken, a few times at most: other programs may take the processor
    /// from a run, but not from all.
    ///
    /// # Errors
    /// As [`Case::run_once`], of the last attempt.
    pub fn run(&self) -> anyhow::Result<(usize, Vec<Figure>)> {
        for attempt in 1.. {
            let result = self.run_once();
            let passed = result.as_ref().is_ok_and(|figures| figures.iter().all(|f| f.passed));
            if passed || attempt == ATTEMPTS {
                return result.map(|figures| (attempt, figures));
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Runs it. This process must be in a network namespace that it may change.
    ///
    /// # Errors
    /// The network could not be made, or a party failed: the connection broke, say.
    pub fn run_once(&self) -> anyhow::Result<Vec<Figure>> {
        let role = |role: &str| vec![format!("--role={role}")];
        let mut client_arguments = role("client");
        client_arguments.extend(self.load.arguments());
        let client = Party::start(&client_arguments).context("the client")?;
        let server = Party::start(&role("server")).context("the server")?;
        let mut network = Network::new(&self.path, client, server).context("the network")?;
        network.server.go()?;
        network.server.expect("listening").context("the server")?;
        network.client.go()?;
        network.client.expect("done").context("the client")?;
        let Network { server, .. } = network;
        let seen = Seen::from_json(&server.finish().context("the server")?)?;
        Ok((self.judge)(&self.path, &seen))
    }
}
