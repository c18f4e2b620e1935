//! ISteamNetworkingSockets: what is known about a connection.

use std::{
    borrow::Cow,
    ffi::{c_char, c_int},
};

use crate::{
    boundary::{guard, put, put_text, text},
    instance,
    results::{self, result},
    types::{
        EResult, HSteamNetConnection, SteamNetConnectionInfo_t,
        SteamNetConnectionRealTimeLaneStatus_t, SteamNetConnectionRealTimeStatus_t,
    },
    vtables::ISteamNetworkingSockets,
};

/// What a too small buffer for the detailed status is told beyond the size needed: the text grows
/// until the next call.
const STATUS_PADDING: usize = 1024;

/// Ties a number to a connection. False: no such connection.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_SetConnectionUserData(
    self_: *mut ISteamNetworkingSockets,
    hPeer: HSteamNetConnection,
    nUserData: i64,
) -> bool {
    guard(false, || {
        let Some((sockets, connection)) = instance::connection(self_, hPeer) else {
            return false;
        };
        sockets.set_connection_user_data(connection, nUserData)
    })
}

/// The number tied to a connection; −1 if there is none, or no such connection.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_GetConnectionUserData(
    self_: *mut ISteamNetworkingSockets,
    hPeer: HSteamNetConnection,
) -> i64 {
    guard(-1, || {
        let Some((sockets, connection)) = instance::connection(self_, hPeer) else {
            return -1;
        };
        sockets.connection_user_data(connection).unwrap_or(-1)
    })
}

/// Names a connection for people.
///
/// # Safety
/// Null or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_SetConnectionName(
    self_: *mut ISteamNetworkingSockets,
    hPeer: HSteamNetConnection,
    pszName: *const c_char,
) {
    guard((), || {
        if let Some((sockets, connection)) = instance::connection(self_, hPeer) {
            // SAFETY: the caller's promise.
            let name = unsafe { text(pszName) }.unwrap_or(Cow::Borrowed(""));
            sockets.set_connection_name(connection, &name);
        }
    });
}

/// Copies a connection's name, cut to the room. False: no such connection.
///
/// # Safety
/// Null, or room for that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetConnectionName(
    self_: *mut ISteamNetworkingSockets,
    hPeer: HSteamNetConnection,
    pszName: *mut c_char,
    nMaxLen: c_int,
) -> bool {
    guard(false, || {
        let Some((sockets, connection)) = instance::connection(self_, hPeer) else {
            return false;
        };
        let Some(name) = sockets.connection_name(connection) else { return false };
        // SAFETY: the caller's promise.
        unsafe { put_text(pszName, usize::try_from(nMaxLen).unwrap_or(0), &name) };
        true
    })
}

/// Who is at the other end, and how the connection stands. False: no such connection.
///
/// # Safety
/// Null, or room for the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetConnectionInfo(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
    pInfo: *mut SteamNetConnectionInfo_t,
) -> bool {
    guard(false, || {
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return false;
        };
        let Some(info) = sockets.connection_info(connection) else { return false };
        // SAFETY: the caller's promise.
        unsafe { put(pInfo, SteamNetConnectionInfo_t::from(&info)) };
        true
    })
}

/// How a connection and its first lanes do at this moment.
///
/// # Safety
/// Null or room for the struct; room for that many lanes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetConnectionRealTimeStatus(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
    pStatus: *mut SteamNetConnectionRealTimeStatus_t,
    nLanes: c_int,
    pLanes: *mut SteamNetConnectionRealTimeLaneStatus_t,
) -> EResult {
    guard(result::FAIL, || {
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return result::NO_CONNECTION;
        };
        let count = match usize::try_from(nLanes) {
            Ok(count) if count == 0 || !pLanes.is_null() => count,
            _ if sockets.state(connection).is_none() => return result::NO_CONNECTION,
            _ => return result::INVALID_PARAM,
        };
        match sockets.real_time_status(connection, count) {
            Ok((status, lanes)) => {
                // SAFETY: the caller's promise; there are as many lanes as it asked for.
                unsafe {
                    put(pStatus, SteamNetConnectionRealTimeStatus_t::from(&status));
                    for (index, lane) in lanes.iter().enumerate() {
                        put(pLanes.add(index), lane.into());
                    }
                }
                result::OK
            }
            Err(error) => results::of_real_time(error),
        }
    })
}

/// The older form of `GetConnectionRealTimeStatus`. False: no such connection, or it is over.
///
/// # Safety
/// Null, or room for the struct, which has the same size in its older form.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetQuickConnectionStatus(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
    pStats: *mut SteamNetConnectionRealTimeStatus_t,
) -> bool {
    guard(false, || {
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return false;
        };
        if sockets.quick_connection_status(connection).is_none() {
            return false;
        }
        let Ok((status, _)) = sockets.real_time_status(connection, 0) else { return false };
        let mut status = SteamNetConnectionRealTimeStatus_t::from(&status);
        // The older struct has nothing there.
        status.m_usecMaxJitter = 0;
        // SAFETY: the caller's promise.
        unsafe { put(pStats, status) };
        true
    })
}

/// Everything about a connection as text. 0: written; −1: no such connection; else the size that is
/// needed.
///
/// # Safety
/// Null, or room for that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetDetailedConnectionStatus(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
    pszBuf: *mut c_char,
    cbBuf: c_int,
) -> c_int {
    guard(-1, || {
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return -1;
        };
        let Some(status) = sockets.detailed_connection_status(connection) else { return -1 };
        let status = status.to_string();
        let size = usize::try_from(cbBuf).unwrap_or(0);
        // SAFETY: the caller's promise.
        unsafe { put_text(pszBuf, size, &status) };
        if pszBuf.is_null() || size <= status.len() {
            let needed = status.len() + 1 + STATUS_PADDING;
            return c_int::try_from(needed).unwrap_or(c_int::MAX);
        }
        0
    })
}
