//! The header of a message inside the reliable stream.

use super::FrameError;
use crate::limits::MAX_MESSAGE_HEADER;
use crate::varint::{self, VarintError};

/// Bit of the first byte: a number increment follows.
const INCREMENT_FOLLOWS: u8 = 0x40;
/// Bit of the first byte: the upper bits of the size follow.
const SIZE_FOLLOWS: u8 = 0x20;

/// The header of a message inside a lane's reliable stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// How far the message's number lies past that of the previous reliable one, at least 1.
    pub number_increment: u64,
    /// Size of the payload that follows, in bytes.
    pub size: u32,
}

/// Writes a message header to the start of `out`; returns its length in bytes (1–16).
///
/// `number_increment` is at least 1.
pub fn encode_message_header(
    number_increment: u64,
    size: u32,
    out: &mut [u8; MAX_MESSAGE_HEADER],
) -> usize {
    debug_assert!(number_increment > 0);
    let mut first = (size & 0x1f) as u8;
    let mut len = 1;
    let mut push = |value: u64| {
        let mut bytes = [0; varint::MAX_LEN];
        let varint_len = varint::write(value, &mut bytes);
        out[len..len + varint_len].copy_from_slice(&bytes[..varint_len]);
        len += varint_len;
    };
    if number_increment != 1 {
        first |= INCREMENT_FOLLOWS;
        push(number_increment);
    }
    if size >= 32 {
        first |= SIZE_FOLLOWS;
        push(u64::from(size >> 5));
    }
    out[0] = first;
    len
}

/// Reads a message header at the start of `bytes`: header and its length in bytes.
///
/// `None` = more bytes are needed, at most [`MAX_MESSAGE_HEADER`] in all. What no further byte can
/// repair is an error at once: a reserved bit, an endless varint, an increment of 0, a size over 32
/// bits.
pub fn decode_message_header(bytes: &[u8]) -> Result<Option<(MessageHeader, usize)>, FrameError> {
    let (head, is_whole) = match bytes.first_chunk::<MAX_MESSAGE_HEADER>() {
        Some(head) => (head.as_slice(), true),
        None => (bytes, false),
    };
    match decode(head)? {
        // Only needlessly long varints come here.
        None if is_whole => Err(FrameError::Varint),
        header => Ok(header),
    }
}

fn decode(bytes: &[u8]) -> Result<Option<(MessageHeader, usize)>, FrameError> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    if first & 0x80 != 0 {
        return Err(FrameError::ReservedMessageHeader(first));
    }
    let mut len = 1;
    let mut number_increment = 1;
    if first & INCREMENT_FOLLOWS != 0 {
        match read(&bytes[len..])? {
            Some((0, _)) => return Err(FrameError::MessageNumber),
            Some((value, value_len)) => {
                number_increment = value;
                len += value_len;
            }
            None => return Ok(None),
        }
    }
    let mut size = u32::from(first & 0x1f);
    if first & SIZE_FOLLOWS != 0 {
        let Some((upper, upper_len)) = read(&bytes[len..])? else {
            return Ok(None);
        };
        if upper > u64::from(u32::MAX >> 5) {
            return Err(FrameError::MessageSize);
        }
        size |= (upper as u32) << 5;
        len += upper_len;
    }
    Ok(Some((MessageHeader { number_increment, size }, len)))
}

fn read(bytes: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    match varint::read(bytes) {
        Ok(read) => Ok(Some(read)),
        Err(VarintError::Truncated) => Ok(None),
        Err(VarintError::Overflow) => Err(FrameError::Varint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bytes_both_ways() {
        let table: &[(u64, u32, &[u8])] = &[
            (1, 0, &[0x00]),
            (1, 5, &[0x05]), // the vectors' "hello"
            (1, 31, &[0x1f]),
            (1, 32, &[0x20, 0x01]),
            (1, 1024, &[0x20, 0x20]), // the vectors' second message
            (1, 1500, &[0x3c, 0x2e]), // and third
            (2, 7, &[0x47, 0x02]),
            (300, 512 * 1024, &[0x60, 0xac, 0x02, 0x80, 0x80, 0x01]),
            (
                u64::MAX,
                u32::MAX,
                &[
                    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff,
                    0xff, 0x3f,
                ],
            ),
        ];
        for &(number_increment, size, bytes) in table {
            let mut out = [0; MAX_MESSAGE_HEADER];
            let len = encode_message_header(number_increment, size, &mut out);
            assert_eq!(&out[..len], bytes);
            let header = MessageHeader { number_increment, size };
            assert_eq!(decode_message_header(bytes), Ok(Some((header, len))));
            for cut in 0..bytes.len() {
                assert_eq!(decode_message_header(&bytes[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn what_cannot_become_a_header_is_an_error() {
        let endless = |first: u8| {
            let mut bytes = [0xff; 12];
            bytes[0] = first;
            decode_message_header(&bytes)
        };
        assert_eq!(decode_message_header(&[0x80]), Err(FrameError::ReservedMessageHeader(0x80)));
        assert_eq!(endless(0x40), Err(FrameError::Varint));
        assert_eq!(endless(0x20), Err(FrameError::Varint));
        assert_eq!(decode_message_header(&[0x40, 0]), Err(FrameError::MessageNumber));
        // Both varints needlessly long: 16 bytes must do.
        let mut long = [0xff; 17];
        long[0] = 0x60;
        long[8] = 0x3f;
        assert_eq!(decode_message_header(&long), Err(FrameError::Varint));
        assert_eq!(decode_message_header(&long[..15]), Ok(None));
        let over = [0x20, 0x80, 0x80, 0x80, 0x80, 0x01]; // 2^28 << 5 = 2^33
        assert_eq!(decode_message_header(&over), Err(FrameError::MessageSize));
        let just_over = [0x20, 0x80, 0x80, 0x80, 0x40]; // 2^27 << 5 = 2^32
        assert_eq!(decode_message_header(&just_over), Err(FrameError::MessageSize));
    }
}
