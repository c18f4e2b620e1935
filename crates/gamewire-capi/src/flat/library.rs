//! Init and Kill, where the interfaces are, and the settings of the library as a whole.

use std::ffi::{c_char, c_int, c_void};

use crate::{
    boundary::guard,
    debug_output::{self, PreFormatHandler},
    identity, instance,
    memory::{self, AllocateFn, FreeFn},
    options::put_error,
    types::{SteamNetworkingErrMsg, SteamNetworkingIdentity, SteamNetworkingMicroseconds},
    vtables::{ISteamNetworkingMessages, ISteamNetworkingSockets, ISteamNetworkingUtils},
};

/// Starts the library with an identity (null: localhost). False, with a message, if it cannot start.
///
/// # Safety
/// Null or an identity; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn GameNetworkingSockets_Init(
    pIdentity: *const SteamNetworkingIdentity,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let identity = unsafe { identity::read(pIdentity) };
        let started = instance::init(identity);
        if let Err(error) = &started {
            // SAFETY: the caller's promise.
            unsafe { put_error(errMsg, error) };
        }
        started.is_ok()
    })
}

/// Closes everything and ends the library.
#[unsafe(no_mangle)]
pub extern "C" fn GameNetworkingSockets_Kill() {
    guard((), instance::kill);
}

/// The user's interface; null before Init and after Kill.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingSockets_LibV12() -> *mut ISteamNetworkingSockets {
    guard(std::ptr::null_mut(), || match instance::USER.running() {
        Some(_) => instance::USER.pointer(),
        None => std::ptr::null_mut(),
    })
}

/// The game server's interface, an instance of its own; null before Init and after Kill.
#[unsafe(no_mangle)]
pub extern "C" fn SteamGameServerNetworkingSockets_LibV12() -> *mut ISteamNetworkingSockets {
    guard(std::ptr::null_mut(), || match instance::game_server() {
        Some(interface) => interface.pointer(),
        None => std::ptr::null_mut(),
    })
}

/// As `SteamNetworkingSockets_LibV12`.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_SteamNetworkingSockets_v009() -> *mut ISteamNetworkingSockets {
    SteamNetworkingSockets_LibV12()
}

/// The utilities, there at all times.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingUtils_LibV4() -> *mut ISteamNetworkingUtils {
    (&raw const instance::UTILITIES).cast_mut()
}

/// As `SteamNetworkingUtils_LibV4`.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_SteamNetworkingUtils_v003() -> *mut ISteamNetworkingUtils {
    SteamNetworkingUtils_LibV4()
}

/// Messages by identity; null before Init and after Kill.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingMessages_LibV2() -> *mut ISteamNetworkingMessages {
    guard(std::ptr::null_mut(), || match instance::USER.running() {
        Some(_) => (&raw const instance::USER.messages).cast_mut(),
        None => std::ptr::null_mut(),
    })
}

/// Messages by the game server's identity; null before Init and after Kill.
#[unsafe(no_mangle)]
pub extern "C" fn SteamGameServerNetworkingMessages_LibV2() -> *mut ISteamNetworkingMessages {
    guard(std::ptr::null_mut(), || match instance::game_server() {
        Some(interface) => (&raw const interface.messages).cast_mut(),
        None => std::ptr::null_mut(),
    })
}

/// As `SteamNetworkingMessages_LibV2`.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_SteamNetworkingMessages_v002() -> *mut ISteamNetworkingMessages {
    SteamNetworkingMessages_LibV2()
}

/// Has the buffers of messages come from the application's functions. To be called before anything
/// else; `pfn_realloc` is not needed.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingSockets_SetCustomMemoryAllocator(
    pfn_malloc: Option<AllocateFn>,
    pfn_free: Option<FreeFn>,
    _pfn_realloc: Option<unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void>,
) {
    guard((), || memory::set_functions(pfn_malloc, pfn_free));
}

/// There is no global lock to wait for: accepted, and without effect.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingSockets_SetLockWaitWarningThreshold(
    _usecThreshold: SteamNetworkingMicroseconds,
) {
}

/// Called with the tags of a lock and a time.
type LockCallback = Option<extern "C" fn(*const c_char, SteamNetworkingMicroseconds)>;

/// There is no global lock to be acquired: accepted, and never called.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingSockets_SetLockAcquiredCallback(_callback: LockCallback) {}

/// There is no global lock to be held: accepted, and never called.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingSockets_SetLockHeldCallback(_callback: LockCallback) {}

/// Sets what each service thread calls first. Null: nothing.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingSockets_SetServiceThreadInitCallback(
    callback: Option<extern "C" fn()>,
) {
    guard((), || instance::set_thread_function(callback));
}

/// With true the application does the service thread's work, in `SteamNetworkingSockets_Poll`.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingSockets_SetManualPollMode(bFlag: bool) {
    guard((), || instance::set_manual_poll(bFlag));
}

/// Does the service thread's work, waiting for more at most that many milliseconds. Does nothing
/// outside of manual poll mode.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingSockets_Poll(msMaxWaitTime: c_int) {
    guard((), || instance::poll(msMaxWaitTime));
}

/// Sets a function that takes lines before they are put together. Null goes back to the default.
#[unsafe(no_mangle)]
pub extern "C" fn SteamNetworkingSockets_SetPreFormatDebugOutputHandler(
    pfnFunc: Option<PreFormatHandler>,
) {
    guard((), || debug_output::set_pre_format(pfnFunc));
}

/// What happens to a line by default: it is put together and goes to the debug output function.
///
/// # Safety
/// Text with a NUL; with `bFmt`, one that the arguments (`va_list`) fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamNetworkingSockets_DefaultPreFormatDebugOutputHandler(
    eType: c_int,
    bFmt: bool,
    _pstrFile: *const c_char,
    _nLine: c_int,
    pMsg: *const c_char,
    ap: *mut c_void,
) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { debug_output::default_pre_format(eType, bFmt, pMsg, ap) });
}
