//! Which relays to use.

use crate::{PopId, config::NetworkConfig};
use gamewire_proto::Time;
use gamewire_wire::address::Address;

use super::Measurement;

/// A relay must be better than the one in use by so many percent of its score…
pub const HYSTERESIS_PERCENT: u32 = 10;
/// …and so many milliseconds, to take its place.
pub const HYSTERESIS_MS: u32 = 5;
/// Added for relays that are about to stop, in milliseconds: only where there is no other.
const SHUTDOWN_PENALTY: u32 = 10_000;

/// A relay that a session may be opened with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its PoP.
    pub pop: PopId,
    /// Its address.
    pub relay: Address,
    /// From here to there, in milliseconds.
    pub front_ms: u32,
    /// From there to the data centre, in milliseconds; 0 for peer-to-peer.
    pub back_ms: u32,
    /// Pings and penalties; less is better.
    pub score: u32,
}

/// The relays for a data centre, or for any peer, best first; one per PoP.
pub(super) fn candidates(
    measurement: &Measurement,
    center: Option<PopId>,
    config: Option<&NetworkConfig>,
    now: Time,
) -> Vec<Candidate> {
    let candidate = |(pop, measure): (PopId, &super::PopMeasure)| {
        let front_ms = u32::from(measure.ping_ms()?);
        let back_ms = match center {
            None => 0,
            Some(center) => {
                let told = measure.data_centers.get(&center).copied();
                // A PoP nobody knows, such as `dev`, is as far from everywhere.
                told.or_else(|| config?.interior_ping(pop, center)).unwrap_or(0)
            }
        };
        let stops = measure.shutdown_at.is_some_and(|at| at > now);
        let penalty = measure.penalty + if stops { SHUTDOWN_PENALTY } else { 0 };
        let score = front_ms + back_ms + penalty;
        Some(Candidate { pop, relay: measure.relay?, front_ms, back_ms, score })
    };
    let mut found: Vec<Candidate> = measurement.pops().filter_map(candidate).collect();
    found.sort_by_key(|candidate| (candidate.score, candidate.pop));
    found
}

/// Whether a score is so much better that a change is worth while.
pub(super) const fn is_worth_it(current: u32, other: u32) -> bool {
    let margin = current.saturating_mul(HYSTERESIS_PERCENT) / 100 + HYSTERESIS_MS;
    other.saturating_add(margin) < current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_gains_change_nothing() {
        assert!(!is_worth_it(50, 40));
        assert!(is_worth_it(50, 39));
        assert!(!is_worth_it(200, 175));
        assert!(is_worth_it(200, 174));
        assert!(!is_worth_it(5, 0));
    }
}
