//! Who is measured, and with which settings.

use bench_protocol::Workload;

use crate::cases::{Case, Network};

/// One peer: a program with settings.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Key in the results.
    pub(crate) name: &'static str,
    /// Name of its program.
    pub(crate) program: &'static str,
    /// Whether it belongs to a quick run.
    pub(crate) quick: bool,
    /// What the page says about its settings.
    pub(crate) about: &'static str,
    /// The settings for a case. Several are a ladder from the most demanding down, of which the
    /// first round finds the best. None: it does not take part.
    settings: fn(&Case) -> &'static [&'static str],
}

impl Peer {
    /// The settings for a case.
    pub(crate) fn settings(&self, case: &Case) -> &'static [&'static str] {
        (self.settings)(case)
    }

    /// Whether it has settings for a case.
    pub(crate) fn takes_part(&self, case: &Case) -> bool {
        !self.settings(case).is_empty()
    }
}

/// Rates of Valve's library from its clamp downwards, in bytes per second.
const VALVE_RATES: &[&str] = &[
    "rate:104857600",
    "rate:80000000",
    "rate:60000000",
    "rate:40000000",
    "rate:20000000",
    "rate:10000000",
];
/// The same over 50 ms and 2 % loss: the link's rate, and less.
const VALVE_LOSSY: &[&str] = &["rate:10000000", "rate:5000000", "rate:2500000"];
const VALVE_LIMITED: &[&str] = &["rate:2400000", "rate:2000000", "rate:1000000"];

fn valve(case: &Case) -> &'static [&'static str] {
    match (case.workload, case.network) {
        (Workload::BulkReliable, Network::Lossy { bytes_per_s: 0 }) => VALVE_LOSSY,
        (Workload::BulkReliable, Network::Lossy { .. }) => VALVE_LIMITED,
        (Workload::BulkReliable | Workload::SmallReliable | Workload::SmallUnreliable, _) => {
            VALVE_RATES
        }
        (Workload::PacedReliable, _) => &["rate:10000000"],
        (Workload::PingReliable | Workload::PingUnreliable, _) => &["tuned"],
        (Workload::Crowd, _) => &["defaults"],
    }
}

/// Where the network is bad or the load is heavy, what a user of Valve's library gets unasked.
fn valve_defaults(case: &Case) -> &'static [&'static str] {
    match case.workload {
        Workload::BulkReliable | Workload::SmallReliable | Workload::PacedReliable => &["defaults"],
        _ => &[],
    }
}

fn quinn(case: &Case) -> &'static [&'static str] {
    match (case.workload, case.network) {
        (Workload::Crowd, _) => &["modest"],
        (_, Network::Loopback) => &["cubic"],
        (_, Network::Lossy { .. }) => &["cubic_one_stream"],
    }
}

fn quinn_bbr(case: &Case) -> &'static [&'static str] {
    if case.network == Network::Loopback { &[] } else { &["bbr_one_stream"] }
}

/// Raw packets get lost for good: they take no part where loss is what is measured.
fn raw_gso(case: &Case) -> &'static [&'static str] {
    if case.network == Network::Loopback { &["gso"] } else { &[] }
}

fn raw(case: &Case) -> &'static [&'static str] {
    if case.network == Network::Loopback && case.workload != Workload::Crowd {
        &["single"]
    } else {
        &[]
    }
}

/// Whether there is more to carry than fits a packet, over a path that carries large ones.
fn large_packets_matter(case: &Case) -> bool {
    let streams = matches!(
        case.workload,
        Workload::BulkReliable | Workload::SmallReliable | Workload::SmallUnreliable
    );
    streams && case.network == Network::Loopback
}

/// All peers.
pub(crate) static PEERS: &[Peer] = &[
    Peer {
        name: "gamewire",
        program: "bench-gamewire",
        quick: true,
        about: "this library, release build, nothing set but packets of 1300 bytes, the size of \
                Valve's; the application blocks in `wait_messages`",
        settings: |_| &["packets_1300"],
    },
    Peer {
        name: "gamewire_large",
        program: "bench-gamewire",
        quick: true,
        about: "the same with nothing set at all: packets become as large as the path carries, on \
                loopback up to 65487 bytes",
        settings: |case| if large_packets_matter(case) { &["defaults"] } else { &[] },
    },
    Peer {
        name: "gamewire_unlimited",
        program: "bench-gamewire",
        quick: false,
        about: "the same without congestion control (`SendRateMin` = `SendRateMax` = no limit), \
                buffers of 4 MiB",
        settings: |case| match (case.workload, case.network) {
            (Workload::BulkReliable | Workload::SmallReliable, Network::Loopback)
            | (Workload::SmallUnreliable, _) => &["unlimited"],
            _ => &[],
        },
    },
    Peer {
        name: "valve",
        program: "bench-valve",
        quick: true,
        about: "GameNetworkingSockets in game-networking-sockets-sys 0.3.0, optimised; manual poll \
                mode; a fixed rate, the best of a ladder from its clamp of 100 MiB/s downwards; send buffer 4 MiB, receive buffer 16 MiB",
        settings: valve,
    },
    Peer {
        name: "valve_defaults",
        program: "bench-valve",
        quick: false,
        about: "the same, nothing set but manual poll mode",
        settings: valve_defaults,
    },
    Peer {
        name: "quinn",
        program: "bench-quinn",
        quick: true,
        about: "quinn 0.11, Cubic, MTU discovery to 1452, GSO, windows of 16 MiB, socket buffers of \
                4 MiB, tokio on one thread; a stream for each bulk message (one for all in W5), batches of 64 on one \
                stream for small reliable ones, datagrams for unreliable ones",
        settings: quinn,
    },
    Peer {
        name: "quinn_bbr",
        program: "bench-quinn",
        quick: false,
        about: "the same with BBR",
        settings: quinn_bbr,
    },
    Peer {
        name: "renet",
        program: "bench-renet",
        quick: false,
        about: "renet 2.0 with netcode; a tick whenever there is something to do",
        settings: |_| &["busy"],
    },
    Peer {
        name: "enet",
        program: "bench-enet",
        quick: false,
        about: "ENet of Debian's libenet-dev; no encryption, throttle off",
        settings: |_| &["plain"],
    },
    Peer {
        name: "raw",
        program: "bench-raw",
        quick: false,
        about: "UDP and AES-256-GCM, packets of at most 1300 bytes, a blocking call for each; \
                nothing is sent again",
        settings: raw,
    },
    Peer {
        name: "raw_gso",
        program: "bench-raw",
        quick: true,
        about: "the same in batches of 64 KiB that the kernel cuts and joins; unreliable messages \
                are a packet each; lone messages go by blocking calls",
        settings: raw_gso,
    },
    Peer {
        name: "raw_gso_large",
        program: "bench-raw",
        quick: true,
        about: "the same with packets of 65487 bytes, one to a batch",
        settings: |case| match (case.workload, case.network) {
            (Workload::BulkReliable, Network::Loopback) => &["gso_large"],
            _ => &[],
        },
    },
];
