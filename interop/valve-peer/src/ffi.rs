//! The parts of the C boundary that the generated bindings cannot express soundly, and C text.
//!
//! The bindings declare C enums as Rust enums. A configuration value number comes from the driver, so
//! it may be any number: the functions that take or give one are declared here with plain integers.

use std::ffi::{CStr, c_char, c_int, c_void};

use gns_sys::ISteamNetworkingUtils;

unsafe extern "C" {
    /// Name, data type and scope of a configuration value; null for a number that is not one.
    pub(crate) fn SteamAPI_ISteamNetworkingUtils_GetConfigValueInfo(
        utils: *mut ISteamNetworkingUtils,
        value: c_int,
        data_type: *mut c_int,
        scope: *mut c_int,
    ) -> *const c_char;

    /// Sets a configuration value at one scope; a null argument resets it.
    pub(crate) fn SteamAPI_ISteamNetworkingUtils_SetConfigValue(
        utils: *mut ISteamNetworkingUtils,
        value: c_int,
        scope: c_int,
        scope_object: isize,
        data_type: c_int,
        argument: *const c_void,
    ) -> bool;
}

/// `SteamNetworkingConfigValue_t` with plain integers in place of the enums.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct RawOption {
    pub(crate) value: c_int,
    pub(crate) data_type: c_int,
    pub(crate) argument: RawArgument,
}

/// The union inside `SteamNetworkingConfigValue_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) union RawArgument {
    pub(crate) int32: i32,
    pub(crate) int64: i64,
    pub(crate) float: f32,
    pub(crate) text: *const c_char,
}

const _: () = {
    use gns_sys::SteamNetworkingConfigValue_t as Generated;
    assert!(size_of::<RawOption>() == size_of::<Generated>());
    assert!(align_of::<RawOption>() == align_of::<Generated>());
    assert!(std::mem::offset_of!(RawOption, argument) == std::mem::offset_of!(Generated, m_val));
};

/// The text of a fixed-size C buffer, up to its first NUL or its end.
pub(crate) fn text_of(buffer: &[c_char]) -> String {
    let bytes: Vec<u8> =
        buffer.iter().take_while(|&&byte| byte != 0).map(|&byte| byte.cast_unsigned()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The text behind a C string pointer; empty for null.
///
/// # Safety
/// `text` is null or points at a NUL-terminated string that outlives the call.
pub(crate) unsafe fn text_at(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller promises a NUL-terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
