//! SteamNetworkingIPAddr.

use std::{
    ffi::c_char,
    net::{Ipv4Addr, Ipv6Addr},
};

use gamewire::Address;

use crate::{
    boundary::{guard, put},
    flat::text,
    types::SteamNetworkingIPAddr,
};

/// The address behind a pointer.
///
/// # Safety
/// Null, or an address.
unsafe fn read(this: *const SteamNetworkingIPAddr) -> Option<Address> {
    // SAFETY: the caller's promise; the struct needs no alignment.
    unsafe { this.as_ref() }.map(|address| Address::from(*address))
}

/// Sets everything to zero.
///
/// # Safety
/// Null, or room for an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_Clear(self_: *mut SteamNetworkingIPAddr) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { put(self_, SteamNetworkingIPAddr::CLEAR) });
}

/// Whether the address is `::`.
///
/// # Safety
/// Null, or an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_IsIPv6AllZeros(
    self_: *mut SteamNetworkingIPAddr,
) -> bool {
    // SAFETY: the caller's promise.
    guard(false, || unsafe { read(self_) }.is_some_and(|address| address.is_ipv6_all_zeros()))
}

/// Sets an IPv6 address and a port.
///
/// # Safety
/// Null or room for an address; null (`::`) or 16 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_SetIPv6(
    self_: *mut SteamNetworkingIPAddr,
    ipv6: *const u8,
    nPort: u16,
) {
    guard((), || {
        // SAFETY: the caller's promise.
        unsafe {
            let octets = if ipv6.is_null() { [0; 16] } else { ipv6.cast::<[u8; 16]>().read() };
            put(self_, Address::from_v6(Ipv6Addr::from(octets), nPort).into());
        }
    });
}

/// Sets an IPv4 address, in host order, and a port.
///
/// # Safety
/// Null, or room for an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_SetIPv4(
    self_: *mut SteamNetworkingIPAddr,
    nIP: u32,
    nPort: u16,
) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { put(self_, Address::from_v4(Ipv4Addr::from(nIP), nPort).into()) });
}

/// Whether the address is an IPv4 address.
///
/// # Safety
/// Null, or an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_IsIPv4(
    self_: *mut SteamNetworkingIPAddr,
) -> bool {
    // SAFETY: the caller's promise.
    guard(false, || unsafe { read(self_) }.is_some_and(|address| address.is_v4()))
}

/// The IPv4 address in host order; 0 if it is none.
///
/// # Safety
/// Null, or an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_GetIPv4(
    self_: *mut SteamNetworkingIPAddr,
) -> u32 {
    // SAFETY: the caller's promise.
    guard(0, || unsafe { read(self_) }.and_then(|address| address.v4()).map_or(0, u32::from))
}

/// Sets `::1` and a port.
///
/// # Safety
/// Null, or room for an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_SetIPv6LocalHost(
    self_: *mut SteamNetworkingIPAddr,
    nPort: u16,
) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { put(self_, Address::LOCALHOST.with_port(nPort).into()) });
}

/// Whether the address is `::1` or `127.0.0.1`.
///
/// # Safety
/// Null, or an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_IsLocalHost(
    self_: *mut SteamNetworkingIPAddr,
) -> bool {
    // SAFETY: the caller's promise.
    guard(false, || unsafe { read(self_) }.is_some_and(|address| address.is_localhost()))
}

/// Whether two addresses are equal, ports included.
///
/// # Safety
/// Null, or addresses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_IsEqualTo(
    self_: *mut SteamNetworkingIPAddr,
    x: *const SteamNetworkingIPAddr,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let (a, b) = unsafe { (read(self_), read(x)) };
        a.is_some() && a == b
    })
}

/// The address as text, cut to the room.
///
/// # Safety
/// Null or an address; null or room for that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_ToString(
    self_: *const SteamNetworkingIPAddr,
    buf: *mut c_char,
    cbBuf: usize,
    bWithPort: bool,
) {
    // SAFETY: the caller's promise.
    unsafe { text::SteamNetworkingIPAddr_ToString(self_, buf, cbBuf, bWithPort) };
}

/// An address from text. False: it is none, and nothing changes.
///
/// # Safety
/// Null or room for an address; null or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingIPAddr_ParseString(
    self_: *mut SteamNetworkingIPAddr,
    pszStr: *const c_char,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { text::SteamNetworkingIPAddr_ParseString(self_, pszStr) }
}
