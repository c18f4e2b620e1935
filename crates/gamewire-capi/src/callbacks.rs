//! `RunCallbacks`: hands what happened to the functions that the application configured.

use std::{
    ffi::c_void,
    sync::{Mutex, PoisonError},
};

use gamewire::{
    AuthenticationStatus, ConfigData, ConfigId, ConnectionInfo, Event, Identity, Sockets,
    StatusChanged,
};

use crate::{
    instance::GLOBAL,
    results,
    types::{
        FnSteamNetAuthenticationStatusChanged, FnSteamNetConnectionStatusChanged,
        FnSteamNetworkingMessagesSessionFailed, FnSteamNetworkingMessagesSessionRequest,
        GamewireConnectionWritable_t, SteamNetAuthenticationStatus_t, SteamNetConnectionInfo_t,
        SteamNetConnectionStatusChangedCallback_t, SteamNetworkingIdentity,
        SteamNetworkingMessagesSessionFailed_t, SteamNetworkingMessagesSessionRequest_t,
    },
};

/// Called with a connection that has room again.
type FnWritable = Option<unsafe extern "C" fn(*mut GamewireConnectionWritable_t)>;

static WRITABLE: Mutex<FnWritable> = Mutex::new(None);

/// Sets the function for [`Event::Writable`].
pub(crate) fn set_writable_callback(function: FnWritable) {
    *WRITABLE.lock().unwrap_or_else(PoisonError::into_inner) = function;
}

/// Hands out every event that waits. The functions may call anything, this function too: no lock is
/// held.
pub(crate) fn run(sockets: &Sockets) {
    while let Some(event) = sockets.poll_event() {
        match event {
            Event::ConnectionStatusChanged(change) => status_changed(&change),
            Event::AuthenticationStatusChanged(status) => authentication_changed(&status),
            Event::Writable { connection } => {
                let function = *WRITABLE.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(function) = function {
                    let mut info = GamewireConnectionWritable_t { m_hConn: connection.to_raw() };
                    // SAFETY: the application set the function for this struct.
                    unsafe { function(&raw mut info) };
                }
            }
            Event::MessagesSessionRequest { peer } => session_requested(&peer),
            Event::MessagesSessionFailed(info) => session_failed(&info),
            other => tracing::debug!(event = ?other, "no callback for this event"),
        }
    }
}

fn status_changed(change: &StatusChanged) {
    // SAFETY: `Callback_ConnectionStatusChanged` holds a function of this type or null.
    let function = unsafe { function_at::<FnSteamNetConnectionStatusChanged>(change.callback) };
    let Some(function) = function else { return };
    let mut info = SteamNetConnectionStatusChangedCallback_t {
        m_hConn: change.connection.to_raw(),
        m_info: SteamNetConnectionInfo_t::from(&change.info),
        m_eOldState: results::state(change.old_state),
    };
    // SAFETY: the application set the function for this struct.
    unsafe { function(&raw mut info) };
}

fn authentication_changed(status: &AuthenticationStatus) {
    let address = global_pointer(ConfigId::CallbackAuthStatusChanged);
    // SAFETY: this value holds a function of this type or null.
    let function = unsafe { function_at::<FnSteamNetAuthenticationStatusChanged>(address) };
    let Some(function) = function else { return };
    let mut info = SteamNetAuthenticationStatus_t::from(status);
    // SAFETY: the application set the function for this struct.
    unsafe { function(&raw mut info) };
}

fn session_requested(peer: &Identity) {
    let address = global_pointer(ConfigId::CallbackMessagesSessionRequest);
    // SAFETY: this value holds a function of this type or null.
    let function = unsafe { function_at::<FnSteamNetworkingMessagesSessionRequest>(address) };
    let Some(function) = function else { return };
    let mut info = SteamNetworkingMessagesSessionRequest_t {
        m_identityRemote: SteamNetworkingIdentity::from(peer),
    };
    // SAFETY: the application set the function for this struct.
    unsafe { function(&raw mut info) };
}

fn session_failed(info: &ConnectionInfo) {
    let address = global_pointer(ConfigId::CallbackMessagesSessionFailed);
    // SAFETY: this value holds a function of this type or null.
    let function = unsafe { function_at::<FnSteamNetworkingMessagesSessionFailed>(address) };
    let Some(function) = function else { return };
    let mut info =
        SteamNetworkingMessagesSessionFailed_t { m_info: SteamNetConnectionInfo_t::from(info) };
    // SAFETY: the application set the function for this struct.
    unsafe { function(&raw mut info) };
}

pub(crate) fn global_pointer(id: ConfigId) -> usize {
    match GLOBAL.get(id) {
        Ok((ConfigData::Pointer(address), _)) => address,
        _ => 0,
    }
}

/// The function at an address that a configuration value holds.
///
/// # Safety
/// `F` is an `Option` of a function pointer, and the address is null or such a function.
pub(crate) unsafe fn function_at<F: Copy>(address: usize) -> F {
    const { assert!(size_of::<F>() == size_of::<*const c_void>()) };
    let pointer = std::ptr::with_exposed_provenance::<c_void>(address);
    // SAFETY: same size; the caller vouches for the rest.
    unsafe { std::mem::transmute_copy(&pointer) }
}
