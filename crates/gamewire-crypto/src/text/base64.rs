//! Base64 with padding (RFC 4648 §4), white space ignored when decoding.

/// The text is not base64: a foreign character, wrong padding, or set bits behind the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not base64")]
pub struct Base64Error;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes without line breaks.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(padded);
        for index in 0..4 {
            if index <= group.len() {
                let bits = bits >> (18 - 6 * index) & 63;
                text.push(char::from(ALPHABET[bits as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// Decodes, strictly but for white space.
///
/// # Errors
/// [`Base64Error`]
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut group = [0u8; 4];
    let (mut filled, mut padding) = (0, 0);
    for character in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match character {
            b'=' if filled >= 2 => {
                padding += 1;
                0
            }
            // Nothing may follow padding, be it in the same group or after it.
            _ if padding > 0 => return Err(Base64Error),
            _ => sextet(character).ok_or(Base64Error)?,
        };
        group[filled] = value;
        filled += 1;
        if filled == 4 {
            push_group(&mut bytes, group, padding)?;
            filled = 0;
        }
    }
    if filled == 0 { Ok(bytes) } else { Err(Base64Error) }
}

fn sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn push_group(bytes: &mut Vec<u8>, group: [u8; 4], padding: usize) -> Result<(), Base64Error> {
    let [a, b, c, d] = group.map(u32::from);
    let [_, triple @ ..] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
    let (kept, cut) = triple.split_at(3 - padding);
    if cut.iter().any(|&byte| byte != 0) {
        return Err(Base64Error);
    }
    bytes.extend_from_slice(kept);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4648_vectors() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Ok(plain.as_bytes()));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Ok(all));
        assert_eq!(decode(" Zm9v\r\n Y\tg==\n").as_deref(), Ok(&b"foob"[..]));
    }

    #[test]
    fn refuses_what_is_not_base64() {
        for text in [
            "Z",
            "Zg",
            "Zg=",
            "Zg===",
            "Z===",
            "====",
            "=",
            "Zg==Zg==",
            "Zg=v",
            "Zh==",
            "Zm9=",
            "Zm9v*A==",
            "Zm9vYg==x",
            "Zm9-",
            "ä===",
        ] {
            assert_eq!(decode(text), Err(Base64Error), "{text}");
        }
    }
}
