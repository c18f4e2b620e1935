//! Where C ends and Rust begins: panics, text, arrays.

use std::{
    ffi::{c_char, c_int},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Longest text that a caller's pointer is read for, in bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Runs the body of an exported function. A panic is a defect of this library: it is reported, and
/// the caller gets `fallback`.
pub(crate) fn guard<R>(fallback: R, body: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(_) => {
            // Whatever panicked may have been the log itself.
            let _ = catch_unwind(|| crate::debug_output::bug("the library panicked"));
            fallback
        }
    }
}

/// The text behind a pointer; `None` for null. What is not UTF-8 is replaced.
///
/// # Safety
/// Null, or text that ends with a NUL.
pub(crate) unsafe fn text<'a>(pointer: *const c_char) -> Option<std::borrow::Cow<'a, str>> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller vouches for the NUL; longer text is cut, not read.
    let length = unsafe { libc::strnlen(pointer, MAX_TEXT_BYTES) };
    // SAFETY: the bytes up to there were just looked at.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), length) };
    Some(String::from_utf8_lossy(bytes))
}

/// An array of a caller; empty for null or a length that is not positive.
///
/// # Safety
/// Null, or that many elements, which nobody changes meanwhile.
pub(crate) unsafe fn array<'a, T>(pointer: *const T, length: c_int) -> &'a [T] {
    match usize::try_from(length) {
        Ok(length) if length > 0 && is_usable(pointer) => {
            // SAFETY: not null, aligned, and the caller vouches for the length.
            unsafe { std::slice::from_raw_parts(pointer, length) }
        }
        _ => &[],
    }
}

/// Bytes of a caller; empty for null.
///
/// # Safety
/// Null, or that many bytes, which nobody changes meanwhile.
pub(crate) unsafe fn bytes<'a>(pointer: *const u8, length: usize) -> &'a [u8] {
    if pointer.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller vouches for the length.
    unsafe { std::slice::from_raw_parts(pointer, length) }
}

/// Whether a pointer can point to a `T` at all.
pub(crate) fn is_usable<T>(pointer: *const T) -> bool {
    !pointer.is_null() && pointer.is_aligned()
}

/// Writes to where a caller wants a result, unless that is nowhere. The place need not be aligned.
///
/// # Safety
/// Null, or room for a `T`.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not null, and the caller vouches for the room.
        unsafe { place.write_unaligned(value) };
    }
}

/// Copies text into a caller's buffer, cut so that it ends with a NUL there. Nothing happens to a
/// buffer that is null or empty.
///
/// # Safety
/// Null, or room for `size` bytes.
pub(crate) unsafe fn put_text(buffer: *mut c_char, size: usize, text: &str) {
    if buffer.is_null() || size == 0 {
        return;
    }
    let text = &text.as_bytes()[..text.floor_char_boundary(size - 1)];
    // SAFETY: `text` is shorter than the room that the caller vouches for.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), text.len());
        buffer.add(text.len()).write(0);
    }
}

/// Text for a field of fixed size, cut so that it ends with a NUL, the rest zero.
pub(crate) fn text_field<const N: usize>(text: &str) -> [c_char; N] {
    let mut field = [0; N];
    let cut = text.floor_char_boundary(N - 1);
    for (place, byte) in field.iter_mut().zip(&text.as_bytes()[..cut]) {
        *place = *byte as c_char;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_fallback() {
        assert_eq!(guard(7, || panic!("for the test")), 7);
        assert_eq!(guard(7, || 8), 8);
    }

    #[test]
    fn text_is_cut_at_characters_and_always_ended() {
        let mut buffer = [1 as c_char; 4];
        // SAFETY: the buffer has four bytes.
        unsafe { put_text(buffer.as_mut_ptr(), 4, "aäö") };
        assert_eq!(buffer, [b'a' as c_char, 0xc3_u8 as c_char, 0xa4_u8 as c_char, 0]);
        // SAFETY: nothing is written to a buffer without room, nor to none.
        unsafe {
            put_text(buffer.as_mut_ptr(), 0, "x");
            put_text(std::ptr::null_mut(), 4, "x");
        }
        assert_eq!(text_field::<3>("aä"), [b'a' as c_char, 0, 0]);
    }

    #[test]
    fn arrays_that_make_no_sense_are_empty() {
        let numbers = [1_u32, 2];
        // SAFETY: the array has two elements; the other calls read nothing.
        unsafe {
            assert_eq!(array(numbers.as_ptr(), 2), &numbers);
            assert!(array(numbers.as_ptr(), -1).is_empty());
            assert!(array(std::ptr::null::<u32>(), 5).is_empty());
            assert!(array(numbers.as_ptr().byte_add(1), 1).is_empty());
        }
    }
}
