//! ISteamNetworkingUtils: configuration values.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    sync::LazyLock,
};

use gamewire::{ConfigData, ConfigError, ConfigId, ScopeObject};

use crate::{
    boundary::{guard, put, text},
    instance::{self, GLOBAL},
    options::{self, Indirection, ScopeTarget},
    types::{
        ESteamNetworkingConfigDataType, ESteamNetworkingConfigScope, ESteamNetworkingConfigValue,
        ESteamNetworkingGetConfigValueResult, FnSteamNetAuthenticationStatusChanged,
        FnSteamNetConnectionStatusChanged, FnSteamRelayNetworkStatusChanged, HSteamNetConnection,
        SteamNetworkingConfigValue_t,
    },
    vtables::ISteamNetworkingUtils,
};

/// Answers of `GetConfigValue`.
mod answer {
    use super::ESteamNetworkingGetConfigValueResult as Answer;

    pub(super) const BAD_VALUE: Answer = -1;
    pub(super) const BAD_SCOPE_OBJECT: Answer = -2;
    pub(super) const BUFFER_TOO_SMALL: Answer = -3;
    pub(super) const OK: Answer = 1;
    pub(super) const OK_INHERITED: Answer = 2;
}

/// Valve's names of all values, for C.
static NAMES: LazyLock<Vec<(ConfigId, CString)>> = LazyLock::new(|| {
    let name = |id: &ConfigId| (*id, CString::new(id.name()).expect("names are words"));
    ConfigId::ALL.iter().map(name).collect()
});

fn set(id: ConfigId, target: ScopeTarget, data: Option<ConfigData>) -> bool {
    let result = match target {
        ScopeTarget::Object(sockets, object) => sockets.set_config_value(object, id, data),
        ScopeTarget::Global => GLOBAL.set(id, data.clone()).and_then(|()| {
            // The instances share these values; each has its own sockets that must know.
            instance::all_running().try_for_each(|sockets| {
                sockets.set_config_value(ScopeObject::Global, id, data.clone())
            })
        }),
    };
    if let Err(error) = &result {
        tracing::warn!(%error, "a configuration value was not set");
    }
    result.is_ok()
}

fn set_number(
    value: ESteamNetworkingConfigValue,
    target: Option<ScopeTarget>,
    data: Option<ConfigData>,
) -> bool {
    match (ConfigId::from_number(value), target) {
        (Some(id), Some(target)) => {
            data.as_ref().is_none_or(|data| options::fits(id, data)) && set(id, target, data)
        }
        _ => {
            tracing::warn!(value, "no such configuration value, or nothing to set it for");
            false
        }
    }
}

fn of_connection(connection: HSteamNetConnection) -> Option<ScopeTarget> {
    const CONNECTION: c_int = 4;
    options::scope(CONNECTION, isize::try_from(connection).ok()?)
}

/// Sets a value in a scope; null for `pArg` resets it. False if that cannot be.
///
/// # Safety
/// Null, or a value of the type; a text ends with a NUL; a pointer is behind a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_SetConfigValue(
    _self: *mut ISteamNetworkingUtils,
    eValue: ESteamNetworkingConfigValue,
    eScopeType: ESteamNetworkingConfigScope,
    scopeObj: isize,
    eDataType: ESteamNetworkingConfigDataType,
    pArg: *const c_void,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let data = unsafe { options::read_data(eDataType, pArg, Indirection::Argument) };
        data.is_some_and(|data| set_number(eValue, options::scope(eScopeType, scopeObj), data))
    })
}

/// As `SetConfigValue`, with an option.
///
/// # Safety
/// Null, or an option.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_SetConfigValueStruct(
    _self: *mut ISteamNetworkingUtils,
    opt: *const SteamNetworkingConfigValue_t,
    eScopeType: ESteamNetworkingConfigScope,
    scopeObj: isize,
) -> bool {
    guard(false, || {
        if !crate::boundary::is_usable(opt) {
            return false;
        }
        // SAFETY: the caller's promise.
        let (value, data) = unsafe {
            let place = (&raw const (*opt).m_val).cast();
            ((*opt).m_eValue, options::read_data((*opt).m_eDataType, place, Indirection::Option))
        };
        data.is_some_and(|data| set_number(value, options::scope(eScopeType, scopeObj), data))
    })
}

