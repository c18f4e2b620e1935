//! Truncated numbers, against the definition: the nearest one with the same low bits.

use gamewire_wire::truncated::expand;

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let bits = [16, 24, 32, 48][input.below(4)];
    let low = input.u64();
    let hint = if input.flag() { input.near_a_wrap() } else { input.u64() };
    let number = expand(low, bits, hint);
    let span = 1u64 << bits;
    assert_eq!(number & (span - 1), low & (span - 1));
    for other in [number.checked_sub(span), number.checked_add(span)].into_iter().flatten() {
        assert!(number.abs_diff(hint) <= other.abs_diff(hint), "{other} is nearer than {number}");
    }
}
