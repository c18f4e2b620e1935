//! What is done to the texts before and after cbindgen.

use std::{collections::BTreeMap, fmt::Write as _};

/// How structs are packed: their names, and the largest alignment of a field in bytes.
pub(super) type Packing = BTreeMap<String, u32>;

/// A source that cbindgen reads in full: every struct has its natural layout. Notes the others.
pub(super) fn readable(source: &str, packing: &mut Packing) -> String {
    let mut text = String::with_capacity(source.len());
    let mut pending = None;
    for line in source.lines() {
        let found = packing_of(line);
        if let Some(bytes) = found {
            pending = Some(bytes);
        } else if let Some(name) = struct_name(line)
            && let Some(bytes) = pending.take()
        {
            packing.insert(name.to_owned(), bytes);
        }
        text.push_str(&if found.is_some() { "#[repr(C)]".to_owned() } else { nullable(line) });
        text.push('\n');
    }
    text
}

/// A line in which `Option<Name>` is `Name`: in C every function pointer may be null, and cbindgen
/// knows that of types that are spelled out only.
fn nullable(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("Option<") {
        text.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
        match after[end..].strip_prefix('>') {
            Some(following) => {
                text.push_str(&after[..end]);
                rest = following;
            }
            None => {
                text.push_str("Option<");
                rest = after;
            }
        }
    }
    text + rest
}

fn packing_of(line: &str) -> Option<u32> {
    let rest = line.trim().strip_prefix("#[repr(C, packed")?;
    match rest {
        ")]" => Some(1),
        _ => rest.strip_prefix('(')?.strip_suffix("))]")?.parse().ok(),
    }
}

fn struct_name(line: &str) -> Option<&str> {
    line.trim().strip_prefix("pub struct ")?.split([' ', '<', '(', ';']).next()
}

/// The configuration values, from the rows of their document.
pub(super) fn config_values(document: &str) -> String {
    let mut text =
        "// ESteamNetworkingConfigValue: docs/configuration.md says more of each. Those \
                    from 10000 on are\n// Gamewire's own.\nenum {\n    \
                    k_ESteamNetworkingConfig_Invalid = 0,\n"
            .to_owned();
    for line in document.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, name, .., doc, _] = cells.as_slice() else { continue };
        if number.parse::<u32>().is_err() {
            continue;
        }
        for line in wrapped(doc, 92) {
            let _infallible = writeln!(text, "    // {line}");
        }
        let _infallible = writeln!(text, "    k_ESteamNetworkingConfig_{name} = {number},");
    }
    text + "};"
}

/// A text in lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// The header, with packed structs and in the words of C.
pub(super) fn finish(header: &str, packing: &Packing) -> String {
    let mut text = String::with_capacity(header.len());
    let mut in_function = false;
    for line in in_words_of_c(header) {
        let opened = packing.iter().find(|(name, _)| line == format!("typedef struct {name} {{"));
        if let Some((_, bytes)) = opened {
            let _infallible = writeln!(text, "#pragma pack(push, {bytes})");
        }
        let begins = begins_a_function(&line);
        if begins || in_function {
            text.push_str(&prototype(&line, begins));
            in_function = !line.ends_with(';');
        } else {
            text.push_str(&line);
        }
        text.push('\n');
        if packing.keys().any(|name| line == format!("}} {name};")) {
            text.push_str("#pragma pack(pop)\n");
        }
    }
    text
}

fn begins_a_function(line: &str) -> bool {
    line.contains('(')
        && line.starts_with(|c: char| c.is_ascii_alphabetic())
        && !line.starts_with("typedef ")
}

/// A line of a prototype: parameters that need more than one line get one each.
fn prototype(line: &str, begins: bool) -> String {
    match (begins, line.ends_with(';')) {
        (true, true) => plain_names(line),
        (true, false) => {
            let (before, first) =
                line.split_once('(').expect("prototypes begin with a parenthesis");
            format!("{before}(\n    {}", plain_names(first))
        }
        (false, _) => format!("    {}", plain_names(line.trim_start())),
    }
}

/// Lines of the header; `# Safety` and its text become one paragraph about pointers.
fn in_words_of_c(header: &str) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = header.lines().map(str::trim_end).collect();
    let mut kept: Vec<String> = Vec::with_capacity(lines.len());
    let mut after_heading = false;
    for line in lines {
        if line == "// # Safety" {
            // The empty line before the heading is not needed.
            if kept.last().is_some_and(|last| last == "//") {
                kept.pop();
            }
            after_heading = true;
        } else if after_heading {
            let rest = line.trim_start_matches("// ");
            kept.push(format!("// Pointers: {rest}"));
            after_heading = false;
        } else {
            kept.push(line.to_owned());
        }
    }
    kept.into_iter()
}

/// Parameters without the underscores that tell Rust what is not used.
fn plain_names(code: &str) -> String {
    let mut text = String::with_capacity(code.len());
    for word in code.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let stripped = word
            .strip_prefix('_')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        text.push_str(&stripped.unwrap_or(word).replacen("self_", "self", 1));
    }
    // The functions of the public headers take an `intptr_t`, for which Rust has no other name.
    text.replace("ptrdiff_t scopeObj", "intptr_t scopeObj")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_is_taken_off_and_put_on() {
        let mut packing = Packing::new();
        let source = "#[repr(C, packed(4))]\npub struct A {\n}\n#[repr(C, packed)]\npub struct B;\n\
                      #[repr(C)]\npub struct C {\n}\n";
        let plain = readable(source, &mut packing);
        assert!(!plain.contains("packed"));
        assert_eq!(packing, [("A".to_owned(), 4), ("B".to_owned(), 1)].into());
        let header = finish("typedef struct A {\n    int a;\n} A;\n", &packing);
        let expected =
            "#pragma pack(push, 4)\ntypedef struct A {\n    int a;\n} A;\n#pragma pack(pop)\n";
        assert_eq!(header, expected);
    }

    #[test]
    fn named_function_types_need_no_option() {
        assert_eq!(
            nullable("a: Option<AllocateFn>, b: Option<extern \"C\" fn()>,"),
            "a: AllocateFn, b: Option<extern \"C\" fn()>,"
        );
    }

    #[test]
    fn prototypes_read_like_c() {
        let header = finish(
            "// Does it.\n//\n// # Safety\n// Null or text.\nint f(void *_self,\n      int self_);\n",
            &Packing::new(),
        );
        assert_eq!(
            header,
            "// Does it.\n// Pointers: Null or text.\nint f(\n    void *self,\n    int self);\n"
        );
    }

    #[test]
    fn values_come_from_the_document() {
        let document = "| no. | name | doc |\n| --: | --- | --- |\n| 9 | SendBufferSize | B. |\n";
        let text = config_values(document);
        assert!(text.ends_with("    // B.\n    k_ESteamNetworkingConfig_SendBufferSize = 9,\n};"));
        assert_eq!(text.matches(" = ").count(), 2);
    }

    #[test]
    fn long_texts_are_wrapped() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
    }
}