/// Reads a value. The size is that of the buffer before, and what is needed after.
///
/// # Safety
/// Null or room for the type; null or a buffer of the size; null or the size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_GetConfigValue(
    _self: *mut ISteamNetworkingUtils,
    eValue: ESteamNetworkingConfigValue,
    eScopeType: ESteamNetworkingConfigScope,
    scopeObj: isize,
    pOutDataType: *mut ESteamNetworkingConfigDataType,
    pResult: *mut c_void,
    cbResult: *mut usize,
) -> ESteamNetworkingGetConfigValueResult {
    guard(answer::BAD_VALUE, || {
        let Some(id) = ConfigId::from_number(eValue) else { return answer::BAD_VALUE };
        let value = match options::scope(eScopeType, scopeObj) {
            None => return no_object(cbResult),
            Some(ScopeTarget::Global) => GLOBAL.get(id),
            Some(ScopeTarget::Object(sockets, object)) => sockets.config_value(object, id),
        };
        let (data, inherited) = match value {
            Ok(value) => value,
            Err(ConfigError::BadScopeObject | ConfigError::WrongScope { .. }) => {
                return no_object(cbResult);
            }
            Err(_) => return answer::BAD_VALUE,
        };
        // SAFETY: the caller's promise.
        unsafe {
            put(pOutDataType, data.data_type().to_number());
            if !put_data(&data, pResult, cbResult) {
                return answer::BUFFER_TOO_SMALL;
            }
        }
        if inherited { answer::OK_INHERITED } else { answer::OK }
    })
}

/// The answer where a value has no place; there is no size then.
fn no_object(size: *mut usize) -> ESteamNetworkingGetConfigValueResult {
    // SAFETY: the promise that callers of `GetConfigValue` give.
    unsafe { put(size, 0) };
    answer::BAD_SCOPE_OBJECT
}

/// Copies a value into a buffer and tells its size. False: the buffer is too small, or there is
/// none.
///
/// # Safety
/// As for `GetConfigValue`.
unsafe fn put_data(data: &ConfigData, buffer: *mut c_void, size: *mut usize) -> bool {
    let bytes: Vec<u8> = match data {
        ConfigData::Int32(number) => number.to_ne_bytes().to_vec(),
        ConfigData::Int64(number) => number.to_ne_bytes().to_vec(),
        ConfigData::Float(number) => number.to_ne_bytes().to_vec(),
        ConfigData::Pointer(address) => address.to_ne_bytes().to_vec(),
        ConfigData::String(text) => [text.as_bytes(), &[0]].concat(),
    };
    if size.is_null() {
        return false;
    }
    // SAFETY: the caller's promise; nothing is written beyond the room.
    unsafe {
        let room = size.read_unaligned();
        size.write_unaligned(bytes.len());
        if buffer.is_null() || room < bytes.len() {
            return false;
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast(), bytes.len());
    }
    true
}

/// The name of a value, with its type and the narrowest scope that it has. Null: no such value.
///
/// # Safety
/// Null, or room for the type and the scope.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_GetConfigValueInfo(
    _self: *mut ISteamNetworkingUtils,
    eValue: ESteamNetworkingConfigValue,
    pOutDataType: *mut ESteamNetworkingConfigDataType,
    pOutScope: *mut ESteamNetworkingConfigScope,
) -> *const c_char {
    guard(std::ptr::null(), || {
        let Some(id) = ConfigId::from_number(eValue) else { return std::ptr::null() };
        // SAFETY: the caller's promise.
        unsafe {
            put(pOutDataType, id.info().data_type().to_number());
            put(pOutScope, id.info().scope.to_number());
        }
        let name = NAMES.iter().find(|(known, _)| *known == id);
        name.map_or(std::ptr::null(), |(_, name)| name.as_ptr())
    })
}

/// The editable value after another one, or the first after 0; 0 after the last.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_IterateGenericEditableConfigValues(
    _self: *mut ISteamNetworkingUtils,
    eCurrent: ESteamNetworkingConfigValue,
    bEnumerateDevVars: bool,
) -> ESteamNetworkingConfigValue {
    guard(0, || ConfigId::next_number(eCurrent, bEnumerateDevVars))
}

