//! Addresses and identities to text and back: the functions behind the methods that Valve's headers
//! define inline, and the methods of ISteamNetworkingUtils of the same names.

use std::ffi::c_char;

use gamewire::{Address, Identity};

use crate::{
    boundary::{guard, put, put_text, text},
    flat::tools::NOT_FAKE,
    identity,
    types::{ESteamNetworkingFakeIPType, SteamNetworkingIPAddr, SteamNetworkingIdentity},
    vtables::ISteamNetworkingUtils,
};

/// The address as text, cut to the room.
///
/// # Safety
/// Null or an address; null or room for that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamNetworkingIPAddr_ToString(
    pAddr: *const SteamNetworkingIPAddr,
    buf: *mut c_char,
    cbBuf: usize,
    bWithPort: bool,
) {
    guard((), || {
        // SAFETY: the caller's promise; the struct needs no alignment.
        let Some(address) = (unsafe { pAddr.as_ref() }) else { return };
        let address = Address::from(*address);
        let written = if bWithPort {
            address.display_with_port().to_string()
        } else {
            address.display_without_port().to_string()
        };
        // SAFETY: the caller's promise.
        unsafe { put_text(buf, cbBuf, &written) };
    });
}

/// An address from text, blanks around it aside. False: it is none, and the address is cleared.
///
/// # Safety
/// Null or room for an address; null or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamNetworkingIPAddr_ParseString(
    pAddr: *mut SteamNetworkingIPAddr,
    pszStr: *const c_char,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let parsed = unsafe { text(pszStr) }.and_then(|text| text.trim().parse::<Address>().ok());
        let address = parsed.map_or(SteamNetworkingIPAddr::CLEAR, Into::into);
        // SAFETY: the caller's promise.
        unsafe { put(pAddr, address) };
        parsed.is_some() && !pAddr.is_null()
    })
}

/// What kind of fake address an address is: none is fake.
///
/// # Safety
/// Null, or an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamNetworkingIPAddr_GetFakeIPType(
    _pAddr: *const SteamNetworkingIPAddr,
) -> ESteamNetworkingFakeIPType {
    NOT_FAKE
}

/// The identity as text, cut to the room.
///
/// # Safety
/// Null or an identity; null or room for that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamNetworkingIdentity_ToString(
    pIdentity: *const SteamNetworkingIdentity,
    buf: *mut c_char,
    cbBuf: usize,
) {
    guard((), || {
        // SAFETY: the caller's promise.
        let Some(identity) = (unsafe { pIdentity.as_ref() }) else { return };
        // SAFETY: the caller's promise.
        unsafe { put_text(buf, cbBuf, &identity::to_text(identity)) };
    });
}

/// An identity from text. False: it is none, and the identity is cleared. Writes no more than
/// `sizeofIdentity` bytes, which is what the program takes the struct to have.
///
/// # Safety
/// Null or room for that many bytes; null or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamNetworkingIdentity_ParseString(
    pIdentity: *mut SteamNetworkingIdentity,
    sizeofIdentity: usize,
    pszStr: *const c_char,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let parsed = unsafe { text(pszStr) }.and_then(|text| text.parse::<Identity>().ok());
        let identity = SteamNetworkingIdentity::from(&parsed.clone().unwrap_or_default());
        let size = sizeofIdentity.min(size_of::<SteamNetworkingIdentity>());
        let needed = std::mem::offset_of!(SteamNetworkingIdentity, m_data)
            + usize::try_from(identity.m_cbSize).unwrap_or(0);
        if pIdentity.is_null() || size < needed {
            return false;
        }
        // SAFETY: the caller's promise; no more than the struct is read or written.
        unsafe {
            let bytes = (&raw const identity).cast::<u8>();
            std::ptr::copy_nonoverlapping(bytes, pIdentity.cast(), size);
        }
        parsed.is_some()
    })
}

/// As `SteamNetworkingIPAddr_ToString`.
///
/// # Safety
/// See there.
pub(crate) unsafe extern "C" fn utils_address_to_string(
    _self: *mut ISteamNetworkingUtils,
    addr: *const SteamNetworkingIPAddr,
    buf: *mut c_char,
    cbBuf: usize,
    bWithPort: bool,
) {
    // SAFETY: the caller's promise.
    unsafe { SteamNetworkingIPAddr_ToString(addr, buf, cbBuf, bWithPort) };
}

/// As `SteamNetworkingIPAddr_ParseString`.
///
/// # Safety
/// See there.
pub(crate) unsafe extern "C" fn utils_parse_address(
    _self: *mut ISteamNetworkingUtils,
    pAddr: *mut SteamNetworkingIPAddr,
    pszStr: *const c_char,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { SteamNetworkingIPAddr_ParseString(pAddr, pszStr) }
}

/// As `SteamNetworkingIPAddr_GetFakeIPType`.
///
/// # Safety
/// See there.
pub(crate) unsafe extern "C" fn utils_fake_type(
    _self: *mut ISteamNetworkingUtils,
    addr: *const SteamNetworkingIPAddr,
) -> ESteamNetworkingFakeIPType {
    // SAFETY: the caller's promise.
    unsafe { SteamNetworkingIPAddr_GetFakeIPType(addr) }
}

/// As `SteamNetworkingIdentity_ToString`.
///
/// # Safety
/// See there.
pub(crate) unsafe extern "C" fn utils_identity_to_string(
    _self: *mut ISteamNetworkingUtils,
    identity: *const SteamNetworkingIdentity,
    buf: *mut c_char,
    cbBuf: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { SteamNetworkingIdentity_ToString(identity, buf, cbBuf) };
}

/// As `SteamNetworkingIdentity_ParseString`.
///
/// # Safety
/// See there.
pub(crate) unsafe extern "C" fn utils_parse_identity(
    _self: *mut ISteamNetworkingUtils,
    pIdentity: *mut SteamNetworkingIdentity,
    pszStr: *const c_char,
) -> bool {
    let size = size_of::<SteamNetworkingIdentity>();
    // SAFETY: the caller's promise.
    unsafe { SteamNetworkingIdentity_ParseString(pIdentity, size, pszStr) }
}
