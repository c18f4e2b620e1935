//! The one place of the library that reads a clock.

use gamewire_proto::Time;
use std::{
    sync::OnceLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Where local time starts, in microseconds: far from zero, so that timestamps are never small or
/// negative and differences may reach before the start (api.md §2.1, `GetLocalTimestamp`).
pub const CLOCK_ORIGIN_US: u64 = 3_000_000_000_000;

/// The monotonic clock behind every [`Time`] that the library uses.
///
/// [`Clock::now`] starts at [`CLOCK_ORIGIN_US`] when the clock is made, never runs backwards and is
/// untouched by changes of the wall clock. Whether it goes on while the machine is suspended is up
/// to the system (on Linux it does not). Copies share the origin, so times of copies may be
/// compared; times of clocks made separately may not.
///
/// Nothing else reads a clock: machines are fed with `Time`, and tests make theirs up.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::new_without_default, reason = "two clocks made by default are not equal")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// The clock of the process, which starts when it is first asked for.
    pub fn of_process() -> Self {
        static PROCESS: OnceLock<Clock> = OnceLock::new();
        *PROCESS.get_or_init(Self::new)
    }

    /// The time.
    pub fn now(&self) -> Time {
        Time::from_micros(CLOCK_ORIGIN_US) + self.origin.elapsed()
    }

    /// The time, together with the wall clock's reading of the same moment (since 1970): what it
    /// takes to place a kernel timestamp on the monotonic clock.
    pub(super) fn now_and_wall(&self) -> (Time, Duration) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (self.now(), wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_the_origin_and_never_runs_backwards() {
        let clock = Clock::new();
        let mut last = Time::from_micros(CLOCK_ORIGIN_US);
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        let copy = clock;
        assert!(copy.now() >= last);
    }
}
