//! Lanes: independent ordered queues of one connection.

/// How the messages of a lane reach the peer's application.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum DeliveryMode {
    /// As Valve's library: reliable messages in order, unreliable ones as they come.
    #[default]
    Standard,
    /// Unreliable messages older than the newest one delivered are dropped. Reliable messages as in
    /// [`DeliveryMode::Standard`].
    Sequenced,
    /// Reliable messages are delivered as soon as they are whole, in any order. Falls back to
    /// [`DeliveryMode::Standard`] towards peers that did not negotiate it.
    Unordered,
}

/// Priority, share and delivery of one lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LaneConfig {
    /// Lower numbers are served strictly first.
    pub priority: i32,
    /// Share of the bandwidth among lanes of the same priority, 1..=65535.
    pub weight: u16,
    /// Delivery of its messages.
    pub mode: DeliveryMode,
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self { priority: 0, weight: 1, mode: DeliveryMode::Standard }
    }
}

/// Most lanes a connection can have.
pub const MAX_LANES: usize = 255;
