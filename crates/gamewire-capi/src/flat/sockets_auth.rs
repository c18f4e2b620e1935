//! ISteamNetworkingSockets: who we are.

use std::ffi::{c_int, c_void};

use gamewire::Identity;

use crate::{
    boundary::{self, guard, put},
    identity, instance,
    options::put_error,
    results::availability,
    types::{
        ESteamNetworkingAvailability, SteamNetAuthenticationStatus_t, SteamNetworkingErrMsg,
        SteamNetworkingIdentity,
    },
    vtables::ISteamNetworkingSockets,
};

const NOT_RUNNING: &str = "The library is not initialised";

/// Our identity. False, and an invalid one, while it is unknown.
///
/// # Safety
/// Null, or room for an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetIdentity(
    self_: *mut ISteamNetworkingSockets,
    pIdentity: *mut SteamNetworkingIdentity,
) -> bool {
    guard(false, || {
        let identity = instance::sockets(self_).and_then(|sockets| sockets.identity());
        let known = identity.is_some();
        // SAFETY: the caller's promise.
        unsafe { put(pIdentity, SteamNetworkingIdentity::from(&identity.unwrap_or_default())) };
        known
    })
}

/// Says that authentication will be needed, and tells how it stands.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingSockets_InitAuthentication(
    self_: *mut ISteamNetworkingSockets,
) -> ESteamNetworkingAvailability {
    guard(availability::CANNOT_TRY, || match instance::sockets(self_) {
        Some(sockets) => sockets.init_authentication().availability.to_number(),
        None => availability::CANNOT_TRY,
    })
}

/// How our authentication stands.
///
/// # Safety
/// Null, or room for the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetAuthenticationStatus(
    self_: *mut ISteamNetworkingSockets,
    pDetails: *mut SteamNetAuthenticationStatus_t,
) -> ESteamNetworkingAvailability {
    guard(availability::CANNOT_TRY, || {
        let details = match instance::sockets(self_) {
            Some(sockets) => SteamNetAuthenticationStatus_t::from(&sockets.authentication_status()),
            None => SteamNetAuthenticationStatus_t {
                m_eAvail: availability::CANNOT_TRY,
                m_debugMsg: boundary::text_field(NOT_RUNNING),
            },
        };
        let available = details.m_eAvail;
        // SAFETY: the caller's promise.
        unsafe { put(pDetails, details) };
        available
    })
}

/// A request that a certificate authority can sign. Without a buffer only its size is told.
///
/// # Safety
/// The size of the buffer; null or a buffer of that size; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_GetCertificateRequest(
    self_: *mut ISteamNetworkingSockets,
    pcbBlob: *mut c_int,
    pBlob: *mut c_void,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise, throughout.
        unsafe {
            let Some(sockets) = instance::sockets(self_) else {
                put_error(errMsg, NOT_RUNNING);
                return false;
            };
            if pcbBlob.is_null() {
                put_error(errMsg, "There is no place for the size");
                return false;
            }
            let request = sockets.certificate_request();
            let room = usize::try_from(pcbBlob.read_unaligned()).unwrap_or(0);
            put(pcbBlob, c_int::try_from(request.len()).unwrap_or(c_int::MAX));
            if pBlob.is_null() {
                return true;
            }
            if room < request.len() {
                put_error(errMsg, &format!("{} bytes are needed", request.len()));
                return false;
            }
            std::ptr::copy_nonoverlapping(request.as_ptr(), pBlob.cast(), request.len());
        }
        true
    })
}

/// Installs a signed certificate. False, with a message, if it is not ours or makes no sense.
///
/// # Safety
/// That many bytes; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_SetCertificate(
    self_: *mut ISteamNetworkingSockets,
    pCertificate: *const c_void,
    cbCertificate: c_int,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise, throughout.
        unsafe {
            let certificate = boundary::array(pCertificate.cast::<u8>(), cbCertificate);
            let installed = match instance::sockets(self_) {
                None => Err(NOT_RUNNING.to_owned()),
                Some(sockets) => {
                    sockets.set_certificate(certificate).map_err(|error| error.to_string())
                }
            };
            if let Err(error) = &installed {
                put_error(errMsg, error);
            }
            installed.is_ok()
        }
    })
}

/// Closes every connection, forgets certificate and key, and takes another identity; null: unknown
/// until a certificate brings one.
///
/// # Safety
/// Null, or an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingSockets_ResetIdentity(
    self_: *mut ISteamNetworkingSockets,
    pIdentity: *const SteamNetworkingIdentity,
) {
    guard((), || {
        // SAFETY: the caller's promise.
        let identity = unsafe { identity::read(pIdentity) };
        if let Some(sockets) = instance::sockets(self_) {
            sockets.reset_identity(identity.filter(|identity: &Identity| !identity.is_invalid()));
        }
    });
}
