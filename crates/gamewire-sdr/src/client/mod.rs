//! The client of the relay network: measures PoPs, and keeps sessions with relays for connections
//! (relay-network.md §4.4, §4.5, §4.7, §4.8).
//!
//! [`Measurement`] is one per process: how far every PoP is, where we are, which relays answer.
//! [`RelaySessions`] is one per connection: a primary session and two backups in different PoPs,
//! over which sealed packets go. Neither opens a socket; both are fed with what came from relays.

mod choice;
mod measure;
mod sessions;

use gamewire_wire::address::Address;

pub use choice::{Candidate, HYSTERESIS_MS, HYSTERESIS_PERCENT};
pub use measure::{
    DEFAULT_NEAREST_POPS, MEASURE_TIMEOUT, Measurement, MeasurementOptions, MeasurementStatus,
    PopMeasure,
};
pub use sessions::{
    BACKUP_KEEPALIVE, BACKUPS, HostedPurpose, P2pPurpose, PRIMARY_KEEPALIVE, PROBE_INTERVAL,
    PROBES_BEFORE_DUPLICATING, PROBES_BEFORE_LOST, Purpose, REQUEST_TIMEOUT, RelaySessions,
    SessionEvent, SessionState, SessionStatus,
};

/// A datagram to a relay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToRelay {
    /// Where to.
    pub to: Address,
    /// The UDP payload.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests;