/// Sets a number for everything.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_SetGlobalConfigValueInt32(
    _self: *mut ISteamNetworkingUtils,
    eValue: ESteamNetworkingConfigValue,
    val: i32,
) -> bool {
    guard(false, || set_number(eValue, Some(ScopeTarget::Global), Some(val.into())))
}

/// Sets a number with a fraction for everything.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_SetGlobalConfigValueFloat(
    _self: *mut ISteamNetworkingUtils,
    eValue: ESteamNetworkingConfigValue,
    val: f32,
) -> bool {
    guard(false, || set_number(eValue, Some(ScopeTarget::Global), Some(val.into())))
}

/// Sets a text for everything; null resets it.
///
/// # Safety
/// Null, or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_SetGlobalConfigValueString(
    _self: *mut ISteamNetworkingUtils,
    eValue: ESteamNetworkingConfigValue,
    val: *const c_char,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let data = unsafe { text(val) }.map(|text| ConfigData::String(text.into_owned()));
        set_number(eValue, Some(ScopeTarget::Global), data)
    })
}

/// Sets a pointer for everything.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_SetGlobalConfigValuePtr(
    _self: *mut ISteamNetworkingUtils,
    eValue: ESteamNetworkingConfigValue,
    val: *mut c_void,
) -> bool {
    guard(false, || set_pointer(eValue, val.expose_provenance()))
}

fn set_pointer(value: ESteamNetworkingConfigValue, address: usize) -> bool {
    set_number(value, Some(ScopeTarget::Global), Some(ConfigData::Pointer(address)))
}

/// Sets a number for a connection.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_SetConnectionConfigValueInt32(
    _self: *mut ISteamNetworkingUtils,
    hConn: HSteamNetConnection,
    eValue: ESteamNetworkingConfigValue,
    val: i32,
) -> bool {
    guard(false, || set_number(eValue, of_connection(hConn), Some(val.into())))
}

/// Sets a number with a fraction for a connection.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_SetConnectionConfigValueFloat(
    _self: *mut ISteamNetworkingUtils,
    hConn: HSteamNetConnection,
    eValue: ESteamNetworkingConfigValue,
    val: f32,
) -> bool {
    guard(false, || set_number(eValue, of_connection(hConn), Some(val.into())))
}

/// Sets a text for a connection; null resets it.
///
/// # Safety
/// Null, or text with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamAPI_ISteamNetworkingUtils_SetConnectionConfigValueString(
    _self: *mut ISteamNetworkingUtils,
    hConn: HSteamNetConnection,
    eValue: ESteamNetworkingConfigValue,
    val: *const c_char,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        let data = unsafe { text(val) }.map(|text| ConfigData::String(text.into_owned()));
        set_number(eValue, of_connection(hConn), data)
    })
}

/// Sets what is called when a connection's state changes.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetConnectionStatusChanged(
    _self: *mut ISteamNetworkingUtils,
    fnCallback: FnSteamNetConnectionStatusChanged,
) -> bool {
    let address = fnCallback.map_or(0, |function| function as usize);
    guard(false, || set_pointer(ConfigId::CallbackConnectionStatusChanged.to_number(), address))
}

/// Sets what is called when our own authentication changes.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetAuthenticationStatusChanged(
    _self: *mut ISteamNetworkingUtils,
    fnCallback: FnSteamNetAuthenticationStatusChanged,
) -> bool {
    let address = fnCallback.map_or(0, |function| function as usize);
    guard(false, || set_pointer(ConfigId::CallbackAuthStatusChanged.to_number(), address))
}

/// Sets what is called when the access to the relay network changes.
#[unsafe(no_mangle)]
pub extern "C" fn SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamRelayNetworkStatusChanged(
    _self: *mut ISteamNetworkingUtils,
    fnCallback: FnSteamRelayNetworkStatusChanged,
) -> bool {
    let address = fnCallback.map_or(0, |function| function as usize);
    guard(false, || set_pointer(ConfigId::CallbackRelayNetworkStatusChanged.to_number(), address))
}
