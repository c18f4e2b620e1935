//! ISteamNetworkingSockets: messages, lanes, poll groups, callbacks.

use std::ffi::{c_int, c_void};

use gamewire::{LaneConfig, PollGroupHandle, SendError, SendFlags, Sockets};

use crate::{
    boundary::{self, guard, put},
    callbacks, instance, message,
    results::{self, number_or_result, result},
    types::{EResult, HSteamNetConnection, HSteamNetPollGroup, SteamNetworkingMessage_t},
    vtables::ISteamNetworkingSockets,
};

/// Most messages that one call takes or gives; more are left for the next.
pub(crate) const MAX_MESSAGES: usize = 1 << 16;

/// Sends a copy of some bytes.
///
/// # Safety
/// That many bytes; null or room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_SendMessageToConnection(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
    pData: *const c_void,
    cbData: u32,
    nSendFlags: c_int,
    pOutMessageNumber: *mut i64,
) -> EResult {
    guard(result::FAIL, || {
        // SAFETY: the caller's promise.
        let content = unsafe { message::content(pData, cbData) };
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return result::INVALID_PARAM;
        };
        let flags = SendFlags::from_bits(nSendFlags.cast_unsigned());
        let sent = content.map(|content| sockets.send_message(connection, content, flags));
        let (number, result) = match sent {
            Some(Ok(number)) => (i64::try_from(number).unwrap_or(i64::MAX), result::OK),
            // Without a connection there is nothing to number.
            Some(Err(SendError::NoSuchConnection(_))) => return result::INVALID_PARAM,
            Some(Err(error)) => (-1, error.to_result_code()),
            None if sockets.state(connection).is_none() => return result::INVALID_PARAM,
            None => (-1, result::INVALID_PARAM),
        };
        // SAFETY: the caller's promise.
        unsafe { put(pOutMessageNumber, number) };
        result
    })
}

/// Sends messages without copying them. With `bDeleteFailedMessages` all of them are the library's;
/// without, those that could not be sent stay the caller's, and the pointers to the others become
/// null.
///
/// # Safety
/// Messages of `AllocateMessage`, each once; null or room for as many results.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_SendMessages(
    self_: *mut ISteamNetworkingSockets,
    nMessages: c_int,
    pMessages: *mut *mut SteamNetworkingMessage_t,
    pOutMessageNumberOrResult: *mut i64,
    bDeleteFailedMessages: bool,
) {
    guard((), || {
        // SAFETY: the caller's promise.
        let given = unsafe { boundary::array(pMessages.cast_const(), nMessages) }.to_vec();
        let sockets = instance::sockets(self_);
        // SAFETY: the caller's promise.
        let mut sent = unsafe { send_all(sockets.as_deref(), &given) }.into_iter().peekable();
        for (index, message) in given.into_iter().enumerate() {
            let outcome = sent.next_if(|(of, _)| *of == index).map(|(_, outcome)| outcome);
            let number =
                outcome.as_ref().map_or(-i64::from(result::INVALID_PARAM), number_or_result);
            // SAFETY: the caller's promise; what was not sent is whole.
            unsafe {
                if !pOutMessageNumberOrResult.is_null() {
                    put(pOutMessageNumberOrResult.add(index), number);
                }
                settle(message, outcome, bDeleteFailedMessages);
                if !bDeleteFailedMessages && number > 0 {
                    put(pMessages.add(index), std::ptr::null_mut());
                }
            }
        }
    });
}

/// Sends what makes sense; tells for each what became of it, by its place.
///
/// # Safety
/// Null, or messages of this library.
unsafe fn send_all(
    sockets: Option<&Sockets>,
    messages: &[*mut SteamNetworkingMessage_t],
) -> Vec<(usize, Result<u64, SendError>)> {
    let Some(sockets) = sockets else { return Vec::new() };
    let mut places = Vec::with_capacity(messages.len());
    let mut outgoing = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        // SAFETY: the caller's promise.
        if let Some(message) = unsafe { message::outgoing(*message) } {
            places.push(index);
            outgoing.push(message);
        }
    }
    places.into_iter().zip(sockets.send_messages(outgoing)).collect()
}

/// Frees a message that was not sent, or leaves it to the caller.
///
/// # Safety
/// As for [`message::keep`] and [`message::release_any`].
unsafe fn settle(
    message: *mut SteamNetworkingMessage_t,
    outcome: Option<Result<u64, SendError>>,
    delete: bool,
) {
    match outcome {
        Some(Ok(_)) => {}
        // The message is freed with the owner of its bytes.
        Some(Err(error)) if delete => drop(error),
        // SAFETY: the caller's promise.
        Some(Err(error)) => unsafe { message::keep(message, error.into_message()) },
        // SAFETY: the caller's promise.
        None if delete => unsafe { message::release_any(message) },
        None => {}
    }
}

