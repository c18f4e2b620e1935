//! ISteamNetworkingSockets: listening, connecting, accepting, closing, pairs.

use std::{
    borrow::Cow,
    ffi::{c_char, c_int},
    net::SocketAddr,
};

use gamewire::Address;

use crate::{
    boundary::{guard, put, text},
    identity, instance, options,
    results::{self, result},
    types::{
        EResult, HSteamListenSocket, HSteamNetConnection, SteamNetworkingConfigValue_t,
        SteamNetworkingIPAddr, SteamNetworkingIdentity,
    },
    vtables::ISteamNetworkingSockets,
};

/// What the peer is told when the application says nothing.
const DEFAULT_CLOSE_TEXT: &str = "Application closed connection";

/// The address behind a reference.
///
/// # Safety
/// Null, or an address.
unsafe fn address(pointer: *const SteamNetworkingIPAddr) -> Option<SocketAddr> {
    // SAFETY: the caller's promise; the struct needs no alignment.
    let address = unsafe { pointer.as_ref() }?;
    Some(Address::from(*address).to_socket_addr())
}

/// Listens on an address. 0 if that cannot be.
///
/// # Safety
/// An address, and as many options as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(
    self_: *mut ISteamNetworkingSockets,
    localAddress: *const SteamNetworkingIPAddr,
    nOptions: c_int,
    pOptions: *const SteamNetworkingConfigValue_t,
) -> HSteamListenSocket {
    guard(0, || {
        // SAFETY: the caller's promise.
        let (address, options) =
            unsafe { (address(localAddress), options::read(nOptions, pOptions)) };
        let (Some(sockets), Some(address), Some(options)) =
            (instance::sockets(self_), address, options)
        else {
            return 0;
        };
        match sockets.create_listen_socket_ip(address, &options) {
            Ok(socket) => socket.to_raw(),
            Err(error) => {
                tracing::error!(%address, %error, "cannot listen");
                0
            }
        }
    })
}

/// Connects to an address. 0 if that cannot be.
///
/// # Safety
/// An address, and as many options as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress(
    self_: *mut ISteamNetworkingSockets,
    remoteAddress: *const SteamNetworkingIPAddr,
    nOptions: c_int,
    pOptions: *const SteamNetworkingConfigValue_t,
) -> HSteamNetConnection {
    guard(0, || {
        // SAFETY: the caller's promise.
        let (address, options) =
            unsafe { (address(remoteAddress), options::read(nOptions, pOptions)) };
        let (Some(sockets), Some(address), Some(options)) =
            (instance::sockets(self_), address, options)
        else {
            return 0;
        };
        match sockets.connect_by_ip_address(address, &options) {
            Ok(connection) => connection.to_raw(),
            Err(error) => {
                tracing::error!(%address, %error, "cannot connect");
                0
            }
        }
    })
}

/// Accepts a connection that came in.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_AcceptConnection(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
) -> EResult {
    guard(result::FAIL, || {
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return result::INVALID_PARAM;
        };
        match sockets.accept_connection(connection) {
            Ok(()) => result::OK,
            Err(error) => results::of_accept(&error),
        }
    })
}

/// Ends a connection; its handle is dead from now on. False: no such connection.
///
/// # Safety
/// Null or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_CloseConnection(
    self_: *mut ISteamNetworkingSockets,
    hPeer: HSteamNetConnection,
    nReason: c_int,
    pszDebug: *const c_char,
    bEnableLinger: bool,
) -> bool {
    guard(false, || {
        let Some((sockets, connection)) = instance::connection(self_, hPeer) else {
            return false;
        };
        // SAFETY: the caller's promise.
        let debug = unsafe { text(pszDebug) }.filter(|text| !text.is_empty());
        let debug = debug.unwrap_or(Cow::Borrowed(DEFAULT_CLOSE_TEXT));
        sockets.close_connection(connection, nReason, &debug, bEnableLinger)
    })
}

/// Ends a listen socket and what came in through it. False: no such socket.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_CloseListenSocket(
    self_: *mut ISteamNetworkingSockets,
    hSocket: HSteamListenSocket,
) -> bool {
    guard(false, || {
        let Some((sockets, socket)) = instance::listen_socket(self_, hSocket) else {
            return false;
        };
        sockets.close_listen_socket(socket)
    })
}

/// The address that a listen socket is bound to. False: no such socket.
///
/// # Safety
/// Null, or room for an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetListenSocketAddress(
    self_: *mut ISteamNetworkingSockets,
    hSocket: HSteamListenSocket,
    pAddress: *mut SteamNetworkingIPAddr,
) -> bool {
    guard(false, || {
        let Some((sockets, socket)) = instance::listen_socket(self_, hSocket) else {
            return false;
        };
        let Some(address) = sockets.listen_socket_address(socket) else { return false };
        // SAFETY: the caller's promise.
        unsafe { put(pAddress, SteamNetworkingIPAddr::from(address)) };
        true
    })
}

/// Makes two connections that are connected to each other. The identities are what the first and
/// the second connection see at the other end; null: localhost.
///
/// # Safety
/// Room for two handles; null or identities.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_CreateSocketPair(
    self_: *mut ISteamNetworkingSockets,
    pOutConnection1: *mut HSteamNetConnection,
    pOutConnection2: *mut HSteamNetConnection,
    bUseNetworkLoopback: bool,
    pIdentity1: *const SteamNetworkingIdentity,
    pIdentity2: *const SteamNetworkingIdentity,
) -> bool {
    guard(false, || {
        let Some(sockets) = instance::sockets(self_) else { return false };
        if pOutConnection1.is_null() || pOutConnection2.is_null() {
            return false;
        }
        // SAFETY: the caller's promise.
        let peers = unsafe { [identity::read(pIdentity1), identity::read(pIdentity2)] };
        let peers = peers.map(|peer| peer.filter(|identity| !identity.is_invalid()));
        match sockets.create_socket_pair(bUseNetworkLoopback, peers) {
            Ok([first, second]) => {
                // SAFETY: the caller's promise.
                unsafe {
                    put(pOutConnection1, first.to_raw());
                    put(pOutConnection2, second.to_raw());
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, "cannot make a pair of connections");
                false
            }
        }
    })
}
