//! SteamNetworkingIdentity.

use std::ffi::{c_char, c_int, c_void};

use gamewire::Address;

use crate::{
    boundary::{self, guard, put},
    flat::text,
    identity::{GENERIC_BYTES, GENERIC_STRING_BYTES, XBOX_PAIRWISE_ID_BYTES, kind},
    types::{SteamNetworkingIPAddr, SteamNetworkingIdentity},
};

/// The identity behind a pointer, if it is of a kind.
///
/// # Safety
/// Null, or an identity that lives as long as the reference.
unsafe fn of_kind<'a>(
    this: *const SteamNetworkingIdentity,
    kind: c_int,
) -> Option<&'a SteamNetworkingIdentity> {
    // SAFETY: the caller's promise; the struct needs no alignment.
    unsafe { this.as_ref() }.filter(|identity| identity.m_eType == kind)
}

/// Sets text with its NUL; false if it does not fit `room` bytes.
///
/// # Safety
/// Null or room for an identity; null or text with a NUL.
unsafe fn set_text(
    this: *mut SteamNetworkingIdentity,
    kind: c_int,
    text: *const c_char,
    room: usize,
) -> bool {
    if text.is_null() || this.is_null() {
        return false;
    }
    // SAFETY: the caller's promise, throughout.
    unsafe {
        let length = libc::strnlen(text, room);
        if length >= room {
            return false;
        }
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), length + 1);
        put(this, SteamNetworkingIdentity::with_bytes(kind, bytes));
    }
    true
}

/// Makes it nobody.
///
/// # Safety
/// Null, or room for an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_Clear(
    self_: *mut SteamNetworkingIdentity,
) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { put(self_, SteamNetworkingIdentity::CLEAR) });
}

/// Whether it is nobody.
///
/// # Safety
/// Null, or an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_IsInvalid(
    self_: *mut SteamNetworkingIdentity,
) -> bool {
    // SAFETY: the caller's promise.
    guard(true, || unsafe { self_.as_ref() }.is_none_or(|this| this.m_eType == kind::INVALID))
}

/// Sets a SteamID.
///
/// # Safety
/// Null, or room for an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_SetSteamID(
    self_: *mut SteamNetworkingIdentity,
    steamID: u64,
) {
    // SAFETY: the caller's promise.
    unsafe { SteamAPI_SteamNetworkingIdentity_SetSteamID64(self_, steamID) };
}

/// The SteamID; 0 if it is none.
///
/// # Safety
/// Null, or an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_GetSteamID(
    self_: *mut SteamNetworkingIdentity,
) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { SteamAPI_SteamNetworkingIdentity_GetSteamID64(self_) }
}

/// Sets a SteamID by its number.
///
/// # Safety
/// Null, or room for an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_SetSteamID64(
    self_: *mut SteamNetworkingIdentity,
    steamID: u64,
) {
    let bytes = steamID.to_ne_bytes();
    guard((), || {
        let identity = SteamNetworkingIdentity::with_bytes(kind::STEAM_ID, &bytes);
        // SAFETY: the caller's promise.
        unsafe { put(self_, identity) };
    });
}

/// The number of the SteamID; 0 if it is none.
///
/// # Safety
/// Null, or an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_GetSteamID64(
    self_: *mut SteamNetworkingIdentity,
) -> u64 {
    guard(0, || {
        // SAFETY: the caller's promise.
        let identity = unsafe { of_kind(self_, kind::STEAM_ID) };
        identity.map_or(0, SteamNetworkingIdentity::number)
    })
}

/// Sets an Xbox pairwise id. False: it is empty or too long.
///
/// # Safety
/// Null or room for an identity; null or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_SetXboxPairwiseID(
    self_: *mut SteamNetworkingIdentity,
    pszString: *const c_char,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        unsafe {
            let is_empty = !pszString.is_null() && *pszString == 0;
            !is_empty && set_text(self_, kind::XBOX_PAIRWISE_ID, pszString, XBOX_PAIRWISE_ID_BYTES)
        }
    })
}

/// The Xbox pairwise id; null if it is none.
///
/// # Safety
/// Null, or an identity that lives as long as the text is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_GetXboxPairwiseID(
    self_: *mut SteamNetworkingIdentity,
) -> *const c_char {
    guard(std::ptr::null(), || {
        // SAFETY: the caller's promise.
        let identity = unsafe { of_kind(self_, kind::XBOX_PAIRWISE_ID) };
        identity.map_or(std::ptr::null(), |identity| identity.m_data.as_ptr().cast())
    })
}

/// Sets an address.
///
/// # Safety
/// Null or room for an identity; null or an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_SetIPAddr(
    self_: *mut SteamNetworkingIdentity,
    addr: *const SteamNetworkingIPAddr,
) {
    guard((), || {
        // SAFETY: the caller's promise; the struct needs no alignment.
        unsafe {
            if let Some(address) = addr.as_ref() {
                put(self_, SteamNetworkingIdentity::from(*address));
            }
        }
    });
}

