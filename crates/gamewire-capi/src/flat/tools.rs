//! ISteamNetworkingUtils, but for configuration: messages, relays and pings, time, debug output.

use std::ffi::{c_char, c_int};

use gamewire::io::Clock;

use super::coordinator::{location, parse_location};
use crate::{
    boundary::{guard, put, put_text},
    debug_output, message,
    results::{PING_UNKNOWN, availability, result},
    types::{
        EResult, ESteamNetworkingAvailability, ESteamNetworkingFakeIPType,
        ESteamNetworkingSocketsDebugOutputType, FSteamNetworkingSocketsDebugOutput,
        SteamNetworkPingLocation_t, SteamNetworkingIPAddr, SteamNetworkingIdentity,
        SteamNetworkingMessage_t, SteamNetworkingMicroseconds, SteamNetworkingPOPID,
        SteamRelayNetworkStatus_t,
    },
    vtables::ISteamNetworkingUtils,
};

/// `k_ESteamNetworkingFakeIPType_NotFake`.
pub(super) const NOT_FAKE: ESteamNetworkingFakeIPType = 1;

/// A message to fill and send, with a buffer unless the size is 0. Null for sizes below 0.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_AllocateMessage(
    _self: *mut ISteamNetworkingUtils,
    cbAllocateBuffer: c_int,
) -> *mut SteamNetworkingMessage_t {
    guard(std::ptr::null_mut(), || message::allocate(cbAllocateBuffer))
}

/// Says that the relay network will be needed: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_InitRelayNetworkAccess(
    _self: *mut ISteamNetworkingUtils,
) {
}

/// How the access to the relay network stands: there is none.
///
/// # Safety
/// Null, or room for the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_GetRelayNetworkStatus(
    _self: *mut ISteamNetworkingUtils,
    pDetails: *mut SteamRelayNetworkStatus_t,
) -> ESteamNetworkingAvailability {
    guard(availability::CANNOT_TRY, || {
        // SAFETY: the caller's promise.
        unsafe { put(pDetails, SteamRelayNetworkStatus_t::not_available()) };
        availability::CANNOT_TRY
    })
}

/// Where we are, and the age of that knowledge in seconds; −1: not known.
///
/// # Safety
/// Null, or room for a location.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_GetLocalPingLocation(
    _self: *mut ISteamNetworkingUtils,
    pResult: *mut SteamNetworkPingLocation_t,
) -> f32 {
    guard(-1.0, || {
        // SAFETY: the caller's promise.
        unsafe { put(pResult, SteamNetworkPingLocation_t { m_data: [0; 512] }) };
        -1.0
    })
}

/// What the ping between two locations should at most be, in milliseconds; −1: one of them says
/// nothing; −2: the way between them is not known.
///
/// # Safety
/// Null, or locations.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_EstimatePingTimeBetweenTwoLocations(
    _self: *mut ISteamNetworkingUtils,
    location1: *const SteamNetworkPingLocation_t,
    location2: *const SteamNetworkPingLocation_t,
) -> c_int {
    guard(PING_UNKNOWN, || {
        // SAFETY: the caller's promise.
        let (a, b) = unsafe { (location(location1), location(location2)) };
        match a.estimate(&b, gamewire::network_config().as_deref()) {
            Ok(ms) => c_int::try_from(ms).unwrap_or(c_int::MAX),
            Err(error) => error.code(),
        }
    })
}

/// The ping from here to a location; −2: not known.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_EstimatePingTimeFromLocalHost(
    _self: *mut ISteamNetworkingUtils,
    _remoteLocation: *const SteamNetworkPingLocation_t,
) -> c_int {
    PING_UNKNOWN
}

/// A location as text; empty if it says nothing.
///
/// # Safety
/// Null or a location; null, or room for that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_ConvertPingLocationToString(
    _self: *mut ISteamNetworkingUtils,
    pLocation: *const SteamNetworkPingLocation_t,
    pszBuf: *mut c_char,
    cchBufSize: c_int,
) {
    guard((), || {
        // SAFETY: the caller's promises.
        unsafe {
            let text = location(pLocation).to_string();
            put_text(pszBuf, usize::try_from(cchBufSize).unwrap_or(0), &text);
        }
    });
}

