//! ISteamNetworkingFakeUDPPort: its methods, for the ports that fake addresses will bring. Until
//! then nobody can have such an object, and each call answers as for one that was destroyed.

use std::ffi::{c_int, c_void};

use crate::{
    results::result,
    types::{EResult, SteamNetworkingIPAddr, SteamNetworkingMessage_t},
    vtables::ISteamNetworkingFakeUDPPort,
};

/// Destroys the port.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingFakeUDPPort_DestroyFakeUDPPort(
    _self: *mut ISteamNetworkingFakeUDPPort,
) {
}

/// Sends a datagram to a fake address.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingFakeUDPPort_SendMessageToFakeIP(
    _self: *mut ISteamNetworkingFakeUDPPort,
    _remoteAddress: *const SteamNetworkingIPAddr,
    _pData: *const c_void,
    _cbData: u32,
    _nSendFlags: c_int,
) -> EResult {
    result::INVALID_PARAM
}

/// Takes datagrams. −1: no such port.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingFakeUDPPort_ReceiveMessages(
    _self: *mut ISteamNetworkingFakeUDPPort,
    _ppOutMessages: *mut *mut SteamNetworkingMessage_t,
    _nMaxMessages: c_int,
) -> c_int {
    -1
}

/// Says that a peer will not be needed any more.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingFakeUDPPort_ScheduleCleanup(
    _self: *mut ISteamNetworkingFakeUDPPort,
    _remoteAddress: *const SteamNetworkingIPAddr,
) {
}
