//! Where the buffers of messages come from: the C allocator, or the application's.

use std::{
    ffi::c_void,
    sync::atomic::{AtomicPtr, Ordering},
};

/// Allocates bytes.
pub(crate) type AllocateFn = unsafe extern "C" fn(usize) -> *mut c_void;
/// Frees them.
pub(crate) type FreeFn = unsafe extern "C" fn(*mut c_void);

/// The application's functions, which it sets before anything else; both null: the C library's.
static ALLOCATE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static FREE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Takes the application's functions, or with either missing goes back to the C library's.
pub(crate) fn set_functions(allocate: Option<AllocateFn>, free: Option<FreeFn>) {
    let (allocate, free) = match (allocate, free) {
        (Some(allocate), Some(free)) => (allocate as *mut c_void, free as *mut c_void),
        _ => (std::ptr::null_mut(), std::ptr::null_mut()),
    };
    ALLOCATE.store(allocate, Ordering::Release);
    FREE.store(free, Ordering::Release);
}

/// Bytes that are not initialised; null if there are none to be had.
pub(crate) fn allocate(size: usize) -> *mut c_void {
    let function = ALLOCATE.load(Ordering::Acquire);
    if function.is_null() {
        // SAFETY: any size may be asked for.
        return unsafe { libc::malloc(size) };
    }
    // SAFETY: only `set_functions` stores here, and it stores an `AllocateFn`.
    let function = unsafe { std::mem::transmute::<*mut c_void, AllocateFn>(function) };
    // SAFETY: the application's function, called as it promised to be callable.
    unsafe { function(size) }
}

/// Frees what [`allocate`] gave.
///
/// # Safety
/// Null or from [`allocate`] with the same functions set, and freed once.
pub(crate) unsafe fn free(pointer: *mut c_void) {
    let function = FREE.load(Ordering::Acquire);
    if function.is_null() {
        // SAFETY: the caller's promise.
        unsafe { libc::free(pointer) };
        return;
    }
    // SAFETY: only `set_functions` stores here, and it stores a `FreeFn`.
    let function = unsafe { std::mem::transmute::<*mut c_void, FreeFn>(function) };
    // SAFETY: the caller's promise.
    unsafe { function(pointer) };
}
