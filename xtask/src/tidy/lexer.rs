//! Just enough of Rust's lexical grammar to look at code without its comments and texts.

/// The same text with every comment, string and character literal blanked out. Line breaks stay, so that line
/// numbers and offsets remain those of the original.
pub(super) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment_end(bytes, at);
        match end {
            Some(end) => {
                for byte in &mut code[at..end] {
                    if *byte != b'\n' {
                        *byte = b' ';
                    }
                }
                at = end;
            }
            None => at += 1,
        }
    }
    String::from_utf8(code).expect("whole characters are replaced by ASCII")
}

/// Where the comment or literal that starts at `at` ends; none if none starts there.
fn literal_or_comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return Some(at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
    }
    if rest.starts_with(b"/*") {
        return Some(block_comment_end(bytes, at));
    }
    if rest[0] == b'"' {
        return Some(string_end(bytes, at + 1));
    }
    let starts_word = at == 0 || !is_word(bytes[at - 1]);
    if starts_word && let Some(start) = raw_string_start(rest) {
        return Some(raw_string_end(bytes, at + start.0, start.1));
    }
    if rest[0] == b'\'' {
        return character_end(bytes, at);
    }
    None
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The offset behind the opening quote and the number of `#`, if a raw string starts here.
fn raw_string_start(rest: &[u8]) -> Option<(usize, usize)> {
    let prefix = if rest.starts_with(b"br") || rest.starts_with(b"cr") {
        2
    } else if rest.starts_with(b"r") {
        1
    } else {
        return None;
    };
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    (rest.get(prefix + hashes) == Some(&b'"')).then_some((prefix + hashes + 1, hashes))
}

fn raw_string_end(bytes: &[u8], mut at: usize, hashes: usize) -> usize {
    while at < bytes.len() {
        let closing = &bytes[at + 1..];
        if bytes[at] == b'"'
            && closing.len() >= hashes
            && closing[..hashes].iter().all(|b| *b == b'#')
        {
            return at + 1 + hashes;
        }
        at += 1;
    }
    bytes.len()
}

/// The end of a character literal; none for a lifetime.
fn character_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at + 1) == Some(&b'\\') {
        let rest = bytes.get(at + 3..)?;
        return Some(at + 4 + rest.iter().position(|byte| *byte == b'\'')?);
    }
    let text = std::str::from_utf8(bytes.get(at + 1..)?).ok()?;
    let length = text.chars().next()?.len_utf8();
    (bytes.get(at + 1 + length) == Some(&b'\'')).then_some(at + 2 + length)
}

/// Every identifier and keyword of blanked code, with its line number from 1.
pub(super) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(line, text)| {
        text.split(|character: char| !(character.is_alphanumeric() || character == '_'))
            .filter(|word| !word.is_empty())
            .map(move |word| (line + 1, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let table = [
            ("a // unsafe\nb", "a          \nb"),
            ("a/* x /* y */ z */b", "a                 b"),
            ("f(\"un\\\"safe\")", "f(          )"),
            ("x(r#\"a\"b\"#)c", "x(        )c"),
            ("x('\\'')y", "x(    )y"),
            ("x(b'y')", "x(b   )"),
        ];
        for (text, expected) in table {
            assert_eq!(code_only(text), expected);
        }
    }

    #[test]
    fn line_numbers_stay() {
        let code = code_only("\"one\ntwo\"\n/* three\n */ unsafe");
        let found: Vec<_> = words(&code).collect();
        assert_eq!(found, [(4, "unsafe")]);
    }

    #[test]
    fn lifetimes_are_no_literals() {
        let code = code_only("fn f<'a>(x: &'a str) -> char { 'ä' }");
        assert!(code.contains("'a str"));
        assert!(!code.contains('ä'));
    }

    #[test]
    fn an_identifier_that_ends_in_r_starts_no_raw_string() {
        assert!(code_only("for\"x\" unsafe").contains("unsafe"));
        assert!(code_only("r\"\\\" unsafe").contains("unsafe"));
    }

    #[test]
    fn open_ends_are_read_to_the_end() {
        for text in ["\"abc", "/* abc", "r##\"abc\"#", "'", "'\\", "\"\\"] {
            assert_eq!(code_only(text).len(), text.len());
        }
    }
}
