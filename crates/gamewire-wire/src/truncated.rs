//! Numbers of which only the low bits are sent.

/// The number nearest to `hint` whose low `bits` bits are those of `low`.
///
/// Packet numbers, message numbers and stream positions travel this way. `bits` runs from 1 to 63;
/// higher bits of `low` are ignored. Where the nearest would lie below 0 or above `u64::MAX`, the
/// next one inside is taken. Of two equally near ones the lower is taken.
#[inline]
#[must_use]
pub fn expand(low: u64, bits: u32, hint: u64) -> u64 {
    debug_assert!((1..64).contains(&bits));
    let span = 1u64 << bits;
    let ahead = low.wrapping_sub(hint) & (span - 1);
    let behind = span - ahead;
    if ahead < span / 2 {
        hint.checked_add(ahead).unwrap_or_else(|| hint.wrapping_sub(behind))
    } else {
        hint.checked_sub(behind).unwrap_or_else(|| hint.wrapping_add(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn takes_the_nearest() {
        let table: &[(u64, u32, u64, u64)] = &[
            (2, 16, 0, 2),
            (0xffff, 16, 0, 0xffff), // nothing below zero
            (0xffff, 16, 3, 0xffff),
            (0xffff, 16, 0x1_0003, 0xffff),
            (0, 16, 0xffff, 0x1_0000),
            (0x7fff, 16, 0, 0x7fff),
            (0x8000, 16, 0x1_0000, 0x8000), // a tie goes down
            (0x7fff, 16, 0x1_0000, 0x1_7fff),
            (0x8001, 16, 0x1_0000, 0x8001),
            (1, 24, 0xff_ffff, 0x100_0001),
            (0xff_fffe, 24, 0x100_0001, 0xff_fffe),
            (5, 32, 0xffff_ffff, 0x1_0000_0005),
            (0xffff_ffff, 32, 0x1_0000_0000, 0xffff_ffff),
            (7, 48, 0xffff_ffff_ffff, 0x1_0000_0000_0007),
            (0, 16, u64::MAX, u64::MAX - 0xffff), // nothing above the top
            (0xffff, 16, u64::MAX, u64::MAX),
            (0xabcd_0005, 16, 4, 5), // higher bits of `low` are ignored
        ];
        for &(low, bits, hint, expected) in table {
            assert_eq!(expand(low, bits, hint), expected, "{low:#x} {bits} {hint:#x}");
        }
    }

    #[test]
    fn survives_every_start_near_a_wrap() {
        for centre in [1u64 << 16, 1 << 31, 1 << 32, 1 << 48] {
            for value in centre - 40..centre + 40 {
                for hint in centre - 40..centre + 40 {
                    for bits in [16, 24, 32, 48] {
                        assert_eq!(expand(value & ((1 << bits) - 1), bits, hint), value);
                    }
                }
            }
        }
    }
}
