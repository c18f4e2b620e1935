//! SteamDatagramHostedAddress: passed on unread but for its PoP; and releasing messages.

use std::ffi::c_int;

use crate::{
    boundary::{guard, put},
    message,
    types::{SteamDatagramHostedAddress, SteamNetworkingMessage_t, SteamNetworkingPOPID},
};

/// Bytes of a plain address, as the public header lays it out: PoP, IPv4 address, port.
const DEV_ADDRESS_BYTES: usize = 10;

/// Sets everything to zero.
///
/// # Safety
/// Null, or room for the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamDatagramHostedAddress_Clear(
    self_: *mut SteamDatagramHostedAddress,
) {
    guard((), || {
        // SAFETY: the caller's promise.
        unsafe { put(self_, SteamDatagramHostedAddress { m_cbSize: 0, m_data: [0; 128] }) };
    });
}

/// The PoP of an address; 0 if it names none.
///
/// # Safety
/// Null, or the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamDatagramHostedAddress_GetPopID(
    self_: *mut SteamDatagramHostedAddress,
) -> SteamNetworkingPOPID {
    guard(0, || {
        if !crate::boundary::is_usable(self_) {
            return 0;
        }
        // SAFETY: the caller's promise.
        let address = unsafe { &*self_ };
        if usize::try_from(address.m_cbSize).is_ok_and(|size| size >= DEV_ADDRESS_BYTES) {
            let bytes = [0, 1, 2, 3].map(|index: usize| address.m_data[index].cast_unsigned());
            u32::from_le_bytes(bytes)
        } else {
            0
        }
    })
}

/// Sets an address without a relay in between, for development.
///
/// # Safety
/// Null, or room for the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamDatagramHostedAddress_SetDevAddress(
    self_: *mut SteamDatagramHostedAddress,
    nIP: u32,
    nPort: u16,
    popid: SteamNetworkingPOPID,
) {
    guard((), || {
        let mut m_data = [0; 128];
        let bytes = popid.to_le_bytes().into_iter();
        let bytes = bytes.chain(nIP.to_le_bytes()).chain(nPort.to_le_bytes());
        m_data.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte.cast_signed());
        let m_cbSize = DEV_ADDRESS_BYTES as c_int;
        // SAFETY: the caller's promise.
        unsafe { put(self_, SteamDatagramHostedAddress { m_cbSize, m_data }) };
    });
}

/// Frees a message.
///
/// # Safety
/// Null, or a message that is not released yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_SteamNetworkingMessage_t_Release(
    self_: *mut SteamNetworkingMessage_t,
) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { message::release_any(self_) });
}
