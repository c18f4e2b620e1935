//! Options, configuration values and error messages between C and the library.

use std::ffi::{c_int, c_void};

use gamewire::{
    Config, ConfigData, ConfigId, ScopeObject,
    config::{ConfigType, Scope},
};

use crate::{
    boundary::{self, put_text, text},
    types::{SteamNetworkingConfigValue_t, SteamNetworkingErrMsg},
};

/// Most options of one call; there are fewer values than that.
const MAX_OPTIONS: usize = 1000;

/// The options of a call; `None`, with a line in the log, if one of them cannot be.
///
/// # Safety
/// As many options as `count` says, with texts that end with a NUL.
pub(crate) unsafe fn read(
    count: c_int,
    options: *const SteamNetworkingConfigValue_t,
) -> Option<Vec<Config>> {
    // SAFETY: the caller's promise.
    let given = unsafe { boundary::array(options, count) };
    let expected = usize::try_from(count).ok()?;
    if given.len() != expected || expected > MAX_OPTIONS {
        tracing::error!(count, "the options are not where they should be");
        return None;
    }
    // SAFETY: the caller's promise.
    given.iter().map(|option| unsafe { read_one(option) }).collect()
}

/// # Safety
/// As for [`read`].
unsafe fn read_one(option: &SteamNetworkingConfigValue_t) -> Option<Config> {
    let value = &raw const option.m_val;
    // SAFETY: the caller's promise. In an option a pointer stands for itself.
    let data = unsafe { read_data(option.m_eDataType, value.cast(), Indirection::Option) };
    let id = ConfigId::from_number(option.m_eValue);
    let (Some(id), Some(Some(data))) = (id, data) else {
        tracing::error!(value = option.m_eValue, "an option makes no sense");
        return None;
    };
    fits(id, &data).then_some(Config::Dynamic(id, data))
}

/// Whether a 64-bit number fits a value of 32 bits; Valve's library refuses what does not, where
/// ours would take the nearest.
pub(crate) fn fits(id: ConfigId, data: &ConfigData) -> bool {
    match data {
        ConfigData::Int64(number) if id.info().data_type() == ConfigType::Int32 => {
            i32::try_from(*number).is_ok()
        }
        _ => true,
    }
}

/// Where a value lies behind the pointer to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Indirection {
    /// In the union of an option: a text is a pointer there.
    Option,
    /// As an argument: a text is what the argument points to.
    Argument,
}

/// The value behind a pointer: `Some(None)` for a null pointer, which resets a value, whatever its
/// type; `None` for a type that does not exist.
///
/// # Safety
/// Null, or a value of that type.
pub(crate) unsafe fn read_data(
    data_type: c_int,
    argument: *const c_void,
    indirection: Indirection,
) -> Option<Option<ConfigData>> {
    if argument.is_null() {
        return Some(None);
    }
    // SAFETY: the caller says that a value of the type lies there; none needs to be aligned.
    let data = unsafe {
        match ConfigType::from_number(data_type)? {
            ConfigType::Int32 => ConfigData::Int32(argument.cast::<i32>().read_unaligned()),
            ConfigType::Int64 => ConfigData::Int64(argument.cast::<i64>().read_unaligned()),
            ConfigType::Float => ConfigData::Float(argument.cast::<f32>().read_unaligned()),
            ConfigType::Pointer => ConfigData::Pointer(
                argument.cast::<*const c_void>().read_unaligned().expose_provenance(),
            ),
            ConfigType::String => {
                let string = match indirection {
                    Indirection::Argument => argument.cast(),
                    Indirection::Option => {
                        argument.cast::<*const std::ffi::c_char>().read_unaligned()
                    }
                };
                match text(string) {
                    None => return Some(None),
                    Some(text) => ConfigData::String(text.into_owned()),
                }
            }
        }
    };
    Some(Some(data))
}

/// What a scope and its object mean.
pub(crate) enum ScopeTarget {
    /// All instances, and what is made later.
    Global,
    /// One object of one instance.
    Object(std::sync::Arc<gamewire::Sockets>, ScopeObject),
}

/// `None`: no such scope or object.
pub(crate) fn scope(scope: c_int, object: isize) -> Option<ScopeTarget> {
    use crate::instance::{sockets_of_address, sockets_of_handle};
    let handle = || u32::try_from(object).ok();
    match Scope::from_number(scope)? {
        Scope::Global => Some(ScopeTarget::Global),
        Scope::Interface => {
            Some(ScopeTarget::Object(sockets_of_address(object)?, ScopeObject::Interface))
        }
        Scope::ListenSocket => {
            let socket = gamewire::ListenSocketHandle::from_raw(handle()?)?;
            let sockets = sockets_of_handle(socket.to_raw())?;
            Some(ScopeTarget::Object(sockets, ScopeObject::ListenSocket(socket)))
        }
        Scope::Connection => {
            let connection = gamewire::ConnectionHandle::from_raw(handle()?)?;
            let sockets = sockets_of_handle(connection.to_raw())?;
            Some(ScopeTarget::Object(sockets, ScopeObject::Connection(connection)))
        }
    }
}

/// Writes an error message, cut to the room there is.
///
/// # Safety
/// Null, or room for a message.
pub(crate) unsafe fn put_error(place: *mut SteamNetworkingErrMsg, message: &str) {
    // SAFETY: the caller's promise.
    unsafe { put_text(place.cast(), size_of::<SteamNetworkingErrMsg>(), message) };
}
