//! PoP ids: three or four characters in a number (api.md §3.3).

/// The id of a PoP code such as `sto` or `atl2`; `None` unless it is 3 or 4 visible ASCII
/// characters.
pub fn pop_from_text(code: &str) -> Option<u32> {
    let visible = code.bytes().all(|byte| byte.is_ascii_graphic());
    let (a, b, c, d) = match *code.as_bytes() {
        [a, b, c] => (a, b, c, 0),
        [a, b, c, d] => (a, b, c, d),
        _ => return None,
    };
    visible.then(|| u32::from_be_bytes([d, a, b, c]))
}

/// The code of a PoP id, or its hexadecimal digits if it is none.
pub fn pop_to_text(pop: u32) -> String {
    let [d, a, b, c] = pop.to_be_bytes();
    let code: String = [a, b, c, d].into_iter().filter(|&byte| byte != 0).map(char::from).collect();
    if pop_from_text(&code) == Some(pop) { code } else { format!("{pop:#010x}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing() {
        for (code, pop) in [("dev", 0x0064_6576), ("sto", 0x0073_746f), ("abcd", 0x6461_6263)] {
            assert_eq!(pop_from_text(code), Some(pop));
            assert_eq!(pop_to_text(pop), code);
        }
        for code in ["", "a", "ab", "abcde", "a\0b", "äb", "a b"] {
            assert_eq!(pop_from_text(code), None, "{code:?}");
        }
        for pop in [0, 1, 0x6100_0000, 0x0061_0062, u32::MAX] {
            assert_eq!(pop_to_text(pop), format!("{pop:#010x}"));
        }
    }
}
