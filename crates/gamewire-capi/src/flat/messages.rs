//! ISteamNetworkingMessages: messages by identity, over sessions that come and go by themselves.

use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use gamewire::{Identity, SendFlags, Sockets, UserSendError};

use crate::{
    boundary::{guard, is_usable},
    flat::sockets_messages::MAX_MESSAGES,
    identity, instance, message, results,
    results::result,
    types::{
        EResult, ESteamNetworkingConnectionState, SteamNetConnectionInfo_t,
        SteamNetConnectionRealTimeStatus_t, SteamNetworkingIdentity, SteamNetworkingMessage_t,
    },
    vtables::ISteamNetworkingMessages,
};

/// The instance behind an interface, and the peer that is meant.
///
/// # Safety
/// Null, or an identity.
unsafe fn session_of(
    this: *const ISteamNetworkingMessages,
    peer: *const SteamNetworkingIdentity,
) -> Option<(Arc<Sockets>, Identity)> {
    // SAFETY: the caller's promise.
    let peer = unsafe { identity::read(peer) };
    instance::sockets_of_messages(this).zip(peer)
}

/// Sends a message to an identity.
///
/// # Safety
/// Null, or an identity; that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingMessages_SendMessageToUser(
    self_: *mut ISteamNetworkingMessages,
    identityRemote: *const SteamNetworkingIdentity,
    pubData: *const c_void,
    cubData: u32,
    nSendFlags: c_int,
    nRemoteChannel: c_int,
) -> EResult {
    guard(result::FAIL, || {
        // SAFETY: the caller's promise.
        let (peer, content) =
            unsafe { (identity::read(identityRemote), message::content(pubData, cubData)) };
        let (Some(sockets), Some(peer), Some(content)) =
            (instance::sockets_of_messages(self_), peer, content)
        else {
            return result::INVALID_PARAM;
        };
        let flags = SendFlags::from_bits(nSendFlags.cast_unsigned());
        match sockets.send_message_to_user(&peer, content, flags, nRemoteChannel) {
            Ok(()) => result::OK,
            Err(error) => of_user_send(error),
        }
    })
}

fn of_user_send(error: UserSendError) -> EResult {
    match error {
        UserSendError::Invalid => result::INVALID_PARAM,
        // What Valve's library says; its header says NoConnection.
        UserSendError::SessionBroken => result::CONNECT_FAILED,
        UserSendError::LimitExceeded => result::LIMIT_EXCEEDED,
        UserSendError::Ignored => result::IGNORED,
        UserSendError::NoSession => result::FAIL,
    }
}

/// Takes messages of a channel.
///
/// # Safety
/// Room for that many pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingMessages_ReceiveMessagesOnChannel(
    self_: *mut ISteamNetworkingMessages,
    nLocalChannel: c_int,
    ppOutMessages: *mut *mut SteamNetworkingMessage_t,
    nMaxMessages: c_int,
) -> c_int {
    guard(0, || {
        let Some(sockets) = instance::sockets_of_messages(self_) else { return 0 };
        let max = message::room(ppOutMessages, nMaxMessages).min(MAX_MESSAGES);
        let messages = sockets.receive_messages_on_channel(nLocalChannel, max);
        // SAFETY: the caller's promise; no more than `max` came.
        unsafe { message::hand_over_of_users(messages, ppOutMessages) }
    })
}

/// Accepts a session. False: nobody asked for one.
///
/// # Safety
/// Null, or an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingMessages_AcceptSessionWithUser(
    self_: *mut ISteamNetworkingMessages,
    identityRemote: *const SteamNetworkingIdentity,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let asked = unsafe { session_of(self_, identityRemote) };
        asked.is_some_and(|(sockets, peer)| sockets.accept_session_with_user(&peer))
    })
}

/// Ends a session. False: there is none.
///
/// # Safety
/// Null, or an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingMessages_CloseSessionWithUser(
    self_: *mut ISteamNetworkingMessages,
    identityRemote: *const SteamNetworkingIdentity,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let asked = unsafe { session_of(self_, identityRemote) };
        asked.is_some_and(|(sockets, peer)| sockets.close_session_with_user(&peer))
    })
}

/// Ends a channel of a session; the last one ends the session. False: there is none.
///
/// # Safety
/// Null, or an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingMessages_CloseChannelWithUser(
    self_: *mut ISteamNetworkingMessages,
    identityRemote: *const SteamNetworkingIdentity,
    nLocalChannel: c_int,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let asked = unsafe { session_of(self_, identityRemote) };
        asked.is_some_and(|(sockets, peer)| sockets.close_channel_with_user(&peer, nLocalChannel))
    })
}

/// How a session stands, also for a while after it failed; 0 if there is none. What is not known is
/// zeroed.
///
/// # Safety
/// Null or an identity; null or room for the structs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingMessages_GetSessionConnectionInfo(
    self_: *mut ISteamNetworkingMessages,
    identityRemote: *const SteamNetworkingIdentity,
    pConnectionInfo: *mut SteamNetConnectionInfo_t,
    pQuickStatus: *mut SteamNetConnectionRealTimeStatus_t,
) -> ESteamNetworkingConnectionState {
    guard(0, || {
        // SAFETY: the caller's promise; zeros are a value of both structs.
        let asked = unsafe {
            if is_usable(pConnectionInfo) {
                pConnectionInfo.cast::<u8>().write_bytes(0, size_of::<SteamNetConnectionInfo_t>());
            }
            if is_usable(pQuickStatus) {
                let size = size_of::<SteamNetConnectionRealTimeStatus_t>();
                pQuickStatus.cast::<u8>().write_bytes(0, size);
            }
            session_of(self_, identityRemote)
        };
        let found = asked.and_then(|(sockets, peer)| sockets.session_connection_info(&peer));
        let Some((info, status)) = found else { return 0 };
        // SAFETY: the caller's promise.
        unsafe {
            if is_usable(pConnectionInfo) {
                pConnectionInfo.write(SteamNetConnectionInfo_t::from(&info));
            }
            if let Some(status) = status.filter(|_| is_usable(pQuickStatus)) {
                pQuickStatus.write(SteamNetConnectionRealTimeStatus_t::from(&status));
            }
        }
        results::state(info.state)
    })
}
