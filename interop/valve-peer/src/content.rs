//! Deterministic message content: either side can produce it, so either side can verify it.
//! The function is specified in the README; change both or neither.

/// Odd constant that spreads message indices over the generator's states (2^64 / golden ratio).
const INDEX_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The multiplier of xorshift64*.
const OUTPUT_MULTIPLIER: u64 = 0x2545_F491_4F6C_DD1D;

/// The endless content of one message, eight bytes at a time.
struct Words {
    state: u64,
    index: Option<u64>,
}

impl Words {
    fn new(seed: u64, index: u64) -> Self {
        let mixed = seed ^ index.wrapping_mul(INDEX_STEP);
        // Zero is the one state that xorshift never leaves.
        let state = if mixed == 0 { INDEX_STEP } else { mixed };
        Self { state, index: Some(index) }
    }
}

impl Iterator for Words {
    type Item = [u8; 8];

    fn next(&mut self) -> Option<[u8; 8]> {
        if let Some(index) = self.index.take() {
            return Some(index.to_le_bytes());
        }
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        Some(self.state.wrapping_mul(OUTPUT_MULTIPLIER).to_le_bytes())
    }
}

/// Fills `payload` with the content of message `index` of `seed`.
pub(crate) fn fill(payload: &mut [u8], seed: u64, index: u64) {
    for (chunk, word) in payload.chunks_mut(8).zip(Words::new(seed, index)) {
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

/// Whether `payload` is the content of message `index` of `seed`.
pub(crate) fn matches(payload: &[u8], seed: u64, index: u64) -> bool {
    payload
        .chunks(8)
        .zip(Words::new(seed, index))
        .all(|(chunk, word)| chunk == &word[..chunk.len()])
}

/// The index that a payload carries. Payloads shorter than eight bytes carry only its low bytes: then
/// it is the index nearest to `near` with those low bytes.
pub(crate) fn index_of(payload: &[u8], near: u64) -> u64 {
    let carried = payload.len().min(8);
    let mut bytes = near.to_le_bytes();
    bytes[..carried].copy_from_slice(&payload[..carried]);
    let candidate = u64::from_le_bytes(bytes);
    if carried == 0 || carried == 8 {
        return candidate;
    }
    let period = 1_u64 << (8 * carried);
    [candidate.checked_sub(period), Some(candidate), candidate.checked_add(period)]
        .into_iter()
        .flatten()
        .min_by_key(|index| index.abs_diff(near))
        .expect("the middle candidate is always there")
}

/// FNV-1a, 64 bits: a fingerprint for reports, not a defence.
pub(crate) fn fnv64(payload: &[u8]) -> u64 {
    payload.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Lower-case hexadecimal text.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String never fails");
        text
    })
}

/// The bytes of a hexadecimal text, or `None` where it is not one.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    Some(pairs.iter().map(|[high, low]| (high << 4 | low) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        // Computed independently from the definition in the README.
        let mut payload = [0; 20];
        fill(&mut payload, 7, 1);
        assert_eq!(to_hex(&payload), GOLDEN_SEED_7_INDEX_1);
        fill(&mut payload, 0, 0);
        assert_eq!(to_hex(&payload), GOLDEN_SEED_0_INDEX_0);
    }

    const GOLDEN_SEED_7_INDEX_1: &str = "0100000000000000b402fba2eda8b765a12f4524";
    const GOLDEN_SEED_0_INDEX_0: &str = "00000000000000007a48219ae2b3830d679dfef1";

    #[test]
    fn any_flipped_bit_is_noticed() {
        for size in [1, 7, 8, 9, 64, 1201] {
            let mut payload = vec![0; size];
            fill(&mut payload, 42, 3);
            assert!(matches(&payload, 42, 3));
            for position in 0..size {
                payload[position] ^= 0x10;
                assert!(!matches(&payload, 42, 3), "size {size}, byte {position}");
                payload[position] ^= 0x10;
            }
        }
    }

    #[test]
    fn short_payloads_carry_the_low_bytes_of_the_index() {
        let cases = [
            (vec![], 77, 77),
            (vec![0xFF], 0x100, 0xFF),
            (vec![0x00], 0xFF, 0x100),
            (vec![0x05], 0, 5),
            (vec![0x34, 0x12], 0x0001_1230, 0x0001_1234),
            (9_u64.to_le_bytes().to_vec(), 500, 9),
        ];
        for (payload, near, index) in cases {
            assert_eq!(index_of(&payload, near), index, "{payload:?} near {near}");
        }
    }

    #[test]
    fn hex_round_trip_and_refusal() {
        assert_eq!(from_hex("00fFa0"), Some(vec![0, 255, 160]));
        assert_eq!(from_hex(""), Some(vec![]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("0g"), None);
    }

    #[test]
    fn fnv_known_answers() {
        assert_eq!(fnv64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv64(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