/// The address; null if it is none.
///
/// # Safety
/// Null, or an identity that lives as long as the address is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_GetIPAddr(
    self_: *mut SteamNetworkingIdentity,
) -> *const SteamNetworkingIPAddr {
    guard(std::ptr::null(), || {
        // SAFETY: the caller's promise.
        let identity = unsafe { of_kind(self_, kind::IP_ADDRESS) };
        identity.map_or(std::ptr::null(), |identity| identity.m_data.as_ptr().cast())
    })
}

/// Makes it whoever is on this machine.
///
/// # Safety
/// Null, or room for an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_SetLocalHost(
    self_: *mut SteamNetworkingIdentity,
) {
    guard((), || {
        let localhost = SteamNetworkingIPAddr::from(Address::LOCALHOST);
        // SAFETY: the caller's promise.
        unsafe { put(self_, SteamNetworkingIdentity::from(localhost)) };
    });
}

/// Whether it is whoever is on this machine.
///
/// # Safety
/// Null, or an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_IsLocalHost(
    self_: *mut SteamNetworkingIdentity,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let identity = unsafe { of_kind(self_, kind::IP_ADDRESS) };
        identity.is_some_and(|identity| Address::from(identity.address()).is_localhost())
    })
}

/// Sets text of the application's own. False: it is too long.
///
/// # Safety
/// Null or room for an identity; null or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_SetGenericString(
    self_: *mut SteamNetworkingIdentity,
    pszString: *const c_char,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        unsafe { set_text(self_, kind::GENERIC_STRING, pszString, GENERIC_STRING_BYTES) }
    })
}

/// The text; null if it is none.
///
/// # Safety
/// Null, or an identity that lives as long as the text is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_GetGenericString(
    self_: *mut SteamNetworkingIdentity,
) -> *const c_char {
    guard(std::ptr::null(), || {
        // SAFETY: the caller's promise.
        let identity = unsafe { of_kind(self_, kind::GENERIC_STRING) };
        identity.map_or(std::ptr::null(), |identity| identity.m_data.as_ptr().cast())
    })
}

/// Sets bytes of the application's own. False: they are too many.
///
/// # Safety
/// Null or room for an identity; null or that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_SetGenericBytes(
    self_: *mut SteamNetworkingIdentity,
    data: *const c_void,
    cbLen: u32,
) -> bool {
    guard(false, || {
        let Some(length) = usize::try_from(cbLen).ok().filter(|length| *length <= GENERIC_BYTES)
        else {
            return false;
        };
        if self_.is_null() || (data.is_null() && length > 0) {
            return false;
        }
        // SAFETY: the caller's promise.
        unsafe {
            let bytes = boundary::bytes(data.cast(), length);
            put(self_, SteamNetworkingIdentity::with_bytes(kind::GENERIC_BYTES, bytes));
        }
        true
    })
}

/// The bytes, and how many; null if it is none.
///
/// # Safety
/// Null or an identity that lives as long as the bytes are used; null or room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_GetGenericBytes(
    self_: *mut SteamNetworkingIdentity,
    cbLen: *mut c_int,
) -> *const u8 {
    guard(std::ptr::null(), || {
        // SAFETY: the caller's promise, throughout.
        unsafe {
            let Some(identity) = of_kind(self_, kind::GENERIC_BYTES) else {
                return std::ptr::null();
            };
            put(cbLen, identity.m_cbSize);
            identity.m_data.as_ptr()
        }
    })
}

/// Whether two identities are equal: of one kind, with the same bytes.
///
/// # Safety
/// Null, or identities.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_IsEqualTo(
    self_: *mut SteamNetworkingIdentity,
    x: *const SteamNetworkingIdentity,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let (Some(a), Some(b)) = (unsafe { (self_.as_ref(), x.as_ref()) }) else { return false };
        let (kinds, sizes) = ((a.m_eType, b.m_eType), (a.m_cbSize, b.m_cbSize));
        kinds.0 == kinds.1 && sizes.0 == sizes.1 && a.counted(128) == b.counted(128)
    })
}

/// The identity as text, cut to the room.
///
/// # Safety
/// Null or an identity; null or room for that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_ToString(
    self_: *const SteamNetworkingIdentity,
    buf: *mut c_char,
    cbBuf: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { text::SteamNetworkingIdentity_ToString(self_, buf, cbBuf) };
}

/// An identity from text. False: it is none.
///
/// # Safety
/// Null or room for that many bytes; null or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIdentity_ParseString(
    self_: *mut SteamNetworkingIdentity,
    sizeofIdentity: usize,
    pszStr: *const c_char,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { text::SteamNetworkingIdentity_ParseString(self_, sizeofIdentity, pszStr) }
}
