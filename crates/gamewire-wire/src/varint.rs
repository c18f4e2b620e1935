//! Protobuf varints: seven bits a byte, lowest first, the high bit says that more follow.

use thiserror::Error;

/// Longest varint of a `u64`, in bytes.
pub const MAX_LEN: usize = 10;

/// Why bytes are not a varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VarintError {
    /// The bytes end before the varint does.
    #[error("varint is cut short")]
    Truncated,
    /// The value does not fit in 64 bits, or ten bytes did not end it.
    #[error("varint exceeds 64 bits")]
    Overflow,
}

/// Reads a varint at the start of `bytes`: its value and length in bytes (1–10).
///
/// Needlessly long encodings are accepted, as protobuf does.
#[inline]
pub fn read(bytes: &[u8]) -> Result<(u64, usize), VarintError> {
    match bytes.first() {
        Some(&byte) if byte < 0x80 => Ok((u64::from(byte), 1)),
        Some(_) => read_long(bytes),
        None => Err(VarintError::Truncated),
    }
}

fn read_long(bytes: &[u8]) -> Result<(u64, usize), VarintError> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        if index == MAX_LEN - 1 && byte > 1 {
            return Err(VarintError::Overflow);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok((value, index + 1));
        }
    }
    // Ten bytes either ended above or overflowed, so the input ran out.
    Err(VarintError::Truncated)
}

/// Length of the shortest varint of `value`, in bytes (1–10).
#[inline]
#[must_use]
pub fn len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Writes the shortest varint of `value` to the start of `out`; returns its length in bytes.
#[inline]
pub fn write(mut value: u64, out: &mut [u8; MAX_LEN]) -> usize {
    for (index, slot) in out.iter_mut().enumerate() {
        if value < 0x80 {
            *slot = value as u8;
            return index + 1;
        }
        *slot = value as u8 | 0x80;
        value >>= 7;
    }
    MAX_LEN
}

/// Appends the shortest varint of `value` to `out`.
#[inline]
pub fn append(value: u64, out: &mut Vec<u8>) {
    let mut bytes = [0; MAX_LEN];
    let len = write(value, &mut bytes);
    out.extend_from_slice(&bytes[..len]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bytes_both_ways() {
        let table: &[(u64, &[u8])] = &[
            (0, &[0]),
            (1, &[1]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
            (u64::from(u32::MAX), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ];
        for &(value, bytes) in table {
            let mut out = vec![];
            append(value, &mut out);
            assert_eq!(out, bytes);
            assert_eq!(len(value), bytes.len());
            out.push(0x55);
            assert_eq!(read(&out), Ok((value, bytes.len())));
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut]), Err(VarintError::Truncated));
            }
        }
    }

    #[test]
    fn lengths_change_at_every_seventh_bit() {
        for bit in 0..64 {
            let mut bytes = [0; MAX_LEN];
            for value in [1u64 << bit, (1u64 << bit) - 1, u64::MAX >> bit] {
                assert_eq!(len(value), write(value, &mut bytes));
                assert_eq!(read(&bytes[..len(value)]), Ok((value, len(value))));
            }
        }
    }

    #[test]
    fn overflow_and_endless_continuation_are_errors() {
        assert_eq!(read(&[0xff; 9]), Err(VarintError::Truncated));
        assert_eq!(read(&[0xff; 10]), Err(VarintError::Overflow));
        assert_eq!(read(&[0x80; 200]), Err(VarintError::Overflow));
        let mut bytes = [0xff; 10];
        bytes[9] = 2;
        assert_eq!(read(&bytes), Err(VarintError::Overflow));
        // Needlessly long, but a value all the same.
        assert_eq!(read(&[0x81, 0x80, 0x00]), Ok((1, 3)));
    }
}
