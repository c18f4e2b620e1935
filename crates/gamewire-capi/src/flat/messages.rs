//! ISteamNetworkingMessages. Sessions are connections by identity, which this version does not have:
//! nothing can be sent, nobody asks for a session.

use std::ffi::{c_int, c_void};

use crate::{
    boundary::guard,
    identity, instance,
    results::result,
    types::{
        EResult, ESteamNetworkingConnectionState, SteamNetConnectionInfo_t,
        SteamNetConnectionRealTimeStatus_t, SteamNetworkingIdentity, SteamNetworkingMessage_t,
    },
    vtables::ISteamNetworkingMessages,
};

/// Sends a message to an identity.
///
/// # Safety
/// Null, or an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingMessages_SendMessageToUser(
    self_: *mut ISteamNetworkingMessages,
    identityRemote: *const SteamNetworkingIdentity,
    _pubData: *const c_void,
    _cubData: u32,
    _nSendFlags: c_int,
    _nRemoteChannel: c_int,
) -> EResult {
    guard(result::FAIL, || {
        // SAFETY: the caller's promise.
        let peer = unsafe { identity::read(identityRemote) };
        let (Some(_), Some(peer)) = (instance::sockets_of_messages(self_), peer) else {
            return result::INVALID_PARAM;
        };
        if peer.is_invalid() {
            return result::INVALID_PARAM;
        }
        tracing::error!(%peer, "messages by identity are not available in this version");
        result::FAIL
    })
}

/// Takes messages of a channel.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingMessages_ReceiveMessagesOnChannel(
    _self: *mut ISteamNetworkingMessages,
    _nLocalChannel: c_int,
    _ppOutMessages: *mut *mut SteamNetworkingMessage_t,
    _nMaxMessages: c_int,
) -> c_int {
    0
}

/// Accepts a session. False: nobody asked for one.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingMessages_AcceptSessionWithUser(
    _self: *mut ISteamNetworkingMessages,
    _identityRemote: *const SteamNetworkingIdentity,
) -> bool {
    false
}

/// Ends a session. False: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingMessages_CloseSessionWithUser(
    _self: *mut ISteamNetworkingMessages,
    _identityRemote: *const SteamNetworkingIdentity,
) -> bool {
    false
}

/// Ends a channel of a session. False: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingMessages_CloseChannelWithUser(
    _self: *mut ISteamNetworkingMessages,
    _identityRemote: *const SteamNetworkingIdentity,
    _nLocalChannel: c_int,
) -> bool {
    false
}

/// How a session stands: there is none. The structs are zeroed.
///
/// # Safety
/// Null, or room for the structs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingMessages_GetSessionConnectionInfo(
    _self: *mut ISteamNetworkingMessages,
    _identityRemote: *const SteamNetworkingIdentity,
    pConnectionInfo: *mut SteamNetConnectionInfo_t,
    pQuickStatus: *mut SteamNetConnectionRealTimeStatus_t,
) -> ESteamNetworkingConnectionState {
    guard(0, || {
        // SAFETY: the caller's promise; zeros are a value of both structs.
        unsafe {
            if !pConnectionInfo.is_null() {
                pConnectionInfo.cast::<u8>().write_bytes(0, size_of::<SteamNetConnectionInfo_t>());
            }
            if !pQuickStatus.is_null() {
                let size = size_of::<SteamNetConnectionRealTimeStatus_t>();
                pQuickStatus.cast::<u8>().write_bytes(0, size);
            }
        }
        0
    })
}