/// A location from text, Valve's or ours. False: it is none.
///
/// # Safety
/// Null or text with a NUL; null, or room for a location.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_ParsePingLocationString(
    _self: *mut ISteamNetworkingUtils,
    pszString: *const c_char,
    pResult: *mut SteamNetworkPingLocation_t,
) -> bool {
    // SAFETY: the caller's promises.
    guard(false, || unsafe { parse_location(pszString, pResult) })
}

/// Whether pings are young enough: there are none.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_CheckPingDataUpToDate(
    _self: *mut ISteamNetworkingUtils,
    _flMaxAgeSeconds: f32,
) -> bool {
    false
}

/// The ping to a data center by way of relays; −2: not known.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_GetPingToDataCenter(
    _self: *mut ISteamNetworkingUtils,
    _popID: SteamNetworkingPOPID,
    _pViaRelayPoP: *mut SteamNetworkingPOPID,
) -> c_int {
    PING_UNKNOWN
}

/// The ping to a PoP; −2: not known.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_GetDirectPingToPOP(
    _self: *mut ISteamNetworkingUtils,
    _popID: SteamNetworkingPOPID,
) -> c_int {
    PING_UNKNOWN
}

/// How many PoPs the network config has.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_GetPOPCount(
    _self: *mut ISteamNetworkingUtils,
) -> c_int {
    guard(0, || {
        let count = gamewire::network_config().map_or(0, |config| config.pops.len());
        c_int::try_from(count).unwrap_or(c_int::MAX)
    })
}

/// Their ids; returns how many were written.
///
/// # Safety
/// Null, or room for that many ids.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_GetPOPList(
    _self: *mut ISteamNetworkingUtils,
    list: *mut SteamNetworkingPOPID,
    nListSz: c_int,
) -> c_int {
    guard(0, || {
        let (Some(config), false) = (gamewire::network_config(), list.is_null()) else {
            return 0;
        };
        let mut written = 0;
        let room = usize::try_from(nListSz).unwrap_or(0);
        for (index, pop) in config.pops.iter().take(room).enumerate() {
            // SAFETY: the caller vouches for the room.
            unsafe { put(list.add(index), pop.id.as_u32()) };
            written += 1;
        }
        written
    })
}

/// The library's clock, in microseconds.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_GetLocalTimestamp(
    _self: *mut ISteamNetworkingUtils,
) -> SteamNetworkingMicroseconds {
    guard(0, || i64::try_from(Clock::of_process().now().as_micros()).unwrap_or(i64::MAX))
}

/// Lines of the log up to a level go to a function; null ends it.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_SetDebugOutputFunction(
    _self: *mut ISteamNetworkingUtils,
    eDetailLevel: ESteamNetworkingSocketsDebugOutputType,
    pfnFunc: FSteamNetworkingSocketsDebugOutput,
) {
    guard((), || debug_output::set(eDetailLevel, pfnFunc));
}

/// What kind of fake address an IPv4 address is: none is fake.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_GetIPv4FakeIPType(
    _self: *mut ISteamNetworkingUtils,
    _nIPv4: u32,
) -> ESteamNetworkingFakeIPType {
    NOT_FAKE
}

/// Who is behind a fake address: nobody.
///
/// # Safety
/// Null, or room for an identity.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_GetRealIdentityForFakeIP(
    _self: *mut ISteamNetworkingUtils,
    _fakeIP: *const SteamNetworkingIPAddr,
    pOutRealIdentity: *mut SteamNetworkingIdentity,
) -> EResult {
    guard(result::FAIL, || {
        // SAFETY: the caller's promise.
        unsafe { put(pOutRealIdentity, SteamNetworkingIdentity::CLEAR) };
        result::DISABLED
    })
}
