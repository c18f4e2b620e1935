//! Numbers that calls answer with, and what becomes which (api.md §3.10).

use crate::types::{EResult, ESteamNetworkingConnectionState};
use gamewire::{AcceptError, ConnectionError, ConnectionState, LanesError, SendError};

/// `EResult`, as far as it is used.
pub(crate) mod result {
    use super::EResult;

    pub(crate) const OK: EResult = 1;
    pub(crate) const FAIL: EResult = 2;
    pub(crate) const NO_CONNECTION: EResult = 3;
    pub(crate) const INVALID_PARAM: EResult = 8;
    pub(crate) const INVALID_STATE: EResult = 11;
    pub(crate) const LIMIT_EXCEEDED: EResult = 25;
    pub(crate) const IP_NOT_FOUND: EResult = 31;
    pub(crate) const DUPLICATE_REQUEST: EResult = 29;
    pub(crate) const CONNECT_FAILED: EResult = 35;
    pub(crate) const HANDSHAKE_FAILED: EResult = 36;
    pub(crate) const IGNORED: EResult = 41;
    pub(crate) const NO_MATCH: EResult = 42;
    pub(crate) const DISABLED: EResult = 80;
}

/// `ESteamNetworkingAvailability`, as far as it is a constant here.
pub(crate) mod availability {
    use crate::types::ESteamNetworkingAvailability;

    pub(crate) const CANNOT_TRY: ESteamNetworkingAvailability = -102;
}

/// A ping that nobody knows.
pub(crate) const PING_UNKNOWN: i32 = -2;

pub(crate) fn of_accept(error: &AcceptError) -> EResult {
    use gamewire::MachineAcceptError;
    match error {
        AcceptError::NoSuchConnection | AcceptError::Refused(MachineAcceptError::NotIncoming) => {
            result::INVALID_PARAM
        }
        AcceptError::Duplicate => result::DUPLICATE_REQUEST,
        AcceptError::Refused(MachineAcceptError::WrongState) => result::INVALID_STATE,
        AcceptError::Refused(MachineAcceptError::Handshake(_)) => result::HANDSHAKE_FAILED,
    }
}

pub(crate) fn of_flush(error: ConnectionError) -> EResult {
    match error {
        ConnectionError::NoSuchConnection | ConnectionError::InvalidLanes => result::INVALID_PARAM,
        ConnectionError::NotConnected => result::IGNORED,
        ConnectionError::Ended => result::NO_CONNECTION,
    }
}

pub(crate) fn of_real_time(error: ConnectionError) -> EResult {
    match error {
        ConnectionError::NoSuchConnection
        | ConnectionError::NotConnected
        | ConnectionError::Ended => result::NO_CONNECTION,
        ConnectionError::InvalidLanes => result::INVALID_PARAM,
    }
}

pub(crate) fn of_lanes(error: LanesError) -> EResult {
    match error {
        LanesError::NoSuchConnection => result::NO_CONNECTION,
        LanesError::Ended => result::INVALID_STATE,
        LanesError::Invalid => result::INVALID_PARAM,
    }
}

/// The result of a send in the form of `SendMessages`: a message number, or an error below zero; 0
/// for a message that was not tried.
pub(crate) fn number_or_result(sent: &Result<u64, SendError>) -> i64 {
    match sent {
        Ok(number) => i64::try_from(*number).unwrap_or(i64::MAX),
        Err(error) => -i64::from(error.to_result_code()),
    }
}

pub(crate) const fn state(state: ConnectionState) -> ESteamNetworkingConnectionState {
    match state {
        ConnectionState::None => 0,
        ConnectionState::Connecting => 1,
        ConnectionState::FindingRoute => 2,
        ConnectionState::Connected => 3,
        ConnectionState::ClosedByPeer => 4,
        ConnectionState::ProblemDetectedLocally => 5,
    }
}