/// Ends the Nagle wait of what is queued.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_FlushMessagesOnConnection(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
) -> EResult {
    guard(result::FAIL, || {
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return result::INVALID_PARAM;
        };
        match sockets.flush_messages(connection) {
            Ok(()) => result::OK,
            Err(error) => results::of_flush(error),
        }
    })
}

/// Takes messages of a connection. −1: no such connection.
///
/// # Safety
/// Room for that many pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnConnection(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
    ppOutMessages: *mut *mut SteamNetworkingMessage_t,
    nMaxMessages: c_int,
) -> c_int {
    guard(-1, || {
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return -1;
        };
        let max = message::room(ppOutMessages, nMaxMessages).min(MAX_MESSAGES);
        match sockets.receive_messages(connection, max) {
            // SAFETY: the caller's promise; no more than `max` came.
            Some(messages) => unsafe { message::hand_over(messages, ppOutMessages) },
            None => -1,
        }
    })
}

/// A new poll group.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_CreatePollGroup(
    self_: *mut ISteamNetworkingSockets,
) -> HSteamNetPollGroup {
    guard(0, || {
        let group = instance::sockets(self_).and_then(|sockets| sockets.create_poll_group());
        group.map_or(0, PollGroupHandle::to_raw)
    })
}

/// Dissolves a poll group. False: no such group.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_DestroyPollGroup(
    self_: *mut ISteamNetworkingSockets,
    hPollGroup: HSteamNetPollGroup,
) -> bool {
    guard(false, || {
        let Some((sockets, group)) = instance::poll_group(self_, hPollGroup) else {
            return false;
        };
        sockets.destroy_poll_group(group)
    })
}

/// Puts a connection into a poll group; 0 takes it out. False: no such connection or group.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_SetConnectionPollGroup(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
    hPollGroup: HSteamNetPollGroup,
) -> bool {
    guard(false, || {
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return false;
        };
        sockets.set_connection_poll_group(connection, PollGroupHandle::from_raw(hPollGroup))
    })
}

/// Takes messages of a poll group. −1: no such group.
///
/// # Safety
/// Room for that many pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnPollGroup(
    self_: *mut ISteamNetworkingSockets,
    hPollGroup: HSteamNetPollGroup,
    ppOutMessages: *mut *mut SteamNetworkingMessage_t,
    nMaxMessages: c_int,
) -> c_int {
    guard(-1, || {
        let Some((sockets, group)) = instance::poll_group(self_, hPollGroup) else {
            return -1;
        };
        let max = message::room(ppOutMessages, nMaxMessages).min(MAX_MESSAGES);
        match sockets.receive_messages_on_poll_group(group, max) {
            // SAFETY: the caller's promise; no more than `max` came.
            Some(messages) => unsafe { message::hand_over(messages, ppOutMessages) },
            None => -1,
        }
    })
}

/// Configures lanes; null priorities or weights: all equal.
///
/// # Safety
/// Null, or as many numbers as lanes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_ConfigureConnectionLanes(
    self_: *mut ISteamNetworkingSockets,
    hConn: HSteamNetConnection,
    nNumLanes: c_int,
    pLanePriorities: *const c_int,
    pLaneWeights: *const u16,
) -> EResult {
    guard(result::FAIL, || {
        let Some((sockets, connection)) = instance::connection(self_, hConn) else {
            return result::NO_CONNECTION;
        };
        if sockets.state(connection).is_none() {
            return result::NO_CONNECTION;
        }
        let Some(count) = usize::try_from(nNumLanes).ok().filter(|count| *count <= 255) else {
            return result::INVALID_PARAM;
        };
        let mut lanes = vec![LaneConfig::default(); count];
        // SAFETY: the caller's promise.
        let (priorities, weights) = unsafe {
            (boundary::array(pLanePriorities, nNumLanes), boundary::array(pLaneWeights, nNumLanes))
        };
        lanes.iter_mut().zip(priorities).for_each(|(lane, priority)| lane.priority = *priority);
        lanes.iter_mut().zip(weights).for_each(|(lane, weight)| lane.weight = *weight);
        match sockets.configure_connection_lanes(connection, &lanes) {
            Ok(()) => result::OK,
            Err(error) => results::of_lanes(error),
        }
    })
}

/// Calls the application's callbacks for everything that happened.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_RunCallbacks(
    self_: *mut ISteamNetworkingSockets,
) {
    guard((), || {
        if let Some(sockets) = instance::sockets(self_) {
            callbacks::run(&sockets);
        }
    });
}
