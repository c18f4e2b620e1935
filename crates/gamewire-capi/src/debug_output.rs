//! The library's log, given to a C function.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use gamewire::{DebugLevel, set_debug_output_function};

use crate::types::{ESteamNetworkingSocketsDebugOutputType, FSteamNetworkingSocketsDebugOutput};

/// Called with a line before it is put together: level, whether to format, file, line, text or
/// format, arguments (`va_list`).
pub(crate) type PreFormatHandler = unsafe extern "C" fn(
    ESteamNetworkingSocketsDebugOutputType,
    bool,
    *const c_char,
    c_int,
    *const c_char,
    *mut c_void,
);

/// Longest line, in bytes, that [`default_pre_format`] puts together.
const MAX_LINE_BYTES: usize = 2048;

static OUTPUT: Mutex<(c_int, FSteamNetworkingSocketsDebugOutput)> = Mutex::new((0, None));
/// The application's [`PreFormatHandler`]; 0: none.
static PRE_FORMAT: AtomicUsize = AtomicUsize::new(0);

fn output() -> (c_int, FSteamNetworkingSocketsDebugOutput) {
    *OUTPUT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lines up to `level` go to `function`; null ends it.
pub(crate) fn set(level: c_int, function: FSteamNetworkingSocketsDebugOutput) {
    *OUTPUT.lock().unwrap_or_else(PoisonError::into_inner) = (level, function);
    install();
}

/// Lines go to this handler instead, with the level that [`set`] named; null ends it.
pub(crate) fn set_pre_format(handler: Option<PreFormatHandler>) {
    PRE_FORMAT.store(handler.map_or(0, |handler| handler as usize), Ordering::Release);
    install();
}

fn install() {
    let (level, function) = output();
    let wanted = function.is_some() || PRE_FORMAT.load(Ordering::Acquire) != 0;
    let level = if wanted { DebugLevel::from_number(level) } else { DebugLevel::None };
    // The only subscriber in this shared library is ours, so this cannot fail.
    let _ = set_debug_output_function(level, |level, text| line(level.to_number(), text));
}

/// Hands one line over.
fn line(level: c_int, text: &str) {
    // The log escapes control characters, so there is no NUL inside.
    let Ok(text) = CString::new(text) else { return };
    let handler = PRE_FORMAT.load(Ordering::Acquire);
    if handler != 0 {
        // SAFETY: only `set_pre_format` stores here, and it stores a `PreFormatHandler`.
        let handler = unsafe {
            std::mem::transmute::<*const c_void, PreFormatHandler>(
                std::ptr::with_exposed_provenance(handler),
            )
        };
        // An empty `va_list` of x86-64 and AArch64: nothing is taken from it, as nothing is to be
        // formatted.
        let mut no_arguments = [0_u64; 4];
        let place = no_arguments.as_mut_ptr().cast();
        // SAFETY: the application's function, with the arguments it is declared with.
        unsafe { handler(level, false, std::ptr::null(), 0, text.as_ptr(), place) };
    } else if let (_, Some(function)) = output() {
        // SAFETY: the application's function, with a text that ends with a NUL.
        unsafe { function(level, text.as_ptr()) };
    }
}

/// Says that the library itself has a defect; the one use of that level.
pub(crate) fn bug(text: &str) {
    if output().0 >= DebugLevel::Bug.to_number() {
        line(DebugLevel::Bug.to_number(), text);
    }
}

unsafe extern "C" {
    fn vsnprintf(
        buffer: *mut c_char,
        size: usize,
        format: *const c_char,
        arguments: *mut c_void,
    ) -> c_int;
}

/// What happens to a line without a handler of the application: it is put together and goes to the
/// output function.
///
/// # Safety
/// `message` is text with a NUL; with `format`, one that the arguments fit.
pub(crate) unsafe fn default_pre_format(
    level: c_int,
    format: bool,
    message: *const c_char,
    arguments: *mut c_void,
) {
    let (limit, Some(function)) = output() else { return };
    if level > limit || message.is_null() {
        return;
    }
    if !format {
        // SAFETY: the caller's promise.
        unsafe { function(level, message) };
        return;
    }
    let mut buffer = [0 as c_char; MAX_LINE_BYTES];
    // SAFETY: the size is the buffer's, and the caller vouches for format and arguments.
    if unsafe { vsnprintf(buffer.as_mut_ptr(), buffer.len(), message, arguments) } >= 0 {
        // SAFETY: `vsnprintf` ended the text with a NUL.
        unsafe { function(level, buffer.as_ptr()) };
    }
}
