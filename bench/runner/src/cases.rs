//! What is measured: one row per workload and network.

use bench_protocol::Workload;

/// What lies between the two processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Network {
    /// The loopback interface.
    Loopback,
    /// The proxy: 25 ms each way, 2 % loss each way, a rate in bytes per second, 0 for no limit.
    Lossy {
        /// What the link carries.
        bytes_per_s: u64,
    },
}

/// One figure, as the page shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Key in the results.
    pub(crate) figure: &'static str,
    /// Head of the column.
    pub(crate) title: &'static str,
    /// What the figure is divided by.
    pub(crate) unit: f64,
    /// Whether more is better.
    pub(crate) more_is_better: bool,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Case {
    /// Key in the results.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    pub(crate) workload: Workload,
    pub(crate) network: Network,
    pub(crate) connections: usize,
    /// Whether it belongs to a quick run.
    pub(crate) quick: bool,
    /// How often it is run at most.
    pub(crate) most_rounds: usize,
    /// Before anything counts, in milliseconds.
    pub(crate) warm_up_ms: u64,
    /// How long it counts, in milliseconds.
    pub(crate) window_ms: u64,
    /// What the page shows; the first is plotted.
    pub(crate) columns: &'static [Column],
}

const fn more(figure: &'static str, title: &'static str, unit: f64) -> Column {
    Column { figure, title, unit, more_is_better: true }
}

const fn less(figure: &'static str, title: &'static str, unit: f64) -> Column {
    Column { figure, title, unit, more_is_better: false }
}

const BULK: &[Column] = &[
    more("bytes_per_s", "MB/s", 1e6),
    less("sender_cpu_s_per_gb", "CPU s/GB, sender", 1.0),
    less("receiver_cpu_s_per_gb", "CPU s/GB, receiver", 1.0),
];
const SMALL: &[Column] = &[
    more("messages_per_s", "M messages/s", 1e6),
    less("lost_messages", "lost, %", 0.01),
    less("sender_cpu_share", "CPU of the sender, % of a core", 0.01),
    less("receiver_cpu_share", "CPU of the receiver, % of a core", 0.01),
];
const PING: &[Column] = &[
    less("p50_us", "p50, µs", 1.0),
    less("p99_us", "p99, µs", 1.0),
    less("lost_messages", "lost, %", 0.01),
];
const CROWD: &[Column] = &[
    less("receiver_cpu_share", "CPU of the server, % of a core", 0.01),
    less("sender_cpu_share", "CPU of the client, % of a core", 0.01),
    more("handshakes_per_s", "handshakes/s", 1.0),
    less("bytes_per_connection", "memory per connection, KiB", 1024.0),
    less("lost_messages", "lost, %", 0.01),
];
const LOSSY_BULK: &[Column] = &[more("bytes_per_s", "MB/s", 1e6)];
const PACED: &[Column] =
    &[less("p50_us", "one-way p50, ms", 1000.0), less("p99_us", "one-way p99, ms", 1000.0)];

/// How often the cases that take long are run.
const LONG_ROUNDS: usize = 3;

/// A case on the loopback interface that belongs to a quick run.
const fn loopback(
    name: &'static str,
    title: &'static str,
    workload: Workload,
    columns: &'static [Column],
) -> Case {
    Case {
        name,
        title,
        workload,
        network: Network::Loopback,
        connections: 1,
        quick: true,
        most_rounds: usize::MAX,
        warm_up_ms: 1000,
        window_ms: 3000,
        columns,
    }
}

const fn lossy(
    name: &'static str,
    title: &'static str,
    workload: Workload,
    bytes_per_s: u64,
    columns: &'static [Column],
) -> Case {
    Case {
        name,
        title,
        workload,
        network: Network::Lossy { bytes_per_s },
        connections: 1,
        quick: false,
        most_rounds: LONG_ROUNDS,
        // A slow start over 50 ms is part of life, but not what is measured here.
        warm_up_ms: 4000,
        window_ms: 10_000,
        columns,
    }
}

/// All cases.
pub(crate) static CASES: &[Case] = &[
    loopback(
        "w1.bulk_reliable",
        "W1: bulk, 64 KiB messages, reliable",
        Workload::BulkReliable,
        BULK,
    ),
    loopback(
        "w2.small_reliable",
        "W2: 100-byte messages, reliable",
        Workload::SmallReliable,
        SMALL,
    ),
    loopback(
        "w2.small_unreliable",
        "W2: 100-byte messages, unreliable",
        Workload::SmallUnreliable,
        SMALL,
    ),
    loopback(
        "w3.ping_reliable",
        "W3: 64 bytes there and back, reliable",
        Workload::PingReliable,
        PING,
    ),
    loopback(
        "w3.ping_unreliable",
        "W3: 64 bytes there and back, unreliable",
        Workload::PingUnreliable,
        PING,
    ),
    Case {
        connections: 1000,
        quick: false,
        most_rounds: LONG_ROUNDS,
        ..loopback(
            "w4.echo",
            "W4: 1000 connections, each echoes 100 bytes 20 times a second",
            Workload::Crowd,
            CROWD,
        )
    },
    lossy(
        "w5.bulk_open",
        "W5: bulk over 50 ms and 2 % loss, link without a limit",
        Workload::BulkReliable,
        0,
        LOSSY_BULK,
    ),
    lossy(
        "w5.bulk_limited",
        "W5: bulk over 50 ms and 2 % loss, link of 2.5 MB/s",
        Workload::BulkReliable,
        2_500_000,
        LOSSY_BULK,
    ),
    lossy(
        "w5.paced",
        "W5: 60 reliable messages a second over 50 ms and 2 % loss",
        Workload::PacedReliable,
        0,
        PACED,
    ),
];
