//! What the fake network is to do.

/// Longest lag, reordering, duplication or jitter time, in milliseconds.
pub const MAX_LAG_MS: i32 = 5_000;

/// How bad the network is. The default is a perfect one.
///
/// Types, units and defaults are those of the configuration values (api.md §3.8).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FakeNetworkConfig {
    /// Outgoing datagrams.
    pub send: FakeDirectionConfig,
    /// Incoming datagrams.
    pub recv: FakeDirectionConfig,
    /// `FakePacketReorder_Time`: extra delay of reordered datagrams in milliseconds, 0 to
    /// [`MAX_LAG_MS`].
    pub reorder_time_ms: i32,
    /// `FakePacketDup_TimeMax`: a duplicate follows at most this many milliseconds later, 0 to
    /// [`MAX_LAG_MS`].
    pub dup_time_max_ms: i32,
}

/// How bad one direction is. The default is perfect.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FakeDirectionConfig {
    /// `FakePacketLoss_*`: datagrams lost, in percent.
    pub loss_pct: f32,
    /// `FakePacketLag_*`: delay of every datagram in milliseconds, 0 to [`MAX_LAG_MS`].
    pub lag_ms: i32,
    /// `FakePacketJitter_*_Avg`: mean of the random delay in milliseconds, before the cap; 0: none.
    pub jitter_avg_ms: f32,
    /// `FakePacketJitter_*_Max`: cap of the random delay in milliseconds, 0 to [`MAX_LAG_MS`].
    pub jitter_max_ms: f32,
    /// `FakePacketJitter_*_Pct`: datagrams that get a random delay, in percent.
    pub jitter_pct: f32,
    /// `FakePacketReorder_*`: datagrams held back so that others overtake, in percent.
    pub reorder_pct: f32,
    /// `FakePacketDup_*`: datagrams that arrive twice, in percent.
    pub dup_pct: f32,
    /// `FakeRateLimit_*_Rate`: bytes per second that pass in the long run; 0: no limit.
    pub rate_bytes_per_s: i32,
    /// `FakeRateLimit_*_Burst`: bytes that pass at once after a pause.
    pub burst_bytes: i32,
}

impl Default for FakeNetworkConfig {
    fn default() -> Self {
        let perfect = FakeDirectionConfig::default();
        Self { send: perfect, recv: perfect, reorder_time_ms: 15, dup_time_max_ms: 10 }
    }
}

impl Default for FakeDirectionConfig {
    fn default() -> Self {
        Self {
            loss_pct: 0.0,
            lag_ms: 0,
            jitter_avg_ms: 0.0,
            jitter_max_ms: 100.0,
            jitter_pct: 75.0,
            reorder_pct: 0.0,
            dup_pct: 0.0,
            rate_bytes_per_s: 0,
            burst_bytes: 16_384,
        }
    }
}

impl FakeNetworkConfig {
    /// The nearest configuration in range.
    pub(super) fn sanitised(self) -> Self {
        Self {
            send: self.send.sanitised(),
            recv: self.recv.sanitised(),
            reorder_time_ms: self.reorder_time_ms.clamp(0, MAX_LAG_MS),
            dup_time_max_ms: self.dup_time_max_ms.clamp(0, MAX_LAG_MS),
        }
    }
}

impl FakeDirectionConfig {
    /// Whether datagrams are affected at all.
    pub(super) fn is_perfect(&self) -> bool {
        self.loss_pct <= 0.0
            && self.lag_ms <= 0
            && (self.jitter_avg_ms <= 0.0 || self.jitter_max_ms <= 0.0 || self.jitter_pct <= 0.0)
            && self.reorder_pct <= 0.0
            && self.dup_pct <= 0.0
            && self.rate_bytes_per_s <= 0
    }

    fn sanitised(self) -> Self {
        Self {
            loss_pct: within(self.loss_pct, 100.0),
            lag_ms: self.lag_ms.clamp(0, MAX_LAG_MS),
            jitter_avg_ms: within(self.jitter_avg_ms, MAX_LAG_MS as f32),
            jitter_max_ms: within(self.jitter_max_ms, MAX_LAG_MS as f32),
            jitter_pct: within(self.jitter_pct, 100.0),
            reorder_pct: within(self.reorder_pct, 100.0),
            dup_pct: within(self.dup_pct, 100.0),
            rate_bytes_per_s: self.rate_bytes_per_s.max(0),
            burst_bytes: self.burst_bytes.max(0),
        }
    }
}

/// `value` moved into 0 to `max`; 0 if it is no number.
fn within(value: f32, max: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, max) }
}
