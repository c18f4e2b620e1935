//! The content of messages, which either side can compute: our own writing of the definition in the
//! README of `gamewire-valve-peer`.

/// Odd constant that spreads message indices over the generator's states.
const INDEX_STEP: u64 = 0x9E37_79B9_7F4A_7C15;
/// The multiplier of xorshift64*.
const MULTIPLIER: u64 = 0x2545_F491_4F6C_DD1D;
/// Bytes of the index at the start of a message, and of each word behind it.
const WORD: usize = 8;

/// The words behind the index of one message.
#[derive(Clone, Debug)]
struct Words(u64);

impl Words {
    fn of(seed: u64, index: u64) -> Self {
        match seed ^ index.wrapping_mul(INDEX_STEP) {
            // The one state that the generator never leaves.
            0 => Self(INDEX_STEP),
            state => Self(state),
        }
    }

    fn next(&mut self) -> [u8; WORD] {
        let mut x = self.0;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0 = x;
        x.wrapping_mul(MULTIPLIER).to_le_bytes()
    }
}

/// The content of message `index` of `seed`.
pub fn message(seed: u64, index: u64, size: usize) -> Vec<u8> {
    let mut payload = Vec::with_capacity(size.next_multiple_of(WORD));
    payload.extend_from_slice(&index.to_le_bytes());
    let mut words = Words::of(seed, index);
    while payload.len() < size {
        payload.extend_from_slice(&words.next());
    }
    payload.truncate(size);
    payload
}

/// Whether `payload` is the content of message `index` of `seed`.
pub fn matches(payload: &[u8], seed: u64, index: u64) -> bool {
    let mut chunks = payload.chunks(WORD);
    let Some(first) = chunks.next() else {
        return true;
    };
    if first != &index.to_le_bytes()[..first.len()] {
        return false;
    }
    let mut words = Words::of(seed, index);
    chunks.all(|chunk| chunk == &words.next()[..chunk.len()])
}

/// The index in a payload. Payloads below 8 bytes hold its low bytes only: then it is the one
/// nearest to `near`.
pub fn index_of(payload: &[u8], near: u64) -> u64 {
    let carried = payload.len().min(WORD);
    let mut bytes = near.to_le_bytes();
    bytes[..carried].copy_from_slice(&payload[..carried]);
    let candidate = u64::from_le_bytes(bytes);
    if carried == 0 || carried == WORD {
        return candidate;
    }
    let period = 1_u64 << (8 * carried);
    let around = [candidate.checked_sub(period), Some(candidate), candidate.checked_add(period)];
    let nearest = around.into_iter().flatten().min_by_key(|index| index.abs_diff(near));
    nearest.expect("the middle one is always there")
}

/// FNV-1a, 64 bits: the fingerprint in reports of messages.
pub fn fnv64(payload: &[u8]) -> u64 {
    payload.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Lower-case hexadecimal text.
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String never fails");
        text
    })
}

/// The bytes of a hexadecimal text; `None`: it is none.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits?;
    let (pairs, odd) = digits.as_chunks::<2>();
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high << 4 | low).ok();
    odd.is_empty().then(|| pairs.iter().map(byte).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_of_the_readme() {
        let answers = [
            (7, 1, "0100000000000000b402fba2eda8b765a12f4524"),
            (0, 0, "00000000000000007a48219ae2b3830d679dfef1"),
        ];
        for (seed, index, hex) in answers {
            assert_eq!(to_hex(&message(seed, index, 20)), hex);
            assert!(matches(&from_hex(hex).unwrap(), seed, index));
        }
    }

    #[test]
    fn any_change_is_noticed() {
        for size in [1, 7, 8, 9, 64, 1201] {
            let mut payload = message(42, 3, size);
            assert_eq!(payload.len(), size);
            assert!(matches(&payload, 42, 3));
            for position in 0..size {
                payload[position] ^= 0x10;
                assert!(!matches(&payload, 42, 3), "size {size}, byte {position}");
                payload[position] ^= 0x10;
            }
        }
    }

    #[test]
    fn short_payloads_carry_the_low_bytes() {
        assert_eq!(index_of(&[], 77), 77);
        assert_eq!(index_of(&[0xff], 0x100), 0xff);
        assert_eq!(index_of(&[0x00], 0xff), 0x100);
        assert_eq!(index_of(&[0x34, 0x12], 0x0001_1230), 0x0001_1234);
        assert_eq!(index_of(&9_u64.to_le_bytes(), 500), 9);
    }

    #[test]
    fn hex_that_is_none() {
        assert_eq!(from_hex("0g"), None);
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex(""), Some(vec![]));
    }
}
