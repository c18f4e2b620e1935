//! SteamDatagramHostedAddress: where a hosted server is; and releasing messages.

use gamewire::{
    Address,
    coordinator::{HostedAddress, PopId},
};

use crate::{
    boundary::{guard, put},
    message,
    types::{SteamDatagramHostedAddress, SteamNetworkingMessage_t, SteamNetworkingPOPID},
};

impl SteamDatagramHostedAddress {
    /// With the bytes of a blob, at most 128.
    pub(crate) fn new(blob: &[u8]) -> Self {
        let mut m_data = [0; 128];
        m_data.iter_mut().zip(blob).for_each(|(place, byte)| *place = byte.cast_signed());
        Self { m_cbSize: blob.len().min(128) as i32, m_data }
    }

    /// The bytes that count.
    pub(crate) fn blob(&self) -> Vec<u8> {
        let length = usize::try_from(self.m_cbSize).unwrap_or(0).min(self.m_data.len());
        self.m_data[..length].iter().map(|byte| byte.cast_unsigned()).collect()
    }
}

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
        let code = [0, 1, 2, 3].map(|index: usize| address.m_data[index].cast_unsigned());
        PopId::from_code(code).map_or(0, PopId::as_u32)
    })
}

/// Sets the address of a server on a desk, for development; PoP 0 means `dev`.
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
        let pop = if popid == 0 { PopId::DEV } else { PopId::new(popid) };
        let address = HostedAddress::Dev { pop, address: Address::from_v4(nIP.into(), nPort) };
        // SAFETY: the caller's promise.
        unsafe {
            put(self_, SteamDatagramHostedAddress::new(&address.encode().unwrap_or_default()))
        };
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
