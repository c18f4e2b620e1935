//! What is to be measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::link::Delivery;

/// What the two processes do.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// 64 KiB messages, reliable, as fast as they are taken.
    BulkReliable,
    /// 100-byte messages, reliable, as fast as they are taken.
    SmallReliable,
    /// 100-byte messages, unreliable, as fast as they are taken.
    SmallUnreliable,
    /// 64 bytes there and back, reliable, one at a time.
    PingReliable,
    /// 64 bytes there and back, unreliable, one at a time.
    PingUnreliable,
    /// 60 reliable messages of 100 bytes a second; what counts is their time one way.
    PacedReliable,
    /// Many connections, each of which has 100 bytes echoed 20 times a second, unreliably.
    Crowd,
}

impl Workload {
    /// Bytes of each message.
    pub const fn message_bytes(self) -> usize {
        match self {
            Self::BulkReliable => 64 * 1024,
            Self::SmallReliable | Self::SmallUnreliable | Self::PacedReliable | Self::Crowd => 100,
            Self::PingReliable | Self::PingUnreliable => 64,
        }
    }

    /// What is asked of the library.
    pub const fn delivery(self) -> Delivery {
        match self {
            Self::BulkReliable | Self::SmallReliable | Self::PingReliable | Self::PacedReliable => {
                Delivery::Reliable
            }
            Self::SmallUnreliable | Self::PingUnreliable | Self::Crowd => Delivery::Unreliable,
        }
    }

    /// Whether each message is to leave at once.
    pub const fn is_urgent(self) -> bool {
        match self {
            Self::BulkReliable | Self::SmallReliable | Self::SmallUnreliable => false,
            Self::PingReliable | Self::PingUnreliable | Self::PacedReliable | Self::Crowd => true,
        }
    }
}

/// One run.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Plan {
    /// What to do.
    pub workload: Workload,
    /// Which settings, by a name that the peer knows; each peer lists them in its `settings` module.
    pub settings: String,
    /// How long to go on before anything counts, in milliseconds.
    pub warm_up_ms: u64,
    /// How long to count, in milliseconds.
    pub window_ms: u64,
    /// How many connections; 1 except for [`Workload::Crowd`].
    pub connections: usize,
    /// Whether the sender goes on until everything has arrived. Not on slow links, where buffers
    /// take longer to drain than the window lasts.
    pub drain: bool,
}

impl Plan {
    /// How long to go on before anything counts.
    pub const fn warm_up(&self) -> Duration {
        Duration::from_millis(self.warm_up_ms)
    }

    /// How long to count.
    pub const fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }
}
