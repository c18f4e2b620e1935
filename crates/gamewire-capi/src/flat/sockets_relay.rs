//! ISteamNetworkingSockets: tickets, hosted servers and fake addresses. There is no relay network in
//! this version; every call answers as documented for "not available".

use std::ffi::{c_int, c_void};

use crate::{
    boundary::{guard, put},
    instance,
    results::result,
    types::{
        EResult, HSteamListenSocket, HSteamNetConnection, SteamDatagramGameCoordinatorServerLogin,
        SteamDatagramHostedAddress, SteamDatagramRelayAuthTicket, SteamNetworkingConfigValue_t,
        SteamNetworkingFakeIPResult_t, SteamNetworkingIPAddr, SteamNetworkingIdentity,
        SteamNetworkingPOPID,
    },
    vtables::{ISteamNetworkingFakeUDPPort, ISteamNetworkingSockets},
};

/// Puts a ticket into the cache. False: there is no cache.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_ReceivedRelayAuthTicket(
    _self: *mut ISteamNetworkingSockets,
    _pvTicket: *const c_void,
    _cbTicket: c_int,
    _pOutParsedTicket: *mut SteamDatagramRelayAuthTicket,
) -> bool {
    false
}

/// Seconds for which a ticket for a server is good. 0: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_FindRelayAuthTicketForServer(
    _self: *mut ISteamNetworkingSockets,
    _identityGameServer: *const SteamNetworkingIdentity,
    _nRemoteVirtualPort: c_int,
    _pOutParsedTicket: *mut SteamDatagramRelayAuthTicket,
) -> c_int {
    0
}

/// Connects to a hosted server by ticket. 0: there is no ticket.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_ConnectToHostedDedicatedServer(
    _self: *mut ISteamNetworkingSockets,
    _identityTarget: *const SteamNetworkingIdentity,
    _nRemoteVirtualPort: c_int,
    _nOptions: c_int,
    _pOptions: *const SteamNetworkingConfigValue_t,
) -> HSteamNetConnection {
    0
}

/// The port that relays reach us on. 0: we are not hosted.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_GetHostedDedicatedServerPort(
    _self: *mut ISteamNetworkingSockets,
) -> u16 {
    0
}

/// The PoP that we are hosted in. 0: we are not.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_GetHostedDedicatedServerPOPID(
    _self: *mut ISteamNetworkingSockets,
) -> SteamNetworkingPOPID {
    0
}

/// Where relays reach us: nowhere, which the text in the address says.
///
/// # Safety
/// Null, or room for the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetHostedDedicatedServerAddress(
    _self: *mut ISteamNetworkingSockets,
    pRouting: *mut SteamDatagramHostedAddress,
) -> EResult {
    guard(result::FAIL, || {
        let m_data = crate::boundary::text_field("Hosted servers are not available");
        // SAFETY: the caller's promise.
        unsafe { put(pRouting, SteamDatagramHostedAddress { m_cbSize: 0, m_data }) };
        result::FAIL
    })
}

/// Listens for clients with tickets. 0: we are not hosted.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_CreateHostedDedicatedServerListenSocket(
    _self: *mut ISteamNetworkingSockets,
    _nLocalVirtualPort: c_int,
    _nOptions: c_int,
    _pOptions: *const SteamNetworkingConfigValue_t,
) -> HSteamListenSocket {
    0
}

/// Signs a login for the game coordinator: not possible, which the text in the blob says.
///
/// # Safety
/// Null or the size of the blob; null or a blob of that size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetGameCoordinatorServerLogin(
    _self: *mut ISteamNetworkingSockets,
    _pLoginInfo: *mut SteamDatagramGameCoordinatorServerLogin,
    pcbSignedBlob: *mut c_int,
    pBlob: *mut c_void,
) -> EResult {
    guard(result::FAIL, || {
        if !pcbSignedBlob.is_null() {
            // SAFETY: the caller's promise.
            unsafe {
                let size = usize::try_from(pcbSignedBlob.read_unaligned()).unwrap_or(0);
                let text = "Hosted servers are not available";
                crate::boundary::put_text(pBlob.cast(), size, text);
                put(pcbSignedBlob, 0);
            }
        }
        result::FAIL
    })
}

/// Asks for a fake address. False: there is no allocator to ask.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_BeginAsyncRequestFakeIP(
    _self: *mut ISteamNetworkingSockets,
    _nNumPorts: c_int,
) -> bool {
    false
}

/// Our fake address: none was asked for.
///
/// # Safety
/// Null, or room for the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetFakeIP(
    self_: *mut ISteamNetworkingSockets,
    _idxFirstPort: c_int,
    pInfo: *mut SteamNetworkingFakeIPResult_t,
) {
    guard((), || {
        let identity = instance::sockets(self_).and_then(|sockets| sockets.identity());
        let nothing = SteamNetworkingFakeIPResult_t {
            m_eResult: result::NO_MATCH,
            m_identity: SteamNetworkingIdentity::from(&identity.unwrap_or_default()),
            m_unIP: 0,
            m_unPorts: [0; 8],
        };
        // SAFETY: the caller's promise.
        unsafe { put(pInfo, nothing) };
    });
}

/// Listens on a fake port. 0: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_CreateListenSocketP2PFakeIP(
    _self: *mut ISteamNetworkingSockets,
    _idxFakePort: c_int,
    _nOptions: c_int,
    _pOptions: *const SteamNetworkingConfigValue_t,
) -> HSteamListenSocket {
    0
}

/// The fake address of a peer: no peer has one.
///
/// # Safety
/// Null, or room for an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetRemoteFakeIPForConnection(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
    pOutAddr: *mut SteamNetworkingIPAddr,
) -> EResult {
    guard(result::FAIL, || {
        // SAFETY: the caller's promise.
        unsafe { put(pOutAddr, SteamNetworkingIPAddr::CLEAR) };
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return result::INVALID_PARAM;
        };
        match sockets.state(connection) {
            Some(_) => result::IP_NOT_FOUND,
            None => result::INVALID_PARAM,
        }
    })
}

/// A port for datagrams to fake addresses. Null: there are none.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_CreateFakeUDPPort(
    _self: *mut ISteamNetworkingSockets,
    _idxFakeServerPort: c_int,
) -> *mut ISteamNetworkingFakeUDPPort {
    tracing::error!("fake addresses are not available in this version");
    std::ptr::null_mut()
}
