//! Functions that Valve's library does not have: which network to belong to. To be called before
//! `GameNetworkingSockets_Init`. What they do not say, the environment says (`GAMEWIRE_ROOTS`,
//! `GAMEWIRE_APPID`, `GAMEWIRE_HUB`), so that an unchanged program can be pointed at a network.

use std::{
    ffi::{c_char, c_int, c_void},
    sync::{Mutex, MutexGuard, PoisonError},
};

use gamewire::{Availability, HubState, Options, VerifyingKey};

use crate::{
    boundary::{self, guard, text},
    callbacks,
    results::availability,
    types::{ESteamNetworkingAvailability, GamewireConnectionWritable_t, SteamNetworkingErrMsg},
};

#[derive(Default)]
struct Settings {
    app_id: Option<u32>,
    roots: Option<String>,
    hub: Option<String>,
    hub_roots: Option<String>,
    hub_ticket: Option<Vec<u8>>,
}

static SETTINGS: Mutex<Settings> = Mutex::new(Settings {
    app_id: None,
    roots: None,
    hub: None,
    hub_roots: None,
    hub_ticket: None,
});

fn settings() -> MutexGuard<'static, Settings> {
    SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What instances are made with: the environment, overruled by the functions of this module.
pub(crate) fn options() -> Result<Options, String> {
    let settings = settings();
    let mut options = Options::from_environment().map_err(|error| error.to_string())?;
    if let Some(app_id) = settings.app_id {
        options.app_id = app_id;
    }
    if let Some(roots) = &settings.roots {
        options.trust = Options::trust_from_text(roots).map_err(|error| error.to_string())?;
    }
    if let Some(hub) = &settings.hub {
        options.hub = Some(hub.clone());
    }
    if let Some(roots) = &settings.hub_roots {
        options.hub_roots = Some(roots.clone());
    }
    options.hub_ticket.clone_from(&settings.hub_ticket);
    Ok(options)
}

/// The roots of this process: those of `Gamewire_SetRoots`, or else of the environment.
pub(crate) fn roots() -> Result<Vec<VerifyingKey>, String> {
    let text = settings().roots.clone().or_else(|| std::env::var("GAMEWIRE_ROOTS").ok());
    let roots = text.map(|text| Options::roots_from_text(&text)).transpose();
    roots.map(Option::unwrap_or_default).map_err(|error| error.to_string())
}

/// The hub of this process, if one is set.
pub(crate) fn hub() -> Option<String> {
    settings().hub.clone().or_else(|| std::env::var("GAMEWIRE_HUB").ok())
}

/// The version of this library, for logs.
#[unsafe(no_mangle)]
pub extern "C" fn Gamewire_Version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Sets the application that certificates must cover.
#[unsafe(no_mangle)]
pub extern "C" fn Gamewire_SetAppID(nAppID: u32) {
    guard((), || settings().app_id = Some(nAppID));
}

/// Sets whom to trust: public keys of root authorities, as `ssh-ed25519 …` lines separated by commas
/// or line ends, or `@FILE`. Null goes back to the environment. False, with a message, if the text
/// makes no sense.
///
/// # Safety
/// Null or text with a NUL; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Gamewire_SetRoots(
    pszRoots: *const c_char,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let roots = unsafe { text(pszRoots) }.map(|text| text.into_owned());
        if let Some(roots) = &roots
            && let Err(error) = Options::trust_from_text(roots)
        {
            // SAFETY: the caller's promise.
            unsafe { crate::options::put_error(errMsg, &error.to_string()) };
            return false;
        }
        settings().roots = roots;
        true
    })
}

/// Sets the hub where peers find each other by identity, as a `wss://` URL. Null goes back to the
/// environment.
///
/// # Safety
/// Null or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Gamewire_SetHub(pszURL: *const c_char) {
    guard((), || {
        // SAFETY: the caller's promise.
        settings().hub = unsafe { text(pszURL) }.map(|text| text.into_owned());
    });
}

/// Sets which certificates the TLS certificate of the hub must come from: PEM, or `@FILE`. Null goes
/// back to the environment (`GAMEWIRE_HUB_ROOTS`), else to the system's. False, with a message, if
/// there is no certificate in it.
///
/// # Safety
/// Null or text with a NUL; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Gamewire_SetHubRoots(
    pszRoots: *const c_char,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let roots = unsafe { text(pszRoots) }.map(|text| Options::hub_roots_from_text(&text));
        match roots.transpose() {
            Ok(roots) => {
                settings().hub_roots = roots;
                true
            }
            Err(error) => {
                // SAFETY: the caller's promise.
                unsafe { crate::options::put_error(errMsg, &error.to_string()) };
                false
            }
        }
    })
}

/// Sets the ticket of the game's own backend to log in at the hub with, while there is no
/// certificate; before `GameNetworkingSockets_Init` or at any time later, when a ticket is about to
/// expire. Null: none.
///
/// # Safety
/// Null, or `cbTicket` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Gamewire_SetHubTicket(pTicket: *const c_void, cbTicket: c_int) {
    guard((), || {
        // SAFETY: the caller's promise.
        let ticket = unsafe { boundary::array(pTicket.cast::<u8>(), cbTicket) };
        let ticket = (!ticket.is_empty()).then(|| ticket.to_vec());
        settings().hub_ticket.clone_from(&ticket);
        for sockets in crate::instance::all_running() {
            sockets.set_hub_ticket(ticket.clone());
        }
    });
}

/// How the connection to the hub stands: never tried while nothing needed it, attempting, retrying
/// or current; it cannot be tried where no hub is named. The message says why the last connection,
/// or the last attempt at one, ended.
///
/// # Safety
/// Null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Gamewire_GetHubStatus(
    errMsg: *mut SteamNetworkingErrMsg,
) -> ESteamNetworkingAvailability {
    guard(availability::CANNOT_TRY, || {
        let status = crate::instance::all_running().find_map(|sockets| sockets.hub_status());
        let error = status.as_ref().and_then(|status| status.last_error.as_deref());
        // SAFETY: the caller's promise.
        unsafe { crate::options::put_error(errMsg, error.unwrap_or_default()) };
        let available = match status.map(|status| status.state) {
            None => return availability::CANNOT_TRY,
            Some(HubState::Idle) => Availability::NeverTried,
            Some(HubState::Connecting) => Availability::Attempting,
            Some(HubState::Waiting) => Availability::Retrying,
            Some(HubState::Connected) => Availability::Current,
        };
        available.to_number()
    })
}

/// Sets the function that is told, from `RunCallbacks`, when a connection that refused a message
/// with `k_EResultLimitExceeded` has room again. Null: none.
#[unsafe(no_mangle)]
pub extern "C" fn Gamewire_SetWritableCallback(
    fnCallback: Option<unsafe extern "C" fn(*mut GamewireConnectionWritable_t)>,
) {
    guard((), || callbacks::set_writable_callback(fnCallback));
}

/// How many connections the application has not closed, for tests and leak hunts.
#[unsafe(no_mangle)]
pub extern "C" fn Gamewire_ConnectionCount() -> c_int {
    guard(0, || {
        let count: usize =
            crate::instance::all_running().map(|sockets| sockets.connections().len()).sum();
        c_int::try_from(count).unwrap_or(c_int::MAX)
    })
}
